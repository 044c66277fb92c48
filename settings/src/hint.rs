//! What was probably meant by a name that no parameter has.

use crate::parameter::Process;
use crate::table;

/// How alike two names must be for one to be the other, mistyped (0 nothing in common, 1 equal).
const LIKELY: f64 = 0.8;

/// `: did you mean …?`, or that the key stands in another section; nothing when nothing is near.
#[must_use]
pub fn hint(section: &str, key: &str, process: Process) -> String {
    let known = || table::all().filter(|parameter| parameter.processes.contains(&process));
    let dashed = key.replace('_', "-");
    if let Some(elsewhere) = known().find(|parameter| parameter.key == dashed && parameter.section != section)
    {
        return format!(": did you mean {}?", elsewhere.name());
    }
    let likeness = |name: &str| strsim::jaro_winkler(&dashed, name);
    let nearest = known()
        .filter(|parameter| parameter.section == section)
        .map(|parameter| (likeness(parameter.key), parameter.key))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(
        || of_section(section, process),
        |(_, key)| format!(": did you mean {key}?"),
    )
}

/// What is to be said when the section itself is unknown.
fn of_section(section: &str, process: Process) -> String {
    let mut sections: Vec<&str> = table::all()
        .filter(|parameter| parameter.processes.contains(&process))
        .map(|parameter| parameter.section)
        .collect();
    sections.dedup();
    if sections.contains(&section) {
        return "; `kiirtee config parameters` lists what there is".to_owned();
    }
    let named: Vec<String> = sections.iter().map(|section| format!("[{section}]")).collect();
    format!(
        ": expected a section {} reads: {}",
        process.program(),
        named.join(", ")
    )
}
