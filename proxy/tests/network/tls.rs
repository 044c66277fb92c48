//! TLS between our own server and client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proxy::http::{ClientConnection, ClientSettings, Method, RequestHead};
use proxy::net::tls::{
    AcceptAll, ClientAuthentication, HandshakeError, HandshakePool, client_config, connect, server_config,
};
use proxy::net::tls::{CallbackKey, KeyKind, SignFailed};
use proxy::net::{PeerRefused, PeerVerifier, TlsIdentity};
use proxy::worker::DriverChoice;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig};

use crate::support::{
    Keys, LIMIT, MEGABYTE, Rehearsal, Server, ServerPlan, echo_both_ways, provider, run, run_on,
};

/// Accepts one certificate only and counts how often it is asked.
#[derive(Debug)]
struct OnlyThis {
    certificate: CertificateDer<'static>,
    asked: AtomicUsize,
}

impl OnlyThis {
    fn named(name: &str) -> Arc<Self> {
        Arc::new(Self {
            certificate: Keys::get().certificate(name),
            asked: AtomicUsize::new(0),
        })
    }
}

impl PeerVerifier for OnlyThis {
    fn verify(&self, leaf: &CertificateDer<'_>, _: &[CertificateDer<'_>]) -> Result<(), PeerRefused> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if *leaf == self.certificate {
            Ok(())
        } else {
            Err(PeerRefused("unknown certificate".to_owned()))
        }
    }
}

fn mutual_server(identity: &str, verifier: Arc<dyn PeerVerifier>) -> Server {
    let identity = Keys::get().identity(identity);
    let tls = server_config(provider(), &identity, ClientAuthentication::Required(verifier)).unwrap();
    Server::start_with(
        ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        },
        Rehearsal,
    )
}

fn client(identity: Option<&str>, verifier: Arc<dyn PeerVerifier>) -> Arc<ClientConfig> {
    let identity = identity.map(|name| Keys::get().identity(name));
    client_config(provider(), identity.as_ref(), verifier).unwrap()
}

async fn open(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    pool: &HandshakePool,
) -> Result<ClientConnection, HandshakeError> {
    let tcp = monoio::net::TcpStream::connect_addr(address).await?;
    let name = ServerName::from(address.ip());
    let stream = connect(tcp, Arc::clone(config), name, pool, LIMIT).await?;
    Ok(ClientConnection::new(stream, ClientSettings::default()))
}

async fn get(
    connection: &mut ClientConnection,
    path: &'static str,
) -> Result<String, proxy::http::HttpError> {
    let head = RequestHead::new(Method::GET, path).with("Host", "a");
    connection.send_full(&head, "").await?;
    let body = connection.body().read_to_end(MEGABYTE).await?;
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn both_sides_prove_who_they_are() {
    for (server_key, client_key) in [("rsa", "other"), ("ec", "rsa"), ("rsa", "ec")] {
        let server_verifier = OnlyThis::named(client_key);
        let server = mutual_server(server_key, server_verifier.clone());
        let address = server.address;
        run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let verifier = OnlyThis::named(server_key);
            let config = client(Some(client_key), verifier.clone());
            let mut connection = open(address, &config, &pool).await.unwrap();
            let told = get(&mut connection, "/peer").await.unwrap();
            assert!(
                told.starts_with("TLSv1_3 TLS13_AES") && told.ends_with(" 1 false"),
                "{told}"
            );
            let tls = connection.peer().tls.clone().unwrap();
            assert_eq!(tls.certificates, [Keys::get().certificate(server_key)]);
            assert_eq!(verifier.asked.load(Ordering::Relaxed), 1);
        });
        assert_eq!(server_verifier.asked.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_session_is_resumed_without_another_signature() {
    for config in [client(Some("other"), Arc::new(AcceptAll)), tls12_client("other")] {
        let verifier = OnlyThis::named("other");
        let server = mutual_server("rsa", verifier.clone());
        let address = server.address;
        run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            for number in 0..3 {
                let mut connection = open(address, &config, &pool).await.unwrap();
                let told = get(&mut connection, "/peer").await.unwrap();
                assert!(
                    told.ends_with(if number == 0 { " 1 false" } else { " 1 true" }),
                    "{told}"
                );
                let tls = connection.peer().tls.clone().unwrap();
                assert_eq!((tls.resumed, tls.certificates.len()), (number > 0, 1));
            }
        });
        assert_eq!(verifier.asked.load(Ordering::Relaxed), 1);
    }
}

/// A client that presents an identity and speaks TLS 1.2 at most.
fn tls12_client(name: &str) -> Arc<ClientConfig> {
    let mut provider = (*provider()).clone();
    provider.cipher_suites.retain(|suite| suite.tls13().is_none());
    let identity = Keys::get().identity(name);
    client_config(Arc::new(provider), Some(&identity), Arc::new(AcceptAll)).unwrap()
}

#[test]
fn a_client_that_is_refused_gets_no_service() {
    for client_key in [Some("rsa"), None] {
        let server = mutual_server("rsa", OnlyThis::named("other"));
        let address = server.address;
        run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let config = client(client_key, Arc::new(AcceptAll));
            // In TLS 1.3 the client learns of the refusal when it reads.
            let served = match open(address, &config, &pool).await {
                Ok(mut connection) => get(&mut connection, "/peer").await.ok(),
                Err(_) => None,
            };
            assert_eq!(served, None);
        });
    }
}

