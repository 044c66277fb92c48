//! The request part (wire.md 1.4).

use super::header::Header;
use super::lines::{Lines, LinesWriter};
use super::{RestError, is_skipped_header, request_hash};
use crate::identifier::percent::decode_segment;
use crate::identifier::{ClientId, IdentifierError, RepresentedParty, SecurityServerId, ServiceId};
use bytes::Bytes;
use std::ops::Range;
use std::str::FromStr;

pub(super) const CLIENT: &str = "x-road-client";
pub(super) const MESSAGE_ID: &str = "x-road-id";
pub(super) const REQUEST_ID: &str = "x-road-request-id";
pub(super) const REQUEST_HASH: &str = "x-road-request-hash";
const SECURITY_SERVER: &str = "x-road-security-server";
const REPRESENTED_PARTY: &str = "x-road-represented-party";
const ISSUE: &str = "x-road-issue";
const USER_ID: &str = "x-road-userid";

/// The verbs that are carried. Methods are compared in upper case exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 9110")]
pub enum Method {
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
    Trace,
}

impl Method {
    const ALL: [Self; 8] = [
        Self::Delete,
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Patch,
        Self::Post,
        Self::Put,
        Self::Trace,
    ];

    /// The method's name in upper case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
        }
    }

    /// Whether the provider gets the body: only of POST, PUT and PATCH; other bodies are signed and logged, but not
    /// delivered (wire.md 6.3).
    #[must_use]
    pub fn delivers_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl FromStr for Method {
    type Err = RestError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == name)
            .ok_or_else(|| RestError::UnknownVerb(name.to_owned()))
    }
}

/// A request: verb, path and headers, with everything that the exchange needs from them.
///
/// Cloning it copies none of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPart {
    method: Method,
    lines: Lines,
    target: Range<usize>,
    path_length: usize,
    service_path_start: usize,
    client: ClientId,
    service: ServiceId,
    security_server: Option<SecurityServerId>,
    represented_party: Option<RepresentedParty>,
}

