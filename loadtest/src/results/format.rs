//! Numbers for people.

/// A time given in microseconds: `850 µs`, `18.2 ms`, `1.50 s`.
pub(crate) fn time(micros: f64) -> String {
    match micros {
        m if m < 1_000.0 => format!("{m:.0} µs"),
        m if m < 10_000.0 => format!("{:.2} ms", m / 1e3),
        m if m < 100_000.0 => format!("{:.1} ms", m / 1e3),
        m if m < 1_000_000.0 => format!("{:.0} ms", m / 1e3),
        m => format!("{:.2} s", m / 1e6),
    }
}

/// A count with its thousands apart: `33,412`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number a second.
pub(crate) fn rate(number: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive and far below 2^63"
    )]
    let whole = number.max(0.0).round() as u64;
    if number < 100.0 {
        format!("{number:.1}/s")
    } else {
        format!("{}/s", count(whole))
    }
}

/// A number of bytes: `4.1 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let value = super::figures::number(number);
    match value {
        v if v < 1e4 => format!("{v:.0} B"),
        v if v < 1e7 => format!("{:.1} kB", v / 1e3),
        v if v < 1e10 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.1} GB", v / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_three_digits() {
        let times = [
            time(0.0),
            time(850.4),
            time(1_234.0),
            time(18_234.0),
            time(182_340.0),
            time(1.5e6),
        ];
        assert_eq!(
            times,
            ["0 µs", "850 µs", "1.23 ms", "18.2 ms", "182 ms", "1.50 s"]
        );
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([rate(0.5), rate(1234.4)], ["0.5/s", "1,234/s"]);
        assert_eq!(
            [bytes(999), bytes(20_000), bytes(20_000_000)],
            ["999 B", "20.0 kB", "20.0 MB"]
        );
    }
}
