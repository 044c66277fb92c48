//! `kiirtee log`: what is in a message log, and records of it as ASiC containers.
//!
//! Works beside a running proxy and changes nothing.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use protocol_signature::asic;
use serde::Serialize;
use storage::message_log::{
    ContainerParts, Direction, LogKeys, LoggedRecord, MessageKind, MessageLogReader, RecordId, Records,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::failure::{Failure, OrUnusable};
use crate::output::{self, Table};

/// Largest body that is put into a container: what may be logged at all (wire.md 4.3).
const MAX_BODY: u64 = 1024 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  kiirtee log list --last 20
  kiirtee log list --query-id 4894e35d-bf0f-44a6-867a-8e51f1daa7e0 --json
  kiirtee log get 1932834982348723 --out evidence/
  kiirtee log get 1932834982348723 --keys /etc/kiirtee/message-log-keys
  kiirtee log get --query-id 4894e35d-bf0f-44a6-867a-8e51f1daa7e0";

/// Arguments of `kiirtee log`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the message log (`messagelog` in the proxy's data folder)
    #[arg(
        long,
        global = true,
        env = "KIIRTEE_MESSAGE_LOG",
        default_value = "/var/lib/kiirtee/proxy/messagelog"
    )]
    message_log: PathBuf,
    /// The folder of the keys of an encrypted message log
    #[arg(long, global = true, env = "KIIRTEE_MESSAGE_LOG_KEYS", value_name = "DIR")]
    keys: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show records, oldest first
    List {
        #[command(flatten)]
        which: Which,
        /// Only the last so many
        #[arg(long)]
        last: Option<usize>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write records as ASiC containers
    Get {
        /// Ids of records, as `list` shows them
        ids: Vec<u64>,
        #[command(flatten)]
        which: Which,
        /// The folder to write to
        #[arg(long, default_value = ".")]
        out: PathBuf,
        /// Also records that have no time-stamp yet, which prove less
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Only messages with this id (`x-road-id`, SOAP `id`)
    #[arg(long)]
    query_id: Option<String>,
    /// Only records of this member or subsystem, INSTANCE/CLASS/MEMBER[/SUBSYSTEM]
    #[arg(long)]
    client: Option<String>,
}

impl Which {
    const fn is_all(&self) -> bool {
        self.query_id.is_none() && self.client.is_none()
    }

    fn includes(&self, record: &LoggedRecord) -> bool {
        self.query_id.as_ref().is_none_or(|id| *id == record.query_id)
            && self
                .client
                .as_ref()
                .is_none_or(|client| *client == record.client.to_string())
    }
}

/// Carries out `kiirtee log`.
///
/// # Errors
/// When the log cannot be read, or a record that was asked for is not there.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = arguments.message_log.display();
    let keys = arguments
        .keys
        .as_deref()
        .map(|folder| LogKeys::read(folder, None));
    let keys = keys
        .transpose()
        .or_unusable(|| "read the keys of the message log".into())?;
    let log = MessageLogReader::open_with_keys(&arguments.message_log, keys)
        .or_unusable(|| format!("open {place}; expected the message log of a proxy"))?;
    let records = log.records();
    match &arguments.command {
        Command::List { which, last, json } => list(records, which, *last, *json),
        Command::Get {
            ids,
            which,
            out,
            force,
        } => get(&log, &wanted(records, ids, which)?, out, *force),
    }
}

fn matching(records: &Records, which: &Which) -> Result<Vec<LoggedRecord>, Failure> {
    let reading = || "read the message log".to_owned();
    let mut found = Vec::new();
    for record in records.range(RecordId::MIN, RecordId::MAX).or_unusable(reading)? {
        let record = record.or_unusable(reading)?;
        if which.includes(&record) {
            found.push(record);
        }
    }
    Ok(found)
}

#[derive(Debug, Serialize)]
struct Shown {
    id: u64,
    time: String,
    query_id: String,
    request_id: Option<String>,
    direction: &'static str,
    side: &'static str,
    kind: &'static str,
    client: String,
    service: Option<String>,
    message_bytes: usize,
    body_bytes: Option<u64>,
    truncated: bool,
    time_stamped: bool,
}

fn list(records: &Records, which: &Which, last: Option<usize>, json: bool) -> Result<(), Failure> {
    let mut found = matching(records, which)?;
    let skipped = last.map_or(0, |last| found.len().saturating_sub(last));
    found.drain(..skipped);
    let shown: Result<Vec<Shown>, Failure> = found.iter().map(|record| show(records, record)).collect();
    if json {
        output::json(&shown?)
    } else {
        output::line(&table(&shown?))
    }
}

