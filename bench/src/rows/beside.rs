//! Servers beside the chain, and servers beside other servers: exchanges that a CPU-second carries.

use cli::failure::Failure;
use serde_json::json;
use toml::Value;

use super::Target::{AtLeast, AtMost};
use super::{Finding, Stage, Target};
use crate::bed::Bed;
use crate::chain::{Chain, Suite};
use crate::measure::{Ask, Batches, Sample, Series, Subject};
use crate::servers::{Servers, Shape};
use crate::stats::{Spread, number};

/// Two subjects, measured in turns.
pub(super) struct Pair {
    pub(super) yardstick: Series,
    pub(super) servers: Series,
    batches: Batches,
}

impl Pair {
    /// Measures `yardstick` and `servers` once a round, each after a short warm-up.
    pub(super) fn measure(
        bed: &Bed,
        (yardstick, easy): (&impl Subject, Ask),
        (servers, ask): (&Servers, Ask),
    ) -> Result<Self, Failure> {
        let connections = bed.connections;
        easy.of(yardstick, connections, 1).run(bed)?;
        ask.of(servers, connections, 2).run(bed)?;
        let (mut theirs, mut ours) = (Series::default(), Series::default());
        let batches = Batches::during(servers, || {
            bed.each_round(|| {
                theirs.0.push(Sample::take(bed, yardstick, easy, connections)?);
                ours.0.push(Sample::take(bed, servers, ask, connections)?);
                Ok(())
            })
        })?;
        Ok(Self {
            yardstick: theirs,
            servers: ours,
            batches,
        })
    }

    /// Exchanges a CPU-second of the servers as a share of the yardstick's, of each round.
    pub(super) fn share(&self) -> Spread {
        let rounds = self.servers.0.iter().zip(&self.yardstick.0);
        Spread::of(rounds.map(|(ours, theirs)| ours.per_cpu_second() / theirs.per_cpu_second()))
    }

    fn finding(&self, bed: &Bed, what: &str, target: (&str, Target), yardstick: &str) -> Finding {
        let share = self.share();
        Finding::new(what, target, (share.to_string(), share.median))
            .with(format!("ours: {}", self.servers.words()))
            .with(format!("{yardstick}: {}", self.yardstick.words()))
            .with(self.batches.words())
            .with(format!(
                "{} connections, {} rounds of {} s, load before {}",
                bed.connections,
                bed.rounds,
                bed.seconds,
                number(self.servers.load().median)
            ))
            .from(json!({"ours": self.servers, "yardstick": self.yardstick, "batches": self.batches}))
    }
}

/// The conditions that every pair has.
fn conditions(keys: &str, suite: Suite, ask: Ask) -> String {
    format!(
        "{}, {keys} signing keys, fsync on, {}, connections kept on every hop",
        ask.words(),
        suite.name()
    )
}

const USUAL_KEYS: &str = "RSA-2048";

/// `1kb`
pub(super) fn one(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let pair = Pair::measure(
        stage.bed,
        (stage.chain()?, Ask::ONE),
        (stage.servers()?, Ask::ONE),
    )?;
    let conditions = conditions(USUAL_KEYS, Suite::Tls13, Ask::ONE);
    let cpu = pair.servers.cpu();
    let signatures = pair.batches.signatures_per_message;
    Ok(vec![
        pair.finding(
            stage.bed,
            "1 KB REST, all on: share of the chain's exchanges a CPU-second",
            ("at least 0.30, stretch 0.5", AtLeast(0.30)),
            "chain",
        )
        .with(conditions.clone()),
        Finding::new(
            "the same in CPU, both servers, µs an exchange",
            ("at most 275", AtMost(275.0)),
            (cpu.to_string(), cpu.median),
        )
        .with(conditions.clone()),
        Finding::new(
            "private-key signatures a message at saturation",
            ("under 0.05", AtMost(0.05)),
            (number(signatures), signatures),
        )
        .with(pair.batches.words())
        .with(conditions),
    ])
}

