//! A server that stalls on purpose: what the loops make of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod server;

use server::{Behaviour, Server, load};

/// How long the server stalls, in microseconds.
const STALL: f64 = 1_000_000.0;

fn stalling() -> Server {
    Server::start(Behaviour::StallsOnce)
}

#[test]
fn an_open_loop_reports_a_stall_for_every_request_that_was_due_in_it() {
    let server = stalling();
    let run = load(&[&server.url(), "-c", "4", "--rate", "200", "-d", "3s"]).json;
    // A second of 200 requests in 600: a third of them waited, half a second in the mean.
    assert_eq!(run["total"]["answered"], 600, "{run:#}");
    assert!(
        run["total"]["latency"]["p90"].as_f64().unwrap() > 0.4 * STALL,
        "{run:#}"
    );
    assert!(
        run["total"]["latency"]["max"].as_f64().unwrap() > 0.9 * STALL,
        "{run:#}"
    );
    // Counted from when they were sent, as many generators do, nearly nothing is left of it.
    assert!(
        run["total"]["service_time"]["p90"].as_f64().unwrap() < 0.2 * STALL,
        "{run:#}"
    );
}

#[test]
fn a_naive_closed_loop_hides_the_same_stall_and_a_corrected_one_does_not() {
    // By count and not by time: how many requests fit beside the stall must not depend on the machine.
    let arguments = ["-c", "1", "-n", "600"];
    let naive = {
        let server = stalling();
        load(&[&[server.url().as_str()], &arguments[..]].concat()).json
    };
    assert_eq!(naive["total"]["answered"], 600, "{naive:#}");
    assert!(
        naive["total"]["latency"]["p99"].as_f64().unwrap() < 0.2 * STALL,
        "{naive:#}"
    );
    let corrected = {
        let server = stalling();
        load(
            &[
                &[server.url().as_str()],
                &arguments[..],
                &["--expected-interval", "1ms"],
            ]
            .concat(),
        )
        .json
    };
    assert!(
        corrected["total"]["latency"]["p99"].as_f64().unwrap() > 0.8 * STALL,
        "{corrected:#}"
    );
}

#[test]
fn a_server_that_does_not_stall_looks_alike_to_both_loops() {
    let server = Server::start(Behaviour::Answers);
    let run = load(&[&server.url(), "-c", "4", "--rate", "200", "-d", "2s"]).json;
    assert_eq!(run["total"]["answered"], 400, "{run:#}");
    assert!(
        run["total"]["latency"]["p50"].as_f64().unwrap() < 0.1 * STALL,
        "{run:#}"
    );
}

#[test]
fn what_is_not_answered_in_time_is_an_error_and_its_waiting_is_in_the_latency() {
    let server = Server::start(Behaviour::NeverAnswers);
    let arguments = ["-c", "2", "-n", "2", "--time-out", "300ms"];
    let run = load(&[&[server.url().as_str()], &arguments[..]].concat());
    assert_eq!(run.code, Some(1));
    assert_eq!(run.json["total"]["errors"]["time-out"], 2, "{:#}", run.json);
    assert!(
        run.json["total"]["latency"]["p50"].as_f64().unwrap() >= 300_000.0,
        "{:#}",
        run.json
    );
}
