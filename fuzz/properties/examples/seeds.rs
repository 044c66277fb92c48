//! Makes the good seeds of the corpus, and the certificates in `data/` that they verify with:
//! `cargo run -p fuzz-properties --example seeds`.
//!
//! The keys are drawn anew each time and thrown away, so all these files change together.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a tool for those who fuzz"
)]

use std::path::PathBuf;

use fuzz_properties::hash_chain;
use fuzz_properties::signature_document::SIGNED_MESSAGE;
use fuzz_properties::world::NOW;
use protocol_globalconf::Version;
use protocol_globalconf::signed_directory::{FilePart, UnsignedDirectory};
use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Template};
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use protocol_pki::ocsp::{self, CertificateId, CertificateStatus, ResponderId, SingleStatus};
use protocol_pki::public_key::ecdsa_der_to_xml;
use protocol_pki::tsp::{self, Imprint, TokenContents};
use protocol_signature::asic::{BatchTimeStamp, Contents, Writer};
use protocol_signature::document::{Builder, SignatureDocument, Signed};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::PartDigest;
use protocol_signature::time_stamp;
use signer_client::frame::{self, ClientFrame, ServerFrame};
use signer_client::{
    Blob, CertificateSha256, PartDigests, Request, Response, SignMessages, SignedBatch, SignedMessages,
    SignerError,
};
use time::Duration;

fn main() {
    let world = World::new();
    for (name, identity) in [("ca", &world.ca), ("signer", &world.signer), ("tsa", &world.tsa)] {
        write(
            &format!("properties/data/{name}.der"),
            identity.certificate.as_der(),
        );
    }
    evidence(&world);
    certificates_and_stamps(&world);
    signed_directory(&world);
    signer_socket();
}

fn write(path: &str, bytes: &[u8]) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A certificate with its key.
struct Identity {
    key: SoftwareKey,
    certificate: Certificate,
}

/// Who signs the seeds.
struct World {
    ca: Identity,
    signer: Identity,
    tsa: Identity,
}

impl World {
    fn new() -> Self {
        let ca_name = DistinguishedName::build(&[("C", "EE"), ("CN", "Test CA")]).unwrap();
        let ca_key = SoftwareKey::generate(KeySpec::P256).unwrap();
        let issue = |key: SoftwareKey, subject: &DistinguishedName, serial: u8, extensions| {
            let template = Template {
                serial: &[serial],
                issuer: &ca_name,
                subject,
                not_before: NOW - Duration::days(10),
                not_after: NOW + Duration::days(10),
                spki: key.spki_der(),
                extensions,
            };
            let certificate = template.sign(&ca_key.signer(DigestAlgorithm::Sha256)).unwrap();
            Identity { key, certificate }
        };
        let end_entity = |usage| vec![Extension::end_entity(), Extension::key_usage(usage)];
        let new_key = || SoftwareKey::generate(KeySpec::P256).unwrap();
        let subject = DistinguishedName::build(&[("C", "DEV"), ("O", "COM"), ("CN", "4321")]).unwrap();
        let signer = issue(new_key(), &subject, 2, end_entity(KeyUsage::NON_REPUDIATION));
        let subject = DistinguishedName::build(&[("CN", "TSA")]).unwrap();
        let tsa = issue(new_key(), &subject, 3, end_entity(KeyUsage::DIGITAL_SIGNATURE));
        let usage = Extension::key_usage(KeyUsage::KEY_CERT_SIGN.and(KeyUsage::CRL_SIGN));
        let same_key = SoftwareKey::from_pkcs8(&ca_key.to_pkcs8().unwrap()).unwrap();
        let ca = issue(same_key, &ca_name, 1, vec![Extension::authority(None), usage]);
        Self { ca, signer, tsa }
    }

    fn ocsp(&self, status: CertificateStatus, id: ResponderId) -> Vec<u8> {
        let single = SingleStatus {
            certificate: CertificateId::new(&self.signer.certificate, &self.ca.certificate),
            status,
            this_update: NOW - Duration::minutes(5),
            next_update: Some(NOW + Duration::minutes(30)),
        };
        let key = self.ca.key.signer(DigestAlgorithm::Sha256);
        ocsp::respond(&[single], NOW, None, &self.ca.certificate, id, &key).unwrap()
    }

