//! Where PINs come from: a file, standard input, the environment, or a person at a terminal.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use signer_client::Pin;
use zeroize::Zeroizing;

use super::terminal;
use crate::failure::{Failure, OrUnusable};

/// Most bytes of a file with PINs.
const MAX_BYTES: usize = 4096;
/// The environment's PIN, where one PIN is asked for.
const VARIABLE: &str = "KIIRTEE_TOKEN_PIN";

/// Where PINs come from.
#[derive(Debug, Args)]
pub(super) struct PinSource {
    /// A file that only its owner may read, with the PIN in its first line (several PINs: a line each, in the order in
    /// which they would be asked for); -: standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// A PIN that is needed.
pub(super) struct Question {
    /// What it is, as a person is asked for it.
    pub(super) what: &'static str,
    /// Whether it is new, so that a person must enter it twice.
    pub(super) is_new: bool,
}

/// A PIN that the token has.
pub(super) const fn known(what: &'static str) -> Question {
    Question { what, is_new: false }
}

/// A PIN that the token is to have.
pub(super) const fn new(what: &'static str) -> Question {
    Question { what, is_new: true }
}

impl PinSource {
    /// The PINs, in the order of the questions.
    pub(super) fn pins<const N: usize>(&self, questions: [Question; N]) -> Result<[Pin; N], Failure> {
        let stdin = std::io::stdin();
        match &self.pin_file {
            Some(path) if path != Path::new("-") => {
                let place = path.display().to_string();
                let file = open(path)?;
                from_lines(&questions, file, &place)
            }
            None if N == 1 && std::env::var_os(VARIABLE).is_some() => {
                let pin = std::env::var(VARIABLE).or_unusable(|| format!("read the variable {VARIABLE}"))?;
                from_lines(&questions, pin.as_bytes(), &format!("the variable {VARIABLE}"))
            }
            None if stdin.is_terminal() => {
                let pins: Result<Vec<Pin>, Failure> = questions.iter().map(ask).collect();
                sized(pins?)
            }
            _ => from_lines(&questions, stdin.lock(), "standard input"),
        }
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).or_unusable(|| format!("open the PIN file {}", path.display()))?;
    let metadata = file
        .metadata()
        .or_unusable(|| format!("look at the PIN file {}", path.display()))?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(Failure::unusable(format!(
            "others may read the PIN file {}; expected mode 0600",
            path.display()
        )));
    }
    Ok(file)
}

fn ask(question: &Question) -> Result<Pin, Failure> {
    let pin = terminal::ask(question.what)?;
    if question.is_new && terminal::ask(&format!("{} again", question.what))? != pin {
        return Err(Failure::unusable(format!(
            "{}: it was not the same twice",
            question.what
        )));
    }
    Ok(Pin::new(pin.as_str()))
}

/// A line for each question.
fn from_lines<const N: usize>(
    questions: &[Question; N],
    source: impl Read,
    place: &str,
) -> Result<[Pin; N], Failure> {
    // Allocated whole, so that no copy of a PIN is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    source
        .take(MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .or_unusable(|| format!("read the PIN from {place}"))?;
    if text.len() > MAX_BYTES {
        return Err(Failure::unusable(format!(
            "{place} is too long for PINs; expected at most {MAX_BYTES} bytes"
        )));
    }
    let mut lines = text.lines();
    let line = |question: &Question| match lines.next() {
        Some(line) if !line.is_empty() => Ok(Pin::new(line)),
        _ => Err(Failure::unusable(format!(
            "{place} has no {}; expected a line for each PIN, {N} in all",
            question.what
        ))),
    };
    let pins: Result<Vec<Pin>, Failure> = questions.iter().map(line).collect();
    sized(pins?)
}

fn sized<const N: usize>(pins: Vec<Pin>) -> Result<[Pin; N], Failure> {
    pins.try_into().map_err(|_| Failure::unusable("a PIN is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let questions = [known("PIN"), new("new PIN")];
        let pins = from_lines(&questions, text.as_bytes(), "the test");
        let shown = |pins: [Pin; 2]| pins.iter().map(|pin| pin.reveal().to_owned()).collect();
        pins.map(shown).map_err(|failure| failure.to_string())
    }

    #[test]
    fn pins_are_read_a_line_each() {
        let both = ["old".to_owned(), "new one".to_owned()].to_vec();
        assert_eq!(read("old\nnew one\n"), Ok(both.clone()));
        assert_eq!(read("old\r\nnew one"), Ok(both));
    }

    #[test]
    fn a_missing_or_endless_pin_is_told_without_showing_the_others() {
        for text in ["secret", "secret\n\n", "", &"secret".repeat(1000)] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with("the test") && !told.contains("secret"), "{told}");
        }
    }
}
