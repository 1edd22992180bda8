//! The table of deliberate differences, `docs/compat.md`, as data: which tag of a golden line belongs to which row.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Numbers of the quirk and the decision, as written: `Q-8 D-11`.
    pub numbers: String,
    /// The tags of golden lines that show it.
    pub tags: Vec<String>,
    /// The names of the tests that pin our behaviour.
    pub tests: Vec<String>,
    /// Whether the row holds only under `Activation::Optional`.
    pub only_optional: bool,
}

/// Reads the first table of the page: the one whose head begins with `Number`.
///
/// # Errors
/// When the page cannot be read or has no such table.
pub fn rows(page: &Path) -> Result<Vec<Row>, Failure> {
    let text = fs::read_to_string(page).map_err(|error| Failure::at(page, error))?;
    let mut lines = text.lines().skip_while(|line| !line.starts_with("| Number"));
    if lines.next().is_none() {
        return Err(Failure::at(page, "has no table that begins with `| Number`"));
    }
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [numbers, tags, _, _, _, option, tests] = cells.as_slice() else {
            return Err(Failure::at(page, format!("a row has {} cells, expected 7: {line}", cells.len())));
        };
        Ok(Row {
            numbers: (*numbers).to_owned(),
            tags: quoted(tags),
            tests: quoted(tests),
            only_optional: option.contains("Activation::Required"),
        })
    });
    rows.collect()
}

/// The numbers of the row for each tag, or the tag itself where a row has no number. Under `Activation::Required` the
/// rows that it switches off are left out.
#[must_use]
pub fn numbers_by_tag(rows: &[Row], activation_is_required: bool) -> BTreeMap<&str, &str> {
    let rows = rows.iter().filter(|row| !(activation_is_required && row.only_optional));
    rows.flat_map(|row| row.tags.iter().map(|tag| (tag.as_str(), label(row, tag)))).collect()
}

fn label<'r>(row: &'r Row, tag: &'r str) -> &'r str {
    if row.numbers == "no number" { tag } else { &row.numbers }
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
