#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;

use serde_json::Value;

use super::*;
use crate::message_log::time_stamping::tests::support::{Message, Mode, Served, Tsa, World};
use crate::snapshot::Keys;

fn serve(world: &World) -> Served {
    Served::start(&world.process, |worker| Admin::new(Arc::clone(&worker.process)))
}

/// Each check's result and reason.
fn checks(json: &Value) -> HashMap<String, (bool, String)> {
    let checks = json["checks"].as_array().unwrap().iter();
    let one = |check: &Value| {
        let reason = check["reason"].as_str().unwrap_or_default().to_owned();
        (
            check["name"].as_str().unwrap().to_owned(),
            (check["ok"].as_bool().unwrap(), reason),
        )
    };
    checks.map(one).collect()
}

#[test]
fn health_names_every_check_and_why_it_fails() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("", vec![tsa.service()]);
    let _background = world.start();
    let served = serve(&world);
    let answer = served.get("/health");
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (503, "application/json")
    );
    let json: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["status"], "failing");
    let found = checks(&json);
    assert_eq!(found.len(), 6);
    assert_eq!(found["global_configuration"], (true, String::new()));
    assert_eq!(found["server_configuration"], (true, String::new()));
    assert_eq!(found["time_stamping"], (true, String::new()));
    assert!(!found["authentication_key"].0);
    assert_eq!(
        found["signer"],
        (false, "there is no connection with the signer".into())
    );
    assert!(
        !found["signing_keys"].0 && found["signing_keys"].1.ends_with("for TEST/GOV/123"),
        "{found:?}"
    );

    world.configure(Vec::new());
    world.change(|snapshot| {
        snapshot.globalconf = None;
        let mut keys = Keys::default();
        keys.problems.push("certificate of X: revoked".into());
        snapshot.keys = Arc::new(keys);
    });
    std::thread::sleep(std::time::Duration::from_millis(900));
    let json: Value = serde_json::from_slice(&served.get("/").body).unwrap();
    let found = checks(&json);
    assert_eq!(
        found["global_configuration"],
        (false, "Global configuration is not available".into())
    );
    assert!(!found["time_stamping"].0);
    assert_eq!(json["key_problems"][0], "certificate of X: revoked");
}

#[test]
fn failing_time_stamps_threaten_before_they_stop_anything() {
    let world = World::new("", Vec::new());
    let log = &world.process.log;
    log.set_time_stamping_provider_configured(true);
    let now = OffsetDateTime::now_utc();
    log.time_stamping_failed(now).unwrap();
    let soon = time_stamping(&world.process, now + time::Duration::hours(1));
    assert!(soon.ok && soon.reason.unwrap().contains("failing since"));
    let late = time_stamping(&world.process, now + time::Duration::hours(5));
    assert!(!late.ok && late.reason.is_some());
}

#[test]
fn all_checks_hold_makes_ok() {
    let check = |ok: bool| Check {
        name: "x",
        ok,
        reason: None,
    };
    let health = |checks| {
        Health {
            status: "",
            maintenance: true,
            checks,
            key_problems: Vec::new(),
        }
        .http_status()
    };
    assert_eq!(health(vec![check(true), check(true)]), 200);
    assert_eq!(health(vec![check(true), check(false)]), 503);
}

