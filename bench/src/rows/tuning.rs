//! What an operator may turn, and what each turn is worth on this machine (docs/operations.md, "Tuning").

use cli::failure::Failure;
use serde_json::json;
use toml::Value;

use super::beside::Pair;
use super::{Finding, Stage};
use crate::measure::Ask;
use crate::servers::Shape;

/// `tuning`
///
/// Each option beside servers as they are delivered, in turns. Nothing is demanded: the manual says what came of it.
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    options()
        .into_iter()
        .map(|(what, shape)| beside_defaults(stage, what, &shape))
        .collect()
}

fn options() -> Vec<(&'static str, Shape)> {
    let proxy = |key, value: Value| Shape {
        proxy: vec![("kiirtee", key, value)],
        ..Shape::default()
    };
    let environment = |name, value| Shape {
        environment: vec![(name, value)],
        ..Shape::default()
    };
    let as_urgent = Shape {
        signer: vec![("kiirtee", "background-nice", 0.into())],
        ..proxy("background-nice", 0.into())
    };
    vec![
        ("pin-workers = false", proxy("pin-workers", false.into())),
        ("io-driver = ring", proxy("io-driver", "ring".into())),
        ("io-driver = epoll", proxy("io-driver", "epoll".into())),
        ("background-nice = 0", as_urgent),
        (
            "huge pages for the heap (MIMALLOC_ALLOW_LARGE_OS_PAGES=1)",
            environment("MIMALLOC_ALLOW_LARGE_OS_PAGES", "1"),
        ),
    ]
}

fn beside_defaults(stage: &Stage<'_>, what: &str, shape: &Shape) -> Result<Finding, Failure> {
    let turned = stage.others(shape)?;
    let pair = Pair::measure(stage.bed, (stage.servers()?, Ask::ONE), (&turned, Ask::ONE))?;
    let figure = format!("{} times the exchanges a CPU-second", pair.share());
    Ok(Finding::told(what, "", figure)
        .with(format!("as delivered: {}", pair.yardstick.words()))
        .with(format!("turned: {}", pair.servers.words()))
        .from(json!({"delivered": pair.yardstick, "turned": pair.servers})))
}
