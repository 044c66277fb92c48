//! A certification authority with its OCSP responder and time-stamping authority, as functions: no files, no network, no
//! clock. Keys and serial numbers are random.
//!
//! Certificates follow the test authority of the reference (features.md 1.6) and name members in the EJBCA profile
//! (wire.md 3.6): C = instance, O = member class, CN = member code.

use aws_lc_rs::rand;
use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::csr::CertificateRequest;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, IssueError, Purpose, Template};
use protocol_pki::key::{KeyError, KeySpec, SignerFailure, SoftwareKey};
use protocol_pki::name::{DistinguishedName, UnknownAttribute};
use protocol_pki::ocsp::{self, CertificateId, CertificateStatus, ResponderId, SingleStatus};
use protocol_pki::public_key::PublicKey;
use protocol_pki::tsp::{self, Imprint, TimeStampToken, TokenContents};
use time::{Duration, OffsetDateTime};

/// The policy in time-stamp tokens when the request names none.
pub const TIME_STAMPING_POLICY: &str = "1.2.3.4.1";
/// How long the authority's own certificates are valid.
pub const AUTHORITY_VALIDITY: Duration = Duration::days(20 * 365);
/// How long issued certificates are valid.
pub const CERTIFICATE_VALIDITY: Duration = Duration::days(2 * 365);
/// How far validity reaches back, for peers whose clocks are behind.
pub const CLOCK_ALLOWANCE: Duration = Duration::hours(1);

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: Certificate,
    /// Its private key.
    pub key: SoftwareKey,
}

/// What an issued certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Signing messages: key usage nonRepudiation.
    Sign,
    /// Authentication of security servers: TLS client and server.
    Auth,
}

