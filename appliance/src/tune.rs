//! `kiirtee-appliance tune`: interrupts and queues of the network interfaces.

use crate::paths::Root;

/// Arguments of `kiirtee-appliance tune`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
}

/// Why tuning failed.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {}

/// Carries out `kiirtee-appliance tune`.
///
/// # Errors
/// See [`TuneError`].
pub fn run(arguments: &Arguments) -> Result<(), TuneError> {
    tracing::debug!(?arguments, "tuning");
    Ok(())
}
