//! Calls that hang, panic, come back, are given up.

use super::*;
use std::time::Instant;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(30);

fn pool(seats: usize, hanging: usize) -> Pool<u32> {
    Pool::new("test", Limits { seats, hanging })
}

/// A call that hangs until the sender is dropped.
fn hang(pool: &Pool<u32>) -> (flume::Sender<()>, Overdue) {
    let (release, released) = flume::bounded::<()>(0);
    let overdue = pool.run(SHORT, move |_| released.recv().is_ok()).unwrap_err();
    (release, overdue)
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_seat_keeps_what_it_has_between_calls() {
    let pool = pool(1, 1);
    for expected in 1..=3 {
        let count = pool.run(LONG, |seat| {
            *seat += 1;
            *seat
        });
        assert_eq!(count, Ok(expected));
    }
}

#[test]
fn as_many_calls_run_at_a_time_as_there_are_seats_and_no_more() {
    for seats in [1, 4] {
        let pool = Arc::new(pool(seats, 1));
        let running = Arc::new(Mutex::new((0_usize, 0_usize)));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (pool, running) = (Arc::clone(&pool), Arc::clone(&running));
                thread::spawn(move || {
                    pool.run(LONG, move |_| {
                        let mut now = running.lock().unwrap();
                        now.0 += 1;
                        now.1 = now.1.max(now.0);
                        drop(now);
                        thread::sleep(SHORT);
                        running.lock().unwrap().0 -= 1;
                    })
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
        assert_eq!(running.lock().unwrap().1, seats);
    }
}

#[test]
fn a_call_that_hangs_is_written_off_and_the_next_one_has_another_seat() {
    let pool = pool(1, 2);
    let (release, overdue) = hang(&pool);
    assert_eq!((overdue, pool.hanging()), (Overdue::TimedOut, 1));
    assert_eq!(pool.run(LONG, |_| 7), Ok(7));
    drop(release);
    wait_until(|| pool.hanging() == 0);
    assert_eq!(pool.run(LONG, |_| 8), Ok(8));
}

#[test]
fn those_who_wait_behind_a_call_that_hangs_have_their_turn_when_it_is_written_off() {
    let pool = Arc::new(pool(1, 2));
    let (release, released) = flume::bounded::<()>(0);
    let first = thread::spawn({
        let pool = Arc::clone(&pool);
        move || pool.run(10 * SHORT, move |_| released.recv().is_ok())
    });
    wait_until(|| pool.shared.count().seats == 1 && pool.tasks.is_empty());
    assert_eq!(pool.run(LONG, |_| 7), Ok(7));
    assert_eq!(first.join().unwrap(), Err(Overdue::TimedOut));
    drop(release);
}

#[test]
fn when_too_many_calls_hang_the_token_fails_at_once_until_one_comes_back() {
    let pool = pool(1, 2);
    let (first, _) = hang(&pool);
    let (second, _) = hang(&pool);
    let start = Instant::now();
    assert_eq!(pool.run(LONG, |_| 7), Err(Overdue::Hanging));
    assert!(start.elapsed() < LONG / 2);
    drop(first);
    wait_until(|| pool.hanging() == 1);
    assert_eq!(pool.run(LONG, |_| 8), Ok(8));
    drop(second);
}

#[test]
fn a_call_that_panics_ends_its_seat_and_the_next_one_has_another() {
    let pool = pool(1, 1);
    let panicked = pool.run(LONG, |_| -> u32 { panic!("on purpose") });
    assert_eq!(panicked, Err(Overdue::NoThread));
    wait_until(|| pool.shared.count().seats == 0);
    assert_eq!(pool.run(LONG, |_| 7), Ok(7));
}

#[test]
fn a_call_that_was_given_up_before_its_turn_is_never_made() {
    let pool = Arc::new(pool(1, 1));
    let (release, released) = flume::bounded::<()>(0);
    let busy = thread::spawn({
        let pool = Arc::clone(&pool);
        move || pool.run(LONG, move |_| released.recv().is_ok())
    });
    wait_until(|| pool.shared.count().seats == 1 && pool.tasks.is_empty());
    assert_eq!(pool.run(SHORT, |seat| *seat = 99), Err(Overdue::TimedOut));
    drop(release);
    busy.join().unwrap().unwrap();
    assert_eq!(pool.run(LONG, |seat| *seat), Ok(0));
}
