//! The loop of a thread: which connection sends when.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::Times;
use super::link::Link;
use super::recorder::{Recorder, Report};
use super::slot::{Outcome, Phase, Slot};
use super::source::{Source, share};
use crate::plan::{Mode, Plan};

/// Events that are taken at once.
const EVENTS: usize = 1024;
/// Room for a read, in bytes.
const READ_SIZE: usize = 64 * 1024;
/// How often time-outs, ramps and the end are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a connection of a closed loop waits after a failure before it tries again.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// The token of the timer, which no socket can have.
const TIMER: u64 = u64::MAX;
/// A timer set to nothing would be switched off.
const SHORTEST_WAIT: Duration = Duration::from_nanos(1);

/// What is wanted of every socket. With edges, a socket is registered once and never asked about again.
const WANTED: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// A thread's connections and what it does with them.
struct Worker<'a> {
    plan: &'a Plan,
    times: Times,
    epoll: OwnedFd,
    /// Wakes the loop at an arrival's instant: waiting with epoll itself is to the millisecond.
    timer: OwnedFd,
    slots: Vec<Slot>,
    /// Slots without an exchange, the one that has waited longest first.
    idle: VecDeque<usize>,
    /// Slots that rest after a failure, and until when.
    resting: VecDeque<(Instant, usize)>,
    source: Source,
    recorder: Recorder,
    reports: Sender<Report>,
    scratch: Vec<u8>,
    /// The number of the next message: the thread in its upper bits.
    number: u64,
    now: Instant,
}

/// Sends what the plan says until it ends.
pub(super) fn run(
    index: u32,
    plan: &Plan,
    times: Times,
    stop: &AtomicBool,
    reports: Sender<Report>,
) -> io::Result<()> {
    // By default the kernel may wake us 50 µs late, to save energy: that would be in every latency.
    // A kernel that refuses is one that we can live with.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let slots = share(plan.connections(), index, plan.threads.get());
    let expected_interval = match &plan.mode {
        Mode::Closed {
            expected_interval, ..
        } => *expected_interval,
        Mode::Open { .. } => None,
    };
    let mut worker = Worker {
        plan,
        times,
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        timer: timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?,
        slots: (0..slots).map(|_| Slot::new(plan, times.start)).collect(),
        idle: (0..slots).collect(),
        resting: VecDeque::new(),
        source: Source::new(plan, index, times.start, times.begin),
        recorder: Recorder::new(
            plan.scenarios.len(),
            times.begin,
            times.end,
            plan.interval,
            expected_interval,
        ),
        reports,
        scratch: vec![0; READ_SIZE],
        number: u64::from(index) << 48,
        now: times.start,
    };
    epoll::add(
        &worker.epoll,
        &worker.timer,
        EventData::new_u64(TIMER),
        EventFlags::IN | EventFlags::ET,
    )?;
    std::thread::sleep(times.start.saturating_duration_since(Instant::now()));
    worker.send_and_receive(stop)?;
    worker.finish();
    Ok(())
}

