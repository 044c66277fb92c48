//! Judging the authentication certificate of another security server, in either role (wire.md 2.7).
//!
//! The certificate must lead to an approved CA of the member's instance, be good by OCSP together with its
//! intermediates, be meant for authentication, and belong to a server of the member. The costly part is remembered
//! until the certificates or OCSP responses run out; whose server it is is looked up every time.

mod verdicts;

use protocol_message::identifier::{ClientId, SecurityServerId};
use protocol_pki::certificate::{Certificate, CertificateError};
use protocol_pki::digest::{Digest, DigestAlgorithm};
use protocol_pki::ocsp::{OcspError, Response};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::snapshot::LoadedGlobalConf;
use crate::snapshot::material::StatusError;

pub(crate) use verdicts::Verdicts;

/// Certificates of a presented chain that are looked at; TLS peers send the leaf and its intermediates.
const MAX_PRESENTED: usize = 10;

/// Why a certificate is not the one of the member's server.
#[derive(Debug, thiserror::Error)]
pub enum CertificateRejected {
    /// None was presented, or more than a chain has.
    #[error("peer presented {0} certificates")]
    Presented(usize),
    /// It can't be read.
    #[error("peer certificate is malformed: {0}")]
    Malformed(#[from] CertificateError),
    /// An OCSP response can't be read.
    #[error("OCSP response is malformed: {0}")]
    OcspMalformed(#[source] OcspError),
    /// Its key usage is another one.
    #[error("Peer certificate is not an authentication certificate")]
    NotForAuthentication,
    /// Its chain or status is not good.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// It belongs to a server, but to none of the member's.
    #[error("Client '{}' is not registered at security server {}", client.to_typed(), server.to_typed())]
    OtherServer {
        /// Who should be registered there.
        client: ClientId,
        /// Whose certificate it is.
        server: SecurityServerId,
    },
    /// It belongs to no server; its subject.
    #[error("Authentication certificate {0} is not associated with any security server")]
    NoServer(String),
}

impl CertificateRejected {
    /// The fault code: `ssl_authentication_failed`, with the cause behind it where chain or OCSP are at fault.
    #[must_use]
    pub fn fault_code(&self) -> String {
        const FAILED: &str = "ssl_authentication_failed";
        match self {
            Self::Status(error) => format!("{FAILED}.{}", error.fault_code()),
            _ => FAILED.to_owned(),
        }
    }
}

/// A presented chain, read.
#[derive(Debug)]
pub struct Presented {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
}

impl Presented {
    /// Reads what TLS gave.
    ///
    /// # Errors
    /// [`CertificateRejected::Presented`] and [`CertificateRejected::Malformed`].
    pub fn read(certificates: &[CertificateDer<'_>]) -> Result<Self, CertificateRejected> {
        let count = certificates.len();
        let Some((leaf, others)) = certificates.split_first().filter(|_| count <= MAX_PRESENTED) else {
            return Err(CertificateRejected::Presented(count));
        };
        let intermediates = others
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            leaf: Certificate::from_der(leaf)?,
            intermediates,
        })
    }

    /// The certificates that need an OCSP response: the leaf and the intermediates of its chain.
    ///
    /// # Errors
    /// When there is no chain.
    pub fn needing_status(
        &self,
        globalconf: &LoadedGlobalConf,
        instance: &str,
        at: OffsetDateTime,
    ) -> Result<Vec<Certificate>, CertificateRejected> {
        let chain = globalconf
            .chain(&self.leaf, &self.intermediates, instance, at)
            .map_err(StatusError::Chain)?;
        Ok(chain.without_anchor().to_vec())
    }

    /// Until when the chain and these OCSP responses are good, for authentication.
    ///
    /// # Errors
    /// [`CertificateRejected`] with the cause when they are not good now.
    pub fn status(
        &self,
        responses: &[impl AsRef<[u8]>],
        instance: &str,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Result<OffsetDateTime, CertificateRejected> {
        if !self.leaf.may_authenticate() {
            return Err(CertificateRejected::NotForAuthentication);
        }
        let chain = globalconf
            .chain(&self.leaf, &self.intermediates, instance, at)
            .map_err(StatusError::Chain)?;
        let responses = responses
            .iter()
            .map(|der| Response::from_der(der.as_ref()))
            .collect::<Result<Vec<_>, _>>();
        let responses = responses.map_err(CertificateRejected::OcspMalformed)?;
        Ok(globalconf.chain_status(&chain, &responses, at)?)
    }

    /// Whether the certificate belongs to a server that the member owns or is registered on.
    ///
    /// # Errors
    /// [`CertificateRejected::OtherServer`] and [`CertificateRejected::NoServer`].
    pub fn belongs_to(
        &self,
        member: &ClientId,
        globalconf: &LoadedGlobalConf,
    ) -> Result<(), CertificateRejected> {
        if globalconf.auth_cert_matches_member(&self.leaf, member) {
            return Ok(());
        }
        Err(match globalconf.server_by_auth_cert(&self.leaf) {
            Some(server) => CertificateRejected::OtherServer {
                client: member.clone(),
                server: server.id.clone(),
            },
            None => CertificateRejected::NoServer(self.leaf.subject().to_string()),
        })
    }
}

/// Judges the servers that call one worker.
#[derive(Debug, Default)]
pub struct Judge(Verdicts);

impl Judge {
    /// Whether a server that presents these certificates, its own first, and these OCSP responses may speak for the
    /// member now.
    ///
    /// # Errors
    /// [`CertificateRejected`] with the cause.
    pub fn judge(
        &self,
        certificates: &[CertificateDer<'_>],
        responses: &[impl AsRef<[u8]>],
        member: &ClientId,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Result<(), CertificateRejected> {
        let instance = member.instance();
        let shown = certificates.iter().map(AsRef::as_ref);
        let pieces = shown.chain(responses.iter().map(AsRef::as_ref));
        let key = key(pieces, instance, globalconf);
        let presented = match self.0.good(&key, at) {
            Some(presented) => presented,
            None => {
                let presented = Presented::read(certificates)?;
                let until = presented.status(responses, instance, globalconf, at)?;
                self.0.remember(key, presented, at..=until)
            }
        };
        presented.belongs_to(member, globalconf)
    }
}

/// Everything that a judgement depends on: certificates and OCSP responses, whose chain it is, and which global
/// configuration it was judged by.
pub(crate) fn key<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    instance: &'a str,
    globalconf: &LoadedGlobalConf,
) -> Digest {
    let mut hasher = DigestAlgorithm::Sha256.hasher();
    hasher.update(&globalconf.serial().to_le_bytes());
    for piece in pieces.chain([instance.as_bytes()]) {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece);
    }
    hasher.finish()
}
