//! The table for people: `docs/parameters.md` and `kiirtee config parameters`.

use crate::parameter::{Effect, Parameter, Value};
use crate::preset::Preset;
use crate::resolve::expected;
use crate::table;

/// What stands above the tables.
const INTRODUCTION: &str = "\
# Parameters

Made by `kiirtee config parameters --markdown` from the table in `settings/src/table/`; a test keeps it current.

Settings files are TOML. Sections and keys are those of the reference's system parameters, defaults too, so what an operator
knows stays true: `client-timeout` in the section `[proxy]` is what it was. What only we have (folders, sockets, bounds) is in
the section `[kiirtee]`. `--preset ee|fi|is|fo` (or `preset` in `[kiirtee]`) chooses the values that the reference's package
for that country sets; what the file says wins over the preset, and the preset over the default.

An unknown key, a value of another kind or outside its bounds is refused, with what was probably meant or expected. A parameter
of the reference that has no meaning here is accepted and reported: the process says at start that it is ignored, and why.
Lists may be written as lists or, as in the reference's files, as one text with commas. `kiirtee config import-ini local.ini`
turns a file of the reference into TOML.
";

/// All tables, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut section = "";
    for parameter in table::all() {
        if parameter.section != section {
            section = parameter.section;
            text.push_str(&format!(
                "\n## [{section}]\n\n| Parameter | Default | Presets | What may stand there | What it does | Defined in |\n\
                 |---|---|---|---|---|---|\n"
            ));
        }
        text.push_str(&row(parameter));
    }
    text
}

fn row(parameter: &Parameter) -> String {
    let defined = if parameter.defined.is_empty() {
        "ours"
    } else {
        parameter.defined
    };
    let cells = [
        format!("`{}`", parameter.key),
        shown(parameter.default),
        presets(parameter),
        expected(parameter),
        effect(parameter),
        defined.to_owned(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The presets that set it, each with its value.
#[must_use]
pub fn presets(parameter: &Parameter) -> String {
    let sets = |preset: &Preset| {
        let (_, value) = parameter.presets.iter().find(|(of, _)| of == preset)?;
        Some(format!("{preset}: {}", shown(*value)))
    };
    let all: Vec<String> = Preset::ALL.iter().filter_map(sets).collect();
    all.join(", ")
}

/// What becomes of it, in words.
#[must_use]
pub fn effect(parameter: &Parameter) -> String {
    match parameter.effect {
        Effect::Honoured | Effect::First => parameter.meaning.to_owned(),
        Effect::Fixed(reason) => format!("only this value: {reason}"),
        Effect::Ignored(reason) => format!("ignored: {reason}"),
    }
}

/// A value as settings files have it; a dash for none.
#[must_use]
pub fn shown(value: Value) -> String {
    match value {
        Value::Unset => "-".to_owned(),
        Value::Switch(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(value) => value.to_owned(),
        Value::List([]) => "empty".to_owned(),
        Value::List(values) => values.join(", "),
    }
}
