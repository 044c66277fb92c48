//! URLs of services, taken apart once for each call (wire.md 6.3).

/// A service's URL: `http://host:port/path` or `https://...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl<'a> {
    /// Whether it is called over TLS.
    pub tls: bool,
    /// Host as written, for `Host`, without port.
    pub host: &'a str,
    /// Port, the scheme's own if none is written.
    pub port: u16,
    /// What stands between `://` and the path, for `Host`.
    pub authority: &'a str,
    /// Path and query as written; empty if there is none.
    pub path: &'a str,
}

impl<'a> ServiceUrl<'a> {
    /// Takes a URL apart; `None` if it is no absolute HTTP URL.
    #[must_use]
    pub fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let tls = scheme.eq_ignore_ascii_case("https");
        if !tls && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let path_start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(path_start)?;
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let clean = !host.is_empty() && !authority.contains(['@', ' ']) && !url.contains(char::is_control);
        clean.then_some(Self {
            tls,
            host,
            port,
            authority,
            path,
        })
    }
}

/// A request target: with the slash that the path of a URL may lack.
#[must_use]
pub fn rooted(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{path}")
}

/// Host and port of an authority; IPv6 literals stand in brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.rfind(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_end)?;
    match port.strip_prefix(':') {
        Some(port) => Some((host, Some(port.parse().ok()?))),
        None if port.is_empty() => Some((host, None)),
        None => None,
    }
}

/// The host name of a URL, if it is one that can be called.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    ServiceUrl::parse(url).map(|url| url.host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        let url = ServiceUrl::parse("https://example.org/a/b?c=d").unwrap();
        assert_eq!(
            (url.tls, url.host, url.port, url.path),
            (true, "example.org", 443, "/a/b?c=d")
        );
        let url = ServiceUrl::parse("http://[::1]:8081").unwrap();
        assert_eq!(
            (url.host, url.port, url.authority, url.path),
            ("[::1]", 8081, "[::1]:8081", "")
        );
    }

    #[test]
    fn refuses_what_is_no_service() {
        for bad in [
            "",
            "example.org/x",
            "ftp://x/",
            "http://",
            "http://u@h/",
            "http://h:99999/",
            "http://h\r\n/",
        ] {
            assert_eq!(ServiceUrl::parse(bad), None, "{bad:?}");
        }
    }
}
