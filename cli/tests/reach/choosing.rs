//! A provider with three security servers: which of them is asked, and what happens when one of them can't be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::instance::{self, Instance, signal, wait_until};
use super::operator::{metric, register, restart_with, wait_until_healthy};
use super::{envelope, rest, rest_at, soap, soap_request, uuid};

const PROVIDERS: [&str; 3] = ["provider", "provider2", "provider3"];

/// How many requests each of the provider's servers has served.
fn served(instance: &Instance) -> [u64; 3] {
    let answered = "xroad_exchanges_total{side=\"server_proxy\",outcome=\"answered\"}";
    PROVIDERS.map(|server| match instance.is_running(&format!("{server}-proxy")) {
        true => metric(instance, server, answered),
        false => 0,
    })
}

/// Sends requests, all of which are answered, and says which one of the servers answered all of them.
fn the_one_that_serves(instance: &Instance, requests: usize) -> usize {
    let before = served(instance);
    for _ in 0..requests {
        rest(instance, "echo/letters").is_answer();
    }
    let after = served(instance);
    let by: Vec<usize> = (0..3).filter(|at| after[*at] > before[*at]).collect();
    assert_eq!(by.len(), 1, "{before:?} {after:?}");
    by[0]
}

/// `https://127.0.50.20:5500/`
fn url(net: u8, server: usize) -> String {
    format!("https://127.0.{net}.{}:5500/", 20 + server)
}

/// An instance whose provider has three servers. The consumer's has one worker, so one memory of winners, and makes a
/// connection for every request.
fn three_providers(net: u8) -> Instance {
    let mut instance = Instance::up_with(net, &["--provider-servers", "3"]);
    restart_with(
        &mut instance,
        "consumer",
        &[
            ("kiirtee/workers", 1.into()),
            ("proxy/pool-enable-connection-reuse", false.into()),
            ("proxy/client-timeout", 10_000.into()),
        ],
    );
    instance
}

#[test]
fn the_fastest_server_is_kept_until_it_fails_and_then_another_one_takes_over() {
    if !instance::is_built() {
        return;
    }
    let mut instance = three_providers(50);
    let first = the_one_that_serves(&instance, 6);
    soap(&instance, &soap_request()).is_answer();

    let dead = instance.kill(&format!("{}-proxy", PROVIDERS[first]));
    let second = the_one_that_serves(&instance, 4);
    assert_ne!(second, first);
    instance.restart(&dead);
    wait_until_healthy(&instance, PROVIDERS[first]);
    assert_eq!(the_one_that_serves(&instance, 2), second, "the winner is kept");

    let frozen = instance.pid(&format!("{}-proxy", PROVIDERS[second]));
    frozen_ones_are_left(&instance, frozen);
    all_are_dead(&mut instance);
}

/// The kernel of a frozen server still takes connections; that nobody speaks TLS there is noticed after the five seconds
/// that a remembered winner gets.
fn frozen_ones_are_left(instance: &Instance, pid: u32) {
    signal(pid, "STOP");
    let began = Instant::now();
    rest(instance, "echo/letters").is_answer();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(4900), "{took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    let began = Instant::now();
    rest(instance, "echo/letters").is_answer();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it is remembered no more"
    );
    signal(pid, "CONT");
}

