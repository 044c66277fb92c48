//! What the message log counts, shown. It counts by itself, since it knows nothing of metrics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage::message_log::{Figures, GROUP_BOUNDS, Histogram, Memory, SYNC_BOUNDS};

use super::{counter, gauge};

/// The series of the message log.
#[derive(Debug)]
pub struct LogMetrics {
    /// Records appended to the message log.
    records: Counter,
    /// Synced writes of the message log: `records` by this is the mean group.
    syncs: Counter,
    bytes: Counter,
    waiting: Gauge,
    refused: Counter,
    groups: Reported,
    sync_time: Reported,
    memtables: Gauge,
    blocks: Gauge,
    tables: Gauge,
}

impl LogMetrics {
    /// Registers every series.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let groups = Reported::new(GROUP_BOUNDS, 1.0);
        registry.register(
            "log_group_records",
            "Records of the message log that shared a synced write",
            groups.clone(),
        );
        let sync_time = Reported::new(SYNC_BOUNDS, 1e6);
        registry.register_with_unit(
            "log_sync",
            "Time of a synced write of the message log",
            Unit::Seconds,
            sync_time.clone(),
        );
        Self {
            records: counter(registry, "records_logged", "Records appended to the message log"),
            syncs: counter(registry, "log_syncs", "Synced writes of the message log"),
            bytes: counter(
                registry,
                "log_bytes",
                "Bytes written to the message log before its records were acknowledged",
            ),
            waiting: gauge(
                registry,
                "log_waiting_records",
                "Records that wait to be written to the message log",
            ),
            refused: counter(
                registry,
                "log_refused_records",
                "Records refused because too many waited",
            ),
            groups,
            sync_time,
            memtables: gauge(
                registry,
                "log_memtable_bytes",
                "Memory of what was logged and is in no table file yet",
            ),
            blocks: gauge(
                registry,
                "log_block_cache_bytes",
                "Memory of the message log in all, but for what is kept of open files",
            ),
            tables: gauge(
                registry,
                "log_open_table_bytes",
                "Memory of what is kept of the open files of the message log",
            ),
        }
    }

    /// Shows these figures from now on.
    pub fn show(&self, figures: &Figures, memory: Memory) {
        use std::sync::atomic::Ordering::Relaxed;
        self.records.inner().store(figures.records, Relaxed);
        self.syncs.inner().store(figures.syncs, Relaxed);
        self.bytes.inner().store(figures.bytes, Relaxed);
        self.refused.inner().store(figures.refused, Relaxed);
        self.waiting
            .set(i64::try_from(figures.waiting).unwrap_or(i64::MAX));
        self.groups.show(figures.group_sizes);
        self.sync_time.show(figures.sync_micros);
        for (gauge, bytes) in [
            (&self.memtables, memory.memtables),
            (&self.blocks, memory.blocks),
            (&self.tables, memory.tables),
        ] {
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

/// A histogram that somebody else counts. The lock is taken when metrics are asked for and at no other time.
#[derive(Clone)]
struct Reported {
    bounds: [u64; 9],
    /// How many of the unit of the bounds are one of the series.
    scale: f64,
    value: Arc<Mutex<Histogram>>,
}

impl Reported {
    fn new(bounds: [u64; 9], scale: f64) -> Self {
        Self {
            bounds,
            scale,
            value: Arc::default(),
        }
    }

    fn show(&self, value: Histogram) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn read(&self) -> Histogram {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl EncodeMetric for Reported {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let Histogram { counts, sum } = self.read();
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.scale);
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        encoder.encode_histogram::<NoLabelSet>(sum as f64 / self.scale, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn group_sizes_and_times_of_syncs_are_shown_as_histograms() {
        let metrics = Metrics::new();
        let figures = Figures {
            records: 9,
            syncs: 2,
            waiting: 5,
            group_sizes: Histogram {
                counts: [1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                sum: 9,
            },
            sync_micros: Histogram {
                counts: [0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
                sum: 1_000_150,
            },
            ..Figures::default()
        };
        metrics.log.show(&figures, Memory::default());
        let text = metrics.render();
        for line in [
            "xroad_records_logged_total 9",
            "xroad_log_waiting_records 5",
            r#"xroad_log_group_records_bucket{le="4.0"} 1"#,
            r#"xroad_log_group_records_bucket{le="8.0"} 2"#,
            "xroad_log_group_records_sum 9.0",
            r#"xroad_log_sync_seconds_bucket{le="0.0002"} 1"#,
            r#"xroad_log_sync_seconds_bucket{le="+Inf"} 2"#,
            "xroad_log_sync_seconds_count 2",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
