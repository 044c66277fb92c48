//! Who an access right is given to.

use std::fmt;
use std::str::FromStr;

use protocol_message::identifier::{ClientId, GlobalGroupId};
use serde::{Deserialize, Serialize};

/// The subject of an access right. Written with its kind in front: `client:EE/GOV/1/sub`, `global-group:EE/owners`,
/// `local-group:friends`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// Exactly this client; a member does not stand for its subsystems.
    Client(ClientId),
    /// The clients that the global configuration puts into the group.
    GlobalGroup(GlobalGroupId),
    /// The clients in a local group of the service's owner.
    LocalGroup(String),
}

const CLIENT: &str = "client";
const GLOBAL_GROUP: &str = "global-group";
const LOCAL_GROUP: &str = "local-group";

/// A text that names no subject.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is no subject: expected `client:INSTANCE/CLASS/MEMBER[/SUBSYSTEM]`, \
     `global-group:INSTANCE/CODE` or `local-group:CODE`"
)]
pub struct SubjectError {
    /// The text.
    pub text: String,
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let error = || SubjectError { text: text.into() };
        let (kind, name) = text.split_once(':').ok_or_else(error)?;
        match kind {
            CLIENT => name.parse().map(Self::Client).map_err(|_| error()),
            GLOBAL_GROUP => name.parse().map(Self::GlobalGroup).map_err(|_| error()),
            LOCAL_GROUP if !name.is_empty() => Ok(Self::LocalGroup(name.into())),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "{CLIENT}:{client}"),
            Self::GlobalGroup(group) => write!(f, "{GLOBAL_GROUP}:{group}"),
            Self::LocalGroup(code) => write!(f, "{LOCAL_GROUP}:{code}"),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}
