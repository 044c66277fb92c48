//! The figures that the image must keep to: a table of `docs/specification.md`, read and not repeated.

use std::path::Path;

use crate::failure::{Failure, OrUnusable, expect};
use crate::story::Story;

/// Heading of the table's first column.
const TABLE: &str = "| Budget |";

/// The budgets, by name.
#[derive(Debug)]
pub struct Budgets(Vec<(String, f64)>);

impl Budgets {
    /// Reads the table of the specification.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(specification: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(specification)
            .or_unusable(|| format!("read {}", specification.display()))?;
        let budgets = parse(&text);
        if budgets.is_empty() {
            return Err(Failure::unusable(format!(
                "{} has no budgets",
                specification.display()
            )));
        }
        Ok(Self(budgets))
    }

    /// Holds a figure against the budget of this name.
    ///
    /// # Errors
    /// When it is over the budget, or there is none.
    pub fn hold(&self, story: &mut Story, name: &str, value: f64) -> Result<(), Failure> {
        story.figure(name, value);
        let limit = self.limit(name)?;
        expect(value < limit, || {
            format!("{name} is {value:.1}; the budget is below {limit}")
        })
    }

    /// The budget of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn limit(&self, name: &str) -> Result<f64, Failure> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, limit)| *limit)
            .ok_or_else(|| Failure::unusable(format!("the specification has no budget {name:?}")))
    }
}

/// Name and number of each row: `| root file system, MB | below 60 | … |`.
fn parse(text: &str) -> Vec<(String, f64)> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with(TABLE))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (name, limit) = (cells.next()?, cells.next()?);
        Some((name.to_owned(), limit.strip_prefix("below ")?.parse().ok()?))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_found_among_other_text() {
        let text = "# X\n| a | 1 |\n\n| Budget | Limit | Held by |\n|---|---|---|\n| root, MB | below 60 | x |\n\nend";
        assert_eq!(parse(text), [("root, MB".to_owned(), 60.0)]);
    }

    #[test]
    fn the_specification_has_every_budget_that_is_held() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/specification.md");
        let budgets = Budgets::read(&path).unwrap();
        for name in crate::scenario::boot_time::BUDGETS {
            assert!(budgets.limit(name).is_ok(), "{name}");
        }
        assert!(budgets.limit("beauty").is_err());
    }
}