    fn document(&self, signed: Signed<'_>) -> Vec<u8> {
        let algorithm = self.signer.key.algorithm_with(DigestAlgorithm::Sha512);
        let builder = Builder {
            certificate: &self.signer.certificate,
            intermediates: &[],
            ocsp_responses: &[self.ocsp(CertificateStatus::Good, ResponderId::ByName)],
            signing_time: NOW,
            algorithm,
            signed,
        };
        let unsigned = builder.build().unwrap();
        let value = self.signer.key.sign(algorithm, unsigned.to_be_signed()).unwrap();
        unsigned.finish(&ecdsa_der_to_xml(&value, 32).unwrap()).unwrap()
    }

    fn stamp(&self, data: &[u8], include_certificate: bool) -> tsp::TimeStampToken {
        let contents = TokenContents {
            imprint: Imprint::of(DigestAlgorithm::Sha512, data),
            gen_time: NOW + Duration::seconds(2),
            policy: "1.2.3.4",
            serial: &[5],
            nonce: None,
            include_certificate,
        };
        let key = self.tsa.key.signer(DigestAlgorithm::Sha256);
        tsp::issue_token(&contents, &self.tsa.certificate, &key).unwrap()
    }
}

/// Signature documents, hash chains and containers.
fn evidence(world: &World) {
    let batch = hash_chain::sample();
    write(
        "corpus/hash_chain/good-pair",
        &[&batch.result[..], &[0], &batch.chain].concat(),
    );
    write("corpus/hash_chain/good-chain.xml", &batch.chain);
    write("corpus/hash_chain/good-result.xml", &batch.result);

    let message = PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, SIGNED_MESSAGE);
    let direct = world.document(Signed::Message(&message));
    let in_batch = world.document(Signed::HashChainResult(&batch.result));
    let value = SignatureDocument::parse(&direct)
        .unwrap()
        .signature_value()
        .to_vec();
    let stamped = time_stamp::embed(&direct, world.stamp(&value, true).as_der()).unwrap();
    for (name, document) in [("direct", &direct), ("batch", &in_batch), ("stamped", &stamped)] {
        write(&format!("corpus/signature_document/good-{name}.xml"), document);
    }

    let digest = |document: &[u8]| time_stamp::ALGORITHM.digest(document);
    let stamps = time_stamp::Batch::build(&[digest(&in_batch), digest(b"another")]).unwrap();
    let token = world.stamp(stamps.result_xml(), true);
    let chain = stamps.chain_xml(0).unwrap();
    let plain = Contents {
        message: SIGNED_MESSAGE,
        signature: &stamped,
        hash_chain: None,
        time_stamp: None,
        attachments: 0,
    };
    let with_all = Contents {
        signature: &in_batch,
        hash_chain: Some((&batch.result, &batch.chain)),
        time_stamp: Some(BatchTimeStamp {
            result: stamps.result_xml(),
            chain: &chain,
            token: token.as_der(),
        }),
        attachments: 1,
        ..plain
    };
    write(
        "corpus/asic/good-plain",
        &Writer::new(Vec::new(), &plain, NOW).unwrap().finish().unwrap(),
    );
    let mut writer = Writer::new(Vec::new(), &with_all, NOW).unwrap();
    writer.attachment(&mut &b"attachment"[..]).unwrap();
    write("corpus/asic/good-all", &writer.finish().unwrap());
}

