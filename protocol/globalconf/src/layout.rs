//! How a downloaded configuration lies on disk (features.md 2.7). Paths are relative and use `/`.
//!
//! ```text
//! instance-identifier
//! <url-encoded instance>/shared-params.xml       + .metadata
//! <own instance>/private-params.xml              + .metadata
//! <own instance>/{monitoring,fetchinterval,nextupdate}-params.xml + .metadata
//! ```

/// File with the code of the own instance.
pub const INSTANCE_IDENTIFIER_FILE: &str = "instance-identifier";
/// Name of the shared parameters.
pub const SHARED_PARAMS_FILE: &str = "shared-params.xml";
/// Name of the private parameters.
pub const PRIVATE_PARAMS_FILE: &str = "private-params.xml";
/// Name of the monitoring client's part.
pub const MONITORING_PARAMS_FILE: &str = "monitoring-params.xml";
/// Name of the OCSP fetch interval's part.
pub const FETCH_INTERVAL_PARAMS_FILE: &str = "fetchinterval-params.xml";
/// Name of the OCSP next-update rule's part.
pub const NEXT_UPDATE_PARAMS_FILE: &str = "nextupdate-params.xml";
/// What is appended to a file's name for its metadata.
pub const METADATA_SUFFIX: &str = ".metadata";

/// Content identifier of shared parameters.
pub const SHARED_PARAMETERS: &str = "SHARED-PARAMETERS";
/// Content identifier of private parameters.
pub const PRIVATE_PARAMETERS: &str = "PRIVATE-PARAMETERS";
/// Content identifier of the monitoring client's part.
pub const MONITORING: &str = "MONITORING";
/// Content identifier of the OCSP fetch interval's part.
pub const FETCH_INTERVAL: &str = "FETCHINTERVAL";
/// Content identifier of the OCSP next-update rule's part.
pub const NEXT_UPDATE: &str = "NEXTUPDATE";

/// Longest file name that a directory may suggest, in bytes.
const MAX_FILE_NAME: usize = 200;

/// Path of a file of an instance.
#[must_use]
pub fn path(instance: &str, file: &str) -> String {
    format!("{}/{file}", directory_name(instance))
}

/// Path of the metadata of a file of an instance.
#[must_use]
pub fn metadata_path(instance: &str, file: &str) -> String {
    format!("{}{METADATA_SUFFIX}", path(instance, file))
}

/// Name of an instance's directory: its code as in `application/x-www-form-urlencoded`. The names `.` and `..`,
/// which that encoding would leave as they are, get their dots encoded too.
#[must_use]
pub fn directory_name(instance: &str) -> String {
    if matches!(instance, "." | "..") {
        return instance.replace('.', "%2E");
    }
    let mut name = String::with_capacity(instance.len());
    for byte in instance.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                name.push(char::from(byte))
            }
            b' ' => name.push('+'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

/// Instance code of a directory name, or nothing if no code has this name.
#[must_use]
pub fn instance_of_directory(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = after;
            }
            (b'%', _) => return None,
            _ => bytes.push(first),
        }
    }
    let instance = String::from_utf8(bytes).ok()?;
    (!instance.is_empty() && directory_name(&instance) == name).then_some(instance)
}

/// Name under which a downloaded part is stored: known parts have their name, others the last segment of the
/// name that the directory suggests, or else of their location. Nothing when that is not a plain file name.
#[must_use]
pub fn file_name(content_identifier: &str, suggested: Option<&str>, location: &str) -> Option<String> {
    let suggested = suggested.filter(|name| !name.trim().is_empty());
    let known = match content_identifier {
        SHARED_PARAMETERS => SHARED_PARAMS_FILE,
        PRIVATE_PARAMETERS => PRIVATE_PARAMS_FILE,
        _ => return plain_name(suggested.unwrap_or(location)),
    };
    Some(known.to_owned())
}

fn plain_name(path: &str) -> Option<String> {
    let name = path.trim().trim_end_matches('/').rsplit('/').next()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let plain = !name.is_empty() && name.len() <= MAX_FILE_NAME && name.bytes().all(allowed);
    // Names that would overwrite a file with a meaning of its own are not for others to suggest.
    let reserved = name.starts_with('.')
        || name.ends_with(METADATA_SUFFIX)
        || matches!(
            name,
            SHARED_PARAMS_FILE | PRIVATE_PARAMS_FILE | INSTANCE_IDENTIFIER_FILE
        );
    (plain && !reserved).then(|| name.to_owned())
}
