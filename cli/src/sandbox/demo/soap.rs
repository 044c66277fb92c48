//! A SOAP request of the message protocol.

use super::super::description::Description;

/// A request to a SOAP service of the provider, from the consumer's subsystem.
pub(super) fn request(description: &Description, operation: &str, id: &str, text: &str) -> String {
    let client = identifier("client", "SUBSYSTEM", &description.consumer.subsystem, None);
    let service = identifier(
        "service",
        "SERVICE",
        &description.provider.subsystem,
        Some(operation),
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xroad=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:id=\"http://x-road.eu/xsd/identifiers\">\n\
         <soap:Header>\n{client}{service}<xroad:id>{id}</xroad:id>\n<xroad:userId>EE37702110274</xroad:userId>\n\
         <xroad:protocolVersion>4.0</xroad:protocolVersion>\n</soap:Header>\n\
         <soap:Body><echo:{operation} xmlns:echo=\"http://sandbox.kiirtee.example/echo\"><echo:text>{text}</echo:text>\
         </echo:{operation}></soap:Body>\n</soap:Envelope>\n"
    )
}

fn identifier(element: &str, kind: &str, subsystem: &str, operation: Option<&str>) -> String {
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    let mut parts: String = names
        .iter()
        .zip(subsystem.split('/'))
        .map(|(name, value)| format!("<id:{name}>{value}</id:{name}>"))
        .collect();
    if let Some(operation) = operation {
        parts +=
            &format!("<id:serviceCode>{operation}</id:serviceCode><id:serviceVersion>v1</id:serviceVersion>");
    }
    format!("<xroad:{element} id:objectType=\"{kind}\">{parts}</xroad:{element}>\n")
}
