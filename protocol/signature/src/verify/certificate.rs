//! The signing certificate: whose it is, whether it is the one that the signature names, and whether it was good.

use protocol_pki::certificate::Certificate;
use protocol_pki::chain::{self, Chain};
use protocol_pki::ocsp::{Response, Verified, VerifyContext};
use protocol_pki::profile::MemberName;
use time::{Duration, OffsetDateTime};

use super::{Material, OcspEvidence, VerifyError};
use crate::document::{DocumentError, SignatureDocument};

/// What the certificate chain and its OCSP responses proved.
pub(super) struct VerifiedChain {
    pub(super) valid_until: OffsetDateTime,
    pub(super) ocsp: OcspEvidence,
}

/// The certificate must be for signing (wire.md 3.5 step 3).
pub(super) fn check_usage(certificate: &Certificate) -> Result<(), VerifyError> {
    if certificate.may_sign_messages() {
        Ok(())
    } else {
        Err(VerifyError::Usage(certificate.subject().to_string()))
    }
}

/// The certificate must name the signer, by the profile of a CA that may have issued it (step 4). Gives those CAs.
pub(super) fn check_signer(
    certificate: &Certificate,
    signer: &MemberName,
    material: &dyn Material,
) -> Result<Vec<Certificate>, VerifyError> {
    let mut issuers = Vec::new();
    let mut failure = VerifyError::UnknownIssuer(certificate.issuer_rfc2253());
    for ca in material.issuer_candidates(certificate, &signer.instance) {
        let Some(profile) = material.profile(&ca, &signer.instance) else {
            continue;
        };
        match profile.member(certificate, &signer.instance) {
            Ok(member) if member == *signer => issuers.push(ca),
            Ok(member) => failure = VerifyError::signer(&member, signer),
            Err(error) => failure = VerifyError::Profile(error),
        }
    }
    if issuers.is_empty() {
        Err(failure)
    } else {
        Ok(issuers)
    }
}

/// The signed properties, where they name a signing certificate, must name this one. The issuer's name is not compared:
/// its text differs between implementations, and the digest says more.
pub(super) fn check_signing_certificate(document: &SignatureDocument) -> Result<(), VerifyError> {
    let Some(named) = document.signing_certificate() else {
        return Ok(());
    };
    let certificate = document.certificate();
    let same_digest = *named.algorithm.digest(certificate.as_der()) == *named.digest;
    let same_serial = named
        .serial
        .as_ref()
        .is_none_or(|serial| *serial == certificate.serial_decimal());
    if same_digest && same_serial {
        Ok(())
    } else {
        Err(VerifyError::OtherCertificate)
    }
}

/// A chain to one of `issuers`, valid at `at`, and a good OCSP response for each certificate but the anchor (steps 7
/// and 8).
pub(super) fn check_chain(
    document: &SignatureDocument,
    issuers: &[Certificate],
    at: OffsetDateTime,
    material: &dyn Material,
) -> Result<VerifiedChain, VerifyError> {
    let chain = chain::build(document.certificate(), document.intermediates(), issuers, at)
        .map_err(VerifyError::Chain)?;
    let responses = document
        .ocsp_responses()
        .iter()
        .map(|der| Response::from_der(der))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| VerifyError::Document(DocumentError::OcspResponse(error)))?;
    check_ocsp(&chain, &responses, at, material)
}

fn check_ocsp(
    chain: &Chain,
    responses: &[Response],
    at: OffsetDateTime,
    material: &dyn Material,
) -> Result<VerifiedChain, VerifyError> {
    let responders = material.ocsp_responders();
    let authorities = material.authorities();
    let freshness = Duration::seconds(material.ocsp_freshness_seconds().into());
    let mut context = VerifyContext::new(&responders, &authorities, freshness);
    context.verify_next_update = material.verify_next_update();

    let mut signing = None;
    let mut valid_until = chain.good_until().unwrap_or(at);
    for (certificate, issuer) in chain.with_issuers() {
        let (response, verified) = check_response(certificate, issuer, responses, &context, at)?;
        valid_until = valid_until.min(verified.good_until);
        signing.get_or_insert_with(|| OcspEvidence {
            produced_at: response.produced_at(),
            responder: verified.responder.clone(),
        });
    }
    let ocsp = signing.ok_or_else(|| VerifyError::OcspMissing("the signing certificate".to_owned()))?;
    Ok(VerifiedChain { valid_until, ocsp })
}

fn check_response<'r>(
    certificate: &Certificate,
    issuer: &Certificate,
    responses: &'r [Response],
    context: &VerifyContext<'_>,
    at: OffsetDateTime,
) -> Result<(&'r Response, Verified), VerifyError> {
    let subject = certificate.subject().to_string();
    let Some(response) = responses
        .iter()
        .find(|response| response.applies_to(certificate, issuer))
    else {
        return Err(VerifyError::OcspMissing(subject));
    };
    let verified = response
        .verify(context, certificate, issuer, at)
        .map_err(|source| VerifyError::Ocsp { subject, source })?;
    Ok((response, verified))
}
