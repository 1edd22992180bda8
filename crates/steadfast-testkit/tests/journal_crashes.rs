//! A short version of `cargo xtask faults journal`, apart from the other crashes: they take turns with the disk.

use std::process::Command;

#[test]
fn nothing_acknowledged_is_lost_from_a_journal_when_the_writer_is_killed() {
    let output = Command::new(env!("CARGO_BIN_EXE_faults")).args(["journal", "12"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.trim_end().ends_with(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap()
    };
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((figure("  kills"), figure("  lost")), (12, 0));
    // A busy machine gives a writer little time.
    assert!(figure("  acknowledged") > 20 && figure("  replayed from the journal") > 0, "{text}");
}
