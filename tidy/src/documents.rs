//! What the documents promise exists: commands, files, numbered decisions.

use std::path::Path;

use crate::{Findings, files, inside};

/// Commands `make X` in the Markdown files whose target is not in the Makefile.
pub fn check_commands(root: &Path) -> Findings {
    let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap_or_default();
    let targets: Vec<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(t, _)| t)
        .collect();
    let mut findings = Vec::new();
    for (name, text) in markdown(root) {
        for target in make_targets(&text).filter(|target| !targets.contains(target)) {
            findings.push(format!(
                "{name} says `make {target}`, which the Makefile does not know"
            ));
        }
    }
    findings
}

/// The targets of `make X` as written in code: at the start of a line, or just after a back-tick.
fn make_targets(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split(['\n', '`']);
    pieces.filter_map(|piece| {
        let rest = piece
            .trim_start()
            .trim_start_matches("$ ")
            .strip_prefix("make ")?;
        let target = rest.split([' ', '#', ',', ';']).next()?;
        let plain = target
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        (plain && piece.starts_with(['m', '$', ' ']))
            .then_some(target)
            .filter(|target| !target.is_empty())
    })
}

/// Relative links in the Markdown files that lead nowhere.
pub fn check_links(root: &Path) -> Findings {
    let mut findings = Vec::new();
    for (name, text) in markdown(root) {
        let folder = root.join(&name).parent().unwrap_or(root).to_path_buf();
        for link in links(&text).filter(|link| !folder.join(link).exists()) {
            findings.push(format!("{name} links to {link}, which does not exist"));
        }
    }
    findings
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        let path = target.split('#').next()?;
        (!path.is_empty() && !target.contains("://") && !target.contains(char::is_whitespace)).then_some(path)
    })
}

/// Decisions (`docs/adr/NNNN-title.md`) that are not numbered 1, 2, 3, … or lack one of the four headings.
pub fn check_decisions(root: &Path) -> Findings {
    let folder = root.join("docs/adr");
    let mut findings = Vec::new();
    for (index, path) in files(&folder, "md").iter().enumerate() {
        let name = inside(root, path);
        let number = format!("docs/adr/{:04}-", index + 1);
        if !name.starts_with(&number) {
            findings.push(format!(
                "{name} is decision {}: its name should begin with {number}",
                index + 1
            ));
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for heading in [
            "## Context",
            "## Decision",
            "## Consequences",
            "## What would change our mind",
        ] {
            if !text.lines().any(|line| line == heading) {
                findings.push(format!("{name} lacks `{heading}`"));
            }
        }
    }
    findings
}

fn markdown(root: &Path) -> Vec<(String, String)> {
    let read = |path: &std::path::PathBuf| Some((inside(root, path), std::fs::read_to_string(path).ok()?));
    files(root, "md").iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(readme: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("docs/adr")).unwrap();
        std::fs::write(root.join("Makefile"), "test: build\n\tcargo test\n").unwrap();
        std::fs::write(root.join("README.md"), readme).unwrap();
        folder
    }

    #[test]
    fn a_command_that_does_not_exist_is_named() {
        let root = tree("Run `make tests`, or\n\n    $ make test\n\nto make sure.\n");
        assert_eq!(
            check_commands(root.path()),
            ["README.md says `make tests`, which the Makefile does not know"]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let root = tree("[a](Makefile) [b](docs/none.md#x) [c](https://example.org/x) [d](#here)\n");
        assert_eq!(
            check_links(root.path()),
            ["README.md links to docs/none.md, which does not exist"]
        );
    }

    #[test]
    fn decisions_are_numbered_and_complete() {
        let root = tree("");
        let complete =
            "# 1. T\n\n## Context\n\n## Decision\n\n## Consequences\n\n## What would change our mind\n";
        std::fs::write(root.path().join("docs/adr/0001-first.md"), complete).unwrap();
        assert!(check_decisions(root.path()).is_empty());
        std::fs::write(
            root.path().join("docs/adr/0003-third.md"),
            complete.replace("## Context", ""),
        )
        .unwrap();
        assert_eq!(check_decisions(root.path()).len(), 2);
    }
}
