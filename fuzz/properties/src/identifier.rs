//! Identifiers as they stand in headers and paths.

use protocol_message::identifier::{ClientId, SecurityServerId, ServiceId};

/// Acceptable is a client, a service or a security server.
pub fn check(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let text = text.trim_end();
    let client = ClientId::parse_encoded(text);
    if let Ok(client) = &client {
        assert_eq!(ClientId::parse_encoded(&client.to_encoded()).as_ref(), Ok(client));
    }
    let service = ServiceId::parse_encoded(text);
    let server = SecurityServerId::parse_encoded(text);
    client.is_ok() || service.is_ok() || server.is_ok()
}
