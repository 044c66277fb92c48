//! The `Date` field's form, IMF-fixdate (RFC 9110 5.6.7).

/// A time as HTTP writes it, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDate([u8; 29]);

const SECONDS_PER_DAY: u64 = 86_400;
const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl HttpDate {
    /// Midnight of 1 January 1970.
    pub const EPOCH: Self = Self(*b"Thu, 01 Jan 1970 00:00:00 GMT");

    /// The time so many seconds after [`Self::EPOCH`]; the years up to 9999 can be written.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = civil_date(days);
        let mut text = Self::EPOCH.0;
        put_name(&mut text, 0, &WEEKDAYS, days % 7);
        put_digits(&mut text, 5, 2, day);
        put_name(&mut text, 8, &MONTHS, month - 1);
        put_digits(&mut text, 12, 4, year);
        put_digits(&mut text, 17, 2, second / 3600);
        put_digits(&mut text, 20, 2, second / 60 % 60);
        put_digits(&mut text, 23, 2, second % 60);
        Self(text)
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Year, month and day of month of a day counted from 1 January 1970: the Gregorian calendar counted in eras of
/// 400 years that begin in March, so that the leap day comes last.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn put_name(text: &mut [u8; 29], at: usize, names: &[&[u8; 3]], index: u64) {
    let name = usize::try_from(index).ok().and_then(|index| names.get(index));
    if let (Some(name), Some(place)) = (name, text.get_mut(at..at + 3)) {
        place.copy_from_slice(&name[..]);
    }
}

fn put_digits(text: &mut [u8; 29], at: usize, count: usize, value: u64) {
    let mut rest = value;
    for place in text.iter_mut().skip(at).take(count).rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}
