//! The REST cases (the reference's RestProxyTest).

use super::super::information_system::{Answer, Message, TEXT_XML, consumer, send};
use super::super::ledger::{Case, OK};
use super::super::noise;
use super::super::scripted_peer::server::Reply;
use super::super::world::{Got, PEER, World};

const CLIENT: (&str, &str) = ("X-Road-Client", "SANDBOX/ORG/1001/client");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROVIDER: &str = "SANDBOX/ORG/2002/provider";
const VALUE: &[u8] = b"{\"value\" : 42}";

fn call(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Message {
    let line = format!("{method} /r1/{path}");
    send(consumer(&world.instance), &line, headers, body)
}

/// The code of a fault with the status that belongs to it, `ok` for status 200.
fn code(got: &Message) -> Got {
    let Some(code) = got.header("x-road-error") else {
        return match got.status() {
            200 => Ok(OK.into()),
            status => Err(format!("{status}: {}", got.text())),
        };
    };
    let status = if code.starts_with("server.") { 500 } else { 400 };
    if got.status() != status {
        return Err(format!("{code} with status {}", got.status()));
    }
    Ok(code.to_owned())
}

fn ensure(condition: bool, got: &Message) -> Got {
    let code = code(got)?;
    if condition {
        Ok(code)
    } else {
        Err(format!("{code}: {got:?}"))
    }
}

/// The provider sends `{"value" : 42}`.
fn echo(world: &World) {
    world.provider.answers(Answer::new("application/json", VALUE));
}

fn post(world: &World, headers: &[(&str, &str)]) -> Message {
    echo(world);
    let headers = [&[CLIENT, JSON], headers].concat();
    call(world, "POST", &format!("{PROVIDER}/rest"), &headers, VALUE)
}

pub(crate) fn client_header_missing(world: &mut World, _: &Case) -> Got {
    code(&call(world, "GET", &format!("{PROVIDER}/rest"), &[JSON], b""))
}

pub(crate) fn malformed_request_uri(world: &mut World, _: &Case) -> Got {
    code(&call(world, "GET", "invalid", &[CLIENT, JSON], b""))
}

pub(crate) fn simple_post(world: &mut World, _: &Case) -> Got {
    let got = post(world, &[]);
    let delivered = world
        .provider
        .asked()
        .first()
        .is_some_and(|asked| asked.body == VALUE);
    ensure(delivered && got.body == VALUE, &got)
}

pub(crate) fn keep_query_id(world: &mut World, _: &Case) -> Got {
    let id = "7a1c-of-the-client";
    let got = post(world, &[("X-Road-Id", id)]);
    let told = world.provider.request().header("X-Road-Id") == Some(id);
    ensure(told && got.header("X-Road-Id") == Some(id), &got)
}

pub(crate) fn content_length(world: &mut World, _: &Case) -> Got {
    let got = post(world, &[]);
    let asked = world.provider.request();
    ensure(asked.header("content-length") == Some("14"), &got)
}

pub(crate) fn request_hash(world: &mut World, _: &Case) -> Got {
    let id = ("X-Road-Id", "queryid");
    let (first, second) = (post(world, &[id]), post(world, &[id]));
    let hash = first.header("x-road-request-hash");
    ensure(
        hash.is_some() && hash != second.header("x-road-request-hash"),
        &second,
    )
}

pub(crate) fn one_date(world: &mut World, _: &Case) -> Got {
    let got = post(world, &[]);
    let dates = got
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("date"));
    ensure(dates.count() == 1, &got)
}

/// Encoded letters in every identifier, a slash in some, and a service path that stays as it is. Both servers tell of the
/// slashes.
pub(crate) fn encoded_identifiers(world: &mut World, _: &Case) -> Got {
    echo(world);
    let path = "SANDBOX/%4FRG/2002/s%2Fub/%C3%B6%C3%A4%C3%A5/path%3B/";
    let client = ("X-Road-Client", "SANDBOX/ORG/1001/sub%2Fsystem");
    let got = call(world, "GET", path, &[client], b"");
    let asked = world.provider.asked();
    let as_sent = asked
        .first()
        .is_some_and(|asked| asked.first_line.starts_with("GET /path%3B/ "));
    for server in ["consumer", "provider"] {
        let log = world.instance.dir().join(format!("log/{server}-proxy.log"));
        let log = std::fs::read_to_string(log).unwrap();
        let told = ["SUBSYSTEM:SANDBOX/ORG/1001/sub/system", "2002/s/ub/öäå"]
            .iter()
            .all(|identifier| log.contains(identifier));
        if !told {
            return Err(format!("the log of the {server}'s server says nothing"));
        }
    }
    ensure(as_sent, &got)
}

