//! Containers (wire.md 4.1).

use protocol_signature::asic::{self, Contents, Limits, Writer};

use crate::world::{NOW, member, world};

/// Small bounds, so that what they are for is met often.
const LIMITS: Limits = Limits {
    entries: 32,
    message_bytes: 256 * 1024,
    total_bytes: 1024 * 1024,
};

/// Acceptable is what can be read.
pub fn check(data: &[u8]) -> bool {
    let Ok(container) = asic::read(data, &LIMITS) else {
        return false;
    };
    assert!(container.message().len() <= LIMITS.message_bytes);
    assert!(
        container
            .attachments()
            .iter()
            .map(|found| found.size)
            .sum::<u64>()
            <= LIMITS.total_bytes
    );
    let verified = asic::verify(&container, &member(), world());
    let Ok(time_stamp) = container.batch_time_stamp() else {
        assert!(
            verified.is_err(),
            "without its token no batch time-stamp is valid"
        );
        return true;
    };
    // The content of attachments is not kept.
    if container.attachments().is_empty() {
        let contents = Contents {
            message: container.message(),
            signature: container.signature(),
            hash_chain: container.hash_chain(),
            time_stamp,
            attachments: 0,
        };
        let written = Writer::new(Vec::new(), &contents, NOW).and_then(Writer::finish);
        let again = written
            .ok()
            .and_then(|written| asic::read(&written, &LIMITS).ok());
        let again = again.as_ref();
        assert_eq!(again.map(asic::Container::message), Some(container.message()));
        assert_eq!(again.map(asic::Container::signature), Some(container.signature()));
        assert_eq!(
            again.map(asic::Container::hash_chain),
            Some(container.hash_chain())
        );
    }
    true
}
