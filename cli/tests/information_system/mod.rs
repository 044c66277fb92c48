//! An information system under the test's control: as a provider it gives the answer it was told to and keeps what it
//! was asked, as a client it sends what it is given, byte by byte.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each file uses a part of it"
)]

pub mod pair;

use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::instance::{self, Instance};

/// An HTTP message: of a request or a response.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Request or status line.
    pub first_line: String,
    /// Headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding undone.
    pub body: Vec<u8>,
}

impl Message {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `faultcode` of a SOAP fault.
    pub fn fault_code(&self) -> Option<String> {
        between(&self.text(), "<faultcode>", "</faultcode>")
    }

    /// Header lines and body of each part of a multipart body.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let content_type = self.header("content-type").unwrap();
        parts(&self.body, &boundary(content_type))
    }

    /// Reads one from a connection. An interim response has no body.
    pub fn read(stream: &mut impl BufRead) -> std::io::Result<Self> {
        let mut message = Self::head(stream)?;
        if message.header("transfer-encoding").is_some() {
            message.body = chunks(stream)?;
        } else if let Some(length) = message.header("content-length") {
            message.body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut message.body)?;
        } else if message.first_line.starts_with("HTTP/") && message.status() >= 200 {
            stream.read_to_end(&mut message.body)?;
        }
        Ok(message)
    }

    /// First line and headers.
    fn head(stream: &mut impl BufRead) -> std::io::Result<Self> {
        let first_line = line(stream)?;
        let mut message = Self {
            first_line,
            ..Self::default()
        };
        loop {
            let line = line(stream)?;
            let Some((name, value)) = line.split_once(':') else {
                return Ok(message);
            };
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads one and forgets its body; gives the body's length as well.
    fn measure(stream: &mut impl BufRead) -> std::io::Result<(Self, u64)> {
        let message = Self::head(stream)?;
        if let Some(length) = message.header("content-length") {
            let length = skip(stream, length.parse().unwrap())?;
            return Ok((message, length));
        }
        let mut total = 0;
        loop {
            let length = u64::from_str_radix(&line(stream)?, 16).unwrap();
            total += skip(stream, length)?;
            line(stream)?;
            if length == 0 {
                return Ok((message, total));
            }
        }
    }
}

/// What stands between two texts.
pub fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}

fn line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn skip(stream: &mut impl BufRead, length: u64) -> std::io::Result<u64> {
    std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())
}

fn chunks(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(stream)?, 16).unwrap();
        let mut chunk = vec![0; length];
        stream.read_exact(&mut chunk)?;
        line(stream)?;
        if length == 0 {
            return Ok(body);
        }
        body.append(&mut chunk);
    }
}

fn boundary(content_type: &str) -> String {
    let (_, rest) = content_type.split_once("boundary=").unwrap();
    rest.split(';')
        .next()
        .unwrap()
        .trim_matches(['"', ' '])
        .to_owned()
}

fn parts(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let body = [b"\r\n", body].concat();
    let mut starts: Vec<usize> = (0..body.len())
        .filter(|at| body[*at..].starts_with(&delimiter))
        .collect();
    let last = starts.pop().unwrap();
    assert!(
        body[last..].starts_with(&[&delimiter[..], b"--"].concat()),
        "no closing boundary"
    );
    let ends = starts.iter().skip(1).copied().chain([last]);
    let whole = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &body[start + delimiter.len() + 2..end]);
    let split = whole.map(|part| {
        let head = (0..part.len())
            .find(|at| part[*at..].starts_with(b"\r\n\r\n"))
            .unwrap_or_else(|| panic!("no end of a part's head: {:?}", String::from_utf8_lossy(part)));
        (
            String::from_utf8_lossy(&part[..head]).into_owned(),
            part[head + 4..].to_vec(),
        )
    });
    split.collect()
}

/// Sends a request as it is given and reads the answer. `headers` hold everything but `Host`, `Connection` and the
/// length of the body.
pub fn send(to: SocketAddr, request_line: &str, headers: &[(&str, &str)], body: &[u8]) -> Message {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut head = format!("{request_line} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !request_line.starts_with("GET") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    // A server that answers early may not read to the end.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    Message::read(&mut BufReader::new(stream)).unwrap()
}

/// What the provider answers with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status and reason.
    pub status: &'static str,
    /// `Content-Type`, if any.
    pub content_type: Option<String>,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection ends this many bytes before the body does.
    pub missing: usize,
    /// Whether there is an answer at all.
    pub manner: Manner,
}

