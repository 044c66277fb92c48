//! The keys and certificates of a newcomer: made for it, or its own that are certified.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use protocol_message::identifier::SecurityServerId;
use protocol_pki::certificate::Certificate;
use protocol_pki::csr::{self, CertificateRequest};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use serde::Serialize;
use signer_client::NameAttribute;

use super::super::layout::Net;
use super::super::trust::{self, Usage};
use super::super::{files, signer};
use crate::failure::{Failure, OrUnusable};

/// Password of the PKCS#12 files: a sandbox has no secrets.
const PASSWORD: &str = "sandbox";
/// Most that is read of a file with a signing request, in bytes; one is about a thousand long.
const MAX_REQUEST_FILE: u64 = 64 * 1024;

/// Where a newcomer's keys come from.
#[derive(Debug)]
pub(super) enum Keys {
    /// They are made here.
    Made,
    /// The newcomer has them, and these are its signing requests (DER or PEM).
    Own {
        /// For the signing key.
        sign: Vec<u8>,
        /// For the authentication key.
        auth: Vec<u8>,
    },
}

/// The files that a newcomer gets for its keys, as `join.json` names them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum KeyFiles {
    /// Keys with their certificates.
    Stores {
        /// The signing key.
        sign_p12: PathBuf,
        /// The authentication key.
        auth_p12: PathBuf,
        /// What both files are encrypted with.
        password: &'static str,
    },
    /// Certificates.
    Certificates {
        /// That of the signing key.
        sign_certificate: PathBuf,
        /// That of the authentication key.
        auth_certificate: PathBuf,
    },
}

impl Keys {
    /// Reads the newcomer's signing requests, if it has any.
    ///
    /// # Errors
    /// A file that cannot be read or is no signing request, or two of one key.
    pub(super) fn of(sign: Option<&Path>, auth: Option<&Path>) -> Result<Self, Failure> {
        let (Some(sign), Some(auth)) = (sign, auth) else {
            return Ok(Self::Made);
        };
        let (sign_bytes, sign_request) = read(sign)?;
        let (auth_bytes, auth_request) = read(auth)?;
        if sign_request.public_key() == auth_request.public_key() {
            return Err(Failure::unusable(format!(
                "{} and {} are of one key; expected one for signing and another for authentication",
                sign.display(),
                auth.display()
            )));
        }
        Ok(Self::Own {
            sign: sign_bytes,
            auth: auth_bytes,
        })
    }

    /// The files in `out`.
    pub(super) fn files(&self, out: &Path) -> KeyFiles {
        match self {
            Self::Made => KeyFiles::Stores {
                sign_p12: out.join("sign.p12"),
                auth_p12: out.join("auth.p12"),
                password: PASSWORD,
            },
            Self::Own { .. } => KeyFiles::Certificates {
                sign_certificate: out.join("sign.pem"),
                auth_certificate: out.join("auth.pem"),
            },
        }
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, CertificateRequest), Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_REQUEST_FILE).read_to_end(&mut bytes))
        .or_unusable(|| format!("read {}", path.display()))?;
    let request = CertificateRequest::from_der_or_pem(&bytes)
        .or_unusable(|| format!("understand {}; expected a signing request", path.display()))?;
    Ok((bytes, request))
}

/// Has the newcomer's keys certified and writes what it gets into `out`; gives the authentication certificate.
///
/// # Errors
/// What the authority says when it refuses, and what cannot be written.
pub(super) fn certify(
    keys: &Keys,
    net: Net,
    out: &Path,
    id: &SecurityServerId,
    organisation: &str,
) -> Result<Certificate, Failure> {
    let order = Order { net, out };
    match keys {
        Keys::Made => {
            order.key("sign", Usage::Sign, &signer::signing_subject(&id.member_code))?;
            let subject = signer::authentication_subject(organisation, &id.server_code);
            order.key("auth", Usage::Auth, &subject)
        }
        Keys::Own { sign, auth } => {
            order.certificate("sign", Usage::Sign, sign)?;
            order.certificate("auth", Usage::Auth, auth)
        }
    }
}

/// What is wanted of the certification authority of a network, and where to.
struct Order<'a> {
    net: Net,
    out: &'a Path,
}

impl Order<'_> {
    /// Has a request certified, and writes the certificate.
    fn certificate(&self, name: &str, usage: Usage, request: &[u8]) -> Result<Certificate, Failure> {
        let certificate = trust::certify(self.net, request, usage)?;
        files::write(&self.out.join(format!("{name}.pem")), certificate.to_pem())?;
        Ok(certificate)
    }

    /// Makes a key, has it certified, and writes both into a PKCS#12 file.
    fn key(&self, name: &str, usage: Usage, subject: &[NameAttribute]) -> Result<Certificate, Failure> {
        let doing = || format!("make the key {name}");
        let attributes: Vec<(&str, &str)> = subject
            .iter()
            .map(|attribute| (attribute.kind.as_str(), attribute.value.as_str()))
            .collect();
        let subject = DistinguishedName::build(&attributes).or_unusable(doing)?;
        let key = SoftwareKey::generate(KeySpec::Rsa2048).or_unusable(doing)?;
        let request = csr::build(&subject, &[], &key.signer(DigestAlgorithm::Sha256)).or_unusable(doing)?;
        let certificate = trust::certify(self.net, &request, usage)?;
        let authority = trust::certificate(self.net, "ca.pem")?;
        let p12 = pkcs12(name, &key, &[&certificate, &authority]).or_unusable(doing)?;
        files::write_secret(&self.out.join(format!("{name}.p12")), &p12)?;
        Ok(certificate)
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

fn pkcs12(alias: &str, key: &SoftwareKey, certificates: &[&Certificate]) -> Result<Vec<u8>, Boxed> {
    let chain: Result<Vec<p12_keystore::Certificate>, _> = certificates
        .iter()
        .map(|certificate| p12_keystore::Certificate::from_der(certificate.as_der()))
        .collect();
    let key = PrivateKey::from_der(&key.to_pkcs8()?)?;
    let chain = PrivateKeyChain::new(alias.as_bytes(), key, chain?);
    let mut store = KeyStore::new();
    store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
    Ok(store.writer(PASSWORD).write()?)
}
