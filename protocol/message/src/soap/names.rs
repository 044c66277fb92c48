//! Namespaces and names of the protocol (wire.md 1.6).

pub(super) const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(super) const X_ROAD: &str = "http://x-road.eu/xsd/xroad.xsd";
pub(super) const IDENTIFIERS: &str = "http://x-road.eu/xsd/identifiers";
pub(super) const REPRESENTATION: &str = "http://x-road.eu/xsd/representation.xsd";

/// Bindings of a WSDL to a network address (WSDL 1.1 3, 4; WSDL 1.1 Binding Extension for SOAP 1.2).
pub(super) const WSDL_BINDINGS: [&str; 3] = [
    "http://schemas.xmlsoap.org/wsdl/soap/",
    "http://schemas.xmlsoap.org/wsdl/soap12/",
    "http://schemas.xmlsoap.org/wsdl/http/",
];

/// All of them.
pub(super) const KNOWN: [&str; 7] = {
    let [soap, soap12, http] = WSDL_BINDINGS;
    [ENVELOPE, X_ROAD, IDENTIFIERS, REPRESENTATION, soap, soap12, http]
};

pub(super) const CLIENT: &str = "client";
pub(super) const SERVICE: &str = "service";
pub(super) const SECURITY_SERVER: &str = "securityServer";
pub(super) const REPRESENTED_PARTY: &str = "representedParty";
pub(super) const MESSAGE_ID: &str = "id";
pub(super) const USER_ID: &str = "userId";
pub(super) const ISSUE: &str = "issue";
pub(super) const PROTOCOL_VERSION: &str = "protocolVersion";
pub(super) const REQUEST_HASH: &str = "requestHash";
pub(super) const ALGORITHM_ID: &str = "algorithmId";
pub(super) const OBJECT_TYPE: &str = "objectType";

pub(super) const INSTANCE: &str = "xRoadInstance";
pub(super) const MEMBER_CLASS: &str = "memberClass";
pub(super) const MEMBER_CODE: &str = "memberCode";
pub(super) const SUBSYSTEM_CODE: &str = "subsystemCode";
pub(super) const SERVICE_CODE: &str = "serviceCode";
pub(super) const SERVICE_VERSION: &str = "serviceVersion";
pub(super) const SERVER_CODE: &str = "serverCode";
pub(super) const PARTY_CLASS: &str = "partyClass";
pub(super) const PARTY_CODE: &str = "partyCode";
