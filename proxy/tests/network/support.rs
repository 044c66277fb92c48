//! A server in its own worker thread, and raw clients that say exactly what a test wants said.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use proxy::http::{
    Body, BodyLength, ClientConnection, ClientSettings, Handler, HttpError, Method, Request, RequestHead,
    Responder, ResponseHead, ServerSettings, serve_connection,
};
use proxy::net::tls::{CallbackKey, HandshakePool, KeyKind, SignFailed, accept};
use proxy::net::{DEFAULT_BACKLOG, Listener, Permits, Source, Stream, TlsIdentity, Turns};
use proxy::worker::{self, DriverChoice, WorkerContext, WorkerSettings, Workers};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const MEGABYTE: usize = 1024 * 1024;

pub(crate) fn one_worker() -> WorkerSettings {
    WorkerSettings {
        count: 1,
        pin: false,
        drain_limit: Duration::from_secs(5),
        ..WorkerSettings::default()
    }
}

/// Runs a client's code on a worker of its own and gives its result.
pub(crate) fn run<T: Send + 'static>(work: impl AsyncFnOnce(WorkerContext) -> T + Send + 'static) -> T {
    run_on(DriverChoice::Auto, work)
}

pub(crate) fn run_on<T: Send + 'static>(
    driver: DriverChoice,
    work: impl AsyncFnOnce(WorkerContext) -> T + Send + 'static,
) -> T {
    let (result, results) = flume::bounded(1);
    let work = std::sync::Mutex::new(Some((work, result)));
    let workers = worker::spawn(
        &WorkerSettings {
            driver,
            ..one_worker()
        },
        move |worker| {
            let (work, result) = work.lock().unwrap().take().unwrap();
            async move { result.send(work(worker).await).unwrap() }
        },
    )
    .unwrap();
    workers.join().unwrap();
    results.recv().unwrap()
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    workers: Option<Workers>,
}

#[derive(Clone)]
pub(crate) struct ServerPlan {
    pub(crate) settings: ServerSettings,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) driver: DriverChoice,
    pub(crate) max_connections: usize,
    /// Addresses that take turns with all others; none: everybody waits in one line.
    pub(crate) known: Vec<IpAddr>,
}

impl Default for ServerPlan {
    fn default() -> Self {
        Self {
            settings: ServerSettings::default(),
            tls: None,
            driver: DriverChoice::Auto,
            max_connections: 1000,
            known: Vec::new(),
        }
    }
}

impl Server {
    pub(crate) fn start<H: Handler + Clone + Send + Sync>(handler: H) -> Self {
        Self::start_with(ServerPlan::default(), handler)
    }

    pub(crate) fn start_with<H: Handler + Clone + Send + Sync>(plan: ServerPlan, handler: H) -> Self {
        let (bound, address) = flume::bounded(1);
        let pool = HandshakePool::start("handshake", 2, 0).unwrap();
        let settings = WorkerSettings {
            driver: plan.driver,
            ..one_worker()
        };
        let workers = worker::spawn(&settings, move |worker| {
            let (plan, pool, bound) = (plan.clone(), pool.clone(), bound.clone());
            let handler = Rc::new(handler.clone());
            async move {
                let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), DEFAULT_BACKLOG).unwrap();
                bound.send(listener.address()).unwrap();
                serve(worker, listener, plan, pool, handler).await;
            }
        })
        .unwrap();
        Self {
            address: address.recv().unwrap(),
            workers: Some(workers),
        }
    }

    pub(crate) fn raw(&self) -> RawClient {
        RawClient::connect(self.address)
    }

    pub(crate) fn drain(&self) {
        self.workers.as_ref().unwrap().drain();
    }

    pub(crate) fn join(mut self) {
        self.workers.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.drain();
            workers.join().unwrap();
        }
    }
}

