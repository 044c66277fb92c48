//! Optional parts of the internal configuration (features.md 2.5).

use protocol_message::identifier::ClientId;

use crate::xml::{Element, Writer, XmlError, identifier};

/// Seconds between two requests for an OCSP response when the configuration does not say otherwise.
pub const DEFAULT_OCSP_FETCH_INTERVAL_SECONDS: u32 = 1200;
/// Shortest interval that is followed, in seconds.
pub const MIN_OCSP_FETCH_INTERVAL_SECONDS: u32 = 60;

/// What the optional parts say; absent parts have their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalParts {
    /// Seconds between two requests for an OCSP response, at least [`MIN_OCSP_FETCH_INTERVAL_SECONDS`].
    pub ocsp_fetch_interval_seconds: u32,
    /// Whether the `nextUpdate` of an OCSP response is checked.
    pub verify_ocsp_next_update: bool,
    /// Who may query environmental and operational monitoring data of all servers.
    pub monitoring_client: Option<ClientId>,
}

impl Default for OptionalParts {
    fn default() -> Self {
        Self {
            ocsp_fetch_interval_seconds: DEFAULT_OCSP_FETCH_INTERVAL_SECONDS,
            verify_ocsp_next_update: true,
            monitoring_client: None,
        }
    }
}

/// Reads `fetchinterval-params.xml`: seconds, raised to the minimum.
///
/// # Errors
/// When it is not the XML that its schema describes.
pub fn read_ocsp_fetch_interval(bytes: &[u8]) -> Result<u32, XmlError> {
    let conf = Element::parse_document(bytes, "conf")?;
    let seconds: u32 = conf.required("ocspFetchInterval")?.number()?;
    Ok(seconds.max(MIN_OCSP_FETCH_INTERVAL_SECONDS))
}

/// Reads `nextupdate-params.xml`.
///
/// # Errors
/// When it is not the XML that its schema describes.
pub fn read_verify_next_update(bytes: &[u8]) -> Result<bool, XmlError> {
    Element::parse_document(bytes, "conf")?
        .required("verifyNextUpdate")?
        .boolean()
}

/// Reads `monitoring-params.xml`.
///
/// # Errors
/// When it is not the XML that its schema describes.
pub fn read_monitoring_client(bytes: &[u8]) -> Result<Option<ClientId>, XmlError> {
    let conf = Element::parse_document(bytes, "conf")?;
    let client = conf
        .required("monitoringClient")?
        .optional("monitoringClientId")?;
    client.map(identifier::client_id).transpose()
}

/// Writes `fetchinterval-params.xml`.
#[must_use]
pub fn write_ocsp_fetch_interval(seconds: u32) -> Vec<u8> {
    let mut out = Writer::document("conf");
    out.text("ocspFetchInterval", &seconds.to_string());
    out.finish("conf")
}

/// Writes `nextupdate-params.xml`.
#[must_use]
pub fn write_verify_next_update(verify: bool) -> Vec<u8> {
    let mut out = Writer::document("conf");
    out.text("verifyNextUpdate", &verify.to_string());
    out.finish("conf")
}

/// Writes `monitoring-params.xml`.
#[must_use]
pub fn write_monitoring_client(client: Option<&ClientId>) -> Vec<u8> {
    let mut out = Writer::document("conf");
    out.nested("monitoringClient", "", |out| {
        if let Some(client) = client {
            identifier::write_client_id(out, "monitoringClientId", client);
        }
    });
    out.finish("conf")
}
