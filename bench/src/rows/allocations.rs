//! Allocations an exchange in both servers together, with binaries that count them.

use cli::failure::Failure;

use super::Target::AtMost;
use super::{Finding, Stage};
use crate::measure::{Ask, Batches};
use crate::servers::Shape;
use crate::stats::number;

/// `allocations`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let Some(binaries) = stage.bed.counting_binaries.clone() else {
        let words = "not measured: no binaries that count (--counting-bin; `make bench` builds them)";
        return Ok(vec![Finding::told("allocations an exchange", "under 60", words)]);
    };
    let servers = stage.others(&Shape {
        binaries: Some(binaries),
        ..Shape::default()
    })?;
    [Ask::ONE, Ask::POST]
        .into_iter()
        .map(|ask| {
            let bed = stage.bed;
            ask.of(&servers, bed.connections, 2).run(bed)?;
            let before = servers.figures()?;
            let outcome = ask.of(&servers, bed.connections, bed.seconds).run(bed)?;
            let after = servers.figures()?;
            let each = |count: f64| count / outcome.requests.max(1.0);
            let parts = [
                (
                    "consumer's proxy",
                    after.consumer.proxy(&before.consumer, "xroad_allocations_total"),
                ),
                (
                    "consumer's signer",
                    after.consumer.signer(&before.consumer, "allocations"),
                ),
                (
                    "provider's proxy",
                    after.provider.proxy(&before.provider, "xroad_allocations_total"),
                ),
                (
                    "provider's signer",
                    after.provider.signer(&before.provider, "allocations"),
                ),
            ];
            if !after.consumer.has("xroad_allocations_total") {
                return Err(Failure::unusable(
                    "the counting binaries do not count: expected the feature count-allocations",
                ));
            }
            let all = each(parts.iter().map(|(_, count)| count).sum());
            let lines = parts.map(|(name, count)| format!("{name}: {}", number(each(count))));
            Ok(Finding::new(
                format!("allocations an exchange, both servers, {}", ask.words()),
                ("under 60", AtMost(60.0)),
                (number(all), all),
            )
            .with_all(lines)
            .with(Batches::between(&before, &after).words())
            .with("blocks obtained or resized by Rust code; RocksDB and aws-lc have their own"))
        })
        .collect()
}
