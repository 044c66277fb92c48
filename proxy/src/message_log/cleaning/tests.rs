#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use storage::message_log::Direction;

use super::*;
use crate::message_log::time_stamping::tests::support::{Message, Mode, Tsa, World};

#[test]
fn old_records_go_when_they_are_stamped_and_young_ones_stay() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("[message-log]\nkeep-records-for = 2", vec![tsa.service()]);
    let background = world.start();
    let log = world.process.log.clone();
    let stamped = world.log(&Message::new("stamped", Direction::Request));
    world.stamp_now(stamped).unwrap();
    tsa.set(Mode::Rejected);
    let waiting = world.log(&Message::new("waiting", Direction::Request));

    let now = OffsetDateTime::now_utc();
    let young = clean(&log, 2, now + time::Duration::days(1), Unarchived::Remove).unwrap();
    assert_eq!(young, Cleaned::default());
    let unarchived = clean(&log, 2, now + time::Duration::days(3), Unarchived::Keep).unwrap();
    assert_eq!((unarchived.removed, unarchived.kept_unarchived), (0, 1));
    let old = clean(&log, 2, now + time::Duration::days(3), Unarchived::Remove).unwrap();
    assert_eq!(
        old,
        Cleaned {
            removed: 1,
            kept_pending: 1,
            kept_unarchived: 0
        }
    );
    assert!(log.records().get(stamped).unwrap().is_none() && log.records().get(waiting).unwrap().is_some());
    assert!(background.stop(Duration::from_secs(20)));
}

#[test]
fn the_thread_ends_when_told() {
    let world = World::new("", Vec::new());
    let background = start(&world.process).unwrap();
    assert!(background.stop(Duration::from_secs(20)));
}
