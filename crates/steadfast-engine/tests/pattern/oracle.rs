//! Node.js as the judge of patterns: one process, one JSON document per line each way.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const SCRIPT: &str = r#"
const vm = require("node:vm");
const call = new vm.Script("run()");
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { pattern, texts } = JSON.parse(line);
  let answer;
  let expression;
  try {
    expression = new RegExp(pattern, "g");
  } catch {
    answer = "invalid";
  }
  if (expression) {
    globalThis.run = () =>
      texts.map((text) => {
        expression.lastIndex = 0;
        return expression.test(text);
      });
    try {
      answer = call.runInThisContext({ timeout: 300 });
    } catch {
      answer = "unknown";
    }
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
"#;

/// What Node.js says about one pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The pattern is a syntax error.
    Invalid,
    /// The pattern is valid, but too large for V8 to run, or too slow.
    Unknown,
    /// For each text, whether the pattern matches.
    Tested(Vec<bool>),
}

/// A running Node.js process.
#[derive(Debug)]
pub(crate) struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts Node.js.
    ///
    /// # Panics
    ///
    /// When the command `node` cannot be started.
    pub(crate) fn start() -> Self {
        let mut child = Command::new("node")
            .args(["-e", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the differential test needs `node` (Node.js 20) on the PATH");
        let questions = child.stdin.take().expect("the input is piped");
        let answers = child.stdout.take().expect("the output is piped");
        Self { child, questions, answers: BufReader::new(answers) }
    }

    /// Asks about some patterns with their texts; the verdicts come in the same order.
    ///
    /// # Panics
    ///
    /// When Node.js ends early or answers something else than a verdict.
    pub(crate) fn judge(&mut self, cases: &[(String, Vec<String>)]) -> Vec<Verdict> {
        let mut questions = String::new();
        for (pattern, texts) in cases {
            questions += &json!({ "pattern": pattern, "texts": texts }).to_string();
            questions.push('\n');
        }
        let input = &mut self.questions;
        std::thread::scope(|scope| {
            // Writing and reading at the same time, lest both pipes fill up.
            scope.spawn(|| input.write_all(questions.as_bytes()).expect("node reads"));
            let answers = self.answers.by_ref().lines().take(cases.len());
            answers.map(|line| verdict(&line.expect("node answers in UTF-8"))).collect()
        })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn verdict(line: &str) -> Verdict {
    match serde_json::from_str(line).expect("node answers with JSON") {
        Value::String(answer) if answer == "invalid" => Verdict::Invalid,
        Value::String(_) => Verdict::Unknown,
        Value::Array(results) => Verdict::Tested(results.iter().map(|r| *r == Value::Bool(true)).collect()),
        other => panic!("node answered {other}"),
    }
}
