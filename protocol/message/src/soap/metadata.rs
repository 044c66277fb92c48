//! SOAP messages of the metadata services `listMethods`, `allowedMethods` and `getWsdl` (features.md 5): reading their
//! requests and making the responses.
//!
//! A response is its request with another body: envelope, header, prefixes and white space stay as the client wrote
//! them, as in the reference. Tools take an answer apart by the prefixes that they asked with (ecosystem.md 2.1).
//! Responses are in UTF-8 and without XML declaration; [`super::with_request_hash`] finishes them.

use super::charset;
use super::envelope::declaration;
use super::filtered::service_into;
use super::xml::{Element, Node, Walker};
use super::{SoapError, names};
use crate::identifier::ServiceId;
use crate::text::edited;
use std::ops::Range;

/// Prefix of the response's elements where the request has none in scope.
const X_ROAD_PREFIX: &str = "xrd";
/// The same for identifiers.
const IDENTIFIERS_PREFIX: &str = "id";

/// Whose description a `getWsdl` request asks for. Values are not trimmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WsdlQuery {
    /// Code of the service, absent if the request names none.
    pub service_code: Option<String>,
    /// Version of the service.
    pub service_version: Option<String>,
}

/// Reads the body of a `getWsdl` request.
///
/// # Errors
/// As [`super::parse`], which accepted the same bytes.
pub fn wsdl_query(request: &[u8]) -> Result<WsdlQuery, SoapError> {
    let text = charset::decode(request)?;
    Ok(Body::read(&text)?.query)
}

/// The response to a `getWsdl` request: the request with `Response` behind the operation's name.
///
/// # Errors
/// As [`super::parse`], which accepted the same bytes.
pub fn wsdl_response(request: &[u8], operation: &str) -> Result<Vec<u8>, SoapError> {
    let text = charset::decode(request)?;
    let body = Body::read(&text)?;
    let name = format!("{}{operation}Response", body.child_prefix);
    let end = body.child_end_name.into_iter();
    let cuts = std::iter::once(body.child_name)
        .chain(end)
        .map(|range| (range, name.as_str()));
    Ok(answered(&text, cuts))
}

/// The response to a `listMethods` or `allowedMethods` request, with these services.
///
/// # Errors
/// As [`super::parse`], which accepted the same bytes.
pub fn methods_response<'s>(
    request: &[u8],
    operation: &str,
    services: impl Iterator<Item = &'s ServiceId>,
) -> Result<Vec<u8>, SoapError> {
    let text = charset::decode(request)?;
    let body = Body::read(&text)?;
    let list = method_list(&body, operation, services);
    Ok(answered(&text, std::iter::once((body.content, list.as_str()))))
}

/// The element that lists the services. Namespaces are declared only where the request does not.
fn method_list<'s>(body: &Body, operation: &str, services: impl Iterator<Item = &'s ServiceId>) -> String {
    let mut declarations = String::new();
    let mut declared = |known: &Option<String>, own: &str, namespace: &str| {
        known.clone().unwrap_or_else(|| {
            declarations.push_str(&format!(" xmlns:{own}=\"{namespace}\""));
            own.to_owned()
        })
    };
    let x_road = declared(&body.x_road, X_ROAD_PREFIX, names::X_ROAD);
    let identifiers = declared(&body.identifiers, IDENTIFIERS_PREFIX, names::IDENTIFIERS);
    let mut out = format!("<{x_road}:{operation}Response{declarations}>");
    for service in services {
        service_into(service, (&x_road, &identifiers), &mut out);
    }
    out.push_str(&format!("</{x_road}:{operation}Response>"));
    out
}

/// The text with some of its ranges replaced, and without the declaration, whose encoding is not that of the result.
fn answered<'t>(text: &str, cuts: impl Iterator<Item = (Range<usize>, &'t str)>) -> Vec<u8> {
    let undeclared = declaration(text).map(|range| (range, ""));
    edited(text, undeclared.into_iter().chain(cuts)).into_bytes()
}

/// Where things are in the body, in bytes, and what it says.
#[derive(Debug, Default)]
struct Body {
    /// Between the tags of the body.
    content: Range<usize>,
    /// The name of the body's child, in its start tag and in its end tag if it has one.
    child_name: Range<usize>,
    child_end_name: Option<Range<usize>>,
    /// Its prefix with the colon, or nothing.
    child_prefix: String,
    /// Prefixes in scope.
    x_road: Option<String>,
    identifiers: Option<String>,
    query: WsdlQuery,
}

