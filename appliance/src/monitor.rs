//! `kiirtee-appliance monitor`: is the security server healthy, and what is there to know of the appliance?
//!
//! Every [`plan::Plan::interval`] the watch looks at everything that exchanges need, from the outside where that is
//! possible: it sends a signed message to itself, which passes the client proxy, the signer, the server proxy and the
//! message log, and sees that the message log got a time-stamp for it. What it saw is judged ([`verdict`]), written to
//! [`crate::paths::STATUS`] for those on the machine (`health`, `console`) and told over HTTP to the admin network
//! ([`server`]), which can change nothing.
//!
//! | Room | Subject |
//! |---|---|
//! | [`plan`] | what is watched, and where it is told |
//! | [`probe`] | looking: the message, the proxy, the machine, certificates, the journal |
//! | [`verdict`] | from what was seen to checks and to healthy or not; no input or output |
//! | [`status`] | what is told |
//! | [`watch`] | when it is looked |
//! | [`server`] | HTTP |

pub mod plan;
pub mod probe;
pub mod server;
pub mod status;
pub mod verdict;
pub mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::paths::{self, Root};
use plan::{Plan, PlanError};
use server::Told;

/// Arguments of `kiirtee-appliance monitor`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// Address of the client proxy, to which the message to itself is sent, instead of the one of its settings
    #[arg(long, value_name = "URL")]
    client_proxy: Option<String>,
    /// Where the proxy's health and metrics are, instead of `[admin] listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    proxy_admin: Option<std::net::SocketAddr>,
    /// Where to tell, instead of `[admin] listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<std::net::SocketAddr>,
}

/// Why the monitor can't go on.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// What is provisioned can't be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A thread or the input and output of the server can't be had.
    #[error("starting: {0}")]
    Start(#[source] io::Error),
}

/// Carries out `kiirtee-appliance monitor`: ends with a signal only.
///
/// # Errors
/// See [`MonitorError`].
pub fn run(arguments: &Arguments) -> Result<(), MonitorError> {
    let root = &arguments.root;
    let mut plan = Plan::read(root)?;
    plan.client_proxy = arguments.client_proxy.clone().unwrap_or(plan.client_proxy);
    plan.proxy_admin = arguments.proxy_admin.unwrap_or(plan.proxy_admin);
    plan.listen = arguments.listen.unwrap_or(plan.listen);
    let listen = plan.listen;
    let status: PathBuf = root.path(paths::STATUS);
    let told = Arc::new(Told::new(root));
    tracing::info!(
        client = plan.client.as_ref().map(tracing::field::display),
        every = plan.interval.as_secs(),
        %listen,
        "health is watched"
    );
    watch::start(root.clone(), plan, status, Arc::clone(&told)).map_err(MonitorError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .and_then(|runtime| runtime.block_on(server::serve(listen, told)))
        .map_err(MonitorError::Start)
}
