//! What provisioning did, for the status screen, the diagnostics and whoever holds the medium.

use serde::{Deserialize, Serialize};

/// What provisioning did: `/run/kiirtee/provision.json`, and `report.json` on the medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether the appliance knows who it is.
    pub state: State,
    /// The id of the appliance, which a factory reset has to name; absent on machines that do not say who they are.
    pub appliance_id: Option<String>,
    /// The version of the software.
    pub version: String,
    /// Where new settings came from.
    pub source: Source,
    /// Files that say something new since the last time, and `pin`.
    pub changed: Vec<String>,
    /// What was refused, and why. The former settings are in force then.
    pub problems: Vec<String>,
    /// Whether there are PINs.
    pub pin_is_kept: bool,
    /// Whether a factory reset was asked for and begins now.
    pub factory_reset: bool,
}

/// Whether the appliance knows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was handed over yet, or nothing that could be used: no network, nothing starts.
    Unprovisioned,
    /// Settings are in force.
    Provisioned,
}

/// Where settings came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The configuration medium.
    Medium,
    /// Credentials of the machine.
    Credential,
    /// What was handed over earlier.
    Kept,
}
