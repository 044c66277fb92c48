//! A small world that the seeds of the corpus come from: a CA, a signer and a time-stamping authority. Their keys are
//! thrown away when `examples/seeds.rs` made the seeds; here are their certificates.

use std::sync::OnceLock;

use protocol_pki::certificate::Certificate;
use protocol_pki::material::Material;
use protocol_pki::ocsp::ConfiguredResponder;
use protocol_pki::profile::{MemberName, Profile};
use time::OffsetDateTime;
use time::macros::datetime;

/// When everything there happens.
pub const NOW: OffsetDateTime = datetime!(2026-03-04 05:06:07 UTC);

/// The instance.
pub const INSTANCE: &str = "DEV";

/// How old OCSP responses may be, in seconds.
pub const FRESHNESS_SECONDS: u32 = 3600;

/// The certificates.
#[derive(Debug)]
pub struct World {
    /// The CA, which also answers OCSP requests.
    pub ca: Certificate,
    /// The signer of messages.
    pub signer: Certificate,
    /// The time-stamping authority.
    pub tsa: Certificate,
}

/// The world, read once.
///
/// # Panics
/// When the committed certificates cannot be read.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World {
        ca: certificate(include_bytes!("../data/ca.der")),
        signer: certificate(include_bytes!("../data/signer.der")),
        tsa: certificate(include_bytes!("../data/tsa.der")),
    })
}

#[expect(
    clippy::expect_used,
    reason = "without the committed certificates nothing can be checked"
)]
fn certificate(der: &[u8]) -> Certificate {
    Certificate::from_der(der).expect("a committed certificate")
}

/// The member whose signature the seeds have.
pub fn member() -> MemberName {
    MemberName {
        instance: INSTANCE.to_owned(),
        member_class: "COM".to_owned(),
        member_code: "4321".to_owned(),
    }
}

impl Material for World {
    fn ca_certificates(&self, instance: &str) -> Vec<Certificate> {
        if instance == INSTANCE {
            vec![self.ca.clone()]
        } else {
            Vec::new()
        }
    }

    fn profile(&self, _: &Certificate, _: &str) -> Option<Profile> {
        Some(Profile::Ejbca)
    }

    fn authorities(&self) -> Vec<Certificate> {
        vec![self.ca.clone()]
    }

    fn ocsp_responders(&self) -> Vec<ConfiguredResponder> {
        Vec::new()
    }

    fn ocsp_freshness_seconds(&self) -> u32 {
        FRESHNESS_SECONDS
    }

    fn tsa_certificates(&self) -> Vec<Certificate> {
        vec![self.tsa.clone()]
    }
}
