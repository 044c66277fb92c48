//! Certificate profiles: which member a signing certificate speaks for (wire.md 3.6).
//!
//! A certification service of the global configuration names its profile by a Java class name, of which the last part counts.

use crate::certificate::Certificate;
use crate::name::DistinguishedName;

/// End of every profile's class name.
const CLASS_SUFFIX: &str = "CertificateProfileInfoProvider";

/// A certificate profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// C = instance, O = class, CN = code.
    Ejbca,
    /// Finland.
    FiVrk,
    /// Estonian organisations (KLASS3).
    SkKlass3,
    /// Estonian persons (ESTEID).
    SkEsteId,
    /// businessCategory = class, serialNumber = code.
    Basic,
    /// As [`Self::Basic`], certificates ordered through ACME.
    BasicAcme,
    /// Faroe Islands.
    Fo,
    /// Iceland.
    Is,
}

/// The member that a certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberName {
    /// Instance identifier.
    pub instance: String,
    /// Member class.
    pub member_class: String,
    /// Member code.
    pub member_code: String,
}

/// Why a certificate names no member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No profile has this class name.
    #[error("certificate profile {0:?} is not known")]
    UnknownProfile(String),
    /// A subject attribute is missing.
    #[error("certificate subject has no {0}")]
    MissingAttribute(&'static str),
    /// A subject attribute has a value that the profile does not allow.
    #[error("certificate subject has unexpected {attribute} {value:?}")]
    UnexpectedValue {
        /// Which attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
}

impl ProfileError {
    /// Fault code without prefix (wire.md 1.8).
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::UnknownProfile(_) => "internal_error",
            Self::MissingAttribute(_) | Self::UnexpectedValue { .. } => "incorrect_certificate",
        }
    }
}

impl Profile {
    const CLASSES: [(&'static str, Self); 8] = [
        ("Ejbca", Self::Ejbca),
        ("FiVRK", Self::FiVrk),
        ("SkKlass3", Self::SkKlass3),
        ("SkEsteId", Self::SkEsteId),
        ("Basic", Self::Basic),
        ("BasicACME", Self::BasicAcme),
        ("Fo", Self::Fo),
        ("Is", Self::Is),
    ];

    /// The profile of a class name such as
    /// `ee.ria.xroad.common.certificateprofile.impl.EjbcaCertificateProfileInfoProvider`; the package does not matter.
    ///
    /// # Errors
    /// [`ProfileError::UnknownProfile`]
    pub fn from_class_name(class_name: &str) -> Result<Self, ProfileError> {
        let simple = class_name.trim().rsplit('.').next().unwrap_or_default();
        let stem = simple.strip_suffix(CLASS_SUFFIX);
        let found = Self::CLASSES
            .iter()
            .find(|(name, _)| stem.is_some_and(|stem| stem.eq_ignore_ascii_case(name)));
        found
            .map(|(_, profile)| *profile)
            .ok_or_else(|| ProfileError::UnknownProfile(class_name.to_owned()))
    }

    /// The full class name, as the reference writes it into the global configuration.
    pub fn class_name(self) -> String {
        let stem = Self::CLASSES
            .iter()
            .find(|(_, profile)| *profile == self)
            .map_or("", |(name, _)| name);
        format!("ee.ria.xroad.common.certificateprofile.impl.{stem}{CLASS_SUFFIX}")
    }

    /// The member that a signing certificate speaks for. `instance` is the instance identifier of the client whose signature
    /// is verified; some profiles take it over.
    ///
    /// # Errors
    /// [`ProfileError`]
    pub fn member(self, certificate: &Certificate, instance: &str) -> Result<MemberName, ProfileError> {
        self.member_of_name(certificate.subject(), instance)
    }

    /// As [`Self::member`], from a subject name.
    ///
    /// # Errors
    /// [`ProfileError`]
    pub fn member_of_name(
        self,
        subject: &DistinguishedName,
        instance: &str,
    ) -> Result<MemberName, ProfileError> {
        match self {
            Self::Ejbca => ejbca(subject),
            Self::FiVrk => fivrk(subject),
            Self::SkKlass3 => sk_klass3(subject, instance),
            Self::SkEsteId => Ok(member(instance, "PERSON", required(subject, "serialNumber")?)),
            Self::Basic | Self::BasicAcme => {
                let class = required(subject, "businessCategory")?;
                Ok(member(instance, class, required(subject, "serialNumber")?))
            }
            Self::Fo => country_profile(subject, "FO"),
            Self::Is => iceland(subject),
        }
    }
}

fn ejbca(subject: &DistinguishedName) -> Result<MemberName, ProfileError> {
    Ok(member(
        required(subject, "C")?,
        required(subject, "O")?,
        required(subject, "CN")?,
    ))
}

/// Current form: serialNumber `instance/serverCode/class`; older form: O, OU, CN; neither: as EJBCA.
fn fivrk(subject: &DistinguishedName) -> Result<MemberName, ProfileError> {
    let Some(serial) = subject.serial_number() else {
        return if subject.organizational_unit().is_some() {
            require_country(subject, "FI")?;
            organization_unit_name(subject)
        } else {
            ejbca(subject)
        };
    };
    require_country(subject, "FI")?;
    required(subject, "O")?;
    let code = required(subject, "CN")?;
    match *serial.trim_end_matches('/').split('/').collect::<Vec<_>>() {
        [instance, _server, class] if !instance.is_empty() && !class.is_empty() => {
            Ok(member(instance, class, code))
        }
        _ => Err(unexpected("serialNumber", serial)),
    }
}

/// Prefix of an organisation identifier and member class, for each Estonian register.
const ESTONIAN_REGISTERS: [(&str, &str); 3] = [("NTREE-", "COM"), ("GO:EE-", "GOV"), ("NP:EE-", "NGO")];

fn sk_klass3(subject: &DistinguishedName, instance: &str) -> Result<MemberName, ProfileError> {
    match subject
        .get("organizationIdentifier")
        .filter(|identifier| !identifier.is_empty())
    {
        Some(identifier) => Ok(by_organization_identifier(identifier, instance)),
        None => by_registry_code(required(subject, "serialNumber")?, instance),
    }
}

fn by_organization_identifier(identifier: &str, instance: &str) -> MemberName {
    let of_register = |(prefix, class)| {
        identifier
            .strip_prefix(prefix)
            .map(|code| member(instance, class, code))
    };
    let estonian = ESTONIAN_REGISTERS.into_iter().find_map(of_register);
    estonian.unwrap_or_else(|| member(instance, "NEE", identifier))
}

fn by_registry_code(code: &str, instance: &str) -> Result<MemberName, ProfileError> {
    let class = match code.as_bytes() {
        digits if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) => None,
        [b'1'..=b'6', ..] => Some("COM"),
        [b'7', ..] => Some("GOV"),
        [b'8' | b'9', ..] => Some("NGO"),
        _ => None,
    };
    class
        .map(|class| member(instance, class, code))
        .ok_or_else(|| unexpected("serialNumber", code))
}

