//! The table as Markdown, and below it the conditions of each figure.

use super::verdict;
use crate::rows::Finding;

/// The page.
pub(super) fn page(conditions: &str, findings: &[Finding]) -> String {
    let mut page = format!(
        "{conditions}\n\n| Row | What | Target | Figure: median (least-most) | Met |\n|---|---|---|---|---|\n"
    );
    for finding in findings {
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            finding.row,
            finding.what,
            finding.target,
            finding.figure,
            verdict(finding)
        ));
    }
    for finding in findings.iter().filter(|finding| !finding.conditions.is_empty()) {
        page.push_str(&format!("\n**{}** (`{}`)\n\n", finding.what, finding.row));
        for condition in &finding.conditions {
            page.push_str(&format!("- {condition}\n"));
        }
    }
    page
}