impl Worker<'_> {
    fn send_and_receive(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut next_tick = Instant::now();
        loop {
            self.now = Instant::now();
            if self.now >= next_tick {
                self.tick();
                next_tick = self.now + TICK;
            }
            if self.now >= self.recorder.next_boundary() {
                let _ = self.reports.send(self.recorder.report(self.now));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let due = self.start_due();
            if self.is_over(due) {
                return Ok(());
            }
            let wait = due.map_or(next_tick, |due| due.min(next_tick));
            let wait = self.resting.front().map_or(wait, |(until, _)| wait.min(*until));
            self.wait(&mut events, wait)?;
            for event in events.drain(..) {
                self.handle(&event);
            }
        }
    }

    /// Waits for events until `until`.
    fn wait(&self, events: &mut Vec<Event>, until: Instant) -> io::Result<()> {
        let time = until.saturating_duration_since(self.now);
        let time = Timespec::try_from(time.max(SHORTEST_WAIT)).map_err(io::Error::other)?;
        if self.source.is_open() {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: time,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        }
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts what is due on the connections that are free; when the next is due that could be sent.
    fn start_due(&mut self) -> Option<Instant> {
        while let Some((until, slot)) = self.resting.front().copied()
            && until <= self.now
        {
            self.resting.pop_front();
            self.idle.push_back(slot);
        }
        if self.times.end.is_some_and(|end| self.now >= end) && !self.source.is_open() {
            return None;
        }
        let allowed = self.source.allowed(self.now);
        while let Some(slot) = self.idle.front().copied() {
            let busy = self.slots.len() - self.idle.len() - self.resting.len();
            if busy >= allowed {
                return None;
            }
            let due = self.source.next_due(self.now)?;
            if due > self.now {
                return Some(due);
            }
            self.idle.pop_front();
            self.start(slot, due);
        }
        None
    }

    fn start(&mut self, index: usize, due: Instant) {
        self.source.take(due);
        let scenario = self.source.scenario();
        self.number += 1;
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let needs_link = slot.begin(self.plan, scenario, self.number, due, self.now);
        if needs_link && let Err(error) = connect(&self.epoll, self.plan, slot, index) {
            slot.close(self.plan);
            return self.over(index, &Outcome::Bad(format!("connect: {error}")));
        }
        self.advance(index);
    }

    fn handle(&mut self, event: &Event) {
        let targets = self.plan.targets.len().max(1);
        let token = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
        let (index, target) = (token / targets, token % targets);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let flags = event.flags;
        let gone = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        if gone && slot.phase != Phase::Connecting {
            slot.hung_up(self.plan, target);
        }
        if slot.phase != Phase::Idle && slot.target(self.plan) == target {
            self.advance(index);
        }
    }

    fn advance(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if let Some(outcome) = slot.advance(self.plan, &mut self.scratch) {
            self.now = Instant::now();
            self.over(index, &outcome);
        }
    }

    /// An exchange is over: count it, and let the connection go on.
    fn over(&mut self, index: usize, outcome: &Outcome) {
        self.count(index, outcome, false);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.phase = Phase::Idle;
        if *outcome == Outcome::Good || self.source.is_open() {
            self.idle.push_back(index);
        } else {
            self.resting.push_back((self.now + REST_AFTER_FAILURE, index));
        }
        // Without waiting for the other events of this round: the answer of another connection may be far behind.
        if !self.source.is_open() {
            self.start_due();
        }
    }

    fn count(&mut self, index: usize, outcome: &Outcome, waited: bool) {
        let Some(Slot { exchange, .. }) = self.slots.get(index) else {
            return;
        };
        let (scenario, moments) = (exchange.scenario, exchange.moments(self.now));
        match outcome {
            Outcome::Good => self.recorder.answered(scenario, moments),
            Outcome::Bad(what) => self.recorder.failed(scenario, what, moments, waited),
        }
        self.recorder.bytes(
            scenario,
            exchange.due,
            exchange.bytes_sent as u64,
            exchange.bytes_received,
        );
        if exchange.connected {
            self.recorder.connected(scenario, exchange.due);
        }
    }

    /// What is looked at now and then: time-outs.
    fn tick(&mut self) {
        for index in 0..self.slots.len() {
            if let Some(what) = self.slots.get(index).and_then(|slot| self.expired(slot)) {
                self.give_up(index, what, true);
                self.idle.push_back(index);
            }
        }
    }

    fn expired(&self, slot: &Slot) -> Option<&'static str> {
        let since = self.now.saturating_duration_since(slot.exchange.sent);
        match slot.phase {
            Phase::Idle => None,
            Phase::Connecting | Phase::ShakingHands if since >= self.plan.connect_time_out => {
                Some("connect: time-out")
            }
            _ if since >= self.plan.time_out => Some("time-out"),
            _ => None,
        }
    }

    fn give_up(&mut self, index: usize, what: &str, waited: bool) {
        self.count(index, &Outcome::Bad(what.to_owned()), waited);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.close(self.plan);
            slot.phase = Phase::Idle;
        }
    }

    fn is_over(&mut self, due: Option<Instant>) -> bool {
        if self
            .times
            .end
            .is_some_and(|end| self.now >= end + self.plan.drain)
        {
            return true;
        }
        let busy = self.slots.len() - self.idle.len() - self.resting.len();
        let ended = self.times.end.is_some_and(|end| self.now >= end) && !self.source.is_open();
        busy == 0 && due.is_none() && (ended || self.source.next_due(self.now).is_none())
    }

    /// Counts what is left: exchanges without an answer, and arrivals that no connection was free for.
    fn finish(&mut self) {
        self.now = Instant::now();
        for index in 0..self.slots.len() {
            if self
                .slots
                .get(index)
                .is_some_and(|slot| slot.phase != Phase::Idle)
            {
                self.give_up(index, "no answer at the end", true);
            }
        }
        if self.source.is_open() {
            self.count_unsent();
        }
        let _ = self.reports.send(self.recorder.report(self.now));
    }

    fn count_unsent(&mut self) {
        while let Some(due) = self.source.next_due(self.now).filter(|due| *due <= self.now) {
            self.source.take(due);
            let scenario = self.source.scenario();
            let moments = super::recorder::Moments {
                due,
                sent: self.now,
                over: self.now,
            };
            self.recorder.failed(scenario, "never sent", moments, true);
        }
    }
}

/// Begins to connect a slot to the target of its exchange.
fn connect(epoll: &OwnedFd, plan: &Plan, slot: &mut Slot, index: usize) -> io::Result<()> {
    let number = slot.target(plan);
    let target = plan.targets.get(number).ok_or(io::ErrorKind::NotFound)?;
    let link = Link::connect(target, plan.tls.as_ref())?;
    let token = index * plan.targets.len() + number;
    epoll::add(epoll, link.descriptor(), EventData::new_u64(token as u64), WANTED)?;
    slot.take_link(plan, link);
    Ok(())
}
