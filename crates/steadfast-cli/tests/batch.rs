//! `batch` as a program among others: streams that end early, outputs that fail, lines that are no calls.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use command::{Scratch, even, settings, steadfast, steadfast_with_input};
use serde_json::Value;

/// More than any pipe and all chunks on the way hold.
const MANY: usize = 100_000;

fn calls(count: usize) -> String {
    (0..count)
        .map(|number| format!("{{\"op\":\"activate\",\"campaignKey\":\"checkout\",\"userId\":\"user-{number}\"}}\n"))
        .collect()
}

/// Runs `work`, and fails if it has not come to an end after a minute.
fn ends<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    let scratch = Scratch::new("batch-head");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let status = ends(move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
            .args(["batch", "--settings", &file])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // The pipe breaks while this is being written, which is the point.
        let writer = thread::spawn(move || drop(input.write_all(calls(MANY).as_bytes())));
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("{\"i\":0,"), "{first}");
        let status = child.wait().unwrap();
        writer.join().unwrap();
        status
    });
    assert!(status.success(), "{status}");
}

#[test]
fn answers_are_there_while_calls_still_come() {
    let scratch = Scratch::new("batch-live");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    ends(move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
            .args(["batch", "--settings", &file])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        for number in 0..3 {
            input.write_all(calls(1).as_bytes()).unwrap();
            let answer = answers.next().unwrap().unwrap();
            assert!(answer.starts_with(&format!("{{\"i\":{number},")), "{answer}");
        }
        drop(input);
        assert!(child.wait().unwrap().success());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_said_and_ends_it() {
    let scratch = Scratch::new("batch-full");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let input = scratch.file("calls.ndjson", &calls(MANY));
    let run = ends(move || steadfast(&["batch", "--settings", &file, "--input", &input, "--output", "/dev/full"]));
    assert_eq!(run.status, 3, "{}", run.errors);
    assert!(run.errors.contains("stopped before the end"), "{}", run.errors);
}

#[test]
fn order_and_numbers_hold_over_many_chunks() {
    let scratch = Scratch::new("batch-order");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let input = scratch.file("calls.ndjson", &calls(MANY));
    let one = steadfast(&["batch", "--settings", &file, "--input", &input, "--storage", "memory:"]);
    assert_eq!(one.status, 0, "{}", one.errors);
    let answers: Vec<Value> = one.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), MANY);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["i"], number);
    }
    let again = steadfast(&["batch", "--settings", &file, "--input", &input]);
    assert_eq!(one.output, again.output, "new users get the same with and without a storage");
}

/// Visits of some users who come again and again, and reach a goal now and then.
fn visits(count: usize) -> String {
    let call = |number: usize| {
        let user = number * 7 % (count / 3);
        match number % 4 {
            3 => format!(
                "{{\"op\":\"track\",\"campaignKey\":\"checkout\",\"userId\":\"user-{user}\",\"goalIdentifier\":\"purchase\"}}\n"
            ),
            _ => format!("{{\"op\":\"activate\",\"campaignKey\":\"checkout\",\"userId\":\"user-{user}\"}}\n"),
        }
    };
    (0..count).map(call).collect()
}

#[test]
fn two_halves_on_a_file_are_one_batch_in_memory() {
    let scratch = Scratch::new("batch-halves");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let calls = visits(30_000);
    let middle = calls.len() / 2 + calls[calls.len() / 2..].find('\n').unwrap() + 1;
    let storage = format!("embedded:{}", scratch.path("users.redb"));
    let batch = |storage: &str, calls: &str, dump: bool| {
        let input = scratch.file("calls.ndjson", calls);
        let mut arguments = vec!["batch", "--settings", &file, "--storage", storage, "--input", &input];
        arguments.extend(dump.then_some("--dump-storage"));
        let run = steadfast(&arguments);
        assert_eq!((run.status, &*run.errors), (0, ""));
        run.output
    };
    let results = |answers: &str| -> Vec<Value> {
        let answers = answers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // The second half is numbered from 0 again.
        answers
            .map(|mut answer| {
                answer.as_object_mut().unwrap().remove("i");
                answer
            })
            .collect()
    };
    let whole = batch("memory:", &calls, true);
    let first = batch(&storage, &calls[..middle], false);
    let second = batch(&storage, &calls[middle..], true);
    assert!(results(&whole) == results(&(first + &second)), "answers and records are the same");
}