/// The authority could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key could not be made or used.
    #[error("key: {0}")]
    Key(#[from] KeyError),
    /// A certificate could not be made.
    #[error("certificate: {0}")]
    Issue(#[from] IssueError),
    /// Something else could not be signed.
    #[error("signing: {0}")]
    Sign(SignerFailure),
    /// A name could not be built.
    #[error("name: {0}")]
    Name(#[from] UnknownAttribute),
    /// The system gave no random bytes.
    #[error("no random bytes")]
    Random,
    /// The subject of a signing certificate does not name a member.
    #[error("the subject must have C (instance), O (member class) and CN (member code); it is {0}")]
    Subject(String),
}

/// A certification authority, its OCSP responder and a time-stamping authority.
#[derive(Debug)]
pub struct Authority {
    instance: String,
    root: Identity,
    ocsp: Identity,
    tsa: Identity,
}

impl Authority {
    /// Makes new keys and certificates, valid from about this instant.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn create(instance: &str, keys: KeySpec, at: OffsetDateTime) -> Result<Self, AuthorityError> {
        let root_name = service_name(instance, "Test CA")?;
        let root_key = SoftwareKey::generate(keys)?;
        let usage = KeyUsage::KEY_CERT_SIGN.and(KeyUsage::CRL_SIGN);
        let extensions = vec![Extension::authority(None), Extension::key_usage(usage)];
        let terms = Terms::long(at);
        let certificate = certify(
            &root_key,
            &root_name,
            &root_name,
            root_key.spki_der(),
            extensions,
            &terms,
        )?;
        let root = Identity {
            certificate,
            key: root_key,
        };
        let ocsp_extensions = vec![
            Extension::extended_key_usage(&[Purpose::OcspSigning], true),
            Extension::ocsp_no_check(),
        ];
        let ocsp = service_identity(
            &root,
            &service_name(instance, "Test OCSP")?,
            keys,
            ocsp_extensions,
            &terms,
        )?;
        let tsa_extensions = vec![Extension::extended_key_usage(&[Purpose::TimeStamping], true)];
        let tsa = service_identity(
            &root,
            &service_name(instance, "Test TSA")?,
            keys,
            tsa_extensions,
            &terms,
        )?;
        Ok(Self::of(instance.to_owned(), root, ocsp, tsa))
    }

    /// An authority of existing keys and certificates.
    pub fn of(instance: String, root: Identity, ocsp: Identity, tsa: Identity) -> Self {
        Self {
            instance,
            root,
            ocsp,
            tsa,
        }
    }

    /// The instance identifier.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The root, which issues certificates.
    pub fn root(&self) -> &Identity {
        &self.root
    }

    /// The OCSP responder.
    pub fn ocsp_responder(&self) -> &Identity {
        &self.ocsp
    }

    /// The time-stamping authority.
    pub fn time_stamping(&self) -> &Identity {
        &self.tsa
    }

    /// Certifies what a request asks for. A signing certificate must name a member.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn certify_request(
        &self,
        request: &CertificateRequest,
        usage: Usage,
        terms: &Terms<'_>,
    ) -> Result<Certificate, AuthorityError> {
        let key = request.public_key();
        self.certify(
            request.subject(),
            key.spki_der(),
            request.dns_names(),
            usage,
            terms,
        )
    }

    /// Certifies a key.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn certify(
        &self,
        subject: &DistinguishedName,
        spki: &[u8],
        dns_names: &[String],
        usage: Usage,
        terms: &Terms<'_>,
    ) -> Result<Certificate, AuthorityError> {
        let names_member = ["C", "O", "CN"]
            .into_iter()
            .all(|attribute| subject.get(attribute).is_some());
        if usage == Usage::Sign && !names_member {
            return Err(AuthorityError::Subject(subject.readable()));
        }
        let mut extensions = usage.extensions();
        if usage == Usage::Auth && !dns_names.is_empty() {
            extensions.push(Extension::dns_names(dns_names));
        }
        extensions.extend(terms.ocsp_url.map(Extension::ocsp_url));
        certify(
            &self.root.key,
            self.root.certificate.subject(),
            subject,
            spki,
            extensions,
            terms,
        )
    }

    /// Makes a key and a signing certificate for a member.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn member(
        &self,
        member_class: &str,
        member_code: &str,
        keys: KeySpec,
        at: OffsetDateTime,
    ) -> Result<Identity, AuthorityError> {
        let subject = [
            ("C", self.instance.as_str()),
            ("O", member_class),
            ("CN", member_code),
        ];
        self.identity(&subject, Usage::Sign, keys, at)
    }

    /// Makes a key and an authentication certificate for a security server.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn server(
        &self,
        server_code: &str,
        keys: KeySpec,
        at: OffsetDateTime,
    ) -> Result<Identity, AuthorityError> {
        let subject = [
            ("C", self.instance.as_str()),
            ("O", "security server"),
            ("CN", server_code),
        ];
        self.identity(&subject, Usage::Auth, keys, at)
    }

    fn identity(
        &self,
        subject: &[(&str, &str)],
        usage: Usage,
        keys: KeySpec,
        at: OffsetDateTime,
    ) -> Result<Identity, AuthorityError> {
        let key = SoftwareKey::generate(keys)?;
        let subject = DistinguishedName::build(subject)?;
        let certificate = self.certify(&subject, key.spki_der(), &[], usage, &Terms::usual(at))?;
        Ok(Identity { certificate, key })
    }

    /// A signed OCSP response about one certificate of this authority, produced at its thisUpdate.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn ocsp_response(
        &self,
        certificate: &Certificate,
        status: CertificateStatus,
        this_update: OffsetDateTime,
        next_update: Option<OffsetDateTime>,
    ) -> Result<Vec<u8>, AuthorityError> {
        let certificate = CertificateId::new(certificate, &self.root.certificate);
        let single = SingleStatus {
            certificate,
            status,
            this_update,
            next_update,
        };
        self.ocsp_responses(&[single], this_update, None)
    }

    /// A signed OCSP response with these statuses; `nonce` is that of the request.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn ocsp_responses(
        &self,
        singles: &[SingleStatus],
        produced_at: OffsetDateTime,
        nonce: Option<&[u8]>,
    ) -> Result<Vec<u8>, AuthorityError> {
        let signer = self.ocsp.key.signer(DigestAlgorithm::Sha256);
        ocsp::respond(
            singles,
            produced_at,
            nonce,
            &self.ocsp.certificate,
            ResponderId::ByName,
            &signer,
        )
        .map_err(AuthorityError::Sign)
    }

    /// A time-stamp token with the authority's certificate in it.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn time_stamp(&self, imprint: Imprint, at: OffsetDateTime) -> Result<TimeStampToken, AuthorityError> {
        let request = tsp::Request {
            imprint,
            policy: None,
            nonce: None,
            wants_certificate: true,
        };
        self.stamp(&request, at)
    }

    /// The token that a request asks for.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn stamp(
        &self,
        request: &tsp::Request,
        at: OffsetDateTime,
    ) -> Result<TimeStampToken, AuthorityError> {
        let contents = TokenContents {
            imprint: request.imprint,
            gen_time: at,
            policy: TIME_STAMPING_POLICY,
            serial: &random_serial()?,
            nonce: request.nonce.as_deref(),
            include_certificate: request.wants_certificate,
        };
        let signer = self.tsa.key.signer(DigestAlgorithm::Sha512);
        tsp::issue_token(&contents, &self.tsa.certificate, &signer).map_err(AuthorityError::Sign)
    }
}

/// Under which terms a certificate is issued.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The instant of issue; validity begins [`CLOCK_ALLOWANCE`] before.
    pub at: OffsetDateTime,
    /// How long it is valid from then on.
    pub validity: Duration,
    /// The responder's address to put into it.
    pub ocsp_url: Option<&'a str>,
}

impl Terms<'_> {
    /// Usual validity, no responder address.
    pub fn usual(at: OffsetDateTime) -> Self {
        Self {
            at,
            validity: CERTIFICATE_VALIDITY,
            ocsp_url: None,
        }
    }

    fn long(at: OffsetDateTime) -> Self {
        Self {
            at,
            validity: AUTHORITY_VALIDITY,
            ocsp_url: None,
        }
    }
}

