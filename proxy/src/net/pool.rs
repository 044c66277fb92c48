//! Kept-alive client connections of one worker.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};
use std::time::Duration;

use monoio::time::Instant;

use crate::http::ClientConnection;

/// What makes two connections interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Address of the server.
    pub address: SocketAddr,
    /// What else matters: the host name asked for, or whom the connection was verified to reach.
    pub name: Option<Rc<str>>,
    /// Generation of the TLS identity and trust behind the connection; 0 without TLS.
    pub identity: u64,
}

impl PoolKey {
    /// The key of plain connections to an address.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            name: None,
            identity: 0,
        }
    }
}

/// Bounds of a pool (wire.md 2.6 gives the reference's).
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// How long a connection may be idle.
    pub idle_limit: Duration,
    /// How often idle connections are looked through.
    pub sweep_interval: Duration,
    /// Idle connections kept for one key.
    pub max_idle_per_key: usize,
    /// Idle connections kept in all.
    pub max_idle: usize,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            idle_limit: Duration::from_secs(60),
            sweep_interval: Duration::from_secs(5),
            max_idle_per_key: 256,
            max_idle: 4096,
        }
    }
}

/// The idle connections of a worker. Clones share them.
#[derive(Debug, Clone)]
pub struct ConnectionPool {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: PoolSettings,
    idle: RefCell<Idle>,
    closed: Cell<bool>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The most recently used at the back.
    by_key: HashMap<PoolKey, VecDeque<(Instant, ClientConnection)>>,
    count: usize,
}

impl ConnectionPool {
    /// An empty pool with its sweeper. Call inside a worker.
    pub fn new(settings: PoolSettings) -> Self {
        let shared = Rc::new(Shared {
            settings,
            idle: RefCell::default(),
            closed: Cell::new(false),
        });
        monoio::spawn(sweep(Rc::downgrade(&shared)));
        Self { shared }
    }

    /// An idle connection that is still open, the most recently used first.
    pub fn checkout(&self, key: &PoolKey) -> Option<PooledConnection> {
        let idle_limit = self.shared.settings.idle_limit;
        loop {
            let (since, mut connection) = self.shared.idle.borrow_mut().take(key)?;
            if since.elapsed() < idle_limit && connection.is_alive() {
                return Some(self.wrap(key.clone(), connection, true));
            }
        }
    }

    /// Gives a fresh connection to the pool's care: it comes back here when it is dropped reusable.
    pub fn adopt(&self, key: PoolKey, connection: ClientConnection) -> PooledConnection {
        self.wrap(key, connection, false)
    }

    /// Closes all idle connections and keeps none from now on: the worker is about to end.
    pub fn close(&self) {
        self.shared.closed.set(true);
        self.shared.idle.borrow_mut().retain(|_, _, _| false);
    }

    /// How many connections are idle.
    pub fn idle_count(&self) -> usize {
        self.shared.idle.borrow().count
    }

    fn wrap(&self, key: PoolKey, connection: ClientConnection, reused: bool) -> PooledConnection {
        PooledConnection {
            pool: Rc::downgrade(&self.shared),
            key,
            connection: Some(connection),
            reused,
        }
    }
}

impl Idle {
    fn take(&mut self, key: &PoolKey) -> Option<(Instant, ClientConnection)> {
        let taken = self.by_key.get_mut(key)?.pop_back()?;
        self.count -= 1;
        Some(taken)
    }

    fn put(&mut self, key: PoolKey, connection: ClientConnection, settings: &PoolSettings) {
        if self.count >= settings.max_idle || settings.max_idle_per_key == 0 {
            return;
        }
        let queue = self.by_key.entry(key).or_default();
        if queue.len() >= settings.max_idle_per_key {
            queue.pop_front();
            self.count -= 1;
        }
        queue.push_back((Instant::now(), connection));
        self.count += 1;
    }

    fn retain(&mut self, mut keep: impl FnMut(&PoolKey, Instant, &mut ClientConnection) -> bool) {
        self.by_key.retain(|key, queue| {
            queue.retain_mut(|(since, connection)| keep(key, *since, connection));
            !queue.is_empty()
        });
        self.count = self.by_key.values().map(VecDeque::len).sum();
    }
}

/// Closes what was idle for too long or closed by its peer.
async fn sweep(shared: Weak<Shared>) {
    loop {
        let Some(interval) = shared.upgrade().map(|shared| shared.settings.sweep_interval) else {
            return;
        };
        monoio::time::sleep(interval).await;
        let Some(shared) = shared.upgrade() else { return };
        let idle_limit = shared.settings.idle_limit;
        shared
            .idle
            .borrow_mut()
            .retain(|_, since, connection| since.elapsed() < idle_limit && connection.is_alive());
    }
}

/// A connection that goes back to its pool when it is dropped reusable.
#[derive(Debug)]
pub struct PooledConnection {
    pool: Weak<Shared>,
    key: PoolKey,
    /// `None` only while being dropped or discarded.
    connection: Option<ClientConnection>,
    reused: bool,
}

impl PooledConnection {
    /// Whether the connection served a request before. A reused one may be closed by its peer at the very moment of
    /// the next request: when that fails with nothing received, trying once more on a fresh one is right, provided
    /// that the request may be repeated.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Closes the connection, so that nobody gets it from the pool again.
    pub fn discard(mut self) {
        self.connection = None;
    }

    /// What the connection is pooled by.
    pub fn key(&self) -> &PoolKey {
        &self.key
    }
}

impl Deref for PooledConnection {
    type Target = ClientConnection;

    #[expect(clippy::expect_used, reason = "the connection is taken by drop only")]
    fn deref(&self) -> &ClientConnection {
        self.connection.as_ref().expect("connection is there until drop")
    }
}

impl DerefMut for PooledConnection {
    #[expect(clippy::expect_used, reason = "the connection is taken by drop only")]
    fn deref_mut(&mut self) -> &mut ClientConnection {
        self.connection.as_mut().expect("connection is there until drop")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let (Some(mut connection), Some(pool)) = (self.connection.take(), self.pool.upgrade()) else {
            return;
        };
        // The look starts a read, which is under way while the connection is idle: a completion-based driver can tell
        // of a peer's end only through a read that was started before.
        if connection.is_reusable() && !pool.closed.get() && connection.is_alive() {
            pool.idle
                .borrow_mut()
                .put(self.key.clone(), connection, &pool.settings);
        }
    }
}
