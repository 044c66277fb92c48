//! The disk: partitions as `systemd/repart.d` defines them, filled as far as they are made at build time.

pub mod definition;
pub mod esp;
pub mod root;
pub mod table;
