//! A device: a library, its slots, and the thread that looks after them.
//!
//! A round reads the slots, notices tokens that came or went, logs in with the PIN file, and reads what tokens hold.
//! Most libraries notice new tokens only when they are initialised, so if a token is missed, or there is none at all,
//! the library is initialised again (as in the reference): soon where nobody else works with it, else at most once an
//! interval, and ever more rarely if it is of no use, for the sessions of the other tokens end with it.

mod slots;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use signer_client::{DeviceInfo, Pin, SlotInfo};

use super::{
    Expected, Wake, core::Seen, device_file::DeviceSettings, failure::Failure, hardware_token::HardwareToken,
    library::Library,
};
use crate::{auto_login, token::Token};

/// The pause between rounds while something is amiss.
const RETRY: Duration = Duration::from_secs(2);
/// How long to wait for running calls before the library is initialised again.
const RELOAD_PATIENCE: Duration = Duration::from_secs(5);
/// A round that takes longer counts as hanging.
const ROUND_PATIENCE: Duration = Duration::from_secs(60);

/// The longest pause between two initialisations that were of no use to others.
const MAX_RELOAD_PAUSE: Duration = Duration::from_secs(900);

/// When the library was initialised again, and how often in vain.
#[derive(Debug, Default)]
struct Reloads {
    last: Option<Instant>,
    in_vain: u32,
}

