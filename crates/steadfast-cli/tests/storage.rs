//! `storage`: looking into a storage, filling it, emptying it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Run, Scratch, steadfast, steadfast_with_input};
use serde_json::{Value, json};
use steadfast::storage::bridge::{Offloaded, Waited};
use steadfast::storage::layer::write_behind::{Journal, WriteBehind, WriteBehindOptions};
use steadfast::storage::{AsyncUserStorage, EmbeddedStorage, Record, StorageError, StorageErrorKind, UserStorage};

/// What no machine needs, however busy.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A storage in a file of the test's own.
struct Store {
    scratch: Scratch,
    url: String,
}

impl Store {
    fn new(test: &str) -> Store {
        let scratch = Scratch::new(&format!("storage-{test}"));
        let url = format!("embedded:{}", scratch.path("users.redb"));
        Store { scratch, url }
    }

    /// With these records in it.
    fn with(test: &str, records: &[Value]) -> Store {
        let store = Store::new(test);
        let run = store.run_with_input("put", &[], &lines(records));
        assert_eq!((run.status, &*run.errors), (0, ""));
        store
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Run {
        self.run_with_input(command, arguments, "")
    }

    fn run_with_input(&self, command: &str, arguments: &[&str], input: &str) -> Run {
        steadfast_with_input(&[&["storage", command, "--storage", &self.url], arguments].concat(), input)
    }

    /// All records, as `export` writes them.
    fn records(&self) -> Vec<Value> {
        let run = self.run("export", &[]);
        assert_eq!((run.status, &*run.errors), (0, ""));
        values(&run.output)
    }
}

fn record(user: &str, campaign: &str, variation: &str) -> Value {
    json!({ "userId": user, "campaignKey": campaign, "variationName": variation })
}

fn with_goals(user: &str, campaign: &str, variation: &str, goals: &str) -> Value {
    let mut record = record(user, campaign, variation);
    record["goalIdentifier"] = json!(goals);
    record
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

fn values(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn three() -> [Value; 3] {
    [
        record("Ashley", "banner", "Beach"),
        with_goals("Ashley", "checkout", "Green", "a_vwo_b"),
        record("Bo", "banner", "Control"),
    ]
}

#[test]
fn get_prints_what_is_stored_for_a_user() {
    let store = Store::with("get", &three());
    let run = store.run("get", &["Ashley"]);
    assert_eq!((run.status, values(&run.output)), (0, three()[..2].to_vec()));
    let run = store.run("get", &["Ashley", "checkout"]);
    assert_eq!((run.status, values(&run.output)), (0, three()[1..2].to_vec()));
    for (nothing, told) in [
        (&["Ashley", "headline"][..], "nothing is kept for Ashley in campaign headline\n"),
        (&["Cleo"], "nothing is kept for Cleo\n"),
    ] {
        let run = store.run("get", nothing);
        assert_eq!((run.status, &*run.output, &*run.errors), (1, "", told));
    }
}

#[test]
fn put_writes_over_and_claims_do_not() {
    let store = Store::with("put", &three());
    let run = store.run("put", &[&record("Ashley", "checkout", "Control").to_string()]);
    assert_eq!((run.status, &*run.output), (0, "1 record stored\n"));
    assert_eq!(values(&store.run("get", &["Ashley", "checkout"]).output), [record("Ashley", "checkout", "Control")]);
    let claims = [with_goals("Ashley", "checkout", "Green", "a"), record("Cleo", "banner", "Beach")];
    let run = store.run_with_input("put", &["--if-absent"], &lines(&claims));
    let winners = [with_goals("Ashley", "checkout", "Control", "a"), claims[1].clone()];
    assert_eq!((run.status, values(&run.output)), (0, winners.to_vec()));
}

#[test]
fn put_takes_the_good_lines_of_many() {
    let store = Store::new("put-lines");
    let many: Vec<Value> = (0..2_500).map(|number| record(&format!("user-{number:04}"), "banner", "Beach")).collect();
    let input = format!("{{\n{}[]\n", lines(&many));
    let run = store.run_with_input("put", &["--json"], &input);
    assert_eq!((run.status, run.json()), (1, json!({"stored": 2_500, "failed": 0, "malformed": 2})));
    assert!(
        run.errors.contains("line 1 is not JSON") && run.errors.contains("line 2502 is not an object"),
        "{}",
        run.errors
    );
    assert_eq!(store.records(), many);
}

#[test]
fn list_is_for_programs_in_a_pipe() {
    let store = Store::with("list", &three());
    let list = |arguments: &[&str]| values(&store.run("list", arguments).output);
    assert_eq!(list(&[]), three());
    assert_eq!(list(&["--user-prefix", "A"]), three()[..2]);
    assert_eq!(list(&["--user-prefix", "B"]), three()[2..]);
    assert_eq!(list(&["--user-prefix", "C"]), [Value::Null; 0]);
    assert_eq!(list(&["--campaign", "banner"]), [three()[0].clone(), three()[2].clone()]);
    assert_eq!(list(&["--limit", "2"]), three()[..2]);
    assert_eq!(list(&["--campaign", "banner", "--limit", "1"]), three()[..1]);
}

#[test]
fn a_forgotten_user_is_gone() {
    let store = Store::with("forget", &three());
    let run = store.run("forget", &["Ashley"]);
    assert_eq!((run.status, run.output), (0, format!("erased 2 records of Ashley from {}\n", store.url)));
    assert_eq!(store.records(), three()[2..]);
    let run = store.run("forget", &["Ashley", "--json"]);
    assert_eq!((run.status, run.json()), (0, json!({"userId": "Ashley", "storage": store.url, "erased": 0})));
}

#[test]
fn a_key_that_no_record_has_is_named_once() {
    let store = Store::new("misspelt");
    let line = r#"{"userId":"Ann","campaignKey":"c","variationName":"V","goalIdentifer":"purchase"}"#;
    let run = store.run_with_input("put", &[], &format!("{line}\n{line}\n"));
    assert_eq!(run.status, 0);
    let said = "`goalIdentifer` is no key of a record, and is left out: did you mean `goalIdentifier`?\n";
    assert_eq!(run.errors, said);
}

/// A storage that is down.
struct Down;

impl AsyncUserStorage for Down {
    async fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "down"))
    }