#[test]
fn metrics_are_measured_when_they_are_asked_for() {
    let mut world = World::new("", vec![Tsa::start(Mode::Granted).service()]);
    let _background = world.start();
    let served = serve(&world);
    for number in 0..3 {
        world.log(&Message::new(
            &number.to_string(),
            storage::message_log::Direction::Request,
        ));
    }
    served.get("/metrics");
    let answer = served.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.content_type.starts_with("application/openmetrics-text"));
    let text = answer.text();
    assert!(text.contains("xroad_records_logged_total 3\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let expires = text
        .lines()
        .find_map(|line| line.strip_prefix("xroad_global_configuration_expires_seconds "));
    let expires: f64 = expires.unwrap().parse().unwrap();
    let hour = (OffsetDateTime::now_utc() + time::Duration::hours(1)).unix_timestamp() as f64;
    assert!((expires - hour).abs() < 60.0);
}

#[test]
fn other_requests_are_refused() {
    let world = World::new("", Vec::new());
    let served = serve(&world);
    assert_eq!(served.get("/secrets").status, 404);
    assert_eq!(served.ask("DELETE", "/metrics").status, 405);
    assert_eq!(served.ask("HEAD", "/metrics").status, 200);
}

const WITH_HEALTH_CHECK: &str = "[proxy]\nhealth-check-port = 5588\n";

#[test]
fn a_server_in_maintenance_mode_sends_load_balancers_away_whatever_its_health() {
    let world = World::new(WITH_HEALTH_CHECK, Vec::new());
    let admin = serve(&world);
    let port = Served::start(&world.process, |worker| {
        HealthCheck::new(Arc::clone(&worker.process))
    });
    let healthy = |answer: crate::message_log::time_stamping::tests::support::Answer| {
        (answer.status, answer.text().to_owned())
    };
    let failing = (
        500,
        "No authentication key available. Signer might be down.\n".to_owned(),
    );
    assert_eq!(healthy(port.get("/")), failing);

    let answer = admin.get("/maintenance?targetState=true");
    assert_eq!(
        (answer.status, answer.content_type.as_str(), answer.text()),
        (200, JSON, "Maintenance mode set: false => true\n")
    );
    assert_eq!(healthy(port.get("/")), (503, maintenance::MESSAGE.to_owned()));
    assert!(
        admin
            .get("/metrics")
            .text()
            .contains("xroad_maintenance_mode 1\n")
    );
    let json: Value = serde_json::from_slice(&admin.get("/health").body).unwrap();
    assert_eq!(json["maintenance"], true);

    let answer = admin.ask("POST", "/maintenance?targetState=false");
    assert_eq!(answer.text(), "Maintenance mode set: true => false\n");
    assert_eq!(healthy(port.get("/")), failing);
    assert!(
        admin
            .get("/metrics")
            .text()
            .contains("xroad_maintenance_mode 0\n")
    );
}

#[test]
fn there_is_no_maintenance_mode_without_a_port_for_health_checks() {
    let world = World::new("", Vec::new());
    let answer = serve(&world).get("/maintenance?targetState=true");
    assert_eq!(
        (answer.status, answer.text()),
        (200, "No HealthCheckPort found, maintenance mode not set\n")
    );
    assert!(!world.process.maintenance.is_on());
}

#[test]
fn every_answer_of_the_health_check_is_found_out_anew() {
    let world = World::new(WITH_HEALTH_CHECK, Vec::new());
    let port = Served::start(&world.process, |worker| {
        HealthCheck::new(Arc::clone(&worker.process))
    });
    let told = |text: &str| port.get("/").text() == text;
    let globalconf = world.globalconf();
    for _ in 0..3 {
        assert!(told("No authentication key available. Signer might be down.\n"));
        world.change(|snapshot| snapshot.globalconf = None);
        assert!(told("Global configuration is expired\n"));
        world.change(|snapshot| snapshot.globalconf = Some(Arc::clone(&globalconf)));
    }
}

#[test]
fn a_device_of_the_signer_that_does_not_work_is_unhealthy_where_that_is_asked_for() {
    for (enabled, expected) in [
        (true, "At least one HSM are non operational\n"),
        (false, "No authentication key available. Signer might be down.\n"),
    ] {
        let settings = format!("{WITH_HEALTH_CHECK}hsm-health-check-enabled = {enabled}\n");
        let world = World::new(&settings, Vec::new());
        let admin = serve(&world);
        let port = Served::start(&world.process, |worker| {
            HealthCheck::new(Arc::clone(&worker.process))
        });
        let hsm = || {
            let health: Value = serde_json::from_slice(&admin.get("/health").body).unwrap();
            let checks = health["checks"].as_array().unwrap().clone();
            let found = checks.into_iter().find(|check| check["name"] == "hsm");
            found.map(|check| (check["ok"].clone(), check["reason"].clone()))
        };
        let next = "No authentication key available. Signer might be down.\n";
        assert_eq!(port.get("/").text(), next);
        assert_eq!(hsm(), enabled.then(|| (true.into(), Value::Null)));
        world.change(|snapshot| snapshot.device_problems = vec!["hsm: no slot has a token".to_owned()]);
        assert_eq!(port.get("/").text(), expected);
        assert_eq!(
            hsm(),
            enabled.then(|| (false.into(), "hsm: no slot has a token".into()))
        );
        world.change(|snapshot| snapshot.device_problems.clear());
        assert_eq!(port.get("/").text(), next);
    }
}
