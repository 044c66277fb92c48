//! Asking as the tools do that operators have.

use super::curl::{Answer, curl};
use super::information_system::between;
use super::instance::Instance;

/// The sandbox's service client.
pub(crate) const CLIENT: &str = "SANDBOX/ORG/1001/client";
/// The provider's subsystem, and the member that owns the server.
pub(crate) const SUBSYSTEM: &str = "SANDBOX/ORG/2002/provider";
pub(crate) const MEMBER: &str = "SANDBOX/ORG/2002";

/// A SOAP request laid out and prefixed as such tools do.
pub(crate) fn envelope(provider: &str, service: &str, id: &str, body: &str) -> String {
    let names = |client: &str| {
        let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
        let parts = client.split('/').zip(names);
        parts
            .map(|(value, name)| format!("            <id:{name}>{value}</id:{name}>\n"))
            .collect::<String>()
    };
    let (client, provider) = (names(CLIENT), names(provider));
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<SOAP-ENV:Envelope
        xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"
        xmlns:xroad=\"http://x-road.eu/xsd/xroad.xsd\"
        xmlns:id=\"http://x-road.eu/xsd/identifiers\">
    <SOAP-ENV:Header>
        <xroad:client id:objectType=\"SUBSYSTEM\">
{client}        </xroad:client>
        <xroad:service id:objectType=\"SERVICE\">
{provider}            <id:serviceCode>{service}</id:serviceCode>
        </xroad:service>
        <xroad:id>{id}</xroad:id>
        <xroad:protocolVersion>4.0</xroad:protocolVersion>
    </SOAP-ENV:Header>
    <SOAP-ENV:Body>
        {body}
    </SOAP-ENV:Body>
</SOAP-ENV:Envelope>
"
    )
}

/// Posts a request for a metadata service of the SOAP interface.
pub(crate) fn soap(instance: &Instance, provider: &str, service: &str, id: &str, body: &str) -> Answer {
    let request = envelope(provider, service, id, body);
    let url = instance.get("consumer/client_http");
    let answer = curl(&["-H", "content-type: text/xml", "--data-binary", &request, &url]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Asks for the description of a SOAP service.
pub(crate) fn get_wsdl(instance: &Instance, provider: &str, id: &str, code: &str, version: &str) -> Answer {
    let version = match version {
        "" => String::new(),
        version => format!("<xroad:serviceVersion>{version}</xroad:serviceVersion>"),
    };
    let body =
        format!("<xroad:getWsdl>\n<xroad:serviceCode>{code}</xroad:serviceCode>\n{version}</xroad:getWsdl>");
    soap(instance, provider, "getWsdl", id, &body)
}

/// Code and text of a SOAP fault; empty if there is none.
pub(crate) fn fault_of(answer: &Answer) -> (String, String) {
    let tell =
        |name: &str| between(answer.text(), &format!("<{name}>"), &format!("</{name}>")).unwrap_or_default();
    (tell("faultcode"), tell("faultstring"))
}

/// The attachment of an answer, found as a tool does that takes the whole body for text.
pub(crate) fn attachment(answer: &Answer) -> String {
    let text = answer.text();
    let first = text.find("--xroad").expect("a boundary that starts so");
    let first = first + text[first..].find("content-type:text/xml").expect("a SOAP part");
    let envelope = first + text[first..].find("<SOAP-ENV:Envelope").expect("an envelope");
    let end = "</SOAP-ENV:Envelope>";
    let end = envelope + text[envelope..].find(end).expect("its end") + end.len();
    let second = end + text[end..].find("\r\n--xroad").expect("another boundary");
    let head = second
        + text[second..]
            .find("content-type:text/xml")
            .expect("an attachment");
    let body = head + text[head..].find("\r\n\r\n").expect("the end of its head") + 4;
    let last = text.rfind("\r\n--xroad").unwrap();
    text[body..last].to_owned()
}

/// Gets something of a provider by the REST interface.
pub(crate) fn rest(instance: &Instance, provider: &str, rest: &str, arguments: &[&str]) -> Answer {
    let url = format!("{}/r1/{provider}/{rest}", instance.get("consumer/client_http"));
    let client = format!("X-Road-Client: {CLIENT}");
    curl(
        &[
            &["-H", &client, "-H", "accept: application/json"],
            arguments,
            &[&url],
        ]
        .concat(),
    )
}

/// Code and text of a REST fault.
pub(crate) fn rest_fault(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 500, "{answer:?}");
    let json = answer.json();
    assert_eq!(answer.header("x-road-error"), json["type"].as_str());
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (text("type"), text("message"))
}
