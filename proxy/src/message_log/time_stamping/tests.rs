//! Time-stamping a real message log with a real authority.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

pub(crate) mod support;

use std::process::Command;
use std::time::Duration;

use protocol_signature::asic::{self, Contents, Limits, Writer};
use protocol_signature::document::SignatureDocument;
use storage::message_log::{BatchTimeStamp, ContainerParts, Direction, RecordId, TimeStampEvidence};
use time::OffsetDateTime;

use super::error::TimeStampError;
use support::{Message, Mode, Tsa, World, signer, trust};

/// A round each second.
const EACH_SECOND: &str = "timestamp-interval-override = 1\n";

fn request(query_id: &str) -> Message {
    Message::new(query_id, Direction::Request)
}

fn container(world: &World, id: RecordId) -> (ContainerParts, asic::VerifiedContainer) {
    let parts = world
        .process
        .log
        .records()
        .container(id, 1 << 30)
        .unwrap()
        .unwrap();
    let stamp = parts.time_stamp.as_ref().map(
        |BatchTimeStamp {
             token,
             hash_chain_result,
             hash_chain,
         }| {
            asic::BatchTimeStamp {
                result: hash_chain_result,
                chain: hash_chain,
                token,
            }
        },
    );
    let contents = Contents {
        message: &parts.message,
        signature: &parts.signature,
        hash_chain: parts
            .hash_chain_result
            .as_deref()
            .zip(parts.hash_chain.as_deref()),
        time_stamp: stamp,
        attachments: usize::from(parts.attachment.is_some()),
    };
    let mut writer = Writer::new(Vec::new(), &contents, OffsetDateTime::now_utc()).unwrap();
    if let Some(attachment) = &parts.attachment {
        writer.attachment(&mut &attachment[..]).unwrap();
    }
    let bytes = writer.finish().unwrap();
    let read = asic::read(&bytes, &Limits::default()).unwrap();
    let verified = asic::verify(&read, &signer(), &**world.globalconf()).unwrap();
    (parts, verified)
}

/// Has openssl verify a token over data.
fn openssl_verifies(data: &[u8], token: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let authority = &trust().0;
    let pem = |certificate: &protocol_pki::certificate::Certificate| {
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.as_der());
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n").into_bytes()
    };
    // No -untrusted: the authority's certificate must be in the token.
    let output = Command::new("openssl")
        .args(["ts", "-verify", "-token_in", "-data"])
        .arg(file("data", data))
        .arg("-in")
        .arg(file("token", token))
        .arg("-CAfile")
        .arg(file("root.pem", &pem(&authority.root().certificate)))
        .output();
    match output {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("SKIPPED: openssl: {error}"),
    }
}

#[test]
fn one_record_gets_a_time_stamp_of_its_own() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new(EACH_SECOND, vec![tsa.service()]);
    let background = world.start();
    let id = world.log(&request("one"));
    world.wait_until_stamped();
    let (parts, verified) = container(&world, id);
    assert!(parts.time_stamp.is_none() && !verified.is_batch_time_stamp());
    let document = SignatureDocument::parse(&parts.signature).unwrap();
    openssl_verifies(document.signature_value(), document.time_stamp().unwrap());
    assert_eq!(tsa.requests(), 1);
    assert_eq!(world.process.metrics.time_stamps.get(), 1);
    assert!(world.process.metrics.last_time_stamp.get() > 1.7e9);
    assert!(background.stop(Duration::from_secs(20)));
}

#[test]
fn several_records_share_a_time_stamp_also_where_they_share_a_signature() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new(EACH_SECOND, vec![tsa.service()]);
    world.process.log.set_time_stamping_provider_configured(true);
    let mut ids = vec![world.log(&request("a")), world.log(&request("b"))];
    ids.extend(
        Message::batch(&["c", "d", "e"], 100)
            .iter()
            .map(|message| world.log(message)),
    );
    let background = world.start();
    world.wait_until_stamped();
    for id in ids {
        let (parts, verified) = container(&world, id);
        assert!(verified.is_batch_time_stamp() && verified.unverified_attachments().is_empty());
        let stamp = parts.time_stamp.unwrap();
        openssl_verifies(&stamp.hash_chain_result, &stamp.token);
    }
    assert_eq!(tsa.requests(), 1);
    assert!(background.stop(Duration::from_secs(20)));
}

