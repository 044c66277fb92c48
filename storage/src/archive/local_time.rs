//! Times in file names: local, as the reference writes them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// `yyyyMMddHHmmss` in the system's time zone.
pub(super) fn stamp(at: OffsetDateTime) -> String {
    stamp_in(at, TimeZone::system())
}

fn stamp_in(at: OffsetDateTime, zone: TimeZone) -> String {
    let timestamp = Timestamp::from_second(at.unix_timestamp()).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(zone).strftime("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn names_carry_the_time_of_the_place() {
        let noon = datetime!(2026-07-01 12:00:07 UTC);
        assert_eq!(stamp_in(noon, TimeZone::UTC), "20260701120007");
        let tallinn = TimeZone::posix("EET-2EEST,M3.5.0/3,M10.5.0/4").unwrap();
        assert_eq!(stamp_in(noon, tallinn), "20260701150007");
    }
}
