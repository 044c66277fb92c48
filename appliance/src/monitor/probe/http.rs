//! Asking the proxy over plain HTTP, on this machine.

use std::time::Duration;

use ureq::Agent;

/// How long an answer may take: the proxy waits as long for a service that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 1024 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, as far as it is text.
    pub text: String,
}

/// Asks; no connection is kept, so that each question is also whether one can be had.
///
/// # Errors
/// Why there is no answer, in words.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE));
    let agent: Agent = config.build().into();
    let mut request = agent.get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.call().map_err(|error| format!("{url}: {error}"))?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|error| format!("{url}: {error}"))?;
    Ok(Answer {
        status: answer.status().as_u16(),
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}
