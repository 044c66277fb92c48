//! Workers: their number, their drivers, replies from other threads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxy::net::{DEFAULT_BACKLOG, Listener, Permits};
use proxy::worker::{self, Driver, DriverChoice, WorkerSettings};

use crate::support::{one_worker, run_on};

#[test]
fn each_worker_runs_until_it_is_drained() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let settings = WorkerSettings {
        count: 3,
        ..one_worker()
    };
    let workers = worker::spawn(&settings, {
        let seen = Arc::clone(&seen);
        move |worker| {
            seen.lock()
                .unwrap()
                .insert((worker.index, std::thread::current().name().map(str::to_owned)));
            async move { worker.drain().wait().await }
        }
    })
    .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let handle = workers.drain_handle();
    std::thread::spawn(move || handle.drain());
    workers.join().unwrap();
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[test]
fn draining_waits_for_tasks_but_not_for_ever() {
    for (task, expected) in [(100, true), (60_000, false)] {
        let finished = Arc::new(Mutex::new(false));
        let settings = WorkerSettings {
            drain_limit: Duration::from_millis(500),
            ..one_worker()
        };
        let workers = worker::spawn(&settings, {
            let finished = Arc::clone(&finished);
            move |worker| {
                let finished = Arc::clone(&finished);
                async move {
                    worker.spawn(async move {
                        monoio::time::sleep(Duration::from_millis(task)).await;
                        *finished.lock().unwrap() = true;
                    });
                    worker.drain().wait().await;
                }
            }
        })
        .unwrap();
        workers.drain();
        workers.join().unwrap();
        assert_eq!(*finished.lock().unwrap(), expected);
    }
}

#[test]
fn replies_from_other_threads_arrive() {
    for driver in [DriverChoice::Auto, DriverChoice::Epoll] {
        let (ask, asked) = flume::bounded::<(u64, flume::Sender<u64>)>(16);
        std::thread::spawn(move || {
            for (number, reply) in asked {
                reply.send(number * 2).unwrap();
            }
        });
        let sum = run_on(driver, async move |_| {
            let mut sum = 0;
            for number in 0..1000 {
                let (reply, replied) = flume::bounded(1);
                ask.send((number, reply)).unwrap();
                sum += replied.recv_async().await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 999_000);
    }
}

#[test]
fn the_driver_can_be_chosen() {
    assert_eq!(
        run_on(DriverChoice::Epoll, async |worker| worker.driver),
        Driver::Epoll
    );
    let best = run_on(DriverChoice::Auto, async |worker| worker.driver);
    if best == Driver::Epoll {
        eprintln!("SKIPPED: io_uring is refused by this host");
    }
}

#[test]
fn workers_share_a_port() {
    let (bound, address) = flume::unbounded();
    let served = Arc::new(Mutex::new(HashSet::new()));
    let first = Arc::new(Mutex::new("127.0.0.1:0".parse().unwrap()));
    let workers = worker::spawn(
        &WorkerSettings {
            count: 2,
            ..one_worker()
        },
        {
            let served = Arc::clone(&served);
            move |worker| {
                let listener = {
                    let mut first = first.lock().unwrap();
                    let listener = Listener::bind(*first, DEFAULT_BACKLOG).unwrap();
                    *first = listener.address();
                    listener
                };
                bound.send(listener.address()).unwrap();
                let served = Arc::clone(&served);
                async move {
                    let drain = worker.drain();
                    let serve = |_, _| {
                        served.lock().unwrap().insert(worker.index);
                    };
                    listener.serve(&drain, Permits::new(10), serve).await;
                }
            }
        },
    )
    .unwrap();
    let address = (address.recv().unwrap(), address.recv().unwrap()).1;
    for _ in 0..200 {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap_or(0), 0);
    }
    workers.drain();
    workers.join().unwrap();
    assert_eq!(served.lock().unwrap().len(), 2);
}
