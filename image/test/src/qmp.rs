//! Orders to a running QEMU: the QEMU Machine Protocol, lines of JSON over a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to QEMU.
#[derive(Debug)]
pub struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and agrees on the protocol.
    ///
    /// # Errors
    /// When QEMU does not listen or does not answer as the protocol says.
    pub fn connect(socket: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(socket).map_err(|why| format!("{}: {why}", socket.display()))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(|why| why.to_string())?;
        let mut qmp = Self {
            lines: BufReader::new(stream),
        };
        qmp.next()?;
        qmp.order("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Gives an order and waits for its answer; what is told in between (events) is passed over.
    ///
    /// # Errors
    /// What QEMU says against it.
    pub fn order(&mut self, name: &str, arguments: &Value) -> Result<Value, String> {
        let order = json!({"execute": name, "arguments": arguments});
        writeln!(self.lines.get_mut(), "{order}").map_err(|why| format!("{name}: {why}"))?;
        loop {
            let said = self.next()?;
            if let Some(error) = said.get("error") {
                return Err(format!("{name}: {error}"));
            }
            if let Some(answer) = said.get("return") {
                return Ok(answer.clone());
            }
        }
    }

    fn next(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).map_err(|why| why.to_string())?;
        if length == 0 {
            return Err("QEMU has gone".into());
        }
        serde_json::from_str(&line).map_err(|why| format!("QEMU said {line:?}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn events_are_passed_over_and_refusals_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let qemu = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut orders = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut say = |text: &str| writeln!(stream, "{text}").unwrap();
            say(r#"{"QMP": {}}"#);
            orders.next().unwrap().unwrap();
            say(r#"{"return": {}}"#);
            orders.next().unwrap().unwrap();
            say(r#"{"event": "RESUME"}"#);
            say(r#"{"return": {"status": "running"}}"#);
            let last = orders.next().unwrap().unwrap();
            say(r#"{"error": {"desc": "no such command"}}"#);
            last
        });
        let mut qmp = Qmp::connect(&socket).unwrap();
        assert_eq!(
            qmp.order("query-status", &json!({})).unwrap()["status"],
            "running"
        );
        assert!(
            qmp.order("fly", &json!({}))
                .unwrap_err()
                .contains("no such command")
        );
        assert!(qemu.join().unwrap().contains("fly"));
    }
}
