//! The hot rooms alone, at the sizes of real traffic: what one message costs in each.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "benches, with the world of the tests"
)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol_message::rest::RequestPart;
use protocol_message::soap;
use protocol_message::transport::{ContentType, Encoder, Signature, TransportDecoder};
use protocol_pki::digest::DigestAlgorithm;
use protocol_signature::document::{SignatureDocument, Signed};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{Batch, PartDigest, Parts};
use protocol_signature::verify::{self, Evidence};
use proxy_http_codec::parse::parse_request;

#[path = "../../protocol/signature/tests/vectors/mod.rs"]
mod vectors;
use vectors::issued::{self, NOW, World};

/// Messages that share a signature.
const BATCH: usize = 64;

const HTTP_HEAD: &str = "GET /r1/SANDBOX/ORG/2002/provider/echo/bytes/1024 HTTP/1.1\r\nHost: 127.0.42.10:8080\r\n\
    X-Road-Client: SANDBOX/ORG/1001/client\r\nAccept: */*\r\nUser-Agent: bench/1\r\nX-Road-Id: SANDBOX-4711\r\n\r\n";

const REST_PART: &str = "GET\r\n/r1/SANDBOX/ORG/2002/provider/echo/bytes/1024\r\n\
    X-Road-Client:SANDBOX/ORG/1001/client\r\nAccept:*/*\r\nX-Caller:bench/1\r\n\
    x-road-request-id:5a7a4f0c-4b5e-4d0c-9d0b-2f4f6f6d8a11\r\nx-road-id:SANDBOX-4711\r\n";

/// A SOAP request of about 1 KB.
fn envelope() -> String {
    let identifier = |name: &str, kind: &str, member: &str, rest: &str| {
        format!(
            "<x:{name} i:objectType=\"{kind}\"><i:xRoadInstance>SANDBOX</i:xRoadInstance><i:memberClass>ORG</i:memberClass>\
             <i:memberCode>{member}</i:memberCode>{rest}</x:{name}>"
        )
    };
    let client = "<i:subsystemCode>client</i:subsystemCode>";
    let service = "<i:subsystemCode>provider</i:subsystemCode><i:serviceCode>echo</i:serviceCode>\
                   <i:serviceVersion>v1</i:serviceVersion>";
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" \
         xmlns:i=\"http://x-road.eu/xsd/identifiers\"><s:Header>{}{}<x:id>4711</x:id><x:userId>EE1</x:userId>\
         <x:protocolVersion>4.0</x:protocolVersion></s:Header><s:Body><e:echo xmlns:e=\"urn:e\">{}</e:echo></s:Body></s:Envelope>",
        identifier("client", "SUBSYSTEM", "1001", client),
        identifier("service", "SERVICE", "2002", service),
        "t".repeat(200)
    )
}

/// The parts of message number `index`: request part and body.
fn parts(index: usize) -> Vec<PartDigest> {
    let digest =
        |name: &'static str, text: &str| PartDigest::of(name, DigestAlgorithm::Sha512, text.as_bytes());
    vec![
        digest(MESSAGE, &format!("{REST_PART}{index}")),
        digest("/attachment1", &"y".repeat(1024)),
    ]
}

/// What a batch leaves with one of its messages.
struct Signed64 {
    document: Vec<u8>,
    result: Vec<u8>,
    chain: Vec<u8>,
}

fn signed(world: &World) -> Signed64 {
    let batch = Batch::build(DigestAlgorithm::Sha512, (0..BATCH).map(parts).collect()).unwrap();
    Signed64 {
        document: world.document(Signed::HashChainResult(batch.result_xml())),
        result: batch.result_xml().to_vec(),
        chain: batch.chain_xml(0).unwrap(),
    }
}

