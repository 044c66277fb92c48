//! Which URLs to try, in which order (features.md 2.2).

use protocol_globalconf::Version;
use protocol_globalconf::anchor::Anchor;
use protocol_globalconf::shared_params::Source;
use rand::seq::SliceRandom as _;

/// Query parameter with the version that is asked for.
const VERSION_PARAMETER: &str = "version";

/// One URL of a signed directory, with the certificates that may verify what is downloaded from it. Certificates
/// belong to their location: who signs for one source does not sign for another (features.md 0.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The URL, without version.
    pub url: String,
    /// DER certificates.
    pub certificates: Vec<Vec<u8>>,
}

/// Locations of an instance's source, in the order in which they are tried: the one that worked last, then the nodes
/// that the stored shared parameters name, then those of the anchor; `https` before `http` in each group, nodes
/// shuffled.
#[must_use]
pub fn of_source(anchor: &Anchor, known_sources: &[Source], last_used: Option<&Location>) -> Vec<Location> {
    let mut locations: Vec<Location> = Vec::new();
    let known = known_locations(anchor, known_sources);
    let of_anchor = anchor.sources.iter().map(|source| Location {
        url: source.download_url.clone(),
        certificates: source.verification_certs.clone(),
    });
    for location in shuffled(known).into_iter().chain(shuffled(of_anchor.collect())) {
        if !locations.contains(&location) {
            locations.push(location);
        }
    }
    // The last one is used only as long as its certificates are still named.
    if let Some(position) = last_used.and_then(|last| locations.iter().position(|location| location == last))
    {
        let last = locations.remove(position);
        locations.insert(0, last);
    }
    locations
}

/// The nodes that the shared parameters name have the anchor's path.
fn known_locations(anchor: &Anchor, sources: &[Source]) -> Vec<Location> {
    let Some(path) = directory_path(anchor) else {
        return Vec::new();
    };
    let location = |source: &Source| Location {
        url: format!("http://{}/{path}", source.address),
        certificates: match path {
            "internalconf" => source.internal_verification_certs.clone(),
            "externalconf" => source.external_verification_certs.clone(),
            _ => [
                &source.internal_verification_certs[..],
                &source.external_verification_certs[..],
            ]
            .concat(),
        },
    };
    sources
        .iter()
        .map(location)
        .filter(|location| !location.certificates.is_empty())
        .collect()
}

/// What follows the host in the first `http` URL of the anchor, or else in the first URL.
fn directory_path(anchor: &Anchor) -> Option<&str> {
    let urls = || anchor.sources.iter().map(|source| source.download_url.as_str());
    let url = urls()
        .find(|url| url.starts_with("http://"))
        .or_else(|| urls().next())?;
    let (_scheme, rest) = url.split_once("://")?;
    Some(rest.split_once('/')?.1)
}

/// Every `http` URL is tried as `https` too, and before; `https` URLs as they stand. (The reference leaves `https`
/// URLs out, so that an anchor with nothing else gives nothing: features.md 0.3, item 4.)
fn shuffled(locations: Vec<Location>) -> Vec<Location> {
    let (mut secure, mut plain): (Vec<_>, Vec<_>) = locations
        .into_iter()
        .partition(|location| location.url.starts_with("https://"));
    plain.retain(|location| location.url.starts_with("http://"));
    for location in &plain {
        let url = location.url.replacen("http://", "https://", 1);
        let location = Location {
            url,
            certificates: location.certificates.clone(),
        };
        if !secure.contains(&location) {
            secure.push(location);
        }
    }
    secure.shuffle(&mut rand::rng());
    plain.shuffle(&mut rand::rng());
    secure.extend(plain);
    secure
}

/// The URL for a version; a URL that has a version already is left as it is, and gives nothing.
#[must_use]
pub fn versioned(url: &str, version: Version) -> Option<String> {
    let (_path, query) = url.split_once('?').unwrap_or((url, ""));
    let parameters = query
        .split('&')
        .map(|parameter| parameter.split('=').next().unwrap_or_default());
    if parameters.into_iter().any(|name| name == VERSION_PARAMETER) {
        return None;
    }
    let separator = if query.is_empty() { '?' } else { '&' };
    Some(format!(
        "{}{separator}{VERSION_PARAMETER}={version}",
        url.trim_end_matches('?')
    ))
}