impl RequestPart {
    /// Makes the part from an information system's HTTP request.
    ///
    /// * `raw_target`: path and query as received, undecoded;
    /// * `headers`: in received order; names in received case, values as bytes;
    /// * `own_instance` and `fresh_message_id`: an id for a request that brings none, `<own instance>-<UUID>`;
    /// * `new_request_id`: a random UUID, replaces whatever the client sent.
    ///
    /// # Errors
    /// When method, path, a header or an identifier is not acceptable.
    pub fn from_client<'a, N, V>(
        method: &str,
        raw_target: &str,
        headers: impl IntoIterator<Item = (N, V)>,
        own_instance: &str,
        new_request_id: &str,
        fresh_message_id: &str,
    ) -> Result<Self, RestError>
    where
        N: AsRef<str> + 'a,
        V: AsRef<[u8]> + 'a,
    {
        let mut lines = LinesWriter::new();
        lines.line(method);
        let target = lines.line(raw_target);
        let kept = headers.into_iter().filter(|(name, _)| travels(name.as_ref()));
        lines.http_headers(kept)?;
        lines.header(REQUEST_ID, |out| out.push_str(new_request_id));
        if !lines.contains(MESSAGE_ID) {
            lines.header(MESSAGE_ID, |out| {
                out.extend([own_instance, "-", fresh_message_id]);
            });
        }
        Self::assemble(method.parse()?, lines.finish(), target)
    }

    /// Reads a received part. Its bytes are kept: signatures are verified over them.
    ///
    /// # Errors
    /// When the part is malformed or holds a header that must not travel.
    pub fn parse(part: &[u8]) -> Result<Self, RestError> {
        Self::read(Bytes::copy_from_slice(part))
    }

    /// As [`Self::parse`], of bytes that are shared.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(part: Bytes) -> Result<Self, RestError> {
        let (lines, method, target) = Lines::read(part, ["the verb", "the path"], Method::from_str)?;
        Self::assemble(method, lines, target)
    }

    fn assemble(method: Method, lines: Lines, target: Range<usize>) -> Result<Self, RestError> {
        let Target {
            path_length,
            service,
            service_path_start,
        } = Target::parse(lines.piece(target.clone()))?;
        let client = lines.last(CLIENT).ok_or(RestError::MissingClient)?;
        let message_id = lines.last(MESSAGE_ID).filter(|id| !id.is_empty());
        let client = ClientId::parse_encoded(client)?;
        message_id.ok_or(RestError::MissingMessageId)?;
        let security_server = lines.last(SECURITY_SERVER).map(SecurityServerId::parse_encoded);
        let represented_party = lines.last(REPRESENTED_PARTY).map(RepresentedParty::parse_encoded);
        Ok(Self {
            method,
            security_server: security_server.transpose()?,
            represented_party: represented_party.transpose()?,
            lines,
            target,
            path_length,
            service_path_start,
            client,
            service,
        })
    }

    /// The bytes of the part: as received, or canonical when made from an information system's request.
    #[must_use]
    pub fn to_bytes(&self) -> &Bytes {
        self.lines.bytes()
    }

    /// The part written anew. The request hash is computed over these bytes, not over the received ones: for a part
    /// that a reference server wrote they are the same, for another one a reference server re-serialises (wire.md 1.4).
    #[must_use]
    pub fn canonical_bytes(&self) -> Bytes {
        if self.lines.is_canonical() {
            return self.lines.bytes().clone();
        }
        let mut out = self.first_lines(self.path(), self.query());
        for header in self.headers() {
            header.write_to(&mut out);
        }
        out.into()
    }

    /// The request hash that the response to this request carries; `body_digest` is the SHA-512 of the body, if the
    /// request has one.
    #[must_use]
    pub fn request_hash(&self, body_digest: Option<&[u8]>) -> [u8; 64] {
        request_hash(&self.canonical_bytes(), body_digest)
    }

    /// What the message log keeps when body logging is off: verb, path up to the service code, `x-road-*` headers
    /// (wire.md 4.3).
    #[must_use]
    pub fn filtered(&self) -> Vec<u8> {
        let path = self.path();
        let path = path.get(..self.service_path_start).unwrap_or(path);
        let mut out = self.first_lines(path, None);
        for header in self.headers().filter(Header::is_x_road) {
            header.write_to(&mut out);
        }
        out
    }

    fn first_lines(&self, path: &str, query: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.bytes().len() + 64);
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        for piece in [self.method.as_str(), "\r\n", path, mark, query, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        out
    }

    /// The verb.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    fn target(&self) -> &str {
        self.lines.piece(self.target.clone())
    }

    /// The whole raw path, `/r1/...`, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target().get(..self.path_length).unwrap_or_default()
    }

    /// The raw path behind the service code: empty, or starting with `/`.
    #[must_use]
    pub fn service_path(&self) -> &str {
        self.path().get(self.service_path_start..).unwrap_or_default()
    }

    /// The raw query without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target().get(self.path_length + 1..)
    }

    /// All headers of the part in order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> {
        self.lines.headers()
    }

    /// All headers as an HTTP message has them, names and values ([`super::to_http_value`]) shared with the part.
    pub fn http_headers(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        self.lines.http_headers()
    }

    /// The last value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.last(name)
    }

    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Who is asked, for what.
    #[must_use]
    pub fn service(&self) -> &ServiceId {
        &self.service
    }

    /// `X-Road-Id`.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.lines.last(MESSAGE_ID).unwrap_or_default()
    }

    /// `x-road-request-id` of the part: unlike other headers it is looked for in lower case only (wire.md 1.4).
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let mut headers = self.headers().rev();
        headers
            .find(|header| header.name == REQUEST_ID)
            .map(|header| header.value)
    }

    /// `X-Road-Security-Server`: the only server that shall serve the request.
    #[must_use]
    pub fn security_server(&self) -> Option<&SecurityServerId> {
        self.security_server.as_ref()
    }

    /// `X-Road-Represented-Party`.
    #[must_use]
    pub fn represented_party(&self) -> Option<&RepresentedParty> {
        self.represented_party.as_ref()
    }

    /// `X-Road-Issue`.
    #[must_use]
    pub fn issue(&self) -> Option<&str> {
        self.header(ISSUE)
    }

    /// `X-Road-UserId`.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.header(USER_ID)
    }
}

