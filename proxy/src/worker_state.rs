//! What one worker keeps between exchanges: connections, judgements, verified documents. Nothing of it is shared.

use std::rc::Rc;
use std::sync::Arc;

use reply::Inbox;
use storage::message_log::{LogError, LogReceipt};

use crate::exchange::verify::Verifier;
use crate::net::{ConnectionPool, PoolSettings};
use crate::peer_certificate::Judge;
use crate::peers::Peers;
use crate::process::Process;
use crate::sealing;

/// The state of a worker.
#[derive(Debug)]
pub struct WorkerState {
    /// What all workers share.
    pub process: Arc<Process>,
    /// Security servers that we call.
    pub peers: Peers,
    /// Connections to services.
    pub services: ConnectionPool,
    /// Judgements of security servers that call us.
    pub callers: Judge,
    /// Signature documents that were verified.
    pub verifier: Verifier,
    /// Where sealed messages arrive.
    pub sealed: Inbox<sealing::Outcome>,
    /// Where receipts of the message log arrive.
    pub logged: Inbox<Result<LogReceipt, LogError>>,
}

impl WorkerState {
    /// A worker that has done nothing yet. Call inside the worker: its pools sweep themselves and its answers arrive there.
    #[must_use]
    pub fn new(process: Arc<Process>) -> Rc<Self> {
        let peers = Peers::new(&process.settings.proxy);
        let (sealed, outcomes) = Inbox::new();
        let (logged, receipts) = Inbox::new();
        monoio::spawn(outcomes.run());
        monoio::spawn(receipts.run());
        Rc::new(Self {
            peers,
            services: ConnectionPool::new(PoolSettings::default()),
            callers: Judge::default(),
            verifier: Verifier::new(
                process.settings.kiirtee.verification_cache,
                Arc::clone(&process.verdicts),
            ),
            sealed,
            logged,
            process,
        })
    }

    /// Closes idle connections and keeps none from now on. Call when the worker takes no more requests: a connection
    /// can be kept only while the worker runs.
    pub fn close_pools(&self) {
        self.peers.close_pool();
        self.services.close();
    }
}
