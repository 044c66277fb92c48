//! `kiirtee-appliance provision`: what the configuration medium says becomes the settings of the appliance.

use crate::paths::Root;

/// Arguments of `kiirtee-appliance provision`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
}

/// What provisioning did, as [`crate::paths::PROVISION_STATE`] tells it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Outcome {}

/// Why provisioning failed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {}

/// Carries out `kiirtee-appliance provision`.
///
/// # Errors
/// See [`ProvisionError`].
pub fn run(arguments: &Arguments) -> Result<(), ProvisionError> {
    tracing::debug!(?arguments, "provisioning");
    Ok(())
}
