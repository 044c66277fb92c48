//! SOAP requests of the message protocol 4.0: an envelope from the ids of client and service.

use protocol_message::identifier::{ClientId, ServiceId};

use super::multipart::{attachment_id, package};
use super::options::{Multipart, Style};
use super::template::{ID_PLACE, Template};
use super::{Built, Pieces, ScenarioOptions, Target, assemble, body, filling};
use crate::plan::units::Size;

/// Size of an attachment, unless said otherwise, in bytes.
const ATTACHMENT_SIZE: u64 = 1024;

/// Builds a SOAP request.
pub(super) fn build(options: &ScenarioOptions, run: &str) -> Result<Built, String> {
    let (target, path) = address(options)?;
    let envelope = envelope(options, run)?;
    let attachments = options.attachments.unwrap_or(0);
    let (content_type, bytes) = if attachments == 0 {
        ("text/xml; charset=UTF-8".to_owned(), envelope.into_bytes())
    } else {
        let size = options.attachment_size.unwrap_or(Size(ATTACHMENT_SIZE)).0;
        let form = options.multipart.unwrap_or_default();
        package(form, &envelope, attachments, filling(size).as_bytes())
    };
    let content_type = options.content_type.clone().unwrap_or(content_type);
    let pieces = Pieces {
        method: options.method.as_deref().unwrap_or("POST"),
        path: &path,
        headers: vec![
            ("Content-Type".to_owned(), content_type),
            ("SOAPAction".to_owned(), "\"\"".to_owned()),
        ],
        body: Some(bytes),
    };
    let bytes = assemble(options, &target, pieces)?;
    Ok(Built {
        target,
        template: Template::new(bytes, true),
        soap: true,
        to_head: false,
    })
}

fn address(options: &ScenarioOptions) -> Result<(Target, String), String> {
    match (&options.server, &options.url) {
        (Some(_), Some(_)) => Err("url, server: expected one of them".to_owned()),
        (Some(url), None) | (None, Some(url)) if options.path.is_none() => Target::parse(url),
        (None, None) => Err("server: expected the URL of a security server".to_owned()),
        _ => Err("path: only for REST; a SOAP request says its service in its header".to_owned()),
    }
}

fn envelope(options: &ScenarioOptions, run: &str) -> Result<String, String> {
    let client = options.client.as_deref().unwrap_or_default();
    let client = ClientId::parse_encoded(client)
        .map_err(|_| format!("client `{client}`: expected INSTANCE/CLASS/MEMBER[/SUBSYSTEM]"))?;
    let service = options.service.as_deref().unwrap_or_default();
    let service = service_id(service)?;
    let code = escape(&service.service_code);
    let provider = names(&service.provider);
    let version = service.service_version.as_deref();
    let version = version.map_or_else(String::new, |version| element("serviceVersion", version));
    let user = options.user_id.as_deref().map_or_else(String::new, |user| {
        format!("<xroad:userId>{}</xroad:userId>", escape(user))
    });
    let content = match body(options)? {
        Some(given) if options.body_size.is_none() => {
            String::from_utf8(given).map_err(|_| "body-file: expected XML in UTF-8".to_owned())?
        }
        parameter => operation(options, &code, parameter.unwrap_or_else(|| b"text".to_vec())),
    };
    let kind = if client.subsystem_code().is_some() {
        "SUBSYSTEM"
    } else {
        "MEMBER"
    };
    let client = names(&client);
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xroad=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:id=\"http://x-road.eu/xsd/identifiers\">\
         <soap:Header><xroad:client id:objectType=\"{kind}\">{client}</xroad:client>\
         <xroad:service id:objectType=\"SERVICE\">{provider}<id:serviceCode>{code}</id:serviceCode>{version}\
         </xroad:service><xroad:id>{run}-{ID_PLACE}</xroad:id>{user}\
         <xroad:protocolVersion>4.0</xroad:protocolVersion></soap:Header>\
         <soap:Body>{content}</soap:Body></soap:Envelope>"
    ))
}

/// A service with or without a version. Four names before the code are taken for a subsystem's; a member's own
/// service is written with an empty fourth: `EE/GOV/1//code`.
fn service_id(text: &str) -> Result<ServiceId, String> {
    let expected = || format!("service `{text}`: expected INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE[/VERSION]");
    let parts: Vec<&str> = text.split('/').collect();
    let (client, code, version) = match parts.as_slice() {
        [client @ .., code, version] if client.len() == 4 => (client, code, Some(*version)),
        [client @ .., code] if client.len() == 4 => (client, code, None),
        _ => return Err(expected()),
    };
    let client = client.join("/");
    let client = ClientId::parse_encoded(client.trim_end_matches('/')).map_err(|_| expected())?;
    ServiceId::new(client, *code, version).map_err(|_| expected())
}

