//! A SOAP request of the sandbox's service client.

/// A request to a SOAP operation of the provider, with this message id.
pub(crate) fn request(operation: &str, id: &str) -> String {
    request_to("provider", operation, id)
}

/// A request to an operation of a subsystem of the provider.
pub(crate) fn request_to(subsystem: &str, operation: &str, id: &str) -> String {
    let names = |member: &str, subsystem: &str| {
        format!(
            "<id:xRoadInstance>SANDBOX</id:xRoadInstance><id:memberClass>ORG</id:memberClass>\
             <id:memberCode>{member}</id:memberCode><id:subsystemCode>{subsystem}</id:subsystemCode>"
        )
    };
    let (client, provider) = (names("1001", "client"), names("2002", subsystem));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xroad=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:id=\"http://x-road.eu/xsd/identifiers\">\
         <soap:Header><xroad:client id:objectType=\"SUBSYSTEM\">{client}</xroad:client>\
         <xroad:service id:objectType=\"SERVICE\">{provider}<id:serviceCode>{operation}</id:serviceCode>\
         <id:serviceVersion>v1</id:serviceVersion></xroad:service><xroad:id>{id}</xroad:id>\
         <xroad:userId>EE37702110274</xroad:userId><xroad:protocolVersion>4.0</xroad:protocolVersion></soap:Header>\
         <soap:Body><echo:{operation} xmlns:echo=\"http://sandbox.kiirtee.example/echo\"><echo:text>text</echo:text>\
         </echo:{operation}></soap:Body></soap:Envelope>"
    )
}
