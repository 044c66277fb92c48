//! What operators do while an instance runs: change settings, the registry of the central server, a service; and what
//! they look at.

use std::path::Path;

use toml::{Table, Value};

use super::instance::{Instance, agent, kiirtee, wait_until};

/// Changes a file of TOML.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Table)) {
    let mut table: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    change(&mut table);
    // The central server must not read half of it.
    let unfinished = path.with_extension("edited");
    std::fs::write(&unfinished, table.to_string()).unwrap();
    std::fs::rename(unfinished, path).unwrap();
}

/// Changes the settings of a proxy, as `section/name` and value, and starts it again.
pub(crate) fn restart_with(instance: &mut Instance, server: &str, settings: &[(&str, Value)]) {
    let killed = instance.kill(&format!("{server}-proxy"));
    edit(&instance.dir().join(server).join("proxy.toml"), |table| {
        for (name, value) in settings {
            let (section, name) = name.split_once('/').unwrap();
            let section = table.entry(section).or_insert(Table::new().into());
            section.as_table_mut().unwrap().insert(name.into(), value.clone());
        }
    });
    instance.restart(&killed);
    wait_until_healthy(instance, server);
}

/// Waits for a proxy that was started again.
pub(crate) fn wait_until_healthy(instance: &Instance, server: &str) {
    let health = describe(instance, server, "health");
    wait_until("the proxy to be back", || {
        agent()
            .get(&health)
            .call()
            .is_ok_and(|answer| answer.status() == 200)
    });
}

/// What `sandbox.json` says of a server.
pub(crate) fn describe(instance: &Instance, server: &str, what: &str) -> String {
    let more = instance.json["more_providers"].as_array();
    let more = more.into_iter().flatten().zip(["provider2", "provider3"]);
    let found = more.into_iter().find(|(_, name)| *name == server);
    let described = found.map_or(&instance.json[server], |(described, _)| described);
    described[what].as_str().unwrap().to_owned()
}

/// Changes the entry of a provider's server in the central server's registry.
pub(crate) fn register(instance: &Instance, server: &str, change: impl FnOnce(&mut Table)) {
    edit(&instance.dir().join("central/registry.toml"), |registry| {
        let servers = registry["security_server"].as_array_mut().unwrap();
        let mut servers = servers.iter_mut().map(|entry| entry.as_table_mut().unwrap());
        change(
            servers
                .find(|entry| entry["code"].as_str() == Some(server))
                .unwrap(),
        );
    });
}

/// Changes a service of the provider, as `kiirtee config` does.
pub(crate) fn configure_service(instance: &Instance, code: &str, change: impl Fn(&mut Table)) {
    let database = instance.get("provider/server_configuration");
    let config = |verb: &str, file: Option<&Path>| {
        let mut command = kiirtee();
        command.args(["config", verb, "--database", &database]).args(file);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    let file = instance.dir().join("edited.toml");
    std::fs::write(&file, config("export", None)).unwrap();
    edit(&file, |configuration| {
        each(configuration, "client", &mut |client| {
            each(client, "service_description", &mut |description| {
                each(description, "service", &mut |service| {
                    if service["code"].as_str() == Some(code) {
                        change(service);
                    }
                });
            });
        });
    });
    config("apply", Some(&file));
}

fn each(table: &mut Table, name: &str, change: &mut dyn FnMut(&mut Table)) {
    let tables = table.get_mut(name).and_then(Value::as_array_mut);
    for entry in tables.into_iter().flatten() {
        change(entry.as_table_mut().unwrap());
    }
}

/// A figure of a server's metrics; the name with its labels.
pub(crate) fn metric(instance: &Instance, server: &str, name: &str) -> u64 {
    let url = describe(instance, server, "metrics");
    let text = agent()
        .get(&url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}
