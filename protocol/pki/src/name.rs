//! Distinguished names: attributes, comparison, text (RFC 5280 4.1.2.4, RFC 2253).

use crate::asn1::{self, Asn1Error, Element, Reader};
use crate::digest::hex;
use crate::oid;

/// Longest encoded name taken, in bytes.
pub const MAX_NAME_BYTES: usize = 8192;

/// A distinguished name, kept as its DER with the attributes read out.
#[derive(Clone)]
pub struct DistinguishedName {
    der: Box<[u8]>,
    attributes: Vec<NameAttribute>,
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NameAttribute {
    /// Position of its relative distinguished name; several attributes may share one.
    rdn: usize,
    oid: Box<[u8]>,
    value_der: Box<[u8]>,
    text: Option<String>,
}

impl DistinguishedName {
    /// Reads a DER `Name`.
    ///
    /// # Errors
    /// Bytes that are not one, or more than [`MAX_NAME_BYTES`] of them.
    pub fn from_der(der: &[u8]) -> Result<Self, Asn1Error> {
        if der.len() > MAX_NAME_BYTES {
            return Err(Asn1Error::Limit("name"));
        }
        let mut attributes = Vec::new();
        let mut rdns = asn1::only(der, asn1::SEQUENCE)?.inside();
        let mut rdn = 0;
        while !rdns.is_empty() {
            read_rdn(rdns.expect(asn1::SET)?.inside(), rdn, &mut attributes)?;
            rdn += 1;
        }
        Ok(Self {
            der: der.into(),
            attributes,
        })
    }

    /// A name of one attribute per relative distinguished name, in this (encoded) order, usually country first.
    /// Attributes are named as in RFC 2253 (`CN`, `serialNumber`, ...) or dotted.
    ///
    /// # Errors
    /// The attribute name that is not known.
    pub fn build(attributes: &[(&str, &str)]) -> Result<Self, UnknownAttribute> {
        let mut parts = Vec::new();
        let mut read = Vec::new();
        for (rdn, (name, value)) in attributes.iter().enumerate() {
            let oid = attribute_oid(name).ok_or_else(|| UnknownAttribute((*name).to_owned()))?;
            let tag = string_tag(&oid, value);
            let value_der = asn1::element(tag, value.as_bytes());
            let pair = asn1::sequence(&[&asn1::object_identifier(&oid), &value_der]);
            parts.push(asn1::element(asn1::SET, &pair));
            let text = Some((*value).to_owned());
            read.push(NameAttribute {
                rdn,
                oid: oid.into(),
                value_der: value_der.into(),
                text,
            });
        }
        Ok(Self {
            der: asn1::element(asn1::SEQUENCE, &parts.concat()).into(),
            attributes: read,
        })
    }

    /// DER of the name.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the name has no attribute.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Text of the first attribute of this type, named as in RFC 2253 or dotted (`CN`, `serialNumber`, `2.5.4.97`).
    pub fn get(&self, attribute: &str) -> Option<&str> {
        let oid = attribute_oid(attribute)?;
        self.attributes
            .iter()
            .find(|known| *known.oid == *oid)
            .and_then(|known| known.text.as_deref())
    }

    /// CN.
    pub fn common_name(&self) -> Option<&str> {
        self.get("CN")
    }

    /// C.
    pub fn country(&self) -> Option<&str> {
        self.get("C")
    }

    /// O.
    pub fn organization(&self) -> Option<&str> {
        self.get("O")
    }

    /// OU.
    pub fn organizational_unit(&self) -> Option<&str> {
        self.get("OU")
    }

    /// serialNumber (2.5.4.5), the subject's and not the certificate's.
    pub fn serial_number(&self) -> Option<&str> {
        self.get("serialNumber")
    }

    /// Text as RFC 2253 has it, as `X500Principal.getName()` of Java prints it, which XAdES issuer names come from: the last
    /// attribute first, keywords only for CN, C, L, ST, O, OU, STREET, DC and UID, other types dotted with `#` and DER.
    pub fn rfc2253(&self) -> String {
        self.print(|attribute| match rfc2253_keyword(&attribute.oid) {
            Some(keyword) => (keyword.to_owned(), attribute.text.as_deref()),
            None => (oid::dotted(&attribute.oid), None),
        })
    }

    /// Text for people: as [`Self::rfc2253`], but with readable names and values wherever there are some.
    pub fn readable(&self) -> String {
        self.print(|attribute| {
            let keyword = ATTRIBUTE_NAMES
                .iter()
                .find(|(_, known)| **known == *attribute.oid);
            let name = keyword.map_or_else(|| oid::dotted(&attribute.oid), |(name, _)| (*name).to_owned());
            (name, attribute.text.as_deref())
        })
    }

    fn print<'a>(&'a self, form: impl Fn(&'a NameAttribute) -> (String, Option<&'a str>)) -> String {
        let mut rdns: Vec<Vec<String>> = Vec::new();
        for attribute in &self.attributes {
            let (name, text) = form(attribute);
            let value = text.map_or_else(|| format!("#{}", hex(&attribute.value_der)), escape);
            let part = format!("{name}={value}");
            match rdns.get_mut(attribute.rdn) {
                Some(rdn) => rdn.push(part),
                None => rdns.push(vec![part]),
            }
        }
        let rdns: Vec<String> = rdns.into_iter().rev().map(|rdn| rdn.join("+")).collect();
        rdns.join(",")
    }
}

