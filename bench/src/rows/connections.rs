//! Ten thousand client connections that once asked something and now are silent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use cli::failure::{Failure, OrUnusable};

use super::Target::{AtLeast, AtMost};
use super::{Finding, Stage};
use crate::cpu;
use crate::load::CLIENT;
use crate::measure::{Ask, Sample, Series, Subject};
use crate::servers::{Servers, Shape};
use crate::stats::number;

/// How many connections there are.
const CONNECTIONS: usize = 10_000;
/// How many threads open them.
const OPENERS: usize = 50;
/// How long one may take to be served.
const PATIENCE: Duration = Duration::from_secs(60);

/// `connections`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let bed = stage.bed;
    let servers = stage.others(&Shape {
        // More than the usual bound of 5000 for a port and worker, as an operator of so many clients would set it.
        proxy: vec![("anti-dos", "max-parallel-connections", 20_000.into())],
        ..Shape::default()
    })?;
    let proxy = servers.process("consumer-proxy")?;
    Ask::ONE.of(&servers, bed.connections, 2).run(bed)?;
    let (mut without, mut with) = (Series::default(), Series::default());
    bed.each_round(|| {
        without
            .0
            .push(Sample::take(bed, &servers, Ask::ONE, bed.connections)?);
        Ok(())
    })?;
    let before = cpu::resident_megabytes(proxy)?;
    let idle = open(&servers)?;
    let resident = cpu::resident_megabytes(proxy)?;
    bed.each_round(|| {
        with.0
            .push(Sample::take(bed, &servers, Ask::ONE, bed.connections)?);
        Ok(())
    })?;
    let after = cpu::resident_megabytes(proxy)?;
    let alive = idle.iter().filter(|connection| is_open(connection)).count();
    let share = without.cpu().median / with.cpu().median;
    let most = resident.max(after);
    Ok(vec![
        Finding::new(
            "10,000 idle client connections: memory of the proxy, MB",
            ("under 300", AtMost(300.0)),
            (number(most), most),
        )
        .with(format!(
            "{} MB before, {} with the connections, {} after load besides; {alive} of {CONNECTIONS} still open",
            number(before),
            number(resident),
            number(after)
        ))
        .with("each connection has had one exchange"),
        Finding::new(
            "new requests beside them: exchanges a CPU-second, share of those without",
            ("unaffected: at least 0.9", AtLeast(0.9)),
            (number(share), share),
        )
        .with(format!("without: {}", without.words()))
        .with(format!("with: {}", with.words())),
    ])
}

fn open(servers: &Servers) -> Result<Vec<TcpStream>, Failure> {
    let openers: Result<Vec<Vec<TcpStream>>, Failure> = thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(|| some(servers))).collect();
        openers
            .into_iter()
            .map(|opener| {
                opener
                    .join()
                    .map_err(|_| Failure::unusable("connections could not be opened"))?
            })
            .collect()
    });
    Ok(openers?.into_iter().flatten().collect())
}

fn some(servers: &Servers) -> Result<Vec<TcpStream>, Failure> {
    (0..CONNECTIONS / OPENERS).map(|_| used_once(servers)).collect()
}

/// A kept connection over which one exchange was made.
fn used_once(servers: &Servers) -> Result<TcpStream, Failure> {
    let url = servers.url(Ask::ONE.path);
    let doing = || format!("ask {url} over a connection of its own");
    let rest = url.trim_start_matches("http://");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).or_unusable(doing)?;
    stream.set_read_timeout(Some(PATIENCE)).or_unusable(doing)?;
    let head = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nX-Road-Client: {CLIENT}\r\n\r\n");
    stream.write_all(head.as_bytes()).or_unusable(doing)?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    // The answer ends in the backend's letters, or in the chunk that says that nothing follows.
    while !received.ends_with(b"yyyy") && !received.ends_with(b"0\r\n\r\n") {
        let count = stream.read(&mut buffer).or_unusable(doing)?;
        if count == 0 {
            return Err(Failure::unusable(format!(
                "{} closed: {}",
                doing(),
                String::from_utf8_lossy(&received)
            )));
        }
        received.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(stream)
}

/// Whether the other end has not closed: nothing is there to be read, and no end either.
fn is_open(connection: &TcpStream) -> bool {
    let looked = connection.set_nonblocking(true);
    let mut byte = [0];
    looked.is_ok()
        && connection
            .peek(&mut byte)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}
