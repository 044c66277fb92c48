//! Information systems that are slow, impatient, silent or gone.

use std::io::Read;
use std::time::{Duration, Instant};

use super::instance::wait_until;
use super::raw::CLIENT;
use super::scene::{Scene, set};

const MEGABYTE: usize = 1024 * 1024;

#[test]
fn information_systems_may_be_slow_impatient_or_gone() {
    let Some(mut scene) = Scene::up(41) else { return };
    scene.restart_with(|settings| {
        set(settings, "message-log", "message-body-logging", false);
    });
    requests_in_one_segment_are_answered_in_order(&scene);
    who_sends_byte_by_byte_is_served(&scene);
    who_takes_its_answer_slowly_gets_it(&scene);
    who_has_nothing_more_to_send_gets_its_answer(&scene);
    who_has_gone_is_not_worked_for(&scene);
    who_has_gone_in_the_middle_of_its_request_is_under_way_no_more(&scene);
    who_reads_only_when_all_is_sent_hears_the_refusal(&scene);
    scene.is_as_before("odd connections");
}

fn requests_in_one_segment_are_answered_in_order(scene: &Scene) {
    let request = |path: &str, body: &str| {
        format!(
            "POST {} HTTP/1.1\r\nHost: x\r\n{CLIENT}Content-Length: {}\r\n\r\n{body}",
            scene.path(path),
            body.len()
        )
    };
    let slow = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\n{CLIENT}\r\n",
        scene.path("echo/delay?ms=700")
    );
    let mut raw = scene.raw();
    raw.send(
        [
            &slow,
            &request("echo/1", "first")[..],
            &request("echo/2", "second"),
        ]
        .concat(),
    );
    assert!(raw.answer().unwrap().text().contains("waited_ms"));
    for (path, body) in [("/rest/1", "first"), ("/rest/2", "second")] {
        let answer = raw.answer().unwrap();
        assert_eq!(
            (answer.header("x-echo-path"), answer.text()),
            (Some(path), body.into())
        );
    }
    assert!(raw.serves(&scene.path("echo")));
    // What follows a good request may be rubbish, and the good one is answered.
    let mut raw = scene.raw();
    raw.send(request("echo", "good") + "RUBBISH\r\n\r\n");
    assert_eq!(raw.answer().unwrap().text(), "good");
    assert_eq!(raw.answer().unwrap().status(), 400);
    assert!(raw.is_closed());
}

fn who_sends_byte_by_byte_is_served(scene: &Scene) {
    let request = format!(
        "\r\nPOST {} HTTP/1.1\r\nHost: x\r\n{CLIENT}Transfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0004;x=y\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n",
        scene.path("echo")
    );
    let mut raw = scene.raw();
    for byte in request.as_bytes() {
        raw.send([*byte]);
    }
    assert_eq!(raw.answer().unwrap().text(), "abcdefg");
    assert!(raw.serves(&scene.path("echo")));
}

fn who_takes_its_answer_slowly_gets_it(scene: &Scene) {
    let size = 128 * MEGABYTE;
    scene.within_memory("a slow reader", || {
        let mut raw = scene.raw();
        raw.get(&scene.path(&format!("echo/bytes?size={size}")));
        wait_until("all of the answer to wait for its reader", || {
            scene.metric("consumer", "xroad_spool_bytes") == size as u64
        });
        let head = raw.head().to_ascii_lowercase();
        assert!(head.contains(&format!("content-length: {size}\r\n")), "{head}");
        let (mut left, mut piece) = (size, vec![0; 3 * MEGABYTE]);
        while left > 0 {
            let length = left.min(piece.len());
            raw.stream().read_exact(&mut piece[..length]).unwrap();
            left -= length;
            std::thread::yield_now();
        }
        assert!(raw.serves(&scene.path("echo")));
    });
}

fn who_has_nothing_more_to_send_gets_its_answer(scene: &Scene) {
    for delay in [0, 2500] {
        let mut raw = scene.raw();
        raw.get(&scene.path(&format!("echo/delay?ms={delay}"))).finish();
        let answer = raw.answer().unwrap();
        assert!(answer.text().contains("waited_ms"), "{answer:?}");
        assert!(raw.is_closed());
        // It is asked whether it still is there in a way that HTTP/1.1 lets every client pass over.
        assert!(
            raw.interim.iter().all(|status| *status == 100),
            "{:?}",
            raw.interim
        );
        assert!(delay == 0 || !raw.interim.is_empty());
    }
}

fn who_has_gone_is_not_worked_for(scene: &Scene) {
    let mut raw = scene.raw();
    raw.get(&scene.path("echo/delay?ms=12000"));
    wait_until("the exchange to run", || {
        scene.metric("provider", "xroad_exchanges_running") == 1
    });
    let before = Instant::now();
    drop(raw);
    wait_until("the exchange of who has gone to end", || {
        scene.metric("consumer", "xroad_exchanges_running") == 0
    });
    assert!(
        before.elapsed() < Duration::from_secs(9),
        "{:?}",
        before.elapsed()
    );
    let log = scene.instance.log("consumer-proxy");
    assert!(log.contains("Information system closed the connection"), "{log}");
    // Its mirror: who stays is answered, however long it takes.
    let mut stays = scene.raw();
    let answer = stays.get(&scene.path("echo/delay?ms=1500")).answer().unwrap();
    assert_eq!((answer.status(), stays.interim.len()), (200, 0));
}

/// And is counted once, as an exchange that failed.
fn who_has_gone_in_the_middle_of_its_request_is_under_way_no_more(scene: &Scene) {
    let exchanges = || scene.metric("consumer", "xroad_exchanges_total");
    let running = || scene.metric("consumer", "xroad_exchanges_running");
    let before = exchanges();
    let rest = format!("POST {} HTTP/1.1\r\n{CLIENT}", scene.path("echo"));
    let soap = "POST / HTTP/1.1\r\nContent-Type: text/xml\r\n".to_owned();
    for head in [rest, soap] {
        let mut raw = scene.raw();
        raw.send(format!(
            "{head}Host: x\r\nContent-Length: 1000\r\n\r\n<only a part"
        ));
        wait_until("the exchange to run", || running() == 1);
        drop(raw);
        wait_until("the exchange to be under way no more", || running() == 0);
    }
    assert_eq!(exchanges(), before + 2);
}

/// A plain client that writes all it has before it reads. It must not be reset before it has read why.
fn who_reads_only_when_all_is_sent_hears_the_refusal(scene: &Scene) {
    let body = vec![b'x'; 24 * MEGABYTE];
    let length = format!("Content-Length: {}", body.len());
    let mut raw = scene.raw();
    raw.post("/r1/SANDBOX/ORG/2002/nobody/echo", &length);
    raw.try_send(&body).unwrap();
    let answer = raw.answer().unwrap();
    assert_eq!(
        answer.header("x-road-error"),
        Some("server.clientproxy.unknown_member")
    );
    assert!(raw.is_closed());
    let mut raw = scene.raw();
    raw.send(format!(
        "POST {} HTTP/1.1\r\nHost: x\r\n{length}\r\nTransfer-Encoding: chunked\r\n\r\n",
        "/"
    ));
    raw.try_send(&body).unwrap();
    assert_eq!(raw.answer().unwrap().status(), 400);
}
