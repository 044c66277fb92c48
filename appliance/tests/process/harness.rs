//! An appliance in a folder: a root, a medium, and programs that stand for those of systemd.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use appliance::provision::Outcome;
use protocol_globalconf::anchor::{Anchor, AnchorSource};
use protocol_pki::key::KeySpec;
use tempfile::TempDir;
use time::OffsetDateTime;
use trust::authority::Authority;

pub(crate) const DOCUMENT: &str = r#"[network]
interface = "e*"
addresses = ["10.77.0.40/24"]
gateway = "10.77.0.1"
dns = ["10.77.0.2"]

[time]
servers = ["10.77.0.1", "time.example.org"]

[server]
signing-subject = ["C=SANDBOX", "O=ORG", "CN=3003"]
authentication-subject = ["C=SANDBOX", "O=Member", "CN=appliance"]

[admin]
listen = "10.77.0.40"

[settings.proxy.proxy]
client-http-port = 8081
"#;
const SERVER: &str = "server = \"SANDBOX/ORG/3003/appliance\"\n[[client]]\nid = \"SANDBOX/ORG/3003\"\n";
/// The id that the machine of these tests derives from its UUID.
const MACHINE: &str = "6f2a1c9e-0000-4000-8000-000000000001\n";

/// An appliance that was never provisioned, and an empty medium.
pub(crate) struct Appliance {
    folder: TempDir,
}

impl Appliance {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let appliance = Self { folder };
        for folder in [
            "root/usr/share/kiirtee",
            "root/var/lib/kiirtee",
            "root/sys/class/dmi/id",
            "medium",
        ] {
            fs::create_dir_all(appliance.path(folder)).unwrap();
        }
        appliance.install_defaults();
        fs::write(appliance.path("root/sys/class/dmi/id/product_uuid"), MACHINE).unwrap();
        appliance.program("systemctl", "echo \"$*\" >>\"$(dirname \"$0\")/systemctl.log\"");
        appliance
    }

    /// The defaults of the repository, so that a setting which is no setting any more is found here.
    fn install_defaults(&self) {
        let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
        let defaults = self.path("root/usr/share/kiirtee/defaults");
        fs::create_dir(&defaults).unwrap();
        for name in ["proxy.toml", "signer.toml", "confclient.toml"] {
            let table = |path: PathBuf| {
                let text = fs::read_to_string(path).unwrap_or_default();
                // The appliance's own are what follows `[kiirtee]` there.
                toml::from_str::<toml::Table>(&text).unwrap()
            };
            let mut joined = table(systemd.join("defaults").join(name));
            let own = fs::read_to_string(systemd.join("appliance/defaults").join(name)).unwrap_or_default();
            let own: toml::Table = toml::from_str(&format!("[kiirtee]\n{own}")).unwrap();
            for (section, keys) in own {
                let keys = keys.as_table().unwrap().clone();
                let entry = joined.entry(section).or_insert_with(|| toml::Table::new().into());
                entry.as_table_mut().unwrap().extend(keys);
            }
            fs::write(defaults.join(name), toml::to_string(&joined).unwrap()).unwrap();
        }
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn root(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path("root").join(path)
    }

    pub(crate) fn medium(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path("medium").join(path)
    }

    /// A program of systemd that does what a line of shell does.
    pub(crate) fn program(&self, name: &str, line: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts everything that a first provisioning needs onto the medium.
    pub(crate) fn fill_medium(&self) {
        fs::write(self.medium("appliance.toml"), DOCUMENT).unwrap();
        fs::write(self.medium("server.toml"), SERVER).unwrap();
        fs::write(self.medium("anchor.xml"), anchor()).unwrap();
        fs::write(self.medium("pin"), "Sunny-day-42\n").unwrap();
    }

    pub(crate) fn empty_medium(&self) {
        fs::remove_dir_all(self.path("medium")).unwrap();
        fs::create_dir(self.path("medium")).unwrap();
    }

    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee-appliance"));
        command.arg(name).arg("--root").arg(self.path("root"));
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command
    }

    pub(crate) fn provision_command(&self) -> Command {
        let mut command = self.command("provision");
        command.arg("--medium").arg(self.path("medium"));
        command.arg("--systemctl").arg(self.path("systemctl"));
        command
    }

    /// Provisions, and says what came of it.
    pub(crate) fn provision(&self) -> (Output, Outcome) {
        let output = self.provision_command().output().unwrap();
        let state = fs::read(self.root("run/kiirtee/provision.json")).unwrap();
        (output, serde_json::from_slice(&state).unwrap())
    }

    /// Provisions without a problem.
    pub(crate) fn provisioned(&self) -> Outcome {
        let (output, outcome) = self.provision();
        assert!(output.status.success(), "{}", told(&output));
        outcome
    }

    /// What the service manager was told since the last time.
    pub(crate) fn told_manager(&self) -> Vec<String> {
        let log = self.path("systemctl.log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Every file below the root that outlives a start, with its content and when it was written.
    pub(crate) fn kept(&self) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
        let mut files = BTreeMap::new();
        collect(&self.root("var"), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            collect(&path, files);
        } else if kind.is_file() {
            let written = entry.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (fs::read(path).unwrap(), written));
        }
    }
}

pub(crate) fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn authority() -> Authority {
    Authority::create("SANDBOX", KeySpec::P256, OffsetDateTime::now_utc()).unwrap()
}

fn anchor() -> Vec<u8> {
    let authority = authority();
    let source = AnchorSource {
        download_url: "http://10.77.0.3/internalconf".to_owned(),
        verification_certs: vec![authority.root().certificate.as_der().to_vec()],
    };
    Anchor {
        generated_at: None,
        instance: "SANDBOX".to_owned(),
        sources: vec![source],
    }
    .write()
}
