//! Loads the modules of a kernel that has them, in the order of `/modules.order`. Our own kernel has none.

use std::fs::{self, File};

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::BootError;

/// The module is compressed (`MODULE_INIT_COMPRESSED_FILE`, init_module(2)).
const COMPRESSED: i32 = 4;

/// Loads them all.
///
/// # Errors
/// When one is refused.
pub(crate) fn load() -> Result<(), BootError> {
    let Ok(order) = fs::read_to_string("/modules.order") else {
        return Ok(());
    };
    for path in order.lines() {
        let file = File::open(path).map_err(BootError::kernel(path))?;
        let flags = if path.ends_with(".ko") { 0 } else { COMPRESSED };
        match finit_module(&file, c"", flags) {
            // Some kernels have it built in, and some machines lack what it drives.
            Ok(()) | Err(Errno::EXIST | Errno::NODEV) => {}
            Err(error) => return Err(BootError::kernel(path)(error.into())),
        }
    }
    Ok(())
}
