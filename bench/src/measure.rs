//! One measurement of the chain or of the servers, and several in turns.

use std::time::Duration;

use cli::failure::Failure;
use serde::Serialize;

use crate::bed::Bed;
use crate::cpu;
use crate::figures::Figures;
use crate::load::{Load, Outcome};
use crate::servers::Servers;
use crate::stats::{Spread, number};

/// What can be put under load, and whose CPU time is counted.
pub(crate) trait Subject {
    /// The URL of `path` at the backend, through the subject.
    fn url(&self, path: &str) -> String;
    /// Its processes.
    fn processes(&self) -> Vec<u32>;
}

/// A request, without the way by which it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// Path at the backend, below `/rest/`.
    pub(crate) path: &'static str,
    /// Bytes of the request's body; 0 = GET.
    pub(crate) body: usize,
}

impl Ask {
    /// GET, 1 KB answer.
    pub(crate) const ONE: Self = Self {
        path: "bytes/1024",
        body: 0,
    };
    /// GET, 10 KB answer.
    pub(crate) const TEN: Self = Self {
        path: "bytes/10240",
        body: 0,
    };
    /// GET, 100 KB answer.
    pub(crate) const HUNDRED: Self = Self {
        path: "bytes/102400",
        body: 0,
    };
    /// POST of 1 KB, 1 KB answer.
    pub(crate) const POST: Self = Self {
        path: "take",
        body: 1024,
    };

    /// What it is, for people.
    pub(crate) fn words(self) -> String {
        match self.body {
            0 => format!("GET {} B", self.path.rsplit('/').next().unwrap_or_default()),
            body => format!("POST {body} B, answer 1024 B"),
        }
    }

    /// The load that asks it of a subject.
    pub(crate) fn of(self, subject: &impl Subject, connections: u16, seconds: u64) -> Load {
        Load {
            url: subject.url(self.path),
            body: self.body,
            connections,
            seconds,
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    /// What the generator saw.
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// CPU time of the subject's processes, an exchange, in microseconds.
    pub(crate) cpu_us: f64,
    /// Load average before.
    pub(crate) load_before: f64,
}

impl Sample {
    /// Puts a subject under load and counts what it costs.
    pub(crate) fn take(
        bed: &Bed,
        subject: &impl Subject,
        ask: Ask,
        connections: u16,
    ) -> Result<Self, Failure> {
        let load_before = cpu::load_average();
        let processes = subject.processes();
        let before = cpu::used(&processes)?;
        let outcome = ask.of(subject, connections, bed.seconds).run(bed)?;
        let used = cpu::used(&processes)?.saturating_sub(before);
        outcome.require_answers()?;
        Ok(Self {
            outcome,
            cpu_us: micros(used) / outcome.requests.max(1.0),
            load_before,
        })
    }

    /// Exchanges that one second of CPU time carries.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        1e6 / self.cpu_us
    }

    /// Exchanges a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.outcome.requests / self.outcome.seconds
    }
}

/// Microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The measurements of one subject.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Series(pub(crate) Vec<Sample>);

impl Series {
    /// The spread of something.
    pub(crate) fn spread(&self, what: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.0.iter().map(what))
    }

    /// CPU microseconds an exchange.
    pub(crate) fn cpu(&self) -> Spread {
        self.spread(|sample| sample.cpu_us)
    }

    /// Requests that failed, all together.
    pub(crate) fn errors(&self) -> f64 {
        self.0.iter().map(|sample| sample.outcome.errors).sum()
    }

    /// The figures of the series in a few words.
    pub(crate) fn words(&self) -> String {
        let mut words = format!(
            "{} µs CPU, {}/s, p50 {} ms, p99 {} ms",
            self.cpu(),
            number(self.spread(Sample::per_second).median),
            number(self.spread(|sample| sample.outcome.p50_ms).median),
            number(self.spread(|sample| sample.outcome.p99_ms).median),
        );
        if self.errors() > 0.0 {
            words.push_str(&format!(", {} FAILED", self.errors()));
        }
        words
    }

    /// The load average before, as a spread.
    pub(crate) fn load(&self) -> Spread {
        self.spread(|sample| sample.load_before)
    }
}

/// How batches went while something was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Batches {
    /// Messages a signature, mean of both signers.
    pub(crate) messages_per_signature: f64,
    /// Private-key operations a signed message.
    pub(crate) signatures_per_message: f64,
    /// Records a synced write, mean of both message logs.
    pub(crate) records_per_sync: f64,
    /// Share of received messages whose signature document was verified already, or was being verified, by whichever worker.
    pub(crate) remembered: f64,
}

impl Batches {
    /// What happened between two readings.
    pub(crate) fn between(before: &Figures, after: &Figures) -> Self {
        let signers = |counter| after.signers(before, counter);
        let proxies = |series: &str| after.proxies(before, series);
        let verdicts = |outcome: &str| -> f64 {
            let series = |side| {
                format!("xroad_signature_verifications_total{{side=\"{side}\",outcome=\"{outcome}\"}}")
            };
            ["client_proxy", "server_proxy"]
                .map(|side| proxies(&series(side)))
                .iter()
                .sum()
        };
        let remembered: f64 = ["cached", "shared", "awaited"].map(verdicts).iter().sum();
        Self {
            messages_per_signature: signers("messages") / signers("batches").max(1.0),
            signatures_per_message: signers("batches") / signers("messages").max(1.0),
            records_per_sync: proxies("xroad_records_logged_total")
                / proxies("xroad_log_syncs_total").max(1.0),
            remembered: remembered / (remembered + verdicts("verified")).max(1.0),
        }
    }

    /// What happens to the servers while `work` is done.
    pub(crate) fn during(
        servers: &Servers,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let before = servers.figures()?;
        work()?;
        Ok(Self::between(&before, &servers.figures()?))
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        format!(
            "mean batch {}, {} records a sync, {} % of verdicts remembered",
            number(self.messages_per_signature),
            number(self.records_per_sync),
            number(self.remembered * 100.0)
        )
    }
}
