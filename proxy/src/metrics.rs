//! What the proxy counts, for `/metrics` (Prometheus text format).
//!
//! Every series is made once at start, so that counting on the request path is an atomic add and takes no lock.

mod exchange;
mod message_log;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

pub use exchange::Counted;
pub use message_log::LogMetrics;

/// Which half of the server a series speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Requests of our information systems to others.
    ClientProxy,
    /// Requests of others to our services.
    ServerProxy,
}

impl Side {
    /// The half's name in metrics and the log.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClientProxy => "client_proxy",
            Self::ServerProxy => "server_proxy",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabel {
    side: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    side: &'static str,
    outcome: &'static str,
}

/// The series of one half of the server.
#[derive(Debug)]
pub struct SideMetrics {
    /// Exchanges answered with what the other side said, provider errors included.
    pub answered: Counter,
    /// Exchanges that ended in a fault, or that were given up.
    pub faulted: Counter,
    /// Exchanges refused because too many were under way; they are not counted otherwise.
    pub refused: Counter,
    /// Exchanges under way.
    pub running: Gauge,
    /// Seconds from the first byte of a request to the last of its answer.
    pub duration: Histogram,
    /// Messages whose signature document the worker knew to be good.
    pub verifications_cached: Counter,
    /// Messages whose signature document another worker had verified.
    pub verifications_shared: Counter,
    /// Messages that waited for another worker to verify their signature document.
    pub verifications_awaited: Counter,
    /// Messages whose signature document was verified for them.
    pub verifications_made: Counter,
    /// Signature documents verified whose signer's certificate chain and OCSP responses were known to be good.
    pub signers_cached: Counter,
    /// Signature documents verified together with their signer's certificate chain and OCSP responses.
    pub signers_verified: Counter,
}

/// The series of sealing: what shares a signature and a write, and what that costs. Clones are the same series.
#[derive(Debug, Clone)]
pub struct SealingMetrics {
    /// Messages sealed together.
    pub batch: Histogram,
    /// Seconds from being handed over to being sent to the signer.
    pub waiting: Histogram,
    /// Seconds from being sent to the signer to the signature.
    pub signing: Histogram,
}

impl SealingMetrics {
    fn new(registry: &mut Registry) -> Self {
        Self {
            batch: histogram(
                registry,
                "sealing_batch_messages",
                "Messages that were signed and logged together",
                (1.0, 2.0, 9),
            ),
            waiting: histogram(
                registry,
                "sealing_wait_seconds",
                "Time that messages waited for the batch before theirs",
                (0.0001, 3.0, 12),
            ),
            signing: histogram(
                registry,
                "sealing_signature_seconds",
                "Time that the signer took for a batch",
                (0.0001, 3.0, 12),
            ),
        }
    }

    /// A batch begins, each of whose messages has waited for so long.
    pub fn batch(&self, waited: impl ExactSizeIterator<Item = Duration>) {
        // Batches have at most 256 messages: exact.
        self.batch.observe(waited.len() as f64);
        waited.for_each(|waited| self.waiting.observe(waited.as_secs_f64()));
    }

