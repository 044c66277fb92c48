//! What the services of the system read: networkd, timesyncd, the look-up of names.

use crate::document::{Document, Interface};

/// Files below `/run`, with their contents.
#[must_use]
pub fn files(document: &Document) -> [(&'static str, String); 3] {
    [
        (NETWORK, network(document)),
        (TIME, time(document)),
        (NAMES, names(document)),
    ]
}

/// The interface and its addresses, for networkd.
pub const NETWORK: &str = "systemd/network/50-kiirtee.network";
/// The time servers, for timesyncd.
pub const TIME: &str = "systemd/timesyncd.conf.d/50-kiirtee.conf";
/// The name servers; `/etc/resolv.conf` is a link to it.
pub const NAMES: &str = "kiirtee/resolv.conf";

/// Static addresses and nothing else: what others on the network offer (routes, addresses, names) is not taken.
fn network(document: &Document) -> String {
    let network = &document.network;
    let matching = match &network.interface {
        Interface::Name(pattern) => format!("Name={pattern}"),
        Interface::Mac(address) => format!("PermanentMACAddress={address}"),
    };
    let mut text = format!("[Match]\n{matching}\n");
    if let Some(mtu) = network.mtu {
        text.push_str(&format!("\n[Link]\nMTUBytes={mtu}\n"));
    }
    text.push_str(
        "\n[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\nLLMNR=no\nMulticastDNS=no\n",
    );
    let addresses = network.addresses.iter();
    text.extend(addresses.map(|address| format!("Address={address}\n")));
    text.extend(network.gateway.map(|gateway| format!("Gateway={gateway}\n")));
    text
}

fn time(document: &Document) -> String {
    let servers: Vec<String> = document.time.servers.iter().map(ToString::to_string).collect();
    format!("[Time]\nNTP={}\nFallbackNTP=\n", servers.join(" "))
}

fn names(document: &Document) -> String {
    let servers = document.network.dns.iter();
    servers.map(|server| format!("nameserver {server}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_also_put_in_place_where_provisioning_does_not_run() {
        let conf = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../systemd/appliance/tmpfiles.d/kiirtee-appliance.conf"
        );
        let conf = std::fs::read_to_string(conf).unwrap();
        let copies: Vec<Vec<&str>> = conf
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        for path in [NETWORK, TIME, NAMES] {
            let from = format!("/var/lib/kiirtee/etc/{}", super::super::kept_name(path));
            let expected = ["C", &format!("/run/{path}"), "0644", "root", "root", "-", &from];
            assert!(copies.iter().any(|copy| *copy == expected), "{expected:?}");
        }
    }
}
