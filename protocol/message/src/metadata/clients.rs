//! The list of an instance's members and subsystems: `GET /listClients` (features.md 5).

use quick_xml::escape::partial_escape;
use serde::Serialize;

use crate::identifier::ClientId;

/// `Content-Type` of [`to_xml`].
pub const XML_CONTENT_TYPE: &str = "text/xml; charset=UTF-8";
/// `Content-Type` of [`to_json`].
pub const JSON_CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// A member or subsystem with its names.
#[derive(Debug, Clone, Copy)]
pub struct ListedClient<'a> {
    /// Who.
    pub id: &'a ClientId,
    /// Name of the member, of a subsystem too.
    pub name: &'a str,
    /// Name of the subsystem, if it has one.
    pub subsystem_name: Option<&'a str>,
}

/// What a client accepts, from the values of its `Accept` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What is not JSON.
    Xml,
    /// As soon as `application/json` is accepted, however little: `q` does not count.
    Json,
}

/// An `Accept` header that is none. The text is the reference's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Could not parse '{0}'")]
pub struct MalformedAccept(pub String);

impl Format {
    /// Decides by the values of the `Accept` headers, in their order.
    ///
    /// # Errors
    /// When something in front of `application/json` is no media type.
    pub fn of<'v>(accept: impl Iterator<Item = &'v str>) -> Result<Self, MalformedAccept> {
        for value in accept {
            let value = value.trim();
            let mut ranges = value.split(',').map(str::trim_ascii).collect::<Vec<_>>();
            // Nothing behind the last comma is nothing; nothing at all is no media type.
            while ranges.len() > 1 && ranges.last().is_some_and(|last| last.is_empty()) {
                ranges.pop();
            }
            for range in ranges {
                let (kind, subtype) = media_type(range).ok_or_else(|| MalformedAccept(range.to_owned()))?;
                if kind.eq_ignore_ascii_case("application") && subtype.eq_ignore_ascii_case("json") {
                    return Ok(Self::Json);
                }
            }
        }
        Ok(Self::Xml)
    }
}

/// Type and subtype of a media range whose parameters are well-formed.
fn media_type(range: &str) -> Option<(&str, &str)> {
    let (essence, mut parameters) = range.split_once(';').map_or((range, None), |(e, p)| (e, Some(p)));
    let (kind, subtype) = essence.trim_ascii_end().split_once('/')?;
    if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    while let Some(text) = parameters {
        let (name, value) = text.split_once('=')?;
        if !is_token(name.trim_ascii()) {
            return None;
        }
        parameters = after_value(value.trim_ascii_start())?;
    }
    Some((kind, subtype))
}

/// What follows the `;` behind a parameter's value, if anything does.
fn after_value(value: &str) -> Option<Option<&str>> {
    let end = match value.strip_prefix('"') {
        Some(quoted) => {
            let mut escaped = false;
            let close = quoted.bytes().position(|byte| match byte {
                _ if escaped => {
                    escaped = false;
                    false
                }
                b'\\' => {
                    escaped = true;
                    false
                }
                byte => byte == b'"',
            })?;
            close.saturating_add(2)
        }
        None => {
            let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
            value.get(..end).filter(|token| is_token(token))?.len()
        }
    };
    let rest = value.get(end..)?.trim_ascii_start();
    match rest.strip_prefix(';') {
        Some(next) => Some(Some(next)),
        None if rest.is_empty() => Some(None),
        None => None,
    }
}

/// A token of HTTP (RFC 9110 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte))
}

/// The list as the reference's clients read it, indented as it writes it.
#[must_use]
pub fn to_xml<'a>(clients: impl Iterator<Item = ListedClient<'a>>) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<ns2:clientList \
         xmlns:ns1=\"http://x-road.eu/xsd/identifiers\" xmlns:ns2=\"http://x-road.eu/xsd/xroad.xsd\">\n",
    );
    for client in clients {
        client_into(&client, &mut out);
    }
    out.push_str("</ns2:clientList>\n");
    out
}

fn client_into(client: &ListedClient<'_>, out: &mut String) {
    let object_type = client.id.object_type();
    out.push_str(&format!(
        "    <ns2:member>\n        <ns2:id ns1:objectType=\"{object_type}\">\n"
    ));
    let id = client.id;
    line(3, "ns1:xRoadInstance", id.instance(), out);
    line(3, "ns1:memberClass", id.member_class(), out);
    line(3, "ns1:memberCode", id.member_code(), out);
    if let Some(code) = id.subsystem_code() {
        line(3, "ns1:subsystemCode", code, out);
    }
    out.push_str("        </ns2:id>\n");
    line(2, "ns2:name", client.name, out);
    if let Some(name) = client.subsystem_name {
        line(2, "ns2:subsystemName", name, out);
    }
    out.push_str("    </ns2:member>\n");
}

fn line(depth: usize, name: &str, value: &str, out: &mut String) {
    out.push_str(&"    ".repeat(depth));
    out.push_str(&format!("<{name}>{}</{name}>\n", partial_escape(value)));
}

