#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::io::{Cursor, Read as _};
use std::process::Command;
use std::rc::Rc;

use protocol_globalconf::layout;
use protocol_signature::asic::{self, Limits};
use storage::message_log::Direction;
use zip::ZipArchive;

use super::*;
use crate::http::{Body, Handler};
use crate::message_log::time_stamping::tests::support::{
    Answer, Message, Mode, Served, Tsa, World, globalconf_files, signer,
};

struct Downloads(Rc<WorkerState>);

impl Handler for Downloads {
    async fn handle(
        &self,
        request: Request,
        _: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        if is_for(&request) {
            serve(&self.0, &request, responder).await
        } else {
            responder.send_full(&ResponseHead::new(418), "").await
        }
    }
}

const MEMBER: &str = "xRoadInstance=TEST&memberClass=GOV&memberCode=123&subsystemCode=sub";

fn setup() -> (World, Served, Tsa) {
    let tsa = Tsa::start(Mode::Granted);
    let mut world = World::new("", vec![tsa.service()]);
    // The thread goes on when its handle is forgotten, and ends with the test.
    std::mem::forget(world.start());
    let served = Served::start(&world.process, Downloads);
    (world, served, tsa)
}

fn asic(served: &Served, rest: &str) -> Answer {
    served.get(&format!("/asic?{MEMBER}{rest}"))
}

fn refused(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.content_type, "text/plain;charset=utf-8");
    (answer.status, answer.text())
}

fn verify(world: &World, container: &[u8]) -> asic::VerifiedContainer {
    let read = asic::read(container, &Limits::default()).unwrap();
    asic::verify(&read, &signer(), &**world.globalconf()).unwrap()
}

fn entries(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

#[test]
fn one_container_verifies_and_has_the_name_that_it_should() {
    let (world, served, _) = setup();
    let id = world.log(&Message::new("a/b c", Direction::Response));
    world.stamp_now(id).unwrap();
    let answer = asic(&served, "&queryId=a%2Fb+c&responseOnly&unique");
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/vnd.etsi.asic-e+zip")
    );
    let name = answer
        .disposition
        .strip_prefix("attachment; filename=\"a%2Fb+c-response-")
        .unwrap();
    let number = name.strip_suffix(".asice\"").unwrap();
    assert_eq!(u64::from_str_radix(number, 32).unwrap(), id.get());
    assert!(!verify(&world, &answer.body).is_batch_time_stamp());
}

#[test]
fn a_zip_file_has_request_and_response() {
    let (world, served, _) = setup();
    let request = world.log(&Message::new("x", Direction::Request));
    let response = world.log(&Message::new("x", Direction::Response));
    world.log(&Message::new("another", Direction::Request));
    assert_eq!(
        refused(&asic(&served, "&queryId=x")),
        (500, "Message signature has not been timestamped yet!")
    );
    let answer = asic(&served, "&queryId=x&force");
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/zip")
    );
    assert_eq!(answer.disposition, "attachment; filename=\"x.zip\"");
    let entries = entries(&answer.body);
    let expected = [("request", request), ("response", response)];
    assert_eq!(entries.len(), 2);
    for ((name, container), (direction, id)) in entries.iter().zip(expected) {
        let number = name
            .strip_prefix(&format!("x-{direction}-"))
            .unwrap()
            .strip_suffix(".asice")
            .unwrap();
        assert_eq!(u64::from_str_radix(number, 32).unwrap(), id.get());
        assert!(verify(&world, container).is_batch_time_stamp());
    }
    let only = asic(&served, "&queryId=x&requestOnly");
    assert_eq!(only.disposition, "attachment; filename=\"x-request.zip\"");
    assert_eq!(self::entries(&only.body).len(), 1);
}

