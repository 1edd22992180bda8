//! Regular expressions that would take for ever, met by a text that makes them.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;
use steadfast_engine::{Attributes, Options, Reason, Request, Settings, Step, Warning, verb};

/// Generous: a bound on steps is meant to take milliseconds. This only tells an end from no end.
const AN_END: Duration = Duration::from_secs(5);

/// Decides for a user with this value in a campaign whose audience has this expression, in a thread of its own.
/// `None` when it does not end.
fn decided(pattern: &str, value: String) -> Option<(Reason, Vec<Warning>)> {
    let file = json!({"accountId": 1, "version": 1, "campaigns": [{
        "id": 1, "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "goals": [],
        "segments": {"custom_variable": {"v": format!("regex({pattern})")}},
        "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let settings = Settings::parse(&file.to_string()).expect("a sensible file");
        let options = Options { custom_variables: Attributes::new().with("v", value), ..Options::default() };
        let step = verb::activate(Request::new(&settings, "Ashley").with_options(&options), "c");
        if let Ok(Step::Done(decision)) = step {
            // Nobody listens any more when it took too long.
            let _ = sender.send((decision.reason(), decision.warnings().iter().collect()));
        }
    });
    receiver.recv_timeout(AN_END).ok()
}

fn check_gives_up(pattern: &str, value: String) {
    let found = decided(pattern, value);
    assert_eq!(found, Some((Reason::NotInAudience, vec![Warning::PatternGaveUp])), "{pattern}");
}

/// It ends, whatever the outcome; when it gives up, it says so and nothing matches.
fn check_ends(pattern: &str, value: String) {
    let found = decided(pattern, value);
    let Some((reason, warnings)) = found else { panic!("{pattern} does not end") };
    assert!(warnings.is_empty() || reason == Reason::NotInAudience, "{pattern}: {reason:?}, {warnings:?}");
}

fn check_matches(pattern: &str, value: &str) {
    assert_eq!(decided(pattern, value.to_owned()), Some((Reason::Assigned, vec![])), "{pattern} on {value:?}");
}

/// 10 KB of `text`, and an end that spoils the match.
fn hostile(text: &str, end: &str) -> String {
    text.repeat(10_000 / text.len()) + end
}

#[test]
fn nested_repetition_gives_up() {
    check_gives_up("^(a+)+$", hostile("a", "!"));
    check_gives_up("^(a*)*$", hostile("a", "!"));
    check_gives_up("^(?:a+)+?$", hostile("a", "!"));
    check_gives_up("^([a-z]+\\s?)*$", hostile("a", "!"));
    check_gives_up("^((ab)*)*c$", hostile("ab", "!"));
}

#[test]
fn overlapping_alternatives_give_up() {
    check_gives_up("^(a|ab|b)*$", hostile("ab", "!"));
    check_gives_up("^(aab|a|b)*$", hostile("aab", "!"));
    // An engine may see that these are no choices at all, and be right.
    check_ends("^(a|a)*$", hostile("a", "!"));
    check_ends("^(.|[^!])*$", hostile("x", "!\n"));
}

#[test]
fn nested_look_arounds_give_up() {
    check_gives_up("^(?=(a+)+$)", hostile("a", "!"));
    check_gives_up("^(?=(?=(?=(a+)+$)))a", hostile("a", "!"));
    check_gives_up("^(?!(?=(a+)+$)).b", hostile("a", "!"));
    check_gives_up("^(?:(?=(a+))a+)+$", hostile("a", "!"));
    check_gives_up("(?<=^(a+)+)!", format!("b{}", hostile("a", "!")));
}

#[test]
fn back_references_give_up() {
    check_gives_up("^(a+)+\\1$", hostile("a", "!"));
    check_gives_up("^(?:(a*)(a*)\\1\\2)+$", hostile("a", "!"));
    check_gives_up("^(?<x>a+)+\\k<x>$", hostile("a", "!"));
}

#[test]
fn repetition_without_a_start_ends() {
    check_ends("(a+)+$", hostile("a", "!"));
    check_ends("a*a*a*a*a*b", hostile("a", "!"));
    check_ends(".*.*.*=.*", hostile("x", ""));
    check_ends("(x+x+)+y", hostile("x", ""));
    check_ends("\\b(\\w+\\W*)+!$", hostile("word ", "?"));
}

#[test]
fn large_counts_end() {
    check_ends("^(a{1,1000}){1,1000}$", hostile("a", "!"));
    check_ends("^(?:a?){5000}a{5000}$", hostile("a", ""));
    check_ends("(((((a{100}){100}){100}){100}){100})", hostile("a", ""));
    check_ends("a{2147483647,}", hostile("a", ""));
    check_ends("(?:){0,4294967296}x", hostile("a", ""));
    check_ends("^(?:a*){100000}$", hostile("a", "!"));
}

#[test]
fn deep_nesting_ends() {
    check_ends(&format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000)), hostile("a", ""));
    check_ends(&format!("{}a{}", "(?=".repeat(5_000), ")".repeat(5_000)), hostile("a", ""));
    check_ends(&format!("{}a{}", "(?:".repeat(1_000), ")*".repeat(1_000)), hostile("a", "!"));
    check_ends(&"(a|".repeat(5_000), hostile("a", ""));
    check_ends(&"a?".repeat(5_000), hostile("a", "!"));
    check_ends(&"[".repeat(50_000), hostile("a", ""));
}

#[test]
fn large_patterns_are_read_in_time() {
    let many = |part: &dyn Fn(usize) -> String| (0..20_000).map(part).collect::<String>();
    check_ends(&many(&|number| format!("(?<name{number}>a)|")), hostile("b", ""));
    check_ends(&many(&|number| format!("(a)\\{number}")), hostile("a", ""));
    check_ends(&format!("[{}]", many(&|number| format!("\\u{:04x}", number * 2))), hostile("a", ""));
    check_ends(&many(&|_| "[\\w-\\d\\s]|".to_owned()), hostile("!", ""));
    check_ends(&many(&|number| format!("a{{{number},}}")), hostile("a", ""));
}

#[test]
fn what_is_long_and_harmless_still_matches() {
    check_matches("^a+$", &hostile("a", ""));
    check_matches("^(ab)+$", &hostile("ab", ""));
    check_matches("[^a]$", &hostile("a", "!"));
    check_matches("^(?=.*!)[a!]+$", &hostile("a", "!"));
    check_matches("^.{10001}$", &hostile("a", "!"));
    check_matches("😀$", &hostile("😀", ""));
}

/// A trace looks at conditions that the decision did not need; one that gives up there touched nothing.
#[test]
fn a_pattern_that_only_the_trace_looks_at_gives_no_warning() {
    let file = json!({"accountId": 1, "version": 1, "campaigns": [{
        "id": 1, "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "goals": [],
        "segments": {"or": [{"custom_variable": {"v": "wildcard(a*)"}}, {"custom_variable": {"v": "regex(^(a+)+$)"}}]},
        "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let settings = Settings::parse(&file.to_string()).expect("a sensible file");
        let custom_variables = Attributes::new().with("v", hostile("a", "!"));
        let options = Options { custom_variables, ..Options::default() };
        let warnings = [false, true].map(|traced| {
            let request = Request::new(&settings, "Ashley").with_options(&options);
            let step = verb::activate(if traced { request.traced() } else { request }, "c");
            let Ok(Step::Done(decision)) = step else { panic!("there is no storage to ask") };
            decision.warnings()
        });
        let _ = sender.send(warnings);
    });
    let [plain, traced] = receiver.recv_timeout(AN_END).expect("an end");
    assert_eq!(plain, traced);
}