impl Usage {
    fn extensions(self) -> Vec<Extension> {
        match self {
            Self::Sign => vec![
                Extension::end_entity(),
                Extension::key_usage(KeyUsage::NON_REPUDIATION),
            ],
            Self::Auth => vec![
                Extension::end_entity(),
                Extension::key_usage(
                    KeyUsage::DIGITAL_SIGNATURE
                        .and(KeyUsage::KEY_ENCIPHERMENT)
                        .and(KeyUsage::DATA_ENCIPHERMENT)
                        .and(KeyUsage::KEY_AGREEMENT),
                ),
                Extension::extended_key_usage(&[Purpose::ClientAuth, Purpose::ServerAuth], false),
            ],
        }
    }
}

fn service_name(instance: &str, service: &str) -> Result<DistinguishedName, UnknownAttribute> {
    DistinguishedName::build(&[("O", instance), ("CN", &format!("{instance} {service}"))])
}

fn service_identity(
    root: &Identity,
    subject: &DistinguishedName,
    keys: KeySpec,
    extensions: Vec<Extension>,
    terms: &Terms<'_>,
) -> Result<Identity, AuthorityError> {
    let key = SoftwareKey::generate(keys)?;
    let certificate = certify(
        &root.key,
        root.certificate.subject(),
        subject,
        key.spki_der(),
        extensions,
        terms,
    )?;
    Ok(Identity { certificate, key })
}

fn certify(
    issuer_key: &SoftwareKey,
    issuer: &DistinguishedName,
    subject: &DistinguishedName,
    spki: &[u8],
    mut extensions: Vec<Extension>,
    terms: &Terms<'_>,
) -> Result<Certificate, AuthorityError> {
    let bits = |spki: &[u8]| {
        PublicKey::from_spki(spki)
            .map(|key| key.bits().to_vec())
            .unwrap_or_default()
    };
    extensions.push(Extension::subject_key_identifier(&bits(spki)));
    extensions.push(Extension::authority_key_identifier(&bits(issuer_key.spki_der())));
    let template = Template {
        serial: &random_serial()?,
        issuer,
        subject,
        not_before: terms.at - CLOCK_ALLOWANCE,
        not_after: terms.at + terms.validity,
        spki,
        extensions,
    };
    Ok(template.sign(&issuer_key.signer(DigestAlgorithm::Sha256))?)
}

/// 126 random bits, positive, always 16 bytes long.
fn random_serial() -> Result<[u8; 16], AuthorityError> {
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(|_| AuthorityError::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_pki::chain;
    use protocol_pki::ocsp::{Response, VerifyContext};
    use protocol_pki::profile::Profile;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-01 00:00:00 UTC);

    #[test]
    fn a_member_is_certified_good_and_stamped() {
        let authority = Authority::create("TEST", KeySpec::P256, NOW).unwrap();
        let member = authority.member("GOV", "123", KeySpec::P256, NOW).unwrap();
        let name = Profile::Ejbca.member(&member.certificate, "TEST").unwrap();
        assert_eq!(
            (
                name.instance.as_str(),
                name.member_class.as_str(),
                name.member_code.as_str()
            ),
            ("TEST", "GOV", "123")
        );
        assert!(member.certificate.may_sign_messages() && !member.certificate.may_authenticate());
        let server = authority.server("ss1", KeySpec::P256, NOW).unwrap();
        assert!(server.certificate.may_authenticate() && !server.certificate.may_sign_messages());

        let root = &authority.root().certificate;
        chain::build(&member.certificate, &[], std::slice::from_ref(root), NOW).unwrap();
        let told = authority
            .ocsp_response(&member.certificate, CertificateStatus::Good, NOW, None)
            .unwrap();
        let context = VerifyContext::new(&[], &[], Duration::hours(1));
        let told = Response::from_der(&told).unwrap();
        told.verify(&context, &member.certificate, root, NOW).unwrap();

        let token = authority
            .time_stamp(Imprint::of(DigestAlgorithm::Sha512, b"x"), NOW)
            .unwrap();
        token
            .verify_data(b"x", &[authority.time_stamping().certificate.clone()])
            .unwrap();
    }

    #[test]
    fn a_signing_certificate_must_name_a_member() {
        let authority = Authority::create("TEST", KeySpec::P256, NOW).unwrap();
        let key = SoftwareKey::generate(KeySpec::P256).unwrap();
        let nobody = DistinguishedName::build(&[("CN", "x")]).unwrap();
        let certify = |usage| authority.certify(&nobody, key.spki_der(), &[], usage, &Terms::usual(NOW));
        assert!(matches!(certify(Usage::Sign), Err(AuthorityError::Subject(_))));
        assert!(certify(Usage::Auth).is_ok());
    }
}
