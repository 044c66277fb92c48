//! The monitor as a process, beside a proxy that is made up: what it asks, what it makes of the answers, and what strangers
//! can do to it over the network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

const DOCUMENT: &str = r#"
[network]
interface = "eth0"
addresses = ["10.77.0.40/24"]
[time]
servers = ["10.77.0.1"]
[server]
signing-subject = ["C=EE", "CN=x"]
authentication-subject = ["C=EE", "CN=x"]
[health]
client = "TEST/GOV/1/own"
interval = 5
"#;

/// A client proxy and an admin address at once.
#[derive(Default)]
struct Proxy {
    /// The message to itself gets a fault.
    faulty: AtomicBool,
    /// Time-stamps are never had.
    unstamped: AtomicBool,
    messages: AtomicU64,
    heads: Mutex<Vec<String>>,
}

impl Proxy {
    fn start() -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Arc::new(Self::default());
        let own = Arc::clone(&proxy);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                own.answer(stream.unwrap());
            }
        });
        (proxy, address)
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let Some(request) = head.first() else { return };
        let (status, body) = match request.split(' ').nth(1).unwrap() {
            "/health" => (
                503,
                r#"{"status":"ok","checks":[{"name":"signer","ok":true}]}"#.to_owned(),
            ),
            "/metrics" => (200, self.metrics()),
            _ => self.message(),
        };
        self.heads.lock().unwrap().push(head.join("\n"));
        let length = body.len();
        let _gone = write!(
            stream,
            "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }

    fn metrics(&self) -> String {
        let until = match self.unstamped.load(Ordering::Relaxed) {
            true => 1.0,
            false => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64(),
        };
        format!("xroad_log_stamped_until_seconds {until}\n# EOF\n")
    }

    fn message(&self) -> (u16, String) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        match self.faulty.load(Ordering::Relaxed) {
            true => (
                500,
                r#"{"type":"Server.ServerProxy.X","message":"told\u001b[2J"}"#.to_owned(),
            ),
            false => (200, r#"{"service":[]}"#.to_owned()),
        }
    }
}

/// A root in which everything of the machine is well, and the monitor below it.
struct Monitor {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    child: Child,
}