/// `post`
pub(super) fn post(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let (chain, servers) = (stage.chain()?, stage.servers()?);
    let pair = Pair::measure(stage.bed, (chain, Ask::POST), (servers, Ask::POST))?;
    let finding = pair.finding(
        stage.bed,
        "1 KB both ways: share of the chain",
        ("at least 0.30", AtLeast(0.30)),
        "chain",
    );
    Ok(vec![finding.with(conditions(
        USUAL_KEYS,
        Suite::Tls13,
        Ask::POST,
    ))])
}

/// `10kb`
pub(super) fn as_many_bytes(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let (chain, servers) = (stage.chain()?, stage.servers()?);
    let pair = Pair::measure(stage.bed, (chain, Ask::TEN), (servers, Ask::ONE))?;
    let finding = pair.finding(
        stage.bed,
        "1 KB REST: share of a chain that carries as many bytes (10 KB answers)",
        ("at least 0.5", AtLeast(0.5)),
        "chain, 10 KB",
    );
    Ok(vec![finding.with(conditions(USUAL_KEYS, Suite::Tls13, Ask::ONE))])
}

/// `100kb`
pub(super) fn hundred(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let (chain, servers) = (stage.chain()?, stage.servers()?);
    let pair = Pair::measure(stage.bed, (chain, Ask::HUNDRED), (servers, Ask::HUNDRED))?;
    let finding = pair.finding(
        stage.bed,
        "100 KB answers: share of the chain",
        ("at least 0.3", AtLeast(0.3)),
        "chain",
    );
    Ok(vec![finding.with(conditions(
        USUAL_KEYS,
        Suite::Tls13,
        Ask::HUNDRED,
    ))])
}

/// `cbc`
pub(super) fn cbc(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let chain = Chain::start(stage.bed, &stage.backend, Suite::Cbc)?;
    let servers = stage.others(&Shape {
        proxy: vec![
            ("kiirtee", "better-tls", false.into()),
            (
                "proxy",
                "xroad-tls-ciphers",
                Value::Array(vec!["TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384".into()]),
            ),
        ],
        ..Shape::default()
    })?;
    let pair = Pair::measure(stage.bed, (&chain, Ask::ONE), (&servers, Ask::ONE))?;
    let finding = pair.finding(
        stage.bed,
        "the suite of stock servers: share of a chain with the same",
        ("at least 0.35", AtLeast(0.35)),
        "chain",
    );
    Ok(vec![finding.with(conditions(USUAL_KEYS, Suite::Cbc, Ask::ONE))])
}

/// `p256`
pub(super) fn p256(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let chain = stage.chain()?;
    let servers = stage.others(&Shape {
        sandbox: vec!["--signing-keys", "p-256"],
        signer: vec![("kiirtee", "batch-signing", false.into())],
        ..Shape::default()
    })?;
    let pair = Pair::measure(stage.bed, (chain, Ask::ONE), (&servers, Ask::ONE))?;
    let finding = pair.finding(
        stage.bed,
        "P-256, every message signed alone: share of the chain",
        ("at least 0.20", AtLeast(0.20)),
        "chain",
    );
    Ok(vec![finding.with(conditions("P-256", Suite::Tls13, Ask::ONE))])
}

/// `batching`
pub(super) fn batching(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let off = stage.others(&Shape {
        proxy: vec![("kiirtee", "verification-cache", false.into())],
        signer: vec![("kiirtee", "batch-signing", false.into())],
        ..Shape::default()
    })?;
    let pair = Pair::measure(stage.bed, (&off, Ask::ONE), (stage.servers()?, Ask::ONE))?;
    let finding = pair.finding(
        stage.bed,
        "batching and verification cache on: exchanges a CPU-second, times those with both off",
        ("at least 4", AtLeast(4.0)),
        "off",
    );
    Ok(vec![finding.with(conditions(USUAL_KEYS, Suite::Tls13, Ask::ONE))])
}
