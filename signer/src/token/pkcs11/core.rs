//! What all seats of a token share: where the token is, whether somebody is logged in, what it holds.

mod login;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cryptoki::{context::Pkcs11, object::ObjectHandle, session::Session, slot::Slot};
use signer_client::{Pin, PinState};

use super::{
    failure::{Failure, Remedy},
    library::Library,
    objects::{self, Contents},
};
use crate::token::TokenKey;
pub(super) use login::secret;

/// What a slot shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) slot: Slot,
    pub(super) label: String,
    pub(super) serial_number: String,
    pub(super) model: String,
    pub(super) is_blank: bool,
    pub(super) is_write_protected: bool,
    pub(super) pin: PinState,
}

/// A token, as its seats know it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) id: String,
    pub(super) library: Arc<Library>,
    state: Mutex<State>,
    /// One at a time enters a PIN, so that a wrong one is entered once.
    entering: Mutex<()>,
    /// Raised when handles of private keys are no longer good: they end with a login (PKCS #11 5.6.8).
    generation: AtomicU64,
    /// A call failed as if the token were away, and none has succeeded since.
    suspect: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` while it is away.
    pub(super) slot: Option<Slot>,
    pub(super) seen: Option<Seen>,
    /// Kept as long as somebody is logged in: sessions that are lost are opened again with it.
    pub(super) pin: Option<Pin>,
    pub(super) contents: Contents,
    /// The PIN file is asked once.
    pub(super) pin_file_asked: bool,
}

impl State {
    pub(super) const fn is_logged_in(&self) -> bool {
        self.pin.is_some()
    }
}

/// What a seat keeps: its session.
#[derive(Debug, Default)]
pub(super) struct Seat {
    open: Option<(Arc<Library>, Open)>,
}

/// A session.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) session: Session,
    epoch: u64,
    slot: Slot,
    generation: u64,
    handles: HashMap<String, ObjectHandle>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((library, open)) = self.open.take() {
            // It may be gone with its token.
            let _ = library.call(|_, epoch| {
                open.close(epoch);
                Ok(())
            });
        }
    }
}

impl Open {
    /// Only inside the library: handles of an earlier initialisation may be those of other sessions now.
    fn close(self, epoch: u64) {
        if self.epoch == epoch
            && let Err(error) = self.session.close()
        {
            tracing::debug!(%error, "a session was closed already");
        }
    }

    /// The handle of a private key.
    pub(super) fn private_key(&mut self, id: &str) -> Result<ObjectHandle, Failure> {
        if let Some(handle) = self.handles.get(id) {
            return Ok(*handle);
        }
        let handle = objects::private_key(&self.session, id)?;
        self.handles.insert(id.to_owned(), handle);
        Ok(handle)
    }
}

impl Core {
    pub(super) fn new(id: String, library: Arc<Library>) -> Self {
        Self {
            id,
            library,
            state: Mutex::default(),
            entering: Mutex::new(()),
            generation: AtomicU64::new(0),
            suspect: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Acquire)
    }

    /// Keys have gone that nobody deleted: some libraries do not say more when their token goes.
    pub(super) fn suspect(&self) {
        self.suspect.store(true, Ordering::Release);
    }

    pub(super) fn forget_handles(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Works in the seat's session. Sessions that the token has closed, keys that have other handles now and logins that
    /// it has forgotten are made good, once.
    pub(super) fn in_session<T>(
        &self,
        seat: &mut Seat,
        work: impl Fn(&mut Open) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match self.once(seat, &work) {
            Err(failure) => failure,
            done => return done,
        };
        match failure.remedy() {
            Remedy::RightPin | Remedy::Nothing => return Err(failure),
            Remedy::NewHandle => self.forget_handles(),
            Remedy::NewSession | Remedy::Login | Remedy::LookForToken => self.discard(seat),
        }
        tracing::info!(token = self.id, %failure, "trying once more");
        self.once(seat, &work)
    }

    fn once<T>(
        &self,
        seat: &mut Seat,
        work: &impl Fn(&mut Open) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = self.library.call(|library, epoch| {
            let open = self.opened(seat, library, epoch)?;
            work(open)
        });
        let failing = result
            .as_ref()
            .is_err_and(|failure| failure.remedy() == Remedy::LookForToken);
        self.suspect.store(failing, Ordering::Release);
        result
    }

    fn discard(&self, seat: &mut Seat) {
        *seat = Seat::default();
        self.forget_handles();
    }

    fn opened<'a>(&self, seat: &'a mut Seat, library: &Pkcs11, epoch: u64) -> Result<&'a mut Open, Failure> {
        let slot = self.state().slot.ok_or(Failure::Away)?;
        let generation = self.generation.load(Ordering::Acquire);
        let fits = |open: &Open| open.epoch == epoch && open.slot == slot;
        let mut open = match seat.open.take() {
            Some((_, open)) if fits(&open) => open,
            other => {
                if let Some((_, old)) = other {
                    old.close(epoch);
                }
                self.open(library, slot, epoch)?
            }
        };
        if open.generation != generation {
            open.generation = generation;
            open.handles.clear();
        }
        let (_, open) = seat.open.insert((Arc::clone(&self.library), open));
        Ok(open)
    }

    fn open(&self, library: &Pkcs11, slot: Slot, epoch: u64) -> Result<Open, Failure> {
        let session = if self.is_read_only() {
            library.open_ro_session_no_drop(slot)?
        } else {
            library.open_rw_session_no_drop(slot)?
        };
        let open = Open {
            session,
            epoch,
            slot,
            generation: 0,
            handles: HashMap::new(),
        };
        match self.enter_known_pin(&open.session) {
            Ok(()) => Ok(open),
            Err(failure) => {
                open.close(epoch);
                Err(failure)
            }
        }
    }

    pub(super) fn is_read_only(&self) -> bool {
        let protected = self
            .state()
            .seen
            .as_ref()
            .is_some_and(|seen| seen.is_write_protected);
        self.library.settings().read_only || protected
    }

    /// Looks at what the token holds.
    pub(super) fn read_contents(&self, seat: &mut Seat) -> Result<(), Failure> {
        let contents = self.logged_in(seat, |open| objects::read(&open.session))?;
        let mut state = self.state();
        let stays = |key: &TokenKey| contents.keys.iter().any(|found| found.id == key.id);
        let lost = !state.contents.keys.iter().all(stays);
        state.contents = contents;
        drop(state);
        if lost {
            self.suspect();
        }
        Ok(())
    }
}
