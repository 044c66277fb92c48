//! Hardware tokens for a sandbox: SoftHSM 2, with a token for each security server.
//!
//! The signer gets a `devices.toml` as an operator would write it, and a blank token is initialised through it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use signer_client::{Client, Pin, TokenStatus};

use super::files;
use super::layout::PIN;
use crate::failure::{Failure, OrUnusable};

/// The device's name, and the start of its tokens' ids.
const DEVICE: &str = "softhsm";
/// The label of the token.
const LABEL: &str = "sandbox";
/// Where packages put the library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// Which tokens hold the keys of the security servers, and how they behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// How much longer each signature takes, in milliseconds: for load tests.
    pub delay: u64,
    /// Signatures at a time.
    pub sessions: usize,
}

/// The file that tells SoftHSM where its tokens are; the library reads its path from the environment.
pub fn conf(signer: &Path) -> PathBuf {
    signer.join("softhsm2.conf")
}

/// The devices of a signer.
pub fn devices(signer: &Path) -> PathBuf {
    signer.join("devices.toml")
}

/// The id of the token with a label, as the device's format makes it.
fn token_id(label: &str) -> String {
    let text = format!("{DEVICE}-{label}");
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The line of the PIN file that opens the token.
pub fn pin_line() -> String {
    format!("{}:{PIN}\n", token_id(LABEL))
}

/// Writes what SoftHSM and the signer must know.
///
/// # Errors
/// When SoftHSM is not installed or the folder cannot be written.
pub fn prepare(signer: &Path, manner: Manner) -> Result<(), Failure> {
    let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
    let library = library.ok_or_else(|| {
        Failure::unusable("SoftHSM 2 is not installed; install the package softhsm2".to_owned())
    })?;
    let tokens = signer.join("softhsm");
    files::folder(&tokens)?;
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    files::write(&conf(signer), text)?;
    let mut device = json!({
        "library": library,
        "token_id_format": "{moduleType}-{label}",
        "sessions": manner.sessions.max(1),
    });
    if let (Some(device), true) = (device.as_object_mut(), manner.delay > 0) {
        device.insert("developer_sign_delay_ms".to_owned(), manner.delay.into());
    }
    let mut content = serde_json::Map::new();
    content.insert(DEVICE.to_owned(), device);
    files::write_toml(&devices(signer), &Value::Object(content))
}

/// Initialises the blank token and logs in; gives its id.
///
/// # Errors
/// What the signer says.
pub fn open(signer: &Client) -> Result<String, Failure> {
    let doing = || "initialise the SoftHSM token".to_owned();
    let status = signer.status().or_unusable(doing)?;
    let is_blank = |id: &str| {
        let token = status.tokens.iter().find(|token| token.id == id);
        token.is_some_and(|token| token.status == TokenStatus::NotInitialized)
    };
    let (blank, token) = (token_id(""), token_id(LABEL));
    if status.tokens.iter().all(|known| known.id != token) && is_blank(&blank) {
        signer
            .init_hardware_token(&blank, LABEL, Pin::new(PIN), Pin::new(PIN))
            .or_unusable(doing)?;
    }
    signer.login(&token, Pin::new(PIN)).or_unusable(doing)?;
    Ok(token)
}
