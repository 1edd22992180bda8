//! Golden cases through the real binary: every answer, and every record that is stored at the end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says what it skips")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use steadfast_testkit::Case;
use steadfast_testkit::compare::differences;
use steadfast_testkit::play::Answers;

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs `steadfast batch` on the requests of a case; where the case has a storage, on a new one of this kind.
fn batch(case: &Case, folder: &Path, activation: &str, kind: Kind) -> Answers {
    let (settings, input) = (folder.join(format!("{}.json", case.name)), folder.join(format!("{}.ndjson", case.name)));
    fs::write(&settings, &case.settings).unwrap();
    fs::write(&input, case.requests.join("\n")).unwrap();
    let storage = match kind {
        _ if !case.has_storage => "none:".to_owned(),
        Kind::Memory => "memory:".to_owned(),
        Kind::Embedded => {
            let file = folder.join(format!("{}.redb", case.name));
            let _ = fs::remove_file(&file);
            format!("embedded:{}", file.display())
        }
    };
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["batch", "--storage", &storage, "--dump-storage", "--activation", activation, "--settings"])
        .arg(&settings)
        .arg("--input")
        .arg(&input)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Answers::from_lines(lines.lines().map(|line| serde_json::from_str(line).unwrap())).unwrap()
}

/// Where a case keeps its records.
#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Embedded,
}

/// The cases in a folder agree; there are so many lines in them.
fn check(cases: &Path, activation: &str, name: &str, kind: Kind, expected: usize) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let mut lines = 0;
    for case in Case::all(cases).unwrap() {
        let found = batch(&case, &folder, activation, kind);
        assert_eq!(found.answers.len(), case.requests.len(), "{}", case.name);
        assert_eq!(found.stored.is_some(), case.has_storage, "{}", case.name);
        assert_eq!(differences(&case.requests, &case.expected, &found), [], "{}", case.name);
        lines += case.requests.len();
    }
    assert_eq!(lines, expected);
}

#[test]
fn the_projects_cases_agree() {
    check(&workspace().join("vectors/public"), "optional", "public", Kind::Memory, 11_815);
    check(&workspace().join("vectors/generated"), "required", "generated", Kind::Memory, 800);
}

#[test]
fn the_projects_cases_agree_on_a_file() {
    check(&workspace().join("vectors/public"), "optional", "public-embedded", Kind::Embedded, 11_815);
    check(&workspace().join("vectors/generated"), "required", "generated-embedded", Kind::Embedded, 800);
}

#[test]
fn all_cases_agree() {
    let cases = workspace().join("../shared/vectors/public");
    if !cases.is_dir() {
        println!("not compared with the complete vectors: ../shared/vectors is not there");
        return;
    }
    check(&cases, "optional", "all", Kind::Memory, 40_615);
}
