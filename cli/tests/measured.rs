//! The switches with which `make bench` measures what things save: they change what is done, and not what comes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod instance;

use std::io::{Cursor, Read};

use instance::{Instance, agent, is_built};

/// Requests under way at the same time: enough for messages to share signatures.
const AT_ONCE: usize = 48;

/// Exchanges messages in a burst; every one is answered.
fn burst(instance: &Instance) {
    let (url, client) = (
        instance.url("echo/bytes?size=1024"),
        instance.get("consumer/subsystem"),
    );
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let agent = agent();
                for _ in 0..4 {
                    let mut answer = agent.get(&url).header("X-Road-Client", &client).call().unwrap();
                    assert_eq!(answer.status(), 200);
                    assert_eq!(answer.body_mut().read_to_vec().unwrap().len(), 1024);
                }
            });
        }
    });
}

/// How many verdicts of the provider's proxy had this source.
fn verdicts(instance: &Instance, source: &str) -> u64 {
    let metrics = agent().get(instance.get("provider/metrics")).call().unwrap();
    let text = metrics.into_body().read_to_string().unwrap();
    let series =
        format!("xroad_signature_verifications_total{{side=\"server_proxy\",outcome=\"{source}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_signature_that_messages_share_is_verified_once_or_with_each_of_them_as_the_operator_says() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(220);
    burst(&instance);
    let remembered = verdicts(&instance, "cached");
    assert!(remembered > 0, "no two of {AT_ONCE} messages shared a signature");
    instance.reconfigure("provider", |settings| {
        let own = settings["kiirtee"].as_table_mut().unwrap();
        own.insert("verification-cache".into(), false.into());
    });
    burst(&instance);
    assert_eq!(verdicts(&instance, "cached"), 0);
    assert!(verdicts(&instance, "verified") >= 4 * u64::try_from(AT_ONCE).unwrap());
}

#[test]
fn a_sandbox_signs_with_p_256_when_it_is_asked_to_and_with_rsa_otherwise() {
    if !is_built() {
        return;
    }
    for (net, arguments, algorithm) in [
        (221, &["--signing-keys", "p-256"][..], "#ecdsa-sha512"),
        (222, &[], "#rsa-sha512"),
    ] {
        let instance = Instance::up_with(net, arguments);
        burst(&instance);
        let signature = signature(&instance);
        assert!(signature.contains(algorithm), "{signature}");
    }
}

/// The signature document of one request.
fn signature(instance: &Instance) -> String {
    let client = instance.get("consumer/subsystem");
    let answer = agent()
        .get(instance.url("echo/bytes?size=16"))
        .header("X-Road-Client", &client)
        .header("X-Road-Id", "measured-1")
        .call();
    assert_eq!(answer.unwrap().status(), 200);
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    let client: Vec<String> = names
        .iter()
        .zip(client.split('/'))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let url = format!(
        "{}/asic?{}&queryId=measured-1&requestOnly&unique&force",
        instance.get("consumer/client_http"),
        client.join("&")
    );
    let container = agent().get(url).call().unwrap();
    let container = container.into_body().read_to_vec().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(container)).unwrap();
    let mut text = String::new();
    archive
        .by_name("META-INF/signatures.xml")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}
