//! One connection's way through an exchange.

use std::io::{self, ErrorKind};
use std::time::Instant;

use super::answer::{Reading, Verdict};
use super::link::{Link, Received};
use super::recorder::Moments;
use crate::plan::{Plan, Scenario};
use crate::request::Template;

/// Where a connection is in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No exchange is under way.
    Idle,
    /// The connection is being made.
    Connecting,
    /// The TLS handshake is under way.
    ShakingHands,
    /// The request is being sent.
    Sending,
    /// The answer is awaited.
    Receiving,
}

/// The exchange under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which scenario.
    pub(crate) scenario: usize,
    /// When it should have been sent.
    pub(crate) due: Instant,
    /// When it was begun.
    pub(crate) sent: Instant,
    /// Bytes of the request that were sent.
    pub(crate) bytes_sent: usize,
    /// Bytes of the answer that came, after TLS.
    pub(crate) bytes_received: u64,
    /// Whether a connection was made for it.
    pub(crate) connected: bool,
    reading: Reading,
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered as expected.
    Good,
    /// Answered otherwise, or not at all: the kind, as it is counted.
    Bad(String),
}

/// A connection that is made, used and made again: one link to each target.
#[derive(Debug)]
pub(crate) struct Slot {
    links: Vec<Option<Link>>,
    /// Its own copies of the requests, in which it writes the message ids.
    templates: Vec<Template>,
    /// Where it is.
    pub(crate) phase: Phase,
    /// The exchange under way, or the last one.
    pub(crate) exchange: Exchange,
    /// The other side has closed: not to be used for another exchange.
    closing: bool,
}

impl Slot {
    pub(crate) fn new(plan: &Plan, now: Instant) -> Self {
        Self {
            links: plan.targets.iter().map(|_| None).collect(),
            templates: plan.scenarios.iter().map(|s| s.template.clone()).collect(),
            phase: Phase::Idle,
            exchange: Exchange::new(0, now, now),
            closing: false,
        }
    }

    /// Begins an exchange; returns whether a link must be made first.
    pub(crate) fn begin(
        &mut self,
        plan: &Plan,
        scenario: usize,
        number: u64,
        due: Instant,
        now: Instant,
    ) -> bool {
        self.exchange = Exchange::new(scenario, due, now);
        if let Some(template) = self.templates.get_mut(scenario) {
            template.number(number);
        }
        let linked = self.link(plan).is_some();
        self.phase = if linked { Phase::Sending } else { Phase::Connecting };
        !linked
    }

    /// The target of the exchange.
    pub(crate) fn target(&self, plan: &Plan) -> usize {
        plan.scenarios
            .get(self.exchange.scenario)
            .map_or(0, |scenario| scenario.target)
    }

    fn link(&mut self, plan: &Plan) -> Option<&mut Link> {
        let target = self.target(plan);
        self.links.get_mut(target)?.as_mut()
    }

    /// Takes a link that is being made for the exchange.
    pub(crate) fn take_link(&mut self, plan: &Plan, link: Link) {
        let target = self.target(plan);
        self.closing = false;
        if let Some(place) = self.links.get_mut(target) {
            *place = Some(link);
        }
    }

    /// Closes the link of the exchange.
    pub(crate) fn close(&mut self, plan: &Plan) {
        self.close_target(self.target(plan));
    }

    /// Closes the link to a target.
    pub(crate) fn close_target(&mut self, target: usize) {
        if let Some(place) = self.links.get_mut(target) {
            *place = None;
        }
    }

    /// The other side of a link has closed: an idle link goes at once, a busy one when its exchange is over.
    pub(crate) fn hung_up(&mut self, plan: &Plan, target: usize) {
        if self.phase == Phase::Idle || target != self.target(plan) {
            self.close_target(target);
        } else {
            self.closing = true;
        }
    }

    /// Goes on as far as the socket lets it; how the exchange ended, once it has.
    pub(crate) fn advance(&mut self, plan: &Plan, scratch: &mut [u8]) -> Option<Outcome> {
        let Some(scenario) = plan.scenarios.get(self.exchange.scenario) else {
            return Some(Outcome::Bad("no scenario".to_owned()));
        };
        match self.try_advance(plan, scenario, scratch) {
            Ok(None) => None,
            Ok(Some(outcome)) => {
                if self.closing || !plan.reuse {
                    self.close(plan);
                }
                Some(outcome)
            }
            Err(kind) => {
                self.close(plan);
                Some(Outcome::Bad(kind))
            }
        }
    }

