//! A process with a real message log, a global configuration and a time-stamping service of its own.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use protocol_globalconf::directory::MemoryFiles;
use protocol_globalconf::layout::{self, INSTANCE_IDENTIFIER_FILE, PRIVATE_PARAMS_FILE, SHARED_PARAMS_FILE};
use protocol_globalconf::metadata::Metadata;
use protocol_globalconf::private_params::{ManagementService, PrivateParams};
use protocol_globalconf::shared_params::{
    ApprovedCa, ApprovedTsa, CaInfo, GlobalSettings, Member, OcspInfo, SharedParams,
};
use protocol_globalconf::{GlobalConf, Version};
use protocol_message::identifier::ClientId;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::key::KeySpec;
use protocol_pki::ocsp::CertificateStatus;
use protocol_pki::profile::MemberName;
use protocol_pki::public_key::ecdsa_der_to_xml;
use protocol_pki::tsp::{self, Imprint};
use protocol_signature::document::{Builder, Signed};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{Batch, PartDigest};
use storage::message_log::{Direction, MessageKind, MessageLog, Record, RecordId};
use storage::server_configuration::ServerConfiguration;
use storage::server_configuration::document::TimeStampingService;
use storage::time_stamping::Rules;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use trust::authority::{Authority, Identity};

use super::super::TimeStamper;
use super::super::{Requests, error::TimeStampError};
use crate::http::{Handler, serve_connection};
use crate::metrics::Metrics;
use crate::net::tls::HandshakePool;
use crate::net::{Listener, Permits, Stream};
use crate::process::Process;
use crate::sealing::Sealing;
use crate::settings::Settings;
use crate::snapshot::{Current, LoadedGlobalConf, Snapshot};
use crate::spool::Spools;
use crate::worker::{self, WorkerSettings, Workers};
use crate::worker_state::WorkerState;

pub(crate) const INSTANCE: &str = "TEST";
const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha512;

/// The authority of all tests, and a member's signing key.
pub(crate) fn trust() -> &'static (Authority, Identity) {
    static TRUST: OnceLock<(Authority, Identity)> = OnceLock::new();
    TRUST.get_or_init(|| {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create(INSTANCE, KeySpec::P256, now).unwrap();
        let member = authority.member("GOV", "123", KeySpec::P256, now).unwrap();
        (authority, member)
    })
}

pub(crate) fn client() -> ClientId {
    ClientId::parse_encoded("TEST/GOV/123/sub").unwrap()
}

/// The member that signs, as verification wants it.
pub(crate) fn signer() -> MemberName {
    MemberName {
        instance: INSTANCE.into(),
        member_class: "GOV".into(),
        member_code: "123".into(),
    }
}

/// How the time-stamping service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    Granted,
    Rejected,
    Unavailable,
    /// Stamps something else.
    OtherImprint,
    /// Signed by somebody whom the global configuration does not list.
    Stranger,
    Garbage,
    Endless,
}

/// A time-stamping service on a port of its own.
#[derive(Debug, Clone)]
pub(crate) struct Tsa {
    pub(crate) url: String,
    mode: Arc<AtomicU8>,
    requests: Arc<AtomicUsize>,
}

impl Tsa {
    pub(crate) fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tsa = Self {
            url: format!("http://{}/tsa", listener.local_addr().unwrap()),
            mode: Arc::new(AtomicU8::new(mode as u8)),
            requests: Arc::default(),
        };
        let serving = tsa.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serving.answer(stream.unwrap());
            }
        });
        tsa
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn service(&self) -> TimeStampingService {
        TimeStampingService {
            name: "TSA".into(),
            url: self.url.clone(),
        }
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let Some(request) = read_request(&mut reader) else {
            return;
        };
        self.requests.fetch_add(1, Ordering::SeqCst);
        let request = tsp::Request::from_der(&request).unwrap();
        assert!(request.nonce.is_none() && request.policy.is_none() && !request.wants_certificate);
        let mode = self.mode.load(Ordering::SeqCst);
        let now = OffsetDateTime::now_utc();
        let body = match mode {
            _ if mode == Mode::Granted as u8 => tsp::grant(&trust().0.stamp(&request, now).unwrap()),
            _ if mode == Mode::Rejected as u8 => tsp::reject("not today"),
            _ if mode == Mode::OtherImprint as u8 => {
                tsp::grant(&trust().0.time_stamp(Imprint::of(DIGEST, b"other"), now).unwrap())
            }
            _ if mode == Mode::Stranger as u8 => {
                let stranger = Authority::create(INSTANCE, KeySpec::P256, now).unwrap();
                tsp::grant(&stranger.stamp(&request, now).unwrap())
            }
            _ if mode == Mode::Endless as u8 => vec![0x30; 3 * tsp::MAX_TSP_BYTES],
            _ => b"garbage".to_vec(),
        };
        let status = if mode == Mode::Unavailable as u8 {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // A client that has enough does not read on.
        let _ = reader.get_mut().write_all(&[head.as_bytes(), &body].concat());
    }
}

