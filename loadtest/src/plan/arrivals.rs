//! The instants at which an open loop sends, decided before anything is sent.

use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

use super::profile::Profile;

/// How arrivals lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Spacing {
    /// At even distances.
    #[default]
    Even,
    /// By chance, as callers that know nothing of each other do (a Poisson process).
    Poisson,
}

/// The arrivals that one of several threads has to send, in order.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    rate: Profile,
    /// The area under the rate at the next arrival.
    next: f64,
    threads: f64,
    chance: Option<SmallRng>,
    end: Duration,
}

impl Arrivals {
    /// Those of thread `thread` of `threads`, up to `end`: of even ones every so-many-th, of those by chance
    /// a process of its own.
    pub(crate) fn new(
        rate: Profile,
        spacing: Spacing,
        end: Duration,
        thread: u32,
        threads: u32,
        seed: u64,
    ) -> Self {
        let mut arrivals = Self {
            rate,
            next: f64::from(thread),
            threads: f64::from(threads.max(1)),
            chance: None,
            end,
        };
        if spacing == Spacing::Poisson {
            arrivals.chance = Some(SmallRng::seed_from_u64(seed ^ u64::from(thread)));
            arrivals.next = 0.0;
            arrivals.advance();
        }
        arrivals
    }

    fn advance(&mut self) {
        let distance = match &mut self.chance {
            None => 1.0,
            Some(chance) => -(1.0 - chance.random::<f64>()).ln(),
        };
        self.next += distance * self.threads;
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let instant = self.rate.reaches(self.next).filter(|at| *at < self.end)?;
        self.advance();
        Some(instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(rate: &str, spacing: Spacing, threads: u32) -> Vec<Duration> {
        let rate: Profile = rate.parse().unwrap();
        let end = Duration::from_secs(20);
        let mut all: Vec<_> = (0..threads)
            .flat_map(|thread| Arrivals::new(rate.clone(), spacing, end, thread, threads, 7))
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn chance_keeps_the_rate_and_not_the_distances() {
        let arrivals = all("500", Spacing::Poisson, 3);
        assert!((9_600..10_400).contains(&arrivals.len()), "{}", arrivals.len());
        let gaps = arrivals.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
        let short = gaps.filter(|gap| *gap < 0.001).count() as f64 / arrivals.len() as f64;
        // 1 - e^(-1/2) of the gaps are shorter than half of the mean.
        assert!((short - 0.393).abs() < 0.03, "{short}");
    }

    proptest! {
        #[test]
        fn threads_together_send_what_one_alone_would(threads in 1_u32..9, from in 0_u32..400, to in 1_u32..400) {
            let rate = format!("{from}..{to}/10s");
            prop_assert_eq!(all(&rate, Spacing::Even, threads), all(&rate, Spacing::Even, 1));
        }
    }
}
