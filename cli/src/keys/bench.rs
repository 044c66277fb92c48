//! `kiirtee keys bench`: how fast a key signs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::Args;
use protocol_pki::digest::DigestAlgorithm;
use serde::Serialize;
use signer_client::{KeyInfo, KeySelector, PartDigests, Request, SignMessages, SignerError};

use super::refusal::OrRefused;
use super::sign::algorithm;
use super::{Console, find};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The key's id, or the beginning of it
    key: String,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Requests that wait at the same time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: u16,
    /// Sign messages, which share signatures when they wait together: the key needs a certificate that may be used
    #[arg(long)]
    messages: bool,
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
struct Measured<'a> {
    key: &'a str,
    messages: bool,
    in_flight: u16,
    seconds: f64,
    signed: u64,
    per_second: f64,
    mean_batch: f64,
    p50_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
}

pub(super) fn bench(console: &Console, wanted: &Bench) -> Result<(), Failure> {
    let status = console.status()?;
    let key = find::key(&status, &wanted.key)?;
    let request = if wanted.messages {
        message(key)?
    } else {
        digest(key)?
    };
    let mut times = console
        .working("signing", || measure(console, wanted, &request))
        .or_refused(|| format!("sign with key {}", key.id))?;
    times.all.sort_unstable();
    let signed = times.all.len();
    // Far below 2^52, where f64 is exact.
    let (count, seconds) = (signed as f64, times.took.as_secs_f64());
    let batches = batches(console, &key.id)?.saturating_sub(batches_of(&status, &key.id));
    let measured = Measured {
        key: &key.id,
        messages: wanted.messages,
        in_flight: wanted.in_flight,
        seconds,
        signed: u64::try_from(signed).unwrap_or(u64::MAX),
        per_second: count / seconds,
        mean_batch: if batches == 0 { 1.0 } else { count / batches as f64 },
        p50_ms: times.at(50),
        p99_ms: times.at(99),
        longest_ms: times.at(100),
    };
    console.tell(&measured, || {
        let what = if wanted.messages { "messages" } else { "digests" };
        format!(
            "{signed} {what} in {seconds:.1} s: {:.0} a second, {:.1} a signature; p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
            measured.per_second, measured.mean_batch, measured.p50_ms, measured.p99_ms, measured.longest_ms
        )
    })
}

fn batches(console: &Console, key: &str) -> Result<u64, Failure> {
    Ok(batches_of(&console.status()?, key))
}

fn batches_of(status: &signer_client::Status, key: &str) -> u64 {
    let figures = status.figures.iter().find(|figures| figures.key == key);
    figures.map_or(0, |figures| figures.batches)
}

fn digest(key: &KeyInfo) -> Result<Request, Failure> {
    let digest = DigestAlgorithm::Sha512;
    Ok(Request::SignDigest {
        key: KeySelector::Key(key.id.clone()),
        algorithm: algorithm(key.algorithm, digest, false)?,
        digest: digest.digest(b"kiirtee keys bench").as_bytes().into(),
    })
}

fn message(key: &KeyInfo) -> Result<Request, Failure> {
    let usable = key
        .certificates
        .iter()
        .find(|certificate| certificate.is_usable());
    let certificate = usable.ok_or_else(|| {
        Failure::unusable(format!(
            "key {} has no certificate that may be used; expected one that is registered and active",
            key.id
        ))
    })?;
    let digest = DigestAlgorithm::Sha512.digest(b"kiirtee keys bench");
    Ok(Request::SignMessages(SignMessages {
        certificate: certificate.sha256,
        intermediates: Vec::new(),
        ocsp_responses: Vec::new(),
        messages: vec![PartDigests::new([digest.as_bytes()])],
    }))
}

/// How long each signature took, and all of them together.
struct Times {
    all: Vec<Duration>,
    took: Duration,
}

impl Times {
    /// The time within which this share of the sorted signatures was made, in milliseconds.
    fn at(&self, percent: usize) -> f64 {
        let last = self.all.len().saturating_sub(1);
        let time = self.all.get(last * percent / 100);
        time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }
}

fn measure(console: &Console, wanted: &Bench, request: &Request) -> Result<Times, SignerError> {
    let start = Instant::now();
    let end = start + Duration::from_secs(wanted.seconds);
    let mut waiting = VecDeque::new();
    let mut all = Vec::new();
    loop {
        let now = Instant::now();
        if now < end && waiting.len() < usize::from(wanted.in_flight) {
            waiting.push_back((now, console.signer.submit(request.clone())));
            continue;
        }
        let Some((since, answer)) = waiting.pop_front() else {
            break;
        };
        answer
            .recv_timeout(signer_client::DEFAULT_TIMEOUT)
            .unwrap_or(Err(SignerError::TimedOut))?;
        all.push(since.elapsed());
    }
    let took = start.elapsed();
    Ok(Times { all, took })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let times = Times {
            all: (1..=200).map(Duration::from_millis).collect(),
            took: Duration::from_secs(1),
        };
        assert_eq!([times.at(0), times.at(50), times.at(100)], [1.0, 100.0, 200.0]);
    }
}
