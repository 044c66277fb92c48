//! `kiirtee diagnose`: how is an appliance, as its monitor and its proxy tell it over the admin address?

mod figures;
mod report;

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use ureq::http::Uri;

use crate::failure::{Failure, OrUnusable};
use report::{Report, Status};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;
/// Where the proxy's health and metrics are, beside the monitor.
const PROXY_PORT: u16 = 5566;

const EXAMPLES: &str = "\
Examples:
  kiirtee diagnose http://10.77.0.40:5567
  kiirtee diagnose http://10.77.0.40:5567 --json
  kiirtee diagnose http://10.77.0.40:5567 --proxy http://10.77.0.40:5566

Exit codes:
  0  the appliance is healthy
  1  it is not; every check that fails is named with its reason
  2  it cannot be asked";

/// Arguments of `kiirtee diagnose`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The appliance's diagnostics
    #[arg(value_name = "URL")]
    url: String,
    /// The proxy's health and metrics; port 5566 of the same host if not given
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `kiirtee diagnose`.
///
/// # Errors
/// [`Failure::No`] when the appliance is not healthy, [`Failure::Unusable`] when it cannot be asked.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let url = arguments.url.trim_end_matches('/');
    let proxy = arguments
        .proxy
        .as_deref()
        .map(|url| url.trim_end_matches('/').to_owned());
    let proxy = proxy.map_or_else(|| beside(url), Ok)?;
    let (_, text) = get(&format!("{url}/status"))?;
    let not_ours = || format!("understand {url}/status; expected the diagnostics of an appliance");
    let status: Status = serde_json::from_str(&text).or_unusable(not_ours)?;
    Report {
        url: url.to_owned(),
        status,
        proxy: ask_proxy(&proxy),
    }
    .say(arguments.json)
}

/// The proxy's own address, from the monitor's.
fn beside(url: &str) -> Result<String, Failure> {
    let unusable = || Failure::unusable(format!("{url} is no address: expected http://HOST:5567"));
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http"));
    Ok(format!("http://{}:{PROXY_PORT}", host.ok_or_else(unusable)?))
}

/// What the proxy says; in words why it says nothing, which does not decide anything: the monitor asks it, too.
fn ask_proxy(proxy: &str) -> report::Proxy {
    #[derive(Deserialize)]
    struct Health {
        #[serde(default)]
        status: String,
        #[serde(default)]
        key_problems: Vec<String>,
    }
    let health = get(&format!("{proxy}/health")).and_then(|(_, text)| {
        serde_json::from_str::<Health>(&text).or_unusable(|| format!("understand {proxy}/health"))
    });
    let metrics = get(&format!("{proxy}/metrics"));
    let mut answer = report::Proxy {
        url: proxy.to_owned(),
        ..report::Proxy::default()
    };
    match health {
        Ok(health) => {
            answer.status = Some(health.status);
            answer.key_problems = health.key_problems;
        }
        Err(error) => answer.problem = Some(error.to_string()),
    }
    match metrics {
        Ok((_, text)) => answer.figures = figures::of(&text),
        Err(error) => answer.problem = Some(error.to_string()),
    }
    answer
}

fn get(url: &str) -> Result<(u16, String), Failure> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.get(url).call().or_unusable(|| format!("reach {url}"))?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.or_unusable(|| format!("read the answer of {url}"))?;
    Ok((
        answer.status().as_u16(),
        String::from_utf8_lossy(&body).into_owned(),
    ))
}
