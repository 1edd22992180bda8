//! Storages that cannot be used as they are, and what people are told.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use command::{Run, Scratch, even, settings, steadfast};
use redb::{Database, TableDefinition};
use serde_json::Value;

const RECORD: &str = r#"{"userId":"Ashley","campaignKey":"checkout","variationName":"Green"}"#;

/// The commands that read or empty a storage.
const READING: [&[&str]; 7] =
    [&["get", "Ashley"], &["list"], &["forget", "Ashley"], &["export"], &["check"], &["compact"], &["stats"]];

/// Those that fill it.
const WRITING: [&[&str]; 2] = [&["put", RECORD], &["import"]];

fn storage(url: &str, command: &[&str]) -> Run {
    steadfast(&[&["storage"], command, &["--storage", url]].concat())
}

/// A storage in a file, with a record in it; its path.
fn store(scratch: &Scratch) -> String {
    let path = scratch.path("users.redb");
    assert_eq!(storage(&format!("embedded:{path}"), &["put", RECORD]).status, 0);
    path
}

/// Every command refuses it so, and so does `batch`.
fn all_refuse(scratch: &Scratch, path: &str, messages: &[&str]) {
    let url = format!("embedded:{path}");
    for command in READING.iter().chain(&WRITING) {
        storage(&url, command).refuses(messages);
    }
    let settings = scratch.settings(&settings(&[even(1, "checkout")]));
    steadfast(&["batch", "--settings", &settings, "--storage", &url]).refuses(messages);
}

#[test]
fn a_url_that_is_none() {
    let accepted = "expected `none:`, `memory:`, `embedded:PATH`";
    for url in ["mysql://localhost", "memory", "users.redb", "embedded:", "embedded"] {
        for command in READING.iter().chain(&WRITING) {
            let run = storage(url, command);
            assert_eq!((run.status, &*run.output), (2, ""));
            assert!(run.errors.contains(accepted), "{}", run.errors);
        }
        let run = steadfast(&["batch", "--settings", "settings.json", "--storage", url]);
        assert!(run.status == 2 && run.errors.contains(accepted), "{}", run.errors);
    }
}

#[test]
fn a_storage_without_a_file() {
    for command in READING.iter().chain(&WRITING) {
        let run = storage("none:", command);
        assert_eq!((run.status, &*run.output), (2, ""), "{command:?}");
    }
    storage("none:", &["list"]).refuses(&["`none:` keeps nothing", "embedded:users.redb"]);
    for command in ["check", "compact", "stats"] {
        storage("memory:", &[command]).refuses(&["`memory:` has no file, so there is nothing to look at"]);
    }
    let run = storage("memory:", &["get", "Ashley"]);
    assert_eq!((run.status, &*run.output, &*run.errors), (1, "", "nothing is kept for Ashley\n"));
}

#[test]
fn a_file_that_is_not_there_is_not_made_by_reading() {
    let scratch = Scratch::new("misuse-missing");
    let path = scratch.path("users.redb");
    for command in READING {
        storage(&format!("embedded:{path}"), command).refuses(&["there is no storage file", "check the path"]);
        assert!(!Path::new(&path).exists(), "{command:?}");
    }
    // It is told where a path begins, unless it begins at the root.
    let absolute = storage(&format!("embedded:{path}"), &["list"]);
    assert!(!absolute.errors.contains("relative"), "{}", absolute.errors);
    storage("embedded:no-such-users.redb", &["list"]).refuses(&["which is relative to the current folder"]);
}

#[test]
fn a_folder_that_is_not_there() {
    let scratch = Scratch::new("misuse-no-folder");
    for folder in ["nowhere", "nowhere/deep"] {
        let path = scratch.path(&format!("{folder}/users.redb"));
        let folder = scratch.path(folder);
        all_refuse(&scratch, &path, &[&format!("there is no folder `{folder}`"), "create the folder"]);
        assert!(!Path::new(&folder).exists(), "it is not made");
    }
    let file = scratch.file("users.csv", "");
    all_refuse(
        &scratch,
        &format!("{file}/users.redb"),
        &["in the place of the folder", "users.csv`", "check the path"],
    );
}

