//! Methods, bodies, paths, headers and statuses, there and back.

use super::curl::{curl, measure};
use super::instance::Instance;
use super::{CLIENT, call, can_run, file_of, noise};

#[test]
fn services_are_called_with_every_method_body_and_header() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(110);
    methods_reach_the_service_with_and_without_body(&instance);
    bodies_come_back_as_they_were_sent(&instance);
    path_and_query_reach_the_service_undecoded(&instance);
    headers_of_the_hop_stay_there_and_all_others_travel(&instance);
    message_ids_are_kept_or_made(&instance);
    statuses_of_the_provider_are_answers(&instance);
    connections_are_used_again(&instance);
    a_client_that_asks_before_it_sends_is_told_to_go_on(&instance);
    somebody_is_there(&instance);
}

fn methods_reach_the_service_with_and_without_body(instance: &Instance) {
    for method in ["GET", "DELETE", "OPTIONS", "TRACE", "POST", "PUT", "PATCH"] {
        let answer = call(instance, "echo/things/7", &["-X", method]);
        assert_eq!(
            (answer.status, answer.header("x-echo-method")),
            (200, Some(method))
        );
        assert_eq!(answer.json()["path"], "/rest/things/7", "{method}");
    }
    for method in ["POST", "PUT", "PATCH"] {
        let answer = call(
            instance,
            "echo",
            &["-X", method, "-d", "tere", "-H", "Content-Type: text/plain"],
        );
        assert_eq!(
            (answer.status, answer.header("x-echo-method")),
            (200, Some(method))
        );
        assert_eq!(
            (answer.text(), answer.header("content-type")),
            ("tere", Some("text/plain"))
        );
    }
    let head = call(instance, "echo/things", &["--head"]);
    assert_eq!((head.status, head.header("x-echo-method")), (200, Some("HEAD")));
    assert!(head.body.is_empty());
    // The reference signs such a body and does not deliver it (wire.md 6.3).
    let answer = call(instance, "echo", &["-X", "DELETE", "-d", "tere"]);
    assert_eq!((answer.status, &answer.json()["method"]), (200, &"DELETE".into()));
}

fn bodies_come_back_as_they_were_sent(instance: &Instance) {
    for length in [0, 1, 1024, 1024 * 1024] {
        let sent = noise(length);
        let file = file_of(instance.dir(), "body", &sent);
        let data = format!("@{}", file.display());
        let known = call(instance, "echo", &["--data-binary", &data]);
        let chunked = call(
            instance,
            "echo",
            &["--data-binary", &data, "-H", "Transfer-Encoding: chunked"],
        );
        for answer in [known, chunked] {
            assert_eq!(answer.status, 200);
            // Of an empty body the service tells what it saw.
            assert!(
                answer.body == sent || (length == 0 && answer.json()["method"] == "POST"),
                "{length}"
            );
            let told = answer.header("content-length").map(str::to_owned);
            assert_eq!(told, Some(answer.body.len().to_string()));
        }
    }
    let answer = call(instance, "echo/bytes?size=1048577", &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 1_048_577));
    assert!(
        answer
            .body
            .chunks(26)
            .all(|chunk| b"abcdefghijklmnopqrstuvwxyz".starts_with(chunk))
    );
    assert_eq!(call(instance, "echo/bytes?size=0", &[]).body, b"");
}

fn path_and_query_reach_the_service_undecoded(instance: &Instance) {
    for raw in [
        "/a%2Fb/%C3%B5%20+;x=1?q=%2F+%26&q=2",
        "/a%2fb",
        "//a//b/",
        "/x?",
        "?x",
        "/%7E~%2D-",
        "",
    ] {
        let answer = call(instance, &format!("echo{raw}"), &["--path-as-is"]);
        let expected = format!("/rest{raw}");
        assert_eq!(
            (answer.status, answer.header("x-echo-path")),
            (200, Some(expected.as_str())),
            "{raw}"
        );
    }
}

