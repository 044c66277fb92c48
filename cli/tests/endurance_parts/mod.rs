//! The parts of the endurance test.

pub(crate) mod log;
pub(crate) mod resources;
pub(crate) mod storm;