#[test]
fn records_that_share_one_signature_and_nothing_else_waits() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new(EACH_SECOND, vec![tsa.service()]);
    world.process.log.set_time_stamping_provider_configured(true);
    let ids: Vec<_> = Message::batch(&["c", "d"], 10)
        .iter()
        .map(|message| world.log(message))
        .collect();
    let _background = world.start();
    world.wait_until_stamped();
    ids.iter()
        .for_each(|id| assert!(container(&world, *id).1.is_batch_time_stamp()));
}

#[test]
fn many_records_are_kept_in_steps_under_one_time_stamp() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new(EACH_SECOND, vec![tsa.service()]);
    world.process.log.set_time_stamping_provider_configured(true);
    let messages: Vec<_> = ["a", "b", "c"]
        .map(request)
        .into_iter()
        .cycle()
        .take(1_200)
        .collect();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let loggers = messages.chunks(100).map(|messages| {
            let world = &world;
            scope.spawn(|| {
                messages
                    .iter()
                    .map(|message| world.log(message))
                    .collect::<Vec<_>>()
            })
        });
        let loggers: Vec<_> = loggers.collect();
        loggers
            .into_iter()
            .flat_map(|logger| logger.join().unwrap())
            .collect()
    });
    let _background = world.start();
    world.wait_until_stamped();
    assert_eq!(tsa.requests(), 1);
    for id in [ids[0], ids[499], ids[500], ids[1_199]] {
        assert!(container(&world, id).1.is_batch_time_stamp());
    }
}

#[test]
fn a_full_round_is_followed_by_the_next() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new(
        "timestamp-interval-override = 2\n[message-log]\ntimestamp-records-limit = 3",
        vec![tsa.service()],
    );
    world.process.log.set_time_stamping_provider_configured(true);
    for number in 0..7 {
        world.log(&request(&number.to_string()));
    }
    let _background = world.start();
    world.wait("a round", || tsa.requests() > 0);
    let began = std::time::Instant::now();
    world.wait_until_stamped();
    assert_eq!(tsa.requests(), 3);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "rounds did not follow each other"
    );
}

#[test]
fn until_when_everything_is_stamped_is_told_only_when_nothing_is_left() {
    let seconds = || {
        let now = OffsetDateTime::now_utc() - OffsetDateTime::UNIX_EPOCH;
        now.as_seconds_f64()
    };
    let tsa = Tsa::start(Mode::Rejected);
    let mut world = World::new(
        "timestamp-interval-override = 1\n[message-log]\ntimestamp-retry-delay = 1",
        vec![tsa.service()],
    );
    world.process.log.set_time_stamping_provider_configured(true);
    world.log(&request("a"));
    let logged = seconds();
    let _background = world.start();
    world.wait("a failure", || {
        world.process.metrics.time_stamp_failures.get() >= 1
    });
    let told = || world.process.metrics.stamped_until.get();
    assert!(told() < logged, "nothing has a time-stamp yet");
    tsa.set(Mode::Granted);
    world.wait_until_stamped();
    world.wait("it is told", || told() > logged);
    assert!(told() <= seconds());
}

#[test]
fn the_next_service_is_asked_when_one_does_not_give_a_good_time_stamp() {
    for bad in [
        Mode::Rejected,
        Mode::Unavailable,
        Mode::OtherImprint,
        Mode::Stranger,
        Mode::Garbage,
        Mode::Endless,
    ] {
        let (first, second) = (Tsa::start(bad), Tsa::start(Mode::Granted));
        let mut world = World::new(EACH_SECOND, vec![first.service(), second.service()]);
        let _background = world.start();
        let id = world.log(&request("x"));
        world.wait_until_stamped();
        container(&world, id);
        assert_eq!((first.requests(), second.requests()), (1, 1), "{bad:?}");
        assert_eq!(world.process.metrics.time_stamp_failures.get(), 0);
    }
}

