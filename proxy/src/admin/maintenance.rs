//! Maintenance mode of the health check's port: an operator takes the server out of a load balancer before work on it,
//! while the exchanges that come all the same go on. As in the reference, a restart ends it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::net::Peer;
use crate::query_string;

/// What the health check's port says meanwhile, in the reference's words.
pub(super) const MESSAGE: &str = "Health check interface is in maintenance mode.";
/// Answers to a change that is not made, in the reference's words.
const INVALID: &str = "Invalid parameter 'targetState', request ignored";
const NO_PORT: &str = "No HealthCheckPort found, maintenance mode not set";

/// Whether the health check's port sends load balancers away.
#[derive(Debug, Default)]
pub struct Maintenance(AtomicBool);

impl Maintenance {
    /// Whether it does now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does what `targetState` of a query says, and tells what became of it.
    pub(super) fn change(&self, query: &str, has_port: bool) -> String {
        match target_state(query) {
            None => INVALID.to_owned(),
            Some(_) if !has_port => NO_PORT.to_owned(),
            Some(on) => {
                let before = self.0.swap(on, Ordering::Relaxed);
                tracing::info!(before, now = on, "maintenance mode of the health check set");
                format!("Maintenance mode set: {before} => {on}")
            }
        }
    }
}

fn target_state(query: &str) -> Option<bool> {
    let (_, value) = query_string::pairs(query).find(|(name, _)| *name == "targetState")?;
    let value = query_string::decode(value).ok()?;
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    is("true")
        .then_some(true)
        .or_else(|| is("false").then_some(false))
}

/// Whether a request comes from this machine, on whichever of its addresses: others may look, but not switch.
pub(super) fn is_own(peer: &Peer) -> bool {
    is_same_machine(peer.address.ip(), peer.local_address.ip())
}

fn is_same_machine(theirs: IpAddr, ours: IpAddr) -> bool {
    theirs.to_canonical().is_loopback() || theirs == ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_and_false_change_anything() {
        let maintenance = Maintenance::default();
        for (query, answer, on) in [
            ("", INVALID, false),
            ("targetState", INVALID, false),
            ("targetState=1", INVALID, false),
            ("targetState=true", "Maintenance mode set: false => true", true),
            ("x=1&targetState=TRUE", "Maintenance mode set: true => true", true),
            ("targetstate=false", INVALID, true),
            (
                "targetState=%66alse&targetState=true",
                "Maintenance mode set: true => false",
                false,
            ),
        ] {
            assert_eq!(maintenance.change(query, true), answer, "{query}");
            assert_eq!(maintenance.is_on(), on, "{query}");
        }
        assert_eq!(maintenance.change("targetState=true", false), NO_PORT);
        assert!(!maintenance.is_on());
    }

    #[test]
    fn only_this_machine_switches() {
        let own = |theirs: &str| is_same_machine(theirs.parse().unwrap(), "10.1.1.1".parse().unwrap());
        assert!(own("127.0.0.1") && own("127.9.9.9") && own("::1") && own("::ffff:127.0.0.1"));
        assert!(own("10.1.1.1"));
        assert!(!own("10.1.1.2") && !own("fe80::1"));
    }
}
