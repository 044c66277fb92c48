//! Whether a response answers its request (wire.md 6.1).

use super::{SoapError, SoapHeader, names};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Compares client, service, user, represented party, issue and message id.
///
/// # Errors
/// [`SoapError::InconsistentResponse`], naming the first field that differs.
pub fn check_consistency(request: &SoapHeader, response: &SoapHeader) -> Result<(), SoapError> {
    let checks = [
        (names::CLIENT, request.client == response.client),
        (names::SERVICE, request.service == response.service),
        (names::USER_ID, request.user_id == response.user_id),
        (
            names::REPRESENTED_PARTY,
            request.represented_party == response.represented_party,
        ),
        (names::ISSUE, request.issue == response.issue),
        (names::MESSAGE_ID, request.id == response.id),
    ];
    match checks.iter().find(|(_, equal)| !equal) {
        Some((field, _)) => Err(SoapError::InconsistentResponse(field)),
        None => Ok(()),
    }
}

/// Compares the request hash in a response with the SHA-512 of the request's SOAP part.
///
/// # Errors
/// [`SoapError::RequestHash`] if it is missing or differs.
pub fn check_request_hash(response: &SoapHeader, expected: &[u8]) -> Result<(), SoapError> {
    let found = response
        .request_hash
        .as_ref()
        .ok_or(SoapError::RequestHash("is missing"))?;
    if STANDARD
        .decode(found.value.trim_ascii())
        .is_ok_and(|hash| hash == expected)
    {
        Ok(())
    } else {
        Err(SoapError::RequestHash("does not match the request"))
    }
}