fn read_request(reader: &mut impl BufReadExact) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.starts_with("content-type") {
            assert_eq!(line, "content-type: application/timestamp-query");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

trait BufReadExact: std::io::BufRead + std::io::Read {}
impl<T: std::io::BufRead + std::io::Read> BufReadExact for T {}

/// A process whose parts that these rooms need are real.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) process: Arc<Process>,
    pub(crate) requests: Option<Requests>,
    _folder: TempDir,
}

impl World {
    /// `more` goes on in the section `[kiirtee]` of the settings.
    pub(crate) fn new(more: &str, services: Vec<TimeStampingService>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let settings = format!(
            "[kiirtee]\ndata-dir = '{}'\nserver-configuration = '{}'\nglobal-configuration = '{}'\n\
             ocsp-cache = '{}'\nsigner-socket = '{}'\n{more}",
            path("data"),
            path("server.db"),
            path("globalconf"),
            path("ocsp"),
            path("signer.sock"),
        );
        let settings = Settings::from_text(&settings, None).unwrap();
        std::fs::create_dir_all(settings.kiirtee.spool_dir()).unwrap();
        write_globalconf(&settings.kiirtee.global_configuration);
        let (time_stamper, requests) = TimeStamper::new();
        let rules = Rules {
            immediately: settings.message_log.timestamp_immediately,
            ..Rules::default()
        };
        let log = storage::message_log::Settings {
            time_stamping: rules,
            ..Default::default()
        };
        let log = MessageLog::open(&settings.kiirtee.message_log_dir(), log).unwrap();
        let signer = signer_client::Client::connect(&settings.kiirtee.signer_socket);
        let metrics = Metrics::new();
        let sealing = Sealing::start(signer.clone(), log.clone(), metrics.sealing.clone(), 0);
        let process = Process {
            current: Arc::new(Current::new(snapshot(&settings, services))),
            sealing: sealing.unwrap(),
            signer,
            metrics,
            spools: Spools::new(&settings.kiirtee.spool_dir(), 1 << 20).unwrap(),
            handshakes: HandshakePool::start("handshake", 1, 0).unwrap(),
            incoming_handshakes: HandshakePool::start("handshake-from", 1, 0).unwrap(),
            log,
            settings: Arc::new(settings),
            traffic: crate::http::large::Traffic::default(),
            maintenance: crate::admin::Maintenance::default(),
            verdicts: Arc::default(),
            time_stamper,
        };
        Self {
            process: Arc::new(process),
            requests: Some(requests),
            _folder: folder,
        }
    }

    pub(crate) fn configure(&self, services: Vec<TimeStampingService>) {
        self.process
            .current
            .replace(snapshot(&self.process.settings, services));
    }

    /// As after a watcher's look, with another snapshot.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut next = (*self.process.current.take()).clone();
        change(&mut next);
        self.process.current.replace(next);
    }

    pub(crate) fn globalconf(&self) -> Arc<LoadedGlobalConf> {
        self.process.current.take().globalconf.clone().unwrap()
    }

    pub(crate) fn start(&mut self) -> super::super::Background {
        super::super::start(&self.process, self.requests.take().unwrap()).unwrap()
    }

    pub(crate) fn log(&self, message: &Message) -> RecordId {
        let body = message.body.as_ref().map(|body| {
            let mut writer = self.process.log.body_writer();
            for chunk in body.chunks(10_000) {
                writer.append_blocking(Bytes::copy_from_slice(chunk)).unwrap();
            }
            writer.finish().unwrap()
        });
        let record = Record {
            time: OffsetDateTime::now_utc(),
            query_id: message.query_id.clone(),
            request_id: None,
            direction: message.direction,
            client_side: true,
            client: client(),
            service: None,
            kind: MessageKind::Rest,
            message: message.text.clone(),
            signature: message.signature.clone(),
            hash_chain_result: message.hash_chain_result.clone(),
            hash_chain: message.hash_chain.clone(),
            body,
            truncated: false,
        };
        self.process.log.append(record).recv().unwrap().unwrap().id()
    }

    pub(crate) fn stamp_now(&self, record: RecordId) -> Result<(), TimeStampError> {
        self.process.time_stamper.stamp_now_blocking(vec![record])
    }

    /// Waits until nothing waits for a time-stamp.
    pub(crate) fn wait_until_stamped(&self) {
        self.wait("all are stamped", || {
            self.process.log.records().pending(1).unwrap().is_empty()
        });
    }

    pub(crate) fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..300 {
            if condition() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("waited in vain until {what}");
    }
}

