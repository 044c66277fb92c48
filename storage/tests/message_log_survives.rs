//! What the message log promises when the process is killed and when the disk fails.
//!
//! Each test runs this very test program again as a child that appends records and prints what was acknowledged,
//! then kills it, or lets its disk run full, and looks at what is in the log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use storage::message_log::{
    Direction, LogError, LogReceipt, LoggedRecord, MessageKind, MessageLog, Record, RecordId, Settings,
};
use time::OffsetDateTime;

/// Set in children: where the log is.
const DIRECTORY: &str = "KIIRTEE_TEST_LOG";
/// Set in children: number of the run, part of the query ids.
const RUN: &str = "KIIRTEE_TEST_RUN";
/// How often the log is killed. `KIIRTEE_TEST_KILLS` asks for more.
const KILLS: u32 = 200;
/// The test ends early, but not before half of the kills, when this is over.
const PATIENCE: Duration = Duration::from_secs(50);
/// Records handed in before the first of them is awaited.
const IN_FLIGHT: usize = 16;
/// Every so many records one has a streamed body.
const BODY_EVERY: u64 = 8;

fn client() -> ClientId {
    ClientId::subsystem("EE", "GOV", "1", "sub")
}

fn open(directory: &Path) -> MessageLog {
    let log = MessageLog::open(directory, Settings::default()).unwrap();
    log.set_time_stamping_provider_configured(true);
    log
}

/// Bytes that tell which record they belong to, and in which place.
fn content(query_id: &str, length: usize) -> Vec<u8> {
    query_id.bytes().chain(*b" ").cycle().take(length).collect()
}

fn message_length(number: u64) -> usize {
    usize::try_from(200 + number * 37 % 3000).unwrap()
}

fn body_length(number: u64) -> usize {
    usize::try_from(number * 9973 % 300_000).unwrap()
}

fn record(log: &MessageLog, run: &str, number: u64) -> Result<Record, LogError> {
    let query_id = format!("{run}-{number}");
    let mut body = None;
    if number.is_multiple_of(BODY_EVERY) {
        let mut writer = log.body_writer();
        for part in content(&query_id, body_length(number)).chunks(40_000) {
            writer.append_blocking(Bytes::copy_from_slice(part))?;
        }
        body = Some(writer.finish()?);
    }
    Ok(Record {
        time: OffsetDateTime::now_utc(),
        message: Bytes::from(content(&query_id, message_length(number))),
        // Batches of eight share a signature document.
        signature: Bytes::from(content(&format!("signature {}", number / 8), 3000)),
        hash_chain: Some(Bytes::from(content(&query_id, 300))),
        query_id,
        request_id: None,
        direction: Direction::Request,
        client_side: true,
        client: client(),
        service: None,
        kind: MessageKind::Rest,
        hash_chain_result: Some(Bytes::from_static(b"<result/>")),
        body,
        truncated: false,
    })
}

/// The child: appends until it is killed or the log fails; a line `ack <number> <id>` for each receipt.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let (Ok(directory), Ok(run)) = (std::env::var(DIRECTORY), std::env::var(RUN)) else {
        return;
    };
    let log = open(Path::new(&directory));
    let mut waiting = std::collections::VecDeque::new();
    let mut failed = false;
    for number in 0.. {
        let answer = match record(&log, &run, number) {
            Ok(record) => log.append(record),
            Err(_) => break,
        };
        waiting.push_back((number, answer));
        if waiting.len() == IN_FLIGHT {
            let (number, answer) = waiting.pop_front().unwrap();
            let Ok(receipt) = answer.recv().unwrap() else {
                failed = true;
                break;
            };
            say(number, &receipt);
        }
    }
    println!("failed");
    // A body that could not be written ends the loop while records before the failure still wait for their receipts.
    for (number, answer) in waiting {
        match answer.recv().unwrap() {
            Ok(receipt) => {
                assert!(!failed, "a receipt after a failure");
                say(number, &receipt);
            }
            Err(_) => failed = true,
        }
    }
    let last = Record {
        body: None,
        ..record(&log, &run, 1).unwrap()
    };
    assert!(matches!(log.append(last).recv().unwrap(), Err(LogError::Stopped)));
    println!("stopped");
}

