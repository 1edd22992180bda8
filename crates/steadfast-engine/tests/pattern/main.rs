//! Compares the pattern engine with Node.js on random patterns and texts.
//!
//! `DIFFERENTIAL_SEED` and `DIFFERENTIAL_PATTERNS` choose another or a longer run.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod generator;
mod oracle;

use generator::Generator;
use oracle::{Oracle, Verdict};
use steadfast_engine::pattern::{Pattern, Search};

const TEXTS_PER_PATTERN: usize = 5;
const BATCH: u64 = 1_000;

#[test]
fn patterns_mean_what_they_mean_in_node() {
    let seed = setting("DIFFERENTIAL_SEED", 1);
    let patterns = setting("DIFFERENTIAL_PATTERNS", 4_000);
    let mut generator = Generator::new(seed);
    let mut oracle = Oracle::start();
    let mut tally = Tally::default();
    for start in (0..patterns).step_by(1_000) {
        let cases: Vec<(String, Vec<String>)> =
            (0..BATCH.min(patterns - start)).map(|_| case(&mut generator)).collect();
        let verdicts = oracle.judge(&cases);
        assert_eq!(verdicts.len(), cases.len(), "node ended early");
        for ((pattern, texts), verdict) in cases.iter().zip(verdicts) {
            tally.compare(pattern, texts, &verdict);
        }
    }
    println!(
        "seed {seed}: {} pairs, {} matched; {} of {patterns} patterns invalid, {} unknown to node",
        tally.pairs, tally.matched, tally.invalid, tally.unknown
    );
    assert!(
        tally.differences.is_empty(),
        "seed {seed}: {} differences:\n{}",
        tally.differences.len(),
        tally.differences.join("\n")
    );
    assert!(tally.unknown * 100 <= tally.pairs, "node left too much open");
    assert!(tally.matched * 10 >= tally.pairs, "too few searches matched");
}

#[test]
fn a_larger_budget_never_changes_an_answer() {
    let mut generator = Generator::new(7);
    for _ in 0..3_000 {
        let source = generator.pattern();
        let text = generator.text();
        let Ok(pattern) = Pattern::parse(&source) else {
            continue;
        };
        let mut known = Search::GaveUp;
        for steps in (0..60).chain([100, 1_000, 10_000, 100_000]) {
            let answer = pattern.search_within(&text, steps);
            assert!(
                known == Search::GaveUp || answer == known,
                "{source:?} on {text:?}: {known:?} became {answer:?} with {steps} steps"
            );
            known = answer;
        }
    }
}

/// Returns a pattern with texts it can be tested on soon.
fn case(generator: &mut Generator) -> (String, Vec<String>) {
    let source = generator.pattern();
    let mut texts: Vec<String> = (0..TEXTS_PER_PATTERN).map(|_| generator.text()).collect();
    if let Ok(pattern) = Pattern::parse(&source) {
        texts.retain(|text| pattern.search_within(text, 20_000) != Search::GaveUp);
    }
    (source, texts)
}

#[derive(Debug, Default)]
struct Tally {
    pairs: usize,
    matched: usize,
    invalid: usize,
    unknown: usize,
    differences: Vec<String>,
}

impl Tally {
    fn compare(&mut self, source: &str, texts: &[String], verdict: &Verdict) {
        let (pattern, expected) = match (Pattern::parse(source), verdict) {
            (Err(_), Verdict::Invalid) => {
                self.invalid += 1;
                self.pairs += texts.len();
                return;
            }
            (Ok(_), Verdict::Unknown) => {
                self.unknown += 1;
                return;
            }
            (Ok(pattern), Verdict::Tested(expected)) => (pattern, expected),
            (parsed, verdict) => {
                let parsed = parsed.map(drop);
                let difference = format!("{source:?} gave {parsed:?}, in node {verdict:?}");
                self.differences.push(difference);
                return;
            }
        };
        self.pairs += texts.len();
        for (text, &expected) in texts.iter().zip(expected) {
            let result = pattern.search(text);
            if (result == Search::Match) == expected && result != Search::GaveUp {
                self.matched += usize::from(expected);
            } else {
                let difference = format!("{source:?} on {text:?} gave {result:?}");
                self.differences.push(difference);
            }
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().expect("the setting is a number"),
        Err(_) => default,
    }
}
