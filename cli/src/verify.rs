//! `kiirtee verify`: are these ASiC containers valid evidence?
//!
//! Offline: all trust comes from a global configuration on disk, either a configuration client's folder or the unpacked
//! `verificationconf.zip` that a security server gives. Verification is done as of the time-stamp (wire.md 4.5), so
//! evidence stays valid after certificates and the global configuration have expired.

mod report;
mod signer;
mod trust_files;

use std::path::PathBuf;

use clap::Args;
use protocol_globalconf::GlobalConf;
use protocol_signature::asic;
use time::OffsetDateTime;

use crate::failure::{Failure, OrUnusable};
use crate::output;
pub use report::{FileReport, Verdict};
pub use trust_files::TrustFiles;

const EXAMPLES: &str = "\
Examples:
  kiirtee verify message.asice --globalconf /var/lib/kiirtee/globalconf
  kiirtee verify *.asice --globalconf verificationconf --json | jq '.files[] | select(.valid | not)'

  (verificationconf: curl -O http://SECURITY-SERVER/verificationconf, then unzip)

Exit codes:
  0  every container is valid
  1  at least one is not; the fault code says why
  2  a file or the global configuration cannot be read";

/// Arguments of `kiirtee verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The containers
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A global configuration on disk
    #[arg(long, value_name = "DIR")]
    globalconf: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `kiirtee verify`.
///
/// # Errors
/// [`Failure::No`] when a container is not valid, [`Failure::Unusable`] when something cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let material = trust(&arguments.globalconf)?;
    let mut reports = Vec::with_capacity(arguments.files.len());
    for file in &arguments.files {
        let bytes = std::fs::read(file).or_unusable(|| format!("read {}", file.display()))?;
        reports.push(FileReport::new(file, verify(&bytes, &material)));
    }
    if arguments.json {
        output::json(&report::Summary::new(&reports))?;
    } else {
        for report in &reports {
            output::line(&report.to_string())?;
        }
    }
    let invalid = reports.iter().filter(|report| !report.is_valid()).count();
    if invalid == 0 {
        Ok(())
    } else {
        Err(Failure::No(format!("{invalid} of {} not valid", reports.len())))
    }
}

/// What to trust, out of a global configuration on disk.
///
/// # Errors
/// When the folder holds no global configuration that can be read.
pub fn trust(globalconf: &std::path::Path) -> Result<GlobalConf, Failure> {
    // Evidence outlives its configuration: seen from the beginning of time, nothing in the folder has expired.
    let loaded = GlobalConf::load(&TrustFiles::new(globalconf), OffsetDateTime::UNIX_EPOCH);
    let conf = loaded.or_unusable(|| {
        let expected = "expected a global configuration: instance-identifier and INSTANCE/shared-params.xml";
        format!("use {}; {expected}", globalconf.display())
    })?;
    Ok(conf)
}

/// Verifies one container.
pub fn verify(bytes: &[u8], material: &GlobalConf) -> Verdict {
    let container = match asic::read(bytes, &asic::Limits::default()) {
        Ok(container) => container,
        Err(error) => return Verdict::invalid(error.fault_code(), &error),
    };
    let signer = match signer::of_message(container.message()) {
        Ok(signer) => signer,
        Err(error) => return Verdict::invalid(error.fault_code(), &error),
    };
    match asic::verify(&container, &signer, material) {
        Ok(verified) => Verdict::valid(&verified),
        Err(error) => Verdict::invalid(&error.fault_code(), &error),
    }
}
