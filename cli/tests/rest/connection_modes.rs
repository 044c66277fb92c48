//! How information systems prove who they are (wire.md 1.3).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use toml::Table;

use super::configure::{configure, restart_edited, set, tables};
use super::curl::{self, Answer, curl};
use super::instance::{Instance, wait_until};
use super::{CLIENT, call, can_run, fault};

#[test]
fn connection_modes_of_a_client_are_kept_within_a_second_of_a_change() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(113);
    let identity = Identity::new(instance.dir(), "own");
    let stranger = Identity::new(instance.dir(), "stranger");
    let plain = || call(&instance, "echo", &[]);
    let https = instance.url("echo").replace(
        &instance.get("consumer/client_http"),
        &instance.get("consumer/client_https"),
    );
    let tls = |arguments: &[&str]| curl(&[&["-k", "-H", CLIENT, &https], arguments].concat());
    let refused = |answer: &Answer| fault(answer) == "server.clientproxy.ssl_authentication_failed";

    // NOSSL: as the sandbox is.
    assert_eq!(plain().status, 200);
    for (arguments, version) in [
        (&["--tls-max", "1.2"][..], "TLSv1.2"),
        (&["--tlsv1.3"], "TLSv1.3"),
    ] {
        assert_eq!(tls(arguments).status, 200);
        let output = curl::command()
            .args(["-v", "-k"])
            .args(arguments)
            .arg(&https)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(&format!("SSL connection using {version}")),
            "{said}"
        );
    }
    assert_eq!(tls(&stranger.arguments()).status, 200);

    authenticate(&instance, "SSLNOAUTH", &[]);
    within_a_second(|| plain().status == 500);
    assert!(refused(&plain()));
    assert_eq!(tls(&[]).status, 200);
    assert_eq!(tls(&stranger.arguments()).status, 200);

    authenticate(&instance, "SSLAUTH", &[&identity]);
    within_a_second(|| tls(&[]).status == 500);
    for answer in [plain(), tls(&[]), tls(&stranger.arguments())] {
        assert!(refused(&answer));
    }
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        assert_eq!(
            tls(&[&identity.arguments(), version].concat()).status,
            200,
            "{version:?}"
        );
    }

    authenticate(&instance, "NOSSL", &[]);
    within_a_second(|| plain().status == 200);
}

#[test]
fn an_expired_certificate_is_a_warning_until_its_validity_is_enforced() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(24);
    let good = Identity::new(instance.dir(), "good");
    let expired = Identity::expired(instance.dir(), "expired");
    authenticate(&instance, "SSLAUTH", &[&good, &expired]);
    let https = instance.url("echo").replace(
        &instance.get("consumer/client_http"),
        &instance.get("consumer/client_https"),
    );
    let ask = |identity: &Identity, version: &[&str]| {
        curl(&[&["-k", "-H", CLIENT, &https], version, &identity.arguments()[..]].concat())
    };
    let versions = [&["--tls-max", "1.2"][..], &["--tlsv1.3"]];
    within_a_second(|| ask(&good, &[]).status == 200);
    for version in versions {
        assert_eq!(ask(&expired, version).status, 200);
    }
    restart_edited(&mut instance, "consumer", |settings| {
        set(
            settings,
            "proxy",
            "enforce-client-is-cert-validity-period-check",
            true,
        );
    });
    for version in versions {
        assert_eq!(ask(&good, version).status, 200);
        let answer = ask(&expired, version);
        assert_eq!(fault(&answer), "server.clientproxy.ssl_authentication_failed");
        assert!(answer.text().contains("expired"), "{}", answer.text());
    }
}

pub(crate) fn authenticate(instance: &Instance, mode: &str, certificates: &[&Identity]) {
    configure(instance, "consumer", |table| {
        let wanted = |table: &&mut Table| table["id"].as_str() == Some("SANDBOX/ORG/1001/client");
        let client = tables(table, "client").find(wanted).unwrap();
        client.insert("authentication".into(), mode.into());
        let pems = certificates
            .iter()
            .map(|identity| std::fs::read_to_string(&identity.certificate).unwrap());
        client.insert("certificates".into(), pems.collect::<Vec<_>>().into());
    });
}

/// A second, and another for machines that have more to do than this test.
pub(crate) fn within_a_second(condition: impl FnMut() -> bool) {
    let began = Instant::now();
    wait_until("the proxy to take the configuration over", condition);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Key and certificate of an information system.
pub(crate) struct Identity {
    pub(crate) key: PathBuf,
    pub(crate) certificate: PathBuf,
}

impl Identity {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let key = folder.join(format!("{name}.key"));
        let certificate = folder.join(format!("{name}.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]);
        openssl
            .args(["-subj", &format!("/CN={name}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self { key, certificate }
    }

    /// One whose certificate was good for a day in 2020.
    pub(crate) fn expired(folder: &Path, name: &str) -> Self {
        let script = format!(
            "set -e; mkdir {name}; cd {name}; touch index.txt
             printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index.txt\\nrand_serial=yes\\nnew_certs_dir=.\\n\
             default_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > ca.cnf
             openssl req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout ../{name}.key -out request.pem
             openssl ca -batch -config ca.cnf -selfsign -keyfile ../{name}.key -in request.pem -notext \
               -startdate 20200101000000Z -enddate 20200102000000Z -out ../{name}.pem"
        );
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &script]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self {
            key: folder.join(format!("{name}.key")),
            certificate: folder.join(format!("{name}.pem")),
        }
    }

    pub(crate) fn arguments(&self) -> [&str; 4] {
        [
            "--cert",
            self.certificate.to_str().unwrap(),
            "--key",
            self.key.to_str().unwrap(),
        ]
    }
}
