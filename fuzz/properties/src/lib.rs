//! What must hold for any bytes that arrive from outside, one module for each kind.
//!
//! A `check` function reads its bytes as the servers do, asserts what must be true whatever the bytes are, and says
//! whether they were acceptable. Two callers share it: the fuzz targets in `fuzz/fuzz_targets`, which look for bytes that
//! break an assertion, and `tests/replay.rs`, which calls it with every file of `fuzz/corpus` on each run of the tests.
//!
//! | module | reads | must hold besides not panicking |
//! |---|---|---|
//! | [`transport`] | transport message, `multipart/related` | the same in any chunks; what is written again reads the same |
//! | [`rest_part`] | REST request and response part | what is written again reads the same; patterns match what they plainly mean |
//! | [`soap`] | SOAP message | a recoded message carries the request hash and is not changed by recoding again |
//! | [`signature_document`] | signature document | a token that is put in is read out; no other part passes for a signed one |
//! | [`hash_chain`] | hash chain and its result | no other part passes for one that the chain proves |
//! | [`ocsp`] | OCSP response and request | what verifies is about the certificate and in time |
//! | [`tsp`] | time-stamp response, token and request | the token is the same when it is read again |
//! | [`asic`] | container | bounded memory; what is written again reads the same |
//! | [`signed_directory`] | signed directory and the parts that its signature covers | bounds; every accepted part has its headers |
//! | [`signer_socket`] | frames from and to the signer | the same in any chunks; bounded memory; written again, read again |
//! | [`http`] | HTTP/1.1 requests and responses on a connection | the same in any chunks; bounds; one way to say where a body ends; what is written again reads the same |
//! | [`description`] | WSDL and OpenAPI descriptions | no address is left in them, and nothing else changes |
//! | [`content_type`], [`identifier`] | header values | what is written again reads the same |

pub mod asic;
pub mod content_type;
pub mod description;
pub mod hash_chain;
pub mod http;
pub mod identifier;
pub mod ocsp;
pub mod rest_part;
pub mod signature_document;
pub mod signed_directory;
pub mod signer_socket;
pub mod soap;
pub mod transport;
pub mod tsp;
pub mod world;

/// Reads bytes, asserts what must hold, and says whether they were acceptable.
pub type Check = fn(&[u8]) -> bool;

/// Every target: its name, which is also that of its folder in `fuzz/corpus`, and its check.
pub const TARGETS: &[(&str, Check)] = &[
    ("transport", transport::check),
    ("rest_part", rest_part::check),
    ("soap", soap::check),
    ("signature_document", signature_document::check),
    ("hash_chain", hash_chain::check),
    ("ocsp", ocsp::check),
    ("tsp", tsp::check),
    ("asic", asic::check),
    ("signed_directory", signed_directory::check),
    ("signer_socket", signer_socket::check),
    ("http", http::check),
    ("description", description::check),
    ("content_type", content_type::check),
    ("identifier", identifier::check),
];

/// A chunk size between 2 and 64 that depends on the data, so that each input is cut in its own way.
fn chunk_size(data: &[u8]) -> usize {
    let sum = data
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    usize::from(sum % 63).saturating_add(2)
}

/// Longest input that is fed byte by byte, in bytes. Where a chunk may be cut shows in short inputs as well as in long ones,
/// which would take most of the time that there is for looking.
const BYTE_BY_BYTE: usize = 512;

/// The chunk sizes that are compared with the whole: single bytes for a short input, and a size of its own.
fn chunk_sizes(data: &[u8]) -> impl Iterator<Item = usize> {
    let single = (data.len() <= BYTE_BY_BYTE).then_some(1);
    single.into_iter().chain([chunk_size(data)])
}
