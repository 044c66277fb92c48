//! The message to itself: `listMethods` of the own subsystem, asked by the own subsystem.
//!
//! The answer comes through the client proxy, over TLS from the server proxy, with both signed and logged, as every exchange
//! does. The proxy answers the metadata service itself, so that no information system has a part in it.

use protocol_message::identifier::ClientId;

use super::http::get;
use crate::monitor::status::harmless;

/// Characters of a fault that are told.
const MAX_FAULT: usize = 300;

/// Sends it and waits for its answer.
///
/// # Errors
/// What went wrong, in words: the fault, or why there is no answer.
pub fn send(client_proxy: &str, client: &ClientId) -> Result<(), String> {
    let client = client.to_encoded();
    let url = format!("{client_proxy}/r1/{client}/listMethods");
    let answer = get(
        &url,
        &[("X-Road-Client", &client), ("Accept", "application/json")],
    )?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(format!(
        "the message to itself got status {}: {}",
        answer.status,
        harmless(&fault(&answer.text), MAX_FAULT)
    ))
}

/// Type and text of a fault in JSON; else what came, as it is.
fn fault(text: &str) -> String {
    let fault: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let part = |name| fault.get(name).and_then(serde_json::Value::as_str);
    match (part("type"), part("message")) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn a_fault_is_told_by_type_and_text_and_anything_else_as_it_is() {
        let json = r#"{"type":"Server.ClientProxy.IOError","message":"refused","detail":"x"}"#;
        assert_eq!(fault(json), "Server.ClientProxy.IOError: refused");
        assert_eq!(fault("<html>no</html>"), "<html>no</html>");
    }
}