fn all_are_dead(instance: &mut Instance) {
    let dead: Vec<_> = PROVIDERS
        .iter()
        .map(|name| instance.kill(&format!("{name}-proxy")))
        .collect();
    // The kernel closes the sockets of a killed process a moment after its end; until then a handshake fails.
    wait_until("connections to be refused", || {
        rest(instance, "echo/letters").code == "server.clientproxy.network_error"
    });
    for told in [rest(instance, "echo/letters"), soap(instance, &soap_request())] {
        assert_eq!(told.code, "server.clientproxy.network_error");
        let urls = told.text.strip_prefix("Could not connect to any target host ([");
        let urls = urls.and_then(|rest| rest.strip_suffix("])")).unwrap();
        let mut urls: Vec<&str> = urls.split(", ").collect();
        urls.sort_unstable();
        assert_eq!(urls, [url(50, 0), url(50, 1), url(50, 2)]);
    }
    for killed in &dead {
        instance.restart(killed);
    }
    wait_until("somebody to be back", || {
        rest(instance, "echo/letters").status == 200
    });
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_left_and_another_one_asked() {
    if !instance::is_built() {
        return;
    }
    let mut instance = three_providers(51);
    // Where nothing is remembered every request draws by lot.
    restart_with(
        &mut instance,
        "consumer",
        &[("proxy/client-fastest-connecting-ssl-uri-cache-period", 0.into())],
    );
    rest_at(&instance, "2002/provider3").is_answer();
    // The server itself does not hear of it and goes on.
    let _deaf = instance.kill("provider3-confclient");
    register(&instance, "provider3", |entry| {
        drop(entry.remove("auth_certificates"))
    });
    let code = "server.clientproxy.ssl_authentication_failed";
    wait_until("the change to be known", || {
        rest_at(&instance, "2002/provider3").code == code
    });
    let told = rest_at(&instance, "2002/provider3");
    assert!(told.text.starts_with("Authentication certificate "), "{told:?}");
    assert!(
        told.text.ends_with(" is not associated with any security server"),
        "{told:?}"
    );

    let left_out = || {
        let log = instance.log("consumer-proxy");
        let lines = log
            .lines()
            .filter(|line| line.contains("address of the provider's server left out"));
        lines.filter(|line| line.contains("127.0.51.22")).count()
    };
    let before = left_out();
    wait_until("the lot to fall on the wrong one three times", || {
        rest(&instance, "echo/letters").is_answer();
        left_out() >= before + 3
    });
    rest_at(&instance, "2002/provider2").is_answer();

    // With the good ones gone nothing is left to be connected, which is what is told.
    for name in ["provider", "provider2"] {
        instance.kill(&format!("{name}-proxy"));
    }
    assert_eq!(rest_at(&instance, "2002/provider3").code, code);
    let told = rest(&instance, "echo/letters");
    assert!(
        [code, "server.clientproxy.network_error"].contains(&told.code.as_str()),
        "{told:?}"
    );
}

#[test]
fn servers_in_maintenance_mode_without_a_usable_name_or_named_by_the_client() {
    if !instance::is_built() {
        return;
    }
    let instance = three_providers(52);
    named_servers(&instance);
    names_that_lead_nowhere(&instance);
    maintenance_mode(&instance);
}

/// A SOAP request that names a server.
fn soap_at(instance: &Instance, member: &str, code: &str) -> super::Told {
    let header = format!(
        "<xroad:securityServer id:objectType=\"SERVER\"><id:xRoadInstance>SANDBOX</id:xRoadInstance>\
         <id:memberClass>ORG</id:memberClass><id:memberCode>{member}</id:memberCode>\
         <id:serverCode>{code}</id:serverCode></xroad:securityServer><xroad:userId>"
    );
    let xml = envelope::request("echoMessage", &uuid()).replacen("<xroad:userId>", &header, 1);
    soap(instance, &xml)
}

fn named_servers(instance: &Instance) {
    let before = served(instance);
    for (at, name) in PROVIDERS.iter().enumerate() {
        rest_at(instance, &format!("2002/{name}")).is_answer();
        soap_at(instance, "2002", name).is_answer();
        assert_eq!(served(instance)[at], before[at] + 2, "{name}");
    }
    let code = "server.clientproxy.invalid_security_server";
    let wrong = "Invalid security server \"SERVER:SANDBOX/ORG/1001/consumer\"";
    rest_at(instance, "1001/consumer").is_fault(code, wrong);
    soap_at(instance, "1001", "consumer").is_fault(code, wrong);
    let unknown = "Could not find security server \"SERVER:SANDBOX/ORG/2002/absent\"";
    rest_at(instance, "2002/absent").is_fault(code, unknown);
    soap_at(instance, "2002", "absent").is_fault(code, unknown);
}

fn address(instance: &Instance, server: &str, address: &str) {
    register(instance, server, |entry| {
        drop(entry.insert("address".into(), address.into()))
    });
}

fn names_that_lead_nowhere(instance: &Instance) {
    address(instance, "provider2", "no-such-host.invalid");
    address(instance, "provider3", "under_score");
    let unsuitable = "server.clientproxy.unknown_member";
    wait_until("the names to be known", || {
        rest_at(instance, "2002/provider3").code == unsuitable
    });
    rest_at(instance, "2002/provider3").is_fault(
        unsuitable,
        "Could not find suitable address for service provider \"SERVICE:SANDBOX/ORG/2002/provider/echo\"",
    );
    rest_at(instance, "2002/provider2").is_fault(
        "server.clientproxy.network_error",
        "Could not connect to any target host ([https://no-such-host.invalid:5500/])",
    );
    let before = served(instance)[0];
    for _ in 0..4 {
        rest(instance, "echo/letters").is_answer();
    }
    assert_eq!(
        served(instance)[0],
        before + 4,
        "the only one that can be reached"
    );
    let log = instance.log("consumer-proxy");
    assert!(
        log.contains("Invalid service provider hostname") && log.contains("under_score"),
        "{log}"
    );
    assert!(
        log.contains("host name can't be resolved") && log.contains("no-such-host.invalid"),
        "{log}"
    );

    // An address that takes no notice of anybody.
    let silent = Silent::at("127.0.52.29:5500");
    address(instance, "provider2", "127.0.52.29");
    address(instance, "provider3", "127.0.52.22");
    let text = "Could not connect to any target host ([https://127.0.52.29:5500/])";
    wait_until("the address to be known", || {
        rest_at(instance, "2002/provider2").text == text
    });
    for _ in 0..4 {
        let began = Instant::now();
        rest(instance, "echo/letters").is_answer();
        assert!(began.elapsed() < Duration::from_secs(9), "the others are faster");
    }
    drop(silent);
    address(instance, "provider2", "127.0.52.21");
    wait_until("the address to be good", || {
        rest_at(instance, "2002/provider2").status == 200
    });
}

fn maintenance(instance: &Instance, server: &str, message: &str) {
    register(instance, server, |entry| {
        drop(entry.insert("maintenance".into(), message.into()))
    });
}

fn maintenance_mode(instance: &Instance) {
    let code = "server.clientproxy.maintenance_mode";
    let known = |server: &str| {
        wait_until("maintenance mode to be known", || {
            rest_at(instance, &format!("2002/{server}")).code == code
        });
    };
    maintenance(instance, "provider", "back at noon");
    known("provider");
    let named = "Security server \"SERVER:SANDBOX/ORG/2002/provider\" with address \"127.0.52.20\" is in maintenance \
                 mode. Message from \"SERVER:SANDBOX/ORG/2002/provider\" administrator: back at noon";
    rest_at(instance, "2002/provider").is_fault(code, named);
    soap_at(instance, "2002", "provider").is_fault(code, named);
    let before = served(instance);
    for _ in 0..6 {
        rest(instance, "echo/letters").is_answer();
    }
    assert_eq!(served(instance)[0], before[0], "it takes no requests");

    maintenance(instance, "provider2", "");
    maintenance(instance, "provider3", "");
    known("provider2");
    known("provider3");
    let silent = "Security server \"SERVER:SANDBOX/ORG/2002/provider2\" with address \"127.0.52.21\" is in maintenance mode";
    rest_at(instance, "2002/provider2").is_fault(code, silent);
    let any = [
        "Security server with address \"127.0.52.20\" is in maintenance mode. Message from \"127.0.52.20\" administrator: \
         back at noon",
        "Security server with address \"127.0.52.21\" is in maintenance mode",
        "Security server with address \"127.0.52.22\" is in maintenance mode",
    ];
    for told in [rest(instance, "echo/letters"), soap(instance, &soap_request())] {
        assert_eq!(told.code, code);
        assert!(any.contains(&told.text.as_str()), "{told:?}");
    }
    for server in PROVIDERS {
        register(instance, server, |entry| drop(entry.remove("maintenance")));
    }
    wait_until("all to be in service", || {
        PROVIDERS
            .iter()
            .all(|name| rest_at(instance, &format!("2002/{name}")).status == 200)
    });
}

/// An address whose kernel ignores whoever wants to connect: its queue is full and nobody takes from it.
pub(crate) struct Silent {
    _listener: Socket,
    _filling: Vec<Socket>,
}

impl Silent {
    pub(crate) fn at(address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_reuse_address(true).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let fill = || {
            let filling = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filling.set_nonblocking(true).unwrap();
            let _ = filling.connect(&address.into());
            filling
        };
        Self {
            _filling: (0..3).map(|_| fill()).collect(),
            _listener: listener,
        }
    }
}
