//! What one worker keeps between exchanges: connections, judgements, verified documents. Nothing of it is shared.

use std::rc::Rc;
use std::sync::Arc;

use reply::{Inbox, Outbox, Reply};
use storage::message_log::{LogError, LogReceipt, Record};

use crate::admission::{Admission, Admitted};
use crate::exchange::ExchangeError;
use crate::exchange::verify::Verifier;
use crate::http::Request;
use crate::metrics::Side;
use crate::net::{ConnectionPool, PoolSettings};
use crate::peer_certificate::Judge;
use crate::peers::Peers;
use crate::process::Process;
use crate::sealing::{self, Unsealed};

/// The state of a worker.
#[derive(Debug)]
pub struct WorkerState {
    /// What all workers share.
    pub process: Arc<Process>,
    /// Exchanges of information systems under way.
    pub from_clients: Admission,
    /// Exchanges of other security servers under way.
    pub from_servers: Admission,
    /// Security servers that we call.
    pub peers: Peers,
    /// Connections to services.
    pub services: ConnectionPool,
    /// Judgements of security servers that call us.
    pub callers: Judge,
    /// Signature documents that were verified.
    pub verifier: Verifier,
    /// Messages to be sealed.
    pub to_seal: Outbox<Unsealed>,
    /// Where sealed messages arrive.
    pub sealed: Inbox<sealing::Outcome>,
    /// Records to be appended to the message log.
    pub to_log: Outbox<(Record, Reply<Result<LogReceipt, LogError>>)>,
    /// Where receipts of the message log arrive.
    pub logged: Inbox<Result<LogReceipt, LogError>>,
}

impl WorkerState {
    /// One of so many workers, that has done nothing yet. Call inside the worker: its pools sweep themselves and its answers
    /// arrive there.
    #[must_use]
    pub fn new(process: Arc<Process>, workers: usize) -> Rc<Self> {
        let peers = Peers::new(&process.settings.proxy);
        let (sealed, outcomes) = Inbox::new();
        let (logged, receipts) = Inbox::new();
        let (finished, ends) = Inbox::new();
        let (to_seal, unsealed) = Outbox::new();
        let (to_log, unlogged) = Outbox::new();
        let (sealing, log) = (Arc::clone(&process), Arc::clone(&process));
        monoio::spawn(unsealed.run(move |messages| sealing.sealing.seal(messages)));
        monoio::spawn(unlogged.run(move |records| log.log.append_all(records)));
        monoio::spawn(outcomes.run());
        monoio::spawn(receipts.run());
        monoio::spawn(ends.run());
        let bound = process.settings.max_exchanges(workers);
        Rc::new(Self {
            from_clients: Admission::new(bound),
            from_servers: Admission::new(bound),
            peers,
            services: ConnectionPool::new(PoolSettings::default()),
            callers: Judge::default(),
            verifier: Verifier::new(
                process.settings.kiirtee.verification_cache,
                Arc::clone(&process.verdicts),
                finished,
            ),
            to_seal,
            sealed,
            to_log,
            logged,
            process,
        })
    }

    /// Lets an exchange begin, if there is room for another; else it is counted as refused.
    ///
    /// # Errors
    /// [`ExchangeError::Overloaded`].
    pub fn admit(&self, side: Side, request: &Request) -> Result<Admitted, ExchangeError> {
        let admission = match side {
            Side::ClientProxy => &self.from_clients,
            Side::ServerProxy => &self.from_servers,
        };
        let admitted = admission.enter(request.peer.address.ip().to_canonical());
        if admitted.is_some() {
            self.process.traffic.note();
        }
        admitted.ok_or_else(|| {
            self.process.metrics.side(side).refused.inc();
            admission.tell(side.label());
            ExchangeError::Overloaded
        })
    }

    /// Closes idle connections and keeps none from now on. Call when the worker takes no more requests: a connection
    /// can be kept only while the worker runs.
    pub fn close_pools(&self) {
        self.peers.close_pool();
        self.services.close();
    }
}