#[test]
fn a_failure_is_kept_and_one_record_is_retried_until_it_succeeds() {
    let tsa = Tsa::start(Mode::Rejected);
    let mut world = World::new(
        "timestamp-interval-override = 1\n[message-log]\ntimestamp-retry-delay = 1",
        vec![tsa.service()],
    );
    let background = world.start();
    let ids = [
        world.log(&request("a")),
        world.log(&request("b")),
        world.log(&request("c")),
    ];
    world.wait("two failures", || {
        world.process.metrics.time_stamp_failures.get() >= 2
    });
    assert!(world.process.log.time_stamping_policy().failing_since().is_some());
    tsa.set(Mode::Granted);
    world.wait_until_stamped();
    world.wait("the failure is forgotten", || {
        world.process.log.time_stamping_policy().failing_since().is_none()
    });
    // The first alone, the others together.
    assert!(!container(&world, ids[0]).1.is_batch_time_stamp());
    assert!(
        container(&world, ids[1]).1.is_batch_time_stamp()
            && container(&world, ids[2]).1.is_batch_time_stamp()
    );
    assert!(background.stop(Duration::from_secs(20)));
}

#[test]
fn a_service_that_cannot_be_reached_has_its_own_code() {
    use super::provider::Provider;
    use protocol_pki::digest::DigestAlgorithm;
    use protocol_pki::tsp::Imprint;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let imprint = Imprint::of(DigestAlgorithm::Sha512, b"x");
    let code = |url: &str| {
        Provider::new(None, Some(Duration::from_secs(60)))
            .time_stamp(url, &imprint, &[])
            .unwrap_err()
            .fault_code()
    };
    assert_eq!(
        code(&format!("http://{free}/")),
        "mlog.timestamp_provider_connection_failed"
    );
    assert_eq!(code("no url at all"), "mlog.malformed_timestamp_server_url");
    let with = |mode| code(&Tsa::start(mode).url);
    assert_eq!(with(Mode::Unavailable), "mlog.timestamping_non_ok_response");
    assert_eq!(with(Mode::Rejected), "mlog.timestamp_non_granted_response");
    assert_eq!(with(Mode::Garbage), "mlog.reading_timestamp_response_failed");
    assert_eq!(with(Mode::Endless), "mlog.reading_timestamp_response_failed");
    let authorities = [trust().0.time_stamping().certificate.clone()];
    let code = |mode| {
        Provider::new(None, Some(Duration::from_secs(60))).time_stamp(
            &Tsa::start(mode).url,
            &imprint,
            &authorities,
        )
    };
    assert_eq!(
        code(Mode::Stranger).unwrap_err().fault_code(),
        "mlog.tsp_certificate_not_found"
    );
    assert_eq!(
        code(Mode::OtherImprint).unwrap_err().fault_code(),
        "malformed_signature"
    );
    code(Mode::Granted).unwrap();
}

#[test]
fn stamp_now_answers_when_the_record_is_stamped_or_cannot_be() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("[message-log]\ntimestamp-immediately = true", vec![tsa.service()]);
    let background = world.start();
    let id = world.log(&request("now"));
    world.stamp_now(id).unwrap();
    container(&world, id);
    world.stamp_now(id).unwrap();
    assert_eq!(tsa.requests(), 1, "a record is stamped once");
    let unknown = RecordId::new(7);
    let error = world.stamp_now(unknown).unwrap_err();
    assert!(matches!(error, TimeStampError::NoRecord(id) if id == unknown));
    assert_eq!(error.fault_code(), "mlog.message_log_record_not_found");

    tsa.set(Mode::Unavailable);
    let id = world.log(&request("later"));
    let error = world.stamp_now(id).unwrap_err();
    assert_eq!(error.fault_code(), "timestamping_failed");
    assert!(error.to_string().contains(&tsa.url), "{error}");
    tsa.set(Mode::Granted);
    world.stamp_now(id).unwrap();
    assert!(world.process.log.time_stamping_policy().failing_since().is_none());

    assert!(background.stop(Duration::from_secs(20)));
    assert_eq!(
        world.stamp_now(id).unwrap_err().fault_code(),
        "mlog.log_manager_unavailable"
    );
}

