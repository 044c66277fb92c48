//! What the monitor tells the admin network, over HTTP. It can be asked only; nothing of the appliance changes by it.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /` | the status screen, text |
//! | `GET /status` | [`Status`], JSON |
//! | `GET /log?lines=N` | the last warnings and errors, text, or JSON where `Accept` asks for it; at most 200 |
//! | `GET /requests` | names of the signing requests that wait for certificates, JSON |
//! | `GET /requests/NAME` | one of them, PEM |
//!
//! Bounds: `CONNECTIONS` at once, one request on each, `HEAD_BYTES` of it in `HEAD_TIME`, all of it in `WHOLE_TIME`;
//! a body is never read.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::probe::journal;
use super::status::{LogLine, Status};
use crate::console::screen::{Ink, screen};
use crate::paths::{self, Root};

/// Connections at once; the next one waits to be accepted.
const CONNECTIONS: usize = 16;
/// Bytes of a request's head at most; 8 KiB is the least that hyper can.
const HEAD_BYTES: usize = 8 * 1024;
/// Fields of a head at most.
const HEAD_FIELDS: usize = 32;
/// Time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Time for a connection in all.
const WHOLE_TIME: Duration = Duration::from_secs(20);
/// The journal is read for `/log` no more often than this.
const LOG_AGE: Duration = Duration::from_secs(2);
/// After an accept that failed, for want of descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long until the address is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Signing requests that are told, and bytes of one.
const MAX_REQUESTS: usize = 32;
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What is told.
#[derive(Debug)]
pub struct Told {
    root: Root,
    status: Mutex<Arc<Status>>,
    log: Mutex<Option<(Instant, Arc<[LogLine]>)>>,
}

impl Told {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            status: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// This is told from now on.
    pub fn tell(&self, status: Status) {
        *lock(&self.status) = Arc::new(status);
    }

    fn status(&self) -> Arc<Status> {
        Arc::clone(&lock(&self.status))
    }

    /// The last lines of the log, read by one at a time. Blocks.
    fn log(&self) -> Arc<[LogLine]> {
        let mut log = lock(&self.log);
        match &*log {
            Some((read, lines)) if read.elapsed() < LOG_AGE => Arc::clone(lines),
            _ => {
                let lines: Arc<[LogLine]> = journal::last(journal::MAX_LINES).into();
                *log = Some((Instant::now(), Arc::clone(&lines)));
                lines
            }
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers at this address until SIGTERM or SIGINT.
///
/// # Errors
/// When signals can't be waited for.
pub async fn serve(address: SocketAddr, told: Arc<Told>) -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    tokio::select! {
        () = listen(address, told) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The address may not be there yet, or never: without a cable the interface has none. What is seen is told on the screen all the same.
async fn listen(address: SocketAddr, told: Arc<Told>) {
    let mut said = false;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if said => tracing::debug!(%address, %error, "nothing is told there"),
            Err(error) => tracing::error!(%address, %error, "nothing is told there until it can be"),
        }
        said = true;
        tokio::time::sleep(AGAIN).await;
    };
    tracing::info!(%address, "diagnostics");
    accept(listener, told).await;
}

async fn accept(listener: TcpListener, told: Arc<Told>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    let _ended = tokio::time::timeout(WHOLE_TIME, connection(stream, told)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request and its answer; what goes wrong on the way is the asker's business.
async fn connection(stream: TcpStream, told: Arc<Told>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request| {
        let told = Arc::clone(&told);
        async move { Ok::<_, Infallible>(answer(&request, told).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEAD_FIELDS)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &Request<Incoming>, told: Arc<Told>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let uri = request.uri();
    let wants_json = request
        .headers()
        .get_all(ACCEPT)
        .iter()
        .any(|accepted| accepted.to_str().is_ok_and(|text| text.contains(JSON)));
    match uri.path() {
        "/" => response(StatusCode::OK, TEXT, screen(&told.status(), Ink::Plain)),
        "/status" => json(&*told.status()),
        "/log" => {
            let lines = lines_asked(uri.query().unwrap_or_default());
            // The thread is another one, since the journal is read.
            match tokio::task::spawn_blocking(move || told.log()).await {
                Ok(log) => log_answer(&log, lines, wants_json),
                Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the log can't be read\n"),
            }
        }
        "/requests" => json(&request_names(&told.root)),
        path => request_file(path, &told.root)
            .unwrap_or_else(|| response(StatusCode::NOT_FOUND, TEXT, "see /status, /log and /requests\n")),
    }
}

/// `lines=N` of a query; all there are without it.
fn lines_asked(query: &str) -> usize {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("lines="));
    asked
        .and_then(|lines| lines.parse().ok())
        .unwrap_or(journal::MAX_LINES)
}

fn log_answer(log: &[LogLine], lines: usize, wants_json: bool) -> Response<Full<Bytes>> {
    let last = log.get(log.len().saturating_sub(lines)..).unwrap_or(log);
    if wants_json {
        return json(last);
    }
    let text = |line: &LogLine| {
        format!(
            "{} <{}> {}: {}\n",
            line.time, line.priority, line.unit, line.message
        )
    };
    response(StatusCode::OK, TEXT, last.iter().map(text).collect::<String>())
}

/// Names of the signing requests, in order.
#[must_use]
pub fn request_names(root: &Root) -> Vec<String> {
    let entries = std::fs::read_dir(root.path(paths::REQUESTS))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| is_request_name(name))
        .take(MAX_REQUESTS)
        .collect();
    names.sort();
    names
}

/// A file's name alone: no folder, nothing hidden.
fn is_request_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().all(good) && !name.starts_with('.') && name.ends_with(".pem")
}

fn request_file(path: &str, root: &Root) -> Option<Response<Full<Bytes>>> {
    let name = path
        .strip_prefix("/requests/")
        .filter(|name| is_request_name(name))?;
    let mut pem = String::new();
    let file = std::fs::File::open(root.path(paths::REQUESTS).join(name)).ok()?;
    io::Read::read_to_string(&mut io::Read::take(file, MAX_REQUEST_BYTES), &mut pem).ok()?;
    Some(response(StatusCode::OK, TEXT, pem))
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Response<Full<Bytes>> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    response(StatusCode::OK, JSON, text)
}

fn response(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "no-store"),
        // What is text stays text in a browser.
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_file_of_its_folder_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let requests = folder.path().join(paths::REQUESTS);
        std::fs::create_dir_all(&requests).unwrap();
        for name in ["b-signing.pem", "a-authentication.pem", ".hidden.pem", "pin"] {
            std::fs::write(requests.join(name), "x").unwrap();
        }
        std::fs::write(folder.path().join("secret.pem"), "secret").unwrap();
        let root = Root::new(folder.path());
        assert_eq!(request_names(&root), ["a-authentication.pem", "b-signing.pem"]);
        assert!(request_file("/requests/b-signing.pem", &root).is_some());
        for path in [
            "/requests/../../../secret.pem",
            "/requests/%2e%2e/secret.pem",
            "/requests/.hidden.pem",
            "/requests/pin",
            "/requests/",
            "/requests/c.pem",
        ] {
            assert!(request_file(path, &root).is_none(), "{path}");
        }
    }

    #[test]
    fn as_many_lines_as_asked_for_and_never_more_than_there_are() {
        for (query, lines) in [
            ("lines=3", 3),
            ("a=b&lines=0", 0),
            ("", 200),
            ("lines=-1", 200),
            ("lines=x", 200),
        ] {
            assert_eq!(lines_asked(query), lines, "{query}");
        }
    }
}
