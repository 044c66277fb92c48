//! What every measurement needs: a folder, the binaries, how long and how often.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cli::failure::{Failure, OrUnusable};
use cli::sandbox::layout::Net;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::Arguments;
use crate::load::Generator;

/// The second number of the loopback networks 127.N.* that are used.
const NETS: u8 = 220;
/// The third number of that of the nginx chain and the backend; sandboxes have those below, in turns, so that one that
/// runs for the whole time meets no other.
const CHAIN_NET: u8 = 255;

/// Conditions that hold for a whole run.
#[derive(Debug)]
pub(crate) struct Bed {
    /// Folder of the binaries under test.
    pub(crate) binaries: PathBuf,
    /// Folder of binaries that count allocations, if there are any.
    pub(crate) counting_binaries: Option<PathBuf>,
    /// Length of one measurement in seconds.
    pub(crate) seconds: u64,
    /// Interleaved rounds.
    pub(crate) rounds: u16,
    /// Connections of the load generator.
    pub(crate) connections: u16,
    /// What makes the load.
    pub(crate) generator: Generator,
    work: TempDir,
    sandboxes: Cell<u8>,
    stopped: Arc<AtomicBool>,
}

impl Bed {
    /// Prepares a run: its folder, the limit of open files, and an orderly end at Ctrl-C.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stopped))
                .or_unusable(|| "watch for signals".into())?;
        }
        raise_open_files();
        let work = tempfile::Builder::new()
            .prefix("kb")
            .tempdir_in(&arguments.work)
            .or_unusable(|| format!("make a folder in {}", arguments.work.display()))?;
        Ok(Self {
            binaries: binaries(arguments.bin.as_deref())?,
            counting_binaries: arguments.counting_bin.clone(),
            seconds: arguments.seconds,
            rounds: arguments.rounds,
            connections: arguments.connections,
            generator: arguments.generator,
            work,
            sandboxes: Cell::new(0),
            stopped,
        })
    }

    /// The path of `name` in the run's folder, which is removed at the end.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Our load generator: among the binaries under test, or beside this program.
    ///
    /// # Errors
    /// When it is in neither place.
    pub(crate) fn generator_program(&self) -> Result<PathBuf, Failure> {
        let own = std::env::current_exe().or_unusable(|| "find the folder of this program".into())?;
        let beside = own.with_file_name("kiirtee-load");
        let found = [self.binaries.join("kiirtee-load"), beside]
            .into_iter()
            .find(|path| path.is_file());
        found.ok_or_else(|| {
            let folder = self.binaries.display();
            Failure::unusable(format!(
                "kiirtee-load is neither in {folder} nor beside this program"
            ))
        })
    }

    /// A loopback network for another sandbox, and the sandbox's number.
    pub(crate) fn sandbox_net(&self) -> (Net, u8) {
        let number = self.sandboxes.get();
        self.sandboxes.set(number.wrapping_add(1));
        (Net::loopback(NETS, number % CHAIN_NET), number)
    }

    /// The loopback network of the nginx chain and the backend.
    pub(crate) const fn chain_net() -> Net {
        Net::loopback(NETS, CHAIN_NET)
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// When the run was asked to stop.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        match self.stopped.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Failure::unusable("stopped")),
        }
    }

    /// Does `measure` once a round, as long as nobody stops the run.
    pub(crate) fn each_round(&self, mut measure: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        for _ in 0..self.rounds {
            measure()?;
            self.go_on()?;
        }
        Ok(())
    }
}

/// Servers and generator inherit the limit; with the usual soft one they could not hold ten thousand connections.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the row that needs it says what failed.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

fn binaries(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().or_unusable(|| "find the folder of this program".into())?;
    let folder = given.unwrap_or_else(|| own.parent().unwrap_or_else(|| Path::new(".")));
    match folder.join("kiirtee").is_file() {
        true => std::path::absolute(folder).or_unusable(|| format!("find {}", folder.display())),
        false => Err(Failure::unusable(format!(
            "no `kiirtee` in {}; expected the folder of all binaries (--bin)",
            folder.display()
        ))),
    }
}
