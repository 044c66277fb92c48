//! Time-stamp responses, tokens and requests, in BER as authorities send them (wire.md 4.2).

use protocol_pki::tsp::{Request, Response, TimeStampToken, request};

use crate::world::world;

/// Acceptable is a response, a token or a request.
pub fn check(data: &[u8]) -> bool {
    let response = Response::parse(data);
    if let Some(token) = response
        .as_ref()
        .ok()
        .and_then(|response| response.clone().into_token().ok())
    {
        check_token(&token);
    }
    let token = TimeStampToken::parse(data);
    if let Ok(token) = &token {
        check_token(token);
    }
    let asked = Request::from_der(data);
    if let Ok(asked) = &asked {
        let again = Request::from_der(&request(&asked.imprint)).map(|again| again.imprint);
        assert_eq!(again.ok().as_ref(), Some(&asked.imprint));
    }
    response.is_ok() || token.is_ok() || asked.is_ok()
}

fn check_token(token: &TimeStampToken) {
    let again = TimeStampToken::parse(token.as_der());
    assert!(
        again.is_ok_and(|again| again.as_der() == token.as_der()
            && again.imprint() == token.imprint()
            && again.gen_time() == token.gen_time()),
        "DER comes out as it went in"
    );
    let tsa = &world().tsa;
    let verified = token.verify_signer(std::slice::from_ref(tsa));
    if let Ok(with) = token.with_certificate(tsa) {
        assert!(with.certificates().contains(tsa));
        assert_eq!(
            with.verify_signer(std::slice::from_ref(tsa)).is_ok(),
            verified.is_ok()
        );
    }
    let _ = (token.serial_decimal(), token.policy(), token.nonce());
}
