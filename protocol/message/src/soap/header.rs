//! The fields of the SOAP header (wire.md 1.6), and how they are collected.

use super::xml::Element;
use super::{SoapError, names};
use crate::identifier::{ClientId, RepresentedParty, SecurityServerId, ServiceId};

/// The header of a message. Values are not trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoapHeader {
    /// Who asks.
    pub client: ClientId,
    /// Who is asked, for what.
    pub service: ServiceId,
    /// Message id.
    pub id: String,
    /// Who at the client asks.
    pub user_id: Option<String>,
    /// Reference to the client's case.
    pub issue: Option<String>,
    /// Starts with `4.`.
    pub protocol_version: String,
    /// The only server that shall serve the request.
    pub security_server: Option<SecurityServerId>,
    /// The party on whose behalf the client acts.
    pub represented_party: Option<RepresentedParty>,
    /// Only responses have one; an existing one in a request is ignored.
    pub request_hash: Option<RequestHash>,
}

/// The hash of the request in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHash {
    /// URI of the algorithm; ignored, SHA-512 is always used (wire.md 1.7).
    pub algorithm: Option<String>,
    /// The hash in base64.
    pub value: String,
}

/// A field that consists of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextField {
    Id,
    UserId,
    Issue,
    ProtocolVersion,
}

/// A field that consists of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupField {
    Client,
    Service,
    SecurityServer,
    RepresentedParty,
}

/// A child element of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Text(TextField),
    Group(GroupField),
    RequestHash,
}

impl Field {
    /// The field that an element is, if we know it.
    pub(super) fn of(element: &Element<'_>) -> Option<Self> {
        match (element.namespace, element.local_name()) {
            (names::X_ROAD, names::CLIENT) => Some(Self::Group(GroupField::Client)),
            (names::X_ROAD, names::SERVICE) => Some(Self::Group(GroupField::Service)),
            (names::X_ROAD, names::SECURITY_SERVER) => Some(Self::Group(GroupField::SecurityServer)),
            (names::REPRESENTATION, names::REPRESENTED_PARTY) => {
                Some(Self::Group(GroupField::RepresentedParty))
            }
            (names::X_ROAD, names::MESSAGE_ID) => Some(Self::Text(TextField::Id)),
            (names::X_ROAD, names::USER_ID) => Some(Self::Text(TextField::UserId)),
            (names::X_ROAD, names::ISSUE) => Some(Self::Text(TextField::Issue)),
            (names::X_ROAD, names::PROTOCOL_VERSION) => Some(Self::Text(TextField::ProtocolVersion)),
            (names::X_ROAD, names::REQUEST_HASH) => Some(Self::RequestHash),
            _ => None,
        }
    }
}

impl TextField {
    fn name(self) -> &'static str {
        match self {
            Self::Id => names::MESSAGE_ID,
            Self::UserId => names::USER_ID,
            Self::Issue => names::ISSUE,
            Self::ProtocolVersion => names::PROTOCOL_VERSION,
        }
    }
}

impl GroupField {
    fn name(self) -> &'static str {
        match self {
            Self::Client => names::CLIENT,
            Self::Service => names::SERVICE,
            Self::SecurityServer => names::SECURITY_SERVER,
            Self::RepresentedParty => names::REPRESENTED_PARTY,
        }
    }

    /// Values of `objectType` that fit; a represented party has none.
    fn object_types(self) -> &'static [&'static str] {
        match self {
            Self::Client => &["MEMBER", "SUBSYSTEM"],
            Self::Service => &["SERVICE"],
            Self::SecurityServer => &["SERVER"],
            Self::RepresentedParty => &[],
        }
    }

    fn namespace(self) -> &'static str {
        if self == Self::RepresentedParty {
            names::REPRESENTATION
        } else {
            names::IDENTIFIERS
        }
    }

    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Client => &[
                names::INSTANCE,
                names::MEMBER_CLASS,
                names::MEMBER_CODE,
                names::SUBSYSTEM_CODE,
            ],
            Self::Service => &[
                names::INSTANCE,
                names::MEMBER_CLASS,
                names::MEMBER_CODE,
                names::SUBSYSTEM_CODE,
                names::SERVICE_CODE,
                names::SERVICE_VERSION,
            ],
            Self::SecurityServer => &[
                names::INSTANCE,
                names::MEMBER_CLASS,
                names::MEMBER_CODE,
                names::SERVER_CODE,
            ],
            Self::RepresentedParty => &[names::PARTY_CLASS, names::PARTY_CODE],
        }
    }
}

/// The parts of a group field that is being read.
#[derive(Debug)]
pub(super) struct Group {
    field: GroupField,
    values: Vec<(&'static str, String)>,
}

impl Group {
    /// Starts a group field; its `objectType` must fit.
    pub(super) fn start(field: GroupField, element: &Element<'_>) -> Result<Self, SoapError> {
        let allowed = field.object_types();
        match element.object_type() {
            _ if allowed.is_empty() => {}
            None => return Err(SoapError::ObjectType("missing objectType attribute".to_owned())),
            Some(found) if allowed.contains(&found) => {}
            Some(found) => return Err(SoapError::ObjectType(format!("unexpected objectType: {found}"))),
        }
        Ok(Self {
            field,
            values: Vec::new(),
        })
    }