/// One system call a line, so that a kill does not lose what was acknowledged.
fn say(number: u64, receipt: &LogReceipt) {
    let line = format!("ack {number} {}\n", receipt.id());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

fn start(mut command: Command, directory: &Path, run: u32) -> (Child, BufReader<ChildStdout>) {
    command
        .env(DIRECTORY, directory)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

const CHILD_ARGUMENTS: [&str; 4] = ["child", "--exact", "--ignored", "--nocapture"];

/// What was acknowledged, and the other lines.
fn acknowledged(printed: impl IntoIterator<Item = String>) -> (BTreeMap<u64, RecordId>, Vec<String>) {
    let (mut acks, mut others) = (BTreeMap::new(), Vec::new());
    for line in printed {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["ack", number, id] => {
                // A line cut by the kill has fewer digits; the record that it then names would not fit.
                let (Ok(number), Ok(id)) = (number.parse(), id.parse()) else {
                    continue;
                };
                acks.insert(number, RecordId::new(id));
            }
            _ => others.push(line),
        }
    }
    (acks, others)
}

/// Every acknowledged record is there, whole and in order; what else is there is whole as well.
fn check(log: &MessageLog, run: u32, after: RecordId, acks: &BTreeMap<u64, RecordId>) -> RecordId {
    let records = log.records();
    let mut found = BTreeMap::new();
    let mut last = after;
    for record in records
        .range(RecordId::new(after.get() + 1), RecordId::MAX)
        .unwrap()
    {
        let record: LoggedRecord = record.unwrap();
        last = record.id;
        let number: u64 = record
            .query_id
            .strip_prefix(&format!("{run}-"))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(records.find(&client(), &record.query_id).unwrap(), [record.id]);
        assert!(records.is_pending(record.id).unwrap());
        let (id, query_id) = (record.id, record.query_id.clone());
        let parts = records.container_of(record, 1 << 20).unwrap();
        assert_eq!(parts.message, content(&query_id, message_length(number)));
        assert_eq!(
            parts.signature,
            content(&format!("signature {}", number / 8), 3000)
        );
        assert_eq!(parts.hash_chain.unwrap(), content(&query_id, 300));
        let body = number
            .is_multiple_of(BODY_EVERY)
            .then(|| content(&query_id, body_length(number)));
        assert!(parts.attachment == body, "the body of {query_id}");
        found.insert(number, id);
    }
    for (number, id) in acks {
        assert_eq!(
            found.get(number),
            Some(id),
            "record {number} of run {run} was acknowledged"
        );
    }
    // No gap before the last: a record is not durable before those handed in earlier.
    assert!(found.keys().copied().eq(0..u64::try_from(found.len()).unwrap()));
    assert!(found.values().is_sorted());
    last
}

/// When a run is killed. Not random across runs of the test in its parameters, but in what the operating system makes
/// of them.
enum Moment {
    /// After a time: while the log opens, or writes its first group.
    After(Duration),
    /// In the middle of the load, however slow the machine is: after so many receipts.
    Receipts(usize),
}

fn moment(run: u32) -> Moment {
    let spread = u64::from(run).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    if run.is_multiple_of(2) {
        Moment::After(Duration::from_micros(spread % 120_000))
    } else {
        Moment::Receipts(usize::try_from(spread % 100).unwrap())
    }
}

/// Waits for the moment and kills; the lines that the child printed.
fn kill_at(moment: &Moment, child: &mut Child, output: BufReader<ChildStdout>) -> Vec<String> {
    let mut lines = output.lines().map_while(Result::ok);
    let mut printed = Vec::new();
    match moment {
        Moment::After(time) => std::thread::sleep(*time),
        Moment::Receipts(count) => {
            let mut receipts = 0;
            while receipts < *count {
                let line = lines.next().expect("the child runs until it is killed");
                receipts += usize::from(line.starts_with("ack "));
                printed.push(line);
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    printed.extend(lines);
    printed
}

#[test]
fn being_killed_at_any_moment_loses_nothing_that_was_acknowledged() {
    let kills = std::env::var("KIIRTEE_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut last = RecordId::MIN;
    let (mut acknowledged_in_all, mut killed) = (0, 0);
    for run in 0..kills {
        if started.elapsed() > PATIENCE && run >= KILLS / 2 {
            break;
        }
        let mut command = Command::new(this_program());
        command.args(CHILD_ARGUMENTS);
        let (mut child, output) = start(command, directory.path(), run);
        let printed = kill_at(&moment(run), &mut child, output);
        killed += 1;
        let (acks, others) = acknowledged(printed);
        assert!(!others.iter().any(|line| line == "failed"), "{others:?}");
        acknowledged_in_all += acks.len();
        let log = open(directory.path());
        last = check(&log, run, last, &acks);
    }
    println!(
        "{killed} kills, {acknowledged_in_all} records acknowledged, all there ({:?})",
        started.elapsed()
    );
    assert!(
        acknowledged_in_all > 1000,
        "the kills came before the log did anything: {acknowledged_in_all}"
    );
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    // Files may grow to 4 MiB (in units of 512 bytes, or 1024 where sh is bash), then writing fails as on a full disk.
    let script = r#"trap '' XFSZ; ulimit -f 8192; exec "$0" "$@""#;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .arg(this_program())
        .args(CHILD_ARGUMENTS)
        .stderr(Stdio::null());
    let (mut child, output) = start(command, directory.path(), 0);
    let (acks, others) = acknowledged(output.lines().map_while(Result::ok));
    assert!(child.wait().unwrap().success(), "{others:?}");
    assert!(
        others.iter().any(|line| line == "failed") && others.iter().any(|line| line == "stopped"),
        "{others:?}"
    );
    assert!(acks.len() > 100, "{}", acks.len());
    let log = open(directory.path());
    let last = check(&log, 0, RecordId::MIN, &acks);
    let again = log.append(record(&log, "1", 1).unwrap()).recv().unwrap().unwrap();
    assert!(again.id() > last);
}
