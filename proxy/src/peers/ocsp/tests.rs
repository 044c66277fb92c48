//! A peer's service of OCSP responses is asked once for all exchanges that need them, be it that it answers or fails.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;

use protocol_pki::key::KeySpec;
use protocol_pki::ocsp::CertificateStatus;

use super::*;
use crate::message_log::time_stamping::tests::support::{globalconf_with, trust};

/// A service that gives the same answer to everybody.
struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(status: &str, responses: &[&[u8]]) -> Self {
        let mut body = Vec::new();
        for response in responses {
            body.extend_from_slice(b"--b\r\nContent-Type: application/ocsp-response\r\n\r\n");
            body.extend_from_slice(response);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--\r\n");
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = [head.as_bytes(), &body].concat();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&service.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = Vec::new();
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    head.push(std::mem::take(&mut line));
                }
                asked.lock().unwrap().push(head.concat());
                let _ = stream.get_mut().write_all(&answer);
            }
        });
        service
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .enable_timer()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Eight exchanges at the same time; what became of each.
async fn eight_at_once(
    known: &Rc<OcspResponsesOfPeers>,
    certificate: &Certificate,
    service: SocketAddr,
    at: OffsetDateTime,
) -> Vec<Result<usize, String>> {
    let globalconf = Rc::new(globalconf_with(|_| {}));
    let exchanges: Vec<_> = (0..8)
        .map(|_| {
            let (known, globalconf) = (Rc::clone(known), Rc::clone(&globalconf));
            let certificates = [certificate.clone()];
            monoio::spawn(async move {
                let own = Keys::default();
                let got = known.of(&certificates, &own, service, &globalconf, at).await;
                got.map(|all| all.len()).map_err(|error| error.to_string())
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for exchange in exchanges {
        outcomes.push(exchange.await);
    }
    outcomes
}

fn peers() -> Rc<OcspResponsesOfPeers> {
    let limit = Duration::from_secs(10);
    Rc::new(OcspResponsesOfPeers::new(limit, limit))
}

#[test]
fn one_asks_and_all_learn_until_the_response_is_too_old() {
    let (authority, identity) = trust();
    let now = OffsetDateTime::now_utc();
    let certificate = &identity.certificate;
    let response = authority
        .ocsp_response(certificate, CertificateStatus::Good, now, None)
        .unwrap();
    let service = Service::start("200 OK", &[&response]);
    let known = peers();
    run(async {
        let outcomes = eight_at_once(&known, certificate, service.address, now).await;
        assert_eq!(outcomes, vec![Ok(1); 8]);
        assert_eq!(service.asked().len(), 1);
        let later = now + time::Duration::minutes(10);
        let outcomes = eight_at_once(&known, certificate, service.address, later).await;
        assert_eq!(
            (outcomes, service.asked().len()),
            (vec![Ok(1); 8], 1),
            "it is fresh still"
        );
        let stale = now + time::Duration::hours(2);
        let _ = eight_at_once(&known, certificate, service.address, stale).await;
        assert!(service.asked().len() > 1, "it is not fresh any more");
    });
    let (sha1, sha256) = (certificate.sha1().to_hex(), certificate.sha256().to_hex());
    let first = &service.asked()[0];
    assert!(
        first.starts_with(&format!("GET /?cert={sha1}&cert_hash={sha256} HTTP/1.1\r\n")),
        "{first}"
    );
    assert!(
        first
            .to_ascii_lowercase()
            .contains("\naccept: multipart/related\r\n"),
        "{first}"
    );
}

#[test]
fn a_failure_is_shared_by_all_who_wait_and_asked_about_again_by_the_next() {
    let (authority, identity) = trust();
    let now = OffsetDateTime::now_utc();
    let certificate = &identity.certificate;
    let response = authority
        .ocsp_response(certificate, CertificateStatus::Good, now, None)
        .unwrap();
    for (status, responses, told) in [
        ("500 Internal Server Error", &[][..], "HTTP 500"),
        ("200 OK", &[], "asked for 1 OCSP responses, got 0"),
        (
            "200 OK",
            &[&response[..], &response[..]],
            "asked for 1 OCSP responses, got 2",
        ),
    ] {
        let service = Service::start(status, responses);
        let known = peers();
        run(async {
            for round in 1..3 {
                let outcomes = eight_at_once(&known, certificate, service.address, now).await;
                for outcome in outcomes {
                    assert!(
                        outcome.as_ref().is_err_and(|text| text.contains(told)),
                        "{outcome:?}"
                    );
                }
                assert_eq!(service.asked().len(), round, "{told}");
            }
        });
    }
}

#[test]
fn a_service_that_is_silent_is_given_up() {
    let certificate = trust()
        .0
        .member("GOV", "124", KeySpec::P256, OffsetDateTime::now_utc())
        .unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let known = OcspResponsesOfPeers::new(Duration::from_secs(1), Duration::from_millis(200));
    run(async {
        let (own, globalconf) = (Keys::default(), globalconf_with(|_| {}));
        let certificates = [certificate.certificate.clone()];
        let began = Instant::now();
        let service = silent.local_addr().unwrap();
        let got = known
            .of(
                &certificates,
                &own,
                service,
                &globalconf,
                OffsetDateTime::now_utc(),
            )
            .await;
        assert!(got.is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}
