//! `[anti-dos]`: how much is taken on at once.

use serde::Deserialize;

/// Bounds of what is served at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AntiDosSettings {
    /// Whether there are any.
    pub enabled: bool,
    /// Connections for each listener and worker.
    pub max_parallel_connections: usize,
}

impl AntiDosSettings {
    /// Connections for each listener and worker.
    #[must_use]
    pub const fn connections(&self) -> usize {
        if self.enabled {
            self.max_parallel_connections
        } else {
            usize::MAX
        }
    }
}
