//! Whose messages are kept with their bodies.

use protocol_message::identifier::{ClientId, ServiceId};
use settings::SettingsError;

use super::MessageLogSettings;

/// Whether bodies are kept, and the subsystems for which it is the other way round.
#[derive(Debug, Clone, Default)]
pub struct BodyLogging {
    kept: bool,
    local_exceptions: Vec<ClientId>,
    remote_exceptions: Vec<ClientId>,
}

impl BodyLogging {
    /// Reads the lists.
    ///
    /// # Errors
    /// When a subsystem is malformed, or exceptions are given that can't be any: to keeping bodies while they are not
    /// kept, or the other way round. (The reference fails each exchange then.)
    pub(super) fn read(settings: &MessageLogSettings) -> Result<Self, SettingsError> {
        let enabled = [
            &settings.enabled_body_logging_local_producer_subsystems,
            &settings.enabled_body_logging_remote_producer_subsystems,
        ];
        let disabled = [
            &settings.disabled_body_logging_local_producer_subsystems,
            &settings.disabled_body_logging_remote_producer_subsystems,
        ];
        let kept = settings.keeps_bodies();
        let (word, [local, remote], other, vain) = if kept {
            ("disabled", disabled, "enabled", enabled)
        } else {
            ("enabled", enabled, "disabled", disabled)
        };
        for (list, producers) in vain.into_iter().zip(["local", "remote"]) {
            if !list.is_empty() {
                let expected = format!("nothing, because message-body-logging is {kept}");
                return Err(out_of_bounds(&name(other, producers), &list.join(","), expected));
            }
        }
        Ok(Self {
            kept,
            local_exceptions: subsystems(&name(word, "local"), local)?,
            remote_exceptions: subsystems(&name(word, "remote"), remote)?,
        })
    }

    /// Whether the bodies of messages about a service are kept, by the client proxy or the server proxy.
    #[must_use]
    pub fn keeps(&self, client_side: bool, service: &ServiceId) -> bool {
        let exceptions = if client_side {
            &self.remote_exceptions
        } else {
            &self.local_exceptions
        };
        self.kept != exceptions.contains(&service.provider)
    }
}

fn name(word: &str, producers: &str) -> String {
    format!("[message-log] {word}-body-logging-{producers}-producer-subsystems")
}

fn out_of_bounds(name: &str, value: &str, expected: String) -> SettingsError {
    SettingsError::OutOfBounds {
        name: name.to_owned(),
        value: format!("{value:?}"),
        expected,
    }
}

fn subsystems(name: &str, list: &[String]) -> Result<Vec<ClientId>, SettingsError> {
    let read = |text: &String| {
        subsystem(text).ok_or_else(|| {
            out_of_bounds(
                name,
                text,
                "subsystems as INSTANCE/CLASS/MEMBER/SUBSYSTEM".to_owned(),
            )
        })
    };
    list.iter().map(read).collect()
}

/// Exactly four codes between slashes; spaces around them don't count.
fn subsystem(text: &str) -> Option<ClientId> {
    let codes: Vec<&str> = text.split('/').map(str::trim).collect();
    let [instance, class, member, subsystem] = codes[..] else {
        return None;
    };
    if codes.iter().any(|code| code.is_empty()) {
        return None;
    }
    Some(ClientId::subsystem(instance, class, member, subsystem))
}
