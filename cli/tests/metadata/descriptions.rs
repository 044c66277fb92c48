//! `getWsdl` and `getOpenAPI`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::ask::{MEMBER, SUBSYSTEM, attachment, fault_of, get_wsdl, rest, rest_fault, soap};
use super::can_run;
use super::configured::{Configured, add};
use super::information_system::{Answer, Manner, between};
use super::instance::{Instance, wait_until};

const WSDL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- kept --><w:definitions \
    xmlns:w=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:s=\"http://schemas.xmlsoap.org/wsdl/soap/\"><w:documentation>õ \
    &lt;</w:documentation>\n<w:service name=\"s\"><w:port name=\"p\"><s:address location=\"LOCATION\"/></w:port></w:service>\
    </w:definitions>\n";
const YAML: &str = "openapi: 3.0.3 # kept\nservers:\n  - url: URL\npaths: {}\n";
const JSON: &str = "{\"openapi\": \"3.1.0\",\n \"servers\": [{\"url\": \"URL\"}], \"paths\": {}}";

fn wsdl(location: &str) -> String {
    WSDL.replace("LOCATION", location)
}

/// What it becomes.
fn hidden() -> String {
    wsdl("http://example.org/xroad-endpoint")
}

#[test]
fn descriptions_are_fetched_from_the_information_system_and_say_nothing_of_where_it_is() {
    if !can_run() {
        return;
    }
    let configured = Configured::up(62);
    wsdl_as_tools_read_it(&configured);
    wsdl_of_versions_and_members(&configured);
    wsdl_that_cannot_be_had(&configured);
    openapi_as_tools_read_it(&configured);
    openapi_that_cannot_be_had(&configured);
    descriptions_of_the_sandbox(&configured.instance);
}