    async fn set(&self, _: Record) -> Result<(), StorageError> {
        self.get("", "").await.map(drop)
    }
}

#[test]
fn a_forgotten_user_is_gone_from_the_journal_of_a_program_that_has_ended() {
    let store = Store::with("forget-journal", &three());
    let journal = store.scratch.path("steadfast.journal");
    let forget = || store.run("forget", &["Ashley", "--journal", &journal]);
    forget().refuses(&["there is no journal", "check the path"]);
    let options = WriteBehindOptions { journal: Journal::Always((&journal).into()), ..WriteBehindOptions::default() };
    let program = Waited::new(WriteBehind::new(Down, options).unwrap(), PATIENCE).unwrap();
    for user in ["Ashley", "Zoe"] {
        program.set(Record::new(user, "late", "Control")).unwrap();
    }
    forget().refuses(&["is open in a program that runs", "Client::erase"]);
    let end = std::time::Duration::from_millis(10);
    program.call(PATIENCE, move |program| async move { program.shutdown(end).await }).unwrap().unwrap_err();
    drop(program);
    let run = forget();
    assert_eq!((run.status, &*run.errors), (0, ""));
    let expected = format!(
        "erased 2 records of Ashley from {}\nerased what waited for 1 campaign in the journal; the program erases the \
         user once more when it begins\n",
        store.url
    );
    assert_eq!(run.output, expected);
    // Somebody is slower than that.
    store.run_with_input("put", &[], &lines(&[record("Ashley", "banner", "Beach")]));
    // The program begins anew: what waited for others is sent, and the user is erased.
    let users = EmbeddedStorage::open(store.url.strip_prefix("embedded:").unwrap()).unwrap();
    let options = WriteBehindOptions { journal: Journal::Always((&journal).into()), ..WriteBehindOptions::default() };
    let program = Waited::new(WriteBehind::new(Offloaded::new(users), options).unwrap(), PATIENCE).unwrap();
    program.call(PATIENCE, |program| async move { program.shutdown(PATIENCE).await }).unwrap().unwrap();
    drop(program);
    let kept: Vec<String> =
        store.records().iter().map(|record| record["userId"].as_str().unwrap().to_owned()).collect();
    assert!(!kept.contains(&"Ashley".to_owned()) && kept.contains(&"Zoe".to_owned()), "{kept:?}");
    let run = store.run("forget", &["Zoe", "--journal", &journal, "--json"]);
    assert_eq!(run.json(), json!({"userId": "Zoe", "storage": store.url, "erased": 1, "erasedInJournal": 0}));
}

