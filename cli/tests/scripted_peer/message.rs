//! Transport messages of the peer, part by part (wire.md 2.2), and its signature over them.

use protocol_pki::digest::DigestAlgorithm;
use protocol_signature::document::{Builder, Signed};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{Batch, PartDigest};
use time::OffsetDateTime;

use super::super::information_system::pair::{Parts, multipart, part};
use super::Peer;

/// The boundary of the messages that are made here.
pub const BOUNDARY: &str = "xtopscripted";
/// The boundary of their attachments.
const ATTACHMENTS: &str = "xattscripted";
/// Their content type.
pub const MIXED: &str = "multipart/mixed; charset=UTF-8; boundary=xtopscripted";
/// Content type that an information system uses for a message with attachments.
pub const RELATED: &str = "multipart/related; boundary=original";
/// Content type of a signature.
pub const SIGNATURE: &str = "signature/bdoc-1.0/ts";

const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha512;

impl Peer {
    /// A SOAP message with its attachments, signed: what an honest server answers with.
    pub fn soap_message(&self, soap: &[u8], attachments: &[(String, Vec<u8>)]) -> Parts {
        let mut parts = vec![soap_part(soap)];
        if !attachments.is_empty() {
            parts.push(nested(attachments));
        }
        let bodies: Vec<&[u8]> = attachments.iter().map(|(_, body)| &body[..]).collect();
        parts.extend(self.signature(soap, &bodies));
        parts
    }

    /// A REST response or request part with a body, signed.
    pub fn rest_message(&self, content_type: &str, message: &[u8], body: Option<&[u8]>) -> Parts {
        let mut parts = vec![part(&format!("content-type: {content_type}"), message)];
        parts.extend(body.map(|body| part("content-type: application/x-road-rest-body", body)));
        let bodies: Vec<&[u8]> = body.into_iter().collect();
        parts.extend(self.signature(message, &bodies));
        parts
    }

    /// The same as a request: the OCSP response of the authentication certificate in front.
    pub fn with_ocsp(&self, parts: Parts) -> Parts {
        [vec![self.ocsp_part()], parts].concat()
    }

    /// The OCSP response of the authentication certificate.
    pub fn ocsp_part(&self) -> (String, Vec<u8>) {
        part(
            "content-type: application/ocsp-response",
            self.auth.ocsp_response.clone(),
        )
    }

    /// The parts of a signature over a message and the bodies that follow it: a plain one when there are none.
    pub fn signature(&self, message: &[u8], bodies: &[&[u8]]) -> Parts {
        let mut digests = vec![PartDigest::of(MESSAGE, DIGEST, message)];
        let bodies = bodies.iter().zip(1..);
        digests.extend(
            bodies.map(|(body, number)| PartDigest::of(format!("/attachment{number}"), DIGEST, body)),
        );
        if let [only] = digests.as_slice() {
            return vec![signature_part(&self.document(Signed::Message(only)))];
        }
        let batch = Batch::build(DIGEST, vec![digests]).unwrap();
        vec![
            part("content-type: application/hash-chain-result", batch.result_xml()),
            part(
                "content-type: application/hash-chain",
                batch.chain_xml(0).unwrap(),
            ),
            signature_part(&self.document(Signed::HashChainResult(batch.result_xml()))),
        ]
    }

    fn document(&self, signed: Signed<'_>) -> Vec<u8> {
        let algorithm = self.sign.key.algorithm_with(DIGEST);
        let builder = Builder {
            certificate: &self.sign.certificate,
            intermediates: &[],
            ocsp_responses: std::slice::from_ref(&self.sign.ocsp_response),
            signing_time: OffsetDateTime::now_utc(),
            algorithm,
            signed,
        };
        let unsigned = builder.build().unwrap();
        let value = self.sign.key.sign(algorithm, unsigned.to_be_signed()).unwrap();
        unsigned.finish(&value).unwrap()
    }
}

/// The SOAP part.
pub fn soap_part(soap: &[u8]) -> (String, Vec<u8>) {
    part("content-type: text/xml; charset=UTF-8", soap)
}

/// The part of a signature document.
pub fn signature_part(document: &[u8]) -> (String, Vec<u8>) {
    part(&format!("content-type: {SIGNATURE}"), document)
}

/// The part that holds the attachments, which begins with an empty line (wire.md 2.2).
pub fn nested(attachments: &[(String, Vec<u8>)]) -> (String, Vec<u8>) {
    let body = [&b"\r\n"[..], &multipart(ATTACHMENTS, attachments)].concat();
    part(
        &format!("content-type: multipart/mixed; charset=UTF-8; boundary={ATTACHMENTS}"),
        body,
    )
}

/// The parts as they go onto the wire.
pub fn body(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    multipart(BOUNDARY, parts)
}
