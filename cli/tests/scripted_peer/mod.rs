//! A security server under the test's control: a registered member of a running instance whose keys the test itself
//! holds. As a provider's server it answers whatever the test scripts ([`server`]), as a consumer's server it sends
//! whatever the test writes ([`client`]); to the instance's own servers it is a peer like any other.
//!
//! A test that uses it declares `mod instance;` and `mod information_system;` besides.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each file uses a part of it"
)]

pub mod client;
pub mod message;
pub mod server;
mod tls;

use std::path::Path;
use std::time::Duration;

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use protocol_pki::certificate::Certificate;
use protocol_pki::key::SoftwareKey;
use protocol_pki::ocsp;

use super::instance::{self, Instance};

/// Port for other security servers.
pub const PEER_PORT: u16 = 5500;
/// Port at which other security servers ask for OCSP responses.
pub const OCSP_PORT: u16 = 5577;
/// The member class of the sandbox.
const MEMBERS: &str = "SANDBOX/ORG";
/// The password that `kiirtee sandbox join` gives its files.
const PASSWORD: &str = "sandbox";

/// A certificate of the instance's authority with its key and a good OCSP response.
pub struct Identity {
    pub key: SoftwareKey,
    pub certificate: Certificate,
    pub ocsp_response: Vec<u8>,
}

/// A security server whose keys the test holds.
pub struct Peer {
    /// Member code.
    pub member: String,
    /// The member's identifier, `SANDBOX/ORG/3003`.
    pub member_id: String,
    /// The subsystem's identifier, `SANDBOX/ORG/3003/peer`.
    pub subsystem_id: String,
    /// Where other servers expect it.
    pub address: String,
    /// Its authentication key.
    pub auth: Identity,
    /// Its member's signing key.
    pub sign: Identity,
}

impl Peer {
    /// Registers member `code` with a server at this address of the instance's network (such as 60) and a subsystem
    /// `peer`; both servers of the instance have heard of it when this returns.
    pub fn join(instance: &Instance, code: &str, host: u8) -> Self {
        let out = instance.dir().join(format!("peer-{code}"));
        let address = format!("{}.{host}", instance.get("net"));
        let id = format!("{MEMBERS}/{code}/peer");
        let join = instance::kiirtee()
            .args(["sandbox", "join", "--server-id", &id, "--address", &address])
            .args(["--subsystem", "peer", "--dir"])
            .arg(instance.dir())
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        assert!(join.status.success(), "{}", String::from_utf8_lossy(&join.stderr));
        let authority = std::fs::read(out.join("ca.pem")).unwrap();
        let authority = Certificate::from_der_or_pem(&authority).unwrap();
        let responder = instance.get("trust/ocsp");
        let identity = |name: &str| Identity::read(&out.join(name), &authority, &responder);
        let peer = Self {
            member: code.to_owned(),
            member_id: format!("{MEMBERS}/{code}"),
            subsystem_id: format!("{MEMBERS}/{code}/peer"),
            address,
            auth: identity("auth.p12"),
            sign: identity("sign.p12"),
        };
        peer.wait(instance);
        peer
    }

    /// Until the proxies, which look at their files once a second, know of it too: the provider's lets it connect, the
    /// consumer's tries to reach it.
    fn wait(&self, instance: &Instance) {
        let provider = client::provider(instance);
        instance::wait_until("the provider's server to accept the peer", || {
            client::send(provider, Some(&self.auth), "GET /", &[], b"").is_ok()
        });
        let url = format!(
            "{}/r1/{}/none",
            instance.get("consumer/client_http"),
            self.subsystem_id
        );
        instance::wait_until("the consumer's server to know the peer", || {
            let asked = instance::agent()
                .get(&url)
                .header(instance::CLIENT.0, instance::CLIENT.1);
            let answer = asked.call().unwrap();
            let code = answer.headers().get("x-road-error");
            code.is_some_and(|code| code != "server.clientproxy.unknown_member")
        });
    }

    /// SOAP header fields of its member as `<x:client>` or `<x:service>` have them, for replacing those of others.
    pub fn member_element(&self) -> String {
        format!("memberCode>{}<", self.member)
    }
}

impl Identity {
    fn read(file: &Path, authority: &Certificate, responder: &str) -> Self {
        let bytes = std::fs::read(file).unwrap();
        let store = KeyStore::from_pkcs12(&bytes, PASSWORD, Pkcs12ImportPolicy::Relaxed).unwrap();
        let (_, chain) = store.private_key_chain().unwrap();
        let certificate = Certificate::from_der(chain.certs()[0].as_der()).unwrap();
        Self {
            key: SoftwareKey::from_pkcs8(chain.key().as_der()).unwrap(),
            ocsp_response: ocsp_response(&certificate, authority, responder),
            certificate,
        }
    }
}

/// What the instance's responder says of a certificate.
pub fn ocsp_response(certificate: &Certificate, authority: &Certificate, responder: &str) -> Vec<u8> {
    let mut answer = instance::agent()
        .post(responder)
        .header("content-type", "application/ocsp-request")
        .send(ocsp::request(certificate, authority))
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.body_mut().read_to_vec().unwrap()
}

/// How long a peer waits for the other side.
const PATIENCE: Duration = Duration::from_secs(60);