/// Faroe Islands, and Iceland where it does not fall back.
fn country_profile(subject: &DistinguishedName, country: &str) -> Result<MemberName, ProfileError> {
    require_country(subject, country)?;
    let name = organization_unit_name(subject)?;
    required(subject, "serialNumber")?;
    Ok(name)
}

fn iceland(subject: &DistinguishedName) -> Result<MemberName, ProfileError> {
    if subject.serial_number().is_none() && subject.organizational_unit().is_none() {
        return ejbca(subject);
    }
    country_profile(subject, "IS")
}

fn organization_unit_name(subject: &DistinguishedName) -> Result<MemberName, ProfileError> {
    Ok(member(
        required(subject, "O")?,
        required(subject, "OU")?,
        required(subject, "CN")?,
    ))
}

fn member(instance: &str, class: &str, code: &str) -> MemberName {
    MemberName {
        instance: instance.to_owned(),
        member_class: class.to_owned(),
        member_code: code.to_owned(),
    }
}

fn required<'a>(subject: &'a DistinguishedName, attribute: &'static str) -> Result<&'a str, ProfileError> {
    let value = subject.get(attribute).filter(|value| !value.is_empty());
    value.ok_or(ProfileError::MissingAttribute(attribute))
}

fn require_country(subject: &DistinguishedName, country: &str) -> Result<(), ProfileError> {
    let found = required(subject, "C")?;
    if found == country {
        Ok(())
    } else {
        Err(unexpected("C", found))
    }
}

