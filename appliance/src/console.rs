//! `kiirtee-appliance console`: the status screen, on the terminal it is started on. It takes no input: whoever stands before
//! the appliance sees how it is, and changes it by a configuration medium.

pub mod screen;

use std::io::{self, Write};
use std::time::Duration;

use crate::health;
use crate::monitor::watch::uptime;
use crate::paths::{self, Root};
use screen::{Ink, screen, silent};

/// How often it is looked whether anything changed.
const LOOK: Duration = Duration::from_secs(2);
/// Looks after which the screen is painted anew in any case: a serial line may have been plugged in meanwhile.
const ANEW: u32 = 15;
/// Lines that every terminal has.
const LEAST_ROWS: usize = 24;

/// Arguments of `kiirtee-appliance console`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// Paint once, without colours, and end
    #[arg(long)]
    once: bool,
}

/// Why the screen can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The terminal takes nothing.
    #[error("the terminal: {0}")]
    Terminal(#[source] io::Error),
}

/// Carries out `kiirtee-appliance console`.
///
/// # Errors
/// See [`ConsoleError`].
pub fn run(arguments: &Arguments) -> Result<(), ConsoleError> {
    let painted = |ink| {
        let status = health::read(&arguments.root.path(paths::STATUS), uptime());
        status.map_or_else(|| silent(ink), |status| screen(&status, ink))
    };
    if arguments.once {
        return show(&painted(Ink::Plain)).map_err(ConsoleError::Terminal);
    }
    let mut shown = String::new();
    for looks in 0_u32.. {
        let now = painted(Ink::Terminal { rows: rows() });
        if now != shown || looks.is_multiple_of(ANEW) {
            show(&now).map_err(ConsoleError::Terminal)?;
            shown = now;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Lines of the terminal; a serial line does not tell.
fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.map_or(0, |size| usize::from(size.ws_row)).max(LEAST_ROWS)
}

fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