impl Monitor {
    fn start(proxy: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| write(folder.path(), path, text);
        write("var/lib/kiirtee/etc/appliance.toml", DOCUMENT);
        write("run/systemd/timesync/synchronized", "");
        write("srv/evidence/x", "");
        write("usr/lib/os-release", "IMAGE_ID=kiirtee\nIMAGE_VERSION=9.0.0\n");
        write(
            "run/kiirtee/requests/signing.pem",
            "-----BEGIN CERTIFICATE REQUEST-----\n",
        );
        for unit in ["signer", "confclient", "proxy"] {
            let events = format!("sys/fs/cgroup/system.slice/kiirtee-{unit}.service/cgroup.events");
            write(&events, "populated 1\n");
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = free.local_addr().unwrap();
        drop(free);
        let child = command(folder.path(), "monitor")
            .args(["--client-proxy", &format!("http://{proxy}")])
            .args(["--proxy-admin", &proxy.to_string()])
            .args(["--listen", &listen.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let monitor = Self {
            folder,
            listen,
            child,
        };
        monitor.wait("an answer", |_| true);
        monitor
    }

    fn get(&self, path: &str) -> Option<String> {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"
        ))
    }

    /// The whole answer to these bytes.
    fn send(&self, request: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.listen).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _refused = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    fn status(&self) -> Option<Value> {
        let answer = self.get("/status")?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn wait(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            match self.status().filter(|status| condition(status)) {
                Some(status) => return status,
                None => assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.status()),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn health(&self, within: &str) -> (Option<i32>, String) {
        let output = command(self.folder.path(), "health")
            .args(["--within", within])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn command(root: &Path, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee-appliance"));
    command.arg(name).arg("--root").arg(root);
    command
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn healthy(status: &Value) -> bool {
    status["health"]["healthy"] == true
}

fn failing(status: &Value) -> Vec<&str> {
    let checks = status["health"]["checks"].as_array().unwrap();
    let failing = checks.iter().filter(|check| check["ok"] == false);
    failing.map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
fn healthy_with_a_message_and_its_time_stamp_and_failing_when_the_next_one_fails() {
    let (proxy, address) = Proxy::start();
    let monitor = Monitor::start(address);
    let status = monitor.wait("healthy", healthy);
    assert_eq!(status["version"], "9.0.0");
    assert_eq!(status["stage"], "healthy");
    let heads = proxy.heads.lock().unwrap().join("\n");
    assert!(
        heads.contains("GET /r1/TEST/GOV/1/own/listMethods HTTP/1.1"),
        "{heads}"
    );
    assert!(
        heads.to_lowercase().contains("x-road-client: test/gov/1/own"),
        "{heads}"
    );
    let (code, said) = monitor.health("10");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("ok      message_time_stamp") && said.ends_with("healthy\n"),
        "{said}"
    );

    proxy.faulty.store(true, Ordering::Relaxed);
    let status = monitor.wait("failing", |status| !healthy(status));
    assert_eq!(
        (status["stage"].as_str(), failing(&status)),
        (Some("failing"), vec!["message"])
    );
    assert!(!status.to_string().contains("\\u001b"), "{status}");
    assert_eq!(monitor.health("0").0, Some(1));

    proxy.faulty.store(false, Ordering::Relaxed);
    monitor.wait("healthy again", healthy);
}

#[test]
fn a_message_without_a_time_stamp_is_not_enough() {
    let (proxy, address) = Proxy::start();
    proxy.unstamped.store(true, Ordering::Relaxed);
    let monitor = Monitor::start(address);
    let sent = |status: &Value| {
        status["health"]["checks"]
            .as_array()
            .is_some_and(|checks| !checks.is_empty())
    };
    let status = monitor.wait("a message", |status| {
        sent(status) && proxy.messages.load(Ordering::Relaxed) > 0
    });
    assert_eq!(failing(&status), ["message_time_stamp"]);
    let (code, said) = monitor.health("0");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILING message_time_stamp"), "{said}");

    proxy.unstamped.store(false, Ordering::Relaxed);
    monitor.wait("healthy", healthy);
}

#[test]
fn a_process_or_the_clock_missing_makes_it_unhealthy() {
    let (_proxy, address) = Proxy::start();
    let monitor = Monitor::start(address);
    monitor.wait("healthy", healthy);
    let root = monitor.folder.path();
    write(
        root,
        "sys/fs/cgroup/system.slice/kiirtee-signer.service/cgroup.events",
        "populated 0\n",
    );
    std::fs::remove_file(root.join("run/systemd/timesync/synchronized")).unwrap();
    let status = monitor.wait("failing", |status| !healthy(status));
    assert_eq!(failing(&status), ["clock", "kiirtee_signer"]);
}

#[test]
fn strangers_can_ask_and_nothing_else() {
    let (_proxy, address) = Proxy::start();
    let monitor = Monitor::start(address);
    monitor.wait("healthy", healthy);
    let status_of = |answer: Option<String>| answer.unwrap().split(' ').nth(1).unwrap_or_default().to_owned();
    for (path, status) in [
        ("/", "200"),
        ("/status", "200"),
        ("/log?lines=1", "200"),
        ("/requests", "200"),
        ("/requests/signing.pem", "200"),
        ("/requests/../../../etc/os-release", "404"),
        ("/etc/passwd", "404"),
    ] {
        assert_eq!(status_of(monitor.get(path)), status, "{path}");
    }
    assert_eq!(
        status_of(monitor.send("POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345")),
        "405"
    );
    assert_eq!(status_of(monitor.send("garbage\r\n\r\n")), "400");
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    // Refused, or cut off before the answer could be read; never taken.
    assert_ne!(status_of(monitor.send(&long)), "200");
    let many: String = (0..100).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert_eq!(
        status_of(monitor.send(&format!("GET / HTTP/1.1\r\n{many}\r\n"))),
        "431"
    );
    // Connections that say nothing take the places of others only until their time is over.
    let idle: Vec<TcpStream> = (0..16)
        .map(|_| TcpStream::connect(monitor.listen).unwrap())
        .collect();
    let began = Instant::now();
    assert_eq!(status_of(monitor.get("/status")), "200");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(idle);
}

#[test]
fn an_appliance_without_settings_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = command(folder.path(), "monitor")
        .args(["--proxy-admin", "127.0.0.1:1", "--listen", &listen.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let monitor = Monitor {
        folder,
        listen,
        child,
    };
    let status = monitor.wait("the first look", |status| status["health"]["since"] != "");
    assert_eq!(status["stage"], "unprovisioned");
    let screen = command(monitor.folder.path(), "console")
        .arg("--once")
        .output()
        .unwrap();
    let screen = String::from_utf8(screen.stdout).unwrap();
    assert!(screen.contains("NOT PROVISIONED"), "{screen}");
}