/// A device.
pub(super) struct Device {
    library: Arc<Library>,
    interval: Duration,
    pin_file: Option<PathBuf>,
    expected: Expected,
    tokens: Mutex<Vec<Arc<HardwareToken>>>,
    shown: Mutex<Shown>,
    wake: flume::Sender<Wake>,
    changed: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("library", &self.library)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Shown {
    problem: Option<String>,
    slots: Vec<SlotInfo>,
    round_since: Option<Instant>,
}

impl Device {
    /// Starts to look after a device.
    pub(super) fn start(
        settings: DeviceSettings,
        (interval, pin_file, expected): (Duration, Option<PathBuf>, Expected),
        changed: Box<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<Arc<Self>> {
        if !settings.developer_sign_delay.is_zero() {
            tracing::warn!(
                device = settings.name,
                delay_ms = settings.developer_sign_delay.as_millis(),
                "developer_sign_delay_ms makes every signature slower; it is for load tests only"
            );
        }
        let (wake, woken) = flume::bounded(8);
        let name = format!("device-{}", settings.name);
        let device = Arc::new(Self {
            library: Arc::new(Library::new(settings)),
            interval,
            pin_file,
            expected,
            tokens: Mutex::default(),
            shown: Mutex::new(Shown {
                problem: Some("it was not looked at yet".to_owned()),
                ..Shown::default()
            }),
            wake,
            changed,
        });
        let watched = Arc::clone(&device);
        thread::Builder::new()
            .name(name)
            .spawn(move || watched.watch(&woken))?;
        Ok(device)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every token that was seen since the start.
    pub(super) fn tokens(&self) -> Vec<Arc<HardwareToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn describe(&self) -> DeviceInfo {
        let settings = self.library.settings();
        let shown = self.shown();
        let hangs = shown
            .round_since
            .is_some_and(|since| since.elapsed() > ROUND_PATIENCE);
        DeviceInfo {
            name: settings.name.clone(),
            library: settings.library.display().to_string(),
            problem: if hangs {
                Some("the library does not answer".to_owned())
            } else {
                shown.problem.clone()
            },
            slots: shown.slots.clone(),
        }
    }

    /// Asks for a round; something is received, or the other end closed, when it is over.
    pub(super) fn ask(&self) -> flume::Receiver<()> {
        let (over, answer) = flume::bounded(1);
        // Full: so many rounds are asked for that one more does not matter.
        let _ = self.wake.try_send(Wake::Tell(over));
        answer
    }

    fn watch(self: Arc<Self>, woken: &flume::Receiver<Wake>) {
        let mut reloads = Reloads::default();
        let mut asked: Vec<flume::Sender<()>> = Vec::new();
        loop {
            self.shown().round_since = Some(Instant::now());
            self.round(&mut reloads);
            self.shown().round_since = None;
            for over in asked.drain(..) {
                let _ = over.send(());
            }
            let pause = if self.is_fine() {
                self.interval
            } else {
                RETRY.min(self.interval)
            };
            let Ok(first) = woken.recv_timeout(pause).or_else(|error| match error {
                flume::RecvTimeoutError::Timeout => Ok(Wake::Look),
                flume::RecvTimeoutError::Disconnected => Err(()),
            }) else {
                return;
            };
            asked.extend(
                std::iter::once(first)
                    .chain(woken.try_iter())
                    .filter_map(Wake::teller),
            );
        }
    }

    fn is_fine(&self) -> bool {
        let missed = self.tokens().iter().any(|token| token.is_missed());
        self.shown().problem.is_none() && !missed && self.expected.is_empty()
    }

    fn round(&self, reloads: &mut Reloads) {
        let before = self.summary();
        let mut read = self.library.load().and_then(|()| slots::read(&self.library));
        if !self.wants_reload(&read) {
            reloads.in_vain = 0;
        } else if self.may_reload(reloads) {
            reloads.last = Some(Instant::now());
            reloads.in_vain += 1;
            tracing::info!(
                device = self.library.settings().name,
                "initialising the library again"
            );
            read = self
                .library
                .reload(RELOAD_PATIENCE)
                .and_then(|()| slots::read(&self.library));
        }
        self.take_note(read);
        for token in self.tokens() {
            if token.status() != signer_client::TokenStatus::NotAvailable {
                token.refresh(|id| self.pin(id));
            }
        }
        if self.summary() != before {
            (self.changed)();
        }
    }

    fn summary(&self) -> Vec<(String, impl PartialEq + use<>)> {
        let tokens = self.tokens();
        tokens
            .iter()
            .map(|token| (token.id().to_owned(), token.summary()))
            .collect()
    }

    fn wants_reload(&self, read: &Result<Vec<(String, Seen)>, Failure>) -> bool {
        let Ok(read) = read else { return true };
        let is_read = |token: &HardwareToken| read.iter().any(|(id, _)| id == token.id());
        let missed = |token: &Arc<HardwareToken>| token.is_missed() || (token.is_in_use() && !is_read(token));
        read.is_empty() || !self.expected.is_empty() || self.tokens().iter().any(missed)
    }

    fn may_reload(&self, reloads: &Reloads) -> bool {
        let others_work = self.tokens().iter().any(|token| token.is_in_use());
        let pause = if others_work {
            let doubled = 2_u32.saturating_pow(reloads.in_vain.min(16));
            self.interval.saturating_mul(doubled).min(MAX_RELOAD_PAUSE)
        } else {
            RETRY.min(self.interval)
        };
        reloads.last.is_none_or(|last| last.elapsed() >= pause)
    }

    fn take_note(&self, read: Result<Vec<(String, Seen)>, Failure>) {
        let (problem, read) = match read {
            Ok(read) if read.is_empty() => (Some("no slot has a token".to_owned()), read),
            Ok(read) => (None, read),
            Err(failure) => (Some(failure.to_string()), Vec::new()),
        };
        let mut shown = self.shown();
        if problem != shown.problem {
            match &problem {
                Some(problem) => tracing::error!(
                    device = self.library.settings().name,
                    problem,
                    "the device does not work"
                ),
                None => tracing::info!(
                    device = self.library.settings().name,
                    slots = read.len(),
                    "the device works"
                ),
            }
        }
        shown.problem = problem;
        shown.slots = read
            .iter()
            .map(|(token, seen)| SlotInfo {
                id: seen.slot.id(),
                token: token.clone(),
            })
            .collect();
        drop(shown);
        self.update_tokens(read);
    }

    fn update_tokens(&self, read: Vec<(String, Seen)>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // A blank token that is away was given a label, or never mattered.
        tokens.retain(|token| {
            read.iter().any(|(id, _)| id == token.id()) || {
                token.vanish();
                !token.keys().is_empty() || token.hardware().is_some_and(|info| !info.label.is_empty())
            }
        });
        for (id, seen) in read {
            match tokens.iter().find(|token| token.id() == id) {
                Some(token) => token.appear(seen),
                None => {
                    tracing::info!(
                        token = id,
                        label = seen.label,
                        slot = seen.slot.id(),
                        "a token was found"
                    );
                    let token = HardwareToken::new(id, Arc::clone(&self.library), &seen, self.wake.clone());
                    tokens.push(Arc::new(token));
                }
            }
        }
    }

    fn pin(&self, token: &str) -> Option<Pin> {
        let path = self.pin_file.as_ref()?;
        match auto_login::read(path, &[token]) {
            Ok(pins) => pins.into_iter().find(|(id, _)| id == token).map(|(_, pin)| pin),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the PIN file");
                None
            }
        }
    }
}