fn names(client: &ClientId) -> String {
    let subsystem = client.subsystem_code();
    [
        element("xRoadInstance", client.instance()),
        element("memberClass", client.member_class()),
        element("memberCode", client.member_code()),
        subsystem.map_or_else(String::new, |code| element("subsystemCode", code)),
    ]
    .concat()
}

fn element(name: &str, value: &str) -> String {
    format!("<id:{name}>{}</id:{name}>", escape(value))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The operation with one parameter; of an MTOM package, whose content is the first attachment.
fn operation(options: &ScenarioOptions, code: &str, parameter: Vec<u8>) -> String {
    let name = options.parameter.as_deref().unwrap_or("text");
    let namespace = options.namespace.as_deref().unwrap_or("http://example.org/load");
    let name = match options.style.unwrap_or_default() {
        Style::Document => format!("op:{name}"),
        Style::Rpc => name.to_owned(),
    };
    let mtom = options.multipart == Some(Multipart::Mtom) && options.attachments.unwrap_or(0) > 0;
    let value = if mtom {
        let id = attachment_id(1);
        format!("<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:{id}\"/>")
    } else {
        String::from_utf8(parameter).unwrap_or_default()
    };
    let namespace = escape(namespace).replace('"', "&quot;");
    format!("<op:{code} xmlns:op=\"{namespace}\"><{name}>{value}</{name}></op:{code}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ScenarioOptions {
        ScenarioOptions {
            server: Some("http://127.0.0.1:8080".into()),
            client: Some("A/B/1/c".into()),
            service: Some("A/B/2/p/getIt/v1".into()),
            ..Default::default()
        }
    }

    fn text(options: &ScenarioOptions) -> String {
        String::from_utf8(build(options, "run").unwrap().template.rest(0).to_vec()).unwrap()
    }

    #[test]
    fn the_envelope_names_client_and_service() {
        let text = text(&options());
        assert!(text.starts_with("POST / HTTP/1.1\r\n"), "{text}");
        assert!(
            text.contains(
                "<id:memberCode>2</id:memberCode><id:subsystemCode>p</id:subsystemCode>\
            <id:serviceCode>getIt</id:serviceCode><id:serviceVersion>v1</id:serviceVersion>"
            ),
            "{text}"
        );
        assert!(
            text.contains("<xroad:id>run-0123456789abcdef</xroad:id>"),
            "{text}"
        );
        assert!(
            text.contains("<op:text>text</op:text></op:getIt></soap:Body>"),
            "{text}"
        );
    }

    #[test]
    fn rpc_parameters_have_no_namespace() {
        let options = ScenarioOptions {
            style: Some(Style::Rpc),
            body_size: Some(Size(3)),
            ..options()
        };
        let text = text(&options);
        let (_, value) = text.split_once("<text>").unwrap();
        assert_eq!(value.find("</text>"), Some(3), "{text}");
    }

    #[test]
    fn attachments_follow_the_message_and_mtom_points_to_the_first() {
        for (form, root) in [
            (Multipart::Swa, "text/xml; charset"),
            (Multipart::Mtom, "application/xop+xml"),
        ] {
            let options = ScenarioOptions {
                attachments: Some(2),
                attachment_size: Some(Size(10)),
                multipart: Some(form),
                ..options()
            };
            let text = text(&options);
            assert_eq!(text.matches("Content-ID: <attachment-").count(), 2, "{text}");
            assert!(text.contains(&format!("\r\nContent-Type: {root}")), "{text}");
            assert_eq!(
                text.contains("cid:attachment-1@"),
                form == Multipart::Mtom,
                "{text}"
            );
            assert!(text.ends_with("-boundary-7d1b6f0c--\r\n"), "{text}");
        }
    }

    #[test]
    fn ids_that_are_none_are_refused_with_what_was_expected() {
        for service in ["", "A/B/1", "A/B/1/c/d/e/f", "A/B//c/d"] {
            let options = ScenarioOptions {
                service: Some(service.into()),
                ..options()
            };
            assert!(
                build(&options, "run").unwrap_err().contains("expected INSTANCE/"),
                "{service}"
            );
        }
    }
}
