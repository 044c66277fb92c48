//! `[signer]`: tokens and keys, and OCSP responses of their certificates.

use super::MOST;
use crate::parameter::Process::{ConfigurationClient, Signer};
use crate::parameter::{Kind, Parameter, Value};
use crate::preset::Preset::{Ee, Fi, Fo};

const INI: &str = "signer.ini";
const JAVA: &str = "SystemProperties.java";
const SOCKET: &str = "processes of a server talk over Unix sockets";
const OURS: &str = "keys and certificates are kept in `[kiirtee] state-directory`";
const MECHANISM: &str = "RSA signs with PKCS #1 v1.5 and EC with ECDSA, as the reference by default";

const fn unused(key: &'static str, reason: &'static str) -> Parameter {
    Parameter::unused("signer", key, reason)
        .read_by(&[Signer])
        .defined_in(INI)
}

const fn text(key: &'static str, kind: Kind, default: Value) -> Parameter {
    Parameter::new("signer", key, kind, default)
        .read_by(&[Signer])
        .defined_in(INI)
}

pub(super) const TABLE: &[Parameter] = &[
    Parameter::number("signer", "key-length", 2048, (2048, 4096, "bit"))
        .read_by(&[Signer])
        .defined_in(INI)
        .preset(&[
            (Fi, Value::Number(3072)),
            (Ee, Value::Number(3072)),
            (Fo, Value::Number(3072)),
        ])
        .means("length of new RSA keys"),
    text(
        "key-named-curve",
        Kind::Choice(&["secp256r1", "secp384r1"]),
        Value::Text("secp256r1"),
    )
    .means("curve of new EC keys"),
    text(
        "csr-signature-digest-algorithm",
        Kind::Choice(&["SHA-256", "SHA-384", "SHA-512"]),
        Value::Text("SHA-256"),
    )
    .means("digest in signatures of certificate signing requests"),
    Parameter::switch("signer", "enforce-token-pin-policy", false)
        .read_by(&[Signer])
        .defined_in(INI)
        .preset(&[
            (Fi, Value::Switch(true)),
            (Ee, Value::Switch(true)),
            (Fo, Value::Switch(true)),
        ])
        .means("new PINs need ten characters of three classes"),
    unused(
        "client-timeout",
        "`[kiirtee] signing-timeout` says how long a request may wait",
    ),
    unused("soft-token-pin-keystore-algorithm", OURS),
    unused("key-configuration-file", OURS),
    text(
        "device-configuration-file",
        Kind::Path,
        Value::Text("/etc/kiirtee/devices.toml"),
    )
    .means("file that describes hardware tokens (docs/hsm.md); need not exist"),
    Parameter::number("signer", "module-manager-update-interval", 60, (1, MOST, "s"))
        .read_by(&[Signer])
        .defined_in(JAVA)
        .means("how often hardware tokens are looked at; every 2 s while one is missed"),
    unused(
        "module-instance-provider",
        "PKCS #11 libraries are loaded as they are",
    ),
    unused("password-store-ipc-key-pathname", SOCKET),
    unused("soft-token-rsa-sign-mechanism", MECHANISM),
    unused("soft-token-ec-sign-mechanism", MECHANISM),
    unused(
        "selfsigned-cert-digest-algorithm",
        "no self-signed certificates are made",
    ),
    unused("admin-port", SOCKET),
    unused("port", SOCKET),
    unused("grpc-port", SOCKET),
    // OCSP responses are fetched by the configuration client: the signer has no network.
    Parameter::number("signer", "ocsp-retry-delay", 60, (1, MOST, "s"))
        .read_by(&[ConfigurationClient])
        .defined_in(JAVA)
        .means("how long to wait after an OCSP response could not be had"),
    Parameter::switch("signer", "ocsp-response-retrieval-active", true)
        .read_by(&[ConfigurationClient])
        .defined_in(JAVA)
        .means("fetch OCSP responses for the signer's certificates"),
    Parameter::new(
        "signer",
        "ocsp-prioritization-strategy",
        Kind::Text,
        Value::Text("NONE"),
    )
    .read_by(&[ConfigurationClient])
    .defined_in(JAVA)
    .fixed("OCSP responders are tried in the order of the global configuration"),
    Parameter::unused(
        "signer",
        "ocsp-cache-path",
        "the folder is `[kiirtee] ocsp-cache`",
    )
    .read_by(&[ConfigurationClient, Signer])
    .defined_in(INI),
];