/// Names are equal when their attributes are, letter case, runs of spaces and string types aside (RFC 5280 7.1).
impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
            || (self.attributes.len() == other.attributes.len()
                && self
                    .attributes
                    .iter()
                    .zip(&other.attributes)
                    .all(|(one, two)| one.matches(two)))
    }
}

impl Eq for DistinguishedName {}

impl std::fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.readable())
    }
}

impl std::fmt::Debug for DistinguishedName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DistinguishedName({self})")
    }
}

impl NameAttribute {
    fn matches(&self, other: &Self) -> bool {
        self.rdn == other.rdn
            && self.oid == other.oid
            && match (&self.text, &other.text) {
                (Some(one), Some(two)) => folded(one) == folded(two),
                _ => self.value_der == other.value_der,
            }
    }
}

/// A name attribute that has no known object identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name attribute {0:?} is not known")]
pub struct UnknownAttribute(pub String);

fn read_rdn(mut rdn: Reader<'_>, position: usize, into: &mut Vec<NameAttribute>) -> Result<(), Asn1Error> {
    if rdn.is_empty() {
        return Err(Asn1Error::Missing);
    }
    while !rdn.is_empty() {
        let mut pair = rdn.expect(asn1::SEQUENCE)?.inside();
        let oid = pair.expect(asn1::OBJECT_IDENTIFIER)?;
        let value: Element<'_> = pair.next()?;
        pair.end()?;
        into.push(NameAttribute {
            rdn: position,
            oid: oid.contents.into(),
            value_der: value.whole.into(),
            text: value.text(),
        });
    }
    Ok(())
}

fn folded(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

const ATTRIBUTE_NAMES: &[(&str, &[u8])] = &[
    ("CN", oid::COMMON_NAME),
    ("C", oid::COUNTRY),
    ("L", oid::LOCALITY),
    ("ST", oid::STATE),
    ("STREET", oid::STREET),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("DC", oid::DOMAIN_COMPONENT),
    ("UID", oid::USER_ID),
    ("serialNumber", oid::SERIAL_NUMBER),
    ("businessCategory", oid::BUSINESS_CATEGORY),
    ("organizationIdentifier", oid::ORGANIZATION_IDENTIFIER),
    ("givenName", oid::GIVEN_NAME),
    ("surname", oid::SURNAME),
    ("title", oid::TITLE),
    ("emailAddress", oid::EMAIL_ADDRESS),
];

fn attribute_oid(name: &str) -> Option<Vec<u8>> {
    let known = ATTRIBUTE_NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known
        .map(|(_, oid)| oid.to_vec())
        .or_else(|| oid::from_dotted(name))
}

fn rfc2253_keyword(oid: &[u8]) -> Option<&'static str> {
    ATTRIBUTE_NAMES
        .iter()
        .take(9)
        .find(|(_, known)| *known == oid)
        .map(|(name, _)| *name)
}

/// The string type of a new value: countries and serial numbers are PrintableString by definition (RFC 5280 A.1),
/// domain components and mail addresses IA5String, everything else UTF8String.
fn string_tag(oid: &[u8], value: &str) -> u8 {
    let printable = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    if (oid == oid::COUNTRY || oid == oid::SERIAL_NUMBER) && printable {
        asn1::PRINTABLE_STRING
    } else if (oid == oid::DOMAIN_COMPONENT || oid == oid::EMAIL_ADDRESS) && value.is_ascii() {
        asn1::IA5_STRING
    } else {
        asn1::UTF8_STRING
    }
}

/// Escapes as Java does: `=` and every `#` too, leading and trailing white space.
fn escape(text: &str) -> String {
    let leading = text.chars().take_while(|character| is_blank(*character)).count();
    let length = text.chars().count();
    let trailing = text
        .chars()
        .rev()
        .take_while(|character| is_blank(*character))
        .count();
    let mut escaped = String::with_capacity(text.len());
    for (position, character) in text.chars().enumerate() {
        let at_edge = position < leading || position >= length - trailing;
        if at_edge || ",=+<>#;\"\\".contains(character) {
            escaped.push('\\');
        }
        match character {
            '\0' => escaped.push_str("\\00"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn is_blank(character: char) -> bool {
    character == ' ' || character == '\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_names_read_back_and_print_as_java_does() {
        let name = DistinguishedName::build(&[
            ("C", "EE"),
            ("O", "A, B = #1"),
            ("serialNumber", "70"),
            ("CN", " x"),
        ])
        .unwrap();
        let read = DistinguishedName::from_der(name.as_der()).unwrap();
        assert_eq!(read.get("cn"), Some(" x"));
        assert_eq!(read.get("2.5.4.5"), Some("70"));
        assert_eq!(read.rfc2253(), "CN=\\ x,2.5.4.5=#13023730,O=A\\, B \\= \\#1,C=EE");
        assert_eq!(read.readable(), "CN=\\ x,serialNumber=70,O=A\\, B \\= \\#1,C=EE");
    }

    #[test]
    fn names_compare_by_meaning() {
        let one = DistinguishedName::build(&[("C", "EE"), ("CN", "Test  CA")]).unwrap();
        let same = DistinguishedName::build(&[("C", "ee"), ("CN", "test ca ")]).unwrap();
        let other_order = DistinguishedName::build(&[("CN", "Test CA"), ("C", "EE")]).unwrap();
        assert_eq!(one, same);
        assert_ne!(one, other_order);
        assert!(DistinguishedName::build(&[("nonsense", "x")]).is_err());
    }
}
