//! Requests whose form is unusual: where two readers could disagree about it, it is refused and the connection closed.

use super::curl::curl;
use super::raw::CLIENT;
use super::scene::Scene;
use super::services;

/// Bound of a message head, in bytes (docs/operations.md).
const HEAD: usize = 64 * 1024;
/// Bound of its header lines.
const HEADERS: usize = 200;

#[test]
fn requests_of_unusual_form_are_answered_or_refused_and_never_read_in_two_ways() {
    let Some(scene) = Scene::up(40) else { return };
    let keeper = services::keeper(40);
    scene.add_rest_service("keeper", &format!("http://{}/", keeper.address));
    what_two_readers_may_read_differently_is_refused(&scene);
    bounds_of_a_head(&scene);
    a_body_may_be_delimited_in_either_way(&scene);
    malformed_bodies(&scene);
    a_body_is_sent_when_it_is_asked_for(&scene);
    targets(&scene);
    repeated_headers(&scene, &keeper);
    scene.is_as_before("requests of unusual form");
}

fn what_two_readers_may_read_differently_is_refused(scene: &Scene) {
    let path = scene.path("echo");
    let next = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}\r\n");
    let post = |fields: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}{fields}\r\n{body}{next}")
    };
    let get = |fields: &str| format!("GET {path} HTTP/1.1\r\n{CLIENT}{fields}\r\n{next}");
    for (what, request, status) in [
        (
            "a length beside a transfer coding",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "two equal lengths",
            post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"),
            400,
        ),
        (
            "two lengths",
            post("Content-Length: 2\r\nContent-Length: 20\r\n", "ab"),
            400,
        ),
        ("a list of lengths", post("Content-Length: 2, 2\r\n", "ab"), 400),
        ("a signed length", post("Content-Length: +2\r\n", "ab"), 400),
        ("a negative length", post("Content-Length: -1\r\n", ""), 400),
        ("a hexadecimal length", post("Content-Length: 0x2\r\n", "ab"), 400),
        (
            "a length beyond 64 bits",
            post("Content-Length: 18446744073709551616\r\n", "ab"),
            400,
        ),
        (
            "two transfer codings",
            post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            501,
        ),
        (
            "chunked twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "a transfer coding that only looks like chunked",
            post("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        ("no host", get(""), 400),
        ("two hosts", get("Host: x\r\nHost: x\r\n"), 400),
        ("a bare line feed", get("Host: x\nX-A: b\r\n"), 400),
        (
            "a bare carriage return",
            get("Host: x\r\nX-A: b\rX-B: c\r\n"),
            400,
        ),
        ("a folded line", get("Host: x\r\nX-A: b\r\n c\r\n"), 400),
        ("a space before the colon", get("Host: x\r\nX-A : b\r\n"), 400),
        ("a header without a name", get("Host: x\r\n: b\r\n"), 400),
        ("a zero byte", get("Host: x\r\nX-A: b\0c\r\n"), 400),
        (
            "another expectation",
            post("Expect: coffee\r\nContent-Length: 2\r\n", "ab"),
            417,
        ),
        (
            "a tunnel",
            format!("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n{next}"),
            501,
        ),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("HTTP/0.9", format!("GET {path}\r\n\r\n"), 400),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\u{3}\r\n\r\n".to_owned(),
            400,
        ),
    ] {
        let mut raw = scene.raw();
        raw.send(&request);
        let answer = raw.answer().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status(), status, "{what}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
        assert!(raw.is_closed(), "{what}: what came after it was served");
    }
    let mut raw = scene.raw();
    assert!(raw.serves(&path) && raw.serves(&path));
}

