//! `[message-log]`: keeping messages, time-stamping, archiving.

use super::{MOST, MS, SECONDS};
use crate::parameter::{Kind, Parameter, Value};
use crate::preset::Preset::{Ee, Fi, Is};

/// The largest `max-loggable-message-body-size`: 1 GiB.
const GIB: i64 = 1024 * 1024 * 1024;
const INI: &str = "addons/message-log.ini";
const JAVA: &str = "MessageLogProperties.java";

const fn number(key: &'static str, default: i64, bounds: (i64, i64, &'static str)) -> Parameter {
    Parameter::number("message-log", key, default, bounds).defined_in(INI)
}

const fn switch(key: &'static str, default: bool) -> Parameter {
    Parameter::switch("message-log", key, default).defined_in(INI)
}

const fn text(key: &'static str, kind: Kind, default: Value) -> Parameter {
    Parameter::new("message-log", key, kind, default).defined_in(JAVA)
}

const fn subsystems(key: &'static str) -> Parameter {
    text(key, Kind::List, Value::List(&[])).defined_in(INI)
}

pub(super) const TABLE: &[Parameter] = &[
    switch("message-body-logging", true)
        .preset(&[(Fi, Value::Switch(false)), (Is, Value::Switch(false))])
        .means("keep message bodies, not only headers"),
    text("soap-body-logging", Kind::Switch, Value::Unset)
        .means("old name of `message-body-logging`; wins over it"),
    subsystems("enabled-body-logging-local-producer-subsystems").means(
        "services of these own subsystems have their bodies kept although `message-body-logging` is off \
         (`INSTANCE/CLASS/MEMBER/SUBSYSTEM`)",
    ),
    subsystems("enabled-body-logging-remote-producer-subsystems")
        .means("the same for subsystems of others that are called"),
    subsystems("disabled-body-logging-local-producer-subsystems").means(
        "services of these own subsystems do not have their bodies kept although `message-body-logging` is on",
    ),
    subsystems("disabled-body-logging-remote-producer-subsystems")
        .means("the same for subsystems of others that are called"),
    number("max-loggable-message-body-size", 10 * 1024 * 1024, (0, GIB, "bytes"))
        .preset(&[(Ee, Value::Number(20 * 1024 * 1024))])
        .means("largest body of a REST message that is kept; the exchange of a larger one fails"),
    switch("truncated-body-allowed", false).means("keep the beginning of larger bodies instead"),
    switch("timestamp-immediately", false).means("time-stamp every message before it is answered"),
    number("timestamp-records-limit", 10_000, (1, MOST, "")).means("records in one time-stamp at most"),
    number("timestamp-retry-delay", 60, (1, MOST, "s"))
        .defined_in(JAVA)
        .means("how long to wait after time-stamping failed"),
    number("acceptable-timestamp-failure-period", 14_400, SECONDS)
        .preset(&[(Fi, Value::Number(172_800))])
        .means("how long time-stamping may fail before messages are refused; 0 = for ever"),
    number("timestamper-client-connect-timeout", 20_000, MS)
        .means("time for connecting to a time-stamping service; 0 = for ever"),
    number("timestamper-client-read-timeout", 60_000, MS).means("time for its answer; 0 = for ever"),
    text("timestamping-prioritization-strategy", Kind::Text, Value::Text("NONE"))
        .fixed("time-stamping services are tried in the order of the server configuration"),
    text(
        "hash-algo-id",
        Kind::Choice(&["SHA-512", "SHA-384", "SHA-256"]),
        Value::Text("SHA-512"),
    )
    .defined_in(INI)
    .means("digests that link archives; time-stamps are always made with SHA-512"),
    number("keep-records-for", 30, (0, MOST, "days")).means("how long records are kept after they were logged; never removed before they are time-stamped and archived; 0 = for ever"),
    text("archive-interval", Kind::Text, Value::Text("0 0 0/6 1/1 * ? *"))
        .defined_in(INI)
        .means("when records are archived (Quartz cron)"),
    text("clean-interval", Kind::Text, Value::Text("0 0 3/6 1/1 * ? *"))
        .defined_in(INI)
        .means("when archived records are removed (Quartz cron)"),
    text("archive-path", Kind::Path, Value::Unset)
        .defined_in(INI)
        .means("folder of the archives; unset = `archive` in `[kiirtee] data-dir`"),
    number("archive-max-filesize", 33_554_432, (1, i64::MAX, "bytes"))
        .means("size after which an archive is finished and another begun"),
    number("archive-transaction-batch", 10_000, (1, MOST, "")).means("records archived at a time"),
    number("clean-transaction-batch", 10_000, (1, MOST, "")).means("records removed at a time"),
    text(
        "archive-grouping",
        Kind::Choice(&["none", "member", "subsystem"]),
        Value::Text("none"),
    )
    .means("what has archives of its own"),
    text("archive-transfer-command", Kind::Text, Value::Unset)
        .defined_in(INI)
        .means("shell command run after archiving"),
    switch("archive-encryption-enabled", false)
        .defined_in(JAVA)
        .means("encrypt archives with OpenPGP"),
    text("archive-gpg-home-directory", Kind::Path, Value::Text("/etc/xroad/gpghome"))
        .means("folder of exported OpenPGP public keys (`*.asc`, `*.gpg`, `*.pgp`, `*.pub`); no private key belongs there"),
    text("archive-encryption-keys-config", Kind::Path, Value::Unset)
        .means("file that says which member's archives are for which key"),
    text("archive-default-encryption-key", Kind::Text, Value::Unset)
        .means("key for archives of members that the file does not name; unset = the only key in the folder"),
    switch("messagelog-encryption-enabled", false)
        .defined_in(JAVA)
        .means("encrypt messages in the message log"),
    text("messagelog-keystore", Kind::Path, Value::Unset).means("folder of the keys for that: files `<id>.key` of 64 hexadecimal digits, mode 600"),
    text("messagelog-keystore-password", Kind::Text, Value::Unset).fixed("keys are files that only the server can read"),
    text("messagelog-key-id", Kind::Text, Value::Unset).means("the key that new messages are encrypted with"),
];
