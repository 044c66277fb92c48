//! Hardware tokens, through the PKCS #11 libraries of their makers (OASIS PKCS #11 2.40 and 3.0).
//!
//! | Module | Subject |
//! |---|---|
//! | `device_file` | `devices.toml`: which libraries, and how they are used |
//! | `device` | a device: slots are read, tokens come and go |
//! | `hardware_token` | a token: what the signer asks of it |
//! | `core` | sessions and logins: lost ones are opened again |
//! | `pool` | threads that call the token; calls that hang |
//! | `library`, `gate` | the library in this process; initialised while nobody is inside |
//! | `objects`, `new_key`, `mechanism` | keys, certificates, signatures in terms of PKCS #11 |
//! | `failure` | what a library says, and what helps |
//!
//! Nobody outside calls a library: calls can hang, and only the threads made for them may.

mod core;
mod device;
pub mod device_file;
mod failure;
mod gate;
mod hardware_token;
mod library;
mod mechanism;
mod new_key;
mod objects;
mod pool;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use signer_client::DeviceInfo;

use super::Token;
use device::Device;
use device_file::DeviceFile;

/// Why a device is looked at.
#[derive(Debug)]
enum Wake {
    /// It is time, or a token fails.
    Look,
    /// Somebody asks, and wants to be told when it is over.
    Tell(flume::Sender<()>),
}

impl Wake {
    fn teller(self) -> Option<flume::Sender<()>> {
        match self {
            Self::Look => None,
            Self::Tell(over) => Some(over),
        }
    }
}

/// Whether the registry has keys of tokens that nobody has seen yet.
#[derive(Clone, Debug, Default)]
struct Expected(Arc<AtomicBool>);

impl Expected {
    fn is_empty(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

/// Every device.
#[derive(Debug, Default)]
pub struct Devices {
    list: Vec<Arc<Device>>,
    expected: Expected,
}

impl Devices {
    /// Starts to look after the devices of the file: every `interval`, sooner while something is amiss. `changed` is
    /// called when tokens or keys have come or gone.
    ///
    /// # Errors
    /// When a thread cannot be started. A library that cannot be loaded is no error: it may come.
    pub fn start(
        file: &DeviceFile,
        interval: Duration,
        pin_file: Option<PathBuf>,
        changed: impl Fn() + Clone + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let expected = Expected::default();
        let start = |settings: &device_file::DeviceSettings| {
            let manner = (interval, pin_file.clone(), expected.clone());
            Device::start(settings.clone(), manner, Box::new(changed.clone()))
        };
        let list: Result<Vec<_>, _> = file.devices.iter().map(start).collect();
        Ok(Self {
            list: list?,
            expected,
        })
    }

    /// Every token that was seen since the start.
    #[must_use]
    pub fn tokens(&self) -> Vec<Arc<dyn Token>> {
        let tokens = self.list.iter().flat_map(|device| device.tokens());
        tokens.map(|token| token as Arc<dyn Token>).collect()
    }

    /// Whether there are tokens with keys that were not seen yet, so that they are looked for.
    pub fn expect(&self, are_there: bool) {
        self.expected.0.store(are_there, Ordering::Release);
    }

    /// Every device.
    #[must_use]
    pub fn describe(&self) -> Vec<DeviceInfo> {
        self.list.iter().map(|device| device.describe()).collect()
    }

    /// Looks at every device now. Whether all were looked at in time.
    #[must_use]
    pub fn refresh(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let asked: Vec<_> = self.list.iter().map(|device| device.ask()).collect();
        let over = |answer: &flume::Receiver<()>| answer.recv_deadline(until).is_ok();
        asked.iter().filter(|answer| over(answer)).count() == asked.len()
    }
}