async fn serve<H: Handler>(
    worker: WorkerContext,
    listener: Listener,
    plan: ServerPlan,
    pool: HandshakePool,
    handler: Rc<H>,
) {
    let settings = Rc::new(plan.settings);
    let drain = worker.drain();
    let serve_one = |tcp| {
        let (tls, pool) = (plan.tls.clone(), pool.clone());
        let (settings, handler, drain) = (settings.clone(), handler.clone(), worker.drain());
        async move {
            let stream = match tls {
                None => Stream::plain(tcp).ok(),
                Some(config) => match accept(tcp, config, &pool, LIMIT).await {
                    Ok(stream) => Some(stream),
                    Err(error) => {
                        eprintln!("handshake: {error}");
                        None
                    }
                },
            };
            if let Some(stream) = stream {
                serve_connection(stream, settings, drain, handler).await;
            }
        }
    };
    if plan.known.is_empty() {
        let permits = Permits::new(plan.max_connections);
        let serve = |tcp, permit| {
            let served = serve_one(tcp);
            worker.spawn(async move {
                served.await;
                drop(permit);
            });
        };
        listener.serve(&drain, permits, serve).await;
    } else {
        let source_of = |from| match plan.known.contains(&from) {
            true => Source::Known(from),
            false => Source::Unknown,
        };
        let serve = |tcp, turn| {
            let served = serve_one(tcp);
            worker.spawn(async move {
                served.await;
                drop(turn);
            });
        };
        let turns = Turns::new(plan.max_connections);
        listener
            .serve_in_turns(&drain, turns, source_of, |_| {}, serve)
            .await;
    }
}

/// What a request was and what the handler should do with it is told by its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rehearsal;

impl Handler for Rehearsal {
    async fn handle(
        &self,
        request: Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let ok = ResponseHead::new(200);
        match request.head.target.path() {
            "/echo" => {
                let out = responder.start(&ok, BodyLength::Chunked).await?;
                while let Some(chunk) = body.next_chunk().await {
                    out.write(chunk?).await?;
                    out.flush().await?;
                }
                out.finish().await
            }
            "/count" => {
                let mut count = 0;
                while let Some(chunk) = body.next_chunk().await {
                    count += chunk?.len();
                }
                responder.send_full(&ok, count.to_string()).await
            }
            "/ignore" => responder.send_full(&ok, "ignored").await,
            "/refuse" => responder.send_full(&ResponseHead::new(403), "refused").await,
            "/nothing" => Ok(()),
            "/cut" => {
                let out = responder.start(&ok, BodyLength::Chunked).await?;
                out.write("beginning").await?;
                out.flush().await
            }
            "/short" => {
                let out = responder.start(&ok, BodyLength::Known(100)).await?;
                out.write("beginning").await?;
                out.finish().await
            }
            "/stream" => {
                let out = responder.start(&ok, BodyLength::Chunked).await?;
                let block = Bytes::from(vec![b'x'; 40_000]);
                let mut left = request.head.target.query().unwrap().parse::<usize>().unwrap();
                while left > 0 {
                    let size = left.min(block.len());
                    out.write(block.slice(..size)).await?;
                    left -= size;
                }
                out.finish().await
            }
            "/sleep" => {
                monoio::time::sleep(Duration::from_millis(300)).await;
                responder.send_full(&ok, "slept").await
            }
            "/peer" => {
                let told = request.peer.tls.as_ref().map_or_else(
                    || "plain".to_owned(),
                    |tls| {
                        format!(
                            "{:?} {:?} {} {}",
                            tls.version,
                            tls.cipher_suite,
                            tls.certificates.len(),
                            tls.resumed
                        )
                    },
                );
                responder.send_full(&ok, told).await
            }
            _ => {
                responder
                    .send_full(&ok, format!("{} {:?}", request.head.method, request.head.target))
                    .await
            }
        }
    }
}

/// A client that sends given bytes and reads what comes.
pub(crate) struct RawClient(TcpStream);

impl RawClient {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(text.as_ref()).unwrap();
        self
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Everything until the server closes.
    pub(crate) fn read_all(&mut self) -> String {
        let mut all = Vec::new();
        self.0.read_to_end(&mut all).unwrap();
        String::from_utf8(all).unwrap()
    }

    /// What comes until it ends with this.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        let mut byte = [0];
        while !all.ends_with(end.as_bytes()) {
            assert_eq!(
                self.0.read(&mut byte).unwrap(),
                1,
                "closed after {:?}",
                String::from_utf8_lossy(&all)
            );
            all.push(byte[0]);
        }
        String::from_utf8(all).unwrap()
    }

    /// Whether nothing comes for a moment and the connection stays open.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let silent = self
            .0
            .read(&mut [0])
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        self.0.set_read_timeout(Some(LIMIT)).unwrap();
        silent
    }
}

