//! What is said of a parameter.

use crate::preset::Preset;

/// Processes that read settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// `kiirtee-proxy`.
    Proxy,
    /// `kiirtee-signer`.
    Signer,
    /// `kiirtee-confclient`.
    ConfigurationClient,
}

impl Process {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Proxy, Self::Signer, Self::ConfigurationClient];

    /// The name of its program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Proxy => "kiirtee-proxy",
            Self::Signer => "kiirtee-signer",
            Self::ConfigurationClient => "kiirtee-confclient",
        }
    }
}

/// A value that a table can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Nothing; the parameter may be left out.
    Unset,
    /// On or off.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(&'static str),
    /// Several texts.
    List(&'static [&'static str]),
}

/// What may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number from the first to the second, both included.
    Number(i64, i64),
    /// Any text.
    Text,
    /// A path.
    Path,
    /// An IP address.
    Address,
    /// `IP:PORT`.
    Socket,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of texts; a text with commas is one too, as in the reference's files.
    List,
    /// Whole numbers.
    Numbers,
    /// Anything: it is not used.
    Any,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The process does what it says.
    Honoured,
    /// Nothing happens, for this reason; the process says so when it starts.
    Ignored(&'static str),
    /// Nothing but the default is possible, for this reason; any other value is refused.
    Fixed(&'static str),
    /// It is read before all others: the preset.
    First,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The section of the settings file.
    pub section: &'static str,
    /// The name in the section.
    pub key: &'static str,
    /// Who reads it.
    pub processes: &'static [Process],
    /// What may stand there.
    pub kind: Kind,
    /// What a number counts: `ms`, `s`, `bytes`; empty for other kinds.
    pub unit: &'static str,
    /// What holds when nothing is said.
    pub default: Value,
    /// What holds instead when a preset is chosen.
    pub presets: &'static [(Preset, Value)],
    /// What becomes of it.
    pub effect: Effect,
    /// What it is for.
    pub meaning: &'static str,
    /// The file of the reference that defines it; empty if it is ours.
    pub defined: &'static str,
}

impl Parameter {
    /// `[section] key`, as messages have it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    /// What holds when the file says nothing.
    #[must_use]
    pub fn fallback(&self, preset: Option<Preset>) -> Value {
        let of_preset = self.presets.iter().find(|(of, _)| Some(*of) == preset);
        of_preset.map_or(self.default, |(_, value)| *value)
    }

    /// Whether the process is given its value.
    #[must_use]
    pub fn is_used_by(&self, process: Process) -> bool {
        self.processes.contains(&process) && self.effect == Effect::Honoured
    }
}

/// How the tables are written down.
impl Parameter {
    /// A parameter of the proxy, defined by the reference, with the value that it has when nothing is said.
    pub(crate) const fn new(section: &'static str, key: &'static str, kind: Kind, default: Value) -> Self {
        Self {
            section,
            key,
            processes: &[Process::Proxy],
            kind,
            unit: "",
            default,
            presets: &[],
            effect: Effect::Honoured,
            meaning: "",
            defined: "",
        }
    }

    pub(crate) const fn switch(section: &'static str, key: &'static str, default: bool) -> Self {
        Self::new(section, key, Kind::Switch, Value::Switch(default))
    }

    pub(crate) const fn number(
        section: &'static str,
        key: &'static str,
        default: i64,
        (least, most, unit): (i64, i64, &'static str),
    ) -> Self {
        let mut parameter = Self::new(section, key, Kind::Number(least, most), Value::Number(default));
        parameter.unit = unit;
        parameter
    }

    /// A parameter of which only the name is of interest.
    pub(crate) const fn unused(section: &'static str, key: &'static str, reason: &'static str) -> Self {
        let mut parameter = Self::new(section, key, Kind::Any, Value::Unset);
        parameter.effect = Effect::Ignored(reason);
        parameter
    }

    pub(crate) const fn preset(mut self, values: &'static [(Preset, Value)]) -> Self {
        self.presets = values;
        self
    }

    pub(crate) const fn read_by(mut self, processes: &'static [Process]) -> Self {
        self.processes = processes;
        self
    }

    pub(crate) const fn fixed(mut self, reason: &'static str) -> Self {
        self.effect = Effect::Fixed(reason);
        self
    }

    pub(crate) const fn first(mut self) -> Self {
        self.effect = Effect::First;
        self
    }

    pub(crate) const fn means(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    pub(crate) const fn defined_in(mut self, file: &'static str) -> Self {
        self.defined = file;
        self
    }
}