/// A signed message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) query_id: String,
    pub(crate) direction: Direction,
    pub(crate) text: Bytes,
    pub(crate) signature: Bytes,
    pub(crate) hash_chain_result: Option<Bytes>,
    pub(crate) hash_chain: Option<Bytes>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Message {
    /// A message of one part, signed alone.
    pub(crate) fn new(query_id: &str, direction: Direction) -> Self {
        let text = Bytes::from(format!("message {query_id} {direction:?}"));
        let part = PartDigest::of(MESSAGE, DIGEST, &text);
        Self {
            query_id: query_id.into(),
            direction,
            signature: sign(Signed::Message(&part)).into(),
            text,
            hash_chain_result: None,
            hash_chain: None,
            body: None,
        }
    }

    /// Messages signed together, each with a body of the length.
    pub(crate) fn batch(query_ids: &[&str], body_length: usize) -> Vec<Self> {
        let texts: Vec<String> = query_ids.iter().map(|id| format!("message {id}")).collect();
        let body: Vec<u8> = (0..body_length).map(|at| (at % 253) as u8).collect();
        let parts = texts.iter().map(|text| {
            vec![
                PartDigest::of(MESSAGE, DIGEST, text.as_bytes()),
                PartDigest::of("/attachment1", DIGEST, &body),
            ]
        });
        let batch = Batch::build(DIGEST, parts.collect()).unwrap();
        let signature = Bytes::from(sign(Signed::HashChainResult(batch.result_xml())));
        let messages = texts
            .iter()
            .zip(query_ids)
            .enumerate()
            .map(|(index, (text, id))| Self {
                query_id: (*id).into(),
                direction: Direction::Request,
                text: Bytes::from(text.clone()),
                signature: signature.clone(),
                hash_chain_result: Some(Bytes::copy_from_slice(batch.result_xml())),
                hash_chain: Some(Bytes::from(batch.chain_xml(index).unwrap())),
                body: Some(body.clone()),
            });
        messages.collect()
    }
}

fn sign(signed: Signed<'_>) -> Vec<u8> {
    let (authority, member) = trust();
    let now = OffsetDateTime::now_utc();
    let ocsp = authority
        .ocsp_response(&member.certificate, CertificateStatus::Good, now, None)
        .unwrap();
    let algorithm = member.key.algorithm_with(DIGEST);
    let builder = Builder {
        certificate: &member.certificate,
        intermediates: &[],
        ocsp_responses: &[ocsp],
        signing_time: now,
        algorithm,
        signed,
    };
    let unsigned = builder.build().unwrap();
    let value = member.key.sign(algorithm, unsigned.to_be_signed()).unwrap();
    let half = member.certificate.public_key().kind().ecdsa_half_len().unwrap();
    unsigned.finish(&ecdsa_der_to_xml(&value, half).unwrap()).unwrap()
}

fn snapshot(settings: &Settings, services: Vec<TimeStampingService>) -> Snapshot {
    let mut configuration = ServerConfiguration::open(&settings.kiirtee.server_configuration).unwrap();
    configuration
        .apply_toml(
            "server = 'TEST/GOV/123/ss1'\n[[client]]\nid = 'TEST/GOV/123/sub'\nauthentication = 'NOSSL'\n",
        )
        .unwrap();
    let mut server = configuration.snapshot().unwrap();
    server.time_stamping_services = services;
    let conf = GlobalConf::load(&globalconf_files(), OffsetDateTime::now_utc()).unwrap();
    Snapshot {
        globalconf: Some(Arc::new(LoadedGlobalConf::new(conf))),
        server: Arc::new(server),
        ..Snapshot::default()
    }
}

/// A global configuration that lists the authority.
pub(crate) fn globalconf_files() -> MemoryFiles {
    globalconf_files_with(|_| {})
}

/// The same, changed.
pub(crate) fn globalconf_with(change: impl FnOnce(&mut SharedParams)) -> LoadedGlobalConf {
    let files = globalconf_files_with(change);
    LoadedGlobalConf::new(GlobalConf::load(&files, OffsetDateTime::now_utc()).unwrap())
}

/// A server configuration, as the request path reads it.
pub(crate) fn server_configuration(toml: &str) -> storage::server_configuration::Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let mut configuration = ServerConfiguration::open(&folder.path().join("server.db")).unwrap();
    configuration.apply_toml(toml).unwrap();
    configuration.snapshot().unwrap()
}

