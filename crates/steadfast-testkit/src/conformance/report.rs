//! What came of the checks.

use std::fmt;

use crate::conformance::run::SEED;

/// What came of a run: one line for every check, and what was found where one failed.
#[derive(Debug, Clone)]
#[must_use = "a report that nobody looks at says nothing: `assert` it"]
pub struct Report {
    title: &'static str,
    seed: u64,
    checked: Vec<Checked>,
}

/// What came of one check.
#[derive(Debug, Clone)]
pub struct Checked {
    name: &'static str,
    promise: &'static str,
    finding: Option<Finding>,
}

/// Where a storage did not keep its contract.
#[derive(Debug, Clone)]
pub struct Finding {
    what: String,
    expected: String,
    found: String,
}

impl Report {
    pub(super) fn new(title: &'static str, seed: u64, checked: Vec<Checked>) -> Report {
        Report { title, seed, checked }
    }

    /// All checks that were run, in their order.
    #[must_use]
    pub fn checks(&self) -> &[Checked] {
        &self.checked
    }

    /// The checks that failed, in their order.
    pub fn failed(&self) -> impl Iterator<Item = &Checked> {
        self.checked.iter().filter(|checked| checked.finding.is_some())
    }

    /// Whether no check failed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// What the numbers of the generated checks came from: the variable [`SEED`] set to it repeats them.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// For tests: nothing, if every check passed.
    ///
    /// # Panics
    /// When a check failed, with the whole report.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.is_passed(), "{self}");
    }
}

impl Checked {
    pub(super) fn new(name: &'static str, promise: &'static str, finding: Option<Finding>) -> Checked {
        Checked { name, promise, finding }
    }

    /// The name of the check.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What a storage that passes it keeps.
    #[must_use]
    pub fn promise(&self) -> &'static str {
        self.promise
    }

    /// What was found, where it failed.
    #[must_use]
    pub fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }
}

impl Finding {
    pub(super) fn new(what: impl Into<String>, expected: &impl fmt::Debug, found: &impl fmt::Debug) -> Finding {
        Finding { what: what.into(), expected: format!("{expected:?}"), found: format!("{found:?}") }
    }

    /// A finding in words.
    pub(super) fn said(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Finding {
        Finding { what: what.into(), expected: expected.into(), found: found.into() }
    }

    /// What was done.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What a storage that keeps the contract answers, in words or as Rust writes it for people.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What this one answered, in the same form.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

/// The failed checks last, where a terminal ends.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.checked.len() - self.failed().count();
        let width = self.checked.iter().map(|checked| checked.name.len()).max().unwrap_or_default();
        writeln!(formatter, "{}: {passed} of {} checks passed", self.title, self.checked.len())?;
        for checked in self.checked.iter().filter(|checked| checked.finding.is_none()) {
            writeln!(formatter, "  ok      {:width$}  {}", checked.name, checked.promise)?;
        }
        for checked in self.failed() {
            writeln!(formatter, "  FAILED  {:width$}  {}", checked.name, checked.promise)?;
            if let Some(finding) = &checked.finding {
                write!(formatter, "{finding}")?;
            }
        }
        if passed < self.checked.len() {
            writeln!(formatter, "  {SEED}={} repeats what was by chance", self.seed)?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, text) in [("when", &self.what), ("expected", &self.expected), ("found", &self.found)] {
            writeln!(formatter, "          {label:8}  {}", Shortened(text))?;
        }
        Ok(())
    }
}

/// So many characters of a text are shown at its beginning, and so many at its end.
const SHOWN: (usize, usize) = (800, 200);

/// A text of which only the ends are shown if it is very long.
struct Shortened<'t>(&'t str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let long = self.0.chars().count();
        if long <= SHOWN.0 + SHOWN.1 {
            return formatter.write_str(self.0);
        }
        let (start, end): (String, String) =
            (self.0.chars().take(SHOWN.0).collect(), self.0.chars().skip(long - SHOWN.1).collect());
        write!(formatter, "{start} … {} characters … {end}", long - SHOWN.0 - SHOWN.1)
    }
}
