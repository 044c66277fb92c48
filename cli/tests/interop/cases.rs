//! The cases that need more than the ledger's fields to run.

mod big;
mod decoder;
mod rest;
mod signing;
mod tls;

use super::ledger::Case;
use super::world::{Got, World};

/// A case's runner.
pub(crate) type Runner = fn(&mut World, &Case) -> Got;

/// Runners by the names of their cases.
pub(crate) const OWN: &[(&str, Runner)] = &[
    ("AttachmentBig", big::attachment_big),
    ("AttachmentSmallMantis", big::attachment_small_mantis),
    ("ServerProxyConnectionAborted", tls::connection_aborted),
    ("SigningFailsInClientProxy", signing::fails_in_client_proxy),
    ("SigningFailsInServerProxy", signing::fails_in_server_proxy),
    ("SslAuthTrustManagerError", tls::trust_manager_error),
    ("SslClientCipherSuiteSetupError", tls::no_common_cipher),
    ("SslToServiceAuth", tls::to_service),
    ("SslToServiceNoAuth", tls::to_service),
    ("SslToServiceNoISCerts", tls::to_service),
    ("SslToServiceWrongISCert", tls::to_service),
    (
        "AuthKeyReloadTest.clientProxyReloadAuthKey",
        signing::consumer_changes_its_auth_key,
    ),
    (
        "AuthKeyReloadTest.serverProxyReloadAuthKey",
        signing::provider_changes_its_auth_key,
    ),
    (
        "FastestConnectionSelectingSSLSocketFactoryIntegrationTest.testWithSender",
        tls::second_address,
    ),
    ("ProxyMessageDecoderTest.normalRequest", decoder::run),
    ("ProxyMessageDecoderTest.normalSoapFaultRequest", decoder::run),
    ("ProxyMessageDecoderTest.normalAttachmentRequest", decoder::run),
    ("ProxyMessageDecoderTest.normalOcspRequest", decoder::run),
    (
        "ProxyMessageDecoderTest.failsToParseWithExtraContent",
        decoder::run,
    ),
    ("ProxyMessageDecoderTest.invalidOcsp", decoder::run),
    ("ProxyMessageDecoderTest.invalidSoapContentType", decoder::run),
    ("ProxyMessageDecoderTest.faultInsteadOfSignature", decoder::run),
    (
        "ProxyMessageDecoderTest.invalidContentTypeForSignature",
        decoder::run,
    ),
    (
        "RestProxyTest.shouldFailIfClientHeaderMissing",
        rest::client_header_missing,
    ),
    (
        "RestProxyTest.shouldFailIfMalformedRequestURI",
        rest::malformed_request_uri,
    ),
    ("RestProxyTest.shouldHandleSimplePost", rest::simple_post),
    ("RestProxyTest.shouldKeepQueryId", rest::keep_query_id),
    (
        "RestProxyTest.shouldHaveContentLengthHeader",
        rest::content_length,
    ),
    ("RestProxyTest.requestHashShouldBeUnique", rest::request_hash),
    ("RestProxyTest.shouldHaveOnlyOneDateHeader", rest::one_date),
    (
        "RestProxyTest.shouldAcceptPercentEncodedIdentifiers",
        rest::encoded_identifiers,
    ),
    ("RestProxyTest.shouldAcceptEmptyPath", rest::empty_path),
    ("RestProxyTest.shouldGetLargeBinaryMessage", rest::large_message),
    ("RestProxyTest.shouldNotFollow302Redirects", rest::redirect),
    (
        "RestProxyTest.shouldNotAllowCallingWSDLServices",
        rest::wsdl_service,
    ),
    ("RestProxyTest.shouldNotAllowPATCH", rest::patch),
    (
        "RestProxyTest.shouldSelectResolvableAddress",
        rest::resolvable_address,
    ),
    (
        "RestProxyTest.shouldRespectAcceptHeaderInErrorResponse",
        rest::accept,
    ),
    (
        "faults of servers older than 7.8 on the REST interface",
        rest::old_fault,
    ),
];
