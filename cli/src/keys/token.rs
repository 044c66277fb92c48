//! Tokens and devices: PINs, names, state.

use clap::Args;
use serde::Serialize;
use signer_client::{DeviceInfo, HardwareInfo, TokenInfo, TokenKind, TokenStatus};

use super::Console;
use super::list::word;
use super::pin::{self, PinSource};
use super::refusal::OrRefused;
use crate::failure::Failure;
use crate::output::Table;

/// The software token's id.
const SOFTWARE_TOKEN: &str = "0";

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The token's id
    #[arg(default_value = SOFTWARE_TOKEN)]
    token: String,
}

#[derive(Debug, Args)]
pub(super) struct Login {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pin: PinSource,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    which: Which,
    /// The label of a blank hardware token
    #[arg(long, default_value = "")]
    label: String,
    #[command(flatten)]
    pin: PinSource,
}

#[derive(Debug, Args)]
pub(super) struct ChangePin {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pin: PinSource,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The token's id
    token: String,
    /// The name
    name: String,
}

/// A token without its keys.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    kind: TokenKind,
    status: TokenStatus,
    batch_signing: bool,
    keys: usize,
    hardware: Option<ShownHardware<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownHardware<'a> {
    device: &'a str,
    slot: u64,
    label: &'a str,
    serial_number: &'a str,
    model: &'a str,
    read_only: bool,
    pin: signer_client::PinState,
    sessions: usize,
    hanging_calls: usize,
}

impl<'a> From<&'a TokenInfo> for Shown<'a> {
    fn from(token: &'a TokenInfo) -> Self {
        Self {
            id: &token.id,
            name: &token.name,
            kind: token.kind,
            status: token.status,
            batch_signing: token.batch_signing,
            keys: token.keys.len(),
            hardware: token.hardware.as_ref().map(ShownHardware::from),
        }
    }
}

impl<'a> From<&'a HardwareInfo> for ShownHardware<'a> {
    fn from(hardware: &'a HardwareInfo) -> Self {
        Self {
            device: &hardware.device,
            slot: hardware.slot,
            label: &hardware.label,
            serial_number: &hardware.serial_number,
            model: &hardware.model,
            read_only: hardware.read_only,
            pin: hardware.pin,
            sessions: hardware.sessions,
            hanging_calls: hardware.hanging_calls,
        }
    }
}

pub(super) fn tokens(console: &Console) -> Result<(), Failure> {
    let status = console.status()?;
    let tokens: Vec<Shown<'_>> = status.tokens.iter().map(Shown::from).collect();
    console.tell(&tokens, || {
        let mut table = Table::new(&[
            "token", "name", "status", "writable", "pin", "batches", "keys", "device",
        ]);
        for token in &tokens {
            let hardware = token.hardware.as_ref();
            let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
            table.row([
                token.id.to_owned(),
                token.name.to_owned(),
                word(&token.status),
                yes(!hardware.is_some_and(|hardware| hardware.read_only)),
                hardware.map_or_else(|| "-".to_owned(), |hardware| word(&hardware.pin)),
                yes(token.batch_signing),
                token.keys.to_string(),
                hardware.map_or_else(
                    || "-".to_owned(),
                    |hardware| format!("{}, slot {}", hardware.device, hardware.slot),
                ),
            ]);
        }
        table.render()
    })
}

#[derive(Debug, Serialize)]
struct ShownDevice<'a> {
    name: &'a str,
    library: &'a str,
    problem: Option<&'a str>,
    slots: Vec<ShownSlot<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownSlot<'a> {
    id: u64,
    token: &'a str,
}

fn device(device: &DeviceInfo) -> ShownDevice<'_> {
    ShownDevice {
        name: &device.name,
        library: &device.library,
        problem: device.problem.as_deref(),
        slots: device
            .slots
            .iter()
            .map(|found| ShownSlot {
                id: found.id,
                token: &found.token,
            })
            .collect(),
    }
}

pub(super) fn devices(console: &Console) -> Result<(), Failure> {
    let status = console.status()?;
    let devices: Vec<_> = status.devices.iter().map(device).collect();
    console.tell(&devices, || {
        let mut table = Table::new(&["device", "slot", "token", "library"]);
        for device in &devices {
            if device.slots.is_empty() {
                let problem = device.problem.unwrap_or("no token");
                table.row([device.name, "-", problem, device.library]);
            }
            for slot in &device.slots {
                table.row([device.name, &slot.id.to_string(), slot.token, device.library]);
            }
        }
        table.render()
    })
}

pub(super) fn refresh(console: &Console) -> Result<(), Failure> {
    let refreshed = console.working("looking for hardware tokens", || console.signer.refresh_devices());
    refreshed.or_refused(|| "look for hardware tokens".to_owned())?;
    devices(console)
}

pub(super) fn init(console: &Console, wanted: &Init) -> Result<(), Failure> {
    let id = &wanted.which.token;
    let doing = || format!("initialise token {id}");
    let status = console.status()?;
    let found = status.tokens.iter().find(|token| token.id == *id);
    if found.is_some_and(|token| token.kind == TokenKind::Pkcs11) {
        let [officer, pin] = wanted
            .pin
            .pins([pin::known("PIN of the security officer"), pin::new("new PIN")])?;
        let initialised = console.working("initialising the token", || {
            console
                .signer
                .init_hardware_token(id, &wanted.label, officer, pin)
        });
        initialised.or_refused(doing)?;
        // A blank token's id changes with its label.
        return tokens(console);
    }
    let [pin] = wanted.pin.pins([pin::new("new PIN")])?;
    console.signer.init_token(id, pin).or_refused(doing)?;
    tell(console, id)
}

pub(super) fn login(console: &Console, wanted: &Login) -> Result<(), Failure> {
    let id = &wanted.which.token;
    let [pin] = wanted.pin.pins([pin::known("PIN")])?;
    let done = console.working("logging in", || console.signer.login(id, pin));
    done.or_refused(|| format!("log in to token {id}"))?;
    tell(console, id)
}

pub(super) fn logout(console: &Console, which: &Which) -> Result<(), Failure> {
    let id = &which.token;
    let done = console.signer.logout(id);
    done.or_refused(|| format!("log out of token {id}"))?;
    tell(console, id)
}

pub(super) fn change_pin(console: &Console, wanted: &ChangePin) -> Result<(), Failure> {
    let id = &wanted.which.token;
    let [old, new] = wanted
        .pin
        .pins([pin::known("PIN until now"), pin::new("new PIN")])?;
    let done = console.working("changing the PIN", || console.signer.change_pin(id, old, new));
    done.or_refused(|| format!("change the PIN of token {id}"))?;
    tell(console, id)
}

pub(super) fn name(console: &Console, wanted: &Name) -> Result<(), Failure> {
    let id = &wanted.token;
    let done = console.signer.name_token(id, &wanted.name);
    done.or_refused(|| format!("name token {id}"))?;
    tell(console, id)
}

/// The state of a token after what was done to it.
fn tell(console: &Console, id: &str) -> Result<(), Failure> {
    let status = console.status()?;
    let found = status.tokens.iter().find(|token| token.id == id);
    let token = found.ok_or_else(|| Failure::unusable(format!("token {id} has gone meanwhile")))?;
    console.tell(&Shown::from(token), || {
        format!("{} ({}): {}", token.id, token.name, word(&token.status))
    })
}
