use std::time::Duration;

use protocol_message::identifier::ServiceId;

use super::*;

const SMALL: &str = r#"
    [kiirtee]
    data-dir = "/d"
    server-configuration = "/s.db"
    global-configuration = "/g"
    ocsp-cache = "/o"
    signer-socket = "/x.sock"
"#;

fn read(more: &str, preset: Option<Preset>) -> Result<Settings, SettingsError> {
    Settings::from_text(&format!("{SMALL}{more}"), preset)
}

fn refusal(more: &str) -> String {
    read(more, None).unwrap_err().to_string()
}

#[test]
fn a_small_file_gets_the_references_defaults() {
    let settings = read("", None).unwrap();
    assert_eq!(settings.proxy.client_http().to_string(), "0.0.0.0:8080");
    assert_eq!(settings.proxy.server_port, 5500);
    assert_eq!(settings.proxy.client_timeout, Some(Duration::from_secs(30)));
    assert_eq!(settings.proxy.client_httpclient_timeout, None);
    assert_eq!(settings.message_log.max_loggable_message_body_size, 10_485_760);
    assert!(settings.message_log.keeps_bodies());
    assert_eq!(settings.anti_dos.connections(), 5000);
}

#[test]
fn every_preset_gives_settings_and_what_is_written_wins_over_it() {
    for preset in Preset::ALL {
        read("", Some(preset)).unwrap();
    }
    let ee = read("", Some(Preset::Ee)).unwrap();
    assert_eq!(ee.proxy.client_http().to_string(), "127.0.0.1:80");
    assert_eq!(ee.message_log.max_loggable_message_body_size, 20_971_520);
    let fi = read("[proxy]\nserver-connector-max-idle-time = 5", Some(Preset::Fi)).unwrap();
    assert!(!fi.message_log.keeps_bodies());
    assert!(fi.proxy.pool_enable_connection_reuse);
    assert_eq!(
        fi.proxy.server_connector_max_idle_time,
        Some(Duration::from_millis(5))
    );
}

#[test]
fn a_preset_in_the_file_holds_unless_the_command_line_names_another() {
    let text = "preset = 'is'\n[message-log]\ntruncated-body-allowed = true";
    assert!(!read(text, None).unwrap().message_log.keeps_bodies());
    assert!(read(text, Some(Preset::Fo)).unwrap().message_log.keeps_bodies());
    assert!(refusal("preset = 'xx'").contains("expected ee, fi, is or fo"));
}

#[test]
fn a_mistyped_key_is_refused_with_what_was_meant() {
    assert!(refusal("[proxy]\nclient-timeot = 1").contains("did you mean client-timeout?"));
    assert!(
        refusal("[proxy]\nkeep-records-for = 1").contains("did you mean [message-log] keep-records-for?")
    );
    assert!(
        refusal("[message_log]\ntimestamp_immediately = true")
            .contains("[message-log] timestamp-immediately")
    );
    assert!(refusal("[signer]\nkey-length = 3072").contains("setting of kiirtee-signer"));
    assert!(refusal("[colours]\nred = 1").contains("[proxy]"));
}

#[test]
fn a_value_that_cannot_be_is_refused_with_what_can() {
    let message = refusal("[message-log]\nmax-loggable-message-body-size = 1073741825");
    assert_eq!(
        message,
        "[message-log] max-loggable-message-body-size is 1073741825: \
         expected a whole number from 0 to 1073741824 (bytes)"
    );
    read("[message-log]\nmax-loggable-message-body-size = 1073741824", None).unwrap();
    assert!(refusal("[proxy]\nssl-enabled = false").contains("because"));
    assert!(refusal("[proxy]\nconnector-host = 'here'").contains("an IP address"));
    assert!(refusal("[proxy]\nserver-min-supported-client-version = '7.6'").contains("such as 7.6.0"));
    read(
        "[proxy]\nserver-min-supported-client-version = '7.6.0-SNAPSHOT'",
        None,
    )
    .unwrap();
    Settings::from_text("", None).unwrap();
}

#[test]
fn bodies_are_kept_but_for_the_subsystems_named_and_the_wrong_list_is_refused() {
    let service = |code: &str| ServiceId::parse_encoded(&format!("A/GOV/1/{code}/s")).unwrap();
    let text = "[message-log]\ndisabled-body-logging-local-producer-subsystems = 'A/GOV/1/secret, A/GOV/1/x'";
    let logging = read(text, None).unwrap().body_logging;
    assert!(!logging.keeps(false, &service("secret")) && logging.keeps(true, &service("secret")));
    assert!(logging.keeps(false, &service("open")));
    let text = "[message-log]\nenabled-body-logging-remote-producer-subsystems = ['A/GOV/1/open']";
    let logging = read(text, Some(Preset::Fi)).unwrap().body_logging;
    assert!(logging.keeps(true, &service("open")) && !logging.keeps(false, &service("open")));
    assert!(!logging.keeps(true, &service("secret")));
    assert!(refusal(text).contains("because message-body-logging is true"));
    let text = "[message-log]\ndisabled-body-logging-local-producer-subsystems = 'A/GOV/1'";
    assert!(refusal(text).contains("INSTANCE/CLASS/MEMBER/SUBSYSTEM"));
    // The old name wins.
    let old = read("[message-log]\nsoap-body-logging = false", None).unwrap();
    assert!(!old.body_logging.keeps(false, &service("open")));
}

#[test]
fn lists_may_be_written_as_the_reference_does() {
    let settings = read(
        "[proxy]\nxroad-tls-ciphers = 'A, B'\nclient-tls-ciphers = ['C']",
        None,
    )
    .unwrap();
    assert_eq!(settings.proxy.xroad_tls_ciphers, ["A", "B"]);
    assert_eq!(settings.proxy.client_tls_ciphers, ["C"]);
}
