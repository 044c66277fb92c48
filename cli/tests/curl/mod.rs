//! curl as the information system: what it sees is what any client sees.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests; each file uses a part of it"
)]

use std::process::{Command, Stdio};

/// Longest time that an exchange may take, in seconds.
const LIMIT: &str = "120";

/// Whether curl is there.
pub fn is_installed() -> bool {
    let found = Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let installed = found.is_ok_and(|status| status.success());
    if !installed {
        eprintln!("SKIPPED: curl is not installed");
    }
    installed
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Statuses that went before, such as 100.
    pub interim: Vec<u16>,
    /// The status.
    pub status: u16,
    /// Headers in their order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The only header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers(name);
        assert!(values.len() < 2, "{name} came more than once: {self:?}");
        values.first().copied()
    }

    /// All headers of this name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A curl that says nothing but what was received and what went wrong.
pub fn command() -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", LIMIT]);
    command
}

/// Sends one request.
pub fn curl(arguments: &[&str]) -> Answer {
    let output = command().arg("--include").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {said}");
    parse(&output.stdout)
}

/// Throws bodies away and gives what `--write-out` says, a line for each URL.
pub fn measure(what: &str, arguments: &[&str]) -> Vec<String> {
    let urls = arguments
        .iter()
        .filter(|argument| argument.starts_with("http"))
        .count();
    let mut command = command();
    command.args(["--write-out", &format!("{what}\\n")]);
    for _ in 0..urls {
        command.args(["--output", "/dev/null"]);
    }
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {said}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn parse(mut bytes: &[u8]) -> Answer {
    let mut interim = Vec::new();
    loop {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("the end of the head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        bytes = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        if status < 200 {
            interim.push(status);
            continue;
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.map(header).collect();
        return Answer {
            interim,
            status,
            headers,
            body: bytes.to_vec(),
        };
    }
}