/// OCSP and time-stamps.
fn certificates_and_stamps(world: &World) {
    let at = NOW - Duration::days(1);
    for (name, status, id) in [
        ("good-by-name", CertificateStatus::Good, ResponderId::ByName),
        ("good-by-key", CertificateStatus::Unknown, ResponderId::ByKeyHash),
        (
            "good-revoked",
            CertificateStatus::Revoked { at },
            ResponderId::ByName,
        ),
    ] {
        write(&format!("corpus/ocsp/{name}.der"), &world.ocsp(status, id));
    }
    write(
        "corpus/ocsp/good-request.der",
        &ocsp::request(&world.signer.certificate, &world.ca.certificate),
    );
    write(
        "corpus/ocsp/bad-try-later.der",
        &ocsp::error_response(ocsp::ResponseStatus::TryLater),
    );
    let token = world.stamp(b"stamped", true);
    write("corpus/tsp/good-token.der", token.as_der());
    write(
        "corpus/tsp/good-response.der",
        &tsp::grant(&world.stamp(b"stamped", false)),
    );
    write("corpus/tsp/good-refusal.der", &tsp::reject("no"));
    write("corpus/tsp/good-request.der", &tsp::request(token.imprint()));
    write("corpus/tsp/bad-cut.der", &token.as_der()[..100]);
}

fn signed_directory(world: &World) {
    let part = |content_identifier, location| FilePart {
        content_identifier,
        location,
        bytes: b"<conf/>",
    };
    let parts = [
        part("SHARED-PARAMETERS", "/V6/20260304/shared-params.xml"),
        part("PRIVATE-PARAMETERS", "/V6/20260304/private-params.xml"),
        part("OCSP-FETCH-INTERVAL", "/V6/20260304/fetchinterval-params.xml"),
    ];
    let version = Version::NEWEST;
    let expires = NOW + Duration::days(1);
    let directory = UnsignedDirectory::new("DEV", version, expires, &parts, "inner".to_owned());
    let signature = world.signer.key.sign_with_sha512(directory.signed_bytes());
    let algorithm = world.signer.key.algorithm_with(DigestAlgorithm::Sha512);
    let whole = directory.finish(algorithm, &signature, world.signer.certificate.as_der(), "outer");
    write("corpus/signed_directory/good-whole", &whole);
    write(
        "corpus/signed_directory/good-signed-part",
        directory.signed_bytes(),
    );
    write("corpus/signed_directory/bad-cut", &whole[..whole.len() / 2]);
}

trait SignWithSha512 {
    fn sign_with_sha512(&self, data: &[u8]) -> Vec<u8>;
}

impl SignWithSha512 for SoftwareKey {
    fn sign_with_sha512(&self, data: &[u8]) -> Vec<u8> {
        self.sign(self.algorithm_with(DigestAlgorithm::Sha512), data)
            .unwrap()
    }
}

fn signer_socket() {
    let blob = |bytes: &[u8]| Blob::from(bytes);
    let messages = SignMessages {
        certificate: CertificateSha256([0xab; 32]),
        intermediates: vec![blob(b"i")],
        ocsp_responses: vec![blob(b"o")],
        messages: vec![PartDigests::new([&[1; 64][..]])],
    };
    let mut to_signer = Vec::new();
    for frame in [
        ClientFrame::hello("proxy"),
        ClientFrame::Request {
            id: 1,
            body: Request::Status,
        },
        ClientFrame::Request {
            id: 300,
            body: Request::SignMessages(messages),
        },
    ] {
        frame::encode(&frame, &mut to_signer).unwrap();
    }
    let mut from_signer = Vec::new();
    let signed = SignedMessages(vec![SignedBatch::Chained {
        signature_xml: blob(b"<a/>"),
        hash_chain_result: blob(b"<b/>"),
        hash_chains: vec![blob(b"<c/>"), blob(b"<d/>")],
    }]);
    for frame in [
        ServerFrame::Hello {
            version: signer_client::PROTOCOL_VERSION,
        },
        ServerFrame::Reply {
            id: 1,
            outcome: Ok(Response::Status(signer_client::Status::default())),
        },
        ServerFrame::Reply {
            id: 2,
            outcome: Err(SignerError::NotPermitted),
        },
        ServerFrame::Reply {
            id: 3,
            outcome: Ok(Response::SignedMessages(signed)),
        },
    ] {
        frame::encode(&frame, &mut from_signer).unwrap();
    }
    write("corpus/signer_socket/good-to-signer", &to_signer);
    write("corpus/signer_socket/good-from-signer", &from_signer);
    write("corpus/signer_socket/bad-long", &[0xff, 0xff, 0xff, 0x7f, 1]);
    write("corpus/signer_socket/bad-empty", &[0, 0, 0, 0]);
}
