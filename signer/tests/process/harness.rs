//! Starts signers and certifies their keys.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use protocol_pki::{
    certificate::{Certificate, KeyUsage as Usages},
    csr::CertificateRequest,
    digest::DigestAlgorithm,
    issue::{Extension, Template},
    key::{KeySpec, SoftwareKey},
    name::DistinguishedName,
};
use signer_client::{
    CertificateInfo, CertificateStatus, Client, CsrFormat, KeyAlgorithm, KeyInfo, KeyUsage, NameAttribute,
    Pin,
};
use tempfile::TempDir;
use time::OffsetDateTime;

pub(crate) const PIN: &str = "Sunny-day-42";

/// A signer process with its own directory; killed when dropped.
pub(crate) struct Signer {
    pub(crate) directory: TempDir,
    pub(crate) child: Child,
}

impl Signer {
    /// A fresh signer, logged in.
    pub(crate) fn ready() -> (Self, Client) {
        let signer = Self::start("");
        let client = signer.client();
        client.init_token("0", Pin::new(PIN)).unwrap();
        (signer, client)
    }

    /// A fresh signer with further settings.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// The same in a folder that has further files.
    pub(crate) fn start_in(directory: TempDir, settings: &str) -> Self {
        let settings = format!(
            "[kiirtee]\nsigner-socket = '{0}/signer.sock'\nstate-directory = '{0}/state'\n\
             kdf-memory = 19456\nkdf-passes = 2\n{settings}\n",
            directory.path().display()
        );
        fs::write(directory.path().join("signer.toml"), settings).unwrap();
        let child = spawn(&directory);
        let signer = Self { directory, child };
        signer.wait_until_listening();
        signer
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.directory);
        self.wait_until_listening();
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn command(directory: &TempDir, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee-signer"));
        command
            .arg(name)
            .arg("--config")
            .arg(directory.path().join("signer.toml"));
        command.stderr(Stdio::piped()).env("RUST_LOG", "warn");
        // Read by SoftHSM only.
        command.env("SOFTHSM2_CONF", directory.path().join("softhsm2.conf"));
        command
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("signer.sock")
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.directory.path().join("state").join(name)
    }

    pub(crate) fn client(&self) -> Client {
        let client = Client::connect(self.socket());
        assert!(client.is_connected());
        client
    }

    fn wait_until_listening(&self) {
        let start = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "the signer does not listen"
            );
            std::thread::sleep(Duration::from_millis(10));
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

fn spawn(directory: &TempDir) -> Child {
    Signer::command(directory, "run")
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

pub(crate) fn subject(name: &str) -> Vec<NameAttribute> {
    vec![
        NameAttribute::new("C", "EE"),
        NameAttribute::new("O", "GOV"),
        NameAttribute::new("CN", name),
    ]
}

/// A CA that certifies what a CSR asks.
pub(crate) struct Ca {
    key: SoftwareKey,
    name: DistinguishedName,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let name = DistinguishedName::build(&[("CN", "Test CA")]).unwrap();
        Self {
            key: SoftwareKey::generate(KeySpec::P256).unwrap(),
            name,
        }
    }

    pub(crate) fn issue(&self, csr: &[u8], usage: KeyUsage) -> Certificate {
        let request = CertificateRequest::from_der_or_pem(csr).unwrap();
        let usages = match usage {
            KeyUsage::Signing => Usages::NON_REPUDIATION,
            KeyUsage::Authentication => Usages::DIGITAL_SIGNATURE.and(Usages::KEY_ENCIPHERMENT),
        };
        let now = OffsetDateTime::now_utc();
        let template = Template {
            serial: &[7],
            issuer: &self.name,
            subject: request.subject(),
            not_before: now - Duration::from_secs(60),
            not_after: now + Duration::from_secs(3600),
            spki: request.public_key().spki_der(),
            extensions: vec![Extension::key_usage(usages)],
        };
        template.sign(&self.key.signer(DigestAlgorithm::Sha256)).unwrap()
    }
}

/// A key of the software token with a registered certificate.
pub(crate) fn certified_key(
    client: &Client,
    algorithm: KeyAlgorithm,
    usage: KeyUsage,
) -> (KeyInfo, CertificateInfo) {
    certified_key_on("0", client, algorithm, usage)
}

/// A key of a token with a registered certificate.
pub(crate) fn certified_key_on(
    token: &str,
    client: &Client,
    algorithm: KeyAlgorithm,
    usage: KeyUsage,
) -> (KeyInfo, CertificateInfo) {
    let key = client.generate_key(token, "test", algorithm, usage).unwrap();
    let csr = client
        .generate_csr(&key.id, subject("70000000"), None, CsrFormat::Der)
        .unwrap();
    let certificate = Ca::new().issue(&csr.csr, usage);
    let client_name = Some("EE/GOV/70000000".to_owned());
    let imported =
        client.import_certificate(certificate.as_der(), CertificateStatus::Registered, client_name);
    (key, imported.unwrap())
}
