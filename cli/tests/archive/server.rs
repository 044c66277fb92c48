//! What the tests do with a running server: exchanges, settings of its message log, its archives.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use super::instance::{CLIENT, Instance, agent, kiirtee};

/// Due each second.
pub(crate) const ALWAYS: &str = "* * * * * ?";
/// Due after these tests.
pub(crate) const LATER: &str = "0 0 0 1 1 ? 2099";

/// Sends a request of the sandbox's service client, which is answered.
pub(crate) fn exchange(instance: &Instance, id: &str) {
    assert_eq!(send(instance, CLIENT.1, id), 200);
}

/// Sends a request of a client; gives the status of the answer.
pub(crate) fn send(instance: &Instance, client: &str, id: &str) -> u16 {
    let answer = agent()
        .get(instance.url("echo/letters"))
        .header(CLIENT.0, client)
        .header("x-road-id", id)
        .call()
        .unwrap();
    answer.status().as_u16()
}

/// Changes the settings `[message-log]` of a server, and does `meanwhile` while it is down.
pub(crate) fn set_and(
    instance: &mut Instance,
    server: &str,
    values: &[(&str, toml::Value)],
    meanwhile: impl FnOnce(),
) {
    instance.reconfigure(server, |settings| {
        let section = settings
            .entry("message-log")
            .or_insert_with(|| Table::new().into());
        for (name, value) in values {
            section
                .as_table_mut()
                .unwrap()
                .insert((*name).into(), value.clone());
        }
        meanwhile();
    });
}

/// Changes the settings `[message-log]` of a server.
pub(crate) fn set(instance: &mut Instance, server: &str, values: &[(&str, toml::Value)]) {
    set_and(instance, server, values, || {});
}

/// The folder that a server archives into unless told otherwise.
pub(crate) fn archive_folder(instance: &Instance, server: &str) -> PathBuf {
    Path::new(&instance.get(&format!("{server}/message_log"))).with_file_name("archive")
}

/// Names of the finished archives of a folder, in their order.
pub(crate) fn archives(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("mlog-")).collect();
    names.sort();
    names
}

/// The records of a server as the operator sees them.
pub(crate) fn records(instance: &Instance, server: &str) -> Vec<Value> {
    let listed = kiirtee()
        .args(["log", "list", "--json", "--message-log"])
        .arg(instance.get(&format!("{server}/message_log")))
        .output()
        .unwrap();
    // A reader beside a writer may find a file gone that was just replaced: seen as nothing, and asked again.
    serde_json::from_slice(&listed.stdout).unwrap_or_default()
}
