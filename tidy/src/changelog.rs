//! `CHANGELOG.md` keeps the form of <https://keepachangelog.com>, because operators and their tools read it.

use crate::Findings;

const KINDS: &[&str] = &["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// Headings, order and entries of the changelog that are not in the agreed form.
pub fn check(text: &str) -> Findings {
    let mut findings = Vec::new();
    if text.lines().next() != Some("# Changelog") {
        findings.push("CHANGELOG.md does not begin with `# Changelog`".into());
    }
    let releases: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    if releases.first() != Some(&"[Unreleased]") {
        findings.push("the first release in CHANGELOG.md is not `## [Unreleased]`".into());
    }
    findings.extend(
        releases
            .iter()
            .skip(1)
            .filter(|release| !is_release(release))
            .map(|release| {
                format!("CHANGELOG.md: `## {release}` is not of the form `## [1.2.3] - 2026-01-31`")
            }),
    );
    findings.extend(check_kinds(text));
    findings
}

fn check_kinds(text: &str) -> Findings {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("### "));
    kinds
        .filter(|kind| !KINDS.contains(kind))
        .map(|kind| format!("CHANGELOG.md: `### {kind}` is none of {}", KINDS.join(", ")))
        .collect()
}

fn is_release(heading: &str) -> bool {
    let Some((version, date)) = heading.split_once(" - ") else {
        return false;
    };
    let numbers = version
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or_default();
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(numeric)
        && date.split('-').map(str::len).eq([4, 2, 2])
        && date.split('-').all(numeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n- a\n\n## [0.1.0] - 2026-11-22\n";

    #[test]
    fn the_agreed_form_passes() {
        assert_eq!(check(GOOD), Findings::new());
    }

    #[test]
    fn each_departure_is_named() {
        assert_eq!(check(&GOOD.replace("# Changelog", "# Changes")).len(), 1);
        assert_eq!(check(&GOOD.replace("[Unreleased]", "[Next]")).len(), 1);
        assert_eq!(check(&GOOD.replace("### Added", "### New")).len(), 1);
        assert_eq!(check(&GOOD.replace("2026-11-22", "today")).len(), 1);
        assert_eq!(check(&GOOD.replace("0.1.0", "0.1")).len(), 1);
    }
}
