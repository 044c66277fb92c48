//! When work beside the request path is due: Quartz cron expressions, as the reference has them (features.md 7.5).

use std::time::Duration;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use serde::Deserialize;

use super::time_stamping::Stop;

/// Longest sleep before the clock is looked at again, since it may have been set meanwhile.
const NAP: Duration = Duration::from_secs(30);

/// A cron expression of Quartz: second, minute, hour, day of the month, month, day of the week (1 = Sunday) and,
/// optionally, year; in the system's time zone.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    expression: String,
    cron: Cron,
}

impl Schedule {
    /// When it is due next after `now`; `None`: never again.
    #[must_use]
    pub fn next_after(&self, now: &Zoned) -> Option<Zoned> {
        self.cron.find_next_occurrence(now, false).ok()
    }

    /// Sleeps until it is due next; false, early, when the thread shall stop.
    #[must_use]
    pub fn sleep(&self, stop: &Stop) -> bool {
        let due = self.next_after(&Zoned::now());
        loop {
            let left = due.as_ref().map_or(NAP, left_until);
            if left.is_zero() {
                return !stop.is_told();
            }
            if !stop.sleep(left.min(NAP)) {
                return false;
            }
        }
    }
}

fn left_until(due: &Zoned) -> Duration {
    let left = due.timestamp().duration_since(Zoned::now().timestamp());
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(expression: String) -> Result<Self, Self::Error> {
        match parse(&expression) {
            Ok(cron) => Ok(Self { expression, cron }),
            Err(error) => Err(format!(
                "{expression:?} is no cron expression (second minute hour day month weekday [year]): {error}"
            )),
        }
    }
}

fn parse(expression: &str) -> Result<Cron, CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .alternative_weekdays(true)
        .dom_and_dow(true)
        .sloppy_ranges(true)
        .build()
        .parse(expression)
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.expression)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    /// In UTC, which needs no time zone database.
    fn next(expression: &str, now: &str) -> String {
        let schedule = Schedule::try_from(expression.to_owned()).unwrap();
        let now: Timestamp = now.parse().unwrap();
        let next = schedule.next_after(&now.to_zoned(TimeZone::UTC)).unwrap();
        next.timestamp().to_string()
    }

    #[test]
    fn the_references_expressions_mean_what_they_mean_to_quartz() {
        let now = "2026-03-28T05:59:59Z";
        assert_eq!(next("0 0 0/6 1/1 * ? *", now), "2026-03-28T06:00:00Z");
        assert_eq!(next("0 0 3/6 1/1 * ? *", now), "2026-03-28T09:00:00Z");
        assert_eq!(next("0 0 0/12 1/1 * ? *", now), "2026-03-28T12:00:00Z");
        assert_eq!(next("* * * * * ?", now), "2026-03-28T06:00:00Z");
        // 1 is Sunday.
        assert_eq!(next("0 30 4 ? * 1", now), "2026-03-29T04:30:00Z");
        assert_eq!(next("0 30 4 ? * MON-FRI", now), "2026-03-30T04:30:00Z");
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_text() {
        for wrong in ["", "0 0 * * *", "61 0 0 * * ?", "hourly"] {
            let refused = Schedule::try_from(wrong.to_owned()).unwrap_err();
            assert!(refused.contains(&format!("{wrong:?}")), "{refused}");
        }
    }
}