    /// The signer has answered.
    pub fn signed(&self, time: Duration) {
        self.signing.observe(time.as_secs_f64());
    }
}

/// A histogram whose buckets begin at `first` and grow by `factor`.
fn histogram(
    registry: &mut Registry,
    name: &str,
    help: &str,
    (first, factor, count): (f64, f64, u16),
) -> Histogram {
    let histogram = Histogram::new(exponential_buckets(first, factor, count));
    registry.register(name, help, histogram.clone());
    histogram
}

/// The series of archiving.
#[derive(Debug)]
pub struct ArchiveMetrics {
    /// Records archived.
    pub records_archived: Counter,
    /// Rounds of archiving that failed.
    pub failures: Counter,
    /// Runs of the transfer command that failed.
    pub transfer_failures: Counter,
    /// Time-stamped records in no archive, as of the last round.
    pub records_waiting: Gauge,
    /// Unix time of the last round that succeeded.
    pub last_archive: Gauge<f64, AtomicU64>,
}

/// Everything that the proxy counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    client_proxy: SideMetrics,
    server_proxy: SideMetrics,
    /// TLS handshakes begun with peers, in either role.
    pub peer_handshakes: Counter,
    /// Connections closed because too many TLS handshakes were under way.
    pub handshakes_refused: Counter,
    /// Connections to peers that were used again.
    pub peer_connections_reused: Counter,
    /// Connections of peers that were closed unserved because too many waited.
    pub peer_connections_turned_away: Counter,
    /// The message log.
    pub log: LogMetrics,
    /// Time-stamps obtained.
    pub time_stamps: Counter,
    /// Rounds of time-stamping that failed.
    pub time_stamp_failures: Counter,
    /// Unix time of the last successful time-stamp.
    pub last_time_stamp: Gauge<f64, AtomicU64>,
    /// Unix time before which every logged record has its time-stamp; 0 until it is known.
    pub stamped_until: Gauge<f64, AtomicU64>,
    /// Age in seconds of the oldest record without a time-stamp.
    pub oldest_unstamped_age: Gauge<f64, AtomicU64>,
    /// Unix time at which the loaded global configuration expires.
    pub global_configuration_expires: Gauge<f64, AtomicU64>,
    /// Bytes of messages that wait for their verdict, in memory and in spool files.
    pub spool_bytes: Gauge,
    /// 1 while the health check's port is in maintenance mode, else 0.
    pub maintenance_mode: Gauge,
    /// Signing and logging what is sent.
    pub sealing: SealingMetrics,
    /// The archive.
    pub archive: ArchiveMetrics,
    /// Blocks of memory obtained or resized since the process started, by Rust code.
    #[cfg(feature = "count-allocations")]
    pub allocations: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes and registers every series.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("xroad");
        let [client_proxy, server_proxy] = sides(&mut registry);
        Self {
            client_proxy,
            server_proxy,
            peer_handshakes: counter(
                &mut registry,
                "peer_handshakes",
                "TLS handshakes begun with peers",
            ),
            handshakes_refused: counter(
                &mut registry,
                "handshakes_refused",
                "Connections closed because too many TLS handshakes were under way",
            ),
            peer_connections_reused: counter(
                &mut registry,
                "peer_connections_reused",
                "Exchanges over a peer connection that was open already",
            ),
            peer_connections_turned_away: counter(
                &mut registry,
                "peer_connections_turned_away",
                "Connections of peers closed unserved because too many waited",
            ),
            log: LogMetrics::new(&mut registry),
            time_stamps: counter(&mut registry, "time_stamps", "Time-stamps obtained"),
            time_stamp_failures: counter(
                &mut registry,
                "time_stamp_failures",
                "Failed rounds of time-stamping",
            ),
            last_time_stamp: seconds(
                &mut registry,
                "last_time_stamp",
                "When the last time-stamp was obtained",
            ),
            stamped_until: seconds(
                &mut registry,
                "log_stamped_until",
                "When everything was logged that has its time-stamp, and nothing before it has none",
            ),
            oldest_unstamped_age: seconds(
                &mut registry,
                "oldest_unstamped_record_age",
                "Age of the oldest record without a time-stamp",
            ),
            global_configuration_expires: seconds(
                &mut registry,
                "global_configuration_expires",
                "When the loaded global configuration expires",
            ),
            spool_bytes: gauge(
                &mut registry,
                "spool_bytes",
                "Bytes of messages that wait for their verdict",
            ),
            maintenance_mode: gauge(
                &mut registry,
                "maintenance_mode",
                "1 while the health check's port is in maintenance mode",
            ),
            sealing: SealingMetrics::new(&mut registry),
            archive: archive(&mut registry),
            #[cfg(feature = "count-allocations")]
            allocations: counter(
                &mut registry,
                "allocations",
                "Blocks of memory obtained or resized",
            ),
            registry,
        }
    }

    /// The series of one half of the server.
    #[must_use]
    pub const fn side(&self, side: Side) -> &SideMetrics {
        match side {
            Side::ClientProxy => &self.client_proxy,
            Side::ServerProxy => &self.server_proxy,
        }
    }

    /// The whole in Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn sides(registry: &mut Registry) -> [SideMetrics; 2] {
    let exchanges = Family::<OutcomeLabel, Counter>::default();
    let refused = Family::<SideLabel, Counter>::default();
    let running = Family::<SideLabel, Gauge>::default();
    let duration = Family::<SideLabel, Histogram>::new_with_constructor(|| {
        Histogram::new(exponential_buckets(0.000_5, 2.0, 18))
    });
    let verifications = Family::<OutcomeLabel, Counter>::default();
    let signers = Family::<OutcomeLabel, Counter>::default();
    registry.register(
        "exchanges",
        "Exchanges by half of the server and outcome",
        exchanges.clone(),
    );
    registry.register(
        "exchanges_refused",
        "Exchanges refused because too many were under way",
        refused.clone(),
    );
    registry.register("exchanges_running", "Exchanges under way", running.clone());
    registry.register_with_unit(
        "exchange_duration",
        "Time of an exchange",
        Unit::Seconds,
        duration.clone(),
    );
    registry.register(
        "signature_verifications",
        "Messages by source of the verdict on their signature document",
        verifications.clone(),
    );
    registry.register(
        "signer_verifications",
        "Signature documents verified, by source of the verdict on certificate chain and OCSP responses",
        signers.clone(),
    );
    [Side::ClientProxy, Side::ServerProxy].map(|side| {
        let side = side.label();
        let outcome = |outcome| OutcomeLabel { side, outcome };
        SideMetrics {
            answered: exchanges.get_or_create_owned(&outcome("answered")),
            faulted: exchanges.get_or_create_owned(&outcome("fault")),
            refused: refused.get_or_create_owned(&SideLabel { side }),
            running: running.get_or_create_owned(&SideLabel { side }),
            duration: duration.get_or_create_owned(&SideLabel { side }),
            verifications_cached: verifications.get_or_create_owned(&outcome("cached")),
            verifications_shared: verifications.get_or_create_owned(&outcome("shared")),
            verifications_awaited: verifications.get_or_create_owned(&outcome("awaited")),
            verifications_made: verifications.get_or_create_owned(&outcome("verified")),
            signers_cached: signers.get_or_create_owned(&outcome("cached")),
            signers_verified: signers.get_or_create_owned(&outcome("verified")),
        }
    })
}

fn archive(registry: &mut Registry) -> ArchiveMetrics {
    ArchiveMetrics {
        records_archived: counter(registry, "records_archived", "Records written into archives"),
        failures: counter(registry, "archive_failures", "Failed rounds of archiving"),
        transfer_failures: counter(
            registry,
            "archive_transfer_failures",
            "Failed runs of the archive transfer command",
        ),
        records_waiting: gauge(
            registry,
            "records_to_archive",
            "Time-stamped records in no archive, as of the last round",
        ),
        last_archive: seconds(
            registry,
            "last_archive",
            "When the last round of archiving succeeded",
        ),
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Gauge<f64, AtomicU64> {
    let gauge = Gauge::default();
    registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_side_apart() {
        let metrics = Metrics::new();
        metrics.side(Side::ClientProxy).begin().end(true);
        metrics.side(Side::ServerProxy).begin().end(false);
        let text = metrics.render();
        assert!(
            text.contains(r#"xroad_exchanges_total{side="client_proxy",outcome="answered"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"xroad_exchanges_total{side="server_proxy",outcome="fault"} 1"#),
            "{text}"
        );
    }
}
