//! Looking up host names beside everything else, so that a name service that hangs delays nothing but names.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How often names are looked up again.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a fresh look-up is waited for: names that are answered at once are known with the configuration that
/// names them.
const PATIENCE: Duration = Duration::from_millis(500);

/// Addresses of host names.
pub type Addresses = HashMap<String, Vec<IpAddr>>;

/// Look-ups on a thread of their own, one round at a time.
#[derive(Debug, Default)]
pub(super) struct LookUps {
    running: Option<flume::Receiver<Addresses>>,
    began: Option<Instant>,
    again: bool,
}

impl LookUps {
    /// Starts a round when one is due or the names changed, and gives the addresses that a round found.
    pub(super) fn advance(
        &mut self,
        names_changed: bool,
        names: impl FnOnce() -> Vec<String>,
    ) -> Option<Addresses> {
        self.again |= names_changed;
        if self.running.is_none() && (self.again || self.is_due()) {
            self.again = false;
            self.began = Some(Instant::now());
            self.running = start(names());
            return self.take(PATIENCE);
        }
        self.take(Duration::ZERO)
    }

    fn is_due(&self) -> bool {
        self.began.is_none_or(|began| began.elapsed() >= INTERVAL)
    }

    fn take(&mut self, patience: Duration) -> Option<Addresses> {
        match self.running.as_ref()?.recv_timeout(patience) {
            Ok(found) => {
                self.running = None;
                Some(found)
            }
            Err(flume::RecvTimeoutError::Timeout) => None,
            Err(flume::RecvTimeoutError::Disconnected) => {
                self.running = None;
                None
            }
        }
    }
}

/// Looks the names up; nothing runs if there are none or no thread can be had, and the next round tries again.
fn start(names: Vec<String>) -> Option<flume::Receiver<Addresses>> {
    let (found, running) = flume::bounded(1);
    if names.is_empty() {
        let _ = found.send(Addresses::new());
        return Some(running);
    }
    let look_up_all = move || {
        let addresses = names.into_iter().filter_map(|name| Some((look_up(&name)?, name)));
        let _ = found.send(addresses.map(|(addresses, name)| (name, addresses)).collect());
    };
    let thread = std::thread::Builder::new()
        .name("look-up".to_owned())
        .spawn(look_up_all);
    thread.is_ok().then_some(running)
}

fn look_up(name: &str) -> Option<Vec<IpAddr>> {
    let found = (name, 0).to_socket_addrs();
    let found: Vec<IpAddr> = found
        .map(|all| all.map(|address| address.ip()).collect())
        .unwrap_or_default();
    if found.is_empty() {
        tracing::warn!(name, "host name can't be resolved");
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_at_once_and_again_when_they_change() {
        let mut look_ups = LookUps::default();
        let first = look_ups.advance(false, || vec!["localhost".to_owned()]).unwrap();
        assert!(first["localhost"].iter().all(IpAddr::is_loopback));
        assert_eq!(look_ups.advance(false, || panic!("not due")), None);
        assert_eq!(look_ups.advance(true, Vec::new), Some(Addresses::new()));
    }
}
