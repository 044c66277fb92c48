//! What all threads of the proxy share: made once at start, immutable but for what counts and swaps.

use std::sync::Arc;

use storage::message_log::MessageLog;

use crate::admin::Maintenance;
use crate::exchange::verify::SharedVerdicts;
use crate::http::large::Traffic;
use crate::message_log::time_stamping::TimeStamper;
use crate::metrics::Metrics;
use crate::net::tls::HandshakePool;
use crate::sealing::Sealing;
use crate::settings::Settings;
use crate::snapshot::Current;
use crate::spool::Spools;

/// The shared parts of the process.
#[derive(Debug)]
pub struct Process {
    /// What the operator set.
    pub settings: Arc<Settings>,
    /// What requests are decided by.
    pub current: Arc<Current>,
    /// Where messages are logged.
    pub log: MessageLog,
    /// Where messages are signed and logged.
    pub sealing: Sealing,
    /// Who signs.
    pub signer: signer_client::Client,
    /// What is counted.
    pub metrics: Metrics,
    /// Where messages wait for their verdict.
    pub spools: Spools,
    /// Where TLS handshakes may block that we begin.
    pub handshakes: HandshakePool,
    /// The same for those that others begin: however many there are, ours do not wait behind them.
    pub incoming_handshakes: HandshakePool,
    /// When exchanges came, for large bodies to leave them room.
    pub traffic: Traffic,
    /// Whether the health check's port sends load balancers away.
    pub maintenance: Maintenance,
    /// Signature documents that workers verified.
    pub verdicts: Arc<SharedVerdicts>,
    /// Who obtains time-stamps.
    pub time_stamper: TimeStamper,
}
