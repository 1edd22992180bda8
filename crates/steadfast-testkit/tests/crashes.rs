//! A short version of `cargo xtask faults storage`.

use std::process::Command;

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let output = Command::new(env!("CARGO_BIN_EXE_faults")).args(["storage", "40"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.trim_end().ends_with(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap()
    };
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((figure("  kills"), figure("  lost")), (40, 0));
    // A busy machine gives a writer little time.
    assert!(figure("  acknowledged") > 20, "{text}");
}

#[test]
fn two_clients_at_odds_over_one_file_confirm_one_variation_for_each_user() {
    let output = Command::new(env!("CARGO_BIN_EXE_faults")).args(["race", "3000"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("3000  visitors counted"), "{text}");
}
