//! What PCR 11 of the TPM will be: systemd's stub measures each section that it knows, first its name, then its content,
//! in an order of its own (UAPI Group's specification 5; systemd-stub(7), "TPM PCR Notes"); later the phases of the boot are
//! measured (systemd-pcrphase.service(8)).

use aws_lc_rs::digest::{self, SHA256};

use crate::update::hex;

/// The sections that are measured, in their order.
pub const ORDER: [&str; 9] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".uname", ".sbat", ".pcrpkey",
];
/// Length of a SHA-256 register.
pub const REGISTER: usize = 32;
/// The phases at which our units may ask the TPM for something: before `sysinit`, from then on, and when the boot is ready.
pub const PHASES: [&[&str]; 3] = [&[], &["sysinit"], &["sysinit", "ready"]];

/// A register of the TPM, all zero at power-on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Register([u8; REGISTER]);

impl Register {
    /// Takes in a measurement.
    pub fn extend(&mut self, measured: &[u8]) {
        let mut context = digest::Context::new(&SHA256);
        context.update(&self.0);
        context.update(digest::digest(&SHA256, measured).as_ref());
        if let Ok(value) = context.finish().as_ref().try_into() {
            self.0 = value;
        }
    }

    /// Its value.
    #[must_use]
    pub const fn value(&self) -> &[u8; REGISTER] {
        &self.0
    }

    /// Its value as Linux shows it in `/sys/class/tpm/tpm0/pcr-sha256/11`.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0).to_uppercase()
    }
}

/// PCR 11 after the stub measured these sections and the boot went through these phases.
#[must_use]
pub fn predict<'a>(sections: impl Fn(&str) -> Option<&'a [u8]>, phases: &[&str]) -> Register {
    let mut register = Register::default();
    for name in ORDER {
        if let Some(content) = sections(name) {
            register.extend(format!("{name}\0").as_bytes());
            register.extend(content);
        }
    }
    for phase in phases {
        register.extend(phase.as_bytes());
    }
    register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_measured_in_the_order_of_the_stub() {
        let of = |first: &'static str, second: &'static str| {
            predict(
                move |name| match name {
                    ".linux" => Some(first.as_bytes()),
                    ".cmdline" => Some(second.as_bytes()),
                    _ => None,
                },
                &[],
            )
        };
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("b", "a"));
    }

    #[test]
    fn each_phase_changes_the_register() {
        let values = PHASES.map(|phases| predict(|_| Some(b"x".as_slice()), phases));
        assert!(values[0] != values[1] && values[1] != values[2] && values[0] != values[2]);
    }
}
