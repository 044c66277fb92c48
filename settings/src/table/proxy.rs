//! `[proxy]`: exchanging messages.

use super::{MOST, MS, PORT, SECONDS, SECONDS_OR_OFF};
use crate::parameter::{Kind, Parameter, Value};
use crate::preset::Preset::{Ee, Fi};

const JVM: &str = "it configures Jetty, and there is none here";
const SNAPSHOT: &str = "the server configuration is held whole, and a change is taken over within a second";
const SHORT_LIVED: &str = "closing a TLS connection closes the TCP connection, always";
const BACKUP: &str =
    "back up with `kiirtee config export` and copies of the folders (see the operations page)";
const INTERNAL: &str = "processes of a server talk over Unix sockets";

/// Suites between security servers, best first.
const BETWEEN_SERVERS: &[&str] = &[
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
];
/// Suites towards information systems.
const WITH_SYSTEMS: &[&str] = &[
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
];
const INI: &str = "proxy.ini";
const JAVA: &str = "SystemProperties.java";

const fn address(key: &'static str, default: &'static str) -> Parameter {
    Parameter::new("proxy", key, Kind::Address, Value::Text(default)).defined_in(INI)
}

const fn number(key: &'static str, default: i64, bounds: (i64, i64, &'static str)) -> Parameter {
    Parameter::number("proxy", key, default, bounds).defined_in(INI)
}

const fn switch(key: &'static str, default: bool) -> Parameter {
    Parameter::switch("proxy", key, default).defined_in(INI)
}

