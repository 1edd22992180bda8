//! Playing requests on a client in this process.

use std::sync::Arc;

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::settings::{CompileOptions, JsonVariables};
use steadfast::engine::{Policy, Settings};
use steadfast::line::{self, Line};
use steadfast::storage::MemoryStorage;

use crate::failure::Failure;

/// The answers to a stream of requests.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// One a request: what the method returned, or `Err` with the message of a malformed line.
    pub answers: Vec<Result<Value, String>>,
    /// What the storage holds at the end, where there is one.
    pub stored: Option<Vec<Value>>,
}

/// A client that requests are played on.
pub struct Player {
    client: Client,
    memory: Option<Arc<MemoryStorage>>,
}

/// The options under which settings are read as the official SDK reads them, as on the command line.
#[must_use]
pub fn reference_options() -> CompileOptions {
    CompileOptions { json_variables: JsonVariables::Object, ..CompileOptions::default() }
}

impl Player {
    /// A client for these settings, with an empty storage if one is wanted.
    ///
    /// # Errors
    /// When the settings as a whole cannot be used.
    pub fn new(settings: &str, has_storage: bool, policy: Policy) -> Result<Player, Failure> {
        let settings = Settings::compile(settings, reference_options());
        let settings = settings.map_err(|error| Failure::new(format!("settings: {error}")))?;
        let memory = has_storage.then(|| Arc::new(MemoryStorage::new()));
        let client = Client::builder(Arc::new(settings)).policy(policy);
        let client = match &memory {
            Some(memory) => client.storage(Arc::clone(memory)),
            None => client,
        };
        Ok(Player { client: client.build(), memory })
    }

    /// The answer to one request.
    ///
    /// # Errors
    /// The message of a malformed line.
    pub fn answer(&self, request: &str) -> Result<Value, String> {
        let line = Line::parse(request).map_err(|error| error.to_string())?;
        Ok(line::run(&line, &self.client).result)
    }

    /// Plays a whole stream.
    #[must_use]
    pub fn play<'r>(&self, requests: impl IntoIterator<Item = &'r String>) -> Answers {
        let answers = requests.into_iter().map(|request| self.answer(request)).collect();
        Answers { answers, stored: self.stored() }
    }

    /// What the storage holds.
    #[must_use]
    pub fn stored(&self) -> Option<Vec<Value>> {
        self.memory.as_ref().map(|memory| memory.records().iter().map(|record| record.to_json()).collect())
    }
}

impl Answers {
    /// Reads answers as the line format has them.
    ///
    /// # Errors
    /// When a line is neither an answer nor the last one with the storage.
    pub fn from_lines(lines: impl IntoIterator<Item = Value>) -> Result<Answers, String> {
        let mut read = Answers::default();
        for mut line in lines {
            if let Some(records) = line.get_mut("storage") {
                read.stored = Some(records.as_array().cloned().ok_or("the storage is no list")?);
            } else if let Some(error) = line.get("error") {
                read.answers.push(Err(error.as_str().unwrap_or_default().to_owned()));
            } else if line["i"].as_u64() == u64::try_from(read.answers.len()).ok() {
                let result = line.get_mut("result").map(Value::take);
                read.answers.push(Ok(result.unwrap_or(Value::Null)));
            } else {
                return Err(format!("unexpected line {line}"));
            }
        }
        Ok(read)
    }

    /// The answers as the line format has them.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut text: String = (0..).zip(&self.answers).map(|(line, answer)| answer_line(line, answer)).collect();
        if let Some(records) = &self.stored {
            text += &(json!({ "storage": records }).to_string() + "\n");
        }
        text
    }
}

fn answer_line(line: u64, answer: &Result<Value, String>) -> String {
    let answer = match answer {
        Ok(result) => json!({ "i": line, "result": result }),
        Err(error) => json!({ "i": line, "error": error }),
    };
    answer.to_string() + "\n"
}
