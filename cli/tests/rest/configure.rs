//! Changing what a running instance is configured to do, as an operator does.

use std::path::Path;

use toml::Table;

use super::file_of;
use super::instance::{Instance, kiirtee};

/// Changes a file of TOML.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Table)) {
    let mut table: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    change(&mut table);
    std::fs::write(path, table.to_string()).unwrap();
}

/// Tables of an array in TOML.
pub(crate) fn tables<'a>(table: &'a mut Table, name: &str) -> impl Iterator<Item = &'a mut Table> {
    let array = table.get_mut(name).unwrap().as_array_mut().unwrap();
    array.iter_mut().map(|value| value.as_table_mut().unwrap())
}

/// Changes a server's configuration as an operator does: export, edit, apply.
pub(crate) fn configure(instance: &Instance, server: &str, change: impl FnOnce(&mut Table)) {
    let database = instance.get(&format!("{server}/server_configuration"));
    let exported = kiirtee()
        .args(["config", "export", "--database", &database])
        .output()
        .unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let file = file_of(instance.dir(), "edited.toml", &exported.stdout);
    edit(&file, change);
    let mut apply = kiirtee();
    let applied = apply
        .args(["config", "apply", "--database", &database])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );
}

/// Sets a value of the message log in the settings of a proxy and starts it again.
pub(crate) fn restart_with(instance: &mut Instance, server: &str, setting: &str, value: bool) {
    restart_edited(instance, server, |settings| {
        set(settings, "message-log", setting, value);
    });
}

/// Sets a value in a section of settings.
pub(crate) fn set(settings: &mut Table, section: &str, setting: &str, value: impl Into<toml::Value>) {
    let section = settings.entry(section).or_insert_with(|| Table::new().into());
    section
        .as_table_mut()
        .unwrap()
        .insert(setting.into(), value.into());
}

/// Changes the settings of a proxy and starts it again.
pub(crate) fn restart_edited(instance: &mut Instance, server: &str, change: impl FnOnce(&mut Table)) {
    instance.reconfigure(server, change);
}