fn bounds_of_a_head(scene: &Scene) {
    let path = scene.path("echo");
    let head = |length: usize| {
        let before = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}X-Long: ");
        let long = "y".repeat(length - before.len() - 4);
        format!("{before}{long}\r\n\r\n")
    };
    let mut raw = scene.raw();
    raw.send(head(HEAD));
    let answer = raw.answer().unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(told["headers"]["x-long"].as_str().unwrap().len() > HEAD - 300);
    assert!(raw.serves(&path), "the connection after a long head");

    // The example service takes fewer headers than we do.
    let keeper = scene.path("keeper/x");
    let lines = |count: usize| {
        let more: String = (0..count - 2)
            .map(|number| format!("X-{number}: {number}\r\n"))
            .collect();
        format!("GET {keeper} HTTP/1.1\r\nHost: x\r\n{CLIENT}{more}\r\n")
    };
    let mut raw = scene.raw();
    raw.send(lines(HEADERS));
    assert_eq!(raw.answer().unwrap().status(), 200);
    assert!(raw.serves(&path), "the connection after many headers");

    let long_path = format!("GET {path}/{} HTTP/1.1\r\nHost: x\r\n\r\n", "p".repeat(HEAD));
    for (what, request, status) in [
        ("a byte too long", head(HEAD + 1), 431),
        ("a header too many", lines(HEADERS + 1), 431),
        ("a target too long", long_path, 414),
    ] {
        let mut raw = scene.raw();
        let _ = raw.try_send(request);
        assert_eq!(raw.answer().unwrap().status(), status, "{what}");
        assert!(raw.is_closed(), "{what}");
    }
}

fn a_body_may_be_delimited_in_either_way(scene: &Scene) {
    let path = scene.path("echo");
    let mut raw = scene.raw();
    for (what, framing, body) in [
        ("a length", "Content-Length: 11", "hello world".to_owned()),
        (
            "chunks",
            "Transfer-Encoding: chunked",
            "6\r\nhello \r\n5;ext=\"1\"\r\nworld\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "chunks with trailers",
            "Transfer-Encoding: chunked\r\nTrailer: X-Sum",
            "b\r\nhello world\r\n000\r\nX-Sum: 1\r\nX-Road-Client: SANDBOX/ORG/1001/other\r\n\r\n".to_owned(),
        ),
    ] {
        let answer = raw.post(&path, framing).send(&body).answer().unwrap();
        assert_eq!(
            (answer.status(), answer.text()),
            (200, "hello world".into()),
            "{what}"
        );
        assert_eq!(answer.header("x-sum"), None, "{what}");
    }
    // HTTP/1.0 knows lengths only, and closes.
    let mut raw = scene.raw();
    raw.send(format!(
        "POST {path} HTTP/1.0\r\n{CLIENT}Content-Length: 2\r\n\r\nab"
    ));
    assert_eq!(raw.answer().unwrap().text(), "ab");
    assert!(raw.is_closed());
    // Nothing is a body too.
    let mut raw = scene.raw();
    for framing in ["Content-Length: 0", "Transfer-Encoding: chunked"] {
        raw.post(&path, framing);
        if framing.starts_with('T') {
            raw.send("0\r\n\r\n");
        }
        assert_eq!(raw.answer().unwrap().status(), 200, "{framing}");
    }
}

fn malformed_bodies(scene: &Scene) {
    let path = scene.path("echo/sink");
    for (what, framing, body) in [
        (
            "a chunk size that is none",
            "Transfer-Encoding: chunked",
            "xyz\r\n".to_owned(),
        ),
        (
            "a chunk longer than it says",
            "Transfer-Encoding: chunked",
            "1\r\nab\r\n".into(),
        ),
        (
            "a chunk size beyond 64 bits",
            "Transfer-Encoding: chunked",
            "10000000000000000\r\na".into(),
        ),
        (
            "a chunk line with a bare line feed",
            "Transfer-Encoding: chunked",
            "1\na\r\n".into(),
        ),
        (
            "a chunk extension without end",
            "Transfer-Encoding: chunked",
            format!("1;{}", "e".repeat(2000)),
        ),
        (
            "trailers without end",
            "Transfer-Encoding: chunked",
            format!("0\r\nX-T: {}\r\n\r\n", "t".repeat(9000)),
        ),
        ("a body cut short", "Content-Length: 9", "abc".into()),
        ("chunks cut short", "Transfer-Encoding: chunked", "5\r\nab".into()),
    ] {
        let mut raw = scene.raw();
        raw.post(&path, framing).send(&body);
        if what.ends_with("cut short") {
            raw.finish();
        }
        let answer = raw.answer().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(
            answer.header("x-road-error"),
            Some("server.clientproxy.io_error"),
            "{what}: {answer:?}"
        );
        assert!(raw.is_closed(), "{what}");
    }
}

