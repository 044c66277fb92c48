//! The ledger: what is in `proxy/tests/interop/ledger.toml`, and that it contradicts neither itself nor the runners.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::cases;

/// An answer that is no fault.
pub(crate) const OK: &str = "ok";

/// Everything in the ledger.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    #[serde(rename = "case")]
    pub(crate) cases: Vec<Case>,
}

/// A case of the reference's test suite.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Its name there.
    pub(crate) name: String,
    /// Its class, below `src/service/proxy/proxy-core/src/test/java/org/niis/xroad/proxy/core`.
    pub(crate) source: String,
    /// What it shows.
    pub(crate) shows: String,
    /// The fault code that the reference expects, [`OK`] for an answer; a `*` at the end stands for any end.
    pub(crate) expected: String,
    pub(crate) state: State,
    /// Why we differ, or why the case stays open.
    pub(crate) reason: Option<String>,
    /// Our code where it differs.
    pub(crate) ours: Option<String>,
    /// Who runs it here.
    pub(crate) run: Option<Run>,
    /// The test that proves it elsewhere: `file::function`.
    pub(crate) proof: Option<String>,
    /// The message that the client sends.
    pub(crate) request: Option<Sent>,
    /// The message that the provider, or the scripted peer, answers with.
    pub(crate) response: Option<Sent>,
    /// Texts of the vectors that stand for others.
    #[serde(default)]
    pub(crate) instead: BTreeMap<String, String>,
}

/// Where we stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// We do what the reference does.
    Same,
    /// We do something else, on purpose.
    Differs,
    /// Nothing was tried.
    Open,
}

/// Who runs a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Run {
    /// An information system through two servers to a provider, as the fields of the case say.
    #[serde(rename = "exchange")]
    Exchange,
    /// The same with a scripted peer as the provider's server.
    #[serde(rename = "scripted provider")]
    ScriptedProvider,
    /// A scripted peer as the consumer's server.
    #[serde(rename = "scripted consumer")]
    ScriptedConsumer,
    /// A function of its own, see [`cases::OWN`].
    #[serde(rename = "own")]
    Own,
}

/// A message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    /// File of the vectors.
    pub(crate) file: Option<String>,
    /// Content type.
    #[serde(rename = "type")]
    pub(crate) content_type: Option<String>,
    /// HTTP method, POST if not said.
    pub(crate) method: Option<String>,
    /// Status and reason, 200 if not said.
    pub(crate) status: Option<String>,
    /// More headers.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// How many bytes of the announced length never come.
    #[serde(default)]
    pub(crate) missing: usize,
    /// Whether a byte order mark stands in front.
    #[serde(default)]
    pub(crate) byte_order_mark: bool,
    /// Comes over TLS with this certificate of the information system.
    pub(crate) certificate: Option<String>,
}

impl Case {
    /// What we are to answer.
    pub(crate) fn wanted(&self) -> &str {
        self.ours.as_deref().unwrap_or(&self.expected)
    }

    /// Whether that is what came.
    pub(crate) fn is_met_by(&self, got: &str) -> bool {
        match self.wanted().strip_suffix('*') {
            Some(start) => got.starts_with(start),
            None => got == self.wanted(),
        }
    }
}

fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

impl Ledger {
    /// Reads the ledger.
    pub(crate) fn read() -> Self {
        let file = workspace().join("proxy/tests/interop/ledger.toml");
        toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    /// How many cases are in this state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.cases.iter().filter(|case| case.state == state).count()
    }
}

#[test]
fn the_ledger_and_the_runners_agree() {
    let ledger = Ledger::read();
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for case in &ledger.cases {
        if !names.insert(&case.name) {
            problems.push(format!("{}: twice", case.name));
        }
        problems.extend(check(case).map(|problem| format!("{}: {problem}", case.name)));
    }
    let own: BTreeSet<&str> = cases::OWN.iter().map(|(name, _)| *name).collect();
    let wanted: BTreeSet<&str> = ledger
        .cases
        .iter()
        .filter(|case| case.run == Some(Run::Own))
        .map(|case| case.name.as_str())
        .collect();
    for name in wanted.difference(&own) {
        problems.push(format!("{name}: no runner"));
    }
    for name in own.difference(&wanted) {
        problems.push(format!("{name}: a runner, but no case"));
    }
    assert!(problems.is_empty(), "{problems:#?}");
    eprintln!(
        "{} cases: {} same, {} differ, {} open",
        ledger.cases.len(),
        ledger.count(State::Same),
        ledger.count(State::Differs),
        ledger.count(State::Open)
    );
}

fn check(case: &Case) -> Option<String> {
    let has_reason = case.reason.as_ref().is_some_and(|reason| reason.len() > 10);
    if case.shows.is_empty() || case.source.is_empty() || case.expected.is_empty() {
        return Some("does not say what it shows".into());
    }
    match (case.state, &case.run, &case.proof) {
        (State::Open, None, None) if has_reason => None,
        (State::Open, None, None) => Some("open without a reason".into()),
        (State::Open, ..) => Some("open, but somebody runs it".into()),
        (_, None, None) => Some("nobody runs it".into()),
        (_, Some(_), Some(_)) => Some("run here and proven elsewhere".into()),
        (State::Differs, ..) if !has_reason => Some("differs without a reason".into()),
        (State::Same, ..) if case.ours.is_some() => Some("the same, but with a code of ours".into()),
        (_, Some(run), None) => incomplete(case, *run),
        (_, None, Some(proof)) => absent(proof),
    }
}

/// What the fields of a case lack for its runner.
fn incomplete(case: &Case, run: Run) -> Option<String> {
    let lacks = match run {
        Run::Own => false,
        Run::Exchange | Run::ScriptedConsumer => case.request.is_none(),
        Run::ScriptedProvider => case.request.is_none() || case.response.is_none(),
    };
    lacks.then(|| format!("{run:?} needs messages"))
}

/// Whether the test that is named does not exist.
fn absent(proof: &str) -> Option<String> {
    let Some((file, function)) = proof.split_once("::") else {
        return Some(format!("{proof} is not file::function"));
    };
    let text = std::fs::read_to_string(workspace().join(Path::new(file))).unwrap_or_default();
    let before = text
        .split_once(&format!("fn {function}("))
        .map(|(before, _)| before);
    let is_test =
        before.is_some_and(|before| before.lines().rev().take(3).any(|line| line.contains("#[test]")));
    (!is_test).then(|| format!("there is no test {proof}"))
}
