//! The one place where a failure becomes a fault code (wire.md 1.8).

use std::io;

use protocol_message::fault::{Fault, FaultCode, prefix};

use crate::exchange::ExchangeError;
use crate::exchange::sign::SignError;
use crate::http::HttpError;
use crate::metrics::Side;

/// The fault that the caller of one half of this server gets. A fault that was received is relayed as it came.
///
/// The detail is a fresh UUID, which the caller of this function logs beside the cause.
#[must_use]
pub fn of(error: &ExchangeError, side: Side) -> Fault {
    if let Some(fault) = received(error) {
        return fault;
    }
    let code = match (error, side) {
        (ExchangeError::ByClient(inner), _) => code(inner).by_client(),
        (_, Side::ClientProxy) => code(error).at_client_proxy(),
        (_, Side::ServerProxy) => code(error).at_server_proxy(),
    };
    Fault::new(code, error.to_string()).with_detail(fresh_detail())
}

/// A fault of the other side, however deep. One that an information system sends as its request is its own mistake: it is
/// told so in our words, the code in lower case behind the prefix `client` (wire.md 7.5, case SoapFaultToClientProxy).
fn received(error: &ExchangeError) -> Option<Fault> {
    match error {
        ExchangeError::Received(fault) => Some(fault.clone()),
        ExchangeError::InService(inner) | ExchangeError::WhileSending(inner) => received(inner),
        ExchangeError::ByClient(inner) => {
            let fault = received(inner)?;
            let code = FaultCode::from(fault.code.as_str().to_ascii_lowercase());
            Some(Fault::new(code.by_client(), fault.message).with_detail(fresh_detail()))
        }
        _ => None,
    }
}

/// By it the log and the caller speak of the same failure.
fn fresh_detail() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The code without the side's prefix.
fn code(error: &ExchangeError) -> FaultCode {
    match error {
        ExchangeError::Outdated(_) => FaultCode::GLOBAL_CONF_OUTDATED,
        ExchangeError::NoAuthenticationKey => FaultCode::SSL_AUTHENTICATION_FAILED,
        ExchangeError::Method(_) => FaultCode::INVALID_HTTP_METHOD,
        ExchangeError::HashAlgorithm
        | ExchangeError::Randomness
        | ExchangeError::MissingContentType
        | ExchangeError::NoVersion(_) => FaultCode::INTERNAL_ERROR,
        ExchangeError::ClientProxyVersion(_) => FaultCode::CLIENT_PROXY_VERSION_NOT_SUPPORTED,
        ExchangeError::Rest(error) => error.fault_code().into(),
        ExchangeError::Soap(error) => error.fault_code().into(),
        ExchangeError::Transport(error) => error.fault_code().into(),
        ExchangeError::Authenticate(error) => error.fault_code().into(),
        ExchangeError::Route(error) => error.fault_code().into(),
        ExchangeError::Peer(error) => error.fault_code().into(),
        ExchangeError::PeerRejected(error) => error.fault_code().into(),
        ExchangeError::PeerStatus { .. } => FaultCode::HTTP_ERROR,
        ExchangeError::NotAFault | ExchangeError::NoResponse | ExchangeError::AnsweredTooEarly => {
            FaultCode::INVALID_MESSAGE
        }
        ExchangeError::MissingSoap(_) => FaultCode::MISSING_SOAP,
        ExchangeError::MissingRest(_) => FaultCode::MISSING_REST,
        ExchangeError::MissingSignature(_) => FaultCode::MISSING_SIGNATURE,
        ExchangeError::Verify(error) => {
            FaultCode::from(error.fault_code()).with_prefix(prefix::SIGNATURE_VERIFICATION)
        }
        ExchangeError::InconsistentResponse(_) => FaultCode::INCONSISTENT_RESPONSE.in_service(),
        ExchangeError::Authorize(error) => error.fault_code().into(),
        ExchangeError::Call(error) => error.fault_code().into(),
        ExchangeError::Metadata(error) => error.fault_code().into(),
        ExchangeError::ListClients(error) => error.fault_code().into(),
        ExchangeError::Sign(error) => sign_code(error),
        ExchangeError::Log(error) => error.fault_code().into(),
        // The reference has no code for overload; this is what its callers get when a bound of its own is reached, that of
        // connections to other servers: a time-out of its pool is input and output (wire.md 1.8).
        ExchangeError::Overloaded => FaultCode::IO_ERROR,
        ExchangeError::Spool(_) | ExchangeError::WhileSending(_) => FaultCode::IO_ERROR,
        ExchangeError::HungUp => FaultCode::NETWORK_ERROR,
        ExchangeError::Http(error) => http_code(error),
        ExchangeError::Received(fault) => fault.code.clone(),
        ExchangeError::ByClient(inner) => code(inner),
        ExchangeError::InService(inner) => code(inner).in_service(),
    }
}

