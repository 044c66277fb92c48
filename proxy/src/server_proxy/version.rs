//! Whether the calling server is new enough (wire.md 2.1, "Version check").

use semver::Version;

use crate::exchange::ExchangeError;

/// Refuses a caller older than the operator's `server-min-supported-client-version`, or one that names no version.
pub(super) fn check(oldest: Option<&str>, found: Option<&str>) -> Result<(), ExchangeError> {
    let Some(oldest) = oldest else { return Ok(()) };
    let found = found.unwrap_or("unknown");
    let refused = |why: String| Err(ExchangeError::ClientProxyVersion(why));
    match (Version::parse(oldest), Version::parse(found)) {
        (Ok(oldest), Ok(found)) if found >= oldest => Ok(()),
        (Ok(oldest), Ok(found)) => refused(format!(
            "The minimum supported version for client security server is: {oldest}, found: {found}"
        )),
        _ => refused(format!(
            "client security server version {found:?} can't be compared with {oldest:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn compares_as_semantic_versions() {
        assert!(check(None, None).is_ok());
        assert!(check(Some("7.6.0"), Some("7.10.0")).is_ok());
        for old in [Some("7.5.9"), Some("7.6.0-SNAPSHOT"), Some("new"), None] {
            assert!(check(Some("7.6.0"), old).is_err(), "{old:?}");
        }
    }
}
