//! A small reader and writer of DER (X.690), strict and bounded, over borrowed bytes.
//!
//! The reader hands out elements together with their exact bytes, so that what was signed or hashed is verified as it
//! came. Only single-byte tags and definite, shortest lengths are taken; [`crate::tsp::ber`] turns BER into that first.

use time::{Date, Month, OffsetDateTime, Time};

/// BOOLEAN.
pub(crate) const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// NULL.
pub(crate) const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// ENUMERATED.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// UTF8String.
pub(crate) const UTF8_STRING: u8 = 0x0c;
/// PrintableString.
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
/// TeletexString (T61String).
pub(crate) const TELETEX_STRING: u8 = 0x14;
/// IA5String.
pub(crate) const IA5_STRING: u8 = 0x16;
/// UTCTime.
pub(crate) const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
/// UniversalString (UTF-32).
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
/// BMPString (UTF-16).
pub(crate) const BMP_STRING: u8 = 0x1e;
/// SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// SET.
pub(crate) const SET: u8 = 0x31;

/// `[number]`, constructed.
pub(crate) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// `[number]`, primitive.
pub(crate) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// Bytes that are not the ASN.1 expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Asn1Error {
    /// The bytes end within an element.
    #[error("the data ends within an element")]
    Truncated,
    /// A length that is indefinite, not in its shortest form, or over 32 bits.
    #[error("element length is not in its DER form")]
    Length,
    /// A tag number over 30, which nothing here uses.
    #[error("tag number is too high")]
    HighTag,
    /// Another element was expected.
    #[error("expected tag {expected:#04x}, found {found:#04x}")]
    UnexpectedTag {
        /// Tag byte that the structure requires here.
        expected: u8,
        /// Tag byte found.
        found: u8,
    },
    /// An element was expected, but the structure ends.
    #[error("a required element is missing")]
    Missing,
    /// Bytes are left over after the structure.
    #[error("{0} bytes after the end of the structure")]
    Trailing(usize),
    /// The contents of an element are not of its type.
    #[error("malformed {0}")]
    Value(&'static str),
    /// More bytes or deeper nesting than allowed.
    #[error("{0} exceeds its limit")]
    Limit(&'static str),
}

/// One element: tag, exact bytes, contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) whole: &'a [u8],
    pub(crate) contents: &'a [u8],
}

/// Reads elements one after another.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, Asn1Error> {
        if self.rest.is_empty() {
            return Err(Asn1Error::Missing);
        }
        let (tag, header, length) = read_header(self.rest)?;
        let end = header.checked_add(length).ok_or(Asn1Error::Length)?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(Asn1Error::Truncated)?;
        self.rest = rest;
        Ok(Element {
            tag,
            whole,
            contents: whole.get(header..).unwrap_or_default(),
        })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Asn1Error> {
        let element = self.next()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(Asn1Error::UnexpectedTag {
                expected: tag,
                found: element.tag,
            })
        }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Asn1Error> {
        if self.rest.first() == Some(&tag) {
            self.next().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The structure must end here.
    pub(crate) fn end(&self) -> Result<(), Asn1Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Asn1Error::Trailing(self.rest.len()))
        }
    }
}

impl<'a> Element<'a> {
    /// Reads the elements inside.
    pub(crate) fn inside(&self) -> Reader<'a> {
        Reader::new(self.contents)
    }

    /// The value of a BOOLEAN.
    pub(crate) fn boolean(&self) -> Result<bool, Asn1Error> {
        match self.contents {
            [0] => Ok(false),
            [_] => Ok(true),
            _ => Err(Asn1Error::Value("BOOLEAN")),
        }
    }

    /// A non-negative INTEGER or ENUMERATED that fits 32 bits.
    pub(crate) fn small_number(&self) -> Result<u32, Asn1Error> {
        let digits = match self.contents {
            [] | [0x80..=0xff, ..] => return Err(Asn1Error::Value("INTEGER")),
            [0, rest @ ..] => rest,
            all => all,
        };
        if digits.len() > 4 {
            return Err(Asn1Error::Limit("INTEGER"));
        }
        Ok(digits
            .iter()
            .fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    /// The octets of a BIT STRING without unused bits.
    pub(crate) fn octet_aligned_bits(&self) -> Result<&'a [u8], Asn1Error> {
        match self.contents {
            [0, bits @ ..] => Ok(bits),
            _ => Err(Asn1Error::Value("BIT STRING")),
        }
    }

    /// Text of any of the string types of a distinguished name; bytes outside the type become U+FFFD.
    pub(crate) fn text(&self) -> Option<String> {
        match self.tag {
            UTF8_STRING | PRINTABLE_STRING | IA5_STRING | 0x12 | 0x1a | 0x1b => {
                Some(String::from_utf8_lossy(self.contents).into_owned())
            }
            TELETEX_STRING => Some(self.contents.iter().copied().map(char::from).collect()),
            BMP_STRING => {
                let units = self
                    .contents
                    .chunks_exact(2)
                    .map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
                Some(
                    char::decode_utf16(units)
                        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                        .collect(),
                )
            }
            UNIVERSAL_STRING => {
                let points = self
                    .contents
                    .chunks_exact(4)
                    .map(|four| four.iter().fold(0, |point, byte| point << 8 | u32::from(*byte)));
                Some(
                    points
                        .map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
                        .collect(),
                )
            }
            _ => None,
        }
    }

    /// UTCTime or GeneralizedTime in UTC (RFC 5280 4.1.2.5), fractions of a second allowed (RFC 3161 2.4.2).
    pub(crate) fn time(&self) -> Result<OffsetDateTime, Asn1Error> {
        let malformed = Asn1Error::Value("time");
        let text = std::str::from_utf8(self.contents).map_err(|_| malformed)?;
        let text = text.strip_suffix('Z').ok_or(malformed)?;
        let (year, rest) = match self.tag {
            UTC_TIME => {
                let (digits, rest) = text.split_at_checked(2).ok_or(malformed)?;
                let year = decimal(digits).ok_or(malformed)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (digits, rest) = text.split_at_checked(4).ok_or(malformed)?;
                (decimal(digits).ok_or(malformed)?, rest)
            }
            _ => return Err(malformed),
        };
        time_in_year(year, rest).ok_or(malformed)
    }
}

