//! The percentile format of HdrHistogram (`.hgrm`), which its plotters read. Values are milliseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Lines for each halving of the distance to 100 %.
const TICKS_PER_HALF: u32 = 5;
/// Nanoseconds of a millisecond.
const SCALE: f64 = 1e6;

/// A histogram of nanoseconds in that format.
pub(crate) fn text(histogram: &Histogram<u64>) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut below = 0;
    // Writing into a String does not fail.
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        below += step.count_since_last_iteration();
        let (value, quantile) = (
            milliseconds(step.value_iterated_to()),
            step.quantile_iterated_to(),
        );
        let _ = if quantile < 1.0 {
            let inverse = 1.0 / (1.0 - quantile);
            writeln!(text, "{value:12.3} {quantile:2.12} {below:10} {inverse:14.2}")
        } else {
            writeln!(text, "{value:12.3} {quantile:2.12} {below:10}")
        };
    }
    let (mean, deviation) = (histogram.mean() / SCALE, histogram.stdev() / SCALE);
    let (max, total) = (milliseconds(histogram.max()), histogram.len());
    let _ = write!(
        text,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n\
         #[Max     = {max:12.3}, Total count    = {total:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]\n",
        histogram.buckets(),
        2048
    );
    text
}

fn milliseconds(nanoseconds: u64) -> f64 {
    super::figures::micros(nanoseconds) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::new_histogram;

    #[test]
    fn every_value_is_below_the_last_line_and_lines_go_up() {
        let mut histogram = new_histogram();
        for milliseconds in 1..=1000_u64 {
            histogram.record(milliseconds * 1_000_000).unwrap();
        }
        let text = text(&histogram);
        let numbers =
            |line: &str| -> Vec<f64> { line.split_whitespace().map(|n| n.parse().unwrap()).collect() };
        let lines: Vec<_> = text
            .lines()
            .skip(2)
            .filter(|l| !l.starts_with('#'))
            .map(numbers)
            .collect();
        assert!(
            lines
                .windows(2)
                .all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1])
        );
        let last = lines.last().unwrap();
        assert_eq!((last[1], last[2]), (1.0, 1000.0));
        assert!((last[0] - 1000.0).abs() < 1.0, "{last:?}");
        let median = lines.iter().find(|line| line[1] >= 0.5).unwrap();
        assert!(
            (median[0] - 500.0).abs() < 1.0 && (median[3] - 2.0).abs() < 0.01,
            "{median:?}"
        );
        assert!(text.ends_with("SubBuckets     =         2048]\n"), "{text}");
    }
}
