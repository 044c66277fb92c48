//! Counting an exchange from its beginning to its end, however it ends.

use std::time::Instant;

use super::SideMetrics;

/// An exchange under way. Dropped, it is over: with a fault unless [`Counted::end`] says otherwise.
#[derive(Debug)]
#[must_use = "the exchange ends when this is dropped"]
pub struct Counted<'a> {
    metrics: &'a SideMetrics,
    began: Instant,
    answered: bool,
}

impl SideMetrics {
    /// An exchange begins.
    pub fn begin(&self) -> Counted<'_> {
        self.running.inc();
        Counted {
            metrics: self,
            began: Instant::now(),
            answered: false,
        }
    }
}

impl Counted<'_> {
    /// The exchange has ended: `answered`, or with a fault.
    pub fn end(mut self, answered: bool) {
        self.answered = answered;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let metrics = self.metrics;
        let outcome = if self.answered {
            &metrics.answered
        } else {
            &metrics.faulted
        };
        outcome.inc();
        metrics.running.dec();
        metrics.duration.observe(self.began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::{Metrics, Side};

    #[test]
    fn an_exchange_that_is_given_up_is_no_longer_under_way_and_counts_as_a_fault() {
        let metrics = Metrics::new();
        let side = metrics.side(Side::ClientProxy);
        let mut exchange = Box::pin(async {
            let counted = side.begin();
            std::future::pending::<()>().await;
            counted.end(true);
        });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(exchange.as_mut().poll(&mut context).is_pending());
        assert_eq!(side.running.get(), 1);
        drop(exchange);
        assert_eq!(
            (side.running.get(), side.faulted.get(), side.answered.get()),
            (0, 1, 0)
        );
    }

    #[test]
    fn an_exchange_counts_once_as_what_it_ended_with() {
        let metrics = Metrics::new();
        let side = metrics.side(Side::ServerProxy);
        side.begin().end(true);
        assert_eq!(
            (side.running.get(), side.faulted.get(), side.answered.get()),
            (0, 0, 1)
        );
        side.begin().end(false);
        assert_eq!(
            (side.running.get(), side.faulted.get(), side.answered.get()),
            (0, 1, 1)
        );
    }
}