pub(crate) fn empty_path(world: &mut World, _: &Case) -> Got {
    echo(world);
    let got = call(world, "GET", &format!("{PROVIDER}/rest/"), &[CLIENT], b"");
    let asked = world.provider.asked();
    let at_root = asked
        .first()
        .is_some_and(|asked| asked.first_line.starts_with("GET / "));
    ensure(at_root, &got)
}

pub(crate) fn large_message(world: &mut World, _: &Case) -> Got {
    let body = noise(13 * 1024 * 1024 + 104_729);
    world
        .provider
        .answers(Answer::new("application/octet-stream", body.clone()));
    let got = call(world, "GET", &format!("{PROVIDER}/rest"), &[CLIENT, JSON], b"");
    if got.body != body {
        let text = got.text().chars().take(200).collect::<String>();
        return Err(format!("{} bytes came: {text}", got.body.len()));
    }
    code(&got)
}

/// `ok` means: not followed.
pub(crate) fn redirect(world: &mut World, _: &Case) -> Got {
    let location = format!("/r1/{PROVIDER}/notexists");
    world.provider.answers(Answer {
        status: "302 Found",
        headers: vec![("Location", location.clone())],
        ..Answer::new("text/plain", "")
    });
    let got = call(world, "GET", &format!("{PROVIDER}/rest"), &[CLIENT], b"");
    let passed = got.status() == 302 && got.header("location") == Some(&location);
    if passed {
        Ok(OK.into())
    } else {
        Err(format!("{got:?}"))
    }
}

pub(crate) fn wsdl_service(world: &mut World, _: &Case) -> Got {
    code(&call(
        world,
        "GET",
        &format!("{PROVIDER}/getState"),
        &[CLIENT],
        b"",
    ))
}

pub(crate) fn patch(world: &mut World, _: &Case) -> Got {
    echo(world);
    let service = format!("{PROVIDER}/readOnly");
    let read = call(world, "GET", &service, &[CLIENT], b"");
    if read.status() != 200 {
        return Err(format!("GET: {read:?}"));
    }
    code(&call(world, "PATCH", &service, &[CLIENT], b""))
}

/// A client whose other servers have addresses that are no addresses.
pub(crate) fn resolvable_address(world: &mut World, _: &Case) -> Got {
    for _ in 0..5 {
        echo(world);
        let got = call(
            world,
            "POST",
            "SANDBOX/ORG/2002/many/rest",
            &[CLIENT, JSON],
            VALUE,
        );
        if code(&got)? != OK {
            return code(&got);
        }
    }
    Ok(OK.into())
}

pub(crate) fn accept(world: &mut World, _: &Case) -> Got {
    let (json, xml) = ("application/json", "application/xml;charset=utf-8");
    let text = "text/xml;charset=utf-8";
    let mut last = Err("nothing was tried".to_owned());
    for (accept, content_type) in [
        (Some("application/json;charset=utf-8"), json),
        (Some("foobarbaz"), json),
        (None, json),
        (Some("application/xml"), xml),
        (Some("text/xml"), text),
        (Some("application/xml, text/xml"), xml),
        (Some("text/xml, application/xml"), text),
        (Some("text/xml-patch+xml"), json),
        (Some("application/xml; q=0.2"), xml),
        (Some("text/xml, application/xml, application/json"), text),
        (Some("text/*"), text),
    ] {
        let mut headers = vec![CLIENT, JSON];
        headers.extend(accept.map(|accept| ("Accept", accept)));
        let got = call(world, "GET", &format!("{PROVIDER}/getState"), &headers, b"");
        if got.header("content-type") != Some(content_type) {
            return Err(format!("{accept:?} gave {:?}", got.header("content-type")));
        }
        last = code(&got);
    }
    last
}

/// A provider's server older than 7.8 writes its codes otherwise: they are passed on as they are, with status 400.
pub(crate) fn old_fault(world: &mut World, _: &Case) -> Got {
    let fault = "<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body>\
                 <SOAP-ENV:Fault><faultcode>Server.ServerProxy.AccessDenied</faultcode><faultstring>no</faultstring>\
                 </SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>";
    world
        .scripted
        .answers(move |_| Reply::message(TEXT_XML, fault.as_bytes()));
    let path = format!("SANDBOX/ORG/{PEER}/peer/any");
    let got = call(world, "GET", &path, &[CLIENT], b"");
    ensure(got.status() == 400, &got)
}
