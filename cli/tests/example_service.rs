//! The example information system answers in every shape that the end-to-end tests rely on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::net::SocketAddr;

use cli::sandbox::service::{multipart, router};

/// Serves the example on a free port for the rest of the test.
fn served() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router()).await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .build()
        .into()
}

fn soap(operation: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <s:Header/><s:Body><e:{operation} xmlns:e=\"http://sandbox.kiirtee.example/echo\"><e:text>Tere, õhtu</e:text>\
         </e:{operation}></s:Body></s:Envelope>"
    )
}

fn call(server: SocketAddr, operation: &str) -> (u16, String, Vec<u8>) {
    let url = format!("http://{server}/soap");
    let mut response = agent()
        .post(url)
        .header("Content-Type", "text/xml")
        .send(soap(operation).as_bytes())
        .unwrap();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (
        response.status().as_u16(),
        content_type,
        response.body_mut().read_to_vec().unwrap(),
    )
}

#[test]
fn a_body_comes_back_with_its_type() {
    let url = format!("http://{}/rest/some/where?x=1", served());
    let sent = vec![7_u8; 300_000];
    let mut response = agent()
        .put(url)
        .header("Content-Type", "image/png")
        .send(&sent[..])
        .unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.headers()["x-echo-method"], "PUT");
    assert_eq!(response.headers()["x-echo-path"], "/rest/some/where?x=1");
    assert_eq!(response.body_mut().read_to_vec().unwrap(), sent);
}

#[test]
fn a_request_without_a_body_is_described() {
    let url = format!("http://{}/rest/hello?name=x", served());
    let text = agent()
        .get(url)
        .header("X-Test", "yes")
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/rest/hello");
    assert_eq!(seen["query"], "name=x");
    assert_eq!(seen["headers"]["x-test"], "yes");
}

#[test]
fn as_many_bytes_come_as_were_asked_for_and_the_sink_counts_them() {
    let server = served();
    let mut response = agent()
        .get(format!("http://{server}/rest/bytes?size=200001"))
        .call()
        .unwrap();
    assert_eq!(response.headers()["content-length"], "200001");
    let bytes = response.body_mut().read_to_vec().unwrap();
    assert_eq!(bytes.len(), 200_001);
    assert!(
        bytes
            .iter()
            .enumerate()
            .all(|(index, byte)| *byte == b"abcdefghijklmnopqrstuvwxyz"[index % 26])
    );
    let text = agent()
        .post(format!("http://{server}/rest/sink"))
        .send(&bytes[..])
        .unwrap();
    assert!(
        text.into_body()
            .read_to_string()
            .unwrap()
            .contains("\"size\":200001")
    );
}

#[test]
fn the_status_that_was_asked_for_is_given() {
    let server = served();
    for status in [201, 404, 503] {
        let response = agent()
            .get(format!("http://{server}/rest/status/{status}"))
            .call()
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}

#[test]
fn soap_operations_answer_in_their_form() {
    let server = served();
    let (status, content_type, body) = call(server, "echoMessage");
    assert_eq!((status, content_type.as_str()), (200, "text/xml; charset=UTF-8"));
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("<e:echoMessageResponse")
    );

    let (_, _, body) = call(server, "echoBom");
    assert!(body.starts_with(b"\xef\xbb\xbf<?xml"));

    let (_, content_type, body) = call(server, "echoLatin1");
    assert_eq!(content_type, "text/xml; charset=ISO-8859-1");
    assert!(body.windows(6).any(|window| window == b"\xf5htu</"));

    let (status, _, body) = call(server, "echoFault");
    assert_eq!(status, 500);
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("<faultcode>SOAP-ENV:Server</faultcode>")
    );
}

#[test]
fn attachments_of_the_service_are_whole() {
    let server = served();
    for operation in ["echoAttachments", "echoMtom"] {
        let (_, content_type, body) = call(server, operation);
        let boundary = multipart::parameter(&content_type, "boundary").unwrap();
        let parts = multipart::split(&body, &boundary).unwrap();
        assert_eq!(parts.len(), 3, "{operation}");
        assert_eq!(parts[2].body, (0..=255).collect::<Vec<u8>>());
    }
}

#[test]
fn attachments_of_the_request_come_back() {
    let server = served();
    let part = |head: &str, body: &[u8]| multipart::Part {
        head: head.into(),
        body: body.to_vec(),
    };
    let parts = [
        part(
            "Content-Type: text/xml; charset=UTF-8",
            soap("echoMessage").as_bytes(),
        ),
        part("Content-Type: image/png\r\nContent-ID: <one>", b"\x89PNG\r\n"),
    ];
    let mut response = agent()
        .post(format!("http://{server}/soap"))
        .header(
            "Content-Type",
            "multipart/related; type=\"text/xml\"; boundary=b7",
        )
        .send(&multipart::join(&parts, "b7")[..])
        .unwrap();
    let back = multipart::split(&response.body_mut().read_to_vec().unwrap(), "b7").unwrap();
    assert_eq!(back[1], parts[1]);
    assert!(String::from_utf8_lossy(&back[0].body).contains("echoMessageResponse"));
}
