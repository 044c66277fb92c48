//! `health-check-port`: the reference's health check, for load balancers that are configured for it.
//!
//! Any request is answered: 503 in maintenance mode, 200 without a body when the server can
//! exchange messages, else 500 with a line that says why. Each answer is found out anew; the reference keeps a good one for
//! two seconds and a bad one for thirty, because asking costs it something.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{authentication_key, devices, maintenance, server_configuration, signer};
use crate::http::{Body, Handler, HttpError, Request, Responder, ResponseHead};
use crate::process::Process;

/// Answers on the health check's port.
#[derive(Debug)]
pub struct HealthCheck {
    process: Arc<Process>,
}

impl HealthCheck {
    /// Speaks for this process.
    #[must_use]
    pub const fn new(process: Arc<Process>) -> Self {
        Self { process }
    }

    fn answer(&self) -> (ResponseHead, String) {
        let with_text = |status| ResponseHead::new(status).with("Content-Type", "text/plain;charset=utf-8");
        if self.process.maintenance.is_on() {
            return (with_text(503), maintenance::MESSAGE.to_owned());
        }
        match self.failure(OffsetDateTime::now_utc()) {
            None => (ResponseHead::new(200), String::new()),
            Some(reason) => (with_text(500), format!("{reason}\n")),
        }
    }

    /// What the reference checks, in its words.
    fn failure(&self, now: OffsetDateTime) -> Option<&'static str> {
        let snapshot = self.process.current.take();
        let checks = [
            (
                devices(&self.process.settings, &snapshot).is_ok(),
                "At least one HSM are non operational",
            ),
            (
                snapshot.valid_globalconf(now).is_ok(),
                "Global configuration is expired",
            ),
            (
                server_configuration(&snapshot).is_ok(),
                "Server Conf database did not respond as expected",
            ),
            (
                signer(&self.process).is_ok() && authentication_key(&snapshot, now).is_ok(),
                "No authentication key available. Signer might be down.",
            ),
        ];
        checks.into_iter().find(|(ok, _)| !ok).map(|(_, reason)| reason)
    }
}

impl Handler for HealthCheck {
    async fn handle(&self, _: Request, _: &mut Body, responder: &mut Responder) -> Result<(), HttpError> {
        let (head, text) = self.answer();
        responder.send_full(&head, text).await
    }
}
