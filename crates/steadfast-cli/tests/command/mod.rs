//! Runs the real binary, on settings made for the test.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// What a run of the command left.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Run {
    /// The output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error} in {}{}", self.output, self.errors))
    }

    /// Checks that each line stands in the output, in this order.
    pub(crate) fn has_lines(&self, lines: &[&str]) -> &Self {
        let mut rest = &*self.output;
        for line in lines {
            match rest.find(line) {
                Some(place) => rest = &rest[place + line.len()..],
                None => panic!("`{line}` is not in its place in\n{}\n{}", self.output, self.errors),
            }
        }
        self
    }

    /// Checks that the command could not start, and what it said.
    pub(crate) fn refuses(&self, messages: &[&str]) {
        assert_eq!((self.status, &*self.output), (2, ""), "{}", self.errors);
        assert!(self.errors.starts_with("error: "), "{}", self.errors);
        for message in messages {
            assert!(self.errors.contains(message), "`{message}` is not in `{}`", self.errors);
        }
    }
}

/// Runs the command with these arguments.
pub(crate) fn steadfast(arguments: &[&str]) -> Run {
    steadfast_with_input(arguments, "")
}

/// Runs the command with these arguments and this standard input.
pub(crate) fn steadfast_with_input(arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    match child.stdin.take().expect("a pipe").write_all(input.as_bytes()) {
        // A command that refuses ends before it has read anything.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.expect("it reads its input"),
    }
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Run { status: output.status.code().expect("no signal"), output: text(output.stdout), errors: text(output.stderr) }
}

/// A file in a folder of its own, which goes when the test ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder for the test of this name.
    pub(crate) fn new(test: &str) -> Scratch {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        Scratch(folder)
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of text").to_owned()
    }

    /// Writes a file into it; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// Writes a settings file into it; its path.
    pub(crate) fn settings(&self, settings: &Value) -> String {
        self.file("settings.json", &settings.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Settings of account 888888, of the newest bucketing, with these campaigns.
pub(crate) fn settings(campaigns: &[Value]) -> Value {
    json!({ "accountId": 888888, "version": 1, "isNB": true, "isNBv2": true, "campaigns": campaigns })
}

/// A running A/B campaign for everybody, with variations of these weights and the goal `purchase`.
pub(crate) fn campaign(id: u32, key: &str, weights: &[(&str, f64)]) -> Value {
    let variations: Vec<Value> =
        (1..).zip(weights).map(|(id, (name, weight))| json!({ "id": id, "name": name, "weight": weight })).collect();
    json!({
        "id": id, "key": key, "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "variations": variations, "goals": [{ "id": 1, "identifier": "purchase", "type": "CUSTOM_GOAL" }],
    })
}

/// The same with two variations of one weight.
pub(crate) fn even(id: u32, key: &str) -> Value {
    campaign(id, key, &[("Control", 50.0), ("Green", 50.0)])
}

/// The same campaign with another value under a key.
pub(crate) fn with(mut campaign: Value, key: &str, value: Value) -> Value {
    campaign[key] = value;
    campaign
}
