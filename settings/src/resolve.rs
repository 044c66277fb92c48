//! A settings file, checked and completed with preset and defaults.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value as Toml};

use crate::error::SettingsError;
use crate::hint::hint;
use crate::parameter::{Effect, Parameter, Process, Value};
use crate::preset::Preset;
use crate::table;

pub(crate) mod check;
pub use check::expected;

/// The largest settings file read, in bytes.
pub const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// The parameter that names the preset.
const PRESET: (&str, &str) = ("kiirtee", "preset");

/// Settings of a process: all its parameters have their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Sections of keys and values.
    pub values: Table,
    /// The preset that was chosen.
    pub preset: Option<Preset>,
    /// What the file says in vain.
    pub ignored: Vec<Ignored>,
}

/// A parameter that a file sets in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Section and key.
    pub name: String,
    /// Why nothing comes of it.
    pub reason: &'static str,
}

impl Loaded {
    /// The settings as a typed structure.
    ///
    /// # Errors
    /// When the structure is not what the table says; a test of each process sees to it that it is.
    pub fn typed<T: DeserializeOwned>(self) -> Result<T, SettingsError> {
        let typed = Toml::Table(self.values).try_into();
        typed.map_err(|error: toml::de::Error| SettingsError::Malformed(Box::new(error)))
    }
}

/// Reads the settings file of a process. `preset` wins over what the file names.
///
/// # Errors
/// [`SettingsError`] names the file, the setting and what was expected.
pub fn load(path: &Path, process: Process, preset: Option<Preset>) -> Result<Loaded, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_SETTINGS_BYTES {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    resolve(&text, process, preset).map_err(|error| error.in_file(path))
}

/// Checks settings and completes them: what is written, else the preset, else the default.
///
/// # Errors
/// [`SettingsError`] names the setting and what was expected.
pub fn resolve(text: &str, process: Process, preset: Option<Preset>) -> Result<Loaded, SettingsError> {
    let written: Table = toml::from_str(text).map_err(|error| SettingsError::Malformed(Box::new(error)))?;
    let mut loaded = Loaded {
        values: Table::new(),
        preset: preset.map_or_else(|| preset_of(&written), |preset| Ok(Some(preset)))?,
        ignored: Vec::new(),
    };
    for (section, keys) in &written {
        let Toml::Table(keys) = keys else {
            return Err(SettingsError::NoSection(section.clone()));
        };
        for (key, value) in keys {
            loaded.take(process, (section, key), value)?;
        }
    }
    loaded.complete(process);
    Ok(loaded)
}

fn preset_of(written: &Table) -> Result<Option<Preset>, SettingsError> {
    let named = written
        .get(PRESET.0)
        .and_then(|section| section.get(PRESET.1))
        .and_then(Toml::as_str);
    Ok(named.map(str::parse).transpose()?)
}

impl Loaded {
    fn take(
        &mut self,
        process: Process,
        (section, key): (&str, &str),
        value: &Toml,
    ) -> Result<(), SettingsError> {
        if let Some(reason) = table::foreign_section(section) {
            let name = format!("[{section}] {key}");
            self.ignored.push(Ignored { name, reason });
            return Ok(());
        }
        let parameter = parameter(process, section, key)?;
        let value = check::value(parameter, value)?;
        match parameter.effect {
            Effect::Honoured => set(&mut self.values, parameter, value),
            Effect::First => {}
            Effect::Fixed(reason) => check::is_default(parameter, &value, reason)?,
            Effect::Ignored(reason) => self.ignored.push(Ignored {
                name: parameter.name(),
                reason,
            }),
        }
        Ok(())
    }

    fn complete(&mut self, process: Process) {
        for parameter in table::all().filter(|parameter| parameter.is_used_by(process)) {
            let section = self.values.entry(parameter.section);
            let section = section.or_insert_with(|| Toml::Table(Table::new()));
            if section.get(parameter.key).is_some() {
                continue;
            }
            if let Some(value) = toml_value(parameter.fallback(self.preset)) {
                set(&mut self.values, parameter, value);
            }
        }
    }
}

/// Puts a value where the parameter has it.
pub(crate) fn set(values: &mut Table, parameter: &Parameter, value: Toml) {
    let section = values.entry(parameter.section);
    if let Toml::Table(section) = section.or_insert_with(|| Toml::Table(Table::new())) {
        section.insert(parameter.key.to_owned(), value);
    }
}

/// The parameter of that name, if the process reads it.
pub(crate) fn parameter(
    process: Process,
    section: &str,
    key: &str,
) -> Result<&'static Parameter, SettingsError> {
    let name = || format!("[{section}] {key}");
    let named = || table::all().filter(|parameter| (parameter.section, parameter.key) == (section, key));
    if let Some(parameter) = named().find(|parameter| parameter.processes.contains(&process)) {
        return Ok(parameter);
    }
    let elsewhere = named().find_map(|parameter| parameter.processes.first());
    Err(elsewhere.map_or_else(
        || SettingsError::Unknown {
            name: name(),
            hint: hint(section, key, process),
        },
        |process| SettingsError::Elsewhere {
            name: name(),
            program: process.program(),
        },
    ))
}

/// A value of the table in TOML; none for none.
fn toml_value(value: Value) -> Option<Toml> {
    Some(match value {
        Value::Unset => return None,
        Value::Switch(value) => value.into(),
        Value::Number(value) => value.into(),
        Value::Text(value) => value.into(),
        Value::List(values) => values.to_vec().into(),
    })
}
