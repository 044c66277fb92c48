//! The thread that looks for changes and puts new snapshots in place.
//!
//! It alone reads files, the database and the signer's state, and has names looked up. What can't be read leaves what was
//! known in place, and the log says why.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol_globalconf::GlobalConf;
use signer_client::{Client, Request, SignerError, Status};
use storage::server_configuration::ServerConfiguration;
use time::OffsetDateTime;

use super::addresses::LookUps;
use super::files::Directory;
use super::internal_certificate::InternalCertificate;
use super::keys::{Keys, OcspResponses};
use super::material::LoadedGlobalConf;
use super::tls::{TlsConfigs, TlsFactory};
use super::{Current, Snapshot};
use crate::message_log::time_stamping::Stop;
use crate::settings::Settings;

/// How often files, database and signer are looked at: the server configuration must take effect within a second.
const INTERVAL: Duration = Duration::from_millis(300);
/// How long the signer's state is waited for, far less than a signature may take.
const SIGNER_PATIENCE: Duration = Duration::from_secs(1);
/// How often keys are chosen again though nothing changed, since certificates and OCSP responses run out.
const RESELECT_INTERVAL: Duration = Duration::from_secs(20);

/// Keeps the current snapshot current.
#[derive(Debug)]
pub struct Watcher {
    settings: Arc<Settings>,
    configuration: ServerConfiguration,
    signer: Client,
    current: Arc<Current>,
    factory: TlsFactory,
    internal_certificate: InternalCertificate,
    files: Directory,
    seen: Seen,
    look_ups: LookUps,
}

/// What the last snapshot was made from.
#[derive(Debug, Default)]
struct Seen {
    files: Option<Vec<(std::path::PathBuf, Option<std::time::SystemTime>, u64)>>,
    ocsp: Option<Vec<(std::path::PathBuf, Option<std::time::SystemTime>, u64)>>,
    version: Option<u64>,
    status: Option<Status>,
    selected: Option<Instant>,
    problems: Vec<String>,
}

fn device_problems(status: &Status) -> Vec<String> {
    let problem = |device: &signer_client::DeviceInfo| {
        let problem = device.problem.as_ref()?;
        Some(format!("{}: {problem}", device.name))
    };
    status.devices.iter().filter_map(problem).collect()
}

