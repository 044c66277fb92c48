//! The figures of a run, as they are saved with `--json`. Times are in microseconds unless their name says otherwise.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::engine::Tally;

/// The version of the saved form: raised when the meaning of a field changes.
pub(crate) const FORMAT: u32 = 1;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunFigures {
    /// [`FORMAT`] of the program that saved it.
    pub(crate) format: u32,
    /// The program and its version.
    pub(crate) tool: String,
    /// What was asked for.
    pub(crate) load: LoadFigures,
    /// How long was counted, in seconds.
    pub(crate) seconds: f64,
    /// Whether the run was ended before its time.
    pub(crate) interrupted: bool,
    /// All scenarios together.
    pub(crate) total: Figures,
    /// Each scenario.
    pub(crate) scenarios: Vec<ScenarioFigures>,
    /// The course over time.
    pub(crate) intervals: Vec<IntervalFigures>,
    /// Processor time of the load generator itself.
    pub(crate) own_cpu: CpuFigures,
    /// The processes under test.
    #[serde(default)]
    pub(crate) watched: WatchedFigures,
    /// What the servers under test have counted.
    #[serde(default)]
    pub(crate) servers: Vec<ServerFigures>,
    /// The course of the latency: quantiles and their times in microseconds.
    #[serde(default)]
    pub(crate) latency_course: Vec<(f64, f64)>,
    /// The same of the service time.
    #[serde(default)]
    pub(crate) service_time_course: Vec<(f64, f64)>,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadFigures {
    /// `open` or `closed`.
    pub(crate) loop_kind: String,
    /// Requests a second of an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<String>,
    /// Connections.
    pub(crate) connections: String,
    /// Threads of the load generator.
    pub(crate) threads: u32,
    /// Seconds of load before anything was counted.
    pub(crate) warm_up_s: f64,
    /// Whether connections were used again.
    pub(crate) reuse: bool,
    /// Length of an interval in seconds.
    pub(crate) interval_s: f64,
    /// The servers, host and port.
    pub(crate) targets: Vec<String>,
    /// Expected interval of a closed loop in microseconds, if it was corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected_interval: Option<f64>,
}

/// What is told of all exchanges, or of a scenario's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Exchanges answered as expected.
    pub(crate) answered: u64,
    /// Those of them that were answered before the end.
    pub(crate) answered_in_time: u64,
    /// Exchanges that were not answered as expected.
    pub(crate) failed: u64,
    /// These by kind.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Exchanges a second, answered as expected and in time.
    pub(crate) throughput: f64,
    /// Bytes sent, heads included, TLS not.
    pub(crate) bytes_sent: u64,
    /// Bytes received, likewise.
    pub(crate) bytes_received: u64,
    /// Connections made.
    pub(crate) connects: u64,
    /// From when a request was due to the end of its answer.
    pub(crate) latency: LatencyFigures,
    /// From when a request was sent to the end of its answer.
    pub(crate) service_time: LatencyFigures,
}

/// A distribution of times, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LatencyFigures {
    /// How many.
    pub(crate) count: u64,
    /// The mean.
    pub(crate) mean: f64,
    /// The standard deviation.
    pub(crate) deviation: f64,
    /// The shortest.
    pub(crate) min: f64,
    /// Half are shorter.
    pub(crate) p50: f64,
    /// 75 % are shorter.
    pub(crate) p75: f64,
    /// 90 % are shorter.
    pub(crate) p90: f64,
    /// 99 % are shorter.
    pub(crate) p99: f64,
    /// 99.9 % are shorter.
    pub(crate) p99_9: f64,
    /// 99.99 % are shorter.
    pub(crate) p99_99: f64,
    /// The longest.
    pub(crate) max: f64,
}

/// A scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScenarioFigures {
    /// Its name.
    pub(crate) name: String,
    /// Its share in the mix.
    pub(crate) weight: u32,
    /// Bytes of its request, head included.
    pub(crate) request_bytes: u64,
    /// Its figures.
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// An interval.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IntervalFigures {
    /// When it began, in seconds from when the counting began.
    pub(crate) begins_s: f64,
    /// How long it was, in seconds; the last may be shorter.
    pub(crate) seconds: f64,
    /// Exchanges answered as expected.
    pub(crate) answered: u64,
    /// Exchanges that were not.
    pub(crate) failed: u64,
    /// Exchanges a second, answered as expected.
    pub(crate) throughput: f64,
    /// Latency of what ended in it.
    pub(crate) latency: LatencyFigures,
}

/// Processor time, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct CpuFigures {
    /// In user mode and in the kernel together.
    pub(crate) total: f64,
    /// In user mode.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
    /// The total for each exchange, the failed ones included.
    pub(crate) per_exchange: f64,
}

/// The processes under test.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct WatchedFigures {
    /// Their processor time together.
    pub(crate) cpu: CpuFigures,
    /// That of the security servers' own processes (`--watch-sandbox`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) servers_cpu: Option<CpuFigures>,
    /// Each.
    pub(crate) processes: Vec<ProcessFigures>,
}

