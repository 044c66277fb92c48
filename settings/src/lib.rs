//! The parameters that operators set, and settings files read by them.
//!
//! Operators know the reference's system parameters: names, sections, defaults, national sets. Settings files here keep
//! them: TOML, with the reference's sections (`[proxy]`, `[message-log]`, …) and keys, and one section that is only ours,
//! `[kiirtee]`. Each parameter is described once, in [`table`]; what a process is given, what `kiirtee config parameters`
//! shows and `docs/parameters.md` come from there.
//!
//! - [`parameter`]: what is said of a parameter
//! - [`table`]: all of them
//! - [`preset`]: national override sets
//! - [`resolve()`]: a settings file, checked and completed with preset and defaults, ready for a typed structure
//! - [`hint`]: what was probably meant
//! - [`ini`]: files of the reference as settings files
//! - [`document`]: the table for people
//! - [`duration`]: times in typed structures

pub mod document;
pub mod duration;
pub mod error;
pub mod hint;
pub mod ini;
pub mod parameter;
pub mod preset;
pub mod resolve;
pub mod table;

pub use error::SettingsError;
pub use preset::Preset;
pub use resolve::{Loaded, load, resolve};
