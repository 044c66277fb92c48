//! The client side: exchanges, early responses, the pool, the race.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use proxy::http::{BodyError, BodyLength, BodyWriter, ClientSettings, HttpError, Method, RequestHead};
use proxy::net::race::WINNER_LIMIT;
use proxy::net::{ConnectError, ConnectionPool, PoolKey, PoolSettings, Race};
use proxy::worker::DriverChoice;

use crate::support::{LIMIT, Rehearsal, Server, ServerPlan, plain, post, run, run_on};

/// A server that plays a fixed part to each connection: reads a small request, says `answer`.
fn scripted(parts: Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in parts {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 10_000]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    address
}

#[test]
fn requests_follow_each_other() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let mut connection = plain(address).await;
        for path in ["/count", "/ignore", "/count"] {
            let head = connection
                .send_full(&post(path), vec![b'x'; 30_000])
                .await
                .unwrap();
            assert_eq!(head.status, 200);
            connection.body().read_to_end(100).await.unwrap();
            assert!(connection.is_reusable());
        }
        let head = RequestHead::new(Method::HEAD, "/count").with("Host", "a");
        let head = connection.send_full(&head, "").await.unwrap();
        assert_eq!(head.headers.get("content-length"), Some("1"));
        assert!(connection.body().next_chunk().await.is_none());
        assert!(connection.is_reusable());
    });
}

#[test]
fn a_read_given_up_loses_no_byte() {
    for driver in [DriverChoice::Auto, DriverChoice::Epoll] {
        let server = Server::start_with(
            ServerPlan {
                driver,
                ..ServerPlan::default()
            },
            Rehearsal,
        );
        let address = server.address;
        run_on(driver, async move |_| {
            let mut connection = plain(address).await;
            connection.start(&post("/echo"), BodyLength::Chunked).unwrap();
            let (out, responses) = connection.split();
            let sending = async {
                for number in 0..400_u32 {
                    out.write(number.to_be_bytes().to_vec()).await.unwrap();
                    out.flush().await.unwrap();
                    monoio::time::sleep(Duration::from_millis(1)).await;
                }
                out.finish().await.unwrap();
            };
            let receiving = async {
                responses.head().await.unwrap();
                let (mut received, mut given_up) = (Vec::new(), 0);
                loop {
                    let next = monoio::time::timeout(Duration::from_millis(1), responses.body().next_chunk());
                    match next.await {
                        Ok(Some(chunk)) => received.extend_from_slice(&chunk.unwrap()),
                        Ok(None) => break,
                        Err(_) => given_up += 1,
                    }
                }
                let expected: Vec<u8> = (0..400_u32).flat_map(u32::to_be_bytes).collect();
                assert_eq!(received, expected);
                assert!(given_up > 20, "{given_up}");
            };
            monoio::join!(sending, receiving);
        });
    }
}

#[test]
fn an_early_refusal_stops_the_sending() {
    let address = scripted(vec!["HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"]);
    run(async move |_| {
        let mut connection = plain(address).await;
        let endless = async |out: &mut BodyWriter| -> Result<(), HttpError> {
            loop {
                out.write("x").await?;
                out.flush().await?;
                monoio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let head = connection
            .exchange(&post("/"), BodyLength::Chunked, endless)
            .await
            .unwrap();
        assert_eq!(head.status, 413);
        assert_eq!(&connection.body().read_to_end(10).await.unwrap()[..], b"big");
        assert!(!connection.is_reusable());
    });
}

#[test]
fn interim_responses_are_passed_over() {
    let many = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let address = scripted(vec![many, "HTTP/1.1 101 Switching\r\n\r\n"]);
    run(async move |_| {
        let mut connection = plain(address).await;
        assert_eq!(connection.send_full(&post("/"), "x").await.unwrap().status, 200);
        assert_eq!(&connection.body().read_to_end(10).await.unwrap()[..], b"ok");
        let mut connection = plain(address).await;
        assert!(matches!(
            connection.send_full(&post("/"), "x").await,
            Err(HttpError::Head(_))
        ));
    });
}

#[test]
fn responses_that_end_wrongly_are_failures() {
    let address = scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\n\r\nabc",
        "",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ]);
    run(async move |_| {
        for _ in 0..2 {
            let mut connection = plain(address).await;
            connection.send_full(&post("/"), "x").await.unwrap();
            let body = connection.body().read_to_end(100).await;
            assert!(matches!(body, Err(BodyError::Truncated)), "{body:?}");
            assert!(!connection.is_reusable());
        }
        let mut connection = plain(address).await;
        connection.send_full(&post("/"), "x").await.unwrap();
        assert_eq!(&connection.body().read_to_end(100).await.unwrap()[..], b"abc");
        assert!(!connection.is_reusable());
        for _ in 0..2 {
            let sent = plain(address).await.send_full(&post("/"), "x").await;
            assert!(matches!(sent, Err(HttpError::Closed)), "{sent:?}");
        }
        assert!(matches!(
            plain(address).await.send_full(&post("/"), "x").await,
            Err(HttpError::Head(_))
        ));
    });
}

