//! `steadfast demo`, from the outside.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;

use command::{Scratch, steadfast};

/// The count in the first line after `heading` that starts with `words`.
fn count(output: &str, heading: &str, words: &str) -> u64 {
    let rest = &output[output.find(heading).expect("the heading is there")..];
    let line = rest.lines().map(str::trim).find(|line| line.starts_with(words)).expect("the line is there");
    let digits: String = line[words.len()..].chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a count")
}

#[test]
fn the_story_and_its_numbers() {
    let run = steadfast(&["demo"]);
    assert_eq!((run.status, &*run.errors), (0, ""));
    run.has_lines(&[
        "One experiment, 10,000 users, and a change in the middle",
        "1  The experiment checkout-button starts",
        "2  Somebody changes it while it runs",
        "weights: Control 20 % and Green 80 %; traffic: from 100 % to 60 %",
        "3  The same 10,000 users come back",
        "with a storage in a file (embedded:)",
        "see the same as before      10,000",
        "see another variation            0",
        "fall out of the experiment       0",
        "without a storage, 0 with one",
        "4  As many new users come",
        "5  One in ten reaches the goal purchase, and the page reports it twice",
        "with a storage",
        "counted once                 1,000",
        "counted twice                    0",
        "6  The same once more, with a storage that answers after 20 ms",
        "asked in each call        fetched once",
        "same as with the file               30,000 of 30,000    30,000 of 30,000",
        "purchases counted                              1,000               1,000",
        "look-ups                                      62,000              30,000",
        "Try next",
        "steadfast explain --settings demo.json --campaign checkout-button --user Ashley",
        "steadfast batch",
        "steadfast storage list",
    ]);
    assert!(!run.output.contains('\u{1b}'));
    let output = &run.output;
    let (same, other, out) = (
        count(output, "   without a storage", "see the same as before"),
        count(output, "   without a storage", "see another variation"),
        count(output, "   without a storage", "fall out of the experiment"),
    );
    assert_eq!(same + other + out, 10_000);
    // Four in ten fall out with the traffic, and three in ten of the rest change sides with the weights.
    assert!((3_850..4_150).contains(&out) && (1_650..1_950).contains(&other), "{other} and {out}");
    assert!(output.contains(&format!(
        "Changed under their eyes: {},{:03} without",
        (other + out) / 1000,
        (other + out) % 1000
    )));
}

#[test]
fn what_is_waited_for_is_measured() {
    let run = steadfast(&["demo", "--users", "100"]);
    let waits = |words: &str| -> Vec<f64> {
        let line = run.output.lines().find(|line| line.trim_start().starts_with(words)).expect("the row is there");
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    // Whatever this machine is busy with, nobody has an answer before it is given.
    let ([in_each, once], [visit, with_fetching]) = (
        waits("a call waits").try_into().expect("two times"),
        waits("a visit waits in all").try_into().expect("two times"),
    );
    assert!(in_each >= 20.0 && visit >= 40.0 && with_fetching >= 20.0, "{}", run.output);
    assert!(once < in_each, "{}", run.output);
}

#[test]
fn nothing_is_left_behind() {
    let scratch = Scratch::new("demo-temporary");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["demo", "--users", "10"])
        .env("TMPDIR", scratch.path(""))
        .output()
        .expect("it runs");
    assert!(run.status.success());
    assert_eq!(std::fs::read_dir(scratch.path("")).expect("the folder").count(), 0);
}

#[test]
fn its_settings_can_be_tried() {
    let scratch = Scratch::new("demo-settings");
    let file = scratch.path("demo.json");
    let run = steadfast(&["demo", "--users", "100", "--save-settings", &file]);
    run.has_lines(&["Try next", &format!("steadfast validate {file}")]);
    let run = steadfast(&["validate", "--strict", &file]);
    assert_eq!(run.status, 0, "{}", run.output);
    steadfast(&["explain", "--settings", &file, "--campaign", "checkout-button", "--user", "Ashley"])
        .has_lines(&["Ashley gets Control"]);
    steadfast(&["simulate", "--settings", &file, "--campaign", "headline", "--users", "5000"])
        .has_lines(&["✓ The split"]);
}

#[test]
fn too_few_users_for_a_story() {
    let run = steadfast(&["demo", "--users", "3"]);
    assert_eq!(run.status, 2);
    assert!(run.errors.contains("10..=1000000"), "{}", run.errors);
}
