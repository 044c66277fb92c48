//! Requests, built once before the load begins.

mod multipart;
mod options;
mod rest;
mod soap;
mod target;
mod template;

pub(crate) use options::{Kind, ScenarioOptions};
pub(crate) use target::Target;
pub(crate) use template::Template;

use bytes::{BufMut, BytesMut};
use proxy_http_codec::encode::encode_request;
use proxy_http_codec::framing::BodyLength;
use proxy_http_codec::head::{Method, RequestHead};

/// A request that is sent over and over.
#[derive(Debug)]
pub(crate) struct Built {
    /// Whom it is sent to.
    pub(crate) target: Target,
    /// Its bytes.
    pub(crate) template: Template,
    /// Whether the answer may be a SOAP fault.
    pub(crate) soap: bool,
    /// Whether the answer has no body, whatever its head says.
    pub(crate) to_head: bool,
}

/// Builds the request that the options describe. `run` is what the message ids of this run begin with.
///
/// # Errors
/// What is wrong, where, and what was expected.
pub(crate) fn build(options: &ScenarioOptions, run: &str) -> Result<Built, String> {
    match options.kind.unwrap_or_default() {
        Kind::Rest => rest::build(options, run),
        Kind::Soap => soap::build(options, run),
    }
}

/// What a request is made of besides its target.
struct Pieces<'a> {
    method: &'a str,
    path: &'a str,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// The bytes of a request. Headers of the options come last and win over what we would say.
fn assemble(options: &ScenarioOptions, target: &Target, pieces: Pieces<'_>) -> Result<Vec<u8>, String> {
    let given = given_headers(options)?;
    let is_given = |name: &str| given.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut head = RequestHead::new(Method::new(pieces.method.to_owned()), pieces.path.to_owned());
    let mut own = vec![("Host".to_owned(), target.authority.clone())];
    own.extend(pieces.headers);
    for (name, value) in own.into_iter().filter(|(name, _)| !is_given(name)) {
        head = head.with(name, value);
    }
    for (name, value) in given {
        head = head.with(name, value);
    }
    let length = match &pieces.body {
        Some(body) => BodyLength::Known(body.len() as u64),
        None => BodyLength::None,
    };
    let mut bytes = BytesMut::new();
    encode_request(&head, length, &mut bytes)
        .map_err(|error| format!("the request cannot be written: {error}"))?;
    bytes.put_slice(&pieces.body.unwrap_or_default());
    Ok(bytes.to_vec())
}

fn given_headers(options: &ScenarioOptions) -> Result<Vec<(String, String)>, String> {
    let split = |line: &String| {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("header `{line}`: expected `NAME: VALUE`"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    options.header.iter().map(split).collect()
}

/// The body that the options ask for: a text, a file, or so many bytes.
fn body(options: &ScenarioOptions) -> Result<Option<Vec<u8>>, String> {
    match (&options.body, &options.body_file, options.body_size) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(path), None) => {
            let read = std::fs::read(path);
            read.map(Some)
                .map_err(|error| format!("body-file {}: {error}", path.display()))
        }
        (None, None, Some(size)) => Ok(Some(filling(size.0).into_bytes())),
        _ => Err("body, body-file, body-size: expected one of them".to_owned()),
    }
}

/// So many characters that mean nothing and compress badly.
fn filling(size: u64) -> String {
    let alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = usize::try_from((state >> 33) % alphabet.len() as u64).unwrap_or(0);
        char::from(alphabet.get(index).copied().unwrap_or(b'a'))
    };
    (0..size).map(letter).collect()
}