fn globalconf_files_with(change: impl FnOnce(&mut SharedParams)) -> MemoryFiles {
    let authority = &trust().0;
    let member = ClientId::parse_encoded("TEST/GOV/123").unwrap();
    let mut shared = SharedParams {
        instance: INSTANCE.into(),
        approved_cas: vec![ApprovedCa {
            name: "CA".into(),
            top_ca: CaInfo {
                cert: authority.root().certificate.as_der().to_vec(),
                ocsp: vec![OcspInfo {
                    url: "http://127.0.0.1:9".into(),
                    cert: Some(authority.ocsp_responder().certificate.as_der().to_vec()),
                    cost_type: None,
                }],
            },
            certificate_profile_info:
                "ee.ria.xroad.common.certificateprofile.impl.EjbcaCertificateProfileInfoProvider".into(),
            ..ApprovedCa::default()
        }],
        approved_tsas: vec![ApprovedTsa {
            name: "TSA".into(),
            url: "http://127.0.0.1:9".into(),
            cert: authority.time_stamping().certificate.as_der().to_vec(),
            cost_type: None,
        }],
        members: vec![Member {
            id: member.clone(),
            class_description: "Government".into(),
            name: "Member".into(),
            subsystems: Vec::new(),
        }],
        settings: GlobalSettings {
            ocsp_freshness_seconds: 3600,
            ..GlobalSettings::default()
        },
        ..SharedParams::default()
    };
    change(&mut shared);
    let private = PrivateParams {
        instance: INSTANCE.into(),
        anchors: Vec::new(),
        management_service: ManagementService {
            auth_cert_reg_address: "http://127.0.0.1:9".into(),
            auth_cert_reg_cert: None,
            provider: member,
        },
        time_stamping_interval_seconds: 60,
    };
    let mut files = MemoryFiles::default();
    files.0.insert(INSTANCE_IDENTIFIER_FILE.into(), INSTANCE.into());
    let mut add = |file: &str, content_identifier: &str, bytes: Vec<u8>| {
        let metadata = Metadata {
            content_identifier: Some(content_identifier.into()),
            instance_identifier: Some(INSTANCE.into()),
            expiration_date: Some(OffsetDateTime::now_utc() + Duration::hours(1)),
            content_file_name: Some(file.into()),
            content_location: None,
            configuration_version: Some("6".into()),
        };
        files.0.insert(layout::path(INSTANCE, file), bytes);
        files
            .0
            .insert(layout::metadata_path(INSTANCE, file), metadata.write());
    };
    add(
        SHARED_PARAMS_FILE,
        "SHARED-PARAMETERS",
        shared.write(Version::V6).unwrap(),
    );
    add(
        PRIVATE_PARAMS_FILE,
        "PRIVATE-PARAMETERS",
        private.write(Version::V6),
    );
    files
}

fn write_globalconf(folder: &std::path::Path) {
    for (path, bytes) in globalconf_files().0 {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// A handler that is served on a port of its own until it is dropped.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    workers: Option<Workers>,
}

impl Served {
    pub(crate) fn start<H: Handler>(
        process: &Arc<Process>,
        make: impl Fn(Rc<WorkerState>) -> H + Send + Sync + Clone + 'static,
    ) -> Self {
        let settings = WorkerSettings {
            count: 1,
            pin: false,
            ..WorkerSettings::default()
        };
        let (tell, told) = flume::bounded(1);
        let process = Arc::clone(process);
        let workers = worker::spawn(&settings, move |context| {
            let (process, tell, make) = (Arc::clone(&process), tell.clone(), make.clone());
            async move {
                let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 16).unwrap();
                tell.send(listener.address()).unwrap();
                let handler = Rc::new(make(WorkerState::new(process, 1)));
                let drain = context.drain();
                let serve = |tcp, permit| {
                    let (handler, drain) = (Rc::clone(&handler), context.drain());
                    context.spawn(async move {
                        let stream = Stream::plain(tcp).unwrap();
                        serve_connection(stream, Rc::default(), drain, handler).await;
                        drop(permit);
                    });
                };
                listener.serve(&drain, Permits::new(16), serve).await;
            }
        });
        let address = told.recv().unwrap();
        Self {
            address,
            workers: Some(workers.unwrap()),
        }
    }

    /// Status, header fields and body of an answer.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let uri = format!("http://{}{path}", self.address);
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        let mut response = agent.run(request).unwrap();
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        Answer {
            status: response.status().as_u16(),
            content_type: header("content-type"),
            disposition: header("content-disposition"),
            body: response
                .body_mut()
                .with_config()
                .limit(1 << 30)
                .read_to_vec()
                .unwrap(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let workers = self.workers.take().unwrap();
        workers.drain();
        workers.join().unwrap();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) disposition: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
