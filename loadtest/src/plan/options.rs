//! How the load is described: the same names as flags and in the `[load]` table of scenario files.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::arrivals::Spacing;
use super::profile::Profile;
use super::units::Span;

/// How requests are sent.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct LoadOptions {
    /// Connections: NUMBER, FROM..TO/TIME or STEP,STEP,…/TIME [default: 64]
    #[arg(short, long, value_name = "PROFILE", help_heading = "Load")]
    pub(crate) connections: Option<Profile>,
    /// Open loop: requests a second, NUMBER, FROM..TO/TIME or STEP,STEP,…/TIME [default: closed loop]
    #[arg(short, long, value_name = "PROFILE", help_heading = "Load")]
    pub(crate) rate: Option<Profile>,
    /// Open loop: how the instants lie
    #[arg(long, value_enum, help_heading = "Load")]
    pub(crate) arrivals: Option<Spacing>,
    /// Closed loop: correct for requests that a stall kept from being sent, one each TIME a connection
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub(crate) expected_interval: Option<Span>,
    /// How long, warm-up not counted [default: the length of the ramp or steps, else 10s]
    #[arg(short, long, value_name = "TIME", help_heading = "Load")]
    pub(crate) duration: Option<Span>,
    /// How many exchanges, instead of a duration
    #[arg(short = 'n', long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) count: Option<u64>,
    /// Load before anything is counted [default: 0s]
    #[arg(short, long, value_name = "TIME", help_heading = "Load")]
    pub(crate) warm_up: Option<Span>,
    /// Threads [default: 1]
    #[arg(short, long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) threads: Option<u32>,
    /// A new connection for each exchange
    #[arg(long, help_heading = "Load")]
    pub(crate) no_reuse: bool,
    /// How long to wait for an answer [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub(crate) time_out: Option<Span>,
    /// How long to wait for a connection [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub(crate) connect_time_out: Option<Span>,
    /// How long outstanding exchanges may take after the end [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub(crate) drain: Option<Span>,
    /// Length of the intervals in the course over time [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub(crate) interval: Option<Span>,
    /// What chance begins with: the same seed, the same choices [default: 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) seed: Option<u64>,
    /// HTTPS: certificates (PEM) of the servers or of who issued theirs
    #[arg(long, value_name = "FILE", help_heading = "HTTPS")]
    pub(crate) ca: Option<PathBuf>,
    /// HTTPS: take any certificate of the server
    #[arg(long, help_heading = "HTTPS")]
    pub(crate) insecure: bool,
    /// HTTPS: our certificate with its chain (PEM)
    #[arg(long, value_name = "FILE", help_heading = "HTTPS")]
    pub(crate) cert: Option<PathBuf>,
    /// HTTPS: the key of our certificate (PEM)
    #[arg(long, value_name = "FILE", help_heading = "HTTPS")]
    pub(crate) key: Option<PathBuf>,
}

impl LoadOptions {
    /// Takes from `base` what is not said here. A duration said here replaces a count, and the other way round.
    pub(crate) fn or(self, base: Self) -> Self {
        let ends = self.duration.is_some() || self.count.is_some();
        Self {
            connections: self.connections.or(base.connections),
            rate: self.rate.or(base.rate),
            arrivals: self.arrivals.or(base.arrivals),
            expected_interval: self.expected_interval.or(base.expected_interval),
            duration: if ends { self.duration } else { base.duration },
            count: if ends { self.count } else { base.count },
            warm_up: self.warm_up.or(base.warm_up),
            threads: self.threads.or(base.threads),
            no_reuse: self.no_reuse || base.no_reuse,
            time_out: self.time_out.or(base.time_out),
            connect_time_out: self.connect_time_out.or(base.connect_time_out),
            drain: self.drain.or(base.drain),
            interval: self.interval.or(base.interval),
            seed: self.seed.or(base.seed),
            ca: self.ca.or(base.ca),
            insecure: self.insecure || base.insecure,
            cert: self.cert.or(base.cert),
            key: self.key.or(base.key),
        }
    }
}
