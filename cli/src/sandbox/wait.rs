//! Waiting for a condition, with an end.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at a condition until it gives a value, at most for `patience`; else gives the last reason why it did not.
///
/// # Errors
/// The reason that the last look gave.
pub fn until<T, E>(patience: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let end = Instant::now() + patience;
    loop {
        match look() {
            Err(_) if Instant::now() < end => thread::sleep(PAUSE),
            seen => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_is_seen() {
        let mut looks = 0;
        let seen = until(Duration::from_secs(5), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("not yet") }
        });
        assert_eq!(seen, Ok(3));
    }

    #[test]
    fn one_that_does_not_ends_with_its_reason() {
        assert_eq!(until::<(), _>(Duration::ZERO, || Err("never")), Err("never"));
    }
}
