//! The appliance's monitor beside a real instance: a message to itself through client proxy, signer, server proxy and message
//! log, its time-stamp, and what becomes of the verdict when a process dies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod instance;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use instance::{Instance, is_built, kiirtee};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

fn program() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_kiirtee")).parent().unwrap();
    let program = folder.join("kiirtee-appliance");
    if !program.exists() {
        eprintln!("SKIPPED: kiirtee-appliance is not built; run `cargo build --workspace` first");
        return None;
    }
    is_built().then_some(program)
}

struct Monitor {
    _root: tempfile::TempDir,
    url: String,
    proxy: String,
    child: Child,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Monitor {
    /// Watches the consumer's server, in a root where everything of the machine is well.
    fn start(program: &Path, instance: &Instance) -> Self {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let client = instance.get("consumer/subsystem");
        let document = format!(
            "[network]\ninterface = 'eth0'\naddresses = ['10.77.0.40/24']\n[time]\nservers = ['10.77.0.1']\n\
             [server]\nsigning-subject = ['C=EE', 'CN=x']\nauthentication-subject = ['C=EE', 'CN=x']\n\
             [health]\nclient = '{client}'\ninterval = 5\n"
        );
        write("var/lib/kiirtee/etc/appliance.toml", &document);
        write("run/systemd/timesync/synchronized", "");
        write("srv/evidence/x", "");
        for unit in ["signer", "confclient", "proxy"] {
            let events = format!("sys/fs/cgroup/system.slice/kiirtee-{unit}.service/cgroup.events");
            write(&events, "populated 1\n");
        }
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = instance
            .get("consumer/health")
            .trim_end_matches("/health")
            .to_owned();
        let child = Command::new(program)
            .arg("monitor")
            .arg("--root")
            .arg(root.path())
            .args(["--client-proxy", &instance.get("consumer/client_http")])
            .args(["--proxy-admin", proxy.trim_start_matches("http://")])
            .args(["--listen", &listen.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            _root: root,
            url: format!("http://{listen}"),
            proxy,
            child,
        }
    }

    /// Exit code and report of `kiirtee diagnose`.
    fn diagnose(&self) -> (Option<i32>, Value) {
        let output = kiirtee()
            .args(["diagnose", &self.url, "--proxy", &self.proxy, "--json"])
            .output()
            .unwrap();
        let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), report)
    }

    fn wait(&self, code: i32) -> Value {
        let began = Instant::now();
        loop {
            let (found, report) = self.diagnose();
            if found == Some(code) {
                return report;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{found:?} instead of {code}: {report:#}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn failing(report: &Value) -> Vec<&str> {
    let checks = report.pointer("/status/health/checks").and_then(Value::as_array);
    let failing = checks.into_iter().flatten().filter(|check| check["ok"] == false);
    failing.filter_map(|check| check["name"].as_str()).collect()
}

#[test]
fn a_real_server_is_healthy_until_its_signer_dies_and_again_when_it_is_back() {
    let Some(program) = program() else { return };
    let mut instance = Instance::up(158);
    let monitor = Monitor::start(&program, &instance);
    let report = monitor.wait(0);
    let checks = report
        .pointer("/status/health/checks")
        .and_then(Value::as_array)
        .unwrap();
    let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    for name in [
        "message",
        "message_time_stamp",
        "signing_keys",
        "authentication_key",
        "global_configuration",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let figures = report.pointer("/proxy/figures").unwrap().to_string();
    assert!(figures.contains("xroad_records_logged_total"), "{figures}");

    let killed = instance.kill("consumer-signer");
    let report = monitor.wait(1);
    assert!(
        failing(&report).contains(&"message") || failing(&report).contains(&"signer"),
        "{report:#}"
    );
    instance.restart(&killed);
    monitor.wait(0);
}
