//! Whether the calling server is new enough (wire.md 2.1, "Version check").

use semver::Version;

use crate::exchange::ExchangeError;

/// What a caller is taken for that names no version.
const UNKNOWN: &str = "unknown";

/// Refuses a caller older than the operator's `server-min-supported-client-version`. Only where that is set is the
/// caller's version looked at, and one that is none is an internal error, as in the reference.
pub(super) fn check(oldest: Option<&str>, found: Option<&str>) -> Result<(), ExchangeError> {
    let Some(oldest) = oldest else { return Ok(()) };
    let found = found
        .map(str::trim)
        .filter(|found| !found.is_empty())
        .unwrap_or(UNKNOWN);
    let (oldest, found) = (parse(oldest)?, parse(found)?);
    // What stands behind a plus sign names a build and makes it neither older nor newer.
    if oldest.cmp_precedence(&found).is_gt() {
        return Err(ExchangeError::ClientProxyVersion(oldest.to_string()));
    }
    Ok(())
}

/// Whether a text is a version that others can be compared with.
pub(crate) fn is_one(text: &str) -> bool {
    parse(text).is_ok()
}

/// A semantic version; a `v` may stand before it.
fn parse(text: &str) -> Result<Version, ExchangeError> {
    let version = text.strip_prefix('v').unwrap_or(text);
    Version::parse(version).map_err(|_not_one| ExchangeError::NoVersion(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::fault;
    use crate::metrics::Side;

    /// Code and text of the refusal.
    fn refused(oldest: &str, found: Option<&str>) -> (String, String) {
        let error = check(Some(oldest), found).unwrap_err();
        let fault = fault::of(&error, Side::ServerProxy);
        (fault.code.to_string(), fault.message)
    }

    #[test]
    fn where_nothing_is_asked_anything_goes() {
        for found in [None, Some(""), Some("new"), Some("6.0.0")] {
            assert!(check(None, found).is_ok(), "{found:?}");
        }
    }

    #[test]
    fn compares_as_semantic_versions() {
        for new in [
            "7.6.0",
            "7.10.0",
            "v7.6.0",
            "8.0.0-SNAPSHOT",
            "7.6.1-SNAPSHOT",
            "7.6.0+abc",
        ] {
            assert!(check(Some("7.6.0"), Some(new)).is_ok(), "{new}");
        }
        assert!(check(Some("7.6.0+b"), Some("7.6.0+a")).is_ok());
        for old in ["7.5.9", "7.6.0-SNAPSHOT", "6.26.3"] {
            let code = "server.serverproxy.client_proxy_version_not_supported";
            let text = "The minimum supported version for client security server is: 7.6.0 ";
            assert_eq!(refused("7.6.0", Some(old)), (code.into(), text.into()), "{old}");
        }
    }

    #[test]
    fn what_is_no_version_is_an_internal_error() {
        for (found, told) in [
            (None, "unknown"),
            (Some(" "), "unknown"),
            (Some("7.6"), "7.6"),
            (Some("new"), "new"),
        ] {
            let text = format!("Version [{told}] is not valid semver.");
            let code = "server.serverproxy.internal_error";
            assert_eq!(refused("7.6.0", found), (code.into(), text));
        }
    }
}
