//! OCSP responses and requests (wire.md 3.7).

use protocol_pki::ocsp::{Request, Response, VerifyContext};
use time::Duration;

use crate::world::{FRESHNESS_SECONDS, NOW, world};

/// Acceptable is a response or a request.
pub fn check(data: &[u8]) -> bool {
    let response = Response::from_der(data);
    if let Ok(response) = &response {
        check_response(response, data);
    }
    let request = Request::from_der(data);
    if let Ok(request) = &request {
        for certificate in request.certificates() {
            let _ = certificate.serial_decimal();
        }
    }
    response.is_ok() || request.is_ok()
}

fn check_response(response: &Response, data: &[u8]) {
    assert_eq!(response.as_der(), data);
    let world = world();
    let authorities = [world.ca.clone()];
    let freshness = Duration::seconds(FRESHNESS_SECONDS.into());
    let context = VerifyContext::new(&[], &authorities, freshness);
    let verified = response.verify_validity(&context, &world.signer, &world.ca, NOW);
    if let Ok(verified) = verified {
        assert!(response.applies_to(&world.signer, &world.ca));
        assert!(verified.good_until >= NOW, "an outdated response passes");
        assert!(verified.good_until <= verified.this_update + freshness);
    }
}