#[test]
fn what_is_no_journal_is_left_as_it_is() {
    let store = Store::with("forget-no-journal", &three());
    let users = store.scratch.path("other.redb");
    drop(EmbeddedStorage::open(&users).unwrap());
    let nothing = store.scratch.file("nothing", "");
    for file in [users, nothing, store.scratch.file("text", &"a text\n".repeat(10_000))] {
        let before = std::fs::read(&file).unwrap();
        store.run("forget", &["Ashley", "--journal", &file]).refuses(&["is no journal", "check the path"]);
        assert!(std::fs::read(&file).unwrap() == before, "{file} was written to");
    }
    assert_eq!(store.records().len(), three().len(), "nothing is erased");
}

#[test]
fn what_is_exported_can_be_imported() {
    let mut records = three().to_vec();
    records.push(
        json!({"userId": "Cleo\u{0}日本\n", "campaignKey": "c", "variationName": "V", "metaData": {"a": [1, null]}}),
    );
    records.push(json!({"userId": "Dee", "campaignKey": "c", "variationName": "V", "activated": false}));
    let store = Store::with("export", &records);
    assert_eq!(store.records(), records);
    for field in ["goalIdentifier", "goalIdentifiers"] {
        let file = store.scratch.path(field);
        let run = store.run("export", &["--output", &file, "--goal-field", field]);
        assert_eq!((run.status, &*run.output), (0, ""));
        assert!(run.errors.contains("5 records written to "), "{}", run.errors);
        assert!(std::fs::read_to_string(&file).unwrap().contains(&format!("\"{field}\":\"a_vwo_b\"")));
        let other = Store::new(&format!("export-{field}"));
        let run = other.run("import", &["--input", &file]);
        assert_eq!(run.status, 0, "{}", run.errors);
        run.has_lines(&["read                5  from 5 lines", "claimed             5", "failed              0"]);
        assert_eq!(other.records(), records);
    }
}

#[test]
fn an_export_is_not_written_over_its_storage() {
    let store = Store::with("export-over", &three());
    store.run("export", &["--output", &store.scratch.path("users.redb")]).refuses(&["would be overwritten"]);
    assert_eq!(store.records(), three());
    // Nor is what it is written to first.
    let part = store.scratch.path("users.part");
    std::fs::rename(store.scratch.path("users.redb"), &part).unwrap();
    let store = Store { url: format!("embedded:{part}"), ..store };
    store.run("export", &["--output", &store.scratch.path("users")]).refuses(&["would be overwritten"]);
    assert_eq!(store.records(), three());
}

