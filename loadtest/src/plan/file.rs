//! Scenario files (TOML): a table `[load]`, a table `[defaults]` for all scenarios, and `[[scenario]]` for each.

use std::path::Path;

use serde::Deserialize;

use super::LoadOptions;
use crate::request::ScenarioOptions;

/// Most scenarios of a file.
const MAX_SCENARIOS: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    load: LoadOptions,
    #[serde(default)]
    defaults: ScenarioOptions,
    #[serde(default)]
    scenario: Vec<ScenarioOptions>,
}

/// Scenarios with the place where each stands.
type Placed = Vec<(String, ScenarioOptions)>;

/// Reads a file. Flags win over it: those of the load over `[load]`, those of the request over every scenario.
///
/// # Errors
/// What is wrong, where, and what was expected.
pub(super) fn read(
    path: &Path,
    request: &ScenarioOptions,
    load: &LoadOptions,
) -> Result<(LoadOptions, Placed), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let file: File = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    if !(1..=MAX_SCENARIOS).contains(&file.scenario.len()) {
        return Err(format!(
            "{name}: expected 1 to {MAX_SCENARIOS} tables [[scenario]], found {}",
            file.scenario.len()
        ));
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let numbered = file.scenario.into_iter().zip(1..);
    let scenarios = numbered.map(|(scenario, number)| {
        let called = scenario
            .name
            .as_deref()
            .map_or_else(String::new, |called| format!(" ({called})"));
        let mut scenario = scenario.or(&file.defaults);
        scenario.body_file = scenario.body_file.map(|path| folder.join(path));
        (
            format!("{name}: [[scenario]] {number}{called}"),
            request.clone().or(&scenario),
        )
    });
    Ok((load.clone().or(file.load), scenarios.collect()))
}

#[cfg(test)]
mod tests {
    use super::super::{End, Mode, Plan};
    use super::*;
    use std::time::Duration;

    const GOOD: &str = r#"
        [load]
        rate = "100..200/30s"
        connections = 32
        warm-up = "2s"

        [defaults]
        server = "http://127.0.0.1:8080"
        client = "A/B/1/c"

        [[scenario]]
        name = "small"
        weight = 9
        service = "A/B/2/p/echo"
        body-size = "1k"

        [[scenario]]
        name = "letter"
        kind = "soap"
        service = "A/B/2/p/getIt/v1"
        attachments = 2
        multipart = "mtom"
    "#;

    fn plan(text: &str, load: &LoadOptions) -> Result<Plan, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mix.toml");
        std::fs::write(&path, text).unwrap();
        Plan::make(Some(&path), &ScenarioOptions::default(), load)
    }

    fn refused(text: &str) -> String {
        plan(text, &LoadOptions::default()).unwrap_err()
    }

    #[test]
    fn a_mix_is_read_and_its_scenarios_share_a_server() {
        let plan = plan(GOOD, &LoadOptions::default()).unwrap();
        assert_eq!((plan.targets.len(), plan.connections()), (1, 32));
        let seen: Vec<_> = plan
            .scenarios
            .iter()
            .map(|s| (s.name.as_str(), s.weight, s.soap))
            .collect();
        assert_eq!(seen, [("small", 9, false), ("letter", 1, true)]);
        assert_eq!(plan.end, End::After(Duration::from_secs(30)), "the ramp's length");
        assert!(matches!(plan.mode, Mode::Open { .. }));
    }

    #[test]
    fn flags_win_over_the_file() {
        let load = LoadOptions {
            count: Some(5),
            ..Default::default()
        };
        assert_eq!(plan(GOOD, &load).unwrap().end, End::Count(5));
    }

    #[test]
    fn an_unknown_or_unusable_value_is_named_with_its_line() {
        let error = refused(&GOOD.replace("warm-up", "warmup"));
        assert!(error.contains("mix.toml") && error.contains("line 5"), "{error}");
        assert!(
            error.contains("unknown field `warmup`, expected one of"),
            "{error}"
        );
        let error = refused(&GOOD.replace("\"2s\"", "\"2 weeks\""));
        assert!(
            error.contains("line 5") && error.contains("expected a time such as"),
            "{error}"
        );
        let error = refused(&GOOD.replace("\"mtom\"", "\"zip\""));
        assert!(error.contains("expected `swa` or `mtom`"), "{error}");
    }

    #[test]
    fn an_unusable_scenario_is_named_by_number_and_name() {
        let error = refused(&GOOD.replace("A/B/2/p/getIt/v1", "getIt"));
        assert!(
            error.contains("[[scenario]] 2 (letter): service `getIt`: expected INSTANCE/"),
            "{error}"
        );
        let error = refused(&GOOD.replace("weight = 9", "attachments = 3"));
        assert!(
            error.contains("[[scenario]] 1 (small): attachments: only for SOAP"),
            "{error}"
        );
    }

    #[test]
    fn a_file_without_scenarios_says_what_it_needs() {
        let error = refused("[load]\nconnections = 1\n");
        assert!(
            error.contains("expected 1 to 100 tables [[scenario]], found 0"),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (from, to, expected) in [
            (
                "warm-up = \"2s\"",
                "expected-interval = \"1ms\"",
                "only for a closed loop",
            ),
            (
                "connections = 32",
                "connections = \"1..5/3s\"",
                "ramp the rate instead",
            ),
            (
                "connections = 32",
                "connections = 0",
                "connections 0: expected 1 to",
            ),
            (
                "rate = \"100..200/30s\"",
                "arrivals = \"poisson\"",
                "expected a rate too",
            ),
            ("warm-up = \"2s\"", "threads = 0", "threads 0: expected 1 to 256"),
            (
                "warm-up = \"2s\"",
                "duration = \"1s\"\ncount = 3",
                "duration, count: expected one",
            ),
            (
                "weight = 9",
                "weight = 9\nurl = \"x\"\n",
                "expected the whole URL alone",
            ),
        ] {
            let error = refused(&GOOD.replace(from, to));
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
