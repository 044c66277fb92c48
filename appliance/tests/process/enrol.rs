//! `kiirtee-appliance enrol`, with a real signer and the certification authority of sandboxes.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol_pki::certificate::Certificate;
use protocol_pki::csr::CertificateRequest;
use signer_client::{CertificateStatus, Client, KeyUsage, Status};
use time::OffsetDateTime;
use trust::authority::{Terms, Usage};

use crate::harness::{Appliance, authority, told};

/// A signer whose PIN is in a file; killed when dropped.
struct Signer {
    child: Child,
    socket: PathBuf,
}

impl Signer {
    fn program() -> PathBuf {
        let program = Path::new(env!("CARGO_BIN_EXE_kiirtee-appliance")).with_file_name("kiirtee-signer");
        assert!(
            program.exists(),
            "expected {}: cargo build --workspace",
            program.display()
        );
        program
    }

    /// Gives the software token its PIN if it has none, and starts, as the unit does.
    fn start(appliance: &Appliance) -> Self {
        let socket = appliance.path("signer.sock");
        let settings = appliance.path("signer.toml");
        let text = format!(
            "[kiirtee]\nsigner-socket = '{}'\nstate-directory = '{}'\npin-file = '{}'\nkdf-memory = 19456\nkdf-passes = 2\n",
            socket.display(),
            appliance.path("state").display(),
            appliance.path("pins").display(),
        );
        fs::write(&settings, text).unwrap();
        let mut command = Command::new(Self::program());
        command.args(["run", "--first-pin", "--config"]).arg(&settings);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "the signer does not listen"
            );
            std::thread::yield_now();
        }
        Self { child, socket }
    }

    fn status(&self) -> Status {
        let client = Client::connect(&self.socket);
        assert!(client.wait_until_connected(Duration::from_secs(10)));
        let status = client.status().unwrap();
        Status {
            counters: signer_client::Counters::default(),
            figures: Vec::new(),
            ..status
        }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn enrol(appliance: &Appliance) -> Result<(), String> {
    let mut command = appliance.command("enrol");
    command.arg("--socket").arg(appliance.path("signer.sock"));
    let output = command.args(["--patience", "1"]).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(told(&output)),
    }
}

fn pins(appliance: &Appliance, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(appliance.path("pins"), text).unwrap();
    fs::set_permissions(appliance.path("pins"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn request(appliance: &Appliance, name: &str) -> CertificateRequest {
    let path = appliance.root("run/kiirtee/requests").join(format!("{name}.pem"));
    CertificateRequest::from_der_or_pem(&fs::read(path).unwrap()).unwrap()
}

fn internal_certificate(appliance: &Appliance) -> Certificate {
    let pem = fs::read(appliance.root("var/lib/kiirtee/enrolment/internal-tls.pem")).unwrap();
    Certificate::from_der_or_pem(&pem).unwrap()
}

#[test]
fn keys_are_made_once_and_certificates_find_them() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    appliance.provisioned();
    pins(&appliance, "Sunny-day-42\n");
    let signer = Signer::start(&appliance);

    enrol(&appliance).unwrap();
    let status = signer.status();
    let labels: Vec<(&str, KeyUsage)> = status.keys().map(|key| (&*key.label, key.usage)).collect();
    assert_eq!(labels.len(), 3, "{labels:?}");
    for expected in [
        ("signing", KeyUsage::Signing),
        ("authentication", KeyUsage::Authentication),
        ("internal", KeyUsage::Authentication),
    ] {
        assert!(labels.contains(&expected), "{labels:?}");
    }
    assert_eq!(
        request(&appliance, "signing").subject().common_name(),
        Some("3003")
    );
    assert_eq!(
        request(&appliance, "authentication").subject().common_name(),
        Some("appliance")
    );
    let own = internal_certificate(&appliance);
    assert!(own.verify_signed_with(own.public_key()).is_ok());
    assert_eq!(
        own.spki_der(),
        request(&appliance, "internal").public_key().spki_der()
    );

    let kept = appliance.kept();
    enrol(&appliance).unwrap();
    assert_eq!(signer.status(), status, "nothing is made again");
    assert!(appliance.kept() == kept);

    certify(&appliance);
    enrol(&appliance).unwrap();
    let status = signer.status();
    let certificates: Vec<_> = status.keys().flat_map(|key| &key.certificates).collect();
    assert_eq!(
        certificates.len(),
        2,
        "the internal one is known to information systems only"
    );
    assert!(
        certificates
            .iter()
            .all(|one| one.status == CertificateStatus::Registered)
    );
    let members = certificates.iter().filter_map(|one| one.client.as_deref());
    assert_eq!(members.collect::<Vec<_>>(), ["SANDBOX/ORG/3003"]);
    assert_ne!(
        internal_certificate(&appliance),
        own,
        "the authority's takes its place"
    );
    enrol(&appliance).unwrap();
    assert_eq!(signer.status(), status);
}

/// What the certification authority does with the requests on the medium, and the medium coming back.
fn certify(appliance: &Appliance) {
    appliance.provisioned();
    let authority = authority();
    fs::create_dir(appliance.medium("certificates")).unwrap();
    for (name, usage) in [
        ("signing", Usage::Sign),
        ("authentication", Usage::Auth),
        ("internal", Usage::Auth),
    ] {
        let pem = fs::read(appliance.medium("requests").join(format!("{name}.pem"))).unwrap();
        let request = CertificateRequest::from_der_or_pem(&pem).unwrap();
        let terms = Terms::usual(OffsetDateTime::now_utc());
        let certificate = authority.certify_request(&request, usage, &terms).unwrap();
        fs::write(
            appliance.medium(format!("certificates/{name}.der")),
            certificate.as_der(),
        )
        .unwrap();
    }
    // One of somebody else is left out, and does not keep the others from being imported.
    let other = authority.root().certificate.to_pem();
    fs::write(appliance.medium("certificates/other.CRT"), other).unwrap();
    let outcome = appliance.provisioned();
    assert_eq!(outcome.changed.len(), 4, "{outcome:?}");
}

#[test]
fn what_is_missing_is_told() {
    let appliance = Appliance::new();
    let problem = enrol(&appliance).unwrap_err();
    assert!(problem.contains("this appliance is not provisioned"), "{problem}");
    appliance.fill_medium();
    appliance.provisioned();
    let problem = enrol(&appliance).unwrap_err();
    assert!(problem.contains("the signer does not answer"), "{problem}");
    pins(&appliance, "#");
    let signer = Signer::start(&appliance);
    let problem = enrol(&appliance).unwrap_err();
    assert!(
        problem.contains("token 0 has no PIN yet: expected one in `pin`"),
        "{problem}"
    );
    drop(signer);
    pins(&appliance, "Sunny-day-42");
    let signer = Signer::start(&appliance);
    enrol(&appliance).unwrap();
    drop(signer);
    pins(&appliance, "another");
    let _signer = Signer::start(&appliance);
    let problem = enrol(&appliance).unwrap_err();
    assert!(problem.contains("token 0 is not logged in to"), "{problem}");
}