fn wsdl_as_tools_read_it(Configured { instance, site }: &Configured) {
    site.answers(Answer::new("text/xml", wsdl("http://10.9.8.7:6543/inside")));
    let got = get_wsdl(instance, SUBSYSTEM, "wsdl-1", "getOne", "v1");
    let content_type = got.header("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/related; type=\"text/xml\"; charset=UTF-8; boundary=")
        .unwrap();
    let letters = boundary.strip_prefix("xroad").unwrap();
    assert!(letters.len() == 30 && letters.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_eq!(attachment(&got), hidden());

    let text = got.text();
    let soap_head = format!(
        "--{boundary}\r\ncontent-type:text/xml\r\n\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope"
    );
    assert!(text.starts_with(&soap_head), "{text}");
    let body = between(text, "<SOAP-ENV:Body>", "</SOAP-ENV:Body>").unwrap();
    assert_eq!(
        body.trim(),
        "<xroad:getWsdlResponse>\n<xroad:serviceCode>getOne</xroad:serviceCode>\n\
         <xroad:serviceVersion>v1</xroad:serviceVersion></xroad:getWsdlResponse>"
    );
    let head = between(
        text,
        &format!("\r\n--{boundary}\r\ncontent-type:text/xml\r\n"),
        "\r\n\r\n",
    )
    .unwrap();
    let (content_id, rest) = head.split_once("\r\n").unwrap();
    let uuid = between(content_id, "Content-ID: <wsdl=", "@x-road.eu>").unwrap();
    assert_eq!((uuid.len(), rest), (36, "Content-Transfer-Encoding: binary"));
    assert!(
        text.ends_with(&format!("</w:definitions>\n\r\n--{boundary}--\r\n")),
        "{text}"
    );

    let asked = site.request();
    assert_eq!(asked.first_line, "GET /register.wsdl HTTP/1.1");
    assert_eq!(asked.header("host"), Some(site.address.to_string().as_str()));
    assert!(asked.body.is_empty());
}

fn wsdl_of_versions_and_members(Configured { instance, site }: &Configured) {
    for (provider, code, version, path) in [
        (SUBSYSTEM, "getOne", "v2", "/register.wsdl"),
        (SUBSYSTEM, "getOne", "", "/register.wsdl"),
        // Everybody may read what a service would be, also who may not call it, also if nobody may now.
        (SUBSYSTEM, "getHidden", "", "/register.wsdl"),
        (SUBSYSTEM, "getShut", "", "/shut.wsdl"),
        (MEMBER, "getMember", "v1", "/member.wsdl"),
    ] {
        site.answers(Answer::new("text/plain", wsdl("")));
        let got = get_wsdl(instance, provider, "wsdl-2", code, version);
        assert_eq!(attachment(&got), hidden(), "{code}");
        assert_eq!(site.request().first_line, format!("GET {path} HTTP/1.1"));
    }
    let latin1 = WSDL.replace("UTF-8", "ISO-8859-1");
    let latin1: Vec<u8> = latin1.chars().map(|c| u8::try_from(c).unwrap()).collect();
    site.answers(Answer::new("text/xml;charset=UTF-8", latin1));
    assert_eq!(
        attachment(&get_wsdl(instance, SUBSYSTEM, "wsdl-3", "getOne", "v1")),
        hidden()
    );
}

fn wsdl_that_cannot_be_had(Configured { instance, site }: &Configured) {
    site.answers(Answer::new("text/xml", wsdl("")));
    let missing = "Missing serviceCode in message body";
    for body in [
        "<xroad:getWsdl/>",
        "<xroad:getWsdl><xroad:serviceCode> </xroad:serviceCode></xroad:getWsdl>",
    ] {
        let (code, text) = fault_of(&soap(instance, SUBSYSTEM, "getWsdl", "w", body));
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("server.serverproxy.invalid_request", missing)
        );
    }
    for (provider, service, version, code, text) in [
        (
            SUBSYSTEM,
            "getOne",
            "v3",
            "unknown_service",
            "Could not find wsdl URL for service ",
        ),
        (
            MEMBER,
            "getOne",
            "v1",
            "unknown_service",
            "Could not find wsdl URL for service ",
        ),
        (
            SUBSYSTEM,
            "echo",
            "",
            "service_type",
            "Service is a REST service and does not have a WSDL",
        ),
        (
            SUBSYSTEM,
            "books",
            "",
            "service_type",
            "Service is a REST service and does not have a WSDL",
        ),
    ] {
        let (found, said) = fault_of(&get_wsdl(instance, provider, "w", service, version));
        assert_eq!(found, format!("server.serverproxy.{code}"), "{service}: {said}");
        assert!(said.starts_with(text), "{said}");
    }
    assert!(site.asked().is_empty(), "nothing was fetched for those");

    let entity = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    for (answer, code, text) in [
        (
            status("404 Not Found"),
            "internal_error",
            "Received HTTP error: 404 - Not Found",
        ),
        (
            status("302 Found"),
            "internal_error",
            "Received HTTP error: 302 - Found",
        ),
        (
            Answer::new("text/html", "<html><br></html>"),
            "invalid_xml",
            "WSDL: ",
        ),
        (Answer::new("text/xml", entity), "invalid_xml", "WSDL: "),
        (
            Answer {
                missing: 1,
                ..Answer::new("text/xml", wsdl(""))
            },
            "io_error",
            "",
        ),
        (
            Answer {
                manner: Manner::HangsUp,
                ..Answer::new("", "")
            },
            "io_error",
            "",
        ),
    ] {
        site.answers(answer.clone());
        let (found, said) = fault_of(&get_wsdl(instance, SUBSYSTEM, "w", "getOne", "v1"));
        assert_eq!(found, format!("server.serverproxy.{code}"), "{answer:?}: {said}");
        assert!(said.starts_with(text) && !said.contains("root:"), "{said}");
    }
}

fn status(status: &'static str) -> Answer {
    Answer {
        status,
        ..Answer::new("text/xml", wsdl(""))
    }
}

