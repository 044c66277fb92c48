//! Sending a request while its response is already coming.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proxy::http::{Body, BodyLength, BodyWriter, ClientConnection, HttpError, ResponseHead};

use crate::support::{MEGABYTE, Rehearsal, Server, plain, post, run};

/// More than the kernel keeps for a connection that nobody reads.
const LARGE: usize = 32 * MEGABYTE;

async fn send(out: &mut BodyWriter, length: usize) -> Result<(), HttpError> {
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    for _ in 0..length / block.len() {
        out.write(block.clone()).await?;
    }
    Ok(())
}

async fn count(_: ResponseHead, body: &mut Body) -> Result<usize, HttpError> {
    let mut count = 0;
    while let Some(chunk) = body.next_chunk().await {
        count += chunk?.len();
    }
    Ok(count)
}

/// Posts [`LARGE`] bytes and counts what comes back.
async fn converse(connection: &mut ClientConnection, path: &'static str) -> Result<usize, HttpError> {
    let sending = async |out: &mut BodyWriter| send(out, LARGE).await;
    connection
        .converse(&post(path), BodyLength::Chunked, sending, count)
        .await
}

/// A server that serves one connection in a thread of its own; what it gives is what the thread ends with.
fn serving<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, std::thread::JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (address, serving)
}

#[test]
fn a_server_may_answer_while_it_takes_the_request() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let mut connection = plain(address).await;
        for _ in 0..2 {
            assert_eq!(converse(&mut connection, "/echo").await.unwrap(), LARGE);
            assert!(connection.is_reusable());
        }
    });
}

#[test]
fn a_server_that_has_answered_may_take_the_rest_of_the_request() {
    let (address, serving) = serving(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream
            .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let mut taken = 1000;
        let mut block = vec![0; MEGABYTE];
        while let Ok(count @ 1..) = stream.read(&mut block) {
            taken += count;
        }
        taken
    });
    run(async move |_| {
        let mut connection = plain(address).await;
        assert_eq!(converse(&mut connection, "/").await.unwrap(), 2);
        assert!(connection.is_reusable());
    });
    assert!(serving.join().unwrap() > LARGE);
}

#[test]
fn a_server_that_has_answered_and_takes_no_more_is_not_waited_for() {
    for refusal in [false, true] {
        let (done, over) = flume::bounded::<()>(0);
        let (address, serving) = serving(move |mut stream| {
            stream.read_exact(&mut [0; 1000]).unwrap();
            let status = if refusal { "413 Too Large" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = over.recv();
        });
        run(async move |_| {
            let began = Instant::now();
            let mut connection = plain(address).await;
            assert_eq!(converse(&mut connection, "/").await.unwrap(), 2);
            assert!(!connection.is_reusable());
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        });
        drop(done);
        serving.join().unwrap();
    }
}

#[test]
fn what_a_server_says_before_it_breaks_the_connection_is_heard() {
    let (address, serving) = serving(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
        // Closing with unread bytes resets the connection; not before the answer was taken.
        std::thread::sleep(Duration::from_millis(300));
    });
    run(async move |_| {
        let mut connection = plain(address).await;
        assert_eq!(converse(&mut connection, "/").await.unwrap(), 2);
        assert!(!connection.is_reusable());
    });
    serving.join().unwrap();

    let (address, serving) = serving_nothing();
    run(async move |_| {
        let mut connection = plain(address).await;
        let failed = converse(&mut connection, "/").await.unwrap_err();
        assert!(matches!(failed, HttpError::Io(_) | HttpError::Closed), "{failed}");
    });
    serving.join().unwrap();
}

/// Its mirror: a server that breaks the connection without a word.
fn serving_nothing() -> (SocketAddr, std::thread::JoinHandle<()>) {
    serving(|mut stream| stream.read_exact(&mut [0; 1000]).unwrap())
}

#[test]
fn a_failure_of_either_direction_ends_both() {
    let server = Server::start(Rehearsal);
    let address = server.address;
    run(async move |_| {
        let mut connection = plain(address).await;
        let sending = async |out: &mut BodyWriter| {
            send(out, MEGABYTE).await?;
            Err(HttpError::OutOfOrder)
        };
        let failed = connection
            .converse(&post("/echo"), BodyLength::Chunked, sending, count)
            .await;
        assert!(matches!(failed, Err(HttpError::OutOfOrder)), "{failed:?}");
        assert!(!connection.is_reusable());

        let mut connection = plain(address).await;
        let sending = async |out: &mut BodyWriter| send(out, LARGE).await;
        let receiving = async |_: ResponseHead, _: &mut Body| Err::<(), _>(HttpError::OutOfOrder);
        let failed = connection
            .converse(&post("/echo"), BodyLength::Chunked, sending, receiving)
            .await;
        assert!(matches!(failed, Err(HttpError::OutOfOrder)), "{failed:?}");
        assert!(!connection.is_reusable());
    });
}
