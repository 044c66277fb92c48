//! One worker and two: does a second one double the work?

use cli::failure::Failure;
use serde_json::json;

use super::Target::AtLeast;
use super::{Finding, Stage};
use crate::measure::{Ask, Sample, Series};
use crate::servers::{Servers, Shape};
use crate::stats::Spread;

/// `workers`
///
/// Generator and backend need CPU too, so exchanges a second cannot double on a machine of two cores. What can be said is
/// what a core of the servers' own carries: with one worker in each proxy, every process of both servers confined to
/// one CPU, and with two workers and two CPUs. Twice the second by the first is the growth.
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let bed = stage.bed;
    let shape = |workers: i64, cpus| Shape {
        proxy: vec![("kiirtee", "workers", workers.into())],
        cpus: Some(cpus),
        ..Shape::default()
    };
    let one = stage.others(&shape(1, "0"))?;
    let two = stage.others(&shape(2, "0,1"))?;
    for servers in [&one, &two] {
        Ask::ONE.of(servers, bed.connections, 2).run(bed)?;
    }
    let (mut with_one, mut with_two) = (Series::default(), Series::default());
    let take = |servers: &Servers| Sample::take(bed, servers, Ask::ONE, bed.connections);
    bed.each_round(|| {
        with_one.0.push(take(&one)?);
        with_two.0.push(take(&two)?);
        Ok(())
    })?;
    let rounds = with_one.0.iter().zip(&with_two.0);
    let growth = Spread::of(rounds.map(|(one, two)| 2.0 * two.per_cpu_second() / one.per_cpu_second()));
    Ok(vec![
        Finding::new(
            "1 → 2 workers: exchanges that the servers' CPU budget carries",
            ("at least 1.7 times", AtLeast(1.7)),
            (growth.to_string(), growth.median),
        )
        .with(format!("1 worker each, all on CPU 0: {}", with_one.words()))
        .with(format!("2 workers each, on CPUs 0 and 1: {}", with_two.words()))
        .with("twice the exchanges a CPU-second with two, by those with one; generator and backend run where they like")
        .from(json!({"one": with_one, "two": with_two})),
    ])
}
