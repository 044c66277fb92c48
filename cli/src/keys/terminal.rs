//! A PIN from a person at a terminal, which does not show it.

use std::io::{BufRead, Write};

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zeroize::Zeroizing;

use crate::failure::{Failure, OrUnusable};

/// Longest line that is taken.
const MAX_BYTES: usize = 1024;

/// Asks on standard error, reads a line from standard input, and shows nothing of it.
pub(super) fn ask(what: &str) -> Result<Zeroizing<String>, Failure> {
    let silence = Silence::begin()?;
    // Where nobody sees the question, the answer is read nevertheless.
    let _ = write!(std::io::stderr(), "{what}: ");
    let mut line = Zeroizing::new(String::with_capacity(MAX_BYTES));
    let read = std::io::stdin().lock().read_line(&mut line);
    drop(silence);
    let _ = writeln!(std::io::stderr());
    read.or_unusable(|| format!("read the {what} from the terminal"))?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Failure::unusable(format!("no {what} was entered")));
    }
    Ok(line)
}

/// While it lives, the terminal does not show what is typed; also a signal that ends the process gives it back as it was.
struct Silence {
    before: Termios,
}

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let doing = || "keep the terminal from showing the PIN".to_owned();
        let before = termios::tcgetattr(std::io::stdin()).or_unusable(doing)?;
        restore_when_ended(before.clone())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let set = termios::tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent);
        let silence = Self { before };
        set.or_unusable(doing)?;
        Ok(silence)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &Termios) {
    // A terminal that is gone shows nothing.
    let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before);
}

/// Watches to the end of the process: signals that nobody watched any more would do nothing.
fn restore_when_ended(before: Termios) -> Result<(), Failure> {
    let mut signals =
        Signals::new([SIGHUP, SIGINT, SIGTERM]).or_unusable(|| "watch for signals".to_owned())?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            restore(&before);
            // It cannot be survived.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}
