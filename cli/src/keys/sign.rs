//! `kiirtee keys sign`: a signature over a file or a text, to try a key.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use protocol_pki::digest::DigestAlgorithm;
use serde::Serialize;
use signer_client::{KeyAlgorithm, KeySelector, SignatureAlgorithm};

use super::refusal::OrRefused;
use super::{Console, find};
use crate::failure::{Failure, OrUnusable};

/// How much of a file is read at once.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The key's id, or the beginning of it
    key: String,
    /// The file to sign; -: standard input
    #[arg(long, required_unless_present = "text", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The text to sign
    #[arg(long)]
    text: Option<String>,
    /// The digest
    #[arg(long, default_value = "sha-512")]
    digest: Digest,
    /// RSA with PSS padding instead of PKCS #1 v1.5
    #[arg(long)]
    pss: bool,
    /// Where to write the signature, as bytes
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Digest {
    #[value(name = "sha-256")]
    Sha256,
    #[value(name = "sha-384")]
    Sha384,
    #[value(name = "sha-512")]
    Sha512,
}

impl From<Digest> for DigestAlgorithm {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Sha256 => Self::Sha256,
            Digest::Sha384 => Self::Sha384,
            Digest::Sha512 => Self::Sha512,
        }
    }
}

/// How such a key signs.
pub(super) fn algorithm(
    key: KeyAlgorithm,
    digest: DigestAlgorithm,
    pss: bool,
) -> Result<SignatureAlgorithm, Failure> {
    match (key.is_rsa(), pss) {
        (true, true) => Ok(SignatureAlgorithm::RsaPss(digest.into())),
        (false, true) => Err(Failure::unusable(
            "--pss: the key is on an elliptic curve; expected an RSA key",
        )),
        (_, false) => Ok(key.message_signature(digest.into())),
    }
}

/// The signature in Base64; that of a key on an elliptic curve is ASN.1 DER.
#[derive(Debug, Serialize)]
struct Signed<'a> {
    key: &'a str,
    algorithm: &'static str,
    digest: &'static str,
    signature: String,
}

pub(super) fn sign(console: &Console, wanted: &Sign) -> Result<(), Failure> {
    let status = console.status()?;
    let key = find::key(&status, &wanted.key)?;
    let digest = DigestAlgorithm::from(wanted.digest);
    let algorithm = algorithm(key.algorithm, digest, wanted.pss)?;
    let value = match &wanted.text {
        Some(text) => digest.digest(text.as_bytes()),
        None => digest_of_file(digest, wanted.file.as_deref().unwrap_or_else(|| Path::new("-")))?,
    };
    let signature = console.working("signing", || {
        let key = KeySelector::Key(key.id.clone());
        console.signer.sign_digest(key, algorithm, value.as_bytes())
    });
    let signature = signature.or_refused(|| format!("sign with key {}", key.id))?;
    if let Some(out) = &wanted.out {
        std::fs::write(out, &*signature).or_unusable(|| format!("write {}", out.display()))?;
    }
    let signed = Signed {
        key: &key.id,
        algorithm: name(algorithm),
        digest: digest.name(),
        signature: STANDARD.encode(&*signature),
    };
    console.tell(&signed, || signed.signature.clone())
}

pub(super) const fn name(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1(_) => "rsa_pkcs1",
        SignatureAlgorithm::RsaPss(_) => "rsa_pss",
        SignatureAlgorithm::Ecdsa(_) => "ecdsa",
    }
}

fn digest_of_file(digest: DigestAlgorithm, path: &Path) -> Result<protocol_pki::digest::Digest, Failure> {
    let place = || format!("read {}", path.display());
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).or_unusable(place)?)
    };
    let mut hasher = digest.hasher();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = source.read(&mut piece).or_unusable(place)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..count).unwrap_or_default());
    }
}