/// Whether a header that a client sent goes into the part.
fn travels(name: &str) -> bool {
    !is_skipped_header(name)
        && !name.eq_ignore_ascii_case(REQUEST_ID)
        && !name.eq_ignore_ascii_case(REQUEST_HASH)
}

/// The request line's second half, taken apart.
struct Target {
    path_length: usize,
    service: ServiceId,
    service_path_start: usize,
}

impl Target {
    fn parse(target: &str) -> Result<Self, RestError> {
        if !target.starts_with('/') || target.starts_with("//") || !target.chars().all(is_uri_char) {
            return Err(RestError::InvalidPath);
        }
        let (path, _query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.splitn(8, '/').skip(1);
        let mut next = || segments.next().ok_or(RestError::InvalidPath);
        let version = next()?;
        let service = [next()?, next()?, next()?, next()?, next()?];
        check_version(version)?;
        let service_path_length = segments.next().map_or(0, |rest| rest.len().saturating_add(1));
        Ok(Self {
            service: service_id(service)?,
            service_path_start: path.len().saturating_sub(service_path_length),
            path_length: path.len(),
        })
    }
}

fn service_id(segments: [&str; 5]) -> Result<ServiceId, IdentifierError> {
    let decode = |component: &'static str, segment| {
        decode_segment(segment).map_err(|source| IdentifierError::Percent { component, source })
    };
    let [instance, class, member, subsystem, code] = segments;
    let member = [
        decode("instance", instance)?,
        decode("member class", class)?,
        decode("member code", member)?,
    ];
    let subsystem = decode("subsystem code", subsystem)?;
    let provider = ClientId::new(member.each_ref().map(|part| &**part), Some(&subsystem))?;
    ServiceId::new(provider, decode("service code", code)?, None)
}

/// `r` and exactly one digit, which must be 1.
fn check_version(segment: &str) -> Result<(), RestError> {
    match *segment.as_bytes() {
        [b'r', b'1'] => Ok(()),
        [b'r', digit] if digit.is_ascii_digit() => {
            Err(RestError::UnsupportedVersion(char::from(digit).to_string()))
        }
        _ => Err(RestError::InvalidPath),
    }
}

