//! A request becomes an answer.
//!
//! Reading the status is answered at once. Signing goes to the queue of the key. Everything else changes something and
//! is done by one thread, one after the other.

mod administration;
mod index;
mod status;
mod tokens;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol_pki::digest::DigestAlgorithm;
use signer_client::{
    KeySelector, KeyUsage, Request, Response, SignMessages, SignatureAlgorithm, SignerError,
};

use crate::{
    auto_login::{self, PinFileError},
    counters::Counters,
    registry::{RegistryError, RegistryFile},
    server::ticket::Ticket,
    settings::{Settings, TokenSettings},
    signing::{Job, Limits, MessagesJob, RawJob, check_messages},
    token::{
        Token,
        pkcs11::{
            Devices,
            device_file::{DeviceFile, DeviceFileError},
        },
        software::{SoftwareToken, files::FileError},
    },
};
use index::{CertificateEntry, Index};
use tokens::Tokens;

/// Changes that may wait.
const MAX_WAITING_CHANGES: usize = 64;
/// How long the start waits for hardware tokens. Those that need longer come later.
const PATIENCE_AT_START: Duration = Duration::from_secs(10);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The software token's files.
    #[error("the software token cannot be read")]
    Token(#[from] FileError),
    /// The registry.
    #[error("the key registry cannot be read")]
    Registry(#[from] RegistryError),
    /// The devices' file.
    #[error("the devices cannot be read")]
    Devices(#[from] DeviceFileError),
    /// The PIN file.
    #[error("the PIN file cannot be read")]
    PinFile(#[from] PinFileError),
    /// No thread for changes.
    #[error("a thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// What the user at the other end of a connection may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Everything.
    Administrator,
    /// The status, and signatures.
    Signing,
    /// The status alone.
    Reading,
}

impl Role {
    fn may(self, request: &Request) -> bool {
        match request {
            Request::Status => true,
            Request::SignMessages(_) | Request::SignData { .. } | Request::SignDigest { .. } => {
                self != Self::Reading
            }
            _ => self == Self::Administrator,
        }
    }
}

/// Tokens, registry and queues.
#[derive(Debug)]
pub struct Service {
    tokens: Tokens,
    registry: RegistryFile,
    index: RwLock<Arc<Index>>,
    counters: Arc<Counters>,
    limits: Limits,
    preferences: TokenSettings,
    changes: Mutex<Option<Changes>>,
}

/// What the thread for changes does.
#[derive(Debug)]
enum Change {
    /// What somebody asks.
    Asked(Request, Ticket),
    /// Hardware tokens or their keys have come or gone.
    TokensChanged,
}

#[derive(Debug)]
struct Changes {
    queue: flume::Sender<Change>,
    thread: JoinHandle<()>,
}

impl Service {
    /// Reads tokens and registry, logs in with the PIN file, and starts the thread for changes.
    ///
    /// # Errors
    /// See [`StartError`]. A wrong PIN in the PIN file is logged, not an error.
    pub fn start(settings: &Settings) -> Result<Arc<Self>, StartError> {
        let (queue, changes) = flume::bounded(MAX_WAITING_CHANGES);
        let service = Arc::new(Self::load(settings, queue.clone())?);
        if let Some(path) = &settings.kiirtee.pin_file {
            service.log_in(path)?;
        }
        if !service.tokens.refresh(PATIENCE_AT_START) {
            tracing::warn!("hardware tokens are not ready yet; their keys come later");
        }
        service.take_over_tokens();
        let changer = Arc::clone(&service);
        let thread = thread::Builder::new()
            .name("changes".to_owned())
            .spawn(move || changer.make_changes(&changes))
            .map_err(StartError::Thread)?;
        *service.changes() = Some(Changes { queue, thread });
        Ok(service)
    }

    fn load(settings: &Settings, changes: flume::Sender<Change>) -> Result<Self, StartError> {
        let tokens = load_tokens(settings, &changes)?;
        let registry = RegistryFile::load(&settings.kiirtee.state_directory.join("keys.json"))?;
        let signing = &settings.kiirtee;
        let (max_batch, max_queue) = (signing.max_batch, signing.max_queue);
        let service = Self {
            tokens,
            registry,
            index: RwLock::default(),
            counters: Arc::default(),
            limits: Limits {
                max_batch,
                max_queue,
                timeout: signing.signing_timeout,
            },
            preferences: settings.signer.clone(),
            changes: Mutex::new(None),
        };
        service.take_over_tokens();
        Ok(service)
    }

    fn log_in(&self, pin_file: &Path) -> Result<(), PinFileError> {
        let Some(token) = self.tokens.software() else {
            return Ok(());
        };
        // Hardware tokens are logged in to when they are found.
        let pins = auto_login::read(pin_file, &[token.id()])?;
        for (_, pin) in pins.iter().filter(|(id, _)| id == token.id()) {
            match token.login(pin) {
                Ok(()) => tracing::info!(token = token.id(), "logged in with the PIN file"),
                Err(error) => {
                    tracing::error!(token = token.id(), code = error.fault_code(), %error, "the PIN file");
                }
            }
        }
        Ok(())
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, Option<Changes>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn rebuild_index(&self) {
        let index = Index::build(&self.registry.current(), &self.index(), |record| {
            let token = self.tokens.with_keys(&record.token);
            (token, &self.counters, self.limits)
        });
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    /// Answers the request, now or later.
    pub fn dispatch(&self, role: Role, request: Request, ticket: Ticket) {
        if !role.may(&request) {
            return ticket.answer(Err(SignerError::NotPermitted));
        }
        match request {
            Request::Status => ticket.answer(Ok(Response::Status(self.status()))),
            Request::SignMessages(request) => self.sign_messages(request, ticket),
            Request::SignData { key, algorithm, data } => {
                let digest = DigestAlgorithm::from(algorithm.digest()).digest(&data);
                self.sign_digest(&key, algorithm, digest.to_vec(), ticket);
            }
            Request::SignDigest {
                key,
                algorithm,
                digest,
            } => {
                self.sign_digest(&key, algorithm, digest.to_vec(), ticket);
            }
            change => self.queue_change(change, ticket),
        }
    }

    fn sign_messages(&self, request: SignMessages, ticket: Ticket) {
        let index = self.index();
        let found = index.certificate(request.certificate).and_then(signing_key);
        let job = found.and_then(|entry| Ok((entry, check_messages(&request)?)));
        match job {
            Err(error) => ticket.answer(Err(error)),
            Ok((CertificateEntry { certificate, key, .. }, messages)) => {
                let SignMessages {
                    intermediates,
                    ocsp_responses,
                    ..
                } = request;
                let (certificate, since) = (Arc::clone(certificate), Instant::now());
                let job = MessagesJob {
                    certificate,
                    intermediates,
                    ocsp_responses,
                    messages,
                    since,
                    ticket,
                };
                key.worker.submit(Job::Messages(job));
            }
        }
    }

    fn sign_digest(&self, key: &KeySelector, algorithm: SignatureAlgorithm, digest: Vec<u8>, ticket: Ticket) {
        let index = self.index();
        let found = match key {
            KeySelector::Key(id) => index.key(id),
            KeySelector::Certificate(name) => index.certificate(*name).map(|entry| &entry.key),
        };
        match found {
            Err(error) => ticket.answer(Err(error)),
            Ok(_) if digest.len() != algorithm.digest().length() => {
                ticket.answer(Err(SignerError::InvalidRequest(
                    "the digest has the wrong length".to_owned(),
                )));
            }
            Ok(key) => {
                key.worker.submit(Job::Raw(RawJob {
                    algorithm,
                    digest,
                    since: Instant::now(),
                    ticket,
                }));
            }
        }
    }

    fn queue_change(&self, change: Request, ticket: Ticket) {
        let queue = self.changes().as_ref().map(|changes| changes.queue.clone());
        let refused = match queue {
            Some(queue) => queue
                .try_send(Change::Asked(change, ticket))
                .err()
                .map(flume::TrySendError::into_inner),
            None => Some(Change::Asked(change, ticket)),
        };
        if let Some(Change::Asked(_, ticket)) = refused {
            self.counters.refused();
            ticket.answer(Err(SignerError::Busy));
        }
    }

    /// Waits until everything that was accepted is answered, and ends the threads.
    pub fn finish(&self) {
        let changes = self.changes().take();
        if let Some(Changes { queue, thread }) = changes {
            drop(queue);
            // A panic was reported by its own thread.
            let _ = thread.join();
        }
        self.index().keys().for_each(|key| key.worker.finish());
    }
}

/// Only a registered and active certificate of a signing key signs messages.
fn signing_key(entry: &CertificateEntry) -> Result<&CertificateEntry, SignerError> {
    if entry.key.usage != KeyUsage::Signing {
        return Err(SignerError::WrongCertificateUsage(
            "its key is not a signing key".to_owned(),
        ));
    }
    if !entry.usable {
        return Err(SignerError::CannotSign(
            "the certificate is not registered and active".to_owned(),
        ));
    }
    Ok(entry)
}

fn load_tokens(settings: &Settings, changes: &flume::Sender<Change>) -> Result<Tokens, StartError> {
    let file = DeviceFile::read(&settings.signer.device_configuration_file)?;
    let software: Option<Arc<dyn Token>> = if file.software_token {
        Some(Arc::new(SoftwareToken::of(settings)?))
    } else {
        None
    };
    let interval = settings.signer.module_manager_update_interval;
    // Weak: devices are looked at for ever, and whoever waits for the end of the changes waits for the last who may send one.
    let changes = changes.downgrade();
    // Full: the changes that wait end with a look at all tokens.
    let changed = move || {
        if let Some(changes) = changes.upgrade() {
            let _ = changes.try_send(Change::TokensChanged);
        }
    };
    let devices = Devices::start(&file, interval, settings.kiirtee.pin_file.clone(), changed);
    Ok(Tokens::new(software, devices.map_err(StartError::Thread)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_read_the_proxy_signs_and_administrators_change() {
        let sign = Request::SignData {
            key: KeySelector::Key("4C7A".to_owned()),
            algorithm: SignatureAlgorithm::RsaPkcs1(signer_client::DigestAlgorithm::Sha256),
            data: Vec::new().into(),
        };
        let change = Request::Logout {
            token: "0".to_owned(),
        };
        let may = |role: Role| [&Request::Status, &sign, &change].map(|request| role.may(request));
        assert_eq!(may(Role::Reading), [true, false, false]);
        assert_eq!(may(Role::Signing), [true, true, false]);
        assert_eq!(may(Role::Administrator), [true, true, true]);
    }
}
