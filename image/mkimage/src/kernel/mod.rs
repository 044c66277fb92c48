//! What the firmware starts: kernel, initrd and command line in one signed file, measured into PCR 11.

pub mod initrd;
pub mod measure;
pub mod policy;
pub mod sign;
pub mod uki;