const fn list(key: &'static str, default: &'static [&'static str]) -> Parameter {
    Parameter::new("proxy", key, Kind::List, Value::List(default)).defined_in(JAVA)
}

const fn unused(key: &'static str, reason: &'static str) -> Parameter {
    Parameter::unused("proxy", key, reason).defined_in(INI)
}

pub(super) const TABLE: &[Parameter] = &[
    // Towards information systems.
    address("connector-host", "0.0.0.0")
        .preset(&[(Ee, Value::Text("127.0.0.1"))])
        .means("where information systems are served"),
    number("client-http-port", 8080, PORT)
        .preset(&[(Ee, Value::Number(80))])
        .means("port for information systems, HTTP"),
    number("client-https-port", 8443, PORT)
        .preset(&[(Ee, Value::Number(443))])
        .means("port for information systems, HTTPS; served when `[kiirtee] tls-certificate` is given"),
    switch("verify-client-cert", true).means("hold information systems to the connection mode of their client"),
    switch("enforce-client-is-cert-validity-period-check", false)
        .means("refuse information systems with an expired certificate"),
    switch("log-client-cert", false).means("say in the log which certificate an information system shows"),
    list("client-tls-ciphers", WITH_SYSTEMS).means("TLS suites towards information systems, both ways, offered after better ones"),
    list("client-tls-protocols", &["TLSv1.2"]).means("TLS versions towards information systems, both ways; TLSv1.3 is there besides"),
    number("client-connector-initial-idle-time", 30_000, MS)
        .means("how long a connection of an information system may be silent before its first request; 0 = for ever"),
    number("client-connector-max-idle-time", 0, MS)
        .means("how long a connection of an information system may be silent after that; 0 = for ever"),
    number("client-connector-so-linger", -1, SECONDS_OR_OFF)
        .means("SO_LINGER of connections of information systems; -1 = off"),
    // Towards other security servers, calling.
    number("server-port", 5500, PORT).means("port at which other security servers are called"),
    number("client-timeout", 30_000, MS).means("time for connecting to another security server; 0 = for ever"),
    number("client-httpclient-timeout", 0, (-1, MOST, "ms"))
        .means("time without a byte of the answer of another security server; 0 or -1 = for ever"),
    unused(
        "client-httpclient-so-linger",
        "a connection is closed after its answer, when nothing is left to be sent",
    ),
    number("client-fastest-connecting-ssl-uri-cache-period", 3600, SECONDS)
        .means("how long the fastest of a provider's servers is remembered; 0 = not"),
    switch("pool-enable-connection-reuse", false)
        .preset(&[(Fi, Value::Switch(true))])
        .means("use connections to other security servers again; both ends have to agree"),
    number("pool-total-max-connections", 10_000, (1, MOST, ""))
        .defined_in(JAVA)
        .means("connections to other security servers"),
    number("pool-total-default-max-connections-per-route", 2500, (1, MOST, ""))
        .defined_in(JAVA)
        .means("connections to one other security server"),
    unused(
        "pool-validate-connections-after-inactivity-of-millis",
        "a kept connection is looked at whenever it is about to be used",
    )
    .defined_in(JAVA),
    switch("client-use-idle-connection-monitor", true).means("close kept connections that are not used"),
    number("client-idle-connection-monitor-interval", 30_000, (1, MOST, "ms"))
        .defined_in(JAVA)
        .means("how often it is looked for kept connections that are not used"),
    number("client-idle-connection-monitor-timeout", 60_000, MS)
        .defined_in(JAVA)
        .means("how long a connection is kept without use"),
    unused("client-use-fastest-connecting-ssl-socket-autoclose", SHORT_LIVED),
    number("ocsp-responder-client-connect-timeout", 20_000, MS)
        .means("time for connecting to another security server's service of OCSP responses"),
    number("ocsp-responder-client-read-timeout", 30_000, MS)
        .means("time for its answer"),
    // Towards other security servers, called.
    address("server-listen-address", "0.0.0.0").means("where other security servers are served"),
    number("server-listen-port", 5500, PORT).means("port for other security servers"),
    switch("server-support-clients-pooled-connections", false)
        .defined_in(JAVA)
        .preset(&[(Fi, Value::Switch(true))])
        .means("keep connections of other security servers open after an answer"),
    Parameter::new("proxy", "server-min-supported-client-version", Kind::Text, Value::Unset)
        .defined_in(JAVA)
        .preset(&[(Fi, Value::Text("7.6.0")), (Ee, Value::Text("7.6.0"))])
        .means("oldest version of other security servers that is served; unset = any"),
    number("server-connector-initial-idle-time", 30_000, MS)
        .defined_in(JAVA)
        .means("how long a connection of another security server may be silent before its first request; 0 = for ever"),
    number("server-connector-max-idle-time", 0, MS)
        .defined_in(JAVA)
        .preset(&[(Fi, Value::Number(120_000))])
        .means("how long a connection of another security server may be silent after that; 0 = for ever"),
    number("server-connector-so-linger", -1, SECONDS_OR_OFF)
        .means("SO_LINGER of connections of other security servers; -1 = off"),
    address("ocsp-responder-listen-address", "0.0.0.0")
        .means("where other security servers get OCSP responses of this server's certificates"),
    number("ocsp-responder-port", 5577, PORT).means("port of that service, here and at other security servers"),
    list("xroad-tls-ciphers", BETWEEN_SERVERS)
        .means("TLS suites for other security servers, both ways, offered after better ones; empty = no CBC"),
    switch("ssl-enabled", true)
        .defined_in(JAVA)
        .fixed("connections between security servers are always TLS"),
    // Health.
    number("health-check-port", 0, PORT)
        .defined_in(JAVA)
        .means("port that says whether the server is healthy; 0 = none"),
    Parameter::new("proxy", "health-check-interface", Kind::Address, Value::Text("0.0.0.0"))
        .defined_in(JAVA)
        .means("where that port is"),
    switch("hsm-health-check-enabled", false)
        .means("the health check fails when a device of the signer's `devices.toml` does not work"),
    unused("memory-usage-threshold", "there is no heap that fills up; `/metrics` has the process's memory"),
    // Without a meaning here.
    unused(
        "ocsp-verifier-cache-period",
        "a verdict lasts as long as the OCSP response that it rests on",
    )
    .defined_in(JAVA),
    unused("server-conf-cache-period", SNAPSHOT),
    unused("server-conf-client-cache-size", SNAPSHOT),
    unused("server-conf-service-cache-size", SNAPSHOT),
    unused("server-conf-acl-cache-size", SNAPSHOT),
    unused("server-conf-service-endpoints-cache-size", SNAPSHOT),
    unused("jetty-clientproxy-configuration-file", JVM),
    unused("jetty-serverproxy-configuration-file", JVM),
    unused("jetty-ocsp-responder-configuration-file", JVM),
    unused("database-properties", "the server configuration is a file, `[kiirtee] server-configuration`"),
    unused("configuration-path", "the folder is `[kiirtee] global-configuration`"),
    unused("configuration-anchor-file", "the anchor is told to kiirtee-confclient, `[kiirtee] anchor`"),
    unused("backup-encryption-enabled", BACKUP),
    unused("backup-encryption-keyids", BACKUP),
    unused("grpc-port", INTERNAL),
];