/// What a reference server's URI parser lets through (RFC 2396 with the characters beyond ASCII that it adds);
/// fragments are refused because the two sides would disagree about them.
fn is_uri_char(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !"\"<>\\^`{|}#".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/r1/EE/BUSINESS/producer/s%2Fub/getState";

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<RequestPart, RestError> {
        RequestPart::from_client(
            method,
            target,
            headers.iter().copied(),
            "EE",
            "request-uuid",
            "uuid4",
        )
    }

    #[test]
    fn writes_the_canonical_form() {
        let part = request(
            "POST",
            &format!("{PATH}/path%3B/x?q=1&r=%20"),
            &[
                ("Host", "localhost"),
                ("X-Road-Client", "EE/BUSINESS/consumer/sub"),
                ("Content-Type", "application/json"),
                ("X-Road-Request-Id", "forged"),
                ("x-road-request-hash", "forged"),
                ("Accept", "a"),
                ("Accept", "b"),
            ],
        )
        .unwrap();
        let expected = "POST\r\n/r1/EE/BUSINESS/producer/s%2Fub/getState/path%3B/x?q=1&r=%20\r\n\
            X-Road-Client:EE/BUSINESS/consumer/sub\r\nContent-Type:application/json\r\nAccept:a\r\nAccept:b\r\n\
            x-road-request-id:request-uuid\r\nx-road-id:EE-uuid4\r\n";
        assert_eq!(std::str::from_utf8(part.to_bytes()).unwrap(), expected);
        assert_eq!(part.service_path(), "/path%3B/x");
        assert_eq!(part.query(), Some("q=1&r=%20"));
        assert_eq!(part.service().provider.subsystem_code(), Some("s/ub"));
        assert_eq!(part.message_id(), "EE-uuid4");
        assert_eq!(part.request_id(), Some("request-uuid"));
        assert_eq!(part.header("accept"), Some("b"), "the last wins");
        assert_eq!(RequestPart::parse(part.to_bytes()).unwrap(), part);
        assert_eq!(
            String::from_utf8(part.filtered()).unwrap(),
            "POST\r\n/r1/EE/BUSINESS/producer/s%2Fub/getState\r\nX-Road-Client:EE/BUSINESS/consumer/sub\r\n\
             x-road-request-id:request-uuid\r\nx-road-id:EE-uuid4\r\n"
        );
    }

    #[test]
    fn keeps_the_clients_message_id_and_optional_headers() {
        let part = request(
            "GET",
            PATH,
            &[
                ("x-road-client", "EE/BUSINESS/consumer"),
                ("X-Road-Id", "first"),
                ("X-ROAD-ID", "second"),
                ("X-Road-Security-Server", "EE/BUSINESS/producer/ss1"),
                ("X-Road-Represented-Party", "COM/99"),
                ("X-Road-Issue", "issue"),
                ("X-Road-UserId", "user"),
            ],
        )
        .unwrap();
        assert_eq!(part.message_id(), "second");
        assert_eq!(part.service_path(), "");
        assert_eq!(part.security_server().unwrap().server_code, "ss1");
        assert_eq!(part.represented_party().unwrap().code, "99");
        assert_eq!((part.issue(), part.user_id()), (Some("issue"), Some("user")));
        assert!(
            std::str::from_utf8(part.to_bytes())
                .unwrap()
                .ends_with("x-road-request-id:request-uuid\r\n")
        );
    }

    #[test]
    fn refuses_what_is_no_request() {
        const CLIENT: (&str, &str) = ("X-Road-Client", "EE/BUSINESS/consumer");
        assert!(request("GET", PATH, &[CLIENT]).is_ok());
        assert_eq!(request("GET", PATH, &[]), Err(RestError::MissingClient));
        assert_eq!(RestError::MissingClient.fault_code(), "invalid_client_identifier");
        assert!(matches!(
            request("get", PATH, &[CLIENT]),
            Err(RestError::UnknownVerb(_))
        ));
        for target in [
            "/r1/invalid",
            "/r1/a/b/c/d",
            "r1/a/b/c/d/e",
            "//r1/a/b/c/d/e",
            "/rx/a/b/c/d/e",
            "/r1/a/b/c/d/e#f",
            "/r1/a/b/c/d/e?a b",
        ] {
            assert_eq!(
                request("GET", target, &[CLIENT]),
                Err(RestError::InvalidPath),
                "{target}"
            );
        }
        assert!(matches!(
            request("GET", "/r2/a/b/c/d/e", &[CLIENT]),
            Err(RestError::UnsupportedVersion(_))
        ));
        for target in ["/r1/a/b/c//e", "/r1/a/b/c/%/e", "/r1/a/b/c/%FF/e"] {
            let error = request("GET", target, &[CLIENT]).unwrap_err();
            assert!(matches!(error, RestError::Identifier(_)), "{target}");
            assert_eq!(error.fault_code(), "internal_error");
        }
    }

    #[test]
    fn hashes_what_a_reference_server_would_re_serialise() {
        let received = b"GET\n/r1/EE/GOV/1/s/c\nX-Road-Client:EE/GOV/2\nX-Road-Id:1\n";
        let part = RequestPart::parse(received).unwrap();
        assert_eq!(part.to_bytes(), &received[..]);
        let canonical = b"GET\r\n/r1/EE/GOV/1/s/c\r\nX-Road-Client:EE/GOV/2\r\nX-Road-Id:1\r\n";
        assert_eq!(part.canonical_bytes(), &canonical[..]);
        assert_eq!(part.request_hash(None), request_hash(canonical, None));
        assert_eq!(part.request_id(), None);
    }

    #[test]
    fn a_received_part_must_not_hold_hop_by_hop_headers() {
        let with = |line: &str| {
            RequestPart::parse(
                format!("GET\r\n{PATH}\r\nX-Road-Client:EE/GOV/2\r\nX-Road-Id:1\r\n{line}").as_bytes(),
            )
        };
        assert!(with("Accept:x\r\n").is_ok());
        assert_eq!(
            with("User-Agent:x\r\n"),
            Err(RestError::SkippedHeader("User-Agent".into()))
        );
        assert_eq!(with("\r\n"), Err(RestError::InvalidHeader));
        assert_eq!(
            with("X-Road-Request-Id:1\r\n").unwrap().request_id(),
            None,
            "lower case only"
        );
    }
}