/// How a provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Answers,
    /// It reads the request and ends the connection.
    HangsUp,
    /// It reads the request and does nothing until the caller ends the connection.
    IsSilent,
}

impl Answer {
    /// An answer with status 200.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: "200 OK",
            content_type: Some(content_type.into()),
            headers: Vec::new(),
            body: body.into(),
            missing: 0,
            manner: Manner::Answers,
        }
    }
}

/// A provider's information system.
pub struct Provider {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: Answer,
    asked: Vec<Message>,
    /// Bodies are measured, not kept.
    measures: bool,
    measured: u64,
}

impl Provider {
    /// Starts one at a free port of this address; it ends with the test's process.
    pub fn start(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            answer: Answer::new("text/plain", ""),
            asked: Vec::new(),
            measures: false,
            measured: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    /// What it answers with from now on; forgets what it was asked.
    pub fn answers(&self, answer: Answer) {
        let mut state = self.state.lock().unwrap();
        (state.answer, state.asked, state.measures) = (answer, Vec::new(), false);
    }

    /// The same for requests that are too big for memory: [`Self::measured`] tells their length.
    pub fn answers_and_measures(&self, answer: Answer) {
        self.answers(answer);
        self.state.lock().unwrap().measures = true;
    }

    /// The length of the last body in bytes.
    pub fn measured(&self) -> u64 {
        self.state.lock().unwrap().measured
    }

    /// What it was asked since it was last told what to answer.
    pub fn asked(&self) -> Vec<Message> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The only request.
    pub fn request(&self) -> Message {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.into_iter().next().unwrap()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let measures = state.lock().unwrap().measures;
    let (request, length) = if measures {
        Message::measure(&mut BufReader::new(stream))?
    } else {
        (Message::read(&mut BufReader::new(stream))?, 0)
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked.push(request);
        state.measured = length;
        state.answer.clone()
    };
    match answer.manner {
        Manner::Answers => {}
        Manner::HangsUp => return Ok(()),
        Manner::IsSilent => return std::io::copy(&mut &*stream, &mut std::io::sink()).map(drop),
    }
    let mut head = format!(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        answer.status,
        answer.body.len() + answer.missing
    );
    if let Some(content_type) = &answer.content_type {
        head += &format!("Content-Type: {content_type}\r\n");
    }
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut stream = stream;
    stream.write_all(&[head.as_bytes(), &answer.body[..]].concat())
}

/// A SOAP service to register at the provider's server.
#[derive(Debug, Clone)]
pub struct Service {
    /// The client that provides it.
    pub owner: &'static str,
    /// Its code.
    pub code: &'static str,
    /// Its URL.
    pub url: String,
    /// Whether the sandbox's service client, the member that owns it and a scripted peer 3003 may use it.
    pub allowed: bool,
    /// The notice of a service that is switched off.
    pub disabled: Option<&'static str>,
    /// Its time-out in seconds.
    pub timeout: u32,
}

impl Service {
    /// A service that may be used.
    pub fn new(owner: &'static str, code: &'static str, url: &str) -> Self {
        Self {
            owner,
            code,
            url: url.to_owned(),
            allowed: true,
            disabled: None,
            timeout: 60,
        }
    }
}

/// The member that owns the provider's server.
pub const MEMBER: &str = "SANDBOX/ORG/2002";
/// Its subsystem.
pub const SUBSYSTEM: &str = "SANDBOX/ORG/2002/provider";
/// The consumer's member and subsystem, and those of a scripted peer.
const CALLERS: [&str; 4] = [
    "client:SANDBOX/ORG/1001",
    "client:SANDBOX/ORG/1001/client",
    "client:SANDBOX/ORG/3003",
    "client:SANDBOX/ORG/3003/peer",
];

/// Adds these services to those of the sandbox, in place of what was registered by the call before, and waits until the
/// provider's server knows.
pub fn register(instance: &Instance, services: &[Service]) {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let marker = format!("marker{}", CALLS.fetch_add(1, Ordering::Relaxed));
    let folder = instance.dir().join("provider");
    let text = std::fs::read_to_string(folder.join("server.toml")).unwrap();
    let mut configuration: toml::Value = toml::from_str(&text).unwrap();
    for service in services {
        add(&mut configuration, service, service.code);
    }
    let nobody = Service {
        allowed: false,
        ..Service::new(SUBSYSTEM, "", "http://127.0.0.1:9")
    };
    add(&mut configuration, &nobody, &marker);
    let file = folder.join("registered.toml");
    std::fs::write(&file, toml::to_string(&configuration).unwrap()).unwrap();
    let database = instance.get("provider/server_configuration");
    let apply = instance::kiirtee()
        .args(["config", "apply", "--database", &database])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        apply.status.success(),
        "{}",
        String::from_utf8_lossy(&apply.stderr)
    );
    let probe = Envelope {
        service: &marker,
        ..Envelope::default()
    }
    .xml();
    instance::wait_until("the services to be known", || {
        let code = post(instance, TEXT_XML, probe.as_bytes()).fault_code();
        code.as_deref() == Some("server.serverproxy.access_denied")
    });
}

fn add(configuration: &mut toml::Value, service: &Service, code: &str) {
    let clients = configuration["client"].as_array_mut().unwrap();
    let owner = clients
        .iter_mut()
        .find(|client| client["id"].as_str() == Some(service.owner))
        .unwrap();
    let mut description = toml::toml! { type = "WSDL" };
    description.insert("url".into(), format!("{}/{code}?wsdl", service.url).into());
    if let Some(notice) = service.disabled {
        description.insert("disabled".into(), true.into());
        description.insert("disabled_notice".into(), notice.into());
    }
    let mut registered = toml::toml! { ssl_authentication = false };
    registered.insert("code".into(), code.into());
    registered.insert("timeout".into(), i64::from(service.timeout).into());
    registered.insert("url".into(), service.url.clone().into());
    description.insert("service".into(), vec![toml::Value::Table(registered)].into());
    push(owner, "service_description", description);
    if service.allowed {
        let mut endpoint = toml::Table::new();
        endpoint.insert("service".into(), code.into());
        endpoint.insert("subjects".into(), CALLERS.map(toml::Value::from).to_vec().into());
        push(owner, "endpoint", endpoint);
    }
}

fn push(owner: &mut toml::Value, key: &str, value: toml::Table) {
    let list = owner
        .as_table_mut()
        .unwrap()
        .entry(key)
        .or_insert_with(|| toml::Value::Array(Vec::new()));
    list.as_array_mut().unwrap().push(value.into());
}

/// Content type of a plain SOAP message.
pub const TEXT_XML: &str = "text/xml; charset=UTF-8";

/// Posts a SOAP message to the consumer's server.
pub fn post(instance: &Instance, content_type: &str, body: &[u8]) -> Message {
    send(
        consumer(instance),
        "POST /",
        &[("Content-Type", content_type)],
        body,
    )
}

/// Where the consumer's server listens for information systems.
pub fn consumer(instance: &Instance) -> SocketAddr {
    instance
        .get("consumer/client_http")
        .trim_start_matches("http://")
        .parse()
        .unwrap()
}

/// A SOAP message from the sandbox's service client to a service of the provider's subsystem.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// Service code.
    pub service: &'a str,
    /// What the name of the body's child ends with: `Response` in answers.
    pub suffix: &'a str,
    /// Message id.
    pub id: &'a str,
    /// More header fields.
    pub header: &'a str,
    /// What is in the body's child.
    pub content: &'a str,
}