#[derive(Serialize)]
struct List<'a> {
    member: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Member<'a> {
    id: Id<'a>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsystem_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Id<'a> {
    member_class: &'a str,
    member_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsystem_code: Option<&'a str>,
    object_type: &'static str,
    xroad_instance: &'a str,
}

impl<'a> From<ListedClient<'a>> for Member<'a> {
    fn from(client: ListedClient<'a>) -> Self {
        let id = client.id;
        Self {
            id: Id {
                member_class: id.member_class(),
                member_code: id.member_code(),
                subsystem_code: id.subsystem_code(),
                object_type: client.id.object_type(),
                xroad_instance: id.instance(),
            },
            name: client.name,
            subsystem_name: client.subsystem_name,
        }
    }
}

/// The same as JSON.
///
/// # Errors
/// Never: nothing in it can fail to be written.
pub fn to_json<'a>(clients: impl Iterator<Item = ListedClient<'a>>) -> Result<String, serde_json::Error> {
    serde_json::to_string(&List {
        member: clients.map(Member::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> [ClientId; 2] {
        [
            ClientId::for_member("EE", "GOV", "1"),
            ClientId::subsystem("EE", "GOV", "1", "a&b"),
        ]
    }

    fn listed(ids: &[ClientId]) -> impl Iterator<Item = ListedClient<'_>> {
        ids.iter().map(|id| ListedClient {
            id,
            name: "One <\"Ltd\"> Õ",
            subsystem_name: id.subsystem_code(),
        })
    }

    #[test]
    fn xml_is_that_of_the_reference() {
        let expected = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<ns2:clientList xmlns:ns1="http://x-road.eu/xsd/identifiers" xmlns:ns2="http://x-road.eu/xsd/xroad.xsd">
    <ns2:member>
        <ns2:id ns1:objectType="MEMBER">
            <ns1:xRoadInstance>EE</ns1:xRoadInstance>
            <ns1:memberClass>GOV</ns1:memberClass>
            <ns1:memberCode>1</ns1:memberCode>
        </ns2:id>
        <ns2:name>One &lt;"Ltd"&gt; Õ</ns2:name>
    </ns2:member>
    <ns2:member>
        <ns2:id ns1:objectType="SUBSYSTEM">
            <ns1:xRoadInstance>EE</ns1:xRoadInstance>
            <ns1:memberClass>GOV</ns1:memberClass>
            <ns1:memberCode>1</ns1:memberCode>
            <ns1:subsystemCode>a&amp;b</ns1:subsystemCode>
        </ns2:id>
        <ns2:name>One &lt;"Ltd"&gt; Õ</ns2:name>
        <ns2:subsystemName>a&amp;b</ns2:subsystemName>
    </ns2:member>
</ns2:clientList>
"#;
        assert_eq!(to_xml(listed(&list())), expected);
    }

    #[test]
    fn json_is_that_of_the_reference() {
        let expected = concat!(
            r#"{"member":[{"id":{"member_class":"GOV","member_code":"1","object_type":"MEMBER","#,
            r#""xroad_instance":"EE"},"name":"One <\"Ltd\"> Õ"},{"id":{"member_class":"GOV","member_code":"1","#,
            r#""subsystem_code":"a&b","object_type":"SUBSYSTEM","xroad_instance":"EE"},"name":"One <\"Ltd\"> Õ","#,
            r#""subsystem_name":"a&b"}]}"#
        );
        assert_eq!(to_json(listed(&list())).unwrap(), expected);
        assert_eq!(to_json([].into_iter()).unwrap(), r#"{"member":[]}"#);
    }

    #[test]
    fn json_is_for_those_who_accept_it() {
        let of = |values: &[&str]| Format::of(values.iter().copied());
        for xml in [
            &[][..],
            &["*/*"],
            &["text/xml"],
            &["text/xml;q=1, application/*"],
            &["application/json-seq", "a/b; c=\"d;e,f\""],
        ] {
            // A comma within quotes splits too, as in the reference.
            let expected = if xml.len() == 2 { Err(()) } else { Ok(Format::Xml) };
            assert_eq!(of(xml).map_err(|_| ()), expected, "{xml:?}");
        }
        for json in [
            &["application/json"][..],
            &["text/xml;q=1.0 , Application/JSON;q=0.1,"],
            &["text/xml", " application/json ; a=\"b\\\"\" ; c=d"],
            &["application/json, not a type"],
        ] {
            assert_eq!(of(json), Ok(Format::Json), "{json:?}");
        }
        for wrong in [
            "",
            ",",
            "json",
            "*/json",
            "a/b;",
            "a/b;c",
            "a/b;c=",
            "a/b c",
            "a/b;c=\"d",
            "application/json;=",
        ] {
            let malformed = of(&[wrong, "application/json"]).unwrap_err();
            assert!(malformed.to_string().starts_with("Could not parse '"), "{wrong}");
        }
    }
}
