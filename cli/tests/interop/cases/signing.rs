//! Signers that fail, and keys that change while the servers run.

use protocol_pki::certificate::Certificate;
use signer_client::{
    CertificateSha256, CertificateStatus, Client, CsrFormat, KeyAlgorithm, KeyUsage, NameAttribute,
};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::exchange::{getstate, judge};
use super::super::information_system::{Answer, Message, post};
use super::super::instance::{agent, wait_until};
use super::super::ledger::Case;
use super::super::peers::to_peer;
use super::super::scripted_peer::client;
use super::super::scripted_peer::server::Reply;
use super::super::vectors;
use super::super::world::{Got, World, registered_auth_certificate};

const XML: &str = "text/xml; charset=UTF-8";

pub(crate) fn fails_in_client_proxy(world: &mut World, _: &Case) -> Got {
    without_signer(world, "consumer")
}

pub(crate) fn fails_in_server_proxy(world: &mut World, _: &Case) -> Got {
    without_signer(world, "provider")
}

/// The servers have a connection to each other, so that nothing but the message needs the signer that is gone.
fn without_signer(world: &mut World, server: &str) -> Got {
    // Each worker of the consumer's server has connections of its own.
    for _ in 0..16 {
        let before = normal(world);
        if before.fault_code().is_some() {
            return Err(format!("before the signer is gone: {}", before.text()));
        }
    }
    let killed = world.instance.kill(&format!("{server}-signer"));
    let got = judge(&normal(world));
    world.instance.restart(&killed);
    wait_until("the signer to be back", || normal(world).fault_code().is_none());
    got
}

fn normal(world: &World) -> Message {
    let answer = vectors::read(getstate().file.as_deref().unwrap());
    world.provider.answers(Answer::new(XML, answer));
    post(&world.instance, XML, &vectors::read("getstate.query"))
}

pub(crate) fn consumer_changes_its_auth_key(world: &mut World, _: &Case) -> Got {
    let new = new_auth_key(world, "consumer", "SANDBOX/ORG/1001");
    let query = to_peer(vectors::read("getstate.query"));
    world
        .scripted
        .answers(|_| Reply::http("502 Bad Gateway", &[], b""));
    wait_until("the new key to be shown", || {
        post(&world.instance, XML, &query);
        world
            .scripted
            .callers()
            .last()
            .is_some_and(|caller| caller == new.as_der())
    });
    judge(&normal(world))
}

pub(crate) fn provider_changes_its_auth_key(world: &mut World, _: &Case) -> Got {
    let new = new_auth_key(world, "provider", "SANDBOX/ORG/2002");
    let to = client::provider(&world.instance);
    wait_until("the new key to be shown", || {
        client::presented(to, &world.peer.auth).is_ok_and(|shown| shown == new.as_der())
    });
    judge(&normal(world))
}

/// A new key is made, certified and registered as an operator does it; when it is ready the old one is switched off.
fn new_auth_key(world: &World, server: &str, owner: &str) -> Certificate {
    let folder = world.instance.dir().join(server);
    let signer = Client::connect(folder.join("signer.sock"));
    let old = registered_auth_certificate(&world.instance, owner, None);
    let subject = vec![
        NameAttribute::new("C", "SANDBOX"),
        NameAttribute::new("CN", server),
    ];
    let key = signer
        .generate_key(
            "0",
            "new authentication",
            KeyAlgorithm::Rsa2048,
            KeyUsage::Authentication,
        )
        .unwrap();
    let request = signer
        .generate_csr(&key.id, subject, None, CsrFormat::Der)
        .unwrap();
    let new = certify(world, &request.csr);
    registered_auth_certificate(&world.instance, owner, Some(&new));
    let hash = STANDARD.encode(&*new.sha256());
    for other in ["consumer", "provider"] {
        let shared = world
            .instance
            .dir()
            .join(other)
            .join("globalconf/SANDBOX/shared-params.xml");
        wait_until("the new certificate to be registered", || {
            std::fs::read_to_string(&shared).is_ok_and(|text| text.contains(&hash))
        });
    }
    signer
        .import_certificate(new.as_der(), CertificateStatus::Registered, None)
        .unwrap();
    let response = folder.join(format!("ocsp/{}.ocsp", new.sha1().to_hex()));
    wait_until("an OCSP response for the new key", || response.exists());
    let old = CertificateSha256(old.sha256().to_vec().try_into().unwrap());
    signer.set_certificate_active(old, false).unwrap();
    new
}

fn certify(world: &World, csr: &[u8]) -> Certificate {
    let url = format!("{}/ca/sign?usage=auth", world.instance.get("trust/ca"));
    let mut answer = agent().post(&url).send(csr.to_vec()).unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    Certificate::from_der_or_pem(&answer.body_mut().read_to_vec().unwrap()).unwrap()
}
