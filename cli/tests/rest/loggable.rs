//! Bodies larger than the message log keeps (wire.md 4.3).

use protocol_pki::digest::DigestAlgorithm;

use super::configure::restart_with;
use super::instance::Instance;
use super::{call, can_run, fault, file_of, noise};

/// `[message-log] max-loggable-message-body-size` unless an operator says otherwise.
const LOGGABLE: usize = 10 * 1024 * 1024;
const HUNDRED_MEGABYTES: usize = 100 * 1024 * 1024;

#[test]
fn a_body_too_large_for_the_log_is_refused_unless_the_operator_lets_it_pass() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(114);
    let (largest, larger) = (noise(LOGGABLE), noise(LOGGABLE + 1));
    let largest = format!("@{}", file_of(instance.dir(), "largest", &largest).display());
    let larger = format!("@{}", file_of(instance.dir(), "larger", &larger).display());
    let send = |instance: &Instance, file: &str| call(instance, "echo/sink", &["--data-binary", file]);
    let get = |instance: &Instance, size| call(instance, &format!("echo/bytes?size={size}"), &[]);

    assert_eq!(send(&instance, &largest).json()["size"], LOGGABLE);
    assert_eq!(get(&instance, LOGGABLE).body.len(), LOGGABLE);
    assert_eq!(fault(&send(&instance, &larger)), "server.clientproxy.io_error");
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.serverproxy.logging_failed"
    );

    restart_with(&mut instance, "provider", "message-body-logging", false);
    assert_eq!(fault(&send(&instance, &larger)), "server.clientproxy.io_error");
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.clientproxy.logging_failed"
    );

    restart_with(&mut instance, "consumer", "truncated-body-allowed", true);
    assert_eq!(send(&instance, &larger).json()["size"], LOGGABLE + 1);
    assert_eq!(get(&instance, LOGGABLE + 1).body.len(), LOGGABLE + 1);
    a_hundred_megabytes_pass(&instance);

    // Now the provider's server keeps bodies again, and it is its turn to refuse.
    restart_with(&mut instance, "provider", "message-body-logging", true);
    assert_eq!(
        fault(&send(&instance, &larger)),
        "server.serverproxy.logging_failed"
    );
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.serverproxy.logging_failed"
    );
}

fn a_hundred_megabytes_pass(instance: &Instance) {
    let sent = noise(HUNDRED_MEGABYTES);
    let file = format!("@{}", file_of(instance.dir(), "hundred", &sent).display());
    let told = call(instance, "echo/sink", &["--data-binary", &file]).json();
    let digest: String = DigestAlgorithm::Sha512
        .digest(&sent)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        (&told["size"], &told["sha512"]),
        (&HUNDRED_MEGABYTES.into(), &digest.into())
    );
    let answer = call(instance, &format!("echo/bytes?size={HUNDRED_MEGABYTES}"), &[]);
    assert_eq!((answer.status, answer.body.len()), (200, HUNDRED_MEGABYTES));
}
