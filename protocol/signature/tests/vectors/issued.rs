//! A small world of our own: a CA, a signer, an OCSP responder and a time-stamping authority.

use std::sync::OnceLock;

use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Template};
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use protocol_pki::ocsp::{self, CertificateId, CertificateStatus, ResponderId, SingleStatus};
use protocol_pki::profile::{MemberName, Profile};
use protocol_pki::public_key::ecdsa_der_to_xml;
use protocol_pki::tsp::{self, Imprint, TokenContents};
use protocol_signature::document::{Builder, Signed, Unsigned};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::trust::Trust;

/// When everything here happens.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-03-04 05:06:07.089 UTC);

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: SoftwareKey,
    pub(crate) certificate: Certificate,
}

/// All that a test needs to sign and to verify.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ca: Identity,
    pub(crate) signer: Identity,
    pub(crate) tsa: Identity,
}

/// A world whose signer has an RSA key; made once.
pub(crate) fn rsa() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::new(KeySpec::Rsa2048))
}

/// A world whose signer has a P-256 key; made once.
pub(crate) fn p256() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::new(KeySpec::P256))
}

/// A world whose signer has a P-384 key; made once.
pub(crate) fn p384() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::new(KeySpec::P384))
}

pub(crate) fn name(attributes: &[(&str, &str)]) -> DistinguishedName {
    DistinguishedName::build(attributes).unwrap()
}

pub(crate) fn issue(
    issuer: &SoftwareKey,
    issuer_name: &DistinguishedName,
    key: SoftwareKey,
    subject: &DistinguishedName,
    serial: u8,
    extensions: Vec<Extension>,
) -> Identity {
    let certificate = Template {
        serial: &[serial],
        issuer: issuer_name,
        subject,
        not_before: NOW - Duration::days(10),
        not_after: NOW + Duration::days(10),
        spki: key.spki_der(),
        extensions,
    }
    .sign(&issuer.signer(DigestAlgorithm::Sha256))
    .unwrap();
    Identity { key, certificate }
}

impl World {
    fn new(spec: KeySpec) -> Self {
        // Characters that XML escapes are in the issuer's name.
        let ca_name = name(&[("C", "EE"), ("O", "Test & <Co>"), ("CN", "Test CA")]);
        let ca_key = SoftwareKey::generate(KeySpec::P256).unwrap();
        let key = || SoftwareKey::generate(KeySpec::P256).unwrap();
        let usage = |usage| vec![Extension::end_entity(), Extension::key_usage(usage)];
        let subject = name(&[("C", "DEV"), ("O", "COM"), ("CN", "4321")]);
        let signer = issue(
            &ca_key,
            &ca_name,
            SoftwareKey::generate(spec).unwrap(),
            &subject,
            2,
            usage(KeyUsage::NON_REPUDIATION),
        );
        let tsa = issue(
            &ca_key,
            &ca_name,
            key(),
            &name(&[("CN", "TSA")]),
            3,
            usage(KeyUsage::DIGITAL_SIGNATURE),
        );
        let ca_key_again = SoftwareKey::from_pkcs8(&ca_key.to_pkcs8().unwrap()).unwrap();
        let usage = Extension::key_usage(KeyUsage::KEY_CERT_SIGN.and(KeyUsage::CRL_SIGN));
        let ca = issue(
            &ca_key,
            &ca_name,
            ca_key_again,
            &ca_name,
            1,
            vec![Extension::authority(None), usage],
        );
        Self { ca, signer, tsa }
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.signer.key.algorithm_with(DigestAlgorithm::Sha512)
    }

    /// The signer, by the EJBCA profile.
    pub(crate) fn member(&self) -> MemberName {
        super::trust::member("4321")
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust {
            instance: "DEV".to_owned(),
            ca: self.ca.certificate.clone(),
            profile: Profile::Ejbca,
            responder: None,
            tsa: vec![self.tsa.certificate.clone()],
            freshness: 3600,
        }
    }

    /// An OCSP response by the CA itself.
    pub(crate) fn ocsp(
        &self,
        certificate: &Certificate,
        status: CertificateStatus,
        at: OffsetDateTime,
    ) -> Vec<u8> {
        let single = SingleStatus {
            certificate: CertificateId::new(certificate, &self.ca.certificate),
            status,
            this_update: at,
            next_update: None,
        };
        let key = self.ca.key.signer(DigestAlgorithm::Sha256);
        ocsp::respond(
            &[single],
            at,
            None,
            &self.ca.certificate,
            ResponderId::ByName,
            &key,
        )
        .unwrap()
    }

    pub(crate) fn good(&self) -> Vec<u8> {
        self.ocsp(&self.signer.certificate, CertificateStatus::Good, NOW)
    }

    pub(crate) fn unsigned(&self, signed: Signed<'_>) -> Unsigned {
        self.unsigned_with(signed, &[], &[self.good()])
    }

    pub(crate) fn unsigned_with(
        &self,
        signed: Signed<'_>,
        intermediates: &[Certificate],
        ocsp_responses: &[Vec<u8>],
    ) -> Unsigned {
        let builder = Builder {
            certificate: &self.signer.certificate,
            intermediates,
            ocsp_responses,
            signing_time: NOW,
            algorithm: self.algorithm(),
            signed,
        };
        builder.build().unwrap()
    }

    /// The signature value in its XML form.
    pub(crate) fn sign(&self, data: &[u8]) -> Vec<u8> {
        let signature = self.signer.key.sign(self.algorithm(), data).unwrap();
        match self.signer.certificate.public_key().kind().ecdsa_half_len() {
            Some(half) => ecdsa_der_to_xml(&signature, half).unwrap(),
            None => signature,
        }
    }

    /// A signature document over `signed`.
    pub(crate) fn document(&self, signed: Signed<'_>) -> Vec<u8> {
        let unsigned = self.unsigned(signed);
        let value = self.sign(unsigned.to_be_signed());
        unsigned.finish(&value).unwrap()
    }

    /// DER of a time-stamp token over `data`.
    pub(crate) fn stamp(&self, data: &[u8]) -> Vec<u8> {
        let contents = TokenContents {
            imprint: Imprint::of(DigestAlgorithm::Sha512, data),
            gen_time: NOW + Duration::seconds(2),
            policy: "1.2.3.4",
            serial: &[5],
            nonce: None,
            include_certificate: true,
        };
        let key = self.tsa.key.signer(DigestAlgorithm::Sha256);
        tsp::issue_token(&contents, &self.tsa.certificate, &key)
            .unwrap()
            .as_der()
            .to_vec()
    }
}
