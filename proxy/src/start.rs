//! Putting the proxy together, and stopping it in order.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use storage::message_log::{KeyError, LogKeys, OpenError};
use storage::server_configuration::{ConfigurationError, ServerConfiguration};
use storage::time_stamping::Rules;

use crate::admin::{Admin, HealthCheck, Maintenance};
use crate::admission::{Admission, Admitted};
use crate::client_proxy::ClientProxy;
use crate::http::large::{self, Traffic};
use crate::http::{Handler, NO_LIMIT, ServerSettings, serve_connection};
use crate::message_log::{archiving, cleaning, opening, time_stamping};
use crate::metrics::Metrics;
use crate::net::tls::providers::{NoSuite, Offer, Providers};
use crate::net::tls::{HandshakePool, handshake};
use crate::net::{DEFAULT_BACKLOG, Listener, Permits, Source, Stream, Turns};
use crate::ocsp_responder::OcspResponder;
use crate::process::Process;
use crate::sealing::Sealing;
use crate::server_proxy::ServerProxy;
use crate::settings::Settings;
use crate::snapshot::internal_certificate::{InternalCertificate, InternalCertificateError};
use crate::snapshot::tls::TlsFactory;
use crate::snapshot::watch::Watcher;
use crate::snapshot::{Current, Snapshot};
use crate::spool::Spools;
use crate::worker::{self, WorkerContext, WorkerSettings};
use crate::worker_state::WorkerState;

