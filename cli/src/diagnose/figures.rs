//! Key figures of the proxy's metrics: what an operator looks at first.

use serde::Serialize;

/// Series (their names without labels, whose values are added) and what they tell.
const FIGURES: [(&str, &str); 9] = [
    ("xroad_exchanges_total", "exchanges"),
    (
        "xroad_exchanges_refused_total",
        "exchanges refused for want of room",
    ),
    ("xroad_records_logged_total", "records logged"),
    ("xroad_log_waiting_records", "records that wait for the disk"),
    ("xroad_time_stamps_total", "time-stamps"),
    (
        "xroad_time_stamp_failures_total",
        "rounds of time-stamping that failed",
    ),
    (
        "xroad_oldest_unstamped_record_age_seconds",
        "seconds the oldest record waits for its time-stamp",
    ),
    ("xroad_records_to_archive", "records that wait for the archive"),
    ("xroad_archive_failures_total", "rounds of archiving that failed"),
];

/// A figure.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Figure {
    /// The series.
    pub(super) series: &'static str,
    /// What it tells.
    pub(super) meaning: &'static str,
    /// Its value; the sum over labels.
    pub(super) value: f64,
}

/// Those that the metrics have.
pub(super) fn of(metrics: &str) -> Vec<Figure> {
    let figure = |(series, meaning): (&'static str, &'static str)| {
        let values: Vec<f64> = metrics.lines().filter_map(|line| value(line, series)).collect();
        let value = values.iter().sum();
        (!values.is_empty()).then_some(Figure {
            series,
            meaning,
            value,
        })
    };
    FIGURES.into_iter().filter_map(figure).collect()
}

/// The value in a line of this series, whatever its labels.
fn value(line: &str, series: &str) -> Option<f64> {
    let rest = line.strip_prefix(series)?;
    let rest = match rest.strip_prefix('{') {
        Some(labelled) => labelled.rsplit_once('}')?.1,
        None => rest,
    };
    let value: f64 = rest.strip_prefix(' ')?.split(' ').next()?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_added_and_longer_names_are_others() {
        let metrics = "# TYPE xroad_exchanges counter\n\
                       xroad_exchanges_total{role=\"client_proxy\",outcome=\"ok\"} 3\n\
                       xroad_exchanges_total{role=\"server_proxy\",outcome=\"a } b\"} 4\n\
                       xroad_exchanges_total_other 9\n\
                       xroad_records_to_archive 2\nxroad_log_waiting_records NaN\n";
        let found: Vec<(&str, f64)> = of(metrics)
            .iter()
            .map(|figure| (figure.series, figure.value))
            .collect();
        assert_eq!(
            found,
            [("xroad_exchanges_total", 7.0), ("xroad_records_to_archive", 2.0)]
        );
    }
}