/// Sends one text and reads all that comes back.
pub(crate) fn ask(server: &Server, text: impl AsRef<[u8]>) -> String {
    server.raw().send(text).read_all()
}

/// A certificate of X.509 version 1, as `openssl x509 -req` makes without an extension file.
fn make_old_certificate(folder: &Path) {
    let script = "openssl req -new -newkey rsa:2048 -nodes -subj /CN=old -keyout old.key -out old.csr && \
                  openssl x509 -req -in old.csr -signkey old.key -days 30 -out old.pem";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Keys and self-signed certificates made by openssl once for all tests.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn get() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            for (name, kind) in [("rsa", "rsa:2048"), ("ec", "ec"), ("other", "rsa:2048")] {
                let mut command = Command::new("openssl");
                command.args([
                    "req", "-x509", "-nodes", "-days", "30", "-newkey", kind, "-sha256",
                ]);
                if kind == "ec" {
                    command.args(["-pkeyopt", "ec_paramgen_curve:P-256"]);
                }
                let made = command
                    .args([
                        "-subj",
                        &format!("/CN={name}"),
                        "-keyout",
                        &format!("{name}.key"),
                        "-out",
                    ])
                    .arg(format!("{name}.pem"))
                    .current_dir(folder.path())
                    .output()
                    .unwrap();
                assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            }
            make_old_certificate(folder.path());
            Self { folder }
        })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap()
    }

    /// An identity whose key is behind a blocking callback, as the signer's is.
    pub(crate) fn identity(&self, name: &str) -> TlsIdentity {
        Self::identity_of(&self.file(&format!("{name}.key")), vec![self.certificate(name)])
    }

    /// The same of other files.
    pub(crate) fn identity_of(key: &Path, certificate_chain: Vec<CertificateDer<'static>>) -> TlsIdentity {
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let key = provider().key_provider.load_private_key(key).unwrap();
        let kind = match key.algorithm() {
            SignatureAlgorithm::ECDSA => KeyKind::EcdsaP256,
            _ => KeyKind::Rsa,
        };
        let sign = move |scheme: SignatureScheme, message: &[u8]| {
            std::thread::sleep(Duration::from_millis(5));
            let signer = key
                .choose_scheme(&[scheme])
                .ok_or_else(|| SignFailed("scheme".to_owned()))?;
            signer
                .sign(message)
                .map_err(|error| SignFailed(error.to_string()))
        };
        TlsIdentity {
            certificate_chain,
            key: Arc::new(CallbackKey::new(kind, sign)),
        }
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A client on a plain connection.
pub(crate) async fn plain(address: SocketAddr) -> ClientConnection {
    let tcp = monoio::net::TcpStream::connect_addr(address).await.unwrap();
    ClientConnection::new(Stream::plain(tcp).unwrap(), ClientSettings::default())
}

pub(crate) fn post(path: &'static str) -> RequestHead {
    RequestHead::new(Method::POST, path).with("Host", "a")
}

/// Sends and receives at the same time, and checks every byte.
pub(crate) async fn echo_both_ways(mut connection: ClientConnection, size: usize) {
    connection.start(&post("/echo"), BodyLength::Chunked).unwrap();
    let (out, responses) = connection.split();
    let pattern: Vec<u8> = (0..=250).cycle().take(64 * 1024).collect();
    let pattern = Bytes::from(pattern);
    let sending = async {
        let mut sent = 0;
        while sent < size {
            let from = sent % 251;
            let length = (pattern.len() - 251).min(size - sent);
            out.write(pattern.slice(from..from + length)).await.unwrap();
            sent += length;
        }
        out.finish().await.unwrap();
    };
    let receiving = async {
        assert_eq!(responses.head().await.unwrap().status, 200);
        let mut received = 0;
        while let Some(chunk) = responses.body().next_chunk().await {
            let chunk = chunk.unwrap();
            for part in chunk.chunks(60_000) {
                let from = received % 251;
                assert!(
                    part == &pattern[from..from + part.len()],
                    "bytes differ after {received}"
                );
                received += part.len();
            }
        }
        assert_eq!(received, size);
    };
    monoio::join!(sending, receiving);
    assert!(connection.is_reusable());
}

pub(crate) fn is_installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {tool} is not installed");
    }
    found
}