/// Threads on which TLS handshakes may block.
const HANDSHAKE_THREADS: usize = 2;
/// Handshakes of others under way at once, for each port; one source, an address, has three quarters of them at most, and
/// who exceeds that is closed unserved. Both TLS ports together fit into the queue of the handshake threads.
const MAX_HANDSHAKES: usize = 1024;
/// The least of them for a worker.
const LEAST_HANDSHAKES: usize = 16;
/// How long background work may go on after the last exchange.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// Why the proxy can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder can't be made.
    #[error("folder {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The message log can't be opened.
    #[error("message log: {0}")]
    MessageLog(#[from] OpenError),
    /// The keys of the message log can't be used.
    #[error(transparent)]
    MessageLogKeys(#[from] KeyError),
    /// The message log shall be encrypted, but a setting for that is absent.
    #[error(
        "message-log.{0} is absent: it is needed because message-log.messagelog-encryption-enabled is set"
    )]
    NoKeys(&'static str),
    /// The server configuration can't be opened.
    #[error("server configuration: {0}")]
    ServerConfiguration(#[from] ConfigurationError),
    /// Archiving can't begin.
    #[error(transparent)]
    Archiving(#[from] archiving::ArchivingError),
    /// The internal certificate can't be read.
    #[error(transparent)]
    InternalCertificate(#[from] InternalCertificateError),
    /// No cipher suite is left.
    #[error("[proxy] {parameter}: {source}")]
    CipherSuites {
        /// What lists them.
        parameter: &'static str,
        /// What was found.
        source: NoSuite,
    },
    /// A thread can't be started or an address can't be listened on.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Runs the proxy until SIGTERM or SIGINT, then drains: no new exchange, running ones end, the log is closed.
///
/// # Errors
/// [`StartError`] when it can't begin.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let settings = Arc::new(settings);
    let (stamper, stamp_requests) = time_stamping::TimeStamper::new();
    let process = Arc::new(process(&settings, stamper)?);
    let watcher = watcher(&process)?;
    let mut snapshot = time_stamping::Background::new();
    let watching = snapshot.spawn("snapshot", move |stop| watcher.run(stop));
    watching.map_err(io_error("snapshot"))?;
    let time_stamping = time_stamping::start(&process, stamp_requests).map_err(io_error("time-stamping"))?;
    let archiving = archiving::start(&process)?;
    let cleaning = cleaning::start(&process).map_err(io_error("cleaning"))?;
    serve(&process)?;
    snapshot.stop(STOP_PATIENCE);
    cleaning.stop(STOP_PATIENCE);
    archiving.stop(STOP_PATIENCE);
    time_stamping.stop(STOP_PATIENCE);
    tracing::info!("stopped");
    Ok(())
}

fn process(
    settings: &Arc<Settings>,
    time_stamper: time_stamping::TimeStamper,
) -> Result<Process, StartError> {
    for path in [
        settings.kiirtee.data_dir.clone(),
        settings.kiirtee.spool_dir(),
        settings.kiirtee.message_log_dir(),
    ] {
        std::fs::create_dir_all(&path).map_err(|source| StartError::Folder { path, source })?;
    }
    let log = &settings.message_log;
    let time_stamping = Rules {
        acceptable_failure_period: log
            .acceptable_timestamp_failure_period
            .try_into()
            .unwrap_or(time::Duration::MAX),
        immediately: log.timestamp_immediately,
    };
    let log_settings = storage::message_log::Settings {
        time_stamping,
        keys: log_keys(settings)?,
        nice: settings.kiirtee.background_nice,
        ..Default::default()
    };
    let log = opening::open(&settings.kiirtee.message_log_dir(), &log_settings)?;
    let signer = signer_client::Client::connect(&settings.kiirtee.signer_socket);
    let metrics = Metrics::new();
    let nice = settings.kiirtee.background_nice;
    let sealing = Sealing::start(signer.clone(), log.clone(), metrics.sealing.clone(), nice);
    Ok(Process {
        log,
        sealing: sealing.map_err(io_error("sealing"))?,
        signer,
        metrics,
        spools: Spools::new(&settings.kiirtee.spool_dir(), settings.kiirtee.spool_bytes)
            .map_err(io_error("spool"))?,
        handshakes: handshakes("handshake-to", 0)?,
        incoming_handshakes: handshakes("handshake-from", nice)?,
        current: Arc::new(Current::new(Snapshot::default())),
        settings: Arc::clone(settings),
        traffic: Traffic::default(),
        maintenance: Maintenance::default(),
        verdicts: Arc::default(),
        time_stamper,
    })
}

fn handshakes(name: &str, nice: i32) -> Result<HandshakePool, StartError> {
    HandshakePool::start(name, HANDSHAKE_THREADS, nice).map_err(io_error("handshake threads"))
}

/// The keys of an encrypted message log. They are read without encryption too, where there are some: old records may
/// need them.
fn log_keys(settings: &Settings) -> Result<Option<Arc<LogKeys>>, StartError> {
    let log = &settings.message_log;
    let (folder, current) = match (&log.messagelog_keystore, &log.messagelog_key_id) {
        (None, _) if log.messagelog_encryption_enabled => {
            return Err(StartError::NoKeys("messagelog-keystore"));
        }
        (_, None) if log.messagelog_encryption_enabled => {
            return Err(StartError::NoKeys("messagelog-key-id"));
        }
        (None, _) => return Ok(None),
        (Some(folder), current) => (folder, current.as_deref()),
    };
    let current = current.filter(|_| log.messagelog_encryption_enabled);
    Ok(Some(Arc::new(LogKeys::read(folder, current)?)))
}

/// A watcher that has looked once, so that the first request finds what there is.
fn watcher(process: &Process) -> Result<Watcher, StartError> {
    let current = Arc::downgrade(&process.current);
    let factory = TlsFactory::new(process.signer.clone(), providers(&process.settings)?, current);
    let internal = InternalCertificate::read(process.settings.kiirtee.tls_certificate.as_deref())?;
    let mut watcher = Watcher::new(
        Arc::clone(&process.settings),
        ServerConfiguration::open(&process.settings.kiirtee.server_configuration)?,
        process.signer.clone(),
        Arc::clone(&process.current),
        factory,
        internal,
    );
    watcher.look();
    Ok(watcher)
}

fn providers(settings: &Settings) -> Result<Providers, StartError> {
    let proxy = &settings.proxy;
    let provider = |parameter, suites, versions| {
        let better = settings.kiirtee.better_tls;
        let offer = Offer {
            better,
            suites,
            versions,
        };
        let provider = offer.provider();
        provider
            .map(Arc::new)
            .map_err(|source| StartError::CipherSuites { parameter, source })
    };
    Ok(Providers {
        peers: provider("xroad-tls-ciphers", &proxy.xroad_tls_ciphers, None)?,
        information_systems: provider(
            "client-tls-ciphers",
            &proxy.client_tls_ciphers,
            Some(&proxy.client_tls_protocols),
        )?,
    })
}

/// Serves on worker threads until told to stop and drained.
fn serve(process: &Arc<Process>) -> Result<(), StartError> {
    check_addresses(&process.settings)?;
    let settings = WorkerSettings {
        count: match process.settings.kiirtee.workers {
            0 => WorkerSettings::default().count,
            count => count,
        },
        pin: process.settings.kiirtee.pin_workers,
        driver: process.settings.kiirtee.io_driver,
        drain_limit: Duration::from_secs(process.settings.kiirtee.drain_seconds),
    };
    let shared = Arc::clone(process);
    let workers = worker::spawn(&settings, move |context| work(Arc::clone(&shared), context));
    let workers = workers.map_err(io_error("workers"))?;
    let drain = workers.drain_handle();
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])
            .map_err(io_error("signals"))?;
    thread("signals", move || {
        for signal in signals.forever() {
            tracing::info!(signal, "draining");
            drain.drain();
        }
    })?;
    tracing::info!(workers = settings.count, "serving");
    workers.join().map_err(io_error("workers"))
}

/// Finds out before the workers start whether every address can be listened on.
fn check_addresses(settings: &Settings) -> Result<(), StartError> {
    let fixed = [
        settings.proxy.client_http(),
        settings.proxy.server_listen(),
        settings.proxy.ocsp_responder_listen(),
        settings.kiirtee.admin_listen,
    ];
    for address in fixed
        .into_iter()
        .chain(settings.client_https())
        .chain(settings.health_check())
    {
        std::net::TcpListener::bind(address).map_err(io_error(&format!("listening on {address}")))?;
    }
    Ok(())
}

/// One worker: every port, served by tasks of its own.
async fn work(process: Arc<Process>, context: WorkerContext) {
    let settings = Arc::clone(&process.settings);
    large::share(process.settings.kiirtee.large_body_rate, &process.traffic);
    let state = WorkerState::new(process, context.count);
    let client = http_settings(
        settings.proxy.client_connector_initial_idle_time,
        settings.proxy.client_connector_max_idle_time,
        true,
        settings.kiirtee.min_body_rate,
    );
    let peer = http_settings(
        settings.proxy.server_connector_initial_idle_time,
        settings.proxy.server_connector_max_idle_time,
        settings.proxy.server_support_clients_pooled_connections,
        settings.kiirtee.min_body_rate,
    );
    let port = |address, tls, http: &Rc<ServerSettings>| Port {
        address,
        tls,
        http: Rc::clone(http),
        linger: match tls {
            Tls::Peers => settings.proxy.server_connector_so_linger,
            Tls::None | Tls::Internal => settings.proxy.client_connector_so_linger,
        },
        state: Rc::clone(&state),
        context: context.clone(),
        handshakes: Admission::new((MAX_HANDSHAKES / context.count.max(1)).max(LEAST_HANDSHAKES)),
    };
    let clients = Rc::new(ClientProxy(Rc::clone(&state)));
    if let Some(https) = settings.client_https() {
        context.spawn(port(https, Tls::Internal, &client).listen(Rc::clone(&clients)));
    }
    let servers = Rc::new(ServerProxy(Rc::clone(&state)));
    context.spawn(port(settings.proxy.server_listen(), Tls::Peers, &peer).listen(servers));
    let ocsp = Rc::new(OcspResponder::new(Arc::clone(&state.process)));
    context.spawn(port(settings.proxy.ocsp_responder_listen(), Tls::None, &client).listen(ocsp));
    let admin = Rc::new(Admin::new(Arc::clone(&state.process)));
    context.spawn(port(settings.kiirtee.admin_listen, Tls::None, &client).listen(admin));
    if let Some(health) = settings.health_check() {
        let health_check = Rc::new(HealthCheck::new(Arc::clone(&state.process)));
        context.spawn(port(health, Tls::None, &client).listen(health_check));
    }
    port(settings.proxy.client_http(), Tls::None, &client)
        .listen(clients)
        .await;
    state.close_pools();
}

fn http_settings(
    idle: Option<Duration>,
    later: Option<Duration>,
    keep_alive: bool,
    min_body_rate: u64,
) -> Rc<ServerSettings> {
    Rc::new(ServerSettings {
        idle_limit: idle.unwrap_or(NO_LIMIT),
        later_idle_limit: Some(later.unwrap_or(NO_LIMIT)),
        keep_alive,
        min_body_rate,
        ..ServerSettings::default()
    })
}

/// Which TLS configuration of the current snapshot a port offers.
#[derive(Debug, Clone, Copy)]
enum Tls {
    None,
    Internal,
    Peers,
}

/// A port of one worker.
struct Port {
    address: std::net::SocketAddr,
    tls: Tls,
    http: Rc<ServerSettings>,
    linger: Option<Duration>,
    state: Rc<WorkerState>,
    context: WorkerContext,
    /// Handshakes under way.
    handshakes: Admission,
}

impl Port {
    async fn listen<H: Handler>(self, handler: Rc<H>) {
        let listener = match Listener::bind_lingering(self.address, DEFAULT_BACKLOG, self.linger) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(address = %self.address, %error, "can't listen");
                return;
            }
        };
        let slots = self.state.process.settings.anti_dos.connections();
        let drain = self.context.drain();
        let port = Rc::new(self);
        match port.tls {
            Tls::Peers => {
                let serve = |tcp, turn| port.spawn(tcp, turn, &handler);
                let (source_of, turned_away) = (|from| port.source_of(from), |from| port.turned_away(from));
                let turns = Turns::new(slots);
                listener
                    .serve_in_turns(&drain, turns, source_of, turned_away, serve)
                    .await;
            }
            Tls::None | Tls::Internal => {
                let serve = |tcp, permit| port.spawn(tcp, permit, &handler);
                listener.serve(&drain, Permits::new(slots), serve).await;
            }
        }
    }

    /// Serves a connection in a task of its own, which gives the slot back in the end.
    fn spawn<H: Handler>(
        self: &Rc<Self>,
        tcp: monoio::net::TcpStream,
        slot: impl Sized + 'static,
        handler: &Rc<H>,
    ) {
        let (port, handler) = (Rc::clone(self), Rc::clone(handler));
        self.context.spawn(async move {
            port.serve(tcp, handler).await;
            drop(slot);
        });
    }

    /// Who takes turns with whom.
    fn source_of(&self, from: IpAddr) -> Source {
        let snapshot = self.state.process.current.take();
        if snapshot.peer_addresses.contains(&from) {
            Source::Known(from)
        } else {
            Source::Unknown
        }
    }

    fn turned_away(&self, source: Source) {
        self.state.process.metrics.peer_connections_turned_away.inc();
        tracing::debug!(address = %self.address, ?source, "too many connections wait, one is closed");
    }

    async fn serve<H: Handler>(&self, tcp: monoio::net::TcpStream, handler: Rc<H>) {
        let Some(admitted) = self.admit(&tcp) else {
            // An alert would cost a handshake's memory; a closed connection is understood.
            return;
        };
        let stream = match self.config() {
            Ok(None) => Stream::plain(tcp).map_err(handshake::HandshakeError::Io),
            Ok(Some(config)) => {
                let handshakes = &self.state.process.incoming_handshakes;
                // On the heap, for as long as it takes: the room of a task is kept while its connection is idle.
                Box::pin(handshake::accept(tcp, config, handshakes, HANDSHAKE_LIMIT)).await
            }
            Err(NoKey) => {
                tracing::warn!(address = %self.address, "no TLS key is usable, connection closed");
                return;
            }
        };
        drop(admitted);
        match stream {
            Ok(stream) => {
                serve_connection(stream, Rc::clone(&self.http), self.context.drain(), handler).await
            }
            Err(error) => tracing::debug!(address = %self.address, %error, "no TLS connection"),
        }
    }

    /// Lets a handshake begin, where there is one.
    fn admit(&self, tcp: &monoio::net::TcpStream) -> Option<Option<Admitted>> {
        if matches!(self.tls, Tls::None) {
            return Some(None);
        }
        let from = tcp.peer_addr().ok()?.ip().to_canonical();
        let admitted = self.handshakes.enter(from);
        if admitted.is_none() {
            self.state.process.metrics.handshakes_refused.inc();
            tracing::debug!(address = %self.address, %from, "too many TLS handshakes, connection closed");
        }
        admitted.map(Some)
    }

    /// The TLS configuration of this moment; none for a plain port.
    fn config(&self) -> Result<Option<Arc<rustls::ServerConfig>>, NoKey> {
        let snapshot = self.state.process.current.take();
        let config = match self.tls {
            Tls::None => return Ok(None),
            Tls::Internal => snapshot
                .tls
                .internal
                .as_ref()
                .map(|internal| Arc::clone(&internal.server)),
            Tls::Peers => snapshot.tls.peers.as_ref().map(|peers| Arc::clone(&peers.server)),
        };
        config.map(Some).ok_or(NoKey)
    }
}

/// The key of a TLS port is not usable now.
struct NoKey;

fn thread(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(io_error(name))
}

fn io_error(what: &str) -> impl FnOnce(io::Error) -> StartError {
    let what = what.to_owned();
    move |source| StartError::Io { what, source }
}
