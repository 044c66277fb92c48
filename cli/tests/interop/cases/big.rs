//! Messages that are made here: one too big for a file, one whose file is not among the vectors.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;

use super::super::exchange::judge;
use super::super::information_system::pair::{multipart, part};
use super::super::information_system::{Answer, Message, consumer, post};
use super::super::ledger::Case;
use super::super::vectors;
use super::super::world::{Got, World};

const XML: &str = "text/xml; charset=UTF-8";
/// As in the reference: 650 million bytes.
const SIZE: usize = 650_000_000;

/// The attachment is never in memory as a whole, here or in the servers.
pub(crate) fn attachment_big(world: &mut World, _: &Case) -> Got {
    let answer = Answer::new(XML, vectors::read("getstate.answer"));
    world.provider.answers_and_measures(answer);
    let soap = part(
        "Content-Type: text/xml; charset=UTF-8",
        vectors::read("getstate.query"),
    );
    let attachment = part(
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary",
        "",
    );
    let around = multipart("big", &[soap, attachment]);
    let (front, back) = around.split_at(around.len() - b"\r\n--big--\r\n".len());
    let to = consumer(&world.instance);
    let mut stream = TcpStream::connect(to).unwrap();
    let length = around.len() + SIZE;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/related; charset=UTF-8; boundary=big\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), front].concat()).unwrap();
    let block = super::super::noise(1_000_000);
    for _ in 0..SIZE / block.len() {
        stream.write_all(&block).unwrap();
    }
    stream.write_all(back).unwrap();
    let got = Message::read(&mut BufReader::new(stream)).unwrap();
    let received = world.provider.measured();
    if received < SIZE as u64 {
        return Err(format!(
            "{:?}: the provider got {received} bytes",
            got.fault_code()
        ));
    }
    judge(&got)
}

/// Its content type is what the case is about: a boundary of colons without quotes, single quotes elsewhere.
pub(crate) fn attachment_small_mantis(world: &mut World, _: &Case) -> Got {
    let content_type = "multipart/related; start-info=text/xml; type='application/xop+xml'; \
                        boundary=:gkMa5KAvuHP7ahe9IQHONLgnncvv:";
    let answer = vectors::read("attachment-small-mantis.answer");
    let soap = vectors::replace(&answer, b"testResponse", b"test");
    world.provider.answers(Answer::new(XML, answer));
    let parts = [
        part(
            "Content-Type: application/xop+xml; type=\"text/xml\"",
            soap.clone(),
        ),
        part("Content-Type: application/octet-stream", "small"),
    ];
    let body = multipart(":gkMa5KAvuHP7ahe9IQHONLgnncvv:", &parts);
    let got = post(&world.instance, content_type, &body);
    let code = judge(&got)?;
    let asked = world.provider.asked();
    let delivered = asked.first().map(|asked| asked.body.as_slice());
    if delivered.is_none_or(|delivered| !delivered.windows(soap.len()).any(|part| part == soap)) {
        return Err(format!("{code}: the provider got {asked:?}"));
    }
    Ok(code)
}
