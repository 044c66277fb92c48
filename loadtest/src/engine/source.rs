//! What is sent next: which scenario, and in an open loop when.

use std::iter::Peekable;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::plan::arrivals::Arrivals;
use crate::plan::profile::Profile;
use crate::plan::{End, Mode, Plan, ceil};

/// What one thread has to send.
#[derive(Debug)]
pub(crate) struct Source {
    chance: SmallRng,
    /// Upper bounds of each scenario's share, the last being the sum of the weights.
    shares: Vec<u64>,
    pace: Pace,
    /// How many more may be sent, where a count ends the run. Those of the warm-up are not counted.
    left: Option<u64>,
    start: Instant,
    begin: Instant,
}

#[derive(Debug)]
enum Pace {
    Closed {
        connections: Profile,
        thread: u32,
        threads: u32,
    },
    Open(Box<Peekable<Arrivals>>),
}

impl Source {
    pub(crate) fn new(plan: &Plan, thread: u32, start: Instant, begin: Instant) -> Self {
        let threads = plan.threads.get();
        let mut sum = 0;
        let weights = plan.scenarios.iter().map(|scenario| u64::from(scenario.weight));
        let shares = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self {
            chance: SmallRng::seed_from_u64(plan.seed.wrapping_add(u64::from(thread) << 32)),
            shares,
            pace: pace(plan, thread, threads),
            left: match plan.end {
                End::After(_) => None,
                End::Count(count) => {
                    let (threads, thread) = (u64::from(threads), u64::from(thread));
                    Some(count / threads + u64::from(thread < count % threads))
                }
            },
            start,
            begin,
        }
    }

    /// The scenario of the next request.
    pub(crate) fn scenario(&mut self) -> usize {
        let sum = self.shares.last().copied().unwrap_or(0);
        if self.shares.len() < 2 || sum == 0 {
            return 0;
        }
        let drawn = self.chance.random_range(0..sum);
        self.shares.partition_point(|share| *share <= drawn)
    }

    /// How many connections of this thread may be busy now.
    pub(crate) fn allowed(&self, now: Instant) -> usize {
        match &self.pace {
            Pace::Open(_) => usize::MAX,
            Pace::Closed {
                connections,
                thread,
                threads,
            } => share(
                ceil(connections.level_at(now.saturating_duration_since(self.start))),
                *thread,
                *threads,
            ),
        }
    }

    /// When the next request is due: in a closed loop now. `None`: there is none.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        if self.left == Some(0) {
            return None;
        }
        match &mut self.pace {
            Pace::Closed { .. } => Some(now),
            Pace::Open(arrivals) => arrivals.peek().map(|after| self.start + *after),
        }
    }

    /// Takes the request that was due at `due`.
    pub(crate) fn take(&mut self, due: Instant) {
        if let Pace::Open(arrivals) = &mut self.pace {
            arrivals.next();
        }
        if due >= self.begin
            && let Some(left) = &mut self.left
        {
            *left = left.saturating_sub(1);
        }
    }

    /// Whether requests have instants of their own.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.pace, Pace::Open(_))
    }
}

fn pace(plan: &Plan, thread: u32, threads: u32) -> Pace {
    match &plan.mode {
        Mode::Closed { connections, .. } => Pace::Closed {
            connections: connections.after_lead(plan.warm_up),
            thread,
            threads,
        },
        Mode::Open { rate, spacing, .. } => {
            let end = match plan.end {
                End::After(duration) => plan.warm_up + duration,
                End::Count(_) => Duration::MAX,
            };
            let rate = rate.after_lead(plan.warm_up);
            Pace::Open(Box::new(
                Arrivals::new(rate, *spacing, end, thread, threads, plan.seed).peekable(),
            ))
        }
    }
}

/// One thread's share of a number.
pub(crate) fn share(number: u32, thread: u32, threads: u32) -> usize {
    let share = number / threads + u32::from(thread < number % threads);
    usize::try_from(share).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LoadOptions;
    use crate::request::ScenarioOptions;

    fn source(load: LoadOptions, weights: &[u32]) -> Source {
        let request = ScenarioOptions {
            url: Some("http://127.0.0.1/".into()),
            ..Default::default()
        };
        let mut plan = Plan::make(None, &request, &load).unwrap();
        let mut scenario = plan.scenarios.pop().unwrap();
        for weight in weights {
            scenario.weight = *weight;
            plan.scenarios.push(crate::plan::Scenario {
                name: scenario.name.clone(),
                template: scenario.template.clone(),
                ..scenario
            });
        }
        let now = Instant::now();
        Source::new(&plan, 0, now, now)
    }

    #[test]
    fn scenarios_come_in_their_shares() {
        let mut source = source(LoadOptions::default(), &[1, 0, 9]);
        let mut seen = [0_u32; 3];
        for _ in 0..10_000 {
            seen[source.scenario()] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((800..1200).contains(&seen[0]), "{seen:?}");
    }

    #[test]
    fn a_count_is_shared_by_the_threads_and_ends() {
        let whole: usize = (0..3).map(|thread| share(64, thread, 3)).sum();
        assert_eq!((share(64, 0, 3), share(64, 2, 3), whole), (22, 21, 64));
        let mut source = source(
            LoadOptions {
                count: Some(2),
                ..Default::default()
            },
            &[1],
        );
        let now = Instant::now();
        for _ in 0..2 {
            let due = source.next_due(now).unwrap();
            source.take(due);
        }
        assert_eq!(source.next_due(now), None);
    }
}