#[test]
fn a_response_may_take_so_long_and_no_longer() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let mut connection = plain(address).await;
        let limit = |millis| ClientSettings {
            response_limit: Some(Duration::from_millis(millis)),
            ..ClientSettings::default()
        };
        connection.set_settings(limit(5000));
        connection.send_full(&post("/sleep"), "").await.unwrap();
        connection.body().read_to_end(10).await.unwrap();
        connection.set_settings(limit(50));
        let late = connection.send_full(&post("/sleep"), "").await.unwrap_err();
        assert!(late.is_timeout(), "{late}");
        assert!(!connection.is_reusable());
    });
}

#[test]
fn bodies_must_have_their_announced_length() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        for (announced, body) in [(5, "1234"), (3, "1234")] {
            let mut connection = plain(address).await;
            let send = async |out: &mut BodyWriter| out.write(body).await;
            let sent = connection
                .exchange(&post("/count"), BodyLength::Known(announced), send)
                .await;
            assert!(matches!(sent, Err(HttpError::LengthMismatch)), "{sent:?}");
            assert!(!connection.is_reusable());
        }
    });
}

#[test]
fn the_pool_keeps_what_may_be_used_again() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let pool = ConnectionPool::new(PoolSettings::default());
        let key = PoolKey::plain(address);
        assert!(pool.checkout(&key).is_none());
        let mut connection = pool.adopt(key.clone(), plain(address).await);
        connection.send_full(&post("/count"), "x").await.unwrap();
        connection.body().read_to_end(10).await.unwrap();
        drop(connection);
        assert_eq!(pool.idle_count(), 1);

        let mut connection = pool.checkout(&key).unwrap();
        assert!(connection.is_reused());
        assert_eq!(pool.idle_count(), 0);
        connection.send_full(&post("/count"), "x").await.unwrap();
        drop(connection);
        assert_eq!(pool.idle_count(), 0, "a response that was not read");

        let mut connection = pool.adopt(key.clone(), plain(address).await);
        connection
            .send_full(&post("/count").with("Connection", "close"), "x")
            .await
            .unwrap();
        connection.body().read_to_end(10).await.unwrap();
        drop(connection);
        assert_eq!(pool.idle_count(), 0, "a connection to be closed");
    });
}

#[test]
fn the_pool_notices_that_a_peer_closed() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let late = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 unasked\r\n\r\n";
    let address = scripted(vec![ok, late]);
    run(async move |_| {
        let settings = PoolSettings {
            sweep_interval: Duration::from_secs(60),
            ..PoolSettings::default()
        };
        let pool = ConnectionPool::new(settings);
        let key = PoolKey::plain(address);
        let mut connection = pool.adopt(key.clone(), plain(address).await);
        connection.send_full(&post("/"), "x").await.unwrap();
        connection.body().next_chunk().await;
        drop(connection);
        monoio::time::sleep(Duration::from_millis(200)).await;
        assert!(pool.checkout(&key).is_none());
        assert_eq!(pool.idle_count(), 0);
        let mut connection = pool.adopt(key.clone(), plain(address).await);
        connection.send_full(&post("/"), "x").await.unwrap();
        connection.body().next_chunk().await;
        drop(connection);
        assert!(pool.checkout(&key).is_none(), "bytes that nobody asked for");
    });
}

#[test]
fn the_pool_closes_what_is_idle_for_too_long() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let settings = PoolSettings {
            idle_limit: Duration::from_millis(100),
            sweep_interval: Duration::from_millis(50),
            ..PoolSettings::default()
        };
        let pool = ConnectionPool::new(settings);
        let mut connection = pool.adopt(PoolKey::plain(address), plain(address).await);
        connection.send_full(&post("/count"), "x").await.unwrap();
        connection.body().read_to_end(10).await.unwrap();
        drop(connection);
        assert_eq!(pool.idle_count(), 1);
        monoio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(pool.idle_count(), 0);
    });
}

