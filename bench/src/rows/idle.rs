//! One exchange on an idle machine, beside what it consists of: two passages of the chain, two signatures, four commits.

use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA512;
use bytes::Bytes;
use cli::failure::{Failure, OrUnusable};
use serde_json::json;
use storage::message_log::{Direction, MessageKind, MessageLog, Record, Settings};
use time::OffsetDateTime;

use super::Target::AtMost;
use super::{Finding, Stage};
use crate::bed::Bed;
use crate::measure::{Ask, Sample, Series};
use crate::stats::{Spread, number};

/// What the servers may take beyond their parts, in milliseconds.
const ALLOWANCE: f64 = 0.5;
/// How often each part is measured alone.
const REPETITIONS: usize = 200;

/// `idle`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let (bed, chain, servers) = (stage.bed, stage.chain()?, stage.servers()?);
    for load in [Ask::ONE.of(chain, 1, 1), Ask::ONE.of(servers, 1, 1)] {
        load.run(bed)?;
    }
    let (mut theirs, mut ours) = (Series::default(), Series::default());
    let (mut signatures, mut commits) = (Vec::new(), Vec::new());
    bed.each_round(|| {
        theirs.0.push(Sample::take(bed, chain, Ask::ONE, 1)?);
        ours.0.push(Sample::take(bed, servers, Ask::ONE, 1)?);
        signatures.push(signature()?);
        commits.push(commit(bed)?);
        Ok(())
    })?;
    let median = |series: &Series| series.spread(|sample| sample.outcome.p50_ms);
    let (chain_p50, our_p50) = (median(&theirs), median(&ours));
    let (signature, commit) = (Spread::of(signatures), Spread::of(commits));
    let bound = 2.0f64.mul_add(chain_p50.median, 2.0 * signature.median);
    let bound = 4.0f64.mul_add(commit.median, bound) + ALLOWANCE;
    let words = format!(
        "at most {}: 2 × {} (chain) + 2 × {} (signature) + 4 × {} (commit) + {ALLOWANCE}",
        number(bound),
        number(chain_p50.median),
        number(signature.median),
        number(commit.median)
    );
    Ok(vec![
        Finding::new(
            "one exchange on an idle machine, p50 in ms",
            (&words, AtMost(bound)),
            (our_p50.to_string(), our_p50.median),
        )
        .with(format!("ours: {}", ours.words()))
        .with(format!("chain: {}", theirs.words()))
        .with(format!(
            "alone: RSA-2048 signature {signature} ms, commit of a record {commit} ms"
        ))
        .with(format!(
            "1 connection, {}, RSA-2048 signing keys, fsync on, load before {}",
            Ask::ONE.words(),
            ours.load()
        ))
        .from(json!({"ours": ours, "chain": theirs, "signature_ms": signature, "commit_ms": commit})),
    ])
}

/// The median time of a private-key operation, in milliseconds.
fn signature() -> Result<f64, Failure> {
    let doing = || "sign with a new RSA key".to_owned();
    let key = KeyPair::generate(KeySize::Rsa2048).or_unusable(doing)?;
    let mut value = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    timed(|| {
        key.sign(&RSA_PKCS1_SHA512, &random, &[7; 64], &mut value)
            .or_unusable(doing)
    })
}

/// The median time from handing a record of the usual size to an idle message log until its receipt, in milliseconds. On
/// the disk that the servers use.
fn commit(bed: &Bed) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(bed.path(".")).or_unusable(|| "make a folder".into())?;
    let log =
        MessageLog::open(folder.path(), Settings::default()).or_unusable(|| "open a message log".into())?;
    log.set_time_stamping_provider_configured(true);
    timed(|| {
        let doing = || "append to a message log".to_owned();
        let receipt = log.append(record()?).recv().or_unusable(doing)?;
        receipt.or_unusable(doing).map(drop)
    })
}

fn record() -> Result<Record, Failure> {
    let client = "SANDBOX/ORG/1001/client".parse();
    Ok(Record {
        time: OffsetDateTime::now_utc(),
        query_id: "bench".into(),
        request_id: None,
        direction: Direction::Request,
        client_side: true,
        client: client.or_unusable(|| "read an identifier".into())?,
        service: None,
        kind: MessageKind::Rest,
        message: Bytes::from(vec![b'm'; 400]),
        signature: Bytes::from(vec![b's'; 7000]),
        hash_chain_result: None,
        hash_chain: None,
        body: None,
        truncated: false,
    })
}

fn timed(mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut times = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Spread::of(times).median)
}
