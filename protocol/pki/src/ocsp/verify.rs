//! Whether a response proves a certificate good at an instant (wire.md 3.7).
//!
//! Three differences from the reference, none of which refuses an honest response:
//! every certificate that fits the responder ID is tried, not only the first; an unsupported signature algorithm is an invalid
//! signature; a thisUpdate further in the future than [`VerifyContext::future_tolerance`] is refused.

use time::{Duration, OffsetDateTime};

use super::{CertificateStatus, OcspError, Response};
use crate::certificate::Certificate;

/// How far clocks may differ by default. The reference accepts any thisUpdate in the future, which would let a response be
/// used long after its freshness; set [`VerifyContext::future_tolerance`] to `None` to do the same.
pub const DEFAULT_FUTURE_TOLERANCE: Duration = Duration::minutes(10);

/// A responder that the global configuration names for a certification authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredResponder {
    /// The authority, top or intermediate.
    pub authority: Certificate,
    /// The responder's certificate.
    pub responder: Certificate,
}

/// What verification needs besides the response.
#[derive(Clone, Copy, Debug)]
pub struct VerifyContext<'a> {
    /// Responders of the global configuration.
    pub responders: &'a [ConfiguredResponder],
    /// All certificates of certification authorities in the global configuration.
    pub authorities: &'a [Certificate],
    /// How old thisUpdate may be: `ocspFreshnessSeconds` of the own instance.
    pub freshness: Duration,
    /// Whether nextUpdate counts (`verifyNextUpdate` of nextupdate-params.xml, true by default).
    pub verify_next_update: bool,
    /// How far in the future thisUpdate may lie; `None` for any distance.
    pub future_tolerance: Option<Duration>,
}

impl<'a> VerifyContext<'a> {
    /// The usual rules: nextUpdate counts, clocks differ by at most [`DEFAULT_FUTURE_TOLERANCE`].
    pub fn new(
        responders: &'a [ConfiguredResponder],
        authorities: &'a [Certificate],
        freshness: Duration,
    ) -> Self {
        let future_tolerance = Some(DEFAULT_FUTURE_TOLERANCE);
        Self {
            responders,
            authorities,
            freshness,
            verify_next_update: true,
            future_tolerance,
        }
    }
}

/// A response that proved a certificate good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The last instant at which it still does: thisUpdate plus freshness, or nextUpdate if that is earlier and counts.
    pub good_until: OffsetDateTime,
    /// When the status was known to be right.
    pub this_update: OffsetDateTime,
    /// When newer information is due.
    pub next_update: Option<OffsetDateTime>,
    /// The responder's certificate.
    pub responder: Certificate,
}

impl Response {
    /// Verifies that the response is authentic, timely and says good.
    ///
    /// # Errors
    /// [`OcspError`]; [`OcspError::NotGood`] only after everything else held.
    pub fn verify(
        &self,
        context: &VerifyContext<'_>,
        certificate: &Certificate,
        issuer: &Certificate,
        at: OffsetDateTime,
    ) -> Result<Verified, OcspError> {
        let verified = self.verify_validity(context, certificate, issuer, at)?;
        match self.certificate_status() {
            CertificateStatus::Good => Ok(verified),
            status => Err(OcspError::NotGood(status)),
        }
    }

    /// Verifies that the response is authentic and timely, whatever status it tells.
    ///
    /// # Errors
    /// [`OcspError`]
    pub fn verify_validity(
        &self,
        context: &VerifyContext<'_>,
        certificate: &Certificate,
        issuer: &Certificate,
        at: OffsetDateTime,
    ) -> Result<Verified, OcspError> {
        if !self.applies_to(certificate, issuer) {
            return Err(OcspError::OtherCertificate {
                serial: certificate.serial_decimal(),
            });
        }
        let responder = self.authorized_responder(context, issuer)?;
        let good_until = self.check_time(context, at)?;
        Ok(Verified {
            good_until,
            this_update: self.this_update(),
            next_update: self.next_update(),
            responder,
        })
    }

    /// The certificate that made the signature and may answer for the issuer.
    fn authorized_responder(
        &self,
        context: &VerifyContext<'_>,
        issuer: &Certificate,
    ) -> Result<Certificate, OcspError> {
        let configured = context.responders.iter().map(|known| &known.responder);
        let candidates = configured.chain(context.authorities).chain(self.certificates());
        let mut nearest = OcspError::UnknownResponder;
        let mut tried: Vec<&Certificate> = Vec::new();
        for candidate in candidates.filter(|candidate| self.names_responder(candidate)) {
            if tried.contains(&candidate) {
                continue;
            }
            tried.push(candidate);
            if !self.is_signed_by(candidate) {
                if nearest == OcspError::UnknownResponder {
                    nearest = OcspError::Signature;
                }
            } else if is_authorized(context, candidate, issuer) {
                return Ok(candidate.clone());
            } else {
                nearest = OcspError::NotAuthorized;
            }
        }
        Err(nearest)
    }

    fn check_time(
        &self,
        context: &VerifyContext<'_>,
        at: OffsetDateTime,
    ) -> Result<OffsetDateTime, OcspError> {
        let this_update = self.this_update();
        let too_far = |tolerance| {
            at.checked_add(tolerance)
                .is_some_and(|latest| this_update > latest)
        };
        if context.future_tolerance.is_some_and(too_far) {
            return Err(OcspError::FromTheFuture { at, this_update });
        }
        let fresh_until = this_update.checked_add(context.freshness).unwrap_or(this_update);
        if fresh_until < at {
            return Err(OcspError::TooOld { this_update });
        }
        match self.next_update().filter(|_| context.verify_next_update) {
            Some(next_update) if next_update < at => Err(OcspError::NextUpdatePassed { at, next_update }),
            Some(next_update) => Ok(fresh_until.min(next_update)),
            None => Ok(fresh_until),
        }
    }
}

/// Configured for that authority, the authority itself, or empowered by it (wire.md 3.7 step 4).
fn is_authorized(context: &VerifyContext<'_>, responder: &Certificate, issuer: &Certificate) -> bool {
    context
        .responders
        .iter()
        .any(|known| known.authority == *issuer && known.responder == *responder)
        || responder == issuer
        || (responder.may_sign_ocsp() && responder.is_issued_by(issuer))
}
