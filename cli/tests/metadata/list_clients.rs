//! `GET /listClients`, which the client's own server answers, and what stands beside it on the same ports.

use super::can_run;
use super::curl::{Answer, curl};
use super::information_system::between;
use super::instance::Instance;

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<ns2:clientList xmlns:ns1="http://x-road.eu/xsd/identifiers" xmlns:ns2="http://x-road.eu/xsd/xroad.xsd">
    <ns2:member>
        <ns2:id ns1:objectType="MEMBER">
            <ns1:xRoadInstance>SANDBOX</ns1:xRoadInstance>
            <ns1:memberClass>ORG</ns1:memberClass>
            <ns1:memberCode>1000</ns1:memberCode>
        </ns2:id>
        <ns2:name>Instance Operator</ns2:name>
    </ns2:member>
    <ns2:member>
        <ns2:id ns1:objectType="SUBSYSTEM">
            <ns1:xRoadInstance>SANDBOX</ns1:xRoadInstance>
            <ns1:memberClass>ORG</ns1:memberClass>
            <ns1:memberCode>1000</ns1:memberCode>
            <ns1:subsystemCode>management</ns1:subsystemCode>
        </ns2:id>
        <ns2:name>Instance Operator</ns2:name>
        <ns2:subsystemName>Management</ns2:subsystemName>
    </ns2:member>
"#;

#[test]
fn anybody_may_list_the_clients_of_an_instance_as_xml_or_json() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(60);
    let http = instance.get("consumer/client_http");
    let list = |query: &str, arguments: &[&str]| {
        curl(&[arguments, &[&format!("{http}/listClients{query}")]].concat())
    };
    let xml = list("", &[]);
    assert_eq!(xml.header("content-type"), Some("text/xml; charset=UTF-8"));
    assert!(xml.text().starts_with(XML), "{}", xml.text());
    assert_eq!(xml.text().matches("<ns2:member>").count(), 6);
    let https = format!("{}/listClients", instance.get("consumer/client_https"));
    assert_eq!(curl(&["-k", &https]).body, xml.body);
    assert_eq!(list("?xRoadInstance=SANDBOX", &[]).body, xml.body);
    assert_eq!(
        list("?xRoadInstance=+&x=y", &["-H", "Accept: text/xml, */*"]).body,
        xml.body
    );

    let json = list("", &["-H", "Accept: text/xml;q=1.0, application/json;q=0.1"]);
    assert_eq!(
        json.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert!(
        json.text().starts_with(concat!(
            r#"{"member":[{"id":{"member_class":"ORG","member_code":"1000","object_type":"MEMBER","#,
            r#""xroad_instance":"SANDBOX"},"name":"Instance Operator"},{"id":{"member_class":"ORG","#,
            r#""member_code":"1000","subsystem_code":"management","object_type":"SUBSYSTEM","#,
            r#""xroad_instance":"SANDBOX"},"name":"Instance Operator","subsystem_name":"Management"},"#,
        )),
        "{}",
        json.text()
    );
    assert_eq!(json.json()["member"].as_array().unwrap().len(), 6);

    let unknown = fault(&list("?xRoadInstance=N%26O", &[]));
    let text = "Shared params for instance identifier N&amp;O not found";
    assert_eq!(unknown, ("server.clientproxy.internal_error".into(), text.into()));
    let (code, _) = fault(&list("", &["-H", "Accept: json"]));
    assert_eq!(code, "server.clientproxy.internal_error");
    beside_it(&http);
    without_peers(&instance, &xml);
}

fn fault(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("soapaction"), Some(""));
    let tell = |name: &str| between(answer.text(), &format!("<{name}>"), &format!("</{name}>")).unwrap();
    (tell("faultcode"), tell("faultstring"))
}

/// Other methods, the probe of load balancers, and the path of servers long ago are SOAP like all the rest.
fn beside_it(http: &str) {
    let head = curl(&["-I", &format!("{http}/listClients")]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for (arguments, path) in [
        (&[][..], "/"),
        (&[], ""),
        (&["-X", "PUT"], "/listClients"),
        (&[], "/listClients/"),
        (&[], "/wsdl"),
        (
            &[],
            "/wsdl?xRoadInstance=SANDBOX&memberClass=ORG&memberCode=2002&subsystemCode=provider&serviceCode=echoMessage&version=v1",
        ),
    ] {
        let answer = curl(&[arguments, &[&format!("{http}{path}")]].concat());
        let (code, text) = fault(&answer);
        assert_eq!(code, "client.invalid_http_method", "{path}");
        assert!(
            text.starts_with("Must use POST request method instead of "),
            "{text}"
        );
    }
    let posted = curl(&[
        "-d",
        "",
        "-H",
        "Content-Type: text/xml",
        &format!("{http}/listClients"),
    ]);
    assert_eq!(fault(&posted).0, "client.invalid_soap");
}

/// The list needs the global configuration at hand and nothing else.
fn without_peers(instance: &Instance, xml: &Answer) {
    for process in [
        "central",
        "consumer-confclient",
        "provider-proxy",
        "consumer-signer",
    ] {
        instance.kill(process);
    }
    let list = curl(&[&format!("{}/listClients", instance.get("consumer/client_http"))]);
    assert_eq!(list.body, xml.body);
}