/// The URL of a file: its location resolved against the URL of the directory.
#[must_use]
pub fn resolve(directory_url: &str, location: &str) -> Option<String> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if location.is_empty() || !is_plain(location) {
        return None;
    }
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let (scheme, rest) = directory_url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match location.strip_prefix('/') {
        Some(absolute) => Some(format!("{scheme}://{authority}/{absolute}")),
        None => {
            let folder = path
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _file)| format!("{folder}/"));
            Some(format!("{scheme}://{authority}/{folder}{location}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_globalconf::anchor::AnchorSource;

    fn anchor(urls: &[&str]) -> Anchor {
        let source = |url: &&str| AnchorSource {
            download_url: (*url).to_owned(),
            verification_certs: vec![vec![1]],
        };
        Anchor {
            generated_at: None,
            instance: "EE".to_owned(),
            sources: urls.iter().map(source).collect(),
        }
    }

    fn urls(locations: &[Location]) -> Vec<&str> {
        locations.iter().map(|location| location.url.as_str()).collect()
    }

    #[test]
    fn https_is_tried_first_and_derived_from_http() {
        let locations = of_source(&anchor(&["http://cs/internalconf"]), &[], None);
        assert_eq!(
            urls(&locations),
            ["https://cs/internalconf", "http://cs/internalconf"]
        );
        let both = of_source(
            &anchor(&["http://cs/internalconf", "https://cs/internalconf"]),
            &[],
            None,
        );
        assert_eq!(both, locations);
    }

    #[test]
    fn anchor_with_https_only_has_locations() {
        let locations = of_source(&anchor(&["https://cs/internalconf"]), &[], None);
        assert_eq!(urls(&locations), ["https://cs/internalconf"]);
        assert!(of_source(&anchor(&["ftp://cs/internalconf"]), &[], None).is_empty());
    }

    #[test]
    fn known_nodes_come_first_with_the_certificates_of_their_directory() {
        let source = Source {
            address: "node".to_owned(),
            internal_verification_certs: vec![vec![2]],
            external_verification_certs: vec![vec![3]],
        };
        let locations = of_source(
            &anchor(&["http://cs/externalconf"]),
            std::slice::from_ref(&source),
            None,
        );
        assert_eq!(
            urls(&locations),
            [
                "https://node/externalconf",
                "http://node/externalconf",
                "https://cs/externalconf",
                "http://cs/externalconf"
            ]
        );
        assert_eq!(locations[0].certificates, [[3]]);
        let locations = of_source(&anchor(&["http://cs/proxy/conf"]), &[source], None);
        assert_eq!(locations[0].url, "https://node/proxy/conf");
        assert_eq!(locations[0].certificates, [[2], [3]]);
    }

    #[test]
    fn last_used_location_comes_first_while_its_certificates_are_named() {
        let anchor = anchor(&["http://cs/internalconf"]);
        let last = Location {
            url: "http://cs/internalconf".to_owned(),
            certificates: vec![vec![1]],
        };
        assert_eq!(of_source(&anchor, &[], Some(&last))[0], last);
        let stale = Location {
            certificates: vec![vec![9]],
            ..last
        };
        assert!(!of_source(&anchor, &[], Some(&stale)).contains(&stale));
    }

    #[test]
    fn version_is_added_unless_it_is_there() {
        assert_eq!(
            versioned("http://cs/c", Version::V6).unwrap(),
            "http://cs/c?version=6"
        );
        assert_eq!(
            versioned("http://cs/c?a=b", Version::V3).unwrap(),
            "http://cs/c?a=b&version=3"
        );
        assert_eq!(versioned("http://cs/c?version=2", Version::V6), None);
    }

    #[test]
    fn file_locations_are_resolved_against_the_directory() {
        let directory = "http://cs:8080/x/conf?version=6";
        let resolved = |location| resolve(directory, location);
        assert_eq!(resolved("/V6/1/a.xml").unwrap(), "http://cs:8080/V6/1/a.xml");
        assert_eq!(resolved("a.xml").unwrap(), "http://cs:8080/x/a.xml");
        assert_eq!(resolved("https://other/a.xml").unwrap(), "https://other/a.xml");
        assert_eq!(resolved(""), None);
        assert_eq!(resolved("a b"), None);
    }
}
