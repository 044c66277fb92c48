//! Loads the modules of a kernel that has them, in the order of `/modules.order`. Our own kernel has none.

use std::fs::{self, File};
use std::panic::resume_unwind;
use std::thread;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::BootError;

/// The module is compressed (`MODULE_INIT_COMPRESSED_FILE`, init_module(2)).
const COMPRESSED: i32 = 4;

/// Loads them all; what is in different paragraphs at the same time.
///
/// # Errors
/// When one is refused.
pub(crate) fn load() -> Result<(), BootError> {
    let Ok(order) = fs::read_to_string("/modules.order") else {
        return Ok(());
    };
    thread::scope(|scope| {
        let paragraphs: Vec<_> = order
            .split("\n\n")
            .map(|paths| {
                scope.spawn(|| {
                    paths
                        .lines()
                        .filter(|path| !path.is_empty())
                        .try_for_each(load_one)
                })
            })
            .collect();
        paragraphs
            .into_iter()
            .try_for_each(|loading| loading.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn load_one(path: &str) -> Result<(), BootError> {
    let file = File::open(path).map_err(BootError::kernel(path))?;
    let flags = if path.ends_with(".ko") { 0 } else { COMPRESSED };
    match finit_module(&file, c"", flags) {
        // Some kernels have it built in, another paragraph may have it too, and some machines lack what it drives.
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(error) => Err(BootError::kernel(path)(error.into())),
    }
}