fn headers_of_the_hop_stay_there_and_all_others_travel(instance: &Instance) {
    let travels = [
        "Authorization: Basic a2FsYQ==",
        "Cookie: a=b; c=d",
        "X-Own: õ",
        "Accept-Encoding: identity",
    ];
    let stays = [
        "Keep-Alive: 5",
        "TE: trailers",
        "User-Agent: kala",
        "Proxy-Authorization: x",
        "Trailer: X-T",
    ];
    let replaced = ["X-Road-Request-Id: mine", "X-Road-Request-Hash: mine"];
    let all = travels
        .iter()
        .chain(&stays)
        .chain(&replaced)
        .chain(&["Host: elsewhere.example"]);
    let arguments: Vec<&str> = all.flat_map(|header| ["-H", *header]).collect();
    let answer = call(instance, "echo", &arguments);
    let seen = answer.json()["headers"].clone();
    for header in travels {
        let (name, value) = header.split_once(": ").unwrap();
        assert_eq!(seen[name.to_ascii_lowercase()], value);
    }
    for header in stays {
        let name = header.split_once(": ").unwrap().0.to_ascii_lowercase();
        assert!(seen[&name].is_null(), "{name}: {seen}");
    }
    assert_eq!(
        seen["host"],
        instance.get("information_system").trim_start_matches("http://")
    );
    assert_ne!(seen["x-road-request-id"], "mine");
    assert!(seen["x-road-request-hash"].is_null());
    // The service streams its echo in chunks; of that the client sees nothing.
    let answer = call(instance, "echo", &["-d", "tere"]);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("content-length"), Some("4"));
}

fn message_ids_are_kept_or_made(instance: &Instance) {
    let kept = call(instance, "echo", &["-H", "X-Road-Id: minu-sõnum"]);
    assert_eq!(kept.header("x-road-id"), Some("minu-sõnum"));
    assert_eq!(kept.json()["headers"]["x-road-id"], "minu-sõnum");
    let made = [call(instance, "echo", &[]), call(instance, "echo", &[])];
    let ids = made.each_ref().map(|answer| answer.header("x-road-id").unwrap());
    assert_ne!(ids[0], ids[1]);
    for (answer, id) in made.iter().zip(ids) {
        uuid::Uuid::parse_str(id.strip_prefix("SANDBOX-").unwrap()).unwrap();
        assert_eq!(answer.json()["headers"]["x-road-id"], id);
        let request_id = answer.header("x-road-request-id").unwrap();
        uuid::Uuid::parse_str(request_id).unwrap();
        assert_eq!(answer.json()["headers"]["x-road-request-id"], request_id);
        assert_eq!(answer.header("x-road-client"), Some("SANDBOX/ORG/1001/client"));
        assert_eq!(
            answer.header("x-road-service"),
            Some("SANDBOX/ORG/2002/provider/echo")
        );
        // 64 bytes in base64.
        assert_eq!(answer.header("x-road-request-hash").unwrap().len(), 88);
    }
}

fn statuses_of_the_provider_are_answers(instance: &Instance) {
    for status in [200, 201, 302, 400, 403, 404, 418, 500, 503] {
        let answer = call(instance, &format!("echo/status/{status}"), &[]);
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (status, &status.into())
        );
        assert_eq!(answer.header("x-road-error"), None);
        assert!(answer.header("x-road-request-hash").is_some());
        assert_eq!(answer.headers("date").len(), 1);
    }
    for status in [204, 304] {
        let answer = call(instance, &format!("echo/status/{status}"), &[]);
        assert_eq!((answer.status, &answer.body[..]), (status, &b""[..]));
    }
}

fn connections_are_used_again(instance: &Instance) {
    let (good, bad) = (instance.url("echo"), instance.url("nothing"));
    let urls = [good.as_str(), &bad, &good, &good];
    let made = measure(
        "%{http_code} %{num_connects}",
        &[&["-H", CLIENT], &urls[..]].concat(),
    );
    assert_eq!(made, ["200 1", "500 0", "200 0", "200 0"]);
}

fn a_client_that_asks_before_it_sends_is_told_to_go_on(instance: &Instance) {
    let asked = call(instance, "echo", &["-d", "tere", "-H", "Expect: 100-continue"]);
    assert_eq!(
        (asked.interim, asked.status, &asked.body[..]),
        (vec![100], 200, &b"tere"[..])
    );
    let not_asked = call(instance, "echo", &["-d", "tere"]);
    assert_eq!((not_asked.interim, not_asked.status), (vec![], 200));
}

fn somebody_is_there(instance: &Instance) {
    let root = format!("{}/", instance.get("consumer/client_http"));
    assert_eq!(curl(&[&root]).status, 200);
    assert_eq!(curl(&["--head", &root]).status, 200);
    let elsewhere = format!("{root}r2/SANDBOX");
    assert!(curl(&[&elsewhere]).text().contains("client.invalid_http_method"));
}
