//! A hardware token that takes its time: batches grow with it.

use std::thread;
use std::time::Duration;

use cli::failure::Failure;
use serde_json::json;

use super::Target::{AtLeast, AtMost};
use super::{Finding, Stage};
use crate::measure::{Ask, Batches, Sample, Series};
use crate::servers::Shape;
use crate::stats::number;

/// How long a signature takes, in milliseconds: 20 a second, over one session.
const DELAY: &str = "50";
/// Enough for the rate asked for, and few enough for its latency: an exchange waits for two signatures, and for half of the
/// one under way before each, so 150 ms besides its work.
const CONNECTIONS: u16 = 560;

/// Between two rounds: exchanges whose client went at the end of a round hold their places (`max-exchanges`) until they are signed.
const SETTLE: Duration = Duration::from_secs(2);

/// `token`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let bed = stage.bed;
    let servers = stage.others(&Shape {
        sandbox: vec!["--token", "softhsm", "--token-delay", DELAY],
        ..Shape::default()
    })?;
    Ask::ONE.of(&servers, CONNECTIONS, 3).run(bed)?;
    let mut series = Series::default();
    let batches = Batches::during(&servers, || {
        bed.each_round(|| {
            thread::sleep(SETTLE);
            series.0.push(Sample::take(bed, &servers, Ask::ONE, CONNECTIONS)?);
            Ok(())
        })
    })?;
    let (rate, p99) = (
        series.spread(Sample::per_second),
        series.spread(|sample| sample.outcome.p99_ms),
    );
    let conditions = format!(
        "SoftHSM 2 that takes {DELAY} ms longer, one session, RSA-2048, {CONNECTIONS} connections, {}, load before {}",
        Ask::ONE.words(),
        number(series.load().median)
    );
    Ok(vec![
        Finding::new(
            "a token of 50 ms a signature: exchanges a second",
            ("at least 2,000", AtLeast(2000.0)),
            (rate.to_string(), rate.median),
        )
        .with(series.words())
        .with(batches.words())
        .with(conditions.clone())
        .from(json!({"ours": series, "batches": batches})),
        Finding::new(
            "the same: p99 in ms",
            ("under 500", AtMost(500.0)),
            (p99.to_string(), p99.median),
        )
        .with(conditions),
    ])
}
