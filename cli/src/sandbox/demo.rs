//! `kiirtee sandbox demo`: an exchange between two organisations, told step by step.

mod evidence;
mod soap;
mod story;

use std::path::PathBuf;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::description::Description;
use super::layout::{Folders, Net};
use super::{process, up};
use crate::failure::{Failure, OrUnusable};
use crate::progress::Progress;
use story::Story;

/// Arguments of `kiirtee sandbox demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder for the instance, kept afterwards; by default a temporary one
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The loopback network; by default the first free one from 127.0.42
    #[arg(long)]
    net: Option<Net>,
}

/// Carries out `kiirtee sandbox demo`.
///
/// # Errors
/// What did not go as it should. Nothing is left running in any case.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let temporary = tempfile::tempdir().or_unusable(|| "make a temporary folder".into())?;
    let root = arguments.dir.as_deref().unwrap_or_else(|| temporary.path());
    let folders = Folders::new(&super::absolute(root)?);
    let net = arguments
        .net
        .or_else(free_net)
        .ok_or_else(|| Failure::unusable("no free loopback network found"))?;
    stop_when_told(folders.clone())?;
    let progress = Progress::new();
    let description = up::up(&folders, up::Shape::plain(net), &progress)?;
    progress.done();
    let told = tell(&description);
    process::stop(&folders, &process::on_file(&folders))?;
    told
}

fn free_net() -> Option<Net> {
    (42..=99)
        .map(|last| Net::loopback(0, last))
        .find(|net| up::is_free(*net))
}

/// The processes have a life of their own: a Ctrl-C meant for the demo must end them too.
fn stop_when_told(folders: Folders) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).or_unusable(|| "watch for signals".into())?;
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else {
            return;
        };
        // What cannot be stopped now can be stopped with `kiirtee sandbox down`.
        let _ = process::stop(&folders, &process::on_file(&folders));
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    });
    Ok(())
}

fn tell(description: &Description) -> Result<(), Failure> {
    let mut story = Story::new(description);
    story.introduction()?;
    story.rest_get()?;
    story.rest_post()?;
    story.soap()?;
    story.refused()?;
    story.evidence()?;
    story.forgery()?;
    story.end()
}
