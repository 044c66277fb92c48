//! What the signer says no to, for people.

use signer_client::SignerError;

use crate::failure::Failure;

/// Says what the signer was asked when it did not do it.
pub(super) trait OrRefused<T> {
    /// A refusal ends with exit code 1, a signer that cannot be asked with 2.
    fn or_refused(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> OrRefused<T> for Result<T, SignerError> {
    fn or_refused(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| {
            if error.is_transient() || matches!(error, SignerError::Protocol(_)) {
                return Failure::Unusable {
                    what: what(),
                    why: Some(error.into()),
                };
            }
            let hint = hint(&error).map(|hint| format!("; {hint}")).unwrap_or_default();
            let code = error.fault_code();
            Failure::No(format!("cannot {}: {error} ({code}){hint}", what()))
        })
    }
}

const fn hint(error: &SignerError) -> Option<&'static str> {
    match error {
        SignerError::KeyNotFound(_) => Some("see `kiirtee keys list`"),
        SignerError::TokenNotFound(_) => Some("see `kiirtee keys tokens`"),
        SignerError::CertificateNotFound(_) | SignerError::CsrNotFound(_) => {
            Some("see `kiirtee keys certificates`")
        }
        SignerError::TokenNotActive(_) | SignerError::KeyNotAvailable(_) => {
            Some("expected a token that is logged in to, with this key: `kiirtee keys login`")
        }
        SignerError::TokenNotInitialized(_) => Some("give it a PIN first: `kiirtee keys init`"),
        SignerError::TokenNotAvailable(_) => Some("expected a device that works: `kiirtee keys devices`"),
        SignerError::CertificateImportFailed(_) => Some("expected a certificate of a key of this signer"),
        SignerError::NotPermitted => {
            Some("expected root, the signer's own user, or one of its administrators")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_the_fault_code_and_what_to_do() {
        let refused: Result<(), _> = Err(SignerError::TokenNotActive("0".to_owned()));
        let failure = refused.or_refused(|| "make a key".to_owned()).unwrap_err();
        assert!(matches!(failure, Failure::No(_)), "{failure}");
        let text = failure.to_string();
        assert!(
            text.contains("(token_not_active)") && text.contains("kiirtee keys login"),
            "{text}"
        );
        let away: Result<(), _> = Err(SignerError::Busy);
        let failure = away.or_refused(|| "make a key".to_owned()).unwrap_err();
        assert!(matches!(failure, Failure::Unusable { .. }), "{failure}");
    }
}
