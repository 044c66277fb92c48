use std::time::{Duration, Instant};

use super::*;

async fn read_all(spooled: &Spooled) -> Vec<u8> {
    let mut reader = spooled.reader();
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    all
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Files are discarded beside the one who drops them.
fn comes_back(spools: &Spools) {
    falls_to(spools, 0);
}

/// Waits until no more than `rest` bytes are in use.
fn falls_to(spools: &Spools, rest: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while spools.budget().used() > rest {
        assert!(
            Instant::now() < deadline,
            "{} bytes are in use, not {rest}",
            spools.budget().used()
        );
        std::thread::yield_now();
    }
}

#[test]
fn gives_back_what_was_written_small_and_large() {
    let dir = tempfile::tempdir().unwrap();
    let spools = Spools::new(dir.path(), 1 << 20).unwrap();
    block_on(async {
        for length in [0_usize, 1, MEMORY_BYTES, MEMORY_BYTES + 1, 700_000] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut spool = spools.spool();
            for chunk in bytes.chunks(10_007) {
                spool.write(Bytes::copy_from_slice(chunk)).await.unwrap();
            }
            assert_eq!(spools.budget().used(), length as u64);
            let spooled = spool.finish().await.unwrap();
            assert_eq!(spooled.len(), length as u64);
            assert_eq!(read_all(&spooled).await, bytes);
            assert_eq!(read_all(&spooled).await, bytes, "a second reading");
            drop(spooled);
            comes_back(&spools);
        }
    });
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn refuses_what_exceeds_the_budget_in_memory_and_in_files() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        for (limit, size) in [(300_000, 100_000_usize), (1_000, 400)] {
            let spools = Spools::new(dir.path(), limit).unwrap();
            let (mut spool, mut other) = (spools.spool(), spools.spool());
            other.write(vec![7; size].into()).await.unwrap();
            spool.write(vec![7; size].into()).await.unwrap();
            let refused = loop {
                if let Err(error) = spool.write(vec![7; size].into()).await {
                    break error;
                }
            };
            assert!(
                matches!(refused, SpoolError::Full { limit: told } if told == limit),
                "{refused}"
            );
            assert!(spools.budget().used() <= limit);
            drop(spool);
            falls_to(&spools, limit - u64::try_from(size).unwrap());
            other.write(vec![7; size].into()).await.unwrap();
            drop(other);
            comes_back(&spools);
        }
    });
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("left"), "over").unwrap();
    let spools = Spools::new(dir.path(), 1).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    drop(spools);
    assert!(Spools::new(&dir.path().join("nowhere"), 1).is_err());
}
