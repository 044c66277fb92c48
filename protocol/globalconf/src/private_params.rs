//! Private parameters: federated instances, management services, time-stamping interval (features.md 2.9).

use protocol_message::identifier::ClientId;

use crate::Version;
use crate::anchor::{Anchor, AnchorError};
use crate::xml::{Element, Writer, XmlError, identifier};

/// Everything in one `private-params.xml`. Versions 2 and 3 differ only in an extension point that nobody uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateParams {
    /// Code of the instance.
    pub instance: String,
    /// Anchors of the federated instances.
    pub anchors: Vec<Anchor>,
    /// Management services of the central server.
    pub management_service: ManagementService,
    /// How long a signature may stay without a time-stamp, in seconds.
    pub time_stamping_interval_seconds: u32,
}

/// Where security servers register themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementService {
    /// URL for registering authentication certificates.
    pub auth_cert_reg_address: String,
    /// TLS certificate of that URL, DER.
    pub auth_cert_reg_cert: Option<Vec<u8>>,
    /// Subsystem that offers the management services.
    pub provider: ClientId,
}

/// Why private parameters cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateParamsError {
    /// Not the XML that the schema describes.
    #[error("malformed private parameters")]
    Malformed(#[from] XmlError),
    /// The anchor of a federated instance is wrong.
    #[error("anchor of a federated instance")]
    Anchor(#[from] AnchorError),
}

impl PrivateParams {
    /// Reads a `private-params.xml`.
    ///
    /// # Errors
    /// When it is not the XML that the schema describes.
    pub fn read(_version: Version, bytes: &[u8]) -> Result<Self, PrivateParamsError> {
        let conf = Element::parse_document(bytes, "conf")?;
        Ok(Self {
            instance: conf.required_text("instanceIdentifier")?,
            anchors: conf
                .all("configurationAnchor")
                .map(Anchor::read)
                .collect::<Result<_, _>>()?,
            management_service: management_service(conf.required("managementService")?)?,
            time_stamping_interval_seconds: conf.required("timeStampingIntervalSeconds")?.number()?,
        })
    }

    /// Writes a `private-params.xml`; the same for all versions.
    #[must_use]
    pub fn write(&self, _version: Version) -> Vec<u8> {
        let mut out = Writer::document("conf");
        out.text("instanceIdentifier", &self.instance);
        for anchor in &self.anchors {
            out.nested("configurationAnchor", "", |out| anchor.write_content(out));
        }
        out.nested("managementService", "", |out| {
            write_management_service(out, &self.management_service)
        });
        out.text(
            "timeStampingIntervalSeconds",
            &self.time_stamping_interval_seconds.to_string(),
        );
        out.finish("conf")
    }
}

fn management_service(element: &Element) -> Result<ManagementService, XmlError> {
    let cert = element
        .optional("authCertRegServiceCert")?
        .map(Element::base64)
        .transpose()?;
    Ok(ManagementService {
        auth_cert_reg_address: element
            .required_text("authCertRegServiceAddress")?
            .trim()
            .to_owned(),
        auth_cert_reg_cert: cert.filter(|cert| !cert.is_empty()),
        provider: identifier::client_id(element.required("managementRequestServiceProviderId")?)?,
    })
}

fn write_management_service(out: &mut Writer, service: &ManagementService) {
    out.text("authCertRegServiceAddress", &service.auth_cert_reg_address);
    if let Some(cert) = &service.auth_cert_reg_cert {
        out.base64("authCertRegServiceCert", cert);
    }
    identifier::write_client_id(out, "managementRequestServiceProviderId", &service.provider);
}
