//! What the monitor tells: the form of `GET /status` and of [`crate::paths::STATUS`] (docs/diagnostics.md).
//!
//! Nothing in it is secret: certificates are public, and log lines are those that the processes write for operators.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::probe::memory::Memory;
use super::verdict::Verdict;
use crate::provision::Outcome;

/// Everything there is to know of the appliance at a glance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// What tells this appliance from others; none before the first provisioning.
    pub id: Option<String>,
    /// Version of the image, `IMAGE_VERSION` of `/usr/lib/os-release`.
    pub version: Option<String>,
    /// The slot that runs: `root-a` or `root-b`.
    pub slot: Option<String>,
    /// Addresses of its network interfaces, with prefix length, the loopback's apart.
    pub addresses: Vec<String>,
    /// Where the appliance is in its life.
    pub stage: Stage,
    /// Is it healthy, and what was seen?
    pub health: Verdict,
    /// Certificates that the signer has, and the internal one.
    pub certificates: Vec<Certificate>,
    /// PCR 11 of the TPM (SHA-256), which tells the image that was measured; hexadecimal.
    pub pcr11: Option<String>,
    /// The machine's memory.
    pub memory: Option<Memory>,
    /// Signing requests that wait for certificates, names of their files (`GET /requests`).
    pub requests: Vec<String>,
    /// The last warnings and errors of the journal, the newest last.
    pub last_errors: Vec<LogLine>,
    /// What provisioning did, as it wrote it.
    pub provisioning: Option<Outcome>,
    /// What an update did or does, as it wrote it.
    pub update: Option<Value>,
    /// When this was written, RFC 3339 in UTC. May jump with the clock.
    pub written: String,
    /// Seconds since the machine started when this was written: does not jump.
    pub uptime: u64,
    /// Seconds after which it will be written anew at the latest.
    pub interval: u64,
}

/// Where the appliance is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing has said what it shall be: it waits for a configuration medium.
    #[default]
    Unprovisioned,
    /// An update is written or tried.
    Updating,
    /// The clock is not synchronised, so nothing is exchanged.
    WaitingForTime,
    /// Signing requests wait for certificates.
    Enrolling,
    /// It has not been healthy since it started.
    Starting,
    /// Exchanges succeed.
    Healthy,
    /// It was healthy and is not any more.
    Failing,
}

/// A certificate, for comparing and for seeing when it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// `signing`, `authentication` or `internal`.
    pub usage: String,
    /// Whom it names.
    pub subject: String,
    /// SHA-256 of its DER, hexadecimal.
    pub sha256: String,
    /// When it ends, RFC 3339 in UTC.
    pub not_after: String,
    /// Where it is in its registration; none for the internal one.
    pub status: Option<String>,
}

/// A line of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Syslog priority: 0 (emergency) to 4 (warning).
    pub priority: u8,
    /// Which unit or program.
    pub unit: String,
    /// What it said, without control characters, cut at [`MAX_MESSAGE`] characters.
    pub message: String,
}

/// Characters of a log line that are told.
pub const MAX_MESSAGE: usize = 400;

/// `text` fit for a terminal and for one line: no control or formatting characters, at most `most` characters.
pub fn harmless(text: &str, most: usize) -> String {
    let is_harmful = |c: char| {
        // Besides control characters those that turn the direction of writing or hide.
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let clean = |c: char| if is_harmful(c) { ' ' } else { c };
    // A little more is looked at than is kept, for what is trimmed away.
    let text: String = text.chars().take(most.saturating_mul(2)).map(clean).collect();
    let text = text.trim();
    let mut harmless: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        harmless.push('…');
    }
    harmless
}

/// What [`Stage`] follows from.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Something said what the appliance shall be.
    pub provisioned: bool,
    /// An update is under way.
    pub updating: bool,
    /// The clock is synchronised.
    pub synchronised: bool,
    /// Signing requests wait.
    pub requests: bool,
    /// Exchanges succeed.
    pub healthy: bool,
    /// They did since the monitor started.
    pub was_healthy: bool,
}

impl Stage {
    /// The one that tells most.
    #[must_use]
    pub const fn of(facts: Facts) -> Self {
        match facts {
            Facts { updating: true, .. } => Self::Updating,
            Facts {
                provisioned: false, ..
            } => Self::Unprovisioned,
            Facts { healthy: true, .. } => Self::Healthy,
            Facts {
                synchronised: false, ..
            } => Self::WaitingForTime,
            Facts {
                was_healthy: true, ..
            } => Self::Failing,
            Facts { requests: true, .. } => Self::Enrolling,
            _ => Self::Starting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_cannot_steer_a_terminal() {
        let said = "\u{1b}[2J\u{1b}]0;owned\u{7} first\r\nsecond \u{202e}drawkcab\u{9b}31m";
        let harmless = harmless(said, 100);
        assert!(!harmless.chars().any(char::is_control), "{harmless:?}");
        assert!(!harmless.contains('\u{202e}'), "{harmless:?}");
        assert!(harmless.contains("first  second"), "{harmless:?}");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        assert_eq!(harmless(&"ä".repeat(10), 10), "ä".repeat(10));
        assert_eq!(harmless(&"ä".repeat(11), 10), format!("{}…", "ä".repeat(10)));
    }

    #[test]
    fn the_stage_is_what_tells_most() {
        let all = Facts {
            provisioned: true,
            updating: false,
            synchronised: true,
            requests: false,
            healthy: true,
            was_healthy: true,
        };
        let failing = Facts {
            healthy: false,
            ..all
        };
        for (facts, stage) in [
            (all, Stage::Healthy),
            (failing, Stage::Failing),
            (
                Facts {
                    was_healthy: false,
                    ..failing
                },
                Stage::Starting,
            ),
            (
                Facts {
                    requests: true,
                    was_healthy: false,
                    ..failing
                },
                Stage::Enrolling,
            ),
            (
                Facts {
                    requests: true,
                    synchronised: false,
                    ..failing
                },
                Stage::WaitingForTime,
            ),
            // A renewed key's request does not make a healthy server less healthy.
            (
                Facts {
                    requests: true,
                    ..all
                },
                Stage::Healthy,
            ),
            (
                Facts {
                    provisioned: false,
                    ..failing
                },
                Stage::Unprovisioned,
            ),
            (
                Facts {
                    updating: true,
                    ..all
                },
                Stage::Updating,
            ),
        ] {
            assert_eq!(Stage::of(facts), stage, "{facts:?}");
        }
    }
}
