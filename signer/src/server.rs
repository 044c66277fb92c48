//! The socket: who may connect, how many, and an orderly stop.

mod connection;
mod socket;
pub mod ticket;

use std::{
    collections::HashMap,
    io,
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    service::{Role, Service},
    settings::Settings,
};
pub use socket::SocketError;

/// The pause after the system refused a connection (no file descriptors, no memory).
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// The running server.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listener: Arc<UnixListener>,
    path: PathBuf,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    service: Arc<Service>,
    users: Users,
    max_connections: usize,
    stopping: AtomicBool,
    connections: Mutex<HashMap<u64, UnixStream>>,
    ended: Condvar,
}

/// Which users may ask what.
#[derive(Clone, Debug)]
struct Users {
    own: u32,
    administrators: Vec<u32>,
    signing: Vec<u32>,
    reading: Vec<u32>,
}

impl Users {
    fn role(&self, uid: u32) -> Option<Role> {
        if uid == self.own || self.administrators.contains(&uid) {
            Some(Role::Administrator)
        } else if self.signing.contains(&uid) {
            Some(Role::Signing)
        } else {
            self.reading.contains(&uid).then_some(Role::Reading)
        }
    }
}

impl Server {
    /// Listens on the socket of the settings.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn start(settings: &Settings, service: Arc<Service>) -> Result<Self, SocketError> {
        let listener = Arc::new(socket::bind(
            &settings.kiirtee.signer_socket,
            settings.kiirtee.socket_gid,
        )?);
        let users = Users {
            own: rustix::process::geteuid().as_raw(),
            administrators: settings.kiirtee.admin_uids.clone(),
            signing: settings.kiirtee.signing_uids.clone(),
            reading: settings.kiirtee.reading_uids.clone(),
        };
        let shared = Arc::new(Shared {
            service,
            users,
            max_connections: settings.kiirtee.max_connections,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
            ended: Condvar::new(),
        });
        let (acceptor, incoming) = (Arc::clone(&shared), Arc::clone(&listener));
        let accepting = thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || acceptor.accept(&incoming))
            .map_err(|source| SocketError::Io {
                path: settings.kiirtee.signer_socket.clone(),
                source,
            })?;
        Ok(Self {
            shared,
            listener,
            path: settings.kiirtee.signer_socket.clone(),
            accepting,
        })
    }

    /// Accepts nothing more, answers everything that was read, and ends. Gives up after `patience`; the answer says
    /// whether everything was answered.
    pub fn stop(self, patience: Duration) -> bool {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the accepting thread.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        let _ = self.accepting.join();
        // The path may have been taken away by somebody else.
        let _ = std::fs::remove_file(&self.path);
        let finished = self.shared.finish_connections(patience);
        if finished {
            self.shared.service.finish();
        }
        finished
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        let mut number = 0_u64;
        loop {
            let accepted = listener.accept();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            number += 1;
            if let Err(error) = accepted.and_then(|(stream, _)| self.open(number, stream)) {
                tracing::warn!(%error, "a connection failed");
                thread::sleep(PAUSE_AFTER_ERROR);
            }
        }
    }

    fn open(self: &Arc<Self>, number: u64, stream: UnixStream) -> io::Result<()> {
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        let uid = peer.uid.as_raw();
        let Some(role) = self.users.role(uid) else {
            tracing::warn!(uid, "a user without permission connected");
            return connection::refuse(&stream, "this user may not use the signer");
        };
        let mut connections = self.connections();
        if connections.len() >= self.max_connections {
            tracing::warn!(uid, "too many connections");
            return connection::refuse(&stream, "too many connections");
        }
        connections.insert(number, stream.try_clone()?);
        drop(connections);
        let shared = Arc::clone(self);
        let started = thread::Builder::new()
            .name(format!("connection-{number}"))
            .spawn(move || {
                connection::serve(&shared.service, role, uid, stream);
                shared.closed(number);
            });
        if started.is_err() {
            self.closed(number);
        }
        started.map(drop)
    }

    fn closed(&self, number: u64) {
        self.connections().remove(&number);
        self.ended.notify_all();
    }

    /// No request is read any more; those that were read are answered.
    fn finish_connections(&self, patience: Duration) -> bool {
        let connections = self.connections();
        for stream in connections.values() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Read);
        }
        let open = |connections: &mut HashMap<_, _>| !connections.is_empty();
        let (left, _) = self
            .ended
            .wait_timeout_while(connections, patience, open)
            .unwrap_or_else(PoisonError::into_inner);
        left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_the_roles_of_the_settings() {
        let users = Users {
            own: 100,
            administrators: vec![0],
            signing: vec![101, 0],
            reading: vec![102, 101],
        };
        assert_eq!(users.role(100), Some(Role::Administrator));
        assert_eq!(users.role(0), Some(Role::Administrator));
        assert_eq!(users.role(101), Some(Role::Signing));
        assert_eq!(users.role(102), Some(Role::Reading));
        assert_eq!(users.role(103), None);
    }
}
