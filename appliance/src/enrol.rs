//! `kiirtee-appliance enrol`: keys, signing requests and certificates, through the signer's socket.

use crate::paths::Root;

/// Arguments of `kiirtee-appliance enrol`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
}

/// Why enrolment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {}

/// Carries out `kiirtee-appliance enrol`.
///
/// # Errors
/// See [`EnrolError`].
pub fn run(arguments: &Arguments) -> Result<(), EnrolError> {
    tracing::debug!(?arguments, "enrolment");
    Ok(())
}