    /// The part that an element is, if it belongs to this group.
    pub(super) fn part_of(&self, element: &Element<'_>) -> Result<Option<&'static str>, SoapError> {
        if element.namespace != self.field.namespace() {
            return Ok(None);
        }
        let part = self
            .field
            .parts()
            .iter()
            .copied()
            .find(|part| *part == element.local_name());
        match part {
            Some(part) if self.get(part).is_some() => Err(SoapError::DuplicateHeaderField(part)),
            _ => Ok(part),
        }
    }

    pub(super) fn set(&mut self, part: &'static str, value: String) {
        self.values.push((part, value));
    }

    fn get(&self, part: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(known, _)| *known == part)
            .map(|(_, value)| value.as_str())
    }

    fn mandatory(&self, part: &'static str) -> &str {
        self.get(part).unwrap_or_default()
    }

    fn client(&self) -> Result<ClientId, SoapError> {
        let member = [names::INSTANCE, names::MEMBER_CLASS, names::MEMBER_CODE];
        let member = member.map(|part| self.mandatory(part));
        Ok(ClientId::new(member, self.get(names::SUBSYSTEM_CODE))?)
    }

    fn service(&self) -> Result<ServiceId, SoapError> {
        let (code, version) = (
            self.mandatory(names::SERVICE_CODE),
            self.get(names::SERVICE_VERSION),
        );
        Ok(ServiceId::new(self.client()?, code, version)?)
    }

    fn security_server(&self) -> Result<SecurityServerId, SoapError> {
        let owner = self.client()?;
        let server_code = self.mandatory(names::SERVER_CODE);
        if server_code.is_empty() {
            return Err(crate::identifier::IdentifierError::Empty("server code").into());
        }
        Ok(SecurityServerId::new(
            owner.instance(),
            owner.member_class(),
            owner.member_code(),
            server_code,
        ))
    }

    fn represented_party(&self) -> RepresentedParty {
        RepresentedParty {
            class: self.get(names::PARTY_CLASS).map(str::to_owned),
            code: self.mandatory(names::PARTY_CODE).to_owned(),
        }
    }
}

/// Collects the fields of a header.
#[derive(Debug, Default)]
pub(super) struct Collector {
    client: Option<ClientId>,
    service: Option<ServiceId>,
    id: Option<String>,
    user_id: Option<String>,
    issue: Option<String>,
    protocol_version: Option<String>,
    security_server: Option<SecurityServerId>,
    represented_party: Option<RepresentedParty>,
    request_hash: Option<RequestHash>,
}

impl Collector {
    /// Refuses a field that was there already.
    pub(super) fn check_new(&self, field: Field) -> Result<(), SoapError> {
        let (taken, name) = match field {
            Field::RequestHash => (self.request_hash.is_some(), names::REQUEST_HASH),
            Field::Text(field) => (self.text(field).is_some(), field.name()),
            Field::Group(field) => (self.has_group(field), field.name()),
        };
        if taken {
            Err(SoapError::DuplicateHeaderField(name))
        } else {
            Ok(())
        }
    }

    fn text(&self, field: TextField) -> Option<&String> {
        match field {
            TextField::Id => self.id.as_ref(),
            TextField::UserId => self.user_id.as_ref(),
            TextField::Issue => self.issue.as_ref(),
            TextField::ProtocolVersion => self.protocol_version.as_ref(),
        }
    }

    fn has_group(&self, field: GroupField) -> bool {
        match field {
            GroupField::Client => self.client.is_some(),
            GroupField::Service => self.service.is_some(),
            GroupField::SecurityServer => self.security_server.is_some(),
            GroupField::RepresentedParty => self.represented_party.is_some(),
        }
    }

    pub(super) fn set_text(&mut self, field: TextField, value: String) -> Result<(), SoapError> {
        match field {
            TextField::Id => self.id = Some(value),
            TextField::UserId => self.user_id = Some(value),
            TextField::Issue => self.issue = Some(value),
            TextField::ProtocolVersion if value.starts_with("4.") => self.protocol_version = Some(value),
            TextField::ProtocolVersion => return Err(SoapError::ProtocolVersion(value)),
        }
        Ok(())
    }

    pub(super) fn set_request_hash(&mut self, algorithm: Option<String>, value: String) {
        self.request_hash = Some(RequestHash { algorithm, value });
    }

    pub(super) fn set_group(&mut self, group: &Group) -> Result<(), SoapError> {
        match group.field {
            GroupField::Client => self.client = Some(group.client()?),
            GroupField::Service => self.service = Some(group.service()?),
            GroupField::SecurityServer => self.security_server = Some(group.security_server()?),
            GroupField::RepresentedParty => self.represented_party = Some(group.represented_party()),
        }
        Ok(())
    }

    /// The complete header; the first missing mandatory field is named.
    pub(super) fn finish(self) -> Result<SoapHeader, SoapError> {
        let missing = SoapError::MissingHeaderField;
        Ok(SoapHeader {
            protocol_version: self
                .protocol_version
                .ok_or_else(|| missing(names::PROTOCOL_VERSION))?,
            client: self.client.ok_or_else(|| missing(names::CLIENT))?,
            id: self.id.ok_or_else(|| missing(names::MESSAGE_ID))?,
            service: self.service.ok_or_else(|| missing(names::SERVICE))?,
            user_id: self.user_id,
            issue: self.issue,
            security_server: self.security_server,
            represented_party: self.represented_party,
            request_hash: self.request_hash,
        })
    }
}
