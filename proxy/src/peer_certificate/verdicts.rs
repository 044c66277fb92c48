//! What was found out about peers, for as long as it holds: a connection that is used again shows the same certificates as
//! before, and need not have them read, their chain built and OCSP responses verified once more.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::rc::Rc;

use lru::LruCache;
use protocol_pki::digest::Digest;
use time::OffsetDateTime;

use super::Presented;

/// Verdicts that a worker remembers.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

/// Good verdicts of one worker, by [`key`](super::key) of the certificates.
#[derive(Debug)]
pub(crate) struct Verdicts(RefCell<LruCache<Digest, Verdict>>);

/// A chain that is good.
#[derive(Debug)]
struct Verdict {
    presented: Rc<Presented>,
    /// From the moment of the verdict until certificates or OCSP responses run out.
    good: RangeInclusive<OffsetDateTime>,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(REMEMBERED)))
    }
}

impl Verdicts {
    /// The chain, read, if it is known to be good at this time.
    pub(crate) fn good(&self, key: &Digest, at: OffsetDateTime) -> Option<Rc<Presented>> {
        let mut verdicts = self.0.borrow_mut();
        let verdict = verdicts.get(key).filter(|verdict| verdict.good.contains(&at))?;
        Some(Rc::clone(&verdict.presented))
    }

    /// Remembers a chain that is good for so long, and gives it back.
    pub(crate) fn remember(
        &self,
        key: Digest,
        presented: Presented,
        good: RangeInclusive<OffsetDateTime>,
    ) -> Rc<Presented> {
        let presented = Rc::new(presented);
        let verdict = Verdict {
            presented: Rc::clone(&presented),
            good,
        };
        self.0.borrow_mut().put(key, verdict);
        presented
    }
}
