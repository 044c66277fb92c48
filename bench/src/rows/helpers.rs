//! Rows that a script of its own measures, if it is there.

use cli::failure::Failure;

use super::{Finding, Stage};

/// `token`
pub(super) fn slow_token(_stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    Ok(vec![Finding::told(
        "a token that takes 50 ms a signature",
        "at least 2,000 exchanges/s, p99 under 500 ms",
        "not measured: bench/slow-token.sh is not there",
    )])
}

/// `log`
pub(super) fn postgres(_stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    Ok(vec![Finding::told(
        "message log against one PostgreSQL insert a message",
        "at least 8 times",
        "not measured: bench/postgres.sh is not there",
    )])
}