fn openapi_as_tools_read_it(Configured { instance, site }: &Configured) {
    for (content_type, description) in [
        (Some("application/json"), JSON),
        (Some("application/json;charset=utf-8"), JSON),
        (Some("application/x-yaml"), YAML),
        (Some("application/x-yaml"), JSON),
        (None, JSON),
    ] {
        site.answers(Answer {
            content_type: content_type.map(str::to_owned),
            ..Answer::new(
                "",
                description.replace("URL", "http://10.9.8.7:6543/inside/v%311"),
            )
        });
        let got = rest(instance, SUBSYSTEM, "getOpenAPI?serviceCode=books", &[]);
        let quoted = if description == YAML {
            "\"/inside/v11\""
        } else {
            "/inside/v11"
        };
        assert_eq!(
            (got.status, got.text()),
            (200, description.replace("URL", quoted).as_str())
        );
        assert_eq!(
            got.header("content-type"),
            Some(content_type.unwrap_or("text/plain"))
        );
        let service = format!("{SUBSYSTEM}/getOpenAPI");
        assert_eq!(got.header("x-road-service"), Some(service.as_str()));
        let asked = site.request();
        assert_eq!(asked.first_line, "GET /books.json?v=3 HTTP/1.1");
        assert!(asked.header("x-road-client").is_none());
    }
    for kept in ["https://{host}.example/v1", "/v1"] {
        site.answers(Answer::new("application/json", JSON.replace("URL", kept)));
        let got = rest(
            instance,
            SUBSYSTEM,
            "getOpenAPI?servicecode=nothing&SERVICECODE=b%6foks",
            &[],
        );
        assert_eq!(got.text(), JSON.replace("URL", kept));
    }
    site.answers(Answer::new("text/yaml", YAML.replace("URL", "http://inside")));
    let got = rest(instance, SUBSYSTEM, "getOpenAPI?serviceCode=shutBooks", &[]);
    assert_eq!(got.text(), YAML.replace("URL", "\"\""));
}

fn openapi_that_cannot_be_had(Configured { instance, site }: &Configured) {
    site.answers(Answer::new("application/json", JSON.replace("URL", "/")));
    for (query, code, text) in [
        ("", "invalid_request", "Missing serviceCode in message body"),
        (
            "?serviceCode=",
            "invalid_request",
            "Missing serviceCode in message body",
        ),
        (
            "?serviceCode=echo",
            "internal_error",
            "Invalid service type: REST",
        ),
        (
            "?serviceCode=getOne",
            "internal_error",
            "Invalid service type: WSDL",
        ),
        (
            "?serviceCode=none",
            "internal_error",
            "Service not found: SANDBOX/ORG/2002/provider/none",
        ),
    ] {
        let (found, said) = rest_fault(&rest(instance, SUBSYSTEM, &format!("getOpenAPI{query}"), &[]));
        assert_eq!(
            (found, said.as_str()),
            (format!("server.serverproxy.{code}"), text),
            "{query}"
        );
    }
    assert!(site.asked().is_empty(), "nothing was fetched for those");

    let overwriting = "Failed overwriting origin URL for the openapi servers for http://";
    let version = "Incompatible openapi version. Openapi version 3 or greater expected. Given openapi document is of version \"2.0\"";
    for (answer, code, text) in [
        (
            status("404 Not Found"),
            "internal_error",
            "Failed reading service description from http://",
        ),
        (
            status("500 Oh"),
            "internal_error",
            "Failed reading service description from http://",
        ),
        (
            Answer::new("application/json", "<html/>"),
            "internal_error",
            overwriting,
        ),
        (
            Answer::new("application/x-yaml", "a: ["),
            "internal_error",
            overwriting,
        ),
        (
            Answer::new("application/json", JSON.replace("3.1.0", "2.0")),
            "internal_error",
            version,
        ),
        (
            Answer::new("application/json", JSON.replace("URL", "a b")),
            "internal_error",
            "Can't parse url string: a b",
        ),
        (
            Answer {
                manner: Manner::HangsUp,
                ..Answer::new("", "")
            },
            "io_error",
            "",
        ),
    ] {
        site.answers(answer.clone());
        let (found, said) = rest_fault(&rest(instance, SUBSYSTEM, "getOpenAPI?serviceCode=books", &[]));
        assert_eq!(found, format!("server.serverproxy.{code}"), "{answer:?}: {said}");
        assert!(said.starts_with(text), "{said}");
    }
    site.answers(status("404 Not Found"));
    let (_, said) = rest_fault(&rest(instance, SUBSYSTEM, "getOpenAPI?serviceCode=books", &[]));
    assert!(
        said.ends_with("/books.json?v=3#top. Status: 404 Reason: Not Found"),
        "{said}"
    );
}