fn time_in_year(year: u32, text: &str) -> Option<OffsetDateTime> {
    let (digits, fraction) = match text.split_once('.') {
        Some((digits, fraction)) => (digits, Some(fraction)),
        None => (text, None),
    };
    let two = |from: usize| decimal(digits.get(from..from + 2)?).and_then(|value| u8::try_from(value).ok());
    if digits.len() != 10 {
        return None;
    }
    let month = Month::try_from(two(0)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, two(2)?).ok()?;
    let time = Time::from_hms_nano(two(4)?, two(6)?, two(8)?, fraction.map_or(Some(0), nanoseconds)?).ok()?;
    Some(date.with_time(time).assume_utc())
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    decimal(fraction).map(|value| value * scale)
}

fn decimal(digits: &str) -> Option<u32> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// Tag, length of the header and length of the contents.
fn read_header(bytes: &[u8]) -> Result<(u8, usize, usize), Asn1Error> {
    let (tag, rest) = bytes.split_first().ok_or(Asn1Error::Truncated)?;
    if tag & 0x1f == 0x1f {
        return Err(Asn1Error::HighTag);
    }
    let (first, rest) = rest.split_first().ok_or(Asn1Error::Truncated)?;
    if *first < 0x80 {
        return Ok((*tag, 2, usize::from(*first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Asn1Error::Length);
    }
    let digits = rest.get(..count).ok_or(Asn1Error::Truncated)?;
    let length = digits
        .iter()
        .fold(0_usize, |value, byte| (value << 8) | usize::from(*byte));
    if length < 0x80 || digits.first() == Some(&0) {
        return Err(Asn1Error::Length);
    }
    Ok((*tag, 2 + count, length))
}

/// The single element that these bytes are.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<Element<'_>, Asn1Error> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag)?;
    reader.end()?;
    Ok(element)
}

/// An element of these contents.
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() + 6);
    bytes.push(tag);
    push_length(&mut bytes, contents.len());
    bytes.extend_from_slice(contents);
    bytes
}

/// An element whose contents are these parts, one after another.
pub(crate) fn joined(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// SEQUENCE of encoded parts.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    joined(SEQUENCE, parts)
}

/// SET OF encoded parts, in DER order.
pub(crate) fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    element(SET, &parts.concat())
}

/// OBJECT IDENTIFIER of these contents octets.
pub(crate) fn object_identifier(contents: &[u8]) -> Vec<u8> {
    element(OBJECT_IDENTIFIER, contents)
}

/// OCTET STRING.
pub(crate) fn octet_string(contents: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, contents)
}

/// BIT STRING without unused bits.
pub(crate) fn bit_string(bits: &[u8]) -> Vec<u8> {
    joined(BIT_STRING, &[&[0], bits])
}

/// Non-negative INTEGER from big-endian digits.
pub(crate) fn unsigned_integer(digits: &[u8]) -> Vec<u8> {
    let first = digits.iter().position(|byte| *byte != 0).unwrap_or(digits.len());
    let digits = digits.get(first..).unwrap_or_default();
    match digits.first() {
        None => element(INTEGER, &[0]),
        Some(0x80..=0xff) => joined(INTEGER, &[&[0], digits]),
        Some(_) => element(INTEGER, digits),
    }
}

/// GeneralizedTime of whole seconds in UTC.
pub(crate) fn generalized_time(at: OffsetDateTime) -> Vec<u8> {
    element(
        GENERALIZED_TIME,
        format!(
            "{:04}{}",
            at.to_offset(time::UtcOffset::UTC).year(),
            month_to_second(at)
        )
        .as_bytes(),
    )
}

/// UTCTime until 2049, then GeneralizedTime (RFC 5280 4.1.2.5).
pub(crate) fn certificate_time(at: OffsetDateTime) -> Vec<u8> {
    let year = at.to_offset(time::UtcOffset::UTC).year();
    if (1950..2050).contains(&year) {
        element(
            UTC_TIME,
            format!("{:02}{}", year % 100, month_to_second(at)).as_bytes(),
        )
    } else {
        generalized_time(at)
    }
}

fn month_to_second(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (month, day) = (u8::from(at.month()), at.day());
    format!(
        "{month:02}{day:02}{:02}{:02}{:02}Z",
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Appends a length in its shortest form.
pub(crate) fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let digits = length.to_be_bytes();
    let first = digits.iter().position(|byte| *byte != 0).unwrap_or(digits.len());
    let digits = digits.get(first..).unwrap_or_default();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            bytes.extend_from_slice(digits);
        }
    }
}
