//! Whether a text can be the host of a URL, as the reference's platform judges it (wire.md 2.6 step 2).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// An IP address or a host name: labels of letters, digits and inner hyphens, and where there are several, the last of
/// them begins with a letter.
pub(crate) fn is_host(host: &str) -> bool {
    is_address(host) || is_name(host)
}

/// The host as it stands in a URL: an IPv6 address goes into brackets.
pub(crate) fn in_url(host: &str) -> Cow<'_, str> {
    match host.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{host}]").into(),
        Err(_) => host.into(),
    }
}

fn is_address(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    }
}

fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let begins_with_letter = |label: &str| label.starts_with(|first: char| first.is_ascii_alphabetic());
    let last = name.rsplit_once('.');
    name.split('.').all(is_label) && last.is_none_or(|(_, label)| begins_with_letter(label))
}

fn is_label(label: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty() && label.bytes().all(within) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_hosts_from_what_makes_no_url() {
        for host in [
            "ss1",
            "1",
            "ss1.example.org",
            "ss1.example.org.",
            "10.0.0.1",
            "::1",
            "[::1]",
            "xn--tnis-0qa.ee",
        ] {
            assert!(is_host(host), "{host}");
        }
        for wrong in [
            "",
            " ",
            "a b",
            "under_score.test",
            "-a.test",
            "a-.test",
            "a..b",
            "a.test:5500",
            "https://a.test",
            "10.0.0.256",
            "a.1",
            "[10.0.0.1]",
            "tõnis.ee",
        ] {
            assert!(!is_host(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_ipv6_address_is_put_in_brackets() {
        assert_eq!(in_url("::1"), "[::1]");
        for as_it_is in ["[::1]", "10.0.0.1", "a.test"] {
            assert_eq!(in_url(as_it_is), as_it_is);
        }
    }
}
