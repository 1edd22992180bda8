//! An input of many lines: numbered as an editor numbers them, what is wrong with one told and passed over.

use std::io::Read;

use indicatif::ProgressBar;

use crate::command::chunk::{self, Chunk};
use crate::failure::Failure;
use crate::terminal::text::grouped;

/// So many malformed lines are named; the rest is counted.
const NAMED: u64 = 20;

/// What came of the lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How many there were that are not blank.
    pub(super) count: u64,
    /// How many of them were malformed.
    pub(super) malformed: u64,
    /// The number of the last one, blank ones counted.
    number: u64,
}

impl Lines {
    /// Reads all lines: `read` reads one, or says what is wrong with it; `take` takes what was read, some at a time.
    pub(super) fn read<T>(
        input: impl Read + Send + 'static,
        progress: &ProgressBar,
        mut read: impl FnMut(&str) -> Result<T, String>,
        mut take: impl FnMut(Vec<T>) -> Result<(), Failure>,
    ) -> Result<Lines, Failure> {
        let mut lines = Lines::default();
        for chunk in chunk::read_ahead(input) {
            match chunk.map_err(|error| Failure::stopped(&error))? {
                Chunk::LongLine => {
                    lines.number += 1;
                    lines.count += 1;
                    lines.malformed(progress, &format!("is longer than {} MiB", chunk::LONGEST_LINE >> 20));
                    progress.inc(chunk::LONGEST_LINE as u64);
                }
                Chunk::Lines(text) => {
                    let mut good = Vec::new();
                    for line in text.split_inclusive(|byte| *byte == b'\n') {
                        lines.number += 1;
                        let line = line.trim_ascii();
                        if line.is_empty() {
                            continue;
                        }
                        lines.count += 1;
                        let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8 text".to_owned());
                        match line.and_then(&mut read) {
                            Ok(line) => good.push(line),
                            Err(message) => lines.malformed(progress, &message),
                        }
                    }
                    take(good)?;
                    progress.inc(text.len() as u64);
                }
            }
        }
        if lines.malformed > NAMED {
            let more = grouped(lines.malformed - NAMED);
            progress.suspend(|| anstream::eprintln!("and {more} more lines are malformed"));
        }
        Ok(lines)
    }

    fn malformed(&mut self, progress: &ProgressBar, message: &str) {
        self.malformed += 1;
        if self.malformed <= NAMED {
            let number = self.number;
            progress.suspend(|| anstream::eprintln!("line {number} {message}; it is left out"));
        }
    }
}

/// What is wrong with a line that is no JSON.
pub(super) fn not_json(error: &serde_json::Error) -> String {
    // The parser knows of one line only.
    format!("is not JSON: {error}").replace(" at line 1 column ", " at column ")
}
