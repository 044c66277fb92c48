//! Medians and spreads.

use std::fmt;

use serde::Serialize;

/// Several measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The least.
    pub(crate) low: f64,
    /// The most.
    pub(crate) high: f64,
    /// How many measurements there were.
    pub(crate) count: usize,
}

impl Spread {
    /// The spread of some values; without any, nothing but NaN.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let (middle, last) = (values.len() / 2, values.len().saturating_sub(1));
        let median = if values.len() % 2 == 1 {
            at(middle)
        } else {
            f64::midpoint(at(middle), at(middle.wrapping_sub(1)))
        };
        Self {
            median,
            low: at(0),
            high: at(last),
            count: values.len(),
        }
    }
}

impl fmt::Display for Spread {
    /// `median (low-high)`, with as many decimals as such a value deserves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}-{})",
            number(self.median),
            number(self.low),
            number(self.high)
        )
    }
}

/// A value with three digits or so.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_spread_around_it() {
        let odd = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.low, odd.high, odd.count), (2.0, 1.0, 3.0, 3));
        assert_eq!(Spread::of([1.0, 2.0, 4.0, 8.0]).median, 3.0);
        assert!(Spread::of([]).median.is_nan());
        assert_eq!(odd.to_string(), "2.00 (1.00-3.00)");
    }
}