fn unexpected(attribute: &'static str, value: &str) -> ProfileError {
    ProfileError::UnexpectedValue {
        attribute,
        value: value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(profile: Profile, subject: &[(&str, &str)]) -> Result<String, ProfileError> {
        let subject = DistinguishedName::build(subject).unwrap();
        let name = profile.member_of_name(&subject, "INST")?;
        Ok(format!(
            "{}/{}/{}",
            name.instance, name.member_class, name.member_code
        ))
    }

    #[test]
    fn every_class_name_is_found_again_and_others_are_not() {
        for (_, profile) in Profile::CLASSES {
            assert_eq!(Profile::from_class_name(&profile.class_name()), Ok(profile));
        }
        let package = "ee.ria.xroad.common.certificateprofile.impl";
        let known = format!("{package}.FiVRKCertificateProfileInfoProvider");
        assert_eq!(Profile::from_class_name(&known), Ok(Profile::FiVrk));
        let acme = format!("{package}.BasicACMECertificateProfileInfoProvider");
        assert_eq!(Profile::from_class_name(&acme), Ok(Profile::BasicAcme));
        for unknown in [
            "",
            "Ejbca",
            "x.OtherCertificateProfileInfoProvider",
            "CertificateProfileInfoProvider",
        ] {
            assert!(Profile::from_class_name(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn ejbca_takes_country_organisation_and_common_name() {
        let subject = [("C", "EE"), ("O", "BUSINESS"), ("CN", "producer")];
        assert_eq!(name_of(Profile::Ejbca, &subject).unwrap(), "EE/BUSINESS/producer");
        assert_eq!(
            name_of(Profile::Ejbca, &subject[..2]),
            Err(ProfileError::MissingAttribute("CN"))
        );
    }

    #[test]
    fn fivrk_has_three_forms() {
        let current = [
            ("C", "FI"),
            ("O", "Org"),
            ("serialNumber", "DEV/SS1/COM"),
            ("CN", "222"),
        ];
        assert_eq!(name_of(Profile::FiVrk, &current).unwrap(), "DEV/COM/222");
        let older = [("C", "FI"), ("O", "DEV"), ("OU", "COM"), ("CN", "222")];
        assert_eq!(name_of(Profile::FiVrk, &older).unwrap(), "DEV/COM/222");
        let plain = [("C", "DEV"), ("O", "COM"), ("CN", "222")];
        assert_eq!(name_of(Profile::FiVrk, &plain).unwrap(), "DEV/COM/222");
        let elsewhere = [
            ("C", "SE"),
            ("O", "Org"),
            ("serialNumber", "DEV/SS1/COM"),
            ("CN", "222"),
        ];
        assert_eq!(name_of(Profile::FiVrk, &elsewhere), Err(unexpected("C", "SE")));
        let short = [
            ("C", "FI"),
            ("O", "Org"),
            ("serialNumber", "DEV/COM"),
            ("CN", "222"),
        ];
        assert!(name_of(Profile::FiVrk, &short).is_err());
        let anonymous = [("C", "FI"), ("serialNumber", "DEV/SS1/COM"), ("CN", "222")];
        assert_eq!(
            name_of(Profile::FiVrk, &anonymous),
            Err(ProfileError::MissingAttribute("O"))
        );
    }

    #[test]
    fn sk_klass3_tells_registers_apart() {
        let by_identifier = |identifier| name_of(Profile::SkKlass3, &[("2.5.4.97", identifier)]).unwrap();
        assert_eq!(by_identifier("NTREE-10000"), "INST/COM/10000");
        assert_eq!(by_identifier("GO:EE-70000"), "INST/GOV/70000");
        assert_eq!(by_identifier("NP:EE-80000"), "INST/NGO/80000");
        assert_eq!(by_identifier("VATFI-123"), "INST/NEE/VATFI-123");
        let by_code = |code| name_of(Profile::SkKlass3, &[("serialNumber", code)]);
        assert_eq!(by_code("12345678").unwrap(), "INST/COM/12345678");
        assert_eq!(by_code("70006317").unwrap(), "INST/GOV/70006317");
        assert_eq!(by_code("90006317").unwrap(), "INST/NGO/90006317");
        for wrong in ["02345678", "1234567", "1234567x", "123456789"] {
            assert!(by_code(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_other_profiles() {
        let person = [("C", "EE"), ("serialNumber", "38001010000"), ("CN", "X,Y")];
        assert_eq!(
            name_of(Profile::SkEsteId, &person).unwrap(),
            "INST/PERSON/38001010000"
        );
        let basic = [("businessCategory", "COM"), ("serialNumber", "7"), ("CN", "x")];
        assert_eq!(name_of(Profile::Basic, &basic).unwrap(), "INST/COM/7");
        assert_eq!(name_of(Profile::BasicAcme, &basic).unwrap(), "INST/COM/7");
        let faroese = [
            ("C", "FO"),
            ("O", "DEV"),
            ("OU", "COM"),
            ("CN", "5"),
            ("serialNumber", "s"),
        ];
        assert_eq!(name_of(Profile::Fo, &faroese).unwrap(), "DEV/COM/5");
        assert!(name_of(Profile::Fo, &faroese[..4]).is_err());
        assert_eq!(name_of(Profile::Is, &faroese), Err(unexpected("C", "FO")));
        let icelandic = [
            ("C", "IS"),
            ("O", "DEV"),
            ("OU", "COM"),
            ("CN", "5"),
            ("serialNumber", "s"),
        ];
        assert_eq!(name_of(Profile::Is, &icelandic).unwrap(), "DEV/COM/5");
        assert_eq!(
            name_of(Profile::Is, &[("C", "DEV"), ("O", "COM"), ("CN", "5")]).unwrap(),
            "DEV/COM/5"
        );
    }
}
