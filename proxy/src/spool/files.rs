//! The thread that makes and discards spool files: both may take the file system long, and a worker must not wait.

use std::fs::File;
use std::io;
use std::path::Path;

use super::Charge;

/// Makes and discards files. Clones use the same thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// Bounded by the spools that there are: each makes one file and discards it.
    jobs: flume::Sender<Job>,
}

enum Job {
    Make(flume::Sender<io::Result<(File, File)>>),
    /// With what is given back when the file is gone.
    Discard(File, Charge),
}

impl Files {
    /// Removes what another process left in the folder and starts the thread.
    pub(super) fn start(dir: &Path) -> io::Result<Self> {
        remove_leftovers(dir)?;
        let (jobs, queue) = flume::unbounded();
        let dir = dir.to_owned();
        std::thread::Builder::new()
            .name("spool-files".to_owned())
            .spawn(move || run(&dir, &queue))?;
        Ok(Self { jobs })
    }

    /// A new file without a name, open twice: by the second it is [discarded](Self::discard).
    pub(super) async fn make(&self) -> io::Result<(File, File)> {
        let (reply, made) = flume::bounded(1);
        self.jobs.send(Job::Make(reply)).map_err(io::Error::other)?;
        made.recv_async().await.map_err(io::Error::other)?
    }

    /// Takes a file's space back, and then gives the budget back what it was charged.
    pub(super) fn discard(&self, file: File, charge: Charge) {
        // If the thread is gone, closing does the same.
        let _ = self.jobs.send(Job::Discard(file, charge));
    }
}

fn run(dir: &Path, jobs: &flume::Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Make(reply) => {
                let _ = reply.send(make(dir));
            }
            Job::Discard(file, charge) => {
                // The other handle may be closed later, by a worker: nothing may be left to do then.
                let _ = file.set_len(0);
                drop(file);
                drop(charge);
            }
        }
    }
}

fn make(dir: &Path) -> io::Result<(File, File)> {
    let file = tempfile::tempfile_in(dir)?;
    let spare = file.try_clone()?;
    Ok((file, spare))
}

/// Where the file system has no files without names, a process that was killed may have left one.
fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            tracing::info!(file = %entry.path().display(), "file left in the spool is removed");
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
