//! Serial numbers in decimal, as XAdES writes them.

/// Longest serial number taken, in bytes. RFC 5280 allows 20; some authorities exceed it.
pub(super) const MAX_SERIAL_BYTES: usize = 64;

/// Decimal text of big-endian two's complement contents octets.
pub(crate) fn to_decimal(contents: &[u8]) -> String {
    if contents.first().is_some_and(|byte| byte & 0x80 != 0) {
        format!("-{}", unsigned_decimal(negated(contents)))
    } else {
        unsigned_decimal(contents.to_vec())
    }
}

fn negated(contents: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = contents.iter().map(|byte| !byte).collect();
    for digit in digits.iter_mut().rev() {
        let (sum, carry) = digit.overflowing_add(1);
        *digit = sum;
        if !carry {
            break;
        }
    }
    digits
}

fn unsigned_decimal(mut digits: Vec<u8>) -> String {
    let mut text = Vec::new();
    while digits.iter().any(|digit| *digit != 0) {
        let mut remainder = 0_u16;
        for digit in &mut digits {
            let value = remainder * 256 + u16::from(*digit);
            *digit = u8::try_from(value / 10).unwrap_or_default();
            remainder = value % 10;
        }
        text.push(char::from_digit(u32::from(remainder), 10).unwrap_or('0'));
    }
    if text.is_empty() {
        "0".to_owned()
    } else {
        text.into_iter().rev().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::to_decimal;

    #[test]
    fn decimal_of_small_large_and_negative() {
        assert_eq!(to_decimal(&[0]), "0");
        assert_eq!(to_decimal(&[0x7f]), "127");
        assert_eq!(to_decimal(&[0x00, 0xff]), "255");
        assert_eq!(to_decimal(&[0xff]), "-1");
        assert_eq!(to_decimal(&[0x80, 0x00]), "-32768");
        assert_eq!(to_decimal(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), "18446744073709551616");
    }
}
