//! The last warnings and errors of the journal, by `journalctl`: the journal's files have no other stable interface.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::monitor::status::{LogLine, MAX_MESSAGE, harmless};

/// Lines that are read at most.
pub const MAX_LINES: usize = 200;
/// Bytes that are read at most; a line of the journal has 48 KiB at most where nobody raised that.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Characters of a unit's name that are told.
const MAX_UNIT: usize = 80;

/// The last `lines` entries of this boot with priority warning and worse, the newest last; none where there is no journal.
#[must_use]
pub fn last(lines: usize) -> Vec<LogLine> {
    let lines = format!("--lines={}", lines.min(MAX_LINES));
    let child = Command::new("journalctl")
        .args([
            "--boot",
            "--priority=warning",
            "--output=json",
            "--no-pager",
            "--quiet",
            &lines,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Why it cannot read is for the journal.
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut child) = child else { return Vec::new() };
    let read = child.stdout.take().map(|output| read(output.take(MAX_BYTES)));
    // What is left unread ends it.
    let _ended = child.wait();
    read.unwrap_or_default()
}

fn read(output: impl Read) -> Vec<LogLine> {
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    lines.filter_map(|line| entry(&line)).collect()
}

/// An entry as `journalctl -o json` writes it (systemd.journal-fields(7)).
fn entry(line: &str) -> Option<LogLine> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let text = |name: &str| fields.get(name).and_then(text_of);
    let micros: i128 = text("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(micros.checked_mul(1000)?).ok()?;
    let unit = text("_SYSTEMD_UNIT").or_else(|| text("SYSLOG_IDENTIFIER"));
    Some(LogLine {
        time: at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).ok()?,
        priority: text("PRIORITY").and_then(|digit| digit.parse().ok()).unwrap_or(4),
        unit: harmless(&unit.unwrap_or_default(), MAX_UNIT),
        message: harmless(&text("MESSAGE").unwrap_or_default(), MAX_MESSAGE),
    })
}

/// A field's value; what is no text comes as an array of bytes, a field that occurs more than once as an array of values.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) if parts.iter().all(Value::is_u64) => {
            let byte = |part: &Value| part.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Vec<u8> = parts.iter().filter_map(byte).collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Array(values) => values.first().and_then(text_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_what_is_none_is_passed_over() {
        let output = concat!(
            r#"{"__REALTIME_TIMESTAMP":"1700000000123456","PRIORITY":"3","_SYSTEMD_UNIT":"kiirtee-proxy.service","MESSAGE":"no signer"}"#,
            "\nnot json\n{}\n",
            r#"{"__REALTIME_TIMESTAMP":"1700000001000000","SYSLOG_IDENTIFIER":"kernel","MESSAGE":[27,91,50,74,104,105]}"#,
            "\n",
        );
        let lines = read(output.as_bytes());
        let [proxy, kernel] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(proxy.time, "2023-11-14T22:13:20Z");
        assert_eq!(
            (proxy.priority, proxy.unit.as_str()),
            (3, "kiirtee-proxy.service")
        );
        assert_eq!(proxy.message, "no signer");
        // Bytes that are no text come as numbers; none of them steers a terminal.
        assert_eq!((kernel.priority, kernel.message.as_str()), (4, "[2Jhi"));
    }
}