/// Depths of elements; the root has 1.
const BODY: usize = 2;
const CHILD: usize = 3;
const FIELD: usize = 4;

impl Body {
    fn read(text: &str) -> Result<Self, SoapError> {
        let mut walker = Walker::new(text)?;
        let (mut body, mut depth, mut inside) = (Self::default(), 0_usize, false);
        let mut field = None;
        while let Some(node) = walker.next()? {
            let span = walker.span();
            match node {
                Node::Start(element) => {
                    depth = depth.saturating_add(1);
                    inside |= depth == BODY && element.is(names::ENVELOPE, "Body");
                    if inside {
                        body.start(depth, &element, &span, &walker);
                        field = body.query.field(depth, &element).or(field);
                    }
                }
                Node::End => {
                    if inside {
                        body.end(depth, &span);
                    }
                    inside &= depth != BODY;
                    field = field.filter(|_| depth > FIELD);
                    depth = depth.saturating_sub(1);
                }
                Node::Text(value) => {
                    if let Some(field) = field.filter(|_| depth == FIELD) {
                        body.query.append(field, &value);
                    }
                }
                Node::Other => {}
            }
        }
        Ok(body)
    }

    fn start(&mut self, depth: usize, element: &Element<'_>, span: &Range<usize>, walker: &Walker<'_>) {
        match depth {
            BODY => {
                self.content = span.end..span.end;
                self.x_road = walker.prefix_of(names::X_ROAD);
                self.identifiers = walker.prefix_of(names::IDENTIFIERS);
            }
            CHILD => {
                let start = span.start.saturating_add("<".len());
                self.child_name = start..start.saturating_add(element.qualified_name().len());
                self.child_prefix = element.prefix();
            }
            _ => {}
        }
    }

    fn end(&mut self, depth: usize, span: &Range<usize>) {
        match depth {
            BODY => self.content.end = span.start,
            // An empty element has no end tag.
            CHILD if !span.is_empty() => {
                let start = span.start.saturating_add("</".len());
                self.child_end_name = Some(start..start.saturating_add(self.child_name.len()));
            }
            _ => {}
        }
    }
}

/// A field of [`WsdlQuery`].
#[derive(Debug, Clone, Copy)]
enum QueryField {
    Code,
    Version,
}

impl WsdlQuery {
    /// The field that an element is. Of an element that occurs twice the last counts.
    fn field(&mut self, depth: usize, element: &Element<'_>) -> Option<QueryField> {
        if depth != FIELD {
            return None;
        }
        let field = [
            (names::SERVICE_CODE, QueryField::Code),
            (names::SERVICE_VERSION, QueryField::Version),
        ]
        .into_iter()
        .find(|(name, _)| element.is(names::X_ROAD, name))
        .map(|(_, field)| field)?;
        *self.value(field) = Some(String::new());
        Some(field)
    }

    fn append(&mut self, field: QueryField, text: &str) {
        self.value(field).get_or_insert_default().push_str(text);
    }

