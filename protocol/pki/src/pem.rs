//! PEM text (RFC 7468), read leniently, and base64 in DER's stead.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// DER as PEM text with this label: `CERTIFICATE`, `PRIVATE KEY`, `CERTIFICATE REQUEST`.
pub fn encode(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (position, character) in text.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// DER of the first PEM block whose label ends with this one (`CERTIFICATE REQUEST` also finds `NEW CERTIFICATE REQUEST`).
pub fn decode(label: &str, text: &str) -> Option<Vec<u8>> {
    blocks(label, text).next()
}

/// DER of every PEM block whose label ends with this one, in order. Blocks that are not base64 are left out.
pub fn blocks<'a>(label: &'a str, text: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    text.split("-----BEGIN ").skip(1).filter_map(move |block| {
        let (found, rest) = block.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        found.ends_with(label).then(|| base64_decode(body)).flatten()
    })
}

/// Bytes of base64 text, white space ignored.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT.decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_round_trips_and_labels_are_told_apart() {
        let bytes: Vec<u8> = (0..200).collect();
        let text = format!(
            "noise\n{}{}",
            encode("CERTIFICATE", &bytes),
            encode("PRIVATE KEY", b"key")
        );
        assert_eq!(decode("CERTIFICATE", &text), Some(bytes));
        assert_eq!(decode("PRIVATE KEY", &text), Some(b"key".to_vec()));
        assert_eq!(decode("X509 CRL", &text), None);
    }
}
