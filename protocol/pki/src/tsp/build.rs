//! Making tokens and responses, for time-stamping authorities.

use time::OffsetDateTime;

use super::cms::content_info;
use super::request::imprint_der;
use super::{Imprint, TimeStampToken, TspError};
use crate::algorithm::digest_identifier_der;
use crate::asn1;
use crate::certificate::Certificate;
use crate::digest::DigestAlgorithm;
use crate::key::{Signer, SignerFailure};
use crate::oid;

/// What a new token says.
#[derive(Clone, Debug)]
pub struct TokenContents<'a> {
    /// What is stamped.
    pub imprint: Imprint,
    /// When.
    pub gen_time: OffsetDateTime,
    /// The policy, dotted.
    pub policy: &'a str,
    /// Serial number, big-endian.
    pub serial: &'a [u8],
    /// Contents octets of the request's nonce.
    pub nonce: Option<&'a [u8]>,
    /// Whether the token holds the authority's certificate.
    pub include_certificate: bool,
}

/// Signs a token.
///
/// # Errors
/// Whatever kept the key from signing, or a policy that is not a dotted identifier.
pub fn issue_token(
    contents: &TokenContents<'_>,
    authority: &Certificate,
    signer: &dyn Signer,
) -> Result<TimeStampToken, SignerFailure> {
    let info = info_der(contents).ok_or(TspError::NotAToken)?;
    let digest = signer.algorithm().digest();
    let attributes = signed_attributes(&info, digest, authority);
    let signature = signer.sign(&attributes)?;
    let signer_info = signer_info(
        authority,
        digest,
        &attributes,
        &signer.algorithm().identifier_der(),
        &signature,
    );
    let content = asn1::element(asn1::constructed(0), &asn1::octet_string(&info));
    let certificates = if contents.include_certificate {
        asn1::element(asn1::constructed(0), authority.as_der())
    } else {
        Vec::new()
    };
    let der = content_info(&[
        &asn1::unsigned_integer(&[3]),
        &asn1::element(asn1::SET, &digest_identifier_der(digest)),
        &asn1::sequence(&[&asn1::object_identifier(oid::TST_INFO), &content]),
        &certificates,
        &asn1::element(asn1::SET, &signer_info),
    ]);
    Ok(TimeStampToken::parse(&der)?)
}

/// DER of a response that grants a request.
pub fn grant(token: &TimeStampToken) -> Vec<u8> {
    let status = asn1::sequence(&[&asn1::unsigned_integer(&[0])]);
    asn1::sequence(&[&status, token.as_der()])
}

/// DER of a response that refuses a request with this text.
pub fn reject(text: &str) -> Vec<u8> {
    let texts = asn1::sequence(&[&asn1::element(asn1::UTF8_STRING, text.as_bytes())]);
    let bad_request = asn1::element(asn1::BIT_STRING, &[5, 0x20]);
    asn1::sequence(&[&asn1::sequence(&[
        &asn1::unsigned_integer(&[2]),
        &texts,
        &bad_request,
    ])])
}

fn info_der(contents: &TokenContents<'_>) -> Option<Vec<u8>> {
    let nonce = contents.nonce.map(|nonce| asn1::element(asn1::INTEGER, nonce));
    Some(asn1::sequence(&[
        &asn1::unsigned_integer(&[1]),
        &asn1::object_identifier(&oid::from_dotted(contents.policy)?),
        &imprint_der(&contents.imprint),
        &asn1::unsigned_integer(contents.serial),
        &asn1::generalized_time(contents.gen_time),
        &nonce.unwrap_or_default(),
    ]))
}

/// DER of the attributes as a SET OF, which is what is signed.
fn signed_attributes(info: &[u8], digest: DigestAlgorithm, authority: &Certificate) -> Vec<u8> {
    let attribute = |kind: &[u8], value: &[u8]| {
        asn1::sequence(&[&asn1::object_identifier(kind), &asn1::element(asn1::SET, value)])
    };
    // SigningCertificateV2 with its default digest, SHA-256 (RFC 5035 4).
    let certificate_id = asn1::sequence(&[&asn1::octet_string(&authority.sha256())]);
    let signing_certificate = asn1::sequence(&[&asn1::sequence(&[&certificate_id])]);
    asn1::set_of(vec![
        attribute(oid::CONTENT_TYPE, &asn1::object_identifier(oid::TST_INFO)),
        attribute(oid::MESSAGE_DIGEST, &asn1::octet_string(&digest.digest(info))),
        attribute(oid::SIGNING_CERTIFICATE_V2, &signing_certificate),
    ])
}

fn signer_info(
    authority: &Certificate,
    digest: DigestAlgorithm,
    attributes: &[u8],
    algorithm: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let serial = asn1::element(asn1::INTEGER, authority.serial_bytes());
    let contents = asn1::only(attributes, asn1::SET)
        .map(|set| set.contents)
        .unwrap_or_default();
    asn1::sequence(&[
        &asn1::unsigned_integer(&[1]),
        &asn1::sequence(&[authority.issuer_der(), &serial]),
        &digest_identifier_der(digest),
        &asn1::element(asn1::constructed(0), contents),
        algorithm,
        &asn1::octet_string(signature),
    ])
}
