//! Whom to connect to.

use std::net::{SocketAddr, ToSocketAddrs};

/// A server, resolved once: no name is looked up under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Host and port as they stand in `Host`.
    pub(crate) authority: String,
    /// The host alone, for TLS.
    pub(crate) host: String,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
}

impl Target {
    /// Splits a URL into its server and what is behind it (path and query, `/` when there is none).
    ///
    /// # Errors
    /// What is wrong with the URL, or that its host is unknown.
    pub(crate) fn parse(url: &str) -> Result<(Self, String), String> {
        let expected = || format!("`{url}`: expected a URL such as http://127.0.1.10:8080/path");
        let (tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(expected()),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority, tls).ok_or_else(expected)?;
        let found = (host.as_str(), port).to_socket_addrs();
        let address = found
            .map_err(|error| format!("`{url}`: host {host} is not known: {error}"))?
            .next()
            .ok_or_else(|| format!("`{url}`: host {host} has no address"))?;
        let path = match path {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        };
        let target = Self {
            authority: authority.to_owned(),
            host,
            address,
            tls,
        };
        Ok((target, path.split('#').next().unwrap_or_default().to_owned()))
    }
}

fn host_and_port(authority: &str, tls: bool) -> Option<(String, u16)> {
    let default = if tls { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    (!host.is_empty() && !host.contains('@')).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_server_and_path() {
        let (target, path) = Target::parse("http://127.0.0.1:8080/a/b?c=d#e").unwrap();
        assert_eq!(
            (target.authority.as_str(), path.as_str()),
            ("127.0.0.1:8080", "/a/b?c=d")
        );
        assert_eq!(target.address, "127.0.0.1:8080".parse().unwrap());
        let (target, path) = Target::parse("https://127.0.0.1").unwrap();
        assert_eq!(
            (target.address.port(), target.tls, path.as_str()),
            (443, true, "/")
        );
        let (target, _) = Target::parse("http://[::1]:81?x").unwrap();
        assert_eq!(target.address, "[::1]:81".parse().unwrap());
    }

    #[test]
    fn what_is_no_url_is_refused_with_what_was_expected() {
        for url in [
            "",
            "127.0.0.1:80",
            "ftp://127.0.0.1/",
            "http:///x",
            "http://h:99999/",
            "http://u@127.0.0.1/",
        ] {
            assert!(
                Target::parse(url).unwrap_err().contains("expected a URL"),
                "{url}"
            );
        }
    }
}
