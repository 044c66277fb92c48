//! The appliance's root: taken from packages by the manifest, completed with libraries, checked.

pub mod check;
pub mod elf;
pub mod keep;
pub mod libraries;
pub mod manifest;
pub mod packages;
pub mod text;
