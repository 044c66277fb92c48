//! Identifiers with characters that should not be there: a line in the log, and nothing else, as in the reference.

use protocol_message::identifier::{ClientId, SecurityServerId, ServiceId};

/// Tells the operator of a message's doubtful identifiers.
pub fn tell(client: &ClientId, service: &ServiceId, server: Option<&SecurityServerId>) {
    let doubtful = [
        client.is_doubtful().then(|| client.to_typed()),
        service.is_doubtful().then(|| service.to_typed()),
        server
            .filter(|server| server.is_doubtful())
            .map(SecurityServerId::to_typed),
    ];
    for identifier in doubtful.into_iter().flatten() {
        // Escaped: what can't be seen is shown, and a line break does not pretend to be a line of the log.
        tracing::warn!(?identifier, "invalid characters in an identifier");
    }
}
