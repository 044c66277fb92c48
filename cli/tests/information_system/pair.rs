//! Two security servers with a provider under the test's control behind them, and the messages that go through.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol_message::soap::message_hash;

use super::super::instance::{self, Instance};
use super::{
    Answer, Envelope, Message, Provider, SUBSYSTEM, Service, TEXT_XML, between, consumer, post, register,
    send,
};

/// An instance, and a provider under the test's control.
pub struct Pair {
    pub instance: Instance,
    pub provider: Provider,
}

impl Pair {
    pub fn up(net: u8) -> Option<Self> {
        if !instance::is_built() {
            return None;
        }
        let instance = Instance::up(net);
        let provider = Provider::start(&format!("127.0.{net}.40"));
        let url = format!("http://{}/service?mode=soap", provider.address);
        let service = |code, allowed, disabled| Service {
            allowed,
            disabled,
            ..Service::new(SUBSYSTEM, code, &url)
        };
        let nobody = format!("http://127.0.{net}.40:9/");
        register(
            &instance,
            &[
                service("getState", true, None),
                service("hidden", false, None),
                service("shut", true, Some("Closed for the winter")),
                service("hiddenAndShut", false, Some("Closed for the winter")),
                Service::new(SUBSYSTEM, "unreachable", &nobody),
                Service::new(SUBSYSTEM, "notTls", &url.replace("http:", "https:")),
                Service {
                    timeout: 1,
                    ..Service::new(SUBSYSTEM, "impatient", &url)
                },
            ],
        );
        let pair = Self { instance, provider };
        pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
        Some(pair)
    }

    pub fn post(&self, content_type: &str, body: impl AsRef<[u8]>) -> Message {
        post(&self.instance, content_type, body.as_ref())
    }

    pub fn post_with(&self, headers: &[(&str, &str)], body: &str) -> Message {
        send(consumer(&self.instance), "POST /", headers, body.as_bytes())
    }

    /// Posts a message and gives the code of the fault that came; `ok` for an answer.
    pub fn code(&self, content_type: &str, body: impl AsRef<[u8]>) -> String {
        self.post(content_type, body)
            .fault_code()
            .unwrap_or_else(|| "ok".into())
    }

    /// The same when the provider answers with this message.
    pub fn code_of_answer(&self, content_type: &str, body: impl Into<Vec<u8>>) -> String {
        self.provider.answers(Answer::new(content_type, body));
        self.code(TEXT_XML, request().xml())
    }
}

pub fn request<'a>() -> Envelope<'a> {
    Envelope::default()
}

pub fn response<'a>() -> Envelope<'a> {
    Envelope {
        suffix: "Response",
        content: "Head aega, õhtu",
        ..Envelope::default()
    }
}

/// The answer as it must come: as the provider gave it, with the hash of the request behind the message id.
pub fn with_hash(answer: &str, request: &[u8]) -> String {
    let element = format!("</x:id>\n  {}", hash_element("x", request));
    answer.replacen("</x:id>", &element, 1)
}

/// The header field with the hash of a request; `prefix` is that of the namespace of header fields.
pub fn hash_element(prefix: &str, request: &[u8]) -> String {
    let hash = STANDARD.encode(message_hash(request));
    let algorithm = "http://www.w3.org/2001/04/xmlenc#sha512";
    format!("<{prefix}:requestHash algorithmId=\"{algorithm}\">{hash}</{prefix}:requestHash>")
}

/// Parts as they are written: header lines and body.
pub type Parts = Vec<(String, Vec<u8>)>;

pub fn multipart(boundary: &str, parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, (head, body)) in parts.iter().enumerate() {
        let line = if index == 0 { "" } else { "\r\n" };
        out.extend_from_slice(format!("{line}--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        out.extend_from_slice(body);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

pub fn part(head: &str, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (head.into(), body.into())
}

/// A header element of the request, from its tag to its end.
pub fn element(name: &str) -> String {
    let rest = between(&request().xml(), &format!("<x:{name}"), &format!("</x:{name}>")).unwrap();
    format!("<x:{name}{rest}</x:{name}>")
}
