//! Choosing and reaching the provider's security server (wire.md 2.6), the time-outs of services (6.3) and how old a peer
//! may be (2.1): all processes real, a scripted peer where one has to be older or stranger than ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../envelope/mod.rs"]
mod envelope;
#[path = "../information_system/mod.rs"]
mod information_system;
#[path = "../instance/mod.rs"]
mod instance;
#[path = "../scripted_peer/mod.rs"]
mod scripted_peer;

mod choosing;
mod operator;
mod pooling;
mod service_time_outs;
mod storm;
mod versions;

use instance::{CLIENT, Instance, agent};

/// What an information system was told.
#[derive(Debug)]
struct Told {
    status: u16,
    /// The fault code; empty if there is none.
    code: String,
    /// The fault's text.
    text: String,
}

impl Told {
    /// The service itself answered.
    fn is_answer(&self) {
        assert_eq!((self.status, self.code.as_str()), (200, ""), "{self:?}");
    }

    /// The fault's code and text.
    fn is_fault(&self, code: &str, text: &str) {
        assert_eq!((self.code.as_str(), self.text.as_str()), (code, text), "{self:?}");
        let status = if code.starts_with("server.") { 500 } else { 400 };
        assert_eq!(self.status, status, "{self:?}");
    }
}

/// A REST request of the service client, with one more header.
fn rest_with(instance: &Instance, path: &str, header: (&str, &str)) -> Told {
    let mut answer = agent()
        .get(&instance.url(path))
        .header(CLIENT.0, CLIENT.1)
        .header(header.0, header.1)
        .call()
        .unwrap();
    let status = answer.status().as_u16();
    let code = answer.headers().get("x-road-error");
    let code = code.map(|code| code.to_str().unwrap().to_owned());
    let body = answer.body_mut().read_to_string().unwrap();
    let text = match &code {
        Some(_) => {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            body["message"].as_str().unwrap().to_owned()
        }
        None => String::new(),
    };
    let code = code.unwrap_or_default();
    Told { status, code, text }
}

/// A REST request of the service client.
fn rest(instance: &Instance, path: &str) -> Told {
    rest_with(instance, path, ("Accept", "application/json"))
}

/// A REST request for one of the provider's servers.
fn rest_at(instance: &Instance, server: &str) -> Told {
    rest_with(
        instance,
        "echo/letters",
        ("X-Road-Security-Server", &format!("SANDBOX/ORG/{server}")),
    )
}

/// A SOAP request of the service client, as it is given; the status of a fault is told as the REST interface has it.
fn soap(instance: &Instance, xml: &str) -> Told {
    let answer = agent()
        .post(&instance.get("consumer/client_http"))
        .header("content-type", "text/xml; charset=UTF-8")
        .send(xml);
    let body = answer.unwrap().body_mut().read_to_string().unwrap();
    let between = |start: &str, end: &str| {
        let (_, rest) = body.split_once(start)?;
        Some(rest.split_once(end)?.0.replace("&quot;", "\""))
    };
    let code = between("<faultcode>", "</faultcode>").unwrap_or_default();
    Told {
        status: match code.as_str() {
            "" => 200,
            code if code.starts_with("server.") => 500,
            _ => 400,
        },
        text: between("<faultstring>", "</faultstring>").unwrap_or_default(),
        code,
    }
}

/// A request of the SOAP service that sends back what it gets.
fn soap_request() -> String {
    envelope::request("echoMessage", &uuid())
}

/// A text that no other message has.
fn uuid() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .unwrap()
        .trim()
        .to_owned()
}
