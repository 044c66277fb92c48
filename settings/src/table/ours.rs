//! `[kiirtee]`: what the reference has no parameter for. Folders, sockets, bounds of our own.

use super::MOST;
use crate::parameter::Process::{ConfigurationClient, Proxy, Signer};
use crate::parameter::{Kind, Parameter, Process, Value};
use crate::preset::Preset;

const fn path(key: &'static str, default: &'static str) -> Parameter {
    Parameter::new("kiirtee", key, Kind::Path, Value::Text(default))
}

const fn number(key: &'static str, default: i64, bounds: (i64, i64, &'static str)) -> Parameter {
    Parameter::number("kiirtee", key, default, bounds)
}

/// Names of the proxy's `DriverChoice`.
const IO_DRIVERS: &[&str] = &["auto", "ring", "epoll"];

/// Names of storage's `Sealing`.
const SEALING: &[&str] = &["auto", "required", "off"];

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
        .first()
        .means("national set of values that hold where nothing else is said; `--preset` wins"),
    path("signer-socket", "/run/kiirtee/signer.sock")
        .read_by(Process::ALL)
        .means("Unix socket of kiirtee-signer"),
    number("background-nice", 5, (0, 19, ""))
        .read_by(&[Proxy, Signer])
        .means(
            "how much less urgent than serving requests the system takes signing and logging to be: under load, more messages \
             gather for each signature and each write; 0 = as urgent",
        ),
    // Written by the configuration client, read by the proxy.
    path("global-configuration", "/var/lib/kiirtee/globalconf")
        .read_by(&[Proxy, ConfigurationClient])
        .means("folder of the global configuration, written by kiirtee-confclient"),
    path("ocsp-cache", "/var/cache/kiirtee/ocsp")
        .read_by(&[Proxy, ConfigurationClient])
        .means("folder of OCSP responses, written by kiirtee-confclient"),
    // The proxy.
    path("data-dir", "/var/lib/kiirtee/proxy").means("folder of the message log and the spool"),
    path("server-configuration", "/var/lib/kiirtee/server.db")
        .means("database of clients, services and access rights"),
    Parameter::new("kiirtee", "tls-certificate", Kind::Path, Value::Unset).means(
        "PEM file of the certificate shown to information systems; its key is in the signer; unset = no HTTPS",
    ),
    Parameter::switch("kiirtee", "better-tls", true).means(
        "offer TLS 1.3 and AES-GCM before what `[proxy] xroad-tls-ciphers` and `client-tls-ciphers` list; \
         false = exactly what they list",
    ),
    Parameter::new("kiirtee", "admin-listen", Kind::Socket, Value::Text("127.0.0.1:5566"))
        .means("where `/metrics` and `/health` are"),
    number("workers", 0, (0, 1024, "")).means("worker threads; 0 = one for each core"),
    Parameter::switch("kiirtee", "pin-workers", true)
        .means("keep each worker on a core of its own; false = the system moves them, where other programs need the cores too"),
    Parameter::new("kiirtee", "io-driver", Kind::Choice(IO_DRIVERS), Value::Text("auto")).means(
        "how workers wait for the network: auto = io_uring whose completions run when the worker asks for them \
         (`SINGLE_ISSUER`, `DEFER_TASKRUN`), or what the host allows; ring = io_uring without these options; epoll",
    ),
    number("max-exchanges", 0, (0, 1_000_000, "")).means(
        "exchanges under way at once, for each worker, of information systems and of other servers apart; what exceeds it is \
         refused at once; one address holds three quarters at most; 0 = by memory, 1 MiB each in a quarter of it, 64 to 512",
    ),
    number("min-body-rate", 240, (0, 1_000_000_000, "bytes/s"))
        .means("what a request must bring while it is waited for; one that is slower for 10 seconds twice in a row ends in a fault; 0 = any"),
    number("large-body-rate", 16_000_000, (0, 1_000_000_000_000, "bytes/s")).means(
        "what the bodies over 1 MiB of one worker get together while exchanges come (one began within the last second), so that \
         small ones do not wait for them; 0 = as much as there is",
    ),
    Parameter::switch("kiirtee", "verification-cache", true).means(
        "verify a signature document that many messages share once, until its certificates or OCSP responses run out; \
         false = with each message, to measure what that costs",
    ),
    number("spool-bytes", 20 * 1024 * 1024 * 1024, (1, i64::MAX, "bytes"))
        .means("space for messages that wait for their verdict, in memory and on disk; what exceeds it is refused"),
    number("drain-seconds", 30, (0, MOST, "s")).means("how long running exchanges may go on after SIGTERM"),
    Parameter::switch("kiirtee", "archiving", true)
        .means("archive time-stamped records; without, they are removed unarchived when they are old enough"),
    Parameter::new("kiirtee", "seal-archives", Kind::Choice(SEALING), Value::Text("auto")).means(
        "seal archive files with fs-verity, so that nobody can change them any more: auto = where the file system can; required = \
         nothing is archived where it can't; off = never",
    ),
    Parameter::new("kiirtee", "timestamp-interval-override", Kind::Number(1, MOST), Value::Unset)
        .means("seconds between rounds of time-stamping instead of the global configuration's; for sandboxes"),
    // The configuration client.
    path("anchor", "/etc/kiirtee/configuration-anchor.xml")
        .read_by(&[ConfigurationClient])
        .means("configuration anchor"),
    Parameter::new("kiirtee", "status-file", Kind::Path, Value::Unset)
        .read_by(&[ConfigurationClient])
        .means("where the last rounds are told; unset = `confclient-status.json` beside the global configuration"),
    number("retry-delay", 5, (1, MOST, "s"))
        .read_by(&[ConfigurationClient])
        .means("how long to wait after a download failed; doubles with every further failure"),
    path("root-certificates", "/etc/ssl/certs/ca-certificates.crt")
        .read_by(&[ConfigurationClient])
        .means("PEM file of root certificates for `https` sources and responders"),
    Parameter::new("kiirtee", "ocsp-interval", Kind::Number(1, MOST), Value::Unset)
        .read_by(&[ConfigurationClient])
        .means("seconds between two requests about a certificate; unset = the global configuration's"),
    number("ocsp-poll-interval", 5, (1, MOST, "s"))
        .read_by(&[ConfigurationClient])
        .means("how often the signer is asked for its certificates"),
    number("ocsp-connect-timeout", 20_000, (1, MOST, "ms"))
        .read_by(&[ConfigurationClient])
        .means("time for connecting to an OCSP responder"),
    number("ocsp-read-timeout", 60_000, (1, MOST, "ms"))
        .read_by(&[ConfigurationClient])
        .means("time for its answer"),
    // The signer.
    path("state-directory", "/var/lib/kiirtee/signer")
        .read_by(&[Signer])
        .means("folder of keys and certificates"),
    Parameter::new("kiirtee", "socket-gid", Kind::Number(0, u32::MAX as i64), Value::Unset)
        .read_by(&[Signer])
        .means("group that may connect; unset = that of the process"),
    Parameter::new("kiirtee", "admin-uids", Kind::Numbers, Value::List(&[]))
        .read_by(&[Signer])
        .means("users that may change tokens, besides the signer's own"),
    Parameter::new("kiirtee", "signing-uids", Kind::Numbers, Value::List(&[]))
        .read_by(&[Signer])
        .means("users that may only sign: the proxy's"),
    Parameter::new("kiirtee", "reading-uids", Kind::Numbers, Value::List(&[]))
        .read_by(&[Signer])
        .means("users that may only see which tokens, keys and certificates there are: the configuration client's"),
    Parameter::new("kiirtee", "pin-file", Kind::Path, Value::Unset)
        .read_by(&[Signer])
        .means("file with PINs that are entered at start, mode 0600, or a credential of systemd"),
    number("max-connections", 64, (1, 1024, ""))
        .read_by(&[Signer])
        .means("connections at the same time"),
    Parameter::switch("kiirtee", "batch-signing", true)
        .read_by(&[Signer])
        .means("let waiting messages share a signature"),
    number("max-batch", 256, (1, 1024, ""))
        .read_by(&[Signer])
        .means("most messages that share one"),
    number("max-queue", 16_384, (1, 65_536, ""))
        .read_by(&[Signer])
        .means("most requests that wait for one key"),
    number("signing-timeout", 60, (1, 600, "s"))
        .read_by(&[Signer])
        .means("how long a request may wait"),
    // The lower bounds are the least that OWASP recommends for Argon2id.
    number("kdf-memory", 65_536, (19_456, 1_048_576, "KiB"))
        .read_by(&[Signer])
        .means("memory that trying a PIN takes (Argon2id)"),
    number("kdf-passes", 3, (2, 16, ""))
        .read_by(&[Signer])
        .means("passes over it"),
    Parameter::switch("kiirtee", "log-json", false)
        .read_by(&[Signer, ConfigurationClient])
        .means("write the log as JSON objects"),
];
