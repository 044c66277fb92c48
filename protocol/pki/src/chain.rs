//! Certificate paths from a leaf to a trust anchor (RFC 5280 6.1, without policies and name constraints).
//!
//! Several candidates of equal name are all tried: authorities renew their keys and keep their names.
//!
//! An anchor is trusted because the global configuration lists it: as in RFC 5280 6.1.1 (d) it stands for a name and a key, so its
//! validity period, key usage and CA flag are not asked; its path length constraint is.

use time::OffsetDateTime;

use crate::certificate::Certificate;
use crate::name::DistinguishedName;

/// Longest path, leaf and anchor included.
pub const MAX_CHAIN_LENGTH: usize = 10;
/// Most signatures verified in search of one path.
pub const MAX_SIGNATURE_CHECKS: usize = 64;

/// A verified path: leaf first, anchor last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    certificates: Vec<Certificate>,
}

impl Chain {
    /// The certificates, leaf first, anchor last.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificates that need a certificate status: all but the anchor. A leaf that is the anchor itself leaves none.
    pub fn without_anchor(&self) -> &[Certificate] {
        self.certificates.split_last().map_or(&[], |(_, rest)| rest)
    }

    /// Each certificate but the anchor with its issuer.
    pub fn with_issuers(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        self.certificates.iter().zip(self.certificates.iter().skip(1))
    }

    /// The leaf.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// The trust anchor.
    pub fn anchor(&self) -> Option<&Certificate> {
        self.certificates.last()
    }

    /// The last instant at which every certificate of the path but the anchor is within its validity; `None` when the leaf is the
    /// anchor.
    pub fn good_until(&self) -> Option<OffsetDateTime> {
        self.without_anchor().iter().map(Certificate::not_after).min()
    }
}

/// Why there is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate at hand has the issuer's name.
    #[error("no certificate of issuer {issuer} is known for {subject}")]
    NoIssuer {
        /// Whose issuer is sought.
        subject: DistinguishedName,
        /// The issuer's name.
        issuer: DistinguishedName,
    },
    /// Certificates have the issuer's name, but none made the signature.
    #[error("signature on certificate of {subject} is not valid")]
    Signature {
        /// Whose certificate it is.
        subject: DistinguishedName,
    },
    /// Outside its validity period.
    #[error("certificate of {subject} is not valid at {at}, but from {not_before} to {not_after}")]
    NotValidAt {
        /// Whose certificate it is.
        subject: DistinguishedName,
        /// The instant of verification.
        at: OffsetDateTime,
        /// First instant of validity.
        not_before: OffsetDateTime,
        /// Last instant of validity.
        not_after: OffsetDateTime,
    },
    /// The issuer may not issue certificates (basic constraints, key usage).
    #[error("certificate of {issuer} may not sign certificates")]
    NotAnAuthority {
        /// The issuer.
        issuer: DistinguishedName,
    },
    /// More intermediates than an authority's path length constraint allows.
    #[error("path length constraint of {issuer} is exceeded")]
    PathLength {
        /// The authority.
        issuer: DistinguishedName,
    },
    /// A critical extension that is not understood.
    #[error("certificate of {subject} has an unknown critical extension")]
    UnknownCriticalExtension {
        /// Whose certificate it is.
        subject: DistinguishedName,
    },
    /// The search reached [`MAX_CHAIN_LENGTH`] or [`MAX_SIGNATURE_CHECKS`].
    #[error("certificate path is too long or too branched")]
    TooLong,
}

impl ChainError {
    /// Fault code without prefix (wire.md 1.8, 3.5 step 7): `cannot_create_cert_path` when no path can be put together,
    /// `invalid_cert_path.<cause>` when one can, but does not hold.
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::NoIssuer { .. } | Self::TooLong => "cannot_create_cert_path",
            Self::NotValidAt { .. } => "invalid_cert_path.cert_validity_time",
            Self::Signature { .. }
            | Self::NotAnAuthority { .. }
            | Self::PathLength { .. }
            | Self::UnknownCriticalExtension { .. } => "invalid_cert_path.cert_validation",
        }
    }
}

