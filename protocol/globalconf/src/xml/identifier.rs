//! Identifiers of members and subsystems in configuration files (`XRoadClientIdentifierType`).

use protocol_message::identifier::ClientId;

use super::{Element, Space, Writer, XmlError};

/// Reads the identifier that the element contains.
pub(crate) fn client_id(element: &Element) -> Result<ClientId, XmlError> {
    let part = |name| Ok::<_, XmlError>(element.optional_in(Space::Identifiers, name)?.map(Element::text));
    let mandatory = |name| part(name)?.ok_or_else(|| element.lacks(name));
    let (instance, class) = (mandatory("xRoadInstance")?, mandatory("memberClass")?);
    let member = [instance, class, mandatory("memberCode")?];
    let id = ClientId::from_parts(member, part("subsystemCode")?);
    match object_type(element)? == id.object_type() {
        true => Ok(id),
        false => Err(XmlError::BadIdentifier(element.name().to_owned())),
    }
}

fn object_type(element: &Element) -> Result<&str, XmlError> {
    let attribute = element.attribute(Space::Identifiers, "objectType");
    attribute.ok_or_else(|| XmlError::BadIdentifier(element.name().to_owned()))
}

/// Writes an identifier as the content of an element with the given name.
pub(crate) fn write_client_id(out: &mut Writer, name: &str, id: &ClientId) {
    let object_type = id.object_type();
    out.nested(name, &format!(" ns2:objectType=\"{object_type}\""), |out| {
        out.text("ns2:xRoadInstance", id.instance());
        out.text("ns2:memberClass", id.member_class());
        out.text("ns2:memberCode", id.member_code());
        out.optional_text("ns2:subsystemCode", id.subsystem_code());
    });
}
