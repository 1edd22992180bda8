//! Where the official SDK has a quirk: every difference from its recorded answers comes from a row of `docs/compat.md`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on has failed, and shows a table")]

mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use steadfast::engine::Policy;
use steadfast::engine::policy::Activation;
use steadfast_testkit::Case;
use steadfast_testkit::attribute::Attribution;
use steadfast_testkit::compare::differences;
use steadfast_testkit::compat::{Row, numbers_by_tag, rows};
use steadfast_testkit::play::Player;

use places::{shared_vectors, workspace};

/// How many lines were compared, and how many differ.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    lines: usize,
    differences: usize,
}

/// How often a row explains a difference: alone, and as one of several.
type Table<'r> = BTreeMap<&'r str, (usize, usize)>;

/// Plays the cases; every difference has a row.
fn check(cases: &[Case], activation: Activation, expected: &Count) {
    let rows: Vec<Row> = rows(&workspace().join("docs/compat.md")).unwrap();
    let numbers = numbers_by_tag(&rows, activation == Activation::Required);
    let mut table = Table::new();
    let mut count = Count { lines: 0, differences: 0 };
    let mut unexplained = Vec::new();
    for case in cases {
        let policy = Policy { activation, ..Policy::default() };
        let found = Player::new(&case.settings, case.has_storage, policy).unwrap().play(&case.requests);
        let attribution = Attribution::new(case);
        count.lines += case.requests.len();
        for difference in differences(&case.requests, &case.expected, &found) {
            count.differences += 1;
            let tags = attribution.explain(&difference, |tag| numbers.contains_key(tag));
            let explained_by: BTreeSet<&str> = tags.iter().filter_map(|tag| numbers.get(tag).copied()).collect();
            match explained_by.len() {
                0 => unexplained.push(format!("{}: {difference:?}", case.name)),
                1 => explained_by.into_iter().for_each(|number| table.entry(number).or_default().0 += 1),
                _ => explained_by.into_iter().for_each(|number| table.entry(number).or_default().1 += 1),
            }
        }
    }
    println!("{activation:?}: {count:?}\n   alone  with others  row");
    for (number, (alone, among)) in &table {
        println!("{alone:8} {among:12}  {number}");
    }
    let sample = unexplained.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(unexplained.is_empty(), "{} differences have no row in docs/compat.md:\n{sample}", unexplained.len());
    assert_eq!(&count, expected, "what differs has changed: look at it, then at these numbers");
}

fn shared(folder: &str) -> Option<Vec<Case>> {
    shared_vectors().map(|vectors| Case::all(&vectors.join(folder)).unwrap())
}

#[test]
fn every_difference_of_the_projects_quirks_has_a_row() {
    let cases = Case::all(&workspace().join("vectors/quirks")).unwrap();
    check(&cases, Activation::Optional, &Count { lines: 4800, differences: 215 });
    check(&cases, Activation::Required, &Count { lines: 4800, differences: 126 });
}

#[test]
fn every_difference_of_the_demonstrations_has_a_row() {
    let cases = Case::bundle(&workspace().join("vectors/quirks/defects.json")).unwrap();
    check(&cases, Activation::Optional, &Count { lines: 156, differences: 51 });
    check(&cases, Activation::Required, &Count { lines: 156, differences: 50 });
}

#[test]
fn every_difference_of_all_quirks_has_a_row_if_shared_is_there() {
    let Some(cases) = shared("quirks") else { return };
    check(&cases, Activation::Optional, &Count { lines: 36_000, differences: 2813 });
    check(&cases, Activation::Required, &Count { lines: 36_000, differences: 1444 });
}

#[test]
fn every_row_names_a_test_that_exists() {
    let rows = rows(&workspace().join("docs/compat.md")).unwrap();
    assert!(rows.len() > 50, "{} rows", rows.len());
    let mut sources = String::new();
    read_sources(&workspace().join("crates"), &mut sources);
    read_sources(&workspace().join("bindings/node/test"), &mut sources);
    let mut tags = BTreeSet::new();
    for row in &rows {
        assert!(!row.tests.is_empty(), "{} has no test", row.numbers);
        for test in &row.tests {
            let is_there = [format!("fn {test}()"), format!("test('{test}'")].iter().any(|test| sources.contains(test));
            assert!(is_there, "{}: no test `{test}`", row.numbers);
        }
        for tag in &row.tags {
            assert!(tags.insert(tag.clone()), "`{tag}` is in two rows");
        }
    }
}

fn read_sources(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "cjs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
