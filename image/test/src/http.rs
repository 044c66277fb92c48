//! What is asked of the appliance and the sandbox over HTTP.

use std::time::Duration;

/// How long an answer may take: a machine that does not answer yet is asked again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text, as far as it is text, its beginning only.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(2_000).collect()
    }

    /// The body, if the status is 200.
    ///
    /// # Errors
    /// With status and body, if it is not.
    pub fn good(self) -> Result<Vec<u8>, String> {
        if self.status == 200 {
            return Ok(self.body);
        }
        Err(format!("HTTP {}: {}", self.status, self.text().trim()))
    }
}

/// Gets a URL.
///
/// # Errors
/// When there is no answer.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = config.build().into();
    let mut request = agent.get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.call().map_err(|why| format!("{url}: {why}"))?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    Ok(Answer {
        status: answer.status().as_u16(),
        body: body.map_err(|why| format!("{url}: {why}"))?,
    })
}
