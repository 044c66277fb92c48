//! A PKCS #11 library in this process.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::RvError,
};

use super::{device_file::DeviceSettings, failure::Failure, gate::Gate};

/// A library, and how often it was initialised: handles of sessions and keys hold for one time.
#[derive(Debug)]
pub(super) struct Library {
    settings: DeviceSettings,
    gate: Gate,
    loaded: Mutex<Option<Pkcs11>>,
    epoch: AtomicU64,
}

impl Library {
    pub(super) fn new(settings: DeviceSettings) -> Self {
        let room = if settings.os_locking_ok { usize::MAX } else { 1 };
        Self {
            settings,
            gate: Gate::new(room),
            loaded: Mutex::new(None),
            epoch: AtomicU64::new(0),
        }
    }

    pub(super) const fn settings(&self) -> &DeviceSettings {
        &self.settings
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Pkcs11>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the library; not while it is being initialised.
    pub(super) fn call<T>(
        &self,
        work: impl FnOnce(&Pkcs11, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _inside = self.gate.enter();
        let library = self.loaded().clone().ok_or(Failure::NotLoaded)?;
        work(&library, self.epoch.load(Ordering::Acquire))
    }

    /// Loads and initialises it, unless that is done.
    pub(super) fn load(&self) -> Result<(), Failure> {
        if self.loaded().is_some() {
            return Ok(());
        }
        let _inside = self.gate.enter();
        let library = Pkcs11::new(&self.settings.library)?;
        match library.initialize(self.arguments()).map_err(Failure::from) {
            Err(failure) if !failure.is(RvError::CryptokiAlreadyInitialized) => return Err(failure),
            _ => {}
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
        *self.loaded() = Some(library);
        Ok(())
    }

    /// Finalises and initialises it, which makes most libraries look again for slots and tokens. Sessions end with it.
    pub(super) fn reload(&self, patience: Duration) -> Result<(), Failure> {
        let Some(library) = self.loaded().clone() else {
            return self.load();
        };
        let _closed = self.gate.close(patience).ok_or(Failure::Occupied)?;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = library.clone().finalize() {
            tracing::warn!(device = self.settings.name, %error, "the library does not end");
        }
        match library.initialize(self.arguments()).map_err(Failure::from) {
            Err(failure) if !failure.is(RvError::CryptokiAlreadyInitialized) => {
                *self.loaded() = None;
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    fn arguments(&self) -> CInitializeArgs {
        let mut flags = CInitializeFlags::empty();
        flags.set(CInitializeFlags::OS_LOCKING_OK, self.settings.os_locking_ok);
        flags.set(
            CInitializeFlags::LIBRARY_CANT_CREATE_OS_THREADS,
            self.settings.library_cant_create_os_threads,
        );
        CInitializeArgs::new(flags)
    }
}
