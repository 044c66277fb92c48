//! Taking the addresses of services out of their descriptions: what a WSDL says of where a service is called is not for
//! clients, who call their own security server (features.md 5).

use super::xml::{Node, Walker};
use super::{SoapError, charset, envelope, names};
use crate::text::edited;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Replaces the location of every `address` in a WSDL. The result is in UTF-8, whatever the encoding was; everything
/// else stays byte by byte.
///
/// Deliberately different from the reference, which knows the SOAP 1.1 binding only: addresses of the SOAP 1.2 and HTTP
/// bindings are replaced too, because many tools describe a service by all three.
///
/// # Errors
/// When the document is not well-formed or has a DOCTYPE: entities are never expanded, nothing is fetched.
pub fn hide_endpoints(wsdl: &[u8], replacement: &str) -> Result<Vec<u8>, SoapError> {
    let text = charset::decode(wsdl)?;
    let mut walker = Walker::new(&text)?;
    let mut cuts = vec![(envelope::declaration(&text).unwrap_or(0..0), DECLARATION)];
    while let Some(node) = walker.next()? {
        let Node::Start(element) = node else { continue };
        let is_address =
            element.local_name() == "address" && names::WSDL_BINDINGS.contains(&element.namespace);
        let Some(location) = element.attribute_span("location", &text).filter(|_| is_address) else {
            continue;
        };
        cuts.push((location, replacement));
    }
    Ok(edited(&text, cuts).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(wsdl: &[u8]) -> Result<String, SoapError> {
        Ok(String::from_utf8(hide_endpoints(wsdl, "http://hidden")?).unwrap())
    }

    #[test]
    fn only_addresses_are_replaced() {
        let wsdl = "<?xml version='1.0' encoding='ISO-8859-1'?>\n<!-- \u{E4} --><w:d xmlns:w='http://schemas.xmlsoap.org/wsdl/' \
            xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/'><address location='1'/><s:other location='2'/>\n\
            <s:address x='3' location = \"http://10.0.0.1/?a=1&amp;b\" ></s:address><![CDATA[<s:address location='4'/>]]>\
            <address xmlns='http://schemas.xmlsoap.org/wsdl/soap12/' location=''/>\
            <h:address xmlns:h='http://schemas.xmlsoap.org/wsdl/http/' location='5'/><s:address/></w:d>";
        let latin1: Vec<u8> = wsdl.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let expected = wsdl
            .replace("<?xml version='1.0' encoding='ISO-8859-1'?>", DECLARATION)
            .replace("\"http://10.0.0.1/?a=1&amp;b\"", "\"http://hidden\"")
            .replace("soap12/' location=''", "soap12/' location='http://hidden'")
            .replace("location='5'", "location='http://hidden'");
        assert_eq!(hidden(&latin1).unwrap(), expected);
    }

    #[test]
    fn entities_are_refused_not_expanded() {
        let outside = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
        let laughs = "<!DOCTYPE a [<!ENTITY x 'y'><!ENTITY z '&x;&x;'>]><a>&z;</a>";
        for wrong in [
            outside,
            laughs,
            "<!DOCTYPE a SYSTEM 'http://x/'><a/>",
            "<a>&x;</a>",
            "<a>",
            "<html><br></html>",
            "",
        ] {
            assert!(
                matches!(hidden(wrong.as_bytes()), Err(SoapError::NotWellFormed(_))),
                "{wrong}"
            );
        }
        assert_eq!(
            hidden(b"<a>&amp;</a>").unwrap(),
            format!("{DECLARATION}<a>&amp;</a>")
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_descriptions_never_panic(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "<", ">", "/>", "address", " location=", "'", "\"", "x", "<s:address location='a'/>",
                "<d xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/'>", "</d>", "<?xml version='1.0'?>", "&", "\u{E4}",
            ]), 0..30)
        ) {
            let _ = hidden(pieces.concat().as_bytes());
        }
    }
}