impl Watcher {
    /// A watcher that has seen nothing yet.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        configuration: ServerConfiguration,
        signer: Client,
        current: Arc<Current>,
        factory: TlsFactory,
        internal_certificate: InternalCertificate,
    ) -> Self {
        let files = Directory::new(&settings.kiirtee.global_configuration);
        Self {
            settings,
            configuration,
            signer,
            current,
            factory,
            internal_certificate,
            files,
            seen: Seen::default(),
            look_ups: LookUps::default(),
        }
    }

    /// Looks once, and puts a new snapshot in place if anything changed.
    pub fn look(&mut self) {
        let mut next = (*self.current.take()).clone();
        let globalconf_changed = self.look_at_globalconf(&mut next);
        let server_changed = self.look_at_server_configuration(&mut next);
        let keys_changed = self.look_at_keys(&mut next, globalconf_changed || server_changed);
        let resolved = self.resolve(&mut next, globalconf_changed || server_changed);
        if globalconf_changed || resolved {
            next.find_peer_addresses();
        }
        if globalconf_changed || server_changed || keys_changed || resolved {
            self.current.replace(next);
        }
    }

    /// Looks until `stop` is told.
    pub fn run(mut self, stop: &Stop) {
        while stop.sleep(INTERVAL) {
            self.look();
        }
    }

    fn look_at_globalconf(&mut self, next: &mut Snapshot) -> bool {
        let stamp = self.files.stamp();
        if self.seen.files.as_ref() == Some(&stamp) {
            return false;
        }
        let now = OffsetDateTime::now_utc();
        let loaded = match &next.globalconf {
            Some(known) => known.reload(&self.files, now),
            None => GlobalConf::load(&self.files, now),
        };
        match loaded {
            Ok(conf) => {
                for problem in conf.problems() {
                    tracing::warn!(instance = problem.instance, error = %problem.error, "global configuration");
                }
                next.globalconf = Some(Arc::new(LoadedGlobalConf::new(conf)));
                self.seen.files = Some(stamp);
                true
            }
            Err(error) => {
                self.problem(format!("global configuration: {error}"));
                false
            }
        }
    }

    fn look_at_server_configuration(&mut self, next: &mut Snapshot) -> bool {
        let read = self.configuration.version().and_then(|version| {
            if self.seen.version == Some(version) {
                return Ok(None);
            }
            self.configuration
                .snapshot()
                .map(|snapshot| Some((version, snapshot)))
        });
        match read {
            Ok(None) => false,
            Ok(Some((version, snapshot))) => {
                tracing::info!(version, "server configuration read");
                next.server = Arc::new(snapshot);
                self.seen.version = Some(version);
                true
            }
            Err(error) => {
                self.problem(format!("server configuration: {error}"));
                false
            }
        }
    }

    fn look_at_keys(&mut self, next: &mut Snapshot, conf_changed: bool) -> bool {
        let status = match self.signer_status() {
            Ok(status) => Status {
                // These change with every message.
                counters: signer_client::Counters::default(),
                figures: Vec::new(),
                ..status
            },
            Err(error) => {
                self.problem(format!("signer: {error}"));
                return false;
            }
        };
        let ocsp = Directory::new(&self.settings.kiirtee.ocsp_cache).stamp();
        let due = self
            .seen
            .selected
            .is_none_or(|at| at.elapsed() >= RESELECT_INTERVAL);
        let same = self.seen.status.as_ref() == Some(&status) && self.seen.ocsp.as_ref() == Some(&ocsp);
        let shows_another = self.look_at_internal_certificate();
        if same && !conf_changed && !due && !shows_another {
            return false;
        }
        next.device_problems = device_problems(&status);
        self.select(next, &status);
        self.seen.status = Some(status);
        self.seen.ocsp = Some(ocsp);
        self.seen.selected = Some(Instant::now());
        true
    }

    fn look_at_internal_certificate(&mut self) -> bool {
        let looked = self.internal_certificate.look();
        looked.unwrap_or_else(|error| {
            self.problem(error.to_string());
            false
        })
    }

    /// Asked with little patience: while the signer is busy, other changes must take effect.
    fn signer_status(&self) -> Result<Status, SignerError> {
        let answer = self.signer.submit(Request::Status);
        answer
            .recv_timeout(SIGNER_PATIENCE)
            .unwrap_or(Err(SignerError::TimedOut))?
            .try_into()
    }

    fn select(&mut self, next: &mut Snapshot, status: &Status) {
        let Some(globalconf) = next.globalconf.clone() else {
            return;
        };
        let now = OffsetDateTime::now_utc();
        let responses = read_ocsp_responses(&self.settings.kiirtee.ocsp_cache);
        let keys = Keys::select(status, next.server.server.as_ref(), &globalconf, responses, now);
        if keys.problems != self.seen.problems {
            keys.problems
                .iter()
                .for_each(|problem| tracing::warn!(problem, "key not usable"));
            self.seen.problems.clone_from(&keys.problems);
        }
        match self.tls(&next.tls, &keys, &globalconf, status, now) {
            Ok(tls) => next.tls = tls,
            Err(error) => self.problem(format!("TLS: {error}")),
        }
        next.keys = Arc::new(keys);
    }

    fn tls(
        &mut self,
        at_hand: &TlsConfigs,
        keys: &Keys,
        globalconf: &LoadedGlobalConf,
        status: &Status,
        now: OffsetDateTime,
    ) -> Result<TlsConfigs, rustls::Error> {
        let issuers = globalconf
            .all_ca_certs()
            .map(|ca| ca.certificate.subject_der().to_vec())
            .collect::<BTreeSet<_>>();
        let peers = keys.authentication(now).map(|key| {
            self.factory
                .peers(at_hand.peers.as_ref(), key, issuers.into_iter().collect())
        });
        let known = at_hand.internal.clone();
        let internal = match self.internal_certificate.get() {
            Some(certificate) if at_hand.internal_certificate() != Some(certificate.as_der()) => {
                // One whose key is not there yet leaves what was known.
                self.factory.internal(certificate, status)?.or(known)
            }
            _ => known,
        };
        Ok(TlsConfigs {
            peers: peers.transpose()?,
            internal,
        })
    }

    /// Takes over the addresses that were found. One that was good does not go away because the name service does.
    fn resolve(&mut self, next: &mut Snapshot, names_changed: bool) -> bool {
        let Some(mut found) = self.look_ups.advance(names_changed, || names(next)) else {
            return false;
        };
        for name in names(next) {
            if let (false, Some(known)) = (found.contains_key(&name), next.addresses.get(&name)) {
                found.insert(name, known.clone());
            }
        }
        let changed = found != *next.addresses;
        next.addresses = Arc::new(found);
        changed
    }

    /// Logs a problem when it is new.
    fn problem(&mut self, problem: String) {
        if !self.seen.problems.contains(&problem) {
            tracing::warn!("{problem}");
            self.seen.problems.push(problem);
        }
    }
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    let servers = snapshot
        .globalconf
        .iter()
        .flat_map(|globalconf| globalconf.known_addresses());
    let mut names: Vec<String> = servers.map(ToOwned::to_owned).collect();
    let clients = snapshot
        .server
        .clients()
        .flat_map(|(_, client)| client.services());
    let services = clients.filter_map(|id| snapshot.server.service(id));
    let urls = services.flat_map(|service| [&service.url, &service.description_url]);
    names.extend(urls.filter_map(|url| crate::service_url::host_of(url)));
    names.retain(|name| name.parse::<IpAddr>().is_err());
    names.sort();
    names.dedup();
    names
}

/// Every `<sha1 hex>.ocsp` file.
fn read_ocsp_responses(folder: &Path) -> OcspResponses {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        Some((
            name.strip_suffix(".ocsp")?.to_owned(),
            Bytes::from(std::fs::read(file.path()).ok()?),
        ))
    });
    named.collect()
}
