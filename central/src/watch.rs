//! When a generation is made: at every interval, and within a second when the registry changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;

use crate::generate::{GenerateError, Generator, write_anchors};
use crate::keys::SigningKeys;
use crate::publish::Publication;
use crate::registry::Loaded;
use crate::settings::Settings;

/// Time between two looks at the registry.
const LOOK: Duration = Duration::from_millis(250);
/// Time until a failed generation is tried again, unless the registry changes.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// The thread that makes generations.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        settings: Settings,
        signer: signer_client::Client,
        publication: Arc<Publication>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("generate".to_owned())
            .spawn(move || {
                Worker {
                    settings,
                    signer,
                    publication,
                }
                .work(&until)
            })?;
        Ok(Self { stop, thread })
    }

    /// Tells the thread to stop and waits for it.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.join().is_err() {
            tracing::error!("the generating thread panicked");
        }
    }
}

struct Worker {
    settings: Settings,
    signer: signer_client::Client,
    publication: Arc<Publication>,
}

/// Changes when a file is written.
type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Worker {
    fn work(&self, stop: &AtomicBool) {
        let (mut last, mut due) = (Stamp::new(), Instant::now());
        while !stop.load(Ordering::Acquire) {
            let stamp = self.stamp();
            if stamp != last || Instant::now() >= due {
                due = Instant::now() + self.generate();
                last = stamp;
            }
            thread::sleep(LOOK);
        }
    }

    fn stamp(&self) -> Stamp {
        let files: [PathBuf; 2] = [
            self.settings.registry.clone(),
            self.settings.state_directory.join(crate::keys::KEYS_FILE),
        ];
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        files.iter().map(stamp).collect()
    }

    /// Makes a generation; gives the time until the next.
    fn generate(&self) -> Duration {
        let interval = Duration::from_secs(self.settings.interval);
        match self.try_generate() {
            Ok(files) => {
                tracing::info!(files, "published a generation of the global configuration");
                interval
            }
            Err(error) => {
                // What was published stays published until it expires.
                tracing::error!(
                    error = chain(&error),
                    "no new generation of the global configuration"
                );
                RETRY_DELAY.min(interval)
            }
        }
    }

    fn try_generate(&self) -> Result<usize, GenerateError> {
        let now = OffsetDateTime::now_utc();
        let registry = Loaded::read(&self.settings.registry)?;
        let keys = SigningKeys::read(&self.settings.state_directory)?;
        let validity = validity(&self.settings);
        let generator = Generator {
            registry: &registry,
            keys: &keys,
            signer: &self.signer,
            validity,
        };
        let generation = generator.generate(&self.settings.versions(), now)?;
        let files = generation.files.len();
        write_anchors(&registry, &keys, &self.settings.state_directory, now)?;
        self.publication.publish(generation, validity);
        Ok(files)
    }
}

fn validity(settings: &Settings) -> time::Duration {
    time::Duration::seconds(i64::try_from(settings.validity).unwrap_or(i64::MAX))
}

/// An error with all its causes on one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
