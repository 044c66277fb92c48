//! What is measured beside the load: processor time, and what servers count themselves.

pub(crate) mod own;
pub(crate) mod processes;