#[test]
fn an_answer_means_that_it_is_stored() {
    let scratch = Scratch::new("batch-killed");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let storage = format!("embedded:{}", scratch.path("users.redb"));
    let of_batch = storage.clone();
    ends(move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
            .args(["batch", "--settings", &file, "--storage", &of_batch])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(calls(500).as_bytes()).unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..500 {
            answers.next().unwrap().unwrap();
        }
        // Not the end of the input, but the end of the process.
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let run = steadfast(&["storage", "list", "--storage", &storage]);
    assert_eq!((run.status, run.output.lines().count()), (0, 500), "{}", run.errors);
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_kept_is_said() {
    let scratch = Scratch::new("batch-not-kept");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let input = scratch.file("calls.ndjson", &calls(20_000));
    let storage = format!("embedded:{}", scratch.path("users.redb"));
    // No file may become larger than a megabyte, and trying is an error, not the end of the process.
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let output = ends(move || {
        Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_steadfast"), "batch", "--settings", &file])
            .args(["--storage", &storage, "--input", &input])
            .output()
            .unwrap()
    });
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(errors.contains(" writes failed, and those decisions are not kept: there is no room left"), "{errors}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 20_000, "all are answered");
}

#[cfg(target_os = "linux")]
#[test]
fn a_record_that_cannot_be_put_is_said() {
    let scratch = Scratch::new("batch-not-put");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let storage = format!("embedded:{}", scratch.path("users.redb"));
    let put = |number: usize| {
        let record = format!(
            "{{\"userId\":\"user-{number}\",\"campaignKey\":\"checkout\",\"variationName\":\"Green\",\
             \"metaData\":{{\"text\":\"{}\"}}}}",
            "x".repeat(200_000)
        );
        format!("{{\"op\":\"storage_put\",\"record\":{record}}}\n")
    };
    let input = scratch.file("calls.ndjson", &(0..10).map(put).collect::<String>());
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    for more in [&[][..], &["--explain"]] {
        let output = Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_steadfast"), "batch", "--settings", &file])
            .args(["--storage", &storage, "--input", &input])
            .args(more)
            .output()
            .unwrap();
        let (answers, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let failed = answers.lines().filter(|answer| answer.contains("\"result\":false")).count();
        assert!(failed > 1 && answers.lines().count() == 10, "{answers}");
        assert_eq!(output.status.code(), Some(4), "{errors}");
        let told = format!("{failed} writes failed, and those decisions are not kept: there is no room left");
        assert!(errors.contains(&told), "{errors}");
    }
}

#[test]
fn a_storage_that_is_read_is_not_written_over() {
    let scratch = Scratch::new("batch-over-storage");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let (path, storage) = (scratch.path("users.redb"), format!("embedded:{}", scratch.path("users.redb")));
    let batch = |more: &[&str]| {
        let arguments = ["batch", "--settings", &file, "--storage", &storage];
        steadfast_with_input(&[&arguments, more].concat(), &calls(1))
    };
    assert_eq!(batch(&[]).status, 0);
    batch(&["--output", &path]).refuses(&["would be overwritten"]);
    assert_eq!(batch(&[]).status, 0);
}

#[test]
fn lines_that_are_no_calls_are_answered_in_their_place() {
    let scratch = Scratch::new("batch-lines");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let long = "x".repeat((16 << 20) + (2 << 20));
    let input = format!("\u{feff}{}\r\n\n{long}\n[1]\n{{\"op\":\"dance\"}}\n{}", calls(1).trim(), calls(1));
    let run = steadfast_with_input(&["batch", "--settings", &file], &input);
    assert_eq!(run.status, 1);
    run.has_lines(&[
        "{\"i\":0,\"result\":\"",
        "{\"i\":1,\"error\":\"is longer than 16 MiB\"}",
        "{\"i\":2,\"error\":\"is a list, expected an object with an `op`\"}",
        "{\"i\":3,\"error\":\"unknown op `dance`\"}",
        "{\"i\":4,\"result\":\"",
    ]);
    assert!(run.errors.contains("3 lines were malformed"), "{}", run.errors);
}

#[test]
fn keys_without_effect_are_named_in_the_answer() {
    let scratch = Scratch::new("batch-keys");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let call =
        |more: &str| format!("{{\"op\":\"activate\",\"campaignKey\":\"checkout\",\"userId\":\"Ashley\"{more}}}\n");
    let input = [
        call(",\"options\":{\"customVariable\":{},\"metaData\":{},\"a\\\"b\":1}"),
        call(",\"customVariables\":{\"plan\":\"gold\"},\"colour\":1"),
        call(",\"options\":{\"customVariables\":{\"anything\":1}}"),
        call(",\"options\":{\"customVariables\":7,\"revenue\":1}"),
    ]
    .concat();
    let expected = [
        Value::from(vec![
            "`options.customVariable` is not an option that is known here: it has no effect",
            "`options.a\"b` is not an option that is known here: it has no effect",
        ]),
        Value::from(vec![
            "`customVariables` has no effect here: put it into `options`",
            "`colour` is not a key that is known here: it has no effect",
        ]),
        Value::Null,
        Value::from(vec!["`options.revenue` is not an option that is known here: it has no effect"]),
    ];
    for more in [&[][..], &["--explain"]] {
        let run = steadfast_with_input(&[&["batch", "--settings", &file], more].concat(), &input);
        assert_eq!((run.status, &*run.errors), (0, ""));
        let answers: Vec<Value> = run.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let warnings: Vec<Value> = answers.iter().map(|answer| answer["warnings"].clone()).collect();
        assert_eq!(warnings, expected);
        assert_eq!(answers[0]["result"], answers[2]["result"], "they change no answer");
        assert_eq!(answers[3]["explain"]["mistake"].is_string(), !more.is_empty());
    }
}

#[test]
fn files_that_are_read_are_not_written_over() {
    let scratch = Scratch::new("batch-same");
    let file = scratch.settings(&settings(&[even(1, "checkout")]));
    let input = scratch.file("calls.ndjson", &calls(3));
    for output in [&input, &file] {
        steadfast(&["batch", "--settings", &file, "--input", &input, "--output", output])
            .refuses(&["would be overwritten"]);
    }
    assert_eq!(std::fs::read_to_string(&input).unwrap(), calls(3));
}
