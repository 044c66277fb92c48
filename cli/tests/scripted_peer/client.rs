//! The peer as a consumer's server: a request to another server's 5500 as the test writes it.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::super::information_system::Message;
use super::super::instance::Instance;
use super::{Identity, PATIENCE, PEER_PORT, tls};

/// Where the instance's provider is reached by other servers.
pub fn provider(instance: &Instance) -> SocketAddr {
    format!("{}.20:{PEER_PORT}", instance.get("net")).parse().unwrap()
}

/// The headers of a SOAP request between servers (wire.md 2.1), as if it came from the information system as plain XML.
pub fn headers(content_type: &str) -> Vec<(&str, &str)> {
    headers_with(content_type, "text/xml; charset=UTF-8")
}

/// The same; `original` is the content type that the information system is said to have used.
pub fn headers_with<'a>(content_type: &'a str, original: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("x-hash-algorithm", "SHA-512"),
        ("x-proxy-version", "7.8.1"),
        ("x-original-content-type", original),
        ("x-original-soapaction", ""),
        ("content-type", content_type),
    ]
}

/// The certificate (DER) that a server presents.
pub fn presented(to: SocketAddr, identity: &Identity) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(to, Some(identity))?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    let chain = stream.conn.peer_certificates().unwrap_or_default();
    Ok(chain[0].to_vec())
}

fn connect(
    to: SocketAddr,
    identity: Option<&Identity>,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let tcp = TcpStream::connect(to)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::from(to.ip());
    let connection = ClientConnection::new(tls::client(identity), name).map_err(std::io::Error::other)?;
    Ok(StreamOwned::new(connection, tcp))
}

/// Sends a request with this certificate, or none. `headers` hold everything but `Host` and the length of the body.
///
/// # Errors
/// When TLS or the connection fails before there is an answer.
pub fn send(
    to: SocketAddr,
    identity: Option<&Identity>,
    request_line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Message> {
    let mut stream = connect(to, identity)?;
    let mut head = format!("{request_line} HTTP/1.1\r\nHost: {to}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    // A server that answers early may not read to the end.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    Message::read(&mut BufReader::new(stream))
}