impl Default for Envelope<'_> {
    fn default() -> Self {
        Self {
            service: "getState",
            suffix: "",
            id: "id-1",
            header: "",
            content: "Tere, õhtu",
        }
    }
}

impl Envelope<'_> {
    /// The message.
    pub fn xml(&self) -> String {
        let Self {
            service,
            suffix,
            id,
            header,
            content,
        } = self;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:i=\"http://x-road.eu/xsd/identifiers\">\n\
             <s:Header>\n  <x:client i:objectType=\"SUBSYSTEM\"><i:xRoadInstance>SANDBOX</i:xRoadInstance>\
             <i:memberClass>ORG</i:memberClass><i:memberCode>1001</i:memberCode>\
             <i:subsystemCode>client</i:subsystemCode></x:client>\n  \
             <x:service i:objectType=\"SERVICE\"><i:xRoadInstance>SANDBOX</i:xRoadInstance>\
             <i:memberClass>ORG</i:memberClass><i:memberCode>2002</i:memberCode>\
             <i:subsystemCode>provider</i:subsystemCode><i:serviceCode>{service}</i:serviceCode></x:service>\n  \
             <x:id>{id}</x:id>\n  <x:userId>EE1</x:userId>\n  <x:protocolVersion>4.0</x:protocolVersion>\n{header}\
             </s:Header>\n<s:Body><e:{service}{suffix} xmlns:e=\"urn:e\">{content}</e:{service}{suffix}></s:Body>\n\
             </s:Envelope>"
        )
    }
}
