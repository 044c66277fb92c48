//! The signed policy of PCR 11: the TPM opens what is sealed with it to every image that the same key signed a
//! prediction for, so that an update can open the volumes of its predecessor and a foreign image cannot
//! (systemd-measure(1), `sign`).

use std::path::Path;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::measure::{PHASES, Register};
use crate::failure::{At, Failure};
use crate::tool::OPENSSL;
use crate::update::hex;

/// `TPM2_CC_PolicyPCR` (TPM 2.0 part 2, 6.5.2).
const POLICY_PCR: [u8; 4] = 0x0000_017f_u32.to_be_bytes();
/// `TPML_PCR_SELECTION` with PCR 11 of the bank SHA-256: one entry, algorithm 0x000b, three bytes, bit 11.
const SELECTION: [u8; 10] = [0, 0, 0, 1, 0, 0x0b, 3, 0, 0x08, 0];

/// The file `tpm2-pcr-signature.json`.
#[derive(Debug, Serialize)]
struct Signatures {
    sha256: Vec<Signature>,
}

#[derive(Debug, Serialize)]
struct Signature {
    pcrs: [u8; 1],
    /// [`fingerprint`] of the key.
    pkfp: String,
    /// The policy's digest.
    pol: String,
    /// Its signature, PKCS #1 v1.5.
    sig: String,
}

/// The policy that PCR 11 has this value (TPM 2.0 part 3, 23.7).
fn policy(register: &Register) -> Vec<u8> {
    let mut context = digest::Context::new(&SHA256);
    context.update(&[0; 32]);
    context.update(&POLICY_PCR);
    context.update(&SELECTION);
    context.update(digest::digest(&SHA256, register.value()).as_ref());
    context.finish().as_ref().to_vec()
}

/// Signs the values that the register has in each phase.
///
/// # Errors
/// When the key cannot be used.
pub fn sign(key: &Path, at_phase: impl Fn(&[&str]) -> Register) -> Result<Vec<u8>, Failure> {
    let folder = tempfile::tempdir().at(Path::new("a temporary folder"))?;
    let fingerprint = fingerprint(key, folder.path())?;
    let mut signatures = Vec::new();
    for phases in PHASES {
        let policy = policy(&at_phase(phases));
        signatures.push(Signature {
            pcrs: [11],
            pkfp: fingerprint.clone(),
            pol: hex(&policy),
            sig: BASE64_STANDARD.encode(signature(key, &policy, folder.path())?),
        });
    }
    let file = Signatures { sha256: signatures };
    serde_json::to_vec(&file).map_err(|error| Failure::unusable("tpm2-pcr-signature.json", error.to_string()))
}

/// The public half of a key, as PEM: what the stub hands to the appliance.
///
/// # Errors
/// When the key cannot be read.
pub fn public_key(key: &Path) -> Result<Vec<u8>, Failure> {
    let arguments = [
        "pkey".as_ref(),
        "-in".as_ref(),
        key.as_os_str(),
        "-pubout".as_ref(),
    ];
    OPENSSL.run(arguments).map(String::into_bytes)
}

/// What the appliance looks a signature up by: SHA-256 of the bare RSA key (RFC 8017 A.1.1), not of what wraps it in a certificate.
fn fingerprint(key: &Path, folder: &Path) -> Result<String, Failure> {
    let public = folder.join("public.der");
    OPENSSL.run([
        "rsa".as_ref(),
        "-in".as_ref(),
        key.as_os_str(),
        "-RSAPublicKey_out".as_ref(),
        "-outform".as_ref(),
        "DER".as_ref(),
        "-out".as_ref(),
        public.as_os_str(),
    ])?;
    let der = std::fs::read(&public).at(&public)?;
    Ok(hex(digest::digest(&SHA256, &der).as_ref()))
}

fn signature(key: &Path, message: &[u8], folder: &Path) -> Result<Vec<u8>, Failure> {
    let (input, output) = (folder.join("policy"), folder.join("signature"));
    std::fs::write(&input, message).at(&input)?;
    OPENSSL.run([
        "dgst".as_ref(),
        "-sha256".as_ref(),
        "-sign".as_ref(),
        key.as_os_str(),
        "-out".as_ref(),
        output.as_os_str(),
        input.as_os_str(),
    ])?;
    std::fs::read(&output).at(&output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_a_register_is_that_of_the_tpm() {
        // `tpm2_policypcr` of tpm2-tools 5.4 on a fresh software TPM, whose PCR 11 is all zero.
        let expected = "fd32fa22c52cfc8e1a0c29eb38519f87084cab0b04b0d8f020a4d38b2f4e223e";
        assert_eq!(hex(&policy(&Register::default())), expected);
    }
}