/// A REST request between security servers.
fn transport(signed: &Signed64, out: &mut Vec<u8>) -> String {
    let mut encoder = Encoder::new(&[7; 30]);
    let content_type = encoder.content_type();
    encoder.rest_request(REST_PART.as_bytes(), out);
    encoder.start_rest_body(out);
    out.extend_from_slice(&[b'y'; 1024]);
    let signature = Signature {
        hash_chain: Some((&signed.result, &signed.chain)),
        document: &signed.document,
    };
    encoder.signature(signature, out);
    encoder.finish(out);
    content_type
}

fn heads(criterion: &mut Criterion) {
    let http = Bytes::from_static(HTTP_HEAD.as_bytes());
    criterion.bench_function("HTTP request head", |b| {
        b.iter(|| parse_request(black_box(&http)).unwrap());
    });
    criterion.bench_function("REST request part", |b| {
        b.iter(|| RequestPart::parse(black_box(REST_PART.as_bytes())).unwrap());
    });
    let (soap, kind) = (envelope(), ContentType::parse("text/xml; charset=UTF-8").unwrap());
    criterion.bench_function("SOAP message of 1 KB", |b| {
        b.iter(|| soap::parse(black_box(soap.as_bytes()), &kind).unwrap());
    });
}

fn multipart(criterion: &mut Criterion) {
    let signed = signed(issued::rsa());
    let mut message = Vec::new();
    let content_type = transport(&signed, &mut message);
    let mut group = criterion.benchmark_group(format!("transport message of {} B", message.len()));
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("encode", |b| {
        b.iter(|| {
            let mut out = Vec::with_capacity(16 * 1024);
            transport(black_box(&signed), &mut out);
            out
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            let mut decoder = TransportDecoder::new(black_box(&content_type)).unwrap();
            let mut rest = message.as_slice();
            while let Some(event) = decoder.next(&mut rest).unwrap() {
                black_box(event);
            }
            decoder.finish().unwrap();
        });
    });
    group.finish();
}

fn signatures(criterion: &mut Criterion) {
    criterion.bench_function("hash tree of 64, with every chain", |b| {
        let messages: Vec<_> = (0..BATCH).map(parts).collect();
        b.iter(|| {
            let batch = Batch::build(DigestAlgorithm::Sha512, messages.clone()).unwrap();
            (0..BATCH)
                .map(|index| batch.chain_xml(index).unwrap().len())
                .sum::<usize>()
        });
    });
    for (keys, world) in [("RSA-2048", issued::rsa()), ("P-256", issued::p256())] {
        let signed = signed(world);
        let ocsp = [world.good()];
        criterion.bench_function(
            &format!("signature document, {keys}: emit, without the key's work"),
            |b| {
                let value = world.sign(b"as long as any");
                b.iter(|| {
                    let unsigned = world.unsigned_with(Signed::HashChainResult(&signed.result), &[], &ocsp);
                    black_box(unsigned.to_be_signed_digest());
                    unsigned.finish(&value).unwrap()
                });
            },
        );
        criterion.bench_function(&format!("{keys} signature"), |b| {
            b.iter(|| world.sign(black_box(&[7; 64])))
        });
        let (member, trust) = (world.member(), world.trust());
        let fresh = || {
            let document = SignatureDocument::parse(black_box(&signed.document)).unwrap();
            verify::document(&document, &member, NOW, &trust).unwrap()
        };
        criterion.bench_function(&format!("signature document, {keys}: verify fresh"), |b| {
            b.iter(fresh)
        });
        let (verified, parts) = (fresh(), parts(0));
        criterion.bench_function(&format!("signature document, {keys}: a further message"), |b| {
            b.iter(|| {
                let evidence = Evidence {
                    hash_chain_result: Some(black_box(&signed.result)),
                    hash_chain: Some(black_box(&signed.chain)),
                    message: None,
                    parts: Parts::Received(&parts),
                };
                // A verdict is found again by the digest of the document's bytes.
                black_box(DigestAlgorithm::Sha256.digest(&signed.document));
                verified.verify_message(&member, NOW, &evidence).unwrap()
            });
        });
    }
}

criterion_group!(rooms, heads, multipart, signatures);
criterion_main!(rooms);
