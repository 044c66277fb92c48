//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::plan::LoadOptions;
use crate::request::ScenarioOptions;

const EXAMPLES: &str = "\
Examples (against `kiirtee sandbox up --dir /tmp/box`, docs/load-testing.md has more):
  kiirtee-load http://127.0.0.1:8000/                                    any HTTP server, 64 connections, 10 s
  kiirtee-load --server http://127.0.1.10:8080 --client SANDBOX/ORG/1001/client \\
      --service SANDBOX/ORG/2002/provider/echo --path '/bytes?size=1024' --watch-sandbox /tmp/box
  kiirtee-load … --rate 100..2000/1m --connections 256 --svg ramp.svg    an open loop that gets faster
  kiirtee-load --scenarios mix.toml --json run.json
  kiirtee-load --scenarios mix.toml --compare run.json --fail-if-slower 5

Exit codes:
  0  done
  1  more exchanges failed than --max-errors allows (by default: any)
  2  the arguments, a file or the environment cannot be used
  3  slower than the compared run, beyond --fail-if-slower and beyond its noise
  4  interrupted";

/// Measures security servers, or any HTTP server, under load.
#[derive(Debug, Parser)]
#[command(name = "kiirtee-load", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) request: ScenarioOptions,
    /// Several requests, mixed: a TOML file with `[load]`, `[defaults]` and `[[scenario]]`; flags win over it
    #[arg(short, long, value_name = "FILE", help_heading = "Request")]
    pub(crate) scenarios: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// Save the figures as JSON; - for standard output, where then nothing else goes
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) json: Option<PathBuf>,
    /// Save the latencies in the percentile format of HdrHistogram (milliseconds), for its plotters
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Save a plot (SVG): latency by percentile, throughput and latency over time
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) svg: Option<PathBuf>,
    /// Compare with a run saved by --json
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) compare: Option<PathBuf>,
    /// End with 3 when throughput, p50 or p99 are worse than the compared run's by more, and beyond the noise
    #[arg(long, value_name = "PERCENT", requires = "compare", help_heading = "Results")]
    pub(crate) fail_if_slower: Option<f64>,
    /// No progress, and no table
    #[arg(short, long, help_heading = "Results")]
    pub(crate) quiet: bool,
    /// Measure the processor time of these processes
    #[arg(long, value_name = "PID", value_delimiter = ',', help_heading = "Watching")]
    pub(crate) watch: Vec<u32>,
    /// Measure the processes of a sandbox, and read what its servers count
    #[arg(long, value_name = "FOLDER", help_heading = "Watching")]
    pub(crate) watch_sandbox: Option<PathBuf>,
    /// Read what a proxy counts, before and after; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Watching")]
    pub(crate) metrics: Vec<String>,
    /// The command `kiirtee`, which asks the signers of a sandbox [default: beside this program, or on the path]
    #[arg(long, value_name = "FILE", help_heading = "Watching")]
    pub(crate) kiirtee: Option<PathBuf>,
    /// How many exchanges may fail: a number, or a share such as 0.1%
    #[arg(
        long,
        value_name = "NUMBER|SHARE%",
        default_value = "0",
        help_heading = "Results"
    )]
    pub(crate) max_errors: MaxErrors,
}

/// How many exchanges may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MaxErrors {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl std::str::FromStr for MaxErrors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_suffix('%') {
            Some(share) => share
                .parse()
                .ok()
                .filter(|s| (0.0..=100.0).contains(s))
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        parsed.ok_or_else(|| format!("`{text}`: expected a number such as 10, or a share such as 0.1%"))
    }
}

impl MaxErrors {
    /// Whether so many failures of so many exchanges are too many.
    pub(crate) fn exceeded_by(self, failed: u64, exchanges: u64) -> bool {
        use crate::results::figures::number;
        match self {
            Self::Count(most) => failed > most,
            Self::Percent(share) => number(failed) * 100.0 > share * number(exchanges),
        }
    }
}