/// Finds a path from the leaf through intermediates to an anchor and verifies it at an instant: names, signatures, validity
/// periods, basic constraints, path lengths, key usage. Revocation is not looked at.
///
/// A leaf that is itself an anchor is a path of one.
///
/// # Errors
/// [`ChainError`]: of all dead ends the one that came nearest to a path.
pub fn build(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    at: OffsetDateTime,
) -> Result<Chain, ChainError> {
    let mut search = Search {
        intermediates,
        anchors,
        at,
        signature_checks: 0,
    };
    check_alone(leaf, at)?;
    let mut path = vec![leaf.clone()];
    if !anchors.contains(leaf) {
        search.extend(&mut path)?;
    }
    Ok(Chain { certificates: path })
}

struct Search<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    at: OffsetDateTime,
    signature_checks: usize,
}

impl Search<'_> {
    /// Extends the path up to an anchor; leaves it as it was when that fails.
    fn extend(&mut self, path: &mut Vec<Certificate>) -> Result<(), ChainError> {
        let Some(last) = path.last().cloned() else {
            return Err(ChainError::TooLong);
        };
        if path.len() >= MAX_CHAIN_LENGTH {
            return Err(ChainError::TooLong);
        }
        let mut nearest = None;
        let (anchors, intermediates) = (self.anchors, self.intermediates);
        let candidates = anchors.iter().map(|issuer| (issuer, true));
        let candidates = candidates.chain(intermediates.iter().map(|issuer| (issuer, false)));
        for (issuer, is_anchor) in candidates {
            if !last.names_issuer(issuer) || path.contains(issuer) {
                continue;
            }
            match self.step(path, &last, issuer, is_anchor) {
                Ok(()) => return Ok(()),
                Err(ChainError::TooLong) => return Err(ChainError::TooLong),
                Err(error) => nearest = nearer(nearest, error),
            }
        }
        Err(nearest.unwrap_or_else(|| ChainError::NoIssuer {
            subject: last.subject().clone(),
            issuer: last.issuer().clone(),
        }))
    }

    fn step(
        &mut self,
        path: &mut Vec<Certificate>,
        last: &Certificate,
        issuer: &Certificate,
        is_anchor: bool,
    ) -> Result<(), ChainError> {
        if self.signature_checks == MAX_SIGNATURE_CHECKS {
            return Err(ChainError::TooLong);
        }
        self.signature_checks += 1;
        last.verify_signed_with(issuer.public_key())
            .map_err(|_| ChainError::Signature {
                subject: last.subject().clone(),
            })?;
        check_path_length(issuer, path)?;
        if !is_anchor {
            check_alone(issuer, self.at)?;
            check_authority(issuer)?;
        }
        path.push(issuer.clone());
        let result = if is_anchor { Ok(()) } else { self.extend(path) };
        if result.is_err() {
            path.pop();
        }
        result
    }
}

fn check_alone(certificate: &Certificate, at: OffsetDateTime) -> Result<(), ChainError> {
    let subject = || certificate.subject().clone();
    if !certificate.is_valid_at(at) {
        return Err(ChainError::NotValidAt {
            subject: subject(),
            at,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        });
    }
    if certificate.has_unknown_critical_extension() {
        return Err(ChainError::UnknownCriticalExtension { subject: subject() });
    }
    Ok(())
}

fn check_authority(issuer: &Certificate) -> Result<(), ChainError> {
    if issuer.may_sign_certificates() {
        Ok(())
    } else {
        Err(ChainError::NotAnAuthority {
            issuer: issuer.subject().clone(),
        })
    }
}

/// The issuer's path length must allow the intermediates between it and the leaf.
fn check_path_length(issuer: &Certificate, path: &[Certificate]) -> Result<(), ChainError> {
    let intermediates = path
        .iter()
        .skip(1)
        .filter(|certificate| !certificate.is_self_issued())
        .count();
    let allowed = issuer
        .path_length()
        .map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if intermediates > allowed {
        return Err(ChainError::PathLength {
            issuer: issuer.subject().clone(),
        });
    }
    Ok(())
}

/// A dead end behind a good signature tells more than a signature of another key with the same name.
fn nearer(known: Option<ChainError>, found: ChainError) -> Option<ChainError> {
    match known {
        Some(known) if !matches!(known, ChainError::Signature { .. }) => Some(known),
        _ => Some(found),
    }
}
