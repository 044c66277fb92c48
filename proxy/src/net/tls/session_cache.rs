//! A server's resumable sessions: bounded in number and age.
//!
//! Sessions are kept here rather than in tickets held by the clients, because a session carries the client's
//! certificate, whose acceptance must not outlive the reference's 600 seconds (wire.md 2.5).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

/// How long a session may be resumed.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(600);
/// How many sessions are kept; the oldest goes first.
pub const MAX_SESSIONS: usize = 4096;

/// Sessions by their identifier, oldest first out. Touched on handshake threads only.
#[derive(Debug)]
pub struct SessionCache {
    lifetime: Duration,
    bound: usize,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// Identifiers in the order of their arrival; some may be gone from the map already.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("count", &self.by_id.len())
            .finish_non_exhaustive()
    }
}

impl Default for SessionCache {
    fn default() -> Self {
        Self::new(SESSION_LIFETIME, MAX_SESSIONS)
    }
}

impl SessionCache {
    /// A cache of at most `bound` sessions, each resumable for `lifetime`.
    pub fn new(lifetime: Duration, bound: usize) -> Self {
        Self {
            lifetime,
            bound,
            sessions: Mutex::default(),
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Sessions) -> R) -> R {
        work(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh(&self, stored: (Instant, Vec<u8>)) -> Option<Vec<u8>> {
        (stored.0.elapsed() < self.lifetime).then_some(stored.1)
    }
}

impl Sessions {
    fn put(&mut self, id: Vec<u8>, session: Vec<u8>, lifetime: Duration, bound: usize) {
        let now = Instant::now();
        while let Some((since, _)) = self.order.front()
            && (self.order.len() >= bound || now.duration_since(*since) >= lifetime)
        {
            let Some((since, oldest)) = self.order.pop_front() else {
                break;
            };
            if self
                .by_id
                .get(&oldest)
                .is_some_and(|(stored, _)| *stored == since)
            {
                self.by_id.remove(&oldest);
            }
        }
        self.order.push_back((now, id.clone()));
        self.by_id.insert(id, (now, session));
    }
}

impl StoresServerSessions for SessionCache {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.with(|sessions| sessions.put(key, value, self.lifetime, self.bound));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(self.with(|sessions| sessions.by_id.get(key).cloned())?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(self.with(|sessions| sessions.by_id.remove(key))?)
    }

    fn can_cache(&self) -> bool {
        true
    }
}