fn show(records: &Records, record: &LoggedRecord) -> Result<Shown, Failure> {
    let pending = records
        .is_pending(record.id)
        .or_unusable(|| format!("read record {}", record.id))?;
    Ok(Shown {
        id: record.id.get(),
        time: record.time.format(&Rfc3339).unwrap_or_default(),
        query_id: record.query_id.clone(),
        request_id: record.request_id.clone(),
        direction: direction(record),
        side: if record.client_side { "client" } else { "server" },
        kind: match record.kind {
            MessageKind::Soap => "SOAP",
            MessageKind::Rest => "REST",
        },
        client: record.client.to_string(),
        service: record.service.as_ref().map(ToString::to_string),
        message_bytes: record.message.len(),
        body_bytes: record.body.map(|body| body.length),
        truncated: record.truncated,
        time_stamped: !pending,
    })
}

const fn direction(record: &LoggedRecord) -> &'static str {
    match record.direction {
        Direction::Request => "request",
        Direction::Response => "response",
    }
}

fn table(records: &[Shown]) -> String {
    let headings = [
        "id",
        "time",
        "query id",
        "what",
        "client",
        "service",
        "bytes",
        "time-stamp",
    ];
    let mut table = Table::new(&headings);
    for record in records {
        let bytes = record.body_bytes.unwrap_or(0) + record.message_bytes as u64;
        table.row([
            record.id.to_string(),
            record.time.clone(),
            record.query_id.clone(),
            format!("{} {} ({})", record.kind, record.direction, record.side),
            record.client.clone(),
            record.service.clone().unwrap_or_else(|| "-".into()),
            bytes.to_string(),
            if record.time_stamped {
                "yes".into()
            } else {
                "not yet".to_owned()
            },
        ]);
    }
    table.render()
}

/// The records that `get` was asked for: by id, or by what they are.
fn wanted(records: &Records, ids: &[u64], which: &Which) -> Result<Vec<LoggedRecord>, Failure> {
    if ids.is_empty() {
        if which.is_all() {
            return Err(Failure::unusable(
                "say which records: ids, --query-id or --client",
            ));
        }
        let found = matching(records, which)?;
        return if found.is_empty() {
            Err(Failure::unusable("no such record in the message log"))
        } else {
            Ok(found)
        };
    }
    let by_id = |id: &u64| {
        let found = records
            .get(RecordId::new(*id))
            .or_unusable(|| format!("read record {id}"))?;
        found.ok_or_else(|| Failure::unusable(format!("record {id} is not in the message log")))
    };
    ids.iter().map(by_id).collect()
}

fn get(log: &MessageLogReader, wanted: &[LoggedRecord], out: &Path, force: bool) -> Result<(), Failure> {
    std::fs::create_dir_all(out).or_unusable(|| format!("make the folder {}", out.display()))?;
    for record in wanted {
        let id = record.id;
        if !force
            && log
                .records()
                .is_pending(id)
                .or_unusable(|| format!("read record {id}"))?
        {
            let advice = "wait for it, or take the record without with --force";
            return Err(Failure::unusable(format!(
                "record {id} has no time-stamp yet; {advice}"
            )));
        }
        let parts = log
            .settled(|records| records.container_of(record.clone(), MAX_BODY))
            .or_unusable(|| format!("read record {id}"))?;
        let file = out.join(file_name(record));
        let bytes =
            container(&parts, record.time).or_unusable(|| format!("make the container of record {id}"))?;
        std::fs::write(&file, bytes).or_unusable(|| format!("write {}", file.display()))?;
        output::line(&file.display().to_string())?;
    }
    Ok(())
}

/// `QUERYID-request-ID.asice`, with what is awkward in file names replaced.
fn file_name(record: &LoggedRecord) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) {
            character
        } else {
            '_'
        }
    };
    let query_id: String = record.query_id.chars().take(200).map(plain).collect();
    format!("{query_id}-{}-{}.asice", direction(record), record.id)
}

/// The container of a record.
///
/// # Errors
/// Never for want of memory or data; only as writing zip files goes.
pub fn container(parts: &ContainerParts, logged: OffsetDateTime) -> std::io::Result<Vec<u8>> {
    let chain = parts
        .hash_chain_result
        .as_deref()
        .zip(parts.hash_chain.as_deref());
    let time_stamp = parts.time_stamp.as_ref().map(|stamp| asic::BatchTimeStamp {
        result: &stamp.hash_chain_result,
        chain: &stamp.hash_chain,
        token: &stamp.token,
    });
    let contents = asic::Contents {
        message: &parts.message,
        signature: &parts.signature,
        hash_chain: chain,
        time_stamp,
        attachments: usize::from(parts.attachment.is_some()),
    };
    let mut writer = asic::Writer::new(Vec::new(), &contents, logged)?;
    if let Some(attachment) = &parts.attachment {
        writer.attachment(&mut attachment.as_slice())?;
    }
    writer.finish()
}
