//! Keys: made, named, destroyed.

use clap::{Args, ValueEnum};
use serde::Serialize;
use signer_client::{KeyAlgorithm, KeyChoice, KeyInfo, KeyUsage};

use super::refusal::OrRefused;
use super::{Console, find};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The key's id, or the beginning of it
    key: String,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The key's id, or the beginning of it
    key: String,
    /// The name
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// What the key is for
    usage: Usage,
    /// A name for people
    #[arg(long)]
    label: String,
    /// What to make; rsa and ec: as long, or on the curve, that the signer's settings say
    #[arg(long, default_value = "rsa")]
    algorithm: Algorithm,
    /// The token's id
    #[arg(long, default_value = "0")]
    token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Usage {
    Signing,
    Authentication,
}

impl From<Usage> for KeyUsage {
    fn from(usage: Usage) -> Self {
        match usage {
            Usage::Signing => Self::Signing,
            Usage::Authentication => Self::Authentication,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Algorithm {
    Rsa,
    Ec,
    #[value(name = "rsa-2048")]
    Rsa2048,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
    #[value(name = "p-256")]
    P256,
    #[value(name = "p-384")]
    P384,
    #[value(name = "p-521")]
    P521,
}

impl From<Algorithm> for KeyChoice {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rsa => Self::Rsa,
            Algorithm::Ec => Self::Ec,
            Algorithm::Rsa2048 => KeyAlgorithm::Rsa2048.into(),
            Algorithm::Rsa3072 => KeyAlgorithm::Rsa3072.into(),
            Algorithm::Rsa4096 => KeyAlgorithm::Rsa4096.into(),
            Algorithm::P256 => KeyAlgorithm::EcP256.into(),
            Algorithm::P384 => KeyAlgorithm::EcP384.into(),
            Algorithm::P521 => KeyAlgorithm::EcP521.into(),
        }
    }
}

/// A key without what belongs to it.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    label: &'a str,
    token: &'a str,
    algorithm: KeyAlgorithm,
    usage: KeyUsage,
    available: bool,
}

impl<'a> From<&'a KeyInfo> for Shown<'a> {
    fn from(key: &'a KeyInfo) -> Self {
        Self {
            id: &key.id,
            label: &key.label,
            token: &key.token,
            algorithm: key.algorithm,
            usage: key.usage,
            available: key.available,
        }
    }
}

pub(super) fn generate(console: &Console, wanted: &Generate) -> Result<(), Failure> {
    let made = console.working("making a key", || {
        let (usage, algorithm): (KeyUsage, KeyChoice) = (wanted.usage.into(), wanted.algorithm.into());
        console
            .signer
            .generate_key(&wanted.token, &wanted.label, algorithm, usage)
    });
    let key = made.or_refused(|| format!("make a key in token {}", wanted.token))?;
    console.tell(&Shown::from(&key), || key.id.clone())
}

pub(super) fn name(console: &Console, wanted: &Name) -> Result<(), Failure> {
    let status = console.status()?;
    let key = find::key(&status, &wanted.key)?;
    let named = console.signer.name_key(&key.id, &wanted.name);
    named.or_refused(|| format!("name key {}", key.id))?;
    let shown = Shown {
        label: &wanted.name,
        ..Shown::from(key)
    };
    console.tell(&shown, || format!("{}: {}", key.id, wanted.name))
}

/// What was destroyed or forgotten.
#[derive(Debug, Serialize)]
pub(super) struct Gone<'a> {
    /// What it was.
    pub(super) deleted: &'static str,
    /// Its id.
    pub(super) id: &'a str,
}

pub(super) fn delete(console: &Console, which: &Which) -> Result<(), Failure> {
    let status = console.status()?;
    let id = find::key(&status, &which.key)?.id.as_str();
    let deleted = console.working("destroying the key", || console.signer.delete_key(id));
    deleted.or_refused(|| format!("destroy key {id}"))?;
    let gone = Gone { deleted: "key", id };
    console.tell(&gone, || format!("key {id} is destroyed"))
}