/// A process under test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProcessFigures {
    /// Its name.
    pub(crate) name: String,
    /// Its id.
    pub(crate) pid: u32,
    /// Its processor time.
    pub(crate) cpu: CpuFigures,
    /// Switches of its threads for each exchange, of their own will and not.
    pub(crate) switches_per_exchange: f64,
    /// Resident memory at the end, in bytes.
    pub(crate) resident: u64,
    /// Whether it ended meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ended: bool,
}

/// What a server of ours has counted meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerFigures {
    /// Its name, or the URL of its metrics.
    pub(crate) name: String,
    /// Messages of this server that got a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messages_signed: Option<f64>,
    /// Signatures made with private keys, for each message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signatures_per_message: Option<f64>,
    /// Records of the message log.
    pub(crate) records_logged: f64,
    /// Records for each synced write.
    pub(crate) records_per_sync: f64,
    /// Messages whose signature document was verified already, or was being verified, by whichever worker.
    #[serde(default)]
    pub(crate) verifications_remembered: f64,
    /// Messages whose signature document was verified for them.
    pub(crate) verifications_full: f64,
    /// Every counter that moved, by how much.
    pub(crate) counters: BTreeMap<String, f64>,
}

/// Microseconds of nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds of at most an hour fit")]
pub(crate) fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// A quotient; 0 of nothing.
pub(crate) fn per(amount: f64, count: f64) -> f64 {
    if count > 0.0 { amount / count } else { 0.0 }
}

impl LatencyFigures {
    /// Those of a histogram of nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            mean: histogram.mean() / 1000.0,
            deviation: histogram.stdev() / 1000.0,
            min: micros(histogram.min()),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: micros(histogram.max()),
        }
    }
}

impl Figures {
    /// Those of a tally, of which so many seconds were counted.
    pub(crate) fn of(tally: &Tally, seconds: f64) -> Self {
        let counts = &tally.counts;
        Self {
            answered: counts.answered,
            answered_in_time: counts.in_time,
            failed: counts.failed(),
            errors: counts.errors.clone(),
            throughput: per(number(counts.in_time), seconds),
            bytes_sent: counts.bytes_sent,
            bytes_received: counts.bytes_received,
            connects: counts.connects,
            latency: LatencyFigures::of(&tally.latency),
            service_time: LatencyFigures::of(&tally.service),
        }
    }

    /// All exchanges, whatever became of them.
    pub(crate) fn exchanges(&self) -> u64 {
        self.answered + self.failed
    }
}

impl CpuFigures {
    /// Of microseconds in user mode and in the kernel.
    pub(crate) fn of(user: f64, system: f64, exchanges: f64) -> Self {
        let total = user + system;
        Self {
            total,
            user,
            system,
            per_exchange: per(total, exchanges),
        }
    }
}

/// The course of a distribution: for each line of the percentile format, the quantile and its time in microseconds.
pub(crate) fn course(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = histogram.iter_quantiles(COURSE_TICKS);
    steps
        .map(|step| (step.quantile_iterated_to(), micros(step.value_iterated_to())))
        .collect()
}

/// Points for each halving of the distance to 100 %.
const COURSE_TICKS: u32 = 4;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::engine::new_histogram;

    /// A run with intervals of such throughputs, and latencies that go with them.
    pub(crate) fn run(throughputs: &[f64]) -> RunFigures {
        let mean = throughputs.iter().sum::<f64>() / throughputs.len() as f64;
        let latency = |throughput: f64| {
            let micros = per(64e6, throughput);
            LatencyFigures {
                count: 1000,
                mean: micros,
                p50: micros,
                p99: micros,
                max: micros,
                ..Default::default()
            }
        };
        let mut total = Figures::of(&Tally::new(), 1.0);
        (total.throughput, total.latency) = (mean, latency(mean));
        let intervals = throughputs
            .iter()
            .zip(0_u32..)
            .map(|(throughput, number)| IntervalFigures {
                begins_s: f64::from(number),
                seconds: 1.0,
                answered: 1000,
                failed: 0,
                throughput: *throughput,
                latency: latency(*throughput),
            });
        RunFigures {
            format: FORMAT,
            tool: "test".into(),
            load: LoadFigures {
                loop_kind: "closed".into(),
                rate: None,
                connections: "64".into(),
                threads: 1,
                warm_up_s: 0.0,
                reuse: true,
                interval_s: 1.0,
                targets: vec!["a:80".into()],
                expected_interval: None,
            },
            seconds: throughputs.len() as f64,
            interrupted: false,
            total,
            scenarios: Vec::new(),
            intervals: intervals.collect(),
            own_cpu: CpuFigures::default(),
            watched: WatchedFigures::default(),
            servers: Vec::new(),
            latency_course: vec![(0.0, 1.0), (0.5, 2.0), (0.99, 8.0), (1.0, 9.0)],
            service_time_course: Vec::new(),
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = new_histogram();
        for micros in 1..=100_u64 {
            histogram.record(micros * 1000).unwrap();
        }
        let figures = LatencyFigures::of(&histogram);
        assert!(
            (figures.p50 - 50.0).abs() < 0.1 && (figures.p99 - 99.0).abs() < 0.1,
            "{figures:?}"
        );
        assert!((figures.max - 100.0).abs() < 0.1, "{figures:?}");
        assert_eq!(LatencyFigures::of(&new_histogram()), LatencyFigures::default());
    }
}
