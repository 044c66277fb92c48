//! Files of the reference (`/etc/xroad/conf.d/local.ini`) as settings files.

use toml::{Table, Value as Toml};

use crate::error::SettingsError;
use crate::parameter::{Effect, Kind, Parameter, Process};
use crate::resolve::{self, Ignored, check, resolve};
use crate::table;

/// What a file of the reference comes to for one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The settings.
    pub settings: Table,
    /// What was left out, and why.
    pub left_out: Vec<Ignored>,
}

/// Why a file is no file of the reference.
#[derive(Debug, thiserror::Error)]
pub enum IniError {
    /// A line that is no section, key or remark.
    #[error("line {line} is {text:?}: expected [section], key = value or a remark")]
    Line {
        /// From one.
        line: usize,
        /// What it says.
        text: String,
    },
    /// A key before the first section.
    #[error("line {0} stands before the first section")]
    NoSection(usize),
    /// A name or a value that cannot be.
    #[error("line {line}: {source}")]
    Setting {
        /// From one.
        line: usize,
        /// What is wrong.
        source: SettingsError,
    },
}

/// Reads a file of the reference, as settings of one process.
///
/// # Errors
/// [`IniError`] names the line.
pub fn import(text: &str, process: Process) -> Result<Imported, IniError> {
    let mut imported = Imported {
        settings: Table::new(),
        left_out: Vec::new(),
    };
    let mut section = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name.trim());
            continue;
        }
        let malformed = || IniError::Line {
            line: number,
            text: line.to_owned(),
        };
        let (key, value) = line.split_once(['=', ':']).ok_or_else(malformed)?;
        let section = section.ok_or(IniError::NoSection(number))?;
        let taken = imported.take(process, (section, key.trim()), unquoted(value.trim()));
        taken.map_err(|source| IniError::Setting { line: number, source })?;
    }
    Ok(imported)
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value)
}

impl Imported {
    fn take(
        &mut self,
        process: Process,
        (section, key): (&str, &str),
        value: &str,
    ) -> Result<(), SettingsError> {
        let name = format!("[{section}] {key}");
        if let Some(reason) = table::foreign_section(section) {
            self.left_out.push(Ignored { name, reason });
            return Ok(());
        }
        let parameter = match resolve::parameter(process, section, key) {
            Err(SettingsError::Elsewhere { name, program }) => {
                self.left_out.push(Ignored {
                    name,
                    reason: program,
                });
                return Ok(());
            }
            found => found?,
        };
        match parameter.effect {
            Effect::Ignored(reason) => self.left_out.push(Ignored { name, reason }),
            // The reference's packages write empty values for what is not set.
            _ if value.is_empty() => {}
            _ => {
                let value = check::value(parameter, &typed(parameter, value))?;
                resolve::set(&mut self.settings, parameter, value);
            }
        }
        Ok(())
    }

    /// The settings as the text of a settings file, which says at its end what was left out.
    ///
    /// # Errors
    /// When the settings would be refused: a value that only its default may have, for example.
    pub fn to_toml(&self, process: Process) -> Result<String, SettingsError> {
        let mut text = self.settings.to_string();
        resolve(&text, process, None)?;
        if !self.left_out.is_empty() {
            text.push_str("\n# Left out:\n");
        }
        for Ignored { name, reason } in &self.left_out {
            text.push_str(&format!("# {name}: {reason}\n"));
        }
        Ok(text)
    }
}

/// The text as the kind wants it; what does not fit stays a text, and is refused as such.
fn typed(parameter: &Parameter, text: &str) -> Toml {
    let value = match parameter.kind {
        Kind::Switch => match text.to_ascii_lowercase().as_str() {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => None,
        },
        Kind::Number(..) => text.parse::<i64>().ok().map(Toml::from),
        _ => None,
    };
    value.unwrap_or_else(|| text.into())
}
