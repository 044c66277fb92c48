//! Services of a provider.

use super::{
    ClientId, IdentifierError, check_count, components, decoded, encode_into, join_encoded, non_empty, plain,
    typed, write_plain,
};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A service of a provider, in one of its versions. Cheap to clone, as [`ClientId`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The client that offers the service.
    pub provider: ClientId,
    /// Service code; access rights are granted by code, not by version (wire.md 6.2).
    pub service_code: Arc<str>,
    /// Version; REST services have none.
    pub service_version: Option<Arc<str>>,
}

const KIND: &str = "service identifier";

impl ServiceId {
    /// Checks components that came from outside.
    ///
    /// # Errors
    /// When the code or the version is empty.
    pub fn new(
        provider: ClientId,
        service_code: impl Into<Arc<str>>,
        service_version: Option<&str>,
    ) -> Result<Self, IdentifierError> {
        Ok(Self {
            provider,
            service_code: non_empty("service code", service_code.into())?,
            service_version: service_version
                .map(|version| non_empty("service version", version))
                .transpose()?
                .map(Arc::from),
        })
    }

    /// Reads the encoded form of `X-Road-Service`: exactly instance, class, member, subsystem and service code
    /// (wire.md 1.4).
    ///
    /// # Errors
    /// When the count or a component is wrong.
    pub fn parse_encoded(text: &str) -> Result<Self, IdentifierError> {
        check_count(KIND, "5", 5..=5, text)?;
        let (provider, code) = text.rsplit_once('/').unwrap_or_default();
        Ok(Self {
            provider: ClientId::parse_encoded(provider)?,
            service_code: decoded("service code", code)?.into(),
            service_version: None,
        })
    }

    /// Writes the encoded form, as in `x-road-service` of a response.
    #[must_use]
    pub fn to_encoded(&self) -> String {
        join_encoded(self.parts())
    }

    /// Appends the encoded form.
    pub fn encode_into(&self, out: &mut String) {
        encode_into(self.parts(), out);
    }

    /// The form that the texts of faults use, `SERVICE:EE/GOV/1/s/code`.
    #[must_use]
    pub fn to_typed(&self) -> String {
        typed("SERVICE", self.parts())
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.provider
            .parts()
            .chain(std::iter::once(&*self.service_code))
            .chain(self.service_version.as_deref())
    }
}

/// Plain form: `instance/class/member[/subsystem]/code[/version]`. Five components are read as subsystem and code; a
/// versioned service of a member without subsystem keeps an empty subsystem component.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member_with_version = self.provider.subsystem_code().is_none() && self.service_version.is_some();
        let gap = member_with_version.then_some("");
        let code = std::iter::once(&*self.service_code).chain(self.service_version.as_deref());
        write_plain(f, self.provider.parts().chain(gap).chain(code))
    }
}

impl FromStr for ServiceId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = components(KIND, "4 to 6", 4..=6, text)?.collect();
        let (subsystem, code, version) = match *parts.as_slice() {
            [_, _, _, code] => (None, code, None),
            [_, _, _, subsystem, code] => (Some(subsystem), code, None),
            [_, _, _, subsystem, code, version] => {
                (Some(subsystem).filter(|s| !s.is_empty()), code, Some(version))
            }
            _ => return Err(IdentifierError::Empty(KIND)),
        };
        let part = |index: usize| parts.get(index).copied().unwrap_or_default();
        let member = [
            plain("instance", part(0))?,
            plain("member class", part(1))?,
            plain("member code", part(2))?,
        ];
        let subsystem = subsystem.map(|code| plain("subsystem code", code)).transpose()?;
        let member = member.each_ref().map(|part| &**part);
        Ok(Self {
            provider: ClientId::from_parts(member, subsystem.as_deref()),
            service_code: plain("service code", code)?.into(),
            service_version: version
                .map(|version| plain("service version", version))
                .transpose()?
                .map(Arc::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_encoded_form() {
        let service = ServiceId::parse_encoded("EE/GOV/1/s%2Fub/getState").unwrap();
        assert_eq!(service.provider, ClientId::subsystem("EE", "GOV", "1", "s/ub"));
        assert_eq!(service.to_encoded(), "EE/GOV/1/s%2Fub/getState");
        for wrong in ["EE/GOV/1/s", "EE/GOV/1/s/c/v1", "EE/GOV/1//c"] {
            assert!(ServiceId::parse_encoded(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_plain_form_is_lossless() {
        let member = ClientId::for_member("EE", "GOV", "1");
        let subsystem = ClientId::subsystem("EE", "GOV", "1", "s");
        for provider in [member, subsystem] {
            for version in [None, Some("v1")] {
                let service = ServiceId::new(provider.clone(), "code", version).unwrap();
                assert_eq!(
                    service.to_string().parse::<ServiceId>().unwrap(),
                    service,
                    "{service}"
                );
            }
        }
        assert_eq!(
            "EE/GOV/1/s/code/v1".parse::<ServiceId>().unwrap().to_string(),
            "EE/GOV/1/s/code/v1"
        );
    }
}
