//! The table agrees with itself, with the documents and with files of the reference.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use settings::ini;
use settings::parameter::{Effect, Process};
use settings::{Preset, document, resolve, table};

#[test]
fn the_page_of_parameters_is_current() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parameters.md");
    let found = std::fs::read_to_string(page).unwrap();
    assert!(
        found == document::markdown(),
        "make it with: kiirtee config parameters --markdown > docs/parameters.md"
    );
}

#[test]
fn every_parameter_is_described_once_for_each_process() {
    let mut seen = BTreeSet::new();
    for parameter in table::all() {
        for process in parameter.processes {
            let name = (process.program(), parameter.section, parameter.key);
            assert!(seen.insert(name), "{name:?} twice");
        }
        let is_described = !parameter.meaning.is_empty() || !matches!(parameter.effect, Effect::Honoured);
        assert!(is_described, "{} has no meaning", parameter.name());
        assert_eq!(
            parameter.section == "kiirtee",
            parameter.defined.is_empty(),
            "{}",
            parameter.name()
        );
        assert!(table::foreign_section(parameter.section).is_none());
    }
}

#[test]
fn every_default_and_preset_would_be_accepted_if_it_were_written() {
    for process in Process::ALL {
        let presets = Preset::ALL.into_iter().map(Some).chain([None]);
        for preset in presets {
            let loaded = resolve("", *process, preset).unwrap();
            let written = resolve(&loaded.values.to_string(), *process, None).unwrap();
            assert_eq!(written.values, loaded.values);
            assert!(written.ignored.is_empty());
        }
    }
}

#[test]
fn what_is_ignored_is_reported_with_the_reason() {
    let text = "[proxy]\njetty-serverproxy-configuration-file = '/x'\n[op-monitor]\nport = 2080";
    let ignored = resolve(text, Process::Proxy, None).unwrap().ignored;
    assert_eq!(ignored.len(), 2);
    assert!(ignored[0].name == "[op-monitor] port" || ignored[1].name == "[op-monitor] port");
    assert!(ignored.iter().any(|ignored| ignored.reason.contains("Jetty")));
}

const LOCAL_INI: &str = "\
; overrides
[proxy]
client-timeout = 5000
connector-host=\"127.0.0.1\"
health-check-port=5588
jetty-serverproxy-configuration-file=/etc/xroad/jetty/serverproxy.xml
xroad-tls-ciphers=A,B
[message-log]
message-body-logging = TRUE
archive-transfer-command=
archive-interval=0 0 0/6 1/1 * ? *
[signer]
key-length=3072
[proxy-ui-api]
acme-challenge-port-enabled=true
";

#[test]
fn a_file_of_the_reference_becomes_a_settings_file_that_says_what_was_left_out() {
    let imported = ini::import(LOCAL_INI, Process::Proxy).unwrap();
    let text = imported.to_toml(Process::Proxy).unwrap();
    let values = resolve(&text, Process::Proxy, None).unwrap().values;
    assert_eq!(values["proxy"]["client-timeout"].as_integer(), Some(5000));
    assert_eq!(values["proxy"]["xroad-tls-ciphers"].as_array().unwrap().len(), 2);
    assert_eq!(
        values["message-log"]["message-body-logging"].as_bool(),
        Some(true)
    );
    assert!(values["message-log"].get("archive-transfer-command").is_none());
    for left_out in [
        "# [proxy] jetty-serverproxy-configuration-file: it configures Jetty",
        "# [signer] key-length: kiirtee-signer",
        "# [proxy-ui-api] acme-challenge-port-enabled: ",
    ] {
        assert!(text.contains(left_out), "{text}");
    }
    let signer = ini::import(LOCAL_INI, Process::Signer).unwrap();
    assert_eq!(signer.settings["signer"]["key-length"].as_integer(), Some(3072));
}

#[test]
fn a_line_that_cannot_be_imported_is_named() {
    let refusal = |text: &str| ini::import(text, Process::Proxy).unwrap_err().to_string();
    assert!(
        refusal("[proxy]\nclient-timeot=1")
            .starts_with("line 2: [proxy] client-timeot is unknown: did you mean")
    );
    assert!(refusal("[proxy]\nclient-timeout=soon").contains("expected a whole number"));
    assert!(refusal("[proxy]\nnothing").contains("line 2"));
    assert!(refusal("client-timeout=1").contains("before the first section"));
    ini::import("[proxy]\nclient-timeout=1", Process::Proxy).unwrap();
}
