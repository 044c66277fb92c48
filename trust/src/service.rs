//! The services over HTTP.
//!
//! Every port answers every path; the OCSP port and the time-stamping port answer at `/` too, as the addresses in a global
//! configuration usually have no path.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /ca/sign?usage=sign\|auth[&days=N]` | certificate for a request; PEM for PEM, DER for DER |
//! | `POST /ca/revoke?serial=HEX` or `?sha1=HEX` | 204, or 404 |
//! | `GET /ca/ca.pem`, `/ca/ocsp.pem`, `/ca/tsa.pem` | certificates |
//! | `POST /ocsp`, `GET /ocsp/BASE64` | OCSP (RFC 6960 A.1) |
//! | `POST /tsa` | time-stamps (RFC 3161 3.4) |
//! | `GET`, `POST /control` | how the services behave, see [`Behaviour`] |

mod ca;
mod control;
mod ocsp;
mod server;
mod tsa;

pub use control::{Behaviour, OcspBehaviour, OcspMode, TsaBehaviour, TsaMode};
pub use server::{Ports, ServeError, Urls, serve};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::authority::Authority;
use crate::ledger::Ledger;

/// Longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// What all requests share.
#[derive(Debug)]
pub struct Services {
    authority: Authority,
    ledger: Mutex<Ledger>,
    behaviour: Mutex<Behaviour>,
    ocsp_url: String,
}

impl Services {
    /// Services of an authority; `ocsp_url` is put into the certificates that it issues.
    pub fn new(authority: Authority, ledger: Ledger, ocsp_url: String) -> Self {
        Self {
            authority,
            ledger: Mutex::new(ledger),
            behaviour: Mutex::default(),
            ocsp_url,
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shared = axum::extract::State<Arc<Services>>;

fn every_path() -> Router<Arc<Services>> {
    Router::new()
        .route("/ca/sign", post(ca::sign))
        .route("/ca/revoke", post(ca::revoke))
        .route("/ca/{file}", get(ca::certificate))
        .route("/ocsp", post(ocsp::by_post))
        .route("/ocsp/{*request}", get(ocsp::by_get))
        .route("/tsa", post(tsa::stamp))
        .route("/control", get(control::show).post(control::change))
}

fn finished(router: Router<Arc<Services>>, services: Arc<Services>) -> Router {
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(services)
}

/// The certification authority's paths.
pub fn ca_router(services: Arc<Services>) -> Router {
    finished(every_path(), services)
}

/// The same, and OCSP at the root.
pub fn ocsp_router(services: Arc<Services>) -> Router {
    let router = every_path()
        .route("/", post(ocsp::by_post))
        .route("/{*request}", get(ocsp::by_get));
    finished(router, services)
}

/// The same, and time-stamping at the root.
pub fn tsa_router(services: Arc<Services>) -> Router {
    finished(every_path().route("/", post(tsa::stamp)), services)
}
