//! The settings files of the three processes: defaults of the image, and what the document says over them.

use std::io;

use settings::SettingsError;
use settings::parameter::Process;
use toml::{Table, Value};

use crate::disk;
use crate::document::Document;
use crate::paths::Root;

/// Settings as the image has them.
const DEFAULTS: &str = "usr/share/kiirtee/defaults";
/// The most bytes of a file of them.
const MAX_BYTES: usize = 1 << 20;

/// Parameters that the appliance's promises rest on: where evidence is, that archives are sealed, who may ask the signer for what,
/// where its diagnostics look.
const RESERVED: [&str; 9] = [
    "data-dir",
    "archive-path",
    "seal-archives",
    "tls-certificate",
    "admin-listen",
    "admin-uids",
    "signing-uids",
    "reading-uids",
    "pin-file",
];

/// Why settings files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    /// Defaults of the image that cannot be used.
    #[error("defaults of {process}: {source}")]
    Defaults {
        /// Whose.
        process: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The document says what the appliance has to say itself.
    #[error("appliance.toml: [settings.{process}]: {key} is the appliance's own: expected it to be left out")]
    Reserved {
        /// Whose.
        process: &'static str,
        /// Which parameter.
        key: String,
    },
    /// What the document says is refused.
    #[error("appliance.toml: [settings.{process}]: {source}")]
    Refused {
        /// Whose.
        process: &'static str,
        /// What is wrong.
        source: Box<SettingsError>,
    },
    /// Settings that no text says; a table of numbers and texts always has one.
    #[error("settings of {process}: {source}")]
    Unwritable {
        /// Whose.
        process: &'static str,
        /// Why.
        source: toml::ser::Error,
    },
}

/// The settings file of each process, by its name.
///
/// # Errors
/// [`SettingsFileError`] names process and setting.
pub fn files(root: &Root, document: &Document) -> Result<[(&'static str, String); 3], SettingsFileError> {
    let said = &document.settings;
    let admin = Value::String(document.admin.proxy().to_string());
    let own = Table::from_iter([("admin-listen".to_owned(), admin)]);
    let admin = Table::from_iter([("kiirtee".to_owned(), Value::Table(own))]);
    let parts = [
        ("proxy", &said.proxy),
        ("signer", &said.signer),
        ("confclient", &said.confclient),
    ];
    for (process, said) in parts {
        if let Some(key) = reserved(said) {
            return Err(SettingsFileError::Reserved { process, key });
        }
    }
    let of = |name, process, over: &[&Table]| file(root, (name, process), over);
    Ok([
        ("proxy.toml", of("proxy", Process::Proxy, &[&admin, &said.proxy])?),
        ("signer.toml", of("signer", Process::Signer, &[&said.signer])?),
        (
            "confclient.toml",
            of("confclient", Process::ConfigurationClient, &[&said.confclient])?,
        ),
    ])
}

/// The first parameter, in whatever section, that is not the operator's.
fn reserved(said: &Table) -> Option<String> {
    said.iter().find_map(|(key, value)| match value {
        Value::Table(section) => reserved(section),
        _ => RESERVED.contains(&key.as_str()).then(|| key.clone()),
    })
}

fn file(
    root: &Root,
    (name, process): (&'static str, Process),
    over: &[&Table],
) -> Result<String, SettingsFileError> {
    let mut table = defaults(root, name).map_err(|source| SettingsFileError::Defaults {
        process: name,
        source,
    })?;
    over.iter().for_each(|over| put_over(&mut table, over));
    let text = toml::to_string(&table).map_err(|source| SettingsFileError::Unwritable {
        process: name,
        source,
    })?;
    let checked = settings::resolve(&text, process, None);
    checked.map_err(|source| SettingsFileError::Refused {
        process: name,
        source: Box::new(source),
    })?;
    Ok(text)
}

fn defaults(root: &Root, name: &str) -> io::Result<Table> {
    let path = root.path(DEFAULTS).join(format!("{name}.toml"));
    let bytes = disk::read(&path, MAX_BYTES)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    toml::from_str(&text).map_err(io::Error::other)
}

/// Puts the keys of `over` into `table`; of a section that both have, key by key.
fn put_over(table: &mut Table, over: &Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(Value::Table(present)), Value::Table(over)) => put_over(present, over),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_over_what_is_there_key_by_key() {
        let mut table = toml::from_str("[a]\nx = 1\ny = 2\n[b]\nz = 3\n").unwrap();
        let over = toml::from_str("[a]\ny = 5\n[c]\nw = [1]\n").unwrap();
        put_over(&mut table, &over);
        let expected: Table = toml::from_str("[a]\nx = 1\ny = 5\n[b]\nz = 3\n[c]\nw = [1]\n").unwrap();
        assert_eq!(table, expected);
    }
}
