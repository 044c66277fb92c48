//! The program as its users meet it: exit codes, counting, files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod server;

use server::{Behaviour, Server, kiirtee_load, load};

#[test]
fn a_server_that_answers_ends_with_0_and_one_that_fails_with_1_unless_that_many_may() {
    let good = Server::start(Behaviour::Answers);
    let said = load(&[&good.url(), "-c", "3", "-n", "100"]);
    assert_eq!(
        (said.code, said.json["total"]["answered"].as_u64()),
        (Some(0), Some(100))
    );
    assert_eq!(said.json["total"]["connects"], 3);

    let bad = Server::start(Behaviour::Fails);
    let said = load(&[&bad.url(), "-c", "1", "-n", "100"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.json["total"]["errors"]["status 503"], 50, "{:#}", said.json);
    assert_eq!(said.json["total"]["answered"], 50);
    assert_eq!(
        said.json["total"]["connects"], 26,
        "the first, and one after each closing"
    );
    let said = load(&[&bad.url(), "-c", "1", "-n", "100", "--max-errors", "60%"]);
    assert_eq!(said.code, Some(0));
}

#[test]
fn a_connection_each_is_made_when_asked_for() {
    let server = Server::start(Behaviour::Answers);
    let said = load(&[&server.url(), "-c", "2", "-n", "50", "--no-reuse"]);
    assert_eq!(
        (said.json["total"]["connects"].as_u64(), said.code),
        (Some(50), Some(0))
    );
}

#[test]
fn threads_share_count_and_connections() {
    let server = Server::start(Behaviour::Answers);
    let said = load(&[&server.url(), "-c", "5", "-n", "101", "-t", "3"]);
    assert_eq!(
        (
            said.json["total"]["answered"].as_u64(),
            said.json["total"]["connects"].as_u64()
        ),
        (Some(101), Some(5))
    );
}

#[test]
fn a_soap_fault_is_counted_by_its_code_though_the_status_is_200() {
    let server = Server::start(Behaviour::SoapFault);
    let url = server.url();
    let ids = ["--client", "A/B/1/c", "--service", "A/B/2/p/getIt/v1", "-n", "10"];
    let said = load(&[&["--kind", "soap", "--server", &url], &ids[..]].concat());
    assert_eq!(
        said.json["total"]["errors"]["fault Server.Busy"], 10,
        "{:#}",
        said.json
    );
    let request = &server.requests()[0];
    assert!(
        request.contains("<id:serviceCode>getIt</id:serviceCode>"),
        "{request}"
    );
    let id = |request: &String| {
        request
            .split("<xroad:id>")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_ne!(
        id(request),
        id(&server.requests()[1]),
        "message ids are used once"
    );
}

#[test]
fn nobody_there_is_told_as_refused() {
    let said = load(&["http://127.0.0.1:1/", "-d", "200ms", "-c", "2"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.json["total"]["errors"]["connect: refused"].as_u64().unwrap() > 0,
        "{:#}",
        said.json
    );
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_what_was_expected() {
    for (arguments, expected) in [
        (&["nonsense"][..], "expected a URL such as"),
        (&[], "expected a URL, or server and service"),
        (
            &["http://127.0.0.1/", "--rate", "fast"],
            "expected a number, FROM..TO/TIME",
        ),
        (
            &["http://127.0.0.1/", "--watch", "4294967295"],
            "expected the id of a running process",
        ),
        (
            &["http://127.0.0.1/", "--watch-sandbox", "/nowhere"],
            "kiirtee sandbox up",
        ),
        (
            &["http://127.0.0.1/", "--compare", "/nowhere"],
            "expected a file of --json",
        ),
        (&["https://127.0.0.1/"], "ca: expected the certificates to trust"),
        (&["--scenarios", "/nowhere"], "/nowhere: No such file"),
    ] {
        let output = kiirtee_load(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn a_saved_run_is_compared_and_one_that_is_slower_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (fast, svg, hgrm) = (file("fast.json"), file("x.svg"), file("x.hgrm"));
    let server = Server::start(Behaviour::Answers);
    let url = server.url();
    let course = ["-c", "1", "-d", "600ms", "--interval", "100ms"];
    let files = ["--json", &fast, "--svg", &svg, "--hgrm", &hgrm];
    let saved = kiirtee_load(&[&[url.as_str()], &course[..], &files[..]].concat());
    assert!(saved.status.success());
    let table = String::from_utf8_lossy(&saved.stdout);
    assert!(table.contains("answered") && table.contains("p99.9"), "{table}");
    assert!(
        std::fs::read_to_string(svg)
            .unwrap()
            .contains("Latency by percentile")
    );
    assert!(
        std::fs::read_to_string(hgrm)
            .unwrap()
            .contains("1/(1-Percentile)")
    );

    let mut slower: serde_json::Value = serde_json::from_slice(&std::fs::read(&fast).unwrap()).unwrap();
    // A saved run that was a hundred times faster, and steadily so.
    slower["total"]["throughput"] = (slower["total"]["throughput"].as_f64().unwrap() * 100.0).into();
    let faster = file("faster.json");
    std::fs::write(&faster, slower.to_string()).unwrap();
    let against = |saved: &str, most: &str| {
        let compare = ["--compare", saved, "--fail-if-slower", most];
        let output = kiirtee_load(&[&[url.as_str()], &course[..], &compare[..]].concat());
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, table) = against(&faster, "50");
    assert_eq!(code, Some(3), "{table}");
    assert!(table.contains("worse"), "{table}");
    // The mirror: the same server against what it did before, with room for a restless machine.
    let (code, table) = against(&fast, "2000");
    assert_eq!(code, Some(0), "{table}");
}
