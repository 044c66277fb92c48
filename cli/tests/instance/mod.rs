//! A real instance for whole-process tests: every process of a sandbox, on loopback addresses of its own, ended with
//! the test.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each file uses a part of it"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The operator's command as built beside this test.
pub fn kiirtee() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kiirtee"))
}

/// Whether the other processes' binaries are there; `cargo build --workspace` makes them.
pub fn is_built() -> bool {
    let folder = Path::new(env!("CARGO_BIN_EXE_kiirtee")).parent().unwrap();
    let all = ["proxy", "signer", "confclient", "central", "trust"];
    let missing: Vec<_> = all
        .iter()
        .filter(|name| !folder.join(format!("kiirtee-{name}")).exists())
        .collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: {missing:?} not built; run `cargo build --workspace` first");
    }
    missing.is_empty()
}

/// A running instance.
pub struct Instance {
    folder: tempfile::TempDir,
    /// `sandbox.json`.
    pub json: Value,
    restarted: Vec<(String, Child)>,
}

impl Instance {
    /// Starts an instance on `127.0.<net>.*`; tests that may run at the same time take different numbers.
    pub fn up(net: u8) -> Self {
        Self::up_with(net, &[])
    }

    /// The same with further arguments of `kiirtee sandbox up`.
    pub fn up_with(net: u8, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let up = kiirtee()
            .args(["sandbox", "up", "--net", &format!("127.0.{net}")])
            .args(arguments)
            .arg("--dir")
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let json = std::fs::read(folder.path().join("sandbox.json")).unwrap();
        Self {
            folder,
            json: serde_json::from_slice(&json).unwrap(),
            restarted: Vec::new(),
        }
    }

    /// The instance's folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// A string of `sandbox.json`, by its path: `consumer/client_http`.
    pub fn get(&self, path: &str) -> String {
        let value = path.split('/').fold(&self.json, |value, key| &value[key]);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{path} is not in sandbox.json"))
            .to_owned()
    }

    /// URL of a REST service of the provider at the consumer's server: `url("echo/hello")`.
    pub fn url(&self, service_and_path: &str) -> String {
        let (http, provider) = (self.get("consumer/client_http"), self.get("provider/subsystem"));
        format!("{http}/r1/{provider}/{service_and_path}")
    }

    /// Process id of a process by its name in `sandbox.json`.
    pub fn pid(&self, name: &str) -> u32 {
        let restarted = self.restarted.iter().rev().find(|(of, _)| of == name);
        if let Some((_, child)) = restarted {
            return child.id();
        }
        let pid = self.json["processes"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no process {name}"));
        u32::try_from(pid).unwrap()
    }

    /// Names of all processes.
    pub fn processes(&self) -> Vec<String> {
        self.json["processes"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    /// Whether a process runs.
    pub fn is_running(&self, name: &str) -> bool {
        !command_line(self.pid(name)).is_empty()
    }

    /// Kills a process at once, as a power cut would.
    pub fn kill(&self, name: &str) -> Killed {
        let pid = self.pid(name);
        let command: Vec<String> = command_line(pid)
            .split('\0')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        let environment = environment(pid);
        signal(pid, "KILL");
        wait_until("the process to end", || command_line(pid).is_empty());
        Killed {
            name: name.to_owned(),
            command,
            environment,
        }
    }

    /// Starts a killed process again with the same command line.
    pub fn restart(&mut self, killed: &Killed) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir().join(format!("log/{}.log", killed.name)))
            .unwrap();
        let child = Command::new(&killed.command[0])
            .args(&killed.command[1..])
            .envs(killed.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.restarted.push((killed.name.clone(), child));
    }

    /// Changes the settings file of a proxy and starts it again with them.
    pub fn reconfigure(&mut self, server: &str, change: impl FnOnce(&mut toml::Table)) {
        let killed = self.kill(&format!("{server}-proxy"));
        let path = self.dir().join(server).join("proxy.toml");
        let mut settings: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        change(&mut settings);
        std::fs::write(&path, settings.to_string()).unwrap();
        self.restart(&killed);
        let urls = ["client_http", "health"].map(|name| self.get(&format!("{server}/{name}")));
        let answers = |url: &String| agent().get(url).call().is_ok_and(|answer| answer.status() == 200);
        wait_until("the proxy to be back", || urls.iter().all(answers));
    }

    /// The exit status of a process that [`Self::restart`] started, once it has ended.
    pub fn exit_status(&mut self, name: &str) -> Option<std::process::ExitStatus> {
        let restarted = self.restarted.iter_mut().rev().find(|(of, _)| of == name);
        let (_, child) = restarted.unwrap_or_else(|| panic!("{name} was not restarted"));
        child.try_wait().unwrap()
    }

    /// Tells the trust services how to behave: `{"ocsp":{"mode":"revoked"}}`.
    pub fn control_trust(&self, json: &str) {
        let url = format!("{}/control", self.get("trust/ca"));
        let answer = agent()
            .post(&url)
            .header("content-type", "application/json")
            .send(json)
            .unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
    }

    /// The end of a process's log, for messages of failed assertions.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join("log").join(format!("{name}.log"))).unwrap_or_default()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for (_, child) in &mut self.restarted {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = kiirtee()
            .args(["sandbox", "down", "--dir"])
            .arg(self.folder.path())
            .output();
    }
}

/// A process that was killed and can be started again.
pub struct Killed {
    name: String,
    command: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A client that takes every status as an answer.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .into()
}

/// Sends a signal, by its name without `SIG`.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Resident memory in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The command line of a process, empty once it has ended: a process whose first thread is gone still holds its files
/// and ports until its other threads are gone too.
fn command_line(pid: u32) -> String {
    let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    match (zombie, threads) {
        (true, 0..=1) => String::new(),
        (true, _) => "still ending".to_owned(),
        (false, _) => std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
    }
}

/// What tells a signer's SoftHSM where its tokens are.
fn environment(pid: u32) -> Vec<(String, String)> {
    let variables = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    let pairs = variables
        .split('\0')
        .filter_map(|variable| variable.split_once('='));
    pairs
        .filter(|(name, _)| *name == "SOFTHSM2_CONF")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Waits for a condition; fails after half a minute.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The header that names the sandbox's service client.
pub const CLIENT: (&str, &str) = ("X-Road-Client", "SANDBOX/ORG/1001/client");

/// A folder beside the tests for files too large for memory.
pub fn scratch() -> PathBuf {
    std::env::temp_dir()
}
