//! Clients that send one request after the other until they are stopped, and keep count.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ureq::Agent;

use crate::instance::{CLIENT, Instance, agent};

/// Body sizes in bytes: small ones mostly, some that pass a buffer, a TLS record, a spool's memory.
const SIZES: [usize; 12] = [
    0, 1, 100, 1_024, 1_024, 1_024, 4_000, 1_024, 17_000, 1_024, 70_000, 400_000,
];
/// A client that was refused waits a little, as real ones do.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);
/// What counts as recent.
const RECENT: Duration = Duration::from_secs(2);

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Answered with the service's answer.
    pub(crate) answered: usize,
    /// Answered with a fault, by its code.
    faults: BTreeMap<String, usize>,
    /// Not answered at all: the connection failed.
    pub(crate) broken: usize,
    /// Why the last connection failed.
    last_break: String,
    last_failure: Option<Instant>,
}

impl Tally {
    /// How many were not answered by the service.
    pub(crate) fn failed(&self) -> usize {
        self.faults.values().sum::<usize>() + self.broken
    }

    /// The fault codes that were seen.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        self.faults.keys().map(String::as_str)
    }

    fn fail(&mut self) {
        self.last_failure = Some(Instant::now());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answered, {} broken {}, faults {:?}",
            self.answered, self.broken, self.last_break, self.faults
        )
    }
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

/// The running clients.
pub(crate) struct Storm {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Storm {
    /// Starts so many clients, each with a connection of its own that it keeps.
    pub(crate) fn start(instance: &Instance, count: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let clients = (0..count).map(|number| {
            let client = Client {
                number,
                url: instance.url("echo"),
                agent: agent(),
                shared: Arc::clone(&shared),
            };
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || client.run())
                .unwrap()
        });
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Lets the clients go on for a while.
    pub(crate) fn run_for(&self, length: Duration) {
        let until = Instant::now() + length;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The count at this moment.
    pub(crate) fn so_far(&self) -> Tally {
        self.shared.tally.lock().unwrap().clone()
    }

    /// Whether anything failed within the last seconds.
    pub(crate) fn recent_failures(&self) -> usize {
        let tally = self.so_far();
        usize::from(tally.last_failure.is_some_and(|at| at.elapsed() < RECENT))
    }

    /// Stops all clients; the ids of the messages that were answered.
    pub(crate) fn stop(self) -> Vec<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    }
}

struct Client {
    number: usize,
    url: String,
    agent: Agent,
    shared: Arc<Shared>,
}

impl Client {
    /// The ids of the messages that were answered.
    fn run(self) -> Vec<String> {
        let mut acknowledged = Vec::new();
        let mut round = self.number;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let answer = self.exchange(round);
            round += 1;
            let mut tally = self.shared.tally.lock().unwrap();
            match answer {
                Ok(id) => {
                    tally.answered += 1;
                    acknowledged.push(id);
                    continue;
                }
                Err(Failure::Fault(code)) => *tally.faults.entry(code).or_default() += 1,
                Err(Failure::Broken(why)) => {
                    tally.broken += 1;
                    tally.last_break = why;
                }
            }
            tally.fail();
            drop(tally);
            std::thread::sleep(PAUSE_AFTER_FAILURE);
        }
        acknowledged
    }

    /// One exchange; the message id of its answer.
    fn exchange(&self, round: usize) -> Result<String, Failure> {
        let size = SIZES[round % SIZES.len()];
        if round.is_multiple_of(3) {
            let request = self.agent.get(format!("{}/bytes?size={size}", self.url));
            return receive(request.header(CLIENT.0, CLIENT.1).call(), |body| {
                body.len() == size
            });
        }
        let body: Vec<u8> = (0..=250).cycle().skip(round % 251).take(size).collect();
        let request = self.agent.post(format!("{}/document?round={round}", self.url));
        let request = request
            .header(CLIENT.0, CLIENT.1)
            .header("content-type", "application/octet-stream");
        receive(request.send(&body[..]), |answer| {
            answer == body || body.is_empty()
        })
    }
}

enum Failure {
    /// The consumer's proxy said why there is no answer.
    Fault(String),
    /// It said nothing.
    Broken(String),
}

fn receive(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    is_right: impl FnOnce(&[u8]) -> bool,
) -> Result<String, Failure> {
    let broken = |error: ureq::Error| Failure::Broken(error.to_string());
    let answer = answer.map_err(broken)?;
    let header = |name: &str| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (status, code, id) = (answer.status(), header("x-road-error"), header("x-road-id"));
    let body = answer
        .into_body()
        .into_with_config()
        .limit(1 << 20)
        .read_to_vec()
        .map_err(broken)?;
    match (status.as_u16(), code) {
        (200, None) => assert!(is_right(&body), "a wrong answer of {} bytes", body.len()),
        (_, Some(code)) => return Err(Failure::Fault(code)),
        (status, None) => panic!(
            "status {status} without a code: {}",
            String::from_utf8_lossy(&body)
        ),
    }
    Ok(id.expect("an answer has its message id"))
}