fn a_body_is_sent_when_it_is_asked_for(scene: &Scene) {
    let expecting = "Content-Length: 5\r\nExpect: 100-continue";
    let mut raw = scene.raw();
    raw.post(&scene.path("echo"), expecting);
    assert_eq!(raw.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(raw.send("hello").answer().unwrap().text(), "hello");
    assert!(raw.serves(&scene.path("echo")));
    // Who does not wait need not.
    raw.post(&scene.path("echo"), expecting).send("hello");
    assert_eq!(raw.answer().unwrap().text(), "hello");
    // What is refused is not asked for.
    let mut raw = scene.raw();
    raw.post("/r1/SANDBOX/ORG/2002/nobody/echo", expecting);
    let answer = raw.answer().unwrap();
    assert_eq!(
        answer.header("x-road-error"),
        Some("server.clientproxy.unknown_member")
    );
    assert!(raw.interim.is_empty() && raw.is_closed());

    let url = scene.instance.url("echo/sink");
    let body = format!(
        "@{}",
        super::file_of(scene.instance.dir(), "body", &vec![b'x'; 2_000_000]).display()
    );
    let expect = [
        "-H",
        CLIENT.trim_end(),
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        &body,
    ];
    let answer = curl(&[&expect[..], &[&url]].concat());
    assert_eq!((answer.interim, answer.status), (vec![100], 200));
    let answer = curl(&[&expect[..], &[&url.replace("provider", "nobody")]].concat());
    assert_eq!((answer.interim, answer.status), (vec![], 500));
}

fn targets(scene: &Scene) {
    let path = scene.path("echo/a%2Fb");
    for (what, target) in [
        (
            "the absolute form",
            format!("http://elsewhere.example:81{path}?q=1"),
        ),
        (
            "the absolute form of HTTPS",
            format!("HTTPS://elsewhere.example{path}?q=1"),
        ),
        ("the origin form", format!("{path}?q=1")),
    ] {
        let mut raw = scene.raw();
        raw.get(&target);
        let answer = raw.answer().unwrap();
        assert_eq!(
            answer.header("x-echo-path"),
            Some("/rest/a%2Fb?q=1"),
            "{what}: {answer:?}"
        );
        assert!(raw.serves(&path), "{what}");
    }
    for (what, target, status) in [
        ("another scheme", format!("ftp://elsewhere.example{path}"), 400),
        ("no authority", format!("http://{path}"), 400),
        ("a fragment", format!("{path}#part"), 400),
        ("no slash", "r1/SANDBOX".into(), 400),
    ] {
        let mut raw = scene.raw();
        raw.get(&target);
        assert_eq!(raw.answer().unwrap().status(), status, "{what}");
        assert!(raw.is_closed(), "{what}");
    }
}

/// Headers that come more than once are kept, and in their order. Of those that a server reads itself the last counts, as
/// the reference has it (wire.md 1.4).
fn repeated_headers(scene: &Scene, keeper: &services::Keeper) {
    let path = scene.path("keeper/x");
    let mut raw = scene.raw();
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-Many: 1\r\nX-Other: a\r\nX-Road-Client: SANDBOX/ORG/1001/other\r\n\
         x-many: 2\r\n{CLIENT}X-MANY: \r\nX-Many: 3, 4\r\n\r\n"
    ));
    let answer = raw.answer().unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let of_name = |headers: &[(String, String)], name: &str| -> Vec<String> {
        let found = headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).collect()
    };
    let delivered = keeper.last();
    assert_eq!(of_name(&delivered.headers, "x-many"), ["1", "2", "", "3, 4"]);
    assert_eq!(of_name(&delivered.headers, "content-length"), [""; 0]);
    assert_eq!(of_name(&answer.headers, "x-answer"), ["1", "2"]);
    assert_eq!(of_name(&answer.headers, "set-cookie"), ["a=1", "b=2"]);
    let mut raw = scene.raw();
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}X-Road-Client: SANDBOX/ORG/1001/nobody\r\n\r\n"
    ));
    let answer = raw.answer().unwrap();
    assert_eq!(
        answer.header("x-road-error"),
        Some("server.clientproxy.unknown_member")
    );
}
