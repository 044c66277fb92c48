//! What the information system is told when there is no answer (wire.md 1.5, 1.8).

use super::curl::curl;
use super::instance::Instance;
use super::{CLIENT, call, can_run, fault};

#[test]
fn failures_are_told_in_status_header_and_body() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(111);
    each_failure_has_its_code(&instance);
    a_fault_is_written_as_the_client_accepts_it(&instance);
    a_named_security_server_is_the_only_one_called(&instance);
}

fn each_failure_has_its_code(instance: &Instance) {
    for (service, code) in [
        ("echo%28%C3%28", "server.clientproxy.internal_error"),
        ("nothing", "server.serverproxy.unknown_service"),
        ("private", "server.serverproxy.access_denied"),
        ("closed", "server.serverproxy.service_disabled"),
        ("down", "server.serverproxy.network_error"),
        ("slow/delay?ms=20000", "server.serverproxy.io_error"),
    ] {
        assert_eq!(fault(&call(instance, service, &[])), code, "{service}");
    }
    for (working, arguments) in [
        ("echo", &[][..]),
        ("slow/delay?ms=1", &[]),
        ("echo", &["-X", "PUT"]),
    ] {
        assert_eq!(call(instance, working, arguments).status, 200);
    }
    let disabled = call(instance, "closed", &[]).json()["message"].to_string();
    assert!(disabled.contains("Closed for the holidays"), "{disabled}");
    assert_eq!(
        fault(&call(instance, "echo", &["-X", "BREW"])),
        "server.clientproxy.internal_error"
    );

    let http = instance.get("consumer/client_http");
    let from = |client: &str, path: &str| curl(&["-H", client, &format!("{http}{path}")]);
    let echo = "/r1/SANDBOX/ORG/2002/provider/echo";
    for (client, path, code) in [
        ("X-Nothing: 1", echo, "invalid_client_identifier"),
        ("X-Road-Client: SANDBOX/ORG", echo, "internal_error"),
        ("X-Road-Client: SANDBOX/ORG/1001/nobody", echo, "unknown_member"),
        (CLIENT, "/r1/SANDBOX/ORG/2002/nobody/echo", "unknown_member"),
        (CLIENT, "/r1/invalid", "internal_error"),
        (CLIENT, "/r1/SANDBOX/ORG/2002/provider", "internal_error"),
    ] {
        assert_eq!(
            fault(&from(client, path)),
            format!("server.clientproxy.{code}"),
            "{client} {path}"
        );
    }
    assert_eq!(from(CLIENT, echo).status, 200);
}

fn a_fault_is_written_as_the_client_accepts_it(instance: &Instance) {
    for (accept, content_type) in [
        ("text/xml", "text/xml;charset=utf-8"),
        (
            "application/xml;q=0.1, application/json",
            "application/xml;charset=utf-8",
        ),
        ("image/png, text/*", "text/xml;charset=utf-8"),
    ] {
        let answer = call(instance, "nothing", &["-H", &format!("Accept: {accept}")]);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (500, Some(content_type)),
            "{accept}"
        );
        let code = answer.header("x-road-error").unwrap();
        assert_eq!(code, "server.serverproxy.unknown_service");
        let text = answer.text();
        assert!(
            text.contains(&format!("<error><type>{code}</type><message>")),
            "{text}"
        );
        assert!(text.trim_end().ends_with("</detail></error>"), "{text}");
    }
    for accept in ["*/*", "application/json", "application/*", "text/html"] {
        let answer = call(instance, "nothing", &["-H", &format!("Accept: {accept}")]);
        assert_eq!(fault(&answer), "server.serverproxy.unknown_service", "{accept}");
    }
}

fn a_named_security_server_is_the_only_one_called(instance: &Instance) {
    let named = |server: &str| {
        call(
            instance,
            "echo",
            &["-H", &format!("X-Road-Security-Server: {server}")],
        )
    };
    assert_eq!(named("SANDBOX/ORG/2002/provider").status, 200);
    let other = named("SANDBOX/ORG/1001/consumer");
    assert_eq!(fault(&other), "server.clientproxy.invalid_security_server");
    assert_eq!(
        fault(&named("SANDBOX/ORG/2002")),
        "server.clientproxy.internal_error"
    );
}
