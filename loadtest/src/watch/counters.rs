//! What security servers of ours count themselves: `/metrics` of the proxy, `kiirtee keys figures` of the signer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::results::figures::{ServerFigures, per};

/// How long the metrics are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the names of the signer's counters begin with here.
const SIGNER: &str = "signer ";

/// Where verdicts on signature documents come from, as the server counts it, but for those made anew: the worker's own memory, that
/// of all workers, another worker that was at it.
const REMEMBERED: [&str; 3] = ["\"cached\"", "\"shared\"", "\"awaited\""];

/// Counters by name, labels included.
pub(crate) type Counters = BTreeMap<String, f64>;

/// A server that counts.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its name in the results.
    pub(crate) name: String,
    /// URL of its metrics.
    pub(crate) metrics: String,
    /// Its signer, where it is known.
    pub(crate) signer: Option<Signer>,
}

/// A signer on this machine.
#[derive(Debug)]
pub(crate) struct Signer {
    /// The operator's command.
    pub(crate) command: PathBuf,
    /// The signer's socket.
    pub(crate) socket: PathBuf,
}

impl Server {
    /// A server of which only the metrics are known.
    pub(crate) fn by_url(url: &str) -> Self {
        Self {
            name: url.to_owned(),
            metrics: url.to_owned(),
            signer: None,
        }
    }

    /// Reads all counters.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn read(&self) -> Result<Counters, String> {
        let unusable = |error: ureq::Error| {
            let url = &self.metrics;
            format!(
                "metrics {url}: {error}; expected the URL of a proxy's metrics, such as http://127.0.1.10:5566/metrics"
            )
        };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut answer = agent.get(&self.metrics).call().map_err(unusable)?;
        let text = answer.body_mut().read_to_string().map_err(unusable)?;
        let mut counters = parse(&text);
        if let Some(signer) = &self.signer {
            counters.extend(signer.read()?);
        }
        Ok(counters)
    }
}

impl Signer {
    fn read(&self) -> Result<Counters, String> {
        let command = self.command.display();
        let asked = Command::new(&self.command)
            .args(["keys", "figures", "--json", "--socket"])
            .arg(&self.socket)
            .output();
        let asked =
            asked.map_err(|error| format!("{command}: {error}; expected `kiirtee`, see --kiirtee"))?;
        if !asked.status.success() {
            return Err(format!(
                "{command} keys figures: {}",
                String::from_utf8_lossy(&asked.stderr).trim()
            ));
        }
        let figures: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&asked.stdout)
            .map_err(|error| format!("{command} keys figures: {error}"))?;
        let numbers = figures
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_f64()?)));
        Ok(numbers
            .map(|(name, value)| (format!("{SIGNER}{name}"), value))
            .collect())
    }
}

/// The series of the Prometheus text format, but for the buckets of histograms.
fn parse(text: &str) -> Counters {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.filter_map(|line| line.rsplit_once(' '));
    series
        .filter(|(name, _)| !name.contains("_bucket{"))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// What a server counted between two readings.
pub(crate) fn figures(name: &str, before: &Counters, after: &Counters) -> ServerFigures {
    let moved = |(name, value): (&String, &f64)| {
        let change = value - before.get(name).copied().unwrap_or(0.0);
        (change != 0.0).then(|| (name.clone(), change))
    };
    let counters: Counters = after.iter().filter_map(moved).collect();
    let sum = |beginning: &str, containing: &str| -> f64 {
        let parts = counters
            .iter()
            .filter(|(name, _)| name.starts_with(beginning) && name.contains(containing));
        parts.map(|(_, change)| change).sum()
    };
    let verifications = |outcome| sum("xroad_signature_verifications_total", outcome);
    let signer = after.keys().any(|name| name.starts_with(SIGNER));
    let messages = counters.get("signer messages").copied().unwrap_or(0.0);
    let signatures = counters.get("signer batches").copied().unwrap_or(0.0);
    let records = sum("xroad_records_logged_total", "");
    ServerFigures {
        name: name.to_owned(),
        messages_signed: signer.then_some(messages),
        signatures_per_message: signer.then(|| per(signatures, messages)),
        records_logged: records,
        records_per_sync: per(records, sum("xroad_log_syncs_total", "")),
        verifications_remembered: REMEMBERED.map(verifications).iter().sum(),
        verifications_full: verifications("\"verified\""),
        counters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# HELP x y\nxroad_records_logged_total 10\nxroad_log_syncs_total 5\n\
        xroad_exchange_duration_seconds_bucket{le=\"1.0\"} 4\n";
    const AFTER: &str = "xroad_records_logged_total 110\nxroad_log_syncs_total 15\n\
        xroad_signature_verifications_total{side=\"client_proxy\",outcome=\"cached\"} 40\n\
        xroad_signature_verifications_total{side=\"server_proxy\",outcome=\"cached\"} 5\n\
        xroad_signature_verifications_total{side=\"server_proxy\",outcome=\"shared\"} 7\n\
        xroad_signature_verifications_total{side=\"server_proxy\",outcome=\"awaited\"} 3\n\
        xroad_signature_verifications_total{side=\"client_proxy\",outcome=\"verified\"} 2\n";

    #[test]
    fn the_change_of_each_counter_makes_the_figures() {
        let mut after = parse(AFTER);
        after.extend([("signer messages".into(), 100.0), ("signer batches".into(), 4.0)]);
        let figures = figures("x", &parse(BEFORE), &after);
        assert_eq!((figures.records_logged, figures.records_per_sync), (100.0, 10.0));
        assert_eq!(
            (figures.verifications_remembered, figures.verifications_full),
            (55.0, 2.0)
        );
        assert_eq!(figures.signatures_per_message, Some(0.04));
    }

    #[test]
    fn without_a_signer_nothing_is_said_of_signatures() {
        let figures = figures("x", &parse(BEFORE), &parse(AFTER));
        assert_eq!(
            (figures.messages_signed, figures.signatures_per_message),
            (None, None)
        );
    }
}
