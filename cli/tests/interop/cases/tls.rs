//! Connections that fail before there is a message, and TLS towards the provider.

use super::super::exchange::{ask, getstate, judge};
use super::super::information_system::Answer;
use super::super::ledger::{Case, OK};
use super::super::peers::to_peer;
use super::super::scripted_peer::client;
use super::super::scripted_peer::server::{Reply, Script};
use super::super::vectors;
use super::super::world::{Got, World};

/// The peer takes the beginning of the request and is gone.
pub(crate) fn connection_aborted(world: &mut World, case: &Case) -> Got {
    to_scripted(world, case, Script::ResetsInRequest)
}

/// The peer's server does not believe our certificate; nor does ours believe one that nobody registered.
pub(crate) fn trust_manager_error(world: &mut World, case: &Case) -> Got {
    let stranger = world.identity("own");
    let to = client::provider(&world.instance);
    let headers = client::headers("text/xml");
    if let Ok(answer) = client::send(to, stranger, "POST /", &headers, b"<a/>") {
        return Err(format!("a stranger was answered {}", answer.text()));
    }
    to_scripted(world, case, Script::RefusesCertificate)
}

/// The peer has no cipher suite of ours.
pub(crate) fn no_common_cipher(world: &mut World, case: &Case) -> Got {
    to_scripted(world, case, Script::HasNoCipher)
}

fn to_scripted(world: &World, case: &Case, script: Script) -> Got {
    let request = case.request.as_ref().unwrap();
    world.scripted.plays(script);
    let query = to_peer(vectors::message(case, request));
    let got = ask(world, request, &query)?;
    if world.scripted.connections() == 0 {
        return Err(format!("{:?}, but the peer was not called", got.fault_code()));
    }
    judge(&got)
}

/// The provider is behind TLS.
pub(crate) fn to_service(world: &mut World, case: &Case) -> Got {
    let request = case.request.as_ref().unwrap();
    let answer = case.response.clone().unwrap_or_else(getstate);
    let answer = vectors::message(case, &answer);
    world
        .tls_provider
        .answers(move |_| Reply::http("200 OK", &[("Content-Type", "text/xml; charset=UTF-8")], &answer));
    let got = ask(world, request, &vectors::message(case, request))?;
    let code = judge(&got)?;
    let asked = world.tls_provider.asked().len();
    if (code == OK) != (asked == 1) {
        return Err(format!("{code}, and the provider was asked {asked} times"));
    }
    Ok(code)
}

/// A client of two servers, of which only the second is what it says: whichever answers first, the good one is asked.
pub(crate) fn second_address(world: &mut World, case: &Case) -> Got {
    let request = case.request.as_ref().unwrap();
    for script in [Script::EndsBeforeHandshake, Script::HasNoCipher] {
        world.scripted.plays(script);
        for _ in 0..6 {
            let answer = vectors::message(case, case.response.as_ref().unwrap());
            world
                .provider
                .answers(Answer::new("text/xml; charset=UTF-8", answer));
            let got = ask(world, request, &vectors::message(case, request))?;
            let code = judge(&got)?;
            if code != OK {
                return Ok(code);
            }
        }
    }
    Ok(OK.into())
}