#[test]
fn a_server_that_is_refused_gets_no_request() {
    let server = mutual_server("rsa", Arc::new(AcceptAll));
    let address = server.address;
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        let config = client(Some("rsa"), OnlyThis::named("other"));
        let refused = open(address, &config, &pool).await;
        let Err(HandshakeError::Refused(reason)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(reason.to_string(), "unknown certificate");
    });
}

#[test]
fn a_client_certificate_can_be_optional() {
    let tls = server_config(
        provider(),
        &Keys::get().identity("ec"),
        ClientAuthentication::Optional,
    )
    .unwrap();
    let server = Server::start_with(
        ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let address = server.address;
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        for (identity, count) in [(None, 0), (Some("rsa"), 1)] {
            let config = client(identity, Arc::new(AcceptAll));
            let mut connection = open(address, &config, &pool).await.unwrap();
            let told = get(&mut connection, "/peer").await.unwrap();
            assert!(told.ends_with(&format!(" {count} false")), "{told}");
        }
    });
}

#[test]
fn much_streams_both_ways() {
    for driver in [DriverChoice::Auto, DriverChoice::Epoll] {
        let tls = server_config(
            provider(),
            &Keys::get().identity("ec"),
            ClientAuthentication::None,
        )
        .unwrap();
        let server = Server::start_with(
            ServerPlan {
                tls: Some(tls),
                driver,
                ..ServerPlan::default()
            },
            Rehearsal,
        );
        let address = server.address;
        run_on(driver, async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let config = client(None, Arc::new(AcceptAll));
            let connection = open(address, &config, &pool).await.unwrap();
            echo_both_ways(connection, 30 * MEGABYTE).await;
        });
    }
}

#[test]
fn an_idle_connection_survives_tickets_and_notices_the_end() {
    let tls = server_config(
        provider(),
        &Keys::get().identity("ec"),
        ClientAuthentication::None,
    )
    .unwrap();
    let mut plan = ServerPlan {
        tls: Some(tls),
        ..ServerPlan::default()
    };
    plan.settings.idle_limit = Duration::from_millis(400);
    let server = Server::start_with(plan, Rehearsal);
    let address = server.address;
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        let config = client(None, Arc::new(AcceptAll));
        let mut connection = open(address, &config, &pool).await.unwrap();
        monoio::time::sleep(Duration::from_millis(100)).await;
        assert!(connection.is_alive());
        get(&mut connection, "/peer").await.unwrap();
        assert!(connection.is_reusable() && connection.is_alive());
        monoio::time::sleep(Duration::from_millis(700)).await;
        assert!(!connection.is_alive());
    });
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        let config = client(None, Arc::new(AcceptAll));
        let tcp = monoio::net::TcpStream::connect_addr(address).await.unwrap();
        let limit = Duration::from_millis(100);
        let late = connect(tcp, config, ServerName::from(address.ip()), &pool, limit).await;
        assert!(matches!(late, Err(HandshakeError::TimedOut)), "{late:?}");
    });
}

#[test]
fn bytes_that_are_not_tls_end_the_handshake() {
    let server = mutual_server("rsa", Arc::new(AcceptAll));
    let mut client = server.raw();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut client.stream(), &mut answer).unwrap();
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
}

#[test]
fn certificates_of_version_1_are_good_enough() {
    let tls = server_config(
        provider(),
        &Keys::get().identity("old"),
        ClientAuthentication::Optional,
    )
    .unwrap();
    let plan = ServerPlan {
        tls: Some(tls),
        ..ServerPlan::default()
    };
    let server = Server::start_with(plan, Rehearsal);
    let address = server.address;
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        for config in [client(Some("old"), Arc::new(AcceptAll)), tls12_client("old")] {
            let mut connection = open(address, &config, &pool).await.unwrap();
            let told = get(&mut connection, "/peer").await.unwrap();
            assert!(told.ends_with(" 1 false"), "{told}");
        }
    });
}

/// A key that signs something else than it is asked to.
fn lying(name: &str) -> TlsIdentity {
    let honest = Keys::get().identity(name);
    let key = Arc::clone(&honest.key);
    let sign = move |scheme, _: &[u8]| {
        let signer = key.choose_scheme(&[scheme]).unwrap();
        signer
            .sign(b"something else")
            .map_err(|error| SignFailed(error.to_string()))
    };
    TlsIdentity {
        key: Arc::new(CallbackKey::new(KeyKind::Rsa, sign)),
        ..honest
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    for name in ["rsa", "old"] {
        let tls = server_config(provider(), &lying(name), ClientAuthentication::None).unwrap();
        let plan = ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        };
        let server = Server::start_with(plan, Rehearsal);
        let address = server.address;
        run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            for config in [client(None, Arc::new(AcceptAll)), tls12_client("rsa")] {
                let refused = open(address, &config, &pool).await;
                let Err(HandshakeError::Tls(rustls::Error::InvalidCertificate(error))) = refused else {
                    panic!("{refused:?}")
                };
                assert!(matches!(error, CertificateError::BadSignature), "{error:?}");
            }
        });
    }
}

#[test]
fn a_key_that_cannot_sign_now_fails_the_handshake() {
    let mut identity = Keys::get().identity("rsa");
    identity.key = Arc::new(CallbackKey::new(KeyKind::Rsa, |_, _| {
        Err(SignFailed("token is locked".to_owned()))
    }));
    let tls = server_config(provider(), &identity, ClientAuthentication::None).unwrap();
    let server = Server::start_with(
        ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let address = server.address;
    run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        let failed = open(address, &client(None, Arc::new(AcceptAll)), &pool).await;
        assert!(
            matches!(failed, Err(HandshakeError::Tls(_) | HandshakeError::Closed)),
            "{failed:?}"
        );
    });
}
