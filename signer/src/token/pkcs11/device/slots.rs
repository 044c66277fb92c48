//! What the slots of a device show.

use cryptoki::slot::TokenInfo;
use signer_client::PinState;

use crate::token::pkcs11::{core::Seen, failure::Failure, library::Library};

/// The tokens of all slots that the settings allow, by their ids.
pub(super) fn read(library: &Library) -> Result<Vec<(String, Seen)>, Failure> {
    let settings = library.settings();
    library.call(|library, _| {
        let mut found: Vec<(String, Seen)> = Vec::new();
        for slot in library.get_slots_with_token()? {
            if !settings.slot_ids.is_empty() && !settings.slot_ids.contains(&slot.id()) {
                continue;
            }
            let info = match library.get_token_info(slot) {
                Ok(info) => info,
                Err(error) => {
                    let error = Failure::from(error);
                    tracing::warn!(device = settings.name, slot = slot.id(), %error, "a slot cannot be read");
                    continue;
                }
            };
            let id = settings.token_id(slot.id(), info.serial_number(), info.label());
            if found.iter().any(|(known, _)| *known == id) {
                tracing::warn!(
                    device = settings.name,
                    slot = slot.id(),
                    token = id,
                    "a second token with this id is not used"
                );
                continue;
            }
            found.push((id, seen(slot, &info)));
        }
        Ok(found)
    })
}

fn seen(slot: cryptoki::slot::Slot, info: &TokenInfo) -> Seen {
    let pin = if info.user_pin_locked() {
        PinState::Locked
    } else if info.user_pin_final_try() {
        PinState::FinalTry
    } else if info.user_pin_count_low() {
        PinState::CountLow
    } else if info.user_pin_initialized() {
        PinState::Good
    } else {
        PinState::NotSet
    };
    Seen {
        slot,
        label: info.label().trim().to_owned(),
        serial_number: info.serial_number().trim().to_owned(),
        model: format!("{} {}", info.manufacturer_id().trim(), info.model().trim())
            .trim()
            .to_owned(),
        is_blank: !info.token_initialized() || pin == PinState::NotSet,
        is_write_protected: info.write_protected(),
        pin,
    }
}
