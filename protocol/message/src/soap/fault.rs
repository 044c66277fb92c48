//! Reading a SOAP fault. Its child elements are known by local name, as in the reference.

use super::charset;
use super::xml::Element;
use crate::fault::Fault;

/// A child of the fault element, or of its detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultField {
    Code,
    Text,
    Actor,
    Detail,
    FaultDetail,
}

impl FaultField {
    /// A child of the fault element.
    pub(super) fn of(element: &Element<'_>) -> Option<Self> {
        match element.local_name() {
            "faultcode" => Some(Self::Code),
            "faultstring" => Some(Self::Text),
            "faultactor" => Some(Self::Actor),
            "detail" => Some(Self::Detail),
            _ => None,
        }
    }
}

/// The fields of a fault.
#[derive(Debug, Default)]
pub(super) struct FaultFields {
    code: Option<String>,
    text: Option<String>,
    actor: Option<String>,
    detail: Option<String>,
}

impl FaultFields {
    pub(super) fn set(&mut self, field: FaultField, value: String) {
        match field {
            FaultField::Code => self.code = Some(value),
            FaultField::Text => self.text = Some(value),
            FaultField::Actor => self.actor = Some(value),
            FaultField::FaultDetail => self.detail = Some(value),
            FaultField::Detail if self.detail.as_ref().is_none_or(String::is_empty) => {
                self.detail = Some(value);
            }
            FaultField::Detail => {}
        }
    }

    /// The fault; `bytes` are relayed verbatim if they are UTF-8.
    pub(super) fn finish(self, bytes: &[u8]) -> Fault {
        Fault::from_received(
            self.code.unwrap_or_default(),
            self.text.unwrap_or_default(),
            self.actor,
            self.detail,
            charset::is_utf8(bytes).then_some(bytes),
        )
    }
}