#[test]
fn a_large_body_streams_and_unzip_reads_the_zip_file() {
    let (world, served, _) = setup();
    let messages = Message::batch(&["large", "other"], 20 << 20);
    world.log(&messages[0]);
    let answer = asic(&served, "&queryId=large&force");
    assert_eq!(answer.status, 200);
    let entries = entries(&answer.body);
    let verified = verify(&world, &entries[0].1);
    assert!(verified.unverified_attachments().is_empty(), "the body is proven");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    std::fs::write(&path, &answer.body).unwrap();
    match Command::new("unzip").arg("-tq").arg(&path).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        ),
        Err(error) => eprintln!("SKIPPED: unzip: {error}"),
    }
    // Readers of streams, such as Java's, take entries whose length follows only when they are deflated.
    let python = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  assert all(i.compress_type==8 for i in z.infolist())";
    match Command::new("python3").args(["-c", python]).arg(&path).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("SKIPPED: python3: {error}"),
    }
}

#[test]
fn what_cannot_be_given_is_refused_in_plain_text() {
    let (world, served, tsa) = setup();
    let missing = served.get("/asic?memberClass=GOV&memberCode=123&queryId=x");
    assert_eq!(
        refused(&missing),
        (400, "Parameter \"xRoadInstance\"  must be specified.")
    );
    assert_eq!(refused(&asic(&served, "")).0, 400);
    assert_eq!(
        refused(&asic(&served, "&queryId=x&requestOnly&responseOnly")).0,
        400
    );
    let blank = served.get("/asic?xRoadInstance=TEST&memberClass=GOV&memberCode=&queryId=x");
    assert_eq!(refused(&blank), (500, "'memberCode' must not be blank"));
    assert_eq!(refused(&asic(&served, "&queryId=")).0, 404);
    assert_eq!(refused(&asic(&served, "&queryId=x&unique")).0, 404);
    assert_eq!(
        refused(&asic(&served, "&queryId=x")),
        (404, "No signed documents found")
    );
    let stranger = served.get("/asic?xRoadInstance=TEST&memberClass=GOV&memberCode=456&queryId=x");
    assert_eq!(refused(&stranger), (401, "Client 'TEST/GOV/456' not found"));

    world.log(&Message::new("x", Direction::Request));
    assert_eq!(refused(&asic(&served, "&queryId=x&responseOnly")).0, 404);
    tsa.set(Mode::Rejected);
    let failed = asic(&served, "&queryId=x&force");
    assert_eq!(failed.status, 500);
    assert!(
        failed.text().starts_with("Could not create missing timestamp!"),
        "{}",
        failed.text()
    );
    tsa.set(Mode::Granted);
    let which = "Parameter \"unique\" not applicable without \"requestOnly\" or \"responseOnly\".";
    assert_eq!(refused(&asic(&served, "&queryId=x&force&unique")), (400, which));
    world.log(&Message::new("x", Direction::Request));
    let twice = asic(&served, "&queryId=x&force&unique&requestOnly");
    assert_eq!(twice.status, 200, "of several the first");
    verify(&world, &twice.body);
    assert_eq!(served.ask("POST", "/asic").status, 418);
}

#[test]
fn verificationconf_has_the_shared_parameters_of_every_instance() {
    let (world, served, _) = setup();
    let folder = &world.process.settings.kiirtee.global_configuration;
    let federated = folder.join("A%2FB");
    std::fs::create_dir(&federated).unwrap();
    std::fs::write(federated.join("shared-params.xml"), "<federated/>").unwrap();
    let metadata =
        r#"{"contentIdentifier":"SHARED-PARAMETERS","instanceIdentifier":"A/B","configurationVersion":"3"}"#;
    std::fs::write(federated.join("shared-params.xml.metadata"), metadata).unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();

    let answer = served.get("/verificationconf");
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/zip")
    );
    assert_eq!(answer.disposition, "filename=\"verificationconf.zip\"");
    let entries = entries(&answer.body);
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "verificationconf/A%2FB/shared-params.xml",
        "verificationconf/A%2FB/shared-params.xml.metadata",
        "verificationconf/TEST/shared-params.xml",
        "verificationconf/TEST/shared-params.xml.metadata",
        "verificationconf/instance-identifier",
    ];
    assert_eq!(names, expected);
    assert_eq!(entries[1].1, br#"{"configurationVersion":"3"}"#);
    assert_eq!(
        entries[2].1,
        globalconf_files().0[&layout::path("TEST", "shared-params.xml")]
    );
    assert_eq!(entries[4].1, b"TEST");

    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(refused(&served.get("/verificationconf")).0, 500);
}