    fn try_advance(
        &mut self,
        plan: &Plan,
        scenario: &Scenario,
        scratch: &mut [u8],
    ) -> Result<Option<Outcome>, String> {
        if self.phase == Phase::Connecting {
            let connected = self.link(plan).map_or(Ok(false), |link| link.is_connected());
            if !connected.map_err(|error| describe("connect", &error))? {
                return Ok(None);
            }
            self.exchange.connected = true;
            self.phase = Phase::ShakingHands;
        }
        if self.phase == Phase::ShakingHands {
            let done = self.link(plan).map_or(Ok(false), Link::shake_hands);
            if !done.map_err(|error| describe("TLS", &error))? {
                return Ok(None);
            }
            self.phase = Phase::Sending;
        }
        if self.phase == Phase::Sending {
            match self.send(plan) {
                Ok(false) => {}
                Ok(true) => {
                    self.phase = Phase::Receiving;
                    if self.exchange.bytes_received == 0 && !self.closing {
                        return Ok(None);
                    }
                }
                // There may be an answer all the same: who refuses a large body says why and closes.
                Err(_) => {
                    self.phase = Phase::Receiving;
                    self.closing = true;
                }
            }
        }
        self.receive(plan, scenario, scratch)
    }

    /// Sends what can be sent now; whether the request is out.
    fn send(&mut self, plan: &Plan) -> io::Result<bool> {
        let target = self.target(plan);
        let exchange = &mut self.exchange;
        let (Some(Some(link)), Some(template)) =
            (self.links.get_mut(target), self.templates.get(exchange.scenario))
        else {
            return Ok(true);
        };
        loop {
            let rest = template.rest(exchange.bytes_sent);
            if rest.is_empty() {
                return link.flush();
            }
            match link.send(rest)? {
                0 => return Ok(false),
                count => exchange.bytes_sent += count,
            }
        }
    }

    /// Receives what has come; the outcome once the answer is whole.
    fn receive(
        &mut self,
        plan: &Plan,
        scenario: &Scenario,
        scratch: &mut [u8],
    ) -> Result<Option<Outcome>, String> {
        loop {
            let target = self.target(plan);
            let exchange = &mut self.exchange;
            let Some(Some(link)) = self.links.get_mut(target) else {
                return Ok(None);
            };
            let before = link.inbox.len();
            let received = link
                .receive(scratch)
                .map_err(|error| describe("receive", &error))?;
            if received == Received::Nothing {
                return Ok(None);
            }
            exchange.bytes_received += (link.inbox.len() - before) as u64;
            let ended = received == Received::End;
            if let Some(answer) = exchange.reading.read(scenario, &mut link.inbox, ended)? {
                // Whoever answers before it has the request, or says more than its answer, cannot be gone on with.
                let odd = self.phase == Phase::Sending || !link.inbox.is_empty();
                self.closing |= odd || ended || !answer.keeps_alive;
                return Ok(Some(match answer.verdict {
                    Verdict::Good => Outcome::Good,
                    Verdict::Bad(kind) => Outcome::Bad(kind),
                }));
            }
            if received == Received::All {
                return Ok(None);
            }
        }
    }
}

impl Exchange {
    fn new(scenario: usize, due: Instant, sent: Instant) -> Self {
        Self {
            scenario,
            due,
            sent,
            bytes_sent: 0,
            bytes_received: 0,
            connected: false,
            reading: Reading::default(),
        }
    }

    /// The moments of the exchange when it is over at `now`.
    pub(crate) fn moments(&self, now: Instant) -> Moments {
        Moments {
            due: self.due,
            sent: self.sent,
            over: now,
        }
    }
}

/// A socket error as it is counted.
fn describe(during: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => format!("{during}: refused"),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => format!("{during}: reset"),
        ErrorKind::UnexpectedEof => format!("{during}: closed"),
        _ => format!("{during}: {error}"),
    }
}
