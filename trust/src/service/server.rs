//! Three listeners, from start to stop.

use serde::Serialize;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Services, ca_router, ocsp_router, tsa_router};
use crate::directory::{self, DirectoryError};
use crate::ledger::Ledger;

/// How long running requests may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Ports of the three services; 0 lets the system choose.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Certification authority, 8888.
    pub ca: u16,
    /// OCSP responder, 8889.
    pub ocsp: u16,
    /// Time-stamping authority, 8899.
    pub tsa: u16,
}

/// Where the services are.
#[derive(Clone, Debug, Serialize)]
pub struct Urls {
    /// Certification authority, without path.
    pub ca: String,
    /// OCSP responder.
    pub ocsp: String,
    /// Time-stamping authority.
    pub tsa: String,
    /// Behaviour of the services.
    pub control: String,
}

/// The services could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The authority could not be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A listener could not be opened or failed.
    #[error("listening on {address}: {source}")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Serving failed.
    #[error("serving: {0}")]
    Serve(#[from] io::Error),
}

/// Serves the authority of a directory until `stop` completes, then lets running requests finish. `public_host` is the host in the
/// addresses told (and in certificates) when it is not the listening address; `ready` is called when the listeners are open.
///
/// # Errors
/// [`ServeError`]
pub async fn serve(
    directory: &Path,
    address: IpAddr,
    ports: Ports,
    public_host: Option<&str>,
    ready: impl FnOnce(&Urls),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let authority = directory::load(directory)?;
    let ledger = Ledger::open(directory, &authority)?;
    let ca = listen(address, ports.ca).await?;
    let ocsp = listen(address, ports.ocsp).await?;
    let tsa = listen(address, ports.tsa).await?;
    let urls = Urls::of([&ca, &ocsp, &tsa], address, public_host)?;
    let services = Arc::new(Services::new(authority, ledger, urls.ocsp.clone()));
    ready(&urls);

    let (stopping, stopped) = watch::channel(false);
    let until_stopped = || {
        let mut stopped = stopped.clone();
        async move {
            let _either_way_stop = stopped.wait_for(|stopped| *stopped).await;
        }
    };
    let run = async {
        tokio::try_join!(
            axum::serve(ca, ca_router(Arc::clone(&services))).with_graceful_shutdown(until_stopped()),
            axum::serve(ocsp, ocsp_router(Arc::clone(&services))).with_graceful_shutdown(until_stopped()),
            axum::serve(tsa, tsa_router(Arc::clone(&services))).with_graceful_shutdown(until_stopped()),
        )
    };
    tokio::pin!(run);
    tokio::select! {
        outcome = &mut run => return Ok(outcome.map(|_| ())?),
        () = stop => {}
    }
    let _nobody_left = stopping.send(true);
    match tokio::time::timeout(DRAIN, run).await {
        Ok(outcome) => Ok(outcome.map(|_| ())?),
        Err(_) => {
            tracing::warn!("requests were still running when the time to finish them was over");
            Ok(())
        }
    }
}

async fn listen(address: IpAddr, port: u16) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind((address, port)).await;
    bound.map_err(|source| ServeError::Listen {
        address: format!("{address} port {port}"),
        source,
    })
}

impl Urls {
    fn of(
        listeners: [&TcpListener; 3],
        address: IpAddr,
        public_host: Option<&str>,
    ) -> Result<Self, io::Error> {
        let host = public_host.map_or_else(|| default_host(address), str::to_owned);
        let url = |listener: &TcpListener| {
            Ok::<_, io::Error>(format!("http://{host}:{}", listener.local_addr()?.port()))
        };
        let [ca, ocsp, tsa] = listeners;
        let ca = url(ca)?;
        Ok(Self {
            control: format!("{ca}/control"),
            ca,
            ocsp: url(ocsp)? + "/ocsp",
            tsa: url(tsa)? + "/tsa",
        })
    }
}

/// The listening address itself, or the loopback one when listening everywhere.
fn default_host(address: IpAddr) -> String {
    match address {
        _ if address.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
