//! Waiting for a condition, with an end.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a machine may take for anything: an idle machine boots in half a minute, a loaded one takes ten times as long.
pub const LIMIT: Duration = Duration::from_secs(600);

/// What a look at a condition found.
#[derive(Debug)]
pub enum Look<T> {
    /// What was waited for.
    There(T),
    /// Not yet, and why.
    NotYet(String),
    /// It won't come any more.
    Never(String),
}

/// Looks until the condition gives a value, at most for `limit`.
///
/// # Errors
/// The reason that the last look gave.
pub fn until<T>(limit: Duration, mut look: impl FnMut() -> Look<T>) -> Result<T, String> {
    let end = Instant::now() + limit;
    loop {
        match look() {
            Look::There(value) => return Ok(value),
            Look::Never(why) => return Err(why),
            Look::NotYet(why) if Instant::now() >= end => {
                return Err(format!("not within {} s: {why}", limit.as_secs()));
            }
            Look::NotYet(_) => thread::sleep(PAUSE),
        }
    }
}

impl<T> From<Result<T, String>> for Look<T> {
    fn from(seen: Result<T, String>) -> Self {
        match seen {
            Ok(value) => Self::There(value),
            Err(why) => Self::NotYet(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_is_seen() {
        let mut looks = 0;
        let seen = until(LIMIT, || {
            looks += 1;
            if looks == 3 {
                Look::There(looks)
            } else {
                Look::NotYet("early".into())
            }
        });
        assert_eq!(seen, Ok(3));
    }

    #[test]
    fn one_that_does_not_ends_with_its_reason() {
        let late = until::<()>(Duration::ZERO, || Look::NotYet("early".into()));
        assert_eq!(late, Err("not within 0 s: early".into()));
        let never = until::<()>(LIMIT, || Look::Never("it is broken".into()));
        assert_eq!(never, Err("it is broken".into()));
    }
}