#[test]
fn a_file_that_another_process_has() {
    let scratch = Scratch::new("misuse-in-use");
    let path = store(&scratch);
    let mut other = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["storage", "put", "--if-absent", "--storage", &format!("embedded:{path}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = other.stdin.take().unwrap();
    // Once it answers, it has the file.
    let records: String = (0..1_000).map(|number| RECORD.replace("Ashley", &format!("user-{number}")) + "\n").collect();
    input.write_all(records.as_bytes()).unwrap();
    let mut answers = BufReader::new(other.stdout.take().unwrap());
    answers.read_line(&mut String::new()).unwrap();
    all_refuse(&scratch, &path, &["is open already, and only one may have it", "stop or close the other one"]);
    drop(input);
    assert_eq!(answers.lines().count(), 999);
    assert!(other.wait().unwrap().success());
    assert_eq!(storage(&format!("embedded:{path}"), &["list"]).output.lines().count(), 1_001);
}

#[test]
fn a_file_of_a_newer_format() {
    let scratch = Scratch::new("misuse-newer");
    let path = store(&scratch);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let format: TableDefinition<'static, &str, u64> = TableDefinition::new("format");
    transaction.open_table(format).unwrap().insert("version", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = std::fs::read(&path).unwrap();
    all_refuse(&scratch, &path, &["has format 99, and this version reads 1", "use a newer one"]);
    assert!(before == std::fs::read(&path).unwrap(), "it is left as it is");
}

#[test]
fn a_folder() {
    let scratch = Scratch::new("misuse-folder");
    all_refuse(&scratch, &scratch.path(""), &["is a folder", "name a file"]);
}

#[test]
fn a_file_of_something_else() {
    let scratch = Scratch::new("misuse-other");
    let path = scratch.file("users.csv", "user,variation\nAshley,Green\n");
    let url = format!("embedded:{path}");
    for command in READING.iter().chain(&WRITING).filter(|command| command[0] != "check") {
        storage(&url, command).refuses(&["is not a storage file", "check the path"]);
    }
    let run = storage(&url, &["check"]);
    assert_eq!(run.status, 1);
    run.has_lines(&["users.csv is no steadfast storage\n", "is not a storage file"]);
    assert!(!run.output.contains("is damaged\n") && !run.output.contains("can be read"), "{}", run.output);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "user,variation\nAshley,Green\n");
}

#[test]
fn a_database_of_something_else() {
    let scratch = Scratch::new("misuse-database");
    let path = scratch.path("other.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let theirs: TableDefinition<'static, &str, u64> = TableDefinition::new("theirs");
    transaction.open_table(theirs).unwrap().insert("one", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let run = storage(&format!("embedded:{path}"), &["check"]);
    assert_eq!(run.status, 1, "{}", run.errors);
    run.has_lines(&["other.redb holds no steadfast storage that can be read\n", "is a database of another program"]);
    assert!(!run.output.contains("damaged"), "{}", run.output);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_only_be_read() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    /// Somebody who owns nothing, for where the test is run by somebody who may do everything.
    const NOBODY: u32 = 65_534;

    let scratch = Scratch::new("misuse-read-only");
    let path = store(&scratch);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let may_do_everything = std::fs::OpenOptions::new().write(true).open(&path).is_ok();
    let run = |command: &[&str]| {
        let mut process = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        process.args([&["storage"], command, &["--storage", &format!("embedded:{path}")]].concat());
        if may_do_everything { process.uid(NOBODY).output().ok() } else { process.output().ok() }
    };
    if !run(&["stats"]).is_some_and(|output| output.status.success()) {
        println!("not tried: nobody but this user gets at the test's folder");
        return;
    }
    for command in [&["get", "Ashley"][..], &["list"], &["export"]] {
        let output = run(command).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found, serde_json::from_str::<Value>(RECORD).unwrap(), "{command:?}");
    }
    let settings = scratch.settings(&settings(&[even(1, "checkout")]));
    let audit = run(&["audit", "--settings", &settings]).unwrap();
    assert_eq!(audit.status.code(), Some(0), "{}", String::from_utf8_lossy(&audit.stderr));
    for command in [&["forget", "Ashley"][..], &["put", RECORD], &["compact"]] {
        let output = run(command).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {errors}");
        assert!(errors.contains("may not be read and written: let this process do both"), "{command:?}: {errors}");
    }
    assert!(run(&["check"]).unwrap().status.success(), "looking needs no writing");
}