#[test]
fn the_fastest_address_wins_and_is_remembered() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for driver in [DriverChoice::Auto, DriverChoice::Epoll] {
        run_on(driver, async move |_| {
            let race = Race::default();
            let addresses = [refused, address];
            let mut selection = race.select(&addresses, LIMIT);
            let (winner, _) = selection.connect().await.unwrap();
            assert_eq!((winner, selection.limit()), (address, LIMIT));
            assert_eq!(
                race.winner_of(&addresses),
                None,
                "not before its caller says that it is good"
            );
            selection.keep(winner);
            assert_eq!(race.winner_of(&[address, refused]), Some(address));

            let mut remembered = race.select(&addresses, LIMIT);
            assert_eq!(remembered.limit(), WINNER_LIMIT);
            assert_eq!(remembered.connect().await.unwrap().0, address);
            assert!(remembered.leave_out(address), "the other one is left");
            assert_eq!(race.winner_of(&addresses), None);
            assert_eq!(
                remembered.limit(),
                LIMIT,
                "from the beginning, without the old winner"
            );
            let failed = remembered.connect().await;
            assert!(matches!(failed, Err(ConnectError::Failed { .. })), "{failed:?}");
            let none = race.select(&[], LIMIT).connect().await;
            assert!(matches!(none, Err(ConnectError::NoAddress)));

            let mut only = race.select(&[address], LIMIT);
            let (winner, _) = only.connect().await.unwrap();
            only.keep(winner);
            assert_eq!(race.winner_of(&[address]), None, "there was nothing to choose");
        });
    }
}

#[test]
fn a_winner_is_forgotten_when_its_time_is_over() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap());
    run(async move |_| {
        for (memory, remembered) in [(LIMIT, true), (Duration::ZERO, false)] {
            let race = Race::new(memory);
            let mut selection = race.select(&addresses, LIMIT);
            let (winner, _) = selection.connect().await.unwrap();
            selection.keep(winner);
            assert_eq!(race.winner_of(&addresses), remembered.then_some(winner));
        }
        let (race, start) = (Race::new(Duration::from_millis(200)), Instant::now());
        let mut selection = race.select(&addresses, LIMIT);
        let (winner, _) = selection.connect().await.unwrap();
        selection.keep(winner);
        while race.winner_of(&addresses).is_some() {
            assert!(start.elapsed() < LIMIT);
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(200));
    });
}

#[test]
fn an_address_that_is_no_good_is_left_out_and_the_selection_repeated_in_less_time() {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap());
    run(async move |_| {
        let race = Race::default();
        let mut selection = race.select(&addresses, Duration::from_secs(16));
        let mut left = addresses.to_vec();
        for limit in [16, 8, 5] {
            assert_eq!(selection.limit(), Duration::from_secs(limit));
            let (winner, _) = selection.connect().await.unwrap();
            let at = left.iter().position(|address| *address == winner);
            left.remove(at.expect("one that was left out is not tried again"));
            assert_eq!(selection.leave_out(winner), !left.is_empty());
        }
    });
}

#[test]
fn a_remembered_winner_that_died_is_left_for_another_one() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap());
    let mut listeners = listeners.map(Some);
    run(async move |_| {
        let race = Race::default();
        let mut selection = race.select(&addresses, LIMIT);
        let (winner, _) = selection.connect().await.unwrap();
        selection.keep(winner);
        let dead = addresses.iter().position(|address| *address == winner).unwrap();
        drop(listeners[dead].take());
        let mut selection = race.select(&addresses, LIMIT);
        let (other, _) = selection.connect().await.unwrap();
        assert_ne!(other, winner);
        selection.keep(other);
        assert_eq!(race.winner_of(&addresses), Some(other));
    });
}

#[test]
fn an_address_that_does_not_answer_times_out() {
    // A full backlog makes the kernel ignore further connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(0).unwrap();
    let silent = socket.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> = (0..3)
        .map(|_| {
            let filling = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            filling.set_nonblocking(true).unwrap();
            let _ = filling.connect(&silent.into());
            filling
        })
        .collect();
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let start = Instant::now();
        let race = Race::default();
        let late = race.select(&[silent], Duration::from_millis(300)).connect().await;
        assert!(matches!(late, Err(ConnectError::TimedOut(1))), "{late:?}");
        assert!(start.elapsed() < Duration::from_secs(2));
        let (winner, _) = race.select(&[silent, address], LIMIT).connect().await.unwrap();
        assert_eq!(winner, address);
    });
}
