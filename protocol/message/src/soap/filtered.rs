//! What the message log keeps when body logging is off (wire.md 4.3).

use super::{SoapMessage, names};
use crate::fault::xml::{element_into, escape_into};
use crate::identifier::{ClientId, RepresentedParty, SecurityServerId, ServiceId};

/// The message with its header and an empty body child. It is written anew, so it is no evidence of the body.
#[must_use]
pub fn filtered_message(message: &SoapMessage) -> Vec<u8> {
    let header = &message.header;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope");
    for (prefix, namespace) in [
        ("SOAP-ENV", names::ENVELOPE),
        ("id", names::IDENTIFIERS),
        ("xroad", names::X_ROAD),
        ("repr", names::REPRESENTATION),
    ] {
        out.push_str(&format!(" xmlns:{prefix}=\"{namespace}\""));
    }
    out.push_str("><SOAP-ENV:Header>");
    write_client(&header.client, &mut out);
    write_service(&header.service, &mut out);
    if let Some(server) = &header.security_server {
        write_server(server, &mut out);
    }
    if let Some(party) = &header.represented_party {
        write_party(party, &mut out);
    }
    let fields = [
        ("xroad:userId", header.user_id.as_ref()),
        ("xroad:issue", header.issue.as_ref()),
        ("xroad:id", Some(&header.id)),
    ];
    for (name, value) in fields {
        value.inspect(|value| element_into(name, value, &mut out));
    }
    if let Some(hash) = &header.request_hash {
        out.push_str("<xroad:requestHash algorithmId=\"");
        escape_into(hash.algorithm.as_deref().unwrap_or_default(), &mut out);
        out.push_str("\">");
        escape_into(&hash.value, &mut out);
        out.push_str("</xroad:requestHash>");
    }
    element_into("xroad:protocolVersion", &header.protocol_version, &mut out);
    out.push_str("</SOAP-ENV:Header><SOAP-ENV:Body><xroad:");
    out.push_str(&message.body_name);
    out.push_str("/></SOAP-ENV:Body></SOAP-ENV:Envelope>");
    out.into_bytes()
}

fn write_client(client: &ClientId, out: &mut String) {
    write_group("client", client.object_type(), &client_parts(client), out);
}

fn write_service(service: &ServiceId, out: &mut String) {
    service_into(service, ("xroad", "id"), out);
}

/// A service as the protocol writes it, with these prefixes for the two namespaces.
pub(super) fn service_into(service: &ServiceId, prefixes: (&str, &str), out: &mut String) {
    let mut parts = client_parts(&service.provider);
    parts.push((names::SERVICE_CODE, &service.service_code));
    parts.extend(
        service
            .service_version
            .as_deref()
            .map(|version| (names::SERVICE_VERSION, version)),
    );
    group_into(("service", "SERVICE"), prefixes, &parts, out);
}

fn write_server(server: &SecurityServerId, out: &mut String) {
    let owner = server.owner();
    let mut parts = client_parts(&owner);
    parts.push((names::SERVER_CODE, &server.server_code));
    write_group("securityServer", "SERVER", &parts, out);
}

fn client_parts(client: &ClientId) -> Vec<(&'static str, &str)> {
    let mut parts = vec![
        (names::INSTANCE, client.instance()),
        (names::MEMBER_CLASS, client.member_class()),
        (names::MEMBER_CODE, client.member_code()),
    ];
    parts.extend(client.subsystem_code().map(|code| (names::SUBSYSTEM_CODE, code)));
    parts
}

fn write_group(name: &str, object_type: &str, parts: &[(&'static str, &str)], out: &mut String) {
    group_into((name, object_type), ("xroad", "id"), parts, out);
}

fn group_into(
    (name, object_type): (&str, &str),
    (x_road, identifiers): (&str, &str),
    parts: &[(&'static str, &str)],
    out: &mut String,
) {
    out.push_str(&format!(
        "<{x_road}:{name} {identifiers}:objectType=\"{object_type}\">"
    ));
    for (part, value) in parts {
        element_into(&format!("{identifiers}:{part}"), value, out);
    }
    out.push_str(&format!("</{x_road}:{name}>"));
}

fn write_party(party: &RepresentedParty, out: &mut String) {
    out.push_str("<repr:representedParty>");
    if let Some(class) = &party.class {
        element_into("repr:partyClass", class, out);
    }
    element_into("repr:partyCode", &party.code, out);
    out.push_str("</repr:representedParty>");
}