    fn value(&mut self, field: QueryField) -> &mut Option<String> {
        match field {
            QueryField::Code => &mut self.service_code,
            QueryField::Version => &mut self.service_version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::ClientId;

    const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

    fn request(body: &str) -> String {
        format!("{DECLARATION}{}", envelope(body))
    }

    fn envelope(body: &str) -> String {
        format!(
            "\n<S:Envelope xmlns:S=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:i=\"http://x-road.eu/xsd/identifiers\">\n \
             <S:Header> <x:id>7</x:id><!-- kept --> </S:Header>\n <S:Body>\n  {body}\n </S:Body>\n</S:Envelope>\n"
        )
    }

    fn services() -> Vec<ServiceId> {
        let provider = ClientId::subsystem("EE", "GOV", "1&2", "s");
        let service = |code: &str, version: Option<&str>| ServiceId {
            provider: provider.clone(),
            service_code: code.into(),
            service_version: version.map(Into::into),
        };
        vec![service("a", Some("v1")), service("b", None)]
    }

    #[test]
    fn lists_services_with_the_prefixes_of_the_request() {
        let xml = methods_response(
            request("<x:listMethods/>").as_bytes(),
            "listMethods",
            services().iter(),
        );
        let client = "<i:xRoadInstance>EE</i:xRoadInstance><i:memberClass>GOV</i:memberClass>\
            <i:memberCode>1&amp;2</i:memberCode><i:subsystemCode>s</i:subsystemCode>";
        let list = format!(
            "<x:listMethodsResponse><x:service i:objectType=\"SERVICE\">{client}<i:serviceCode>a</i:serviceCode>\
             <i:serviceVersion>v1</i:serviceVersion></x:service><x:service i:objectType=\"SERVICE\">{client}\
             <i:serviceCode>b</i:serviceCode></x:service></x:listMethodsResponse>"
        );
        let expected = envelope("").replace("<S:Body>\n  \n </S:Body>", &format!("<S:Body>{list}</S:Body>"));
        assert_eq!(String::from_utf8(xml.unwrap()).unwrap(), expected);
    }

    #[test]
    fn declares_what_the_request_does_not() {
        let request = "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><allowedMethods \
            xmlns=\"http://x-road.eu/xsd/xroad.xsd\"></allowedMethods></Body></Envelope>";
        let xml = methods_response(request.as_bytes(), "allowedMethods", [].iter()).unwrap();
        assert_eq!(
            String::from_utf8(xml).unwrap(),
            "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><xrd:allowedMethodsResponse \
             xmlns:xrd=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:id=\"http://x-road.eu/xsd/identifiers\">\
             </xrd:allowedMethodsResponse></Body></Envelope>"
        );
    }

    #[test]
    fn get_wsdl_is_answered_with_itself() {
        for (asked, answered) in [
            (
                "<x:getWsdl a='>'><x:serviceCode>q</x:serviceCode></x:getWsdl >",
                "<x:getWsdlResponse a='>'><x:serviceCode>q</x:serviceCode></x:getWsdlResponse >",
            ),
            ("<x:getWsdl />", "<x:getWsdlResponse />"),
            (
                "<getWsdlX xmlns='urn:y'></getWsdlX>",
                "<getWsdlResponse xmlns='urn:y'></getWsdlResponse>",
            ),
        ] {
            let xml = wsdl_response(request(asked).as_bytes(), "getWsdl").unwrap();
            assert_eq!(String::from_utf8(xml).unwrap(), envelope(answered));
        }
    }

    #[test]
    fn another_encoding_becomes_utf_8() {
        let request = envelope("<x:getWsdl/>").replace("7", "\u{E4}");
        let latin1 = request.chars().map(|c| u8::try_from(c).unwrap());
        let latin1: Vec<u8> = b"<?xml version='1.0' encoding='ISO-8859-1'?>"
            .iter()
            .copied()
            .chain(latin1)
            .collect();
        let answer = wsdl_response(&latin1, "getWsdl").unwrap();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            request.replace("getWsdl", "getWsdlResponse")
        );
    }

    #[test]
    fn reads_what_is_asked_for() {
        let query = |body: &str| {
            let query = wsdl_query(request(body).as_bytes()).unwrap();
            (query.service_code, query.service_version)
        };
        let both = "<x:getWsdl>\n<x:serviceCode>a<![CDATA[b]]>&amp;</x:serviceCode>\n<x:serviceVersion>v1</x:serviceVersion></x:getWsdl>";
        assert_eq!(query(both), (Some("ab&".into()), Some("v1".into())));
        assert_eq!(query("<x:getWsdl/>"), (None, None));
        assert_eq!(
            query("<x:getWsdl><x:serviceCode/></x:getWsdl>"),
            (Some(String::new()), None)
        );
        let elsewhere = "<x:getWsdl><serviceCode>a</serviceCode><i:serviceCode>b</i:serviceCode><x:other>\
            <x:serviceCode>c</x:serviceCode></x:other>d</x:getWsdl>";
        assert_eq!(query(elsewhere), (None, None));
        let nested =
            "<x:getWsdl><x:serviceCode>a<x:serviceVersion>v</x:serviceVersion>b</x:serviceCode></x:getWsdl>";
        assert_eq!(query(nested), (Some("ab".into()), None));
    }
}
