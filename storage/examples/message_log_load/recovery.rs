//! A large log, killed while it is written, and opened again.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use storage::message_log::{MessageLog, RecordId, Settings};

use crate::Outcome;
use crate::records::{Maker, client, query_id};

/// Records in flight.
const IN_FLIGHT: usize = 64;
/// Records that share a signature document.
const BATCH: u64 = 16;
/// Bytes of a message: with its hash chain and a share of the signature document about 16 KiB a record.
const MESSAGE: usize = 14 << 10;
/// Of the records acknowledged before the kill each is looked at among so many last ones, and one in a thousand of the rest.
const LAST: usize = 20_000;

/// Where `fill` notes what was acknowledged: number and id, a line each.
fn notes(directory: &Path) -> PathBuf {
    directory.with_extension("acknowledged")
}

/// Appends until so much was written, says `full`, and goes on until it is killed.
pub(crate) fn fill(directory: &Path, mebibytes: u64) -> Outcome {
    let _ = fs::remove_dir_all(directory);
    let log = MessageLog::open(directory, Settings::default())?;
    log.set_time_stamping_provider_configured(true);
    let maker = Maker::new(BATCH);
    let mut notes = std::io::BufWriter::new(fs::File::create(notes(directory))?);
    let (mut waiting, mut full) = (VecDeque::new(), false);
    for number in 0_u64.. {
        waiting.push_back((number, log.append(maker.record(&log, number, MESSAGE)?)));
        if waiting.len() < IN_FLIGHT {
            continue;
        }
        if let Some((number, answer)) = waiting.pop_front() {
            writeln!(notes, "{number} {}", answer.recv()??.id())?;
        }
        if !full && number.is_multiple_of(1024) && log.figures().bytes >> 20 >= mebibytes {
            full = true;
            println!("full");
            std::io::stdout().flush()?;
        }
        if full {
            // From here on each acknowledgement is noted at once: the kill comes.
            notes.flush()?;
        }
    }
    Ok(())
}

/// Opens, appends, and looks for everything that was acknowledged.
pub(crate) fn recover(directory: &Path) -> Outcome {
    let started = Instant::now();
    let log = MessageLog::open(directory, Settings::default())?;
    let opened = started.elapsed();
    log.set_time_stamping_provider_configured(true);
    let maker = Maker::new(BATCH);
    let receipt = log
        .append(maker.record(&log, u64::from(u32::MAX), MESSAGE)?)
        .recv()??;
    let first = started.elapsed();
    println!("opened after {opened:.2?}, first record durable after {first:.2?}");

    let acknowledged = read_notes(directory)?;
    let last = acknowledged.len().saturating_sub(LAST);
    let mut looked = 0_u64;
    for (at, (number, id)) in acknowledged.iter().enumerate() {
        if at < last && at % 1000 != 0 {
            continue;
        }
        let parts = log
            .records()
            .container(*id, 0)?
            .ok_or_else(|| format!("record {number} is lost"))?;
        if parts.message != maker.piece(*number, MESSAGE) {
            return Err(format!("record {number} is damaged").into());
        }
        if log.records().find(&client(), &query_id(*number))? != [*id] {
            return Err(format!("record {number} is not in the index").into());
        }
        looked += 1;
    }
    if acknowledged.last().is_none_or(|(_, last)| *last >= receipt.id()) {
        return Err("an id was given again, or nothing was acknowledged".into());
    }
    println!(
        "{} records acknowledged before the kill; all {looked} looked at are there",
        acknowledged.len()
    );
    Ok(())
}

fn read_notes(directory: &Path) -> Result<Vec<(u64, RecordId)>, Box<dyn std::error::Error>> {
    let mut acknowledged = Vec::new();
    for line in BufReader::new(fs::File::open(notes(directory))?).lines() {
        let line = line?;
        // The last line may be cut by the kill: then the id is short and smaller than the one before.
        let Some((number, id)) = line.split_once(' ') else {
            break;
        };
        let id = RecordId::new(id.parse()?);
        if acknowledged.last().is_some_and(|(_, before)| *before >= id) {
            break;
        }
        acknowledged.push((number.parse()?, id));
    }
    Ok(acknowledged)
}