/// A member without certificate, or a signer that does not sign: one code (wire.md 7.5, cases SigningFails…).
fn sign_code(error: &SignError) -> FaultCode {
    match error {
        SignError::Signer(signer_client::SignerError::TimedOut) => FaultCode::INTERNAL_ERROR,
        SignError::NoCertificate(_) | SignError::Signer(_) => FaultCode::CANNOT_CREATE_SIGNATURE,
    }
}

/// A connection that could not be made or broke is a network error; one that ends in the middle of a message is not
/// told from other input and output (wire.md 1.8, the mapping of exceptions).
fn http_code(error: &HttpError) -> FaultCode {
    match error {
        HttpError::Closed => FaultCode::NETWORK_ERROR,
        HttpError::Io(io) => io_code(io),
        _ => FaultCode::IO_ERROR,
    }
}

fn io_code(error: &io::Error) -> FaultCode {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => FaultCode::NETWORK_ERROR,
        _ => FaultCode::IO_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_message::soap::{self, ParsedSoap, SoapError};
    use protocol_message::transport::{ContentType, TransportError};

    fn codes(make: impl Fn() -> ExchangeError) -> [String; 2] {
        [Side::ClientProxy, Side::ServerProxy].map(|side| of(&make(), side).code.as_str().to_owned())
    }

    #[test]
    fn the_code_says_which_side_failed_and_whose_message_it_was() {
        let in_body = || ExchangeError::from(SoapError::MissingBody);
        let [at_client_proxy, at_server_proxy] = codes(in_body);
        assert_eq!(at_client_proxy, "server.clientproxy.missing_body");
        assert_eq!(at_server_proxy, "server.serverproxy.missing_body");
        let [asked, _] = codes(|| in_body().by_client());
        assert_eq!(asked, "client.missing_body");
        let [response, answer] = codes(|| in_body().in_service());
        assert_eq!(response, "server.clientproxy.service_failed.missing_body");
        assert_eq!(answer, "server.serverproxy.service_failed.missing_body");
    }

    #[test]
    fn failures_of_soap_have_the_codes_of_the_reference() {
        for (error, code) in [
            (
                ExchangeError::MissingContentType,
                "server.clientproxy.internal_error",
            ),
            (
                ExchangeError::NotAFault.in_service(),
                "server.clientproxy.service_failed.invalid_message",
            ),
            (
                ExchangeError::HashAlgorithm.in_service(),
                "server.clientproxy.service_failed.internal_error",
            ),
            (
                ExchangeError::MissingSoap("Response"),
                "server.clientproxy.missing_soap",
            ),
            (
                ExchangeError::MissingSignature("Response"),
                "server.clientproxy.missing_signature",
            ),
            (
                ExchangeError::from(TransportError::MissingSoap).by_client(),
                "client.missing_soap",
            ),
            (
                ExchangeError::Method("GET".into()).by_client(),
                "client.invalid_http_method",
            ),
            (
                ExchangeError::InconsistentResponse(SoapError::InconsistentResponse("id")),
                "server.clientproxy.service_failed.inconsistent_response",
            ),
            (
                SoapError::RequestHash("is missing").into(),
                "server.clientproxy.inconsistent_response",
            ),
            (
                ExchangeError::PeerStatus {
                    status: 502,
                    reason: String::new(),
                },
                "server.clientproxy.http_error",
            ),
        ] {
            assert_eq!(of(&error, Side::ClientProxy).code.as_str(), code);
        }
        let [_, empty_answer] = codes(|| ExchangeError::NoResponse.in_service());
        assert_eq!(empty_answer, "server.serverproxy.service_failed.invalid_message");
    }

    const FAULT: &str = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault>\
        <faultcode>soap:Server</faultcode><faultstring>Broken</faultstring></s:Fault></s:Body></s:Envelope>";

    fn received_fault() -> ExchangeError {
        let content_type = ContentType::parse("text/xml").unwrap();
        match soap::parse(FAULT.as_bytes(), &content_type).unwrap() {
            ParsedSoap::Fault(fault) => ExchangeError::Received(fault),
            ParsedSoap::Message(_) => panic!("no fault"),
        }
    }

    #[test]
    fn a_fault_of_the_other_side_is_relayed_and_one_of_the_client_is_answered() {
        for error in [
            received_fault(),
            received_fault().in_service(),
            received_fault().while_sending(),
        ] {
            let fault = of(&error, Side::ClientProxy);
            assert_eq!(fault.to_soap_xml(), FAULT.as_bytes());
        }
        let fault = of(&received_fault().by_client(), Side::ClientProxy);
        assert_eq!(
            (fault.code.as_str(), fault.message.as_str()),
            ("client.soap:server", "Broken")
        );
        assert_ne!(fault.to_soap_xml(), FAULT.as_bytes());
    }
}
