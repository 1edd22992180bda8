//! How the commands look: words and numbers, colours, bars. In a pipe all of it is plain text.

pub(crate) mod bar;
pub(crate) mod style;
pub(crate) mod text;

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Writes a report to standard output: with its colours on a terminal, without them in a pipe and under `NO_COLOR`.
pub(crate) fn print(report: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout().lock();
    match output.write_all(report.as_bytes()).and_then(|()| output.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Whether a person reads the standard output as it comes.
pub(crate) fn is_person() -> bool {
    io::stdout().is_terminal()
}

/// Writes a report for programs.
pub(crate) fn print_json(report: &Value) -> Result<(), Failure> {
    print(&format!("{report:#}\n"))
}
