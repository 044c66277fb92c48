//! `[configuration-client]`, and sections that nothing here reads.

use super::{MOST, MS};
use crate::parameter::Process::ConfigurationClient;
use crate::parameter::{Kind, Parameter, Value};

const JAVA: &str = "SystemProperties.java";
const SIGNALS: &str = "the configuration client has no port; `confclient-status.json` says how it is";

const fn of(parameter: Parameter) -> Parameter {
    parameter.read_by(&[ConfigurationClient]).defined_in(JAVA)
}

pub(super) const TABLE: &[Parameter] = &[
    of(Parameter::number(
        "configuration-client",
        "update-interval",
        60,
        (1, MOST, "s"),
    ))
    .means("time between two downloads of the global configuration"),
    of(Parameter::new(
        "configuration-client",
        "allowed-federations",
        Kind::List,
        Value::List(&["none"]),
    ))
    .means("instances of the federation that are downloaded: `none`, `all`, or their codes"),
    of(Parameter::number(
        "configuration-client",
        "downloader-connect-timeout",
        10_000,
        MS,
    ))
    .means("time for connecting to a source of the global configuration"),
    of(Parameter::number(
        "configuration-client",
        "downloader-read-timeout",
        30_000,
        MS,
    ))
    .means("time for its answer"),
    of(Parameter::switch(
        "configuration-client",
        "global-conf-tls-cert-verification",
        true,
    ))
    .means("verify certificates of `https` sources; the configuration itself is always verified"),
    of(Parameter::switch(
        "configuration-client",
        "global-conf-hostname-verification",
        true,
    ))
    .fixed("a certificate that is verified has to be of that host"),
    of(Parameter::unused("configuration-client", "port", SIGNALS)),
    of(Parameter::unused("configuration-client", "admin-port", SIGNALS)),
    of(Parameter::unused(
        "configuration-client",
        "proxy-configuration-backup-cron",
        "nothing is backed up by itself (see the operations page)",
    )),
];

/// Sections of the reference that no process here reads, and why.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("common", "folders and sockets are told in [kiirtee]"),
    ("proxy-ui", "there is no user interface"),
    ("proxy-ui-api", "there is no management interface yet"),
    ("op-monitor", "there is no operational monitoring yet"),
    ("op-monitor-buffer", "there is no operational monitoring yet"),
    ("op-monitor-service", "there is no operational monitoring yet"),
    ("env-monitor", "there is no environmental monitoring yet"),
    ("center", "the central server has settings of its own"),
    ("admin-service", "the central server has settings of its own"),
    (
        "registration-service",
        "the central server has settings of its own",
    ),
    ("management-service", "the central server has settings of its own"),
    ("configuration-proxy", "there is no configuration proxy here"),
];