#[test]
fn those_who_wait_together_share_a_time_stamp() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("[message-log]\ntimestamp-immediately = true", vec![tsa.service()]);
    world.process.log.set_time_stamping_provider_configured(true);
    let ids: Vec<_> = (0..5)
        .map(|number| world.log(&request(&number.to_string())))
        .collect();
    let asked: Vec<_> = ids
        .iter()
        .map(|id| {
            let (stamper, id) = (world.process.time_stamper.clone(), *id);
            std::thread::spawn(move || stamper.stamp_now_blocking(vec![id]))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let _background = world.start();
    asked.into_iter().for_each(|asked| asked.join().unwrap().unwrap());
    assert_eq!(tsa.requests(), 1);
    ids.iter()
        .for_each(|id| assert!(container(&world, *id).1.is_batch_time_stamp()));
}

#[test]
fn without_a_service_every_record_is_refused_and_a_change_takes_effect_within_a_second() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("", Vec::new());
    let _background = world.start();
    let now = OffsetDateTime::now_utc();
    let refused = world.process.log.time_stamping_policy().check(now).unwrap_err();
    assert_eq!(
        refused.fault_code(),
        "logging_failed.mlog.no_timestamping_provider_found"
    );
    world.configure(vec![tsa.service()]);
    std::thread::sleep(Duration::from_millis(900));
    world.process.log.time_stamping_policy().check(now).unwrap();
    world.configure(Vec::new());
    std::thread::sleep(Duration::from_millis(900));
    assert!(world.process.log.time_stamping_policy().check(now).is_err());
    assert_eq!(world.process.metrics.time_stamp_failures.get(), 0);
}

#[test]
fn an_expired_global_configuration_gives_no_time_stamp() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("", vec![tsa.service()]);
    let _background = world.start();
    let id = world.log(&request("x"));
    world.change(|snapshot| snapshot.globalconf = None);
    assert_eq!(
        world.stamp_now(id).unwrap_err().fault_code(),
        "global_conf_outdated"
    );
    assert_eq!(tsa.requests(), 0);
}

#[test]
fn a_signature_that_brings_its_own_time_stamp_or_cannot_be_read_does_not_stop_the_server() {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("", vec![tsa.service()]);
    let _background = world.start();
    let mut stamped = request("stamped");
    let token = trust()
        .0
        .time_stamp(
            protocol_pki::tsp::Imprint::of(protocol_pki::digest::DigestAlgorithm::Sha512, b"theirs"),
            OffsetDateTime::now_utc(),
        )
        .unwrap();
    let embedded = protocol_signature::time_stamp::embed(&stamped.signature, token.as_der()).unwrap();
    stamped.signature = embedded.into();
    let id = world.log(&stamped);
    world.stamp_now(id).unwrap();
    let (parts, verified) = container(&world, id);
    assert!(verified.is_batch_time_stamp());
    assert_eq!(parts.signature, stamped.signature, "evidence is not changed");

    let mut damaged = request("damaged");
    damaged.signature = bytes::Bytes::from_static(b"<no signature/>");
    let id = world.log(&damaged);
    world.stamp_now(id).unwrap();
    let stamp = world.process.log.records().time_stamp(id).unwrap();
    assert!(matches!(stamp, Some(TimeStampEvidence::Batch { .. })));
}

#[test]
fn the_age_of_the_oldest_waiting_record_is_measured() {
    let tsa = Tsa::start(Mode::Rejected);
    let mut world = World::new("", vec![tsa.service()]);
    world.process.log.set_time_stamping_provider_configured(true);
    world.log(&request("old"));
    std::thread::sleep(Duration::from_millis(300));
    let _background = world.start();
    let age = world.process.metrics.oldest_unstamped_age.get();
    assert!((0.3..60.0).contains(&age), "{age}");
}
