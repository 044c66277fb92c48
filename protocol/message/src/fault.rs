//! The fault model: one code, one message, an optional detail, and the bytes in which they travel.
//!
//! * SOAP interface and between servers: a SOAP fault with HTTP status 200 (wire.md 1.7, 2.4).
//! * REST interface: a JSON or XML body, `X-Road-Error` and a status that follows from the code (wire.md 1.5).

mod code;
mod rest;
mod soap;
pub(crate) mod xml;

pub use rest::{ErrorBody, error_body};
pub use soap::SOAP_FAULT_CONTENT_TYPE;

use std::borrow::Cow;
use std::fmt;

/// A fault code: a code of the table ([`FaultCode::ALL`]), a composed one, or opaque text of a peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FaultCode(pub Cow<'static, str>);

/// Prefixes of fault codes (wire.md 1.8): which side a fault belongs to, and the step in which it arose.
pub mod prefix {
    /// The information system's request is at fault.
    pub const CLIENT: &str = "client";
    /// The client proxy failed.
    pub const CLIENT_PROXY: &str = "server.clientproxy";
    /// The server proxy failed.
    pub const SERVER_PROXY: &str = "server.serverproxy";
    /// Operational monitoring at the server proxy failed.
    pub const OP_MONITOR: &str = "server.serverproxy.opmonitor";
    /// The signer failed.
    pub const SIGNER: &str = "signer";
    /// Calling the service, decoding the request (server proxy) or decoding the response (client proxy).
    pub const SERVICE_FAILED: &str = "service_failed";
    /// Verifying a signature.
    pub const SIGNATURE_VERIFICATION: &str = "signature_verification";
    /// Building or verifying a certificate path.
    pub const INVALID_CERT_PATH: &str = "invalid_cert_path";
    /// Reading a signature document.
    pub const MALFORMED_SIGNATURE: &str = "malformed_signature";
    /// Writing the message log.
    pub const LOGGING_FAILED: &str = "logging_failed";
    /// Time-stamping.
    pub const TIMESTAMPING_FAILED: &str = "timestamping_failed";
}

impl FaultCode {
    /// A code known at compile time.
    #[must_use]
    pub const fn from_static(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts `prefix` and a dot in front, unless the code already starts with `prefix` (wire.md 1.8).
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        if self.0.starts_with(prefix) {
            self
        } else {
            Self(Cow::Owned(format!("{prefix}.{}", self.0)))
        }
    }

    /// `client.<code>`: the information system's request is at fault.
    #[must_use]
    pub fn by_client(self) -> Self {
        self.with_prefix(prefix::CLIENT)
    }

    /// `server.clientproxy.<code>`.
    #[must_use]
    pub fn at_client_proxy(self) -> Self {
        self.with_prefix(prefix::CLIENT_PROXY)
    }

    /// `server.serverproxy.<code>`.
    #[must_use]
    pub fn at_server_proxy(self) -> Self {
        self.with_prefix(prefix::SERVER_PROXY)
    }

    /// `service_failed.<code>`; the side's prefix comes on top.
    #[must_use]
    pub fn in_service(self) -> Self {
        self.with_prefix(prefix::SERVICE_FAILED)
    }

    /// HTTP status of a REST error: 500 if the code starts with `server.`, else 400. Case matters, so the code of a
    /// peer older than 7.8 (`Server.ServerProxy...`) gives 400, as in the reference (wire.md 1.5, 1.8).
    #[must_use]
    pub fn rest_status(&self) -> u16 {
        if self.0.starts_with("server.") { 500 } else { 400 }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for FaultCode {
    fn from(code: &'static str) -> Self {
        Self::from_static(code)
    }
}

impl From<String> for FaultCode {
    fn from(code: String) -> Self {
        Self(Cow::Owned(code))
    }
}

/// A fault, ours or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The complete code, prefixes included.
    pub code: FaultCode,
    /// For a human: what went wrong.
    pub message: String,
    /// Normally a random UUID that is also in the log; a provider may send anything.
    pub detail: Option<String>,
    /// Who is at fault; ours is empty.
    pub actor: Option<String>,
    received: Option<Box<[u8]>>,
}

impl Fault {
    /// A fault of this server, without detail.
    pub fn new(code: impl Into<FaultCode>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            detail: None,
            actor: Some(String::new()),
            received: None,
        }
    }

    /// Sets the detail, by custom a UUID that is also in the log.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Applies `change` to the code of a fault of ours; a received one is relayed verbatim (wire.md 1.8).
    #[must_use]
    pub fn map_code(self, change: impl FnOnce(FaultCode) -> FaultCode) -> Self {
        if self.received.is_some() {
            self
        } else {
            Self {
                code: change(self.code),
                ..self
            }
        }
    }

    /// Whether this fault came from a peer or a provider and is relayed verbatim.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.received.is_some()
    }

    /// A fault as read from the other side; `xml` is relayed as it is when it is UTF-8.
    pub(crate) fn from_received(
        code: String,
        message: String,
        actor: Option<String>,
        detail: Option<String>,
        xml: Option<&[u8]>,
    ) -> Self {
        Self {
            code: code.into(),
            message,
            detail,
            actor,
            received: Some(xml.unwrap_or_default().into()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_put_once() {
        let code = FaultCode::MISSING_BODY.in_service().at_client_proxy();
        assert_eq!(code.as_str(), "server.clientproxy.service_failed.missing_body");
        assert_eq!(code.clone().at_client_proxy(), code);
        assert_eq!(code.clone().with_prefix("server"), code);
        assert_eq!(
            FaultCode::INVALID_SOAP.by_client().as_str(),
            "client.invalid_soap"
        );
    }

    #[test]
    fn the_status_follows_the_code() {
        assert_eq!(FaultCode::ACCESS_DENIED.at_server_proxy().rest_status(), 500);
        assert_eq!(FaultCode::INVALID_SOAP.by_client().rest_status(), 400);
        assert_eq!(
            FaultCode::from("Server.ServerProxy.AccessDenied").rest_status(),
            400
        );
    }

    #[test]
    fn a_received_fault_keeps_its_code() {
        let received = Fault::from_received("CODE".into(), "text".into(), None, None, None);
        assert_eq!(
            received.map_code(FaultCode::at_client_proxy).code.as_str(),
            "CODE"
        );
        let ours = Fault::new(FaultCode::IO_ERROR, "text").map_code(FaultCode::at_client_proxy);
        assert_eq!(ours.code.as_str(), "server.clientproxy.io_error");
    }
}
