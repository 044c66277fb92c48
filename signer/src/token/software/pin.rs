//! Which PINs may be set.

use signer_client::{Pin, SignerError};

/// Most bytes of a PIN.
pub(super) const MAX_PIN_BYTES: usize = 1024;

const LEAST_LENGTH: usize = 10;
const LEAST_CLASSES: usize = 3;

/// Checks a new PIN: not empty; under the policy (features.md 1.2, K8) at least ten printable ASCII characters of at
/// least three of the classes lower case, upper case, digits and others.
pub(super) fn check(pin: &Pin, enforce_policy: bool) -> Result<(), SignerError> {
    let pin = pin.reveal();
    if pin.is_empty() || pin.len() > MAX_PIN_BYTES {
        return failure("it must have 1 to 1024 bytes");
    }
    if !enforce_policy {
        return Ok(());
    }
    if !pin.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return failure("it must have printable ASCII characters only");
    }
    if pin.len() < LEAST_LENGTH {
        return failure("it must have at least 10 characters");
    }
    if classes(pin) < LEAST_CLASSES {
        return failure("it must have three of: lower case, upper case, digits, others");
    }
    Ok(())
}

fn classes(pin: &str) -> usize {
    let classes: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
        u8::is_ascii_digit,
        |byte| !byte.is_ascii_alphanumeric(),
    ];
    classes
        .iter()
        .filter(|class| pin.as_bytes().iter().any(class))
        .count()
}

fn failure(reason: &str) -> Result<(), SignerError> {
    Err(SignerError::PinPolicyFailure(reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_wants_length_and_classes() {
        for strong in ["Abcdefgh12", "abcdefgh1!", "ABC def 123"] {
            check(&Pin::new(strong), true).unwrap();
        }
        for weak in ["", "Abcdefg12", "abcdefgh12", "abcdefghij", "Äbcdefgh12"] {
            assert!(check(&Pin::new(weak), true).is_err(), "{weak}");
        }
        check(&Pin::new("1"), false).unwrap();
        assert!(check(&Pin::new(""), false).is_err());
    }
}
