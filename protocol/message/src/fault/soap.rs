//! SOAP faults: the exact bytes of wire.md 1.7. Reading one is [`crate::soap::parse`].

use super::Fault;
use super::xml::{element_into, escape_into};

/// Content type of a SOAP fault as an HTTP response (wire.md 1.7).
pub const SOAP_FAULT_CONTENT_TYPE: &str = "text/xml;charset=utf-8";

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body><SOAP-ENV:Fault>";
const TAIL: &str = "</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>";

impl Fault {
    /// The SOAP fault as XML bytes. A received fault gives the bytes it came in, if they were UTF-8.
    #[must_use]
    pub fn to_soap_xml(&self) -> Vec<u8> {
        match &self.received {
            Some(xml) if !xml.is_empty() => xml.to_vec(),
            _ => self.write_soap_xml().into_bytes(),
        }
    }

    /// The code is escaped too: no code of ours has anything to escape, and one that a peer sent must not inject
    /// elements.
    fn write_soap_xml(&self) -> String {
        let mut out = String::with_capacity(HEAD.len() + TAIL.len() + self.message.len() + 256);
        out.push_str(HEAD);
        element_into("faultcode", self.code.as_str(), &mut out);
        element_into("faultstring", &self.message, &mut out);
        if let Some(actor) = &self.actor {
            element_into("faultactor", actor, &mut out);
        }
        if let Some(detail) = &self.detail {
            out.push_str("<detail><faultDetail xmlns=\"\">");
            escape_into(detail, &mut out);
            out.push_str("</faultDetail></detail>");
        }
        out.push_str(TAIL);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_bytes_of_the_reference() {
        let fault = Fault::new("server.serverproxy.access_denied", "Request is not allowed: a<b")
            .with_detail("8b0aa6b4-2c4f-4d84-9f0e-4c8dbc7a4d6e");
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>server.serverproxy.access_denied</faultcode><faultstring>Request is not allowed: a&lt;b</faultstring><faultactor></faultactor><detail><faultDetail xmlns=\"\">8b0aa6b4-2c4f-4d84-9f0e-4c8dbc7a4d6e</faultDetail></detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>";
        assert_eq!(String::from_utf8(fault.to_soap_xml()).unwrap(), expected);
    }

    #[test]
    fn omits_actor_and_detail_that_are_not_there() {
        let fault = Fault {
            actor: None,
            ..Fault::new("client.invalid_soap", "no")
        };
        let xml = String::from_utf8(fault.to_soap_xml()).unwrap();
        assert!(
            xml.contains("<faultstring>no</faultstring></SOAP-ENV:Fault>"),
            "{xml}"
        );
    }
}