/// What lies in the test's folder.
fn files(store: &Store) -> Vec<String> {
    let folder = std::fs::read_dir(store.scratch.path("")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "users.redb")
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_replaces_a_file_as_a_whole() {
    let store = Store::with("export-again", &three());
    let file = store.scratch.file("users.ndjson", &"earlier\n".repeat(100));
    let run = store.run("export", &["--output", &file]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(values(&std::fs::read_to_string(&file).unwrap()), three());
    assert_eq!(files(&store), ["users.ndjson"], "nothing is left beside it");
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_that_fails_leaves_the_earlier_one() {
    let mut large = record("Ashley", "banner", "Beach");
    large["metaData"] = json!({ "text": "x".repeat(50_000) });
    let many: Vec<Value> = (0..60)
        .map(|number| {
            let mut one = large.clone();
            one["userId"] = json!(format!("user-{number:02}"));
            one
        })
        .collect();
    let store = Store::with("export-fails", &many);
    let file = store.scratch.file("users.ndjson", "earlier\n");
    // No file may become larger than a megabyte, and trying is an error, not the end of the process.
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_steadfast"), "storage", "export", "--storage", &store.url])
        .args(["--output", &file])
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("stopped before the end"), "{errors}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "earlier\n");
    assert_eq!(files(&store), ["users.ndjson"], "nothing is left beside it");
    assert!(store.records() == many, "the storage is as it was");
}

#[test]
fn check_compact_and_stats() {
    let store = Store::with("maintenance", &three());
    let run = store.run("check", &[]);
    assert_eq!(run.status, 0);
    run.has_lines(&["users.redb is fine", "3 records of 2 users"]);
    let json = store.run("check", &["--json"]).json();
    assert_eq!([&json["records"], &json["users"], &json["problems"]], [3, 2, 0]);
    let run = store.run("stats", &[]);
    assert_eq!(run.status, 0);
    run.has_lines(&["records  3", "users    2", "on disk  ", " are records"]);
    let stats = store.run("stats", &["--json"]).json();
    let before = stats["bytesOnDisk"].as_u64().unwrap();
    assert_eq!(std::fs::metadata(store.scratch.path("users.redb")).unwrap().len(), before);
    let compacted = store.run("compact", &["--json"]).json();
    assert_eq!(compacted["bytesBefore"], before);
    assert!(compacted["bytesAfter"].as_u64().unwrap() <= before);
    store.run("compact", &[]).has_lines(&["users.redb: ", " before, ", " after"]);
    assert_eq!(store.records(), three());
}

#[test]
fn damage_is_found_and_no_user_is_named() {
    let records: Vec<Value> =
        (0..5_000).map(|number| record(&format!("secret-{number:04}"), "banner", "Beach")).collect();
    let store = Store::with("damage", &records);
    let path = store.scratch.path("users.redb");
    let mut bytes = std::fs::read(&path).unwrap();
    // A record that is there in one place only would be enough; older pages may hold it, too.
    let places: Vec<usize> =
        bytes.windows(11).enumerate().filter(|(_, part)| part == b"secret-2500").map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 7] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();
    let run = store.run("check", &[]);
    assert_eq!(run.status, 1, "{}", run.output);
    run.has_lines(&["users.redb is damaged", "✗ ", "can be read"]);
    assert!(!run.output.contains("secret"), "{}", run.output);
    store.run("check", &["--show-users"]).has_lines(&["secret-"]);
    let json = store.run("check", &["--json"]);
    assert_eq!(json.status, 1);
    assert!(json.json()["problems"].as_u64().unwrap() > 0 && !json.output.contains("secret"));
}

#[test]
fn a_file_damaged_anywhere_is_reported_in_words_and_ends_no_command() {
    const PAGE: usize = 4_096;
    let store = Store::with("damage-anywhere", &three());
    let path = store.scratch.path("users.redb");
    let whole = std::fs::read(&path).unwrap();
    let used = (0..whole.len()).step_by(PAGE).filter(|page| whole[*page..page + PAGE].iter().any(|byte| *byte != 0));
    let mut damaged = 0;
    for byte in used.flat_map(|page| (page..page + 64).step_by(5)) {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte % 8);
        std::fs::write(&path, &flipped).unwrap();
        let run = store.run("check", &[]);
        assert!(std::fs::read(&path).unwrap() == flipped, "byte {byte}: checking wrote to the file");
        assert!(!run.errors.contains("panicked"), "byte {byte}: {}", run.errors);
        match run.status {
            0 => assert!(run.output.contains("is fine"), "byte {byte}: {}", run.output),
            1 => {
                damaged += 1;
                let (headline, _) = run.output.split_once('\n').unwrap();
                // Its first nine bytes say what kind of file it is.
                let is_told = headline.ends_with("is damaged")
                    || headline.ends_with("holds no steadfast storage that can be read")
                    || byte < 9 && headline.ends_with("is no steadfast storage");
                assert!(is_told && run.errors.is_empty(), "byte {byte}: {}{}", run.output, run.errors);
            }
            // A byte of the header that says what kind of file it is.
            2 => assert!(run.errors.starts_with("error: ") && byte < PAGE, "byte {byte}: {}", run.errors),
            other => panic!("byte {byte}: exit status {other}"),
        }
        let run = store.run("get", &["Ashley"]);
        assert!(!run.errors.contains("panicked"), "byte {byte}: {}", run.errors);
        if run.status == 0 {
            assert_eq!(values(&run.output), three()[..2], "byte {byte}");
        } else {
            assert!(run.status >= 2 && run.errors.starts_with("error: "), "byte {byte}: {}", run.errors);
        }
    }
    assert!(damaged > 20, "{damaged}");
}

#[test]
fn each_command_teaches() {
    let run = steadfast(&["storage", "--help"]);
    run.has_lines(&[
        "get",
        "put",
        "list",
        "forget",
        "export",
        "import",
        "audit",
        "check",
        "compact",
        "stats",
        "Examples:",
    ]);
    for command in
        ["get", "put", "list", "forget", "export", "import", "copy", "audit", "bench", "check", "compact", "stats"]
    {
        let run = steadfast(&["storage", command, "--help"]);
        run.has_lines(&[
            "Exit status: ",
            "Usage: steadfast storage",
            "Example",
            &format!("steadfast storage {command} "),
        ]);
        let longest = run.output.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 100, "{command}: {longest}");
    }
}
