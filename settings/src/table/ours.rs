//! `[kiirtee]`: what the reference has no parameter for. Folders, sockets, bounds of our own.

use super::MOST;
use crate::parameter::{Kind, Parameter, Process, Value};
use crate::preset::Preset;

const fn path(key: &'static str, default: Value) -> Parameter {
    Parameter::new("kiirtee", key, Kind::Path, default)
}

const fn number(key: &'static str, default: i64, bounds: (i64, i64, &'static str)) -> Parameter {
    Parameter::number("kiirtee", key, default, bounds)
}

const PRESETS: &[&str] = &[
    Preset::Ee.code(),
    Preset::Fi.code(),
    Preset::Is.code(),
    Preset::Fo.code(),
];

pub(super) const TABLE: &[Parameter] = &[
    // All processes.
    Parameter::new("kiirtee", "preset", Kind::Choice(PRESETS), Value::Unset)
        .read_by(Process::ALL)
        .means("national set of values that hold where nothing else is said; `--preset` wins"),
    // The proxy.
    path("data-dir", Value::Required).means("folder of the message log and the spool"),
    path("server-configuration", Value::Required).means("database of clients, services and access rights"),
    path("global-configuration", Value::Required)
        .means("folder that kiirtee-confclient writes"),
    path("ocsp-cache", Value::Required).means("folder of OCSP responses that kiirtee-confclient writes"),
    path("signer-socket", Value::Required).means("Unix socket of kiirtee-signer"),
    path("tls-certificate", Value::Unset)
        .means("PEM file of the certificate shown to information systems; its key is in the signer; unset = no HTTPS"),
    Parameter::switch("kiirtee", "better-tls", true)
        .means("offer TLS 1.3 and AES-GCM before what `[proxy] xroad-tls-ciphers` and `client-tls-ciphers` list; \
                false = exactly what they list"),
    Parameter::new("kiirtee", "admin-listen", Kind::Socket, Value::Text("127.0.0.1:5566"))
        .means("where `/metrics` and `/health` are"),
    number("workers", 0, (0, 1024, "")).means("worker threads; 0 = one for each core"),
    number("spool-bytes", 20 * 1024 * 1024 * 1024, (1, i64::MAX, "bytes"))
        .means("disk space for messages that wait for their verdict"),
    number("drain-seconds", 30, (0, MOST, "s")).means("how long running exchanges may go on after SIGTERM"),
    Parameter::new("kiirtee", "timestamp-interval-override", Kind::Number(1, MOST), Value::Unset)
        .means("seconds between rounds of time-stamping instead of the global configuration's; for sandboxes"),
];
