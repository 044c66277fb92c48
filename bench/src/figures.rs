//! What security servers count themselves: `/metrics` of the proxy, `kiirtee keys figures` of the signer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cli::failure::{Failure, OrUnusable};
use cli::sandbox::description::SecurityServer;

use crate::load::said;

/// Counts of both servers.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// The one of the service client.
    pub(crate) consumer: Server,
    /// The one of the service provider.
    pub(crate) provider: Server,
}

/// Counts of one server, since its processes started.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    proxy: BTreeMap<String, f64>,
    signer: BTreeMap<String, f64>,
}

impl Server {
    /// Asks both processes.
    pub(crate) fn read(kiirtee: &Path, server: &SecurityServer) -> Result<Self, Failure> {
        let url = &server.metrics;
        let mut answer = ureq::get(url).call().or_unusable(|| format!("ask {url}"))?;
        let text = answer
            .body_mut()
            .read_to_string()
            .or_unusable(|| format!("read {url}"))?;
        let mut figures = Command::new(kiirtee);
        figures
            .args(["keys", "figures", "--json", "--socket"])
            .arg(&server.signer_socket);
        let said = said(&mut figures, "kiirtee keys figures")?;
        Ok(Self {
            proxy: open_metrics(&text),
            signer: numbers(&said)?,
        })
    }

    /// How much a series of the proxy, such as `xroad_log_syncs_total`, has grown.
    pub(crate) fn proxy(&self, before: &Self, series: &str) -> f64 {
        grown(&self.proxy, &before.proxy, series)
    }

    /// How much a counter of the signer, such as `batches`, has grown.
    pub(crate) fn signer(&self, before: &Self, counter: &str) -> f64 {
        grown(&self.signer, &before.signer, counter)
    }

    /// Whether the proxy has this series.
    pub(crate) fn has(&self, series: &str) -> bool {
        self.proxy.contains_key(series)
    }
}

impl Figures {
    fn both(&self) -> [&Server; 2] {
        [&self.consumer, &self.provider]
    }

    /// The sum over both proxies of how much a series has grown.
    pub(crate) fn proxies(&self, before: &Self, series: &str) -> f64 {
        let pairs = self.both().into_iter().zip(before.both());
        pairs.map(|(now, then)| now.proxy(then, series)).sum()
    }

    /// The sum over both signers of how much a counter has grown.
    pub(crate) fn signers(&self, before: &Self, counter: &str) -> f64 {
        let pairs = self.both().into_iter().zip(before.both());
        pairs.map(|(now, then)| now.signer(then, counter)).sum()
    }
}

fn grown(now: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>, name: &str) -> f64 {
    now.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0)
}

fn open_metrics(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

fn numbers(json: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let all: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(json).or_unusable(|| format!("understand the signer's figures: {json}"))?;
    Ok(all
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_with_their_labels_and_without_comments() {
        let read = open_metrics("# HELP x\nx_total{side=\"a b\"} 12\nload 0.5\n# EOF\n");
        assert_eq!(read.get("x_total{side=\"a b\"}"), Some(&12.0));
        assert_eq!(read.get("load"), Some(&0.5));
        assert_eq!(read.len(), 2);
    }
}