/// What a user of a sandbox can try without anything else.
fn descriptions_of_the_sandbox(instance: &Instance) {
    let wsdl = attachment(&get_wsdl(instance, SUBSYSTEM, "w", "echoMessage", "v1"));
    assert!(
        wsdl.contains("<soap:address location=\"http://example.org/xroad-endpoint\"/>"),
        "{wsdl}"
    );
    assert!(wsdl.contains("<wsdl:operation name=\"echoMtom\">"));
    let pets = rest(instance, SUBSYSTEM, "getOpenAPI?serviceCode=pets", &[]);
    assert_eq!(pets.header("content-type"), Some("application/yaml"));
    assert!(
        pets.text().contains("servers:\n  - url: \"/api\"\npaths:"),
        "{}",
        pets.text()
    );
}

#[test]
fn the_certificate_of_who_describes_a_service_is_checked_as_that_of_the_service() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(63);
    let Some(site) = TlsSite::start(instance.dir(), "127.0.63.41") else {
        return;
    };
    let services = |code: &str, check: bool, certificates: &str| {
        let base = format!("https://{}", site.address);
        format!(
            "{certificates}[[service_description]]\ntype = 'WSDL'\nurl = '{base}/{code}.wsdl'\nservice = [{{ code = '{code}', \
             url = '{base}/', ssl_authentication = {check} }}]\n"
        )
    };
    let certificate = std::fs::read_to_string(instance.dir().join("site.pem")).unwrap();
    for code in ["getChecked", "getUnchecked"] {
        std::fs::write(
            instance.dir().join(format!("{code}.wsdl")),
            wsdl("https://inside"),
        )
        .unwrap();
    }
    let (checked, unchecked) = (
        services("getChecked", true, ""),
        services("getUnchecked", false, ""),
    );
    add(&instance, &[(SUBSYSTEM, &checked), (SUBSYSTEM, &unchecked)]);
    let (code, text) = fault_of(&get_wsdl(&instance, SUBSYSTEM, "tls-1", "getChecked", ""));
    assert_eq!(code, "server.serverproxy.ssl_authentication_failed", "{text}");
    let got = get_wsdl(&instance, SUBSYSTEM, "tls-2", "getUnchecked", "");
    assert_eq!(attachment(&got), hidden());

    let known = services(
        "getChecked",
        true,
        &format!("certificates = [\"\"\"{certificate}\"\"\"]\n"),
    );
    add(&instance, &[(SUBSYSTEM, &known)]);
    wait_until("the certificate to be trusted", || {
        fault_of(&get_wsdl(&instance, SUBSYSTEM, "tls-3", "getChecked", ""))
            .0
            .is_empty()
    });
    assert_eq!(
        attachment(&get_wsdl(&instance, SUBSYSTEM, "tls-4", "getChecked", "")),
        hidden()
    );
}

/// openssl, serving files of a folder.
struct TlsSite {
    address: String,
    server: Child,
}

impl TlsSite {
    fn start(folder: &Path, ip: &str) -> Option<Self> {
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=site", "-keyout", "site.key",
                "-out", "site.pem",
            ])
            .current_dir(folder)
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: openssl is not installed");
            return None;
        }
        let port = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port();
        let address = format!("{ip}:{port}");
        let server = Command::new("openssl")
            .args([
                "s_server", "-WWW", "-quiet", "-accept", &address, "-cert", "site.pem", "-key", "site.key",
            ])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { address, server })
    }
}

impl Drop for TlsSite {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
