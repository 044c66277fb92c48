//! Record ids: time-ordered, unique for the life of a message log.

use std::fmt;

use time::OffsetDateTime;

/// Bits of an id below the microseconds.
pub(super) const SEQUENCE_BITS: u32 = 10;

/// The id of a record: microseconds since 1970 (54 bits) and a sequence (10 bits), see the crate's page.
///
/// Displays as the decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(u64);

impl RecordId {
    /// The smallest id.
    pub const MIN: Self = Self(0);
    /// The largest id; never given.
    pub const MAX: Self = Self(u64::MAX);

    /// An id from its number, e.g. one that an operator typed.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, which names the record in file names of containers (wire.md 4.4).
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The smallest id that a record logged at `time` can have; times before 1970 count as 1970.
    #[must_use]
    pub fn first_at(time: OffsetDateTime) -> Self {
        let micros = u64::try_from(micros(time)).unwrap_or(0);
        Self(micros.min(u64::MAX >> SEQUENCE_BITS) << SEQUENCE_BITS)
    }

    /// The time of the id, UTC: when the record was logged, or later when the clock had stepped backwards.
    #[must_use]
    pub fn time(self) -> OffsetDateTime {
        from_micros(i64::try_from(self.0 >> SEQUENCE_BITS).unwrap_or(i64::MAX))
    }

    pub(super) const fn to_key(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(super) fn from_key(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(|bytes| Self(u64::from_be_bytes(bytes)))
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Gives ids; larger than all before, whatever the clock does.
#[derive(Debug)]
pub(super) struct Sequence {
    last: RecordId,
}

impl Sequence {
    pub(super) const fn after(last: RecordId) -> Self {
        Self { last }
    }

    pub(super) fn next(&mut self, now: OffsetDateTime) -> RecordId {
        self.last = RecordId::first_at(now).max(self.last.next());
        self.last
    }

    pub(super) const fn last(&self) -> RecordId {
        self.last
    }
}

/// Microseconds since 1970, negative before.
pub(super) fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX)
}

/// The time of microseconds since 1970; out of range: 1970.
pub(super) fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn ids_grow_when_the_clock_stands_still_steps_back_and_steps_forward() {
        let noon = datetime!(2026-01-02 12:00 UTC);
        let mut sequence = Sequence::after(RecordId::MIN);
        let clock = [
            noon,
            noon,
            datetime!(2025-01-01 0:00 UTC),
            noon + time::Duration::MICROSECOND,
        ];
        let ids: Vec<_> = clock.iter().map(|now| sequence.next(*now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(ids[0].time(), noon);
        assert_eq!(ids[2].time(), noon);
        assert_eq!(ids[3], RecordId::first_at(clock[3]));
    }

    #[test]
    fn survives_times_out_of_range() {
        assert_eq!(RecordId::first_at(datetime!(1950-01-01 0:00 UTC)), RecordId::MIN);
        let far = RecordId::first_at(datetime!(9999-12-31 0:00 UTC));
        assert!(far < RecordId::MAX);
        assert_eq!(RecordId::MAX.time().year(), 2540);
        assert_eq!(RecordId::MAX.next(), RecordId::MAX);
    }
}
