//! What the proxy says of itself: the checks of its `/health`, and in its `/metrics` until when everything has its time-stamp.

use std::net::SocketAddr;

use serde::Deserialize;
use time::OffsetDateTime;

use super::http::get;
use crate::monitor::status::harmless;
use crate::monitor::verdict::Finding;

/// The gauge: everything that was logged before has its time-stamp, seconds since 1970; 0 = not known.
const STAMPED_UNTIL: &str = "xroad_log_stamped_until_seconds";
/// The gauge of proxies that have not that one: when the last time-stamp was had.
const LAST_TIME_STAMP: &str = "xroad_last_time_stamp_seconds";
/// Checks that are taken over at most, and characters of a reason.
const MAX_CHECKS: usize = 32;
const MAX_REASON: usize = 300;

#[derive(Deserialize)]
struct Health {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    ok: bool,
    reason: Option<String>,
}

/// Each check of the proxy; and that it answers, as the check `proxy`.
#[must_use]
pub fn health(admin: SocketAddr) -> Vec<Finding> {
    let url = format!("http://{admin}/health");
    let read = get(&url, &[]).and_then(|answer| {
        serde_json::from_str::<Health>(&answer.text)
            .map_err(|error| format!("{url}: status {}, and {error}", answer.status))
    });
    match read {
        Err(reason) => vec![Finding::new("proxy", Err(reason))],
        Ok(health) => {
            let checks = health.checks.into_iter().take(MAX_CHECKS).map(finding);
            [Finding::new("proxy", Ok(()))]
                .into_iter()
                .chain(checks)
                .collect()
        }
    }
}

fn finding(check: Check) -> Finding {
    let reason = check.reason.unwrap_or_else(|| "it does not say why".to_owned());
    let result = if check.ok {
        Ok(())
    } else {
        Err(harmless(&reason, MAX_REASON))
    };
    Finding::new(harmless(&check.name, MAX_REASON), result)
}

/// Until when everything that was logged has its time-stamp; none if the proxy does not know or does not answer.
#[must_use]
pub fn stamped_until(admin: SocketAddr) -> Option<OffsetDateTime> {
    let answer = get(&format!("http://{admin}/metrics"), &[]).ok()?;
    stamped_in(&answer.text)
}

fn stamped_in(metrics: &str) -> Option<OffsetDateTime> {
    let seconds = gauge(metrics, STAMPED_UNTIL).or_else(|| gauge(metrics, LAST_TIME_STAMP))?;
    let until = time::Duration::checked_seconds_f64(seconds).filter(|until| until.is_positive())?;
    OffsetDateTime::UNIX_EPOCH.checked_add(until)
}

fn gauge(metrics: &str, name: &str) -> Option<f64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    metrics.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_is_found_among_others() {
        let metrics = "# HELP xroad_log_stamped_until_seconds x\nxroad_other 1\n\
                       xroad_log_stamped_until_seconds 1700000000.5\n# EOF\n";
        let until = stamped_in(metrics).unwrap();
        assert_eq!(until.unix_timestamp(), 1_700_000_000);
        assert_eq!(until.millisecond(), 500);
    }

    #[test]
    fn the_better_gauge_wins() {
        let old = "xroad_last_time_stamp_seconds 5.0";
        assert_eq!(stamped_in(old).unwrap().unix_timestamp(), 5);
        let both = format!("{old}\n{STAMPED_UNTIL} 3.0");
        assert_eq!(stamped_in(&both).unwrap().unix_timestamp(), 3);
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "xroad_log_stamped_until_seconds 0.0",
            "xroad_log_stamped_until_seconds NaN",
        ] {
            assert_eq!(stamped_in(text), None, "{text}");
        }
        for value in ["-1", "1e300", "inf", "x", "1 2"] {
            assert_eq!(stamped_in(&format!("{STAMPED_UNTIL} {value}")), None, "{value}");
        }
    }
}
