//! Java's TLS with a stock server's suites, in both roles, against the TLS of port 5500.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use proxy::net::tls::HandshakePool;

use crate::jsse;
use crate::stock::{Party, bodies, check_answers, client, met, open, parties, peers, post, requests, server};
use crate::support::run;

/// The party's key and chain, without the root, for Java.
fn keystore(party: &Party, folder: &Path) -> PathBuf {
    let chain: Vec<&Path> = party.chain.iter().map(PathBuf::as_path).collect();
    jsse::keystore(folder, "party", &party.key, &chain)
}

#[test]
fn a_stock_client_is_served_and_resumes() {
    if !jsse::is_installed() {
        return;
    }
    for party in parties() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = keystore(&party, folder.path());
        let server = server(peers(), &party.identity);
        let count = party.chain.len();
        for (number, called) in jsse::call(server.address, &keystore, &requests(), 3)
            .iter()
            .enumerate()
        {
            assert_eq!(called.line, format!("{} {count}", party.suite));
            let told = check_answers(&called.answer);
            let expected = format!("TLSv1_2 {} {count} {}", party.suite, number > 0);
            assert_eq!(told, expected);
        }
    }
}

#[test]
fn a_stock_server_is_called_and_resumes() {
    if !jsse::is_installed() {
        return;
    }
    for party in parties() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = keystore(&party, folder.path());
        let [_, _, large] = bodies();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            large.len()
        );
        let answer = [head.as_bytes(), &large].concat();
        let server = jsse::Server::start(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, &keystore, &answer);
        let (address, identity) = (server.address, party.identity.clone());
        let found = run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let config = client(peers(), &identity);
            let mut found = Vec::new();
            for body in bodies() {
                let mut connection = open(address, &config, &pool).await;
                found.push(met(&connection));
                assert!(post(&mut connection, "/", body).await == large);
            }
            found
        });
        for (number, (body, met)) in bodies().iter().zip(found).enumerate() {
            assert_eq!(server.line(), format!("{} {}", party.suite, party.chain.len()));
            assert!(server.request(number).ends_with(body));
            assert_eq!(met, (party.suite.to_owned(), number > 0));
        }
    }
}

#[test]
fn a_stock_client_finds_nothing_in_common_once_cbc_is_switched_off() {
    if !jsse::is_installed() {
        return;
    }
    let [party, ..] = parties();
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(&party, folder.path());
    let server = server(crate::stock::without_cbc(), &party.identity);
    let called = jsse::call(server.address, &keystore, &requests(), 1);
    assert!(called[0].line.contains("handshake_failure"), "{called:?}");
}
