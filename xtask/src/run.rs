//! Running other programs, loudly.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a step comes to: nothing, or why it failed.
pub(crate) type Outcome = Result<(), String>;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// Says something on standard error, where programs say what they are doing.
pub(crate) fn say(text: &str) {
    // When nobody listens there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A cargo command in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started, or fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    say(&format!("\n$ {shown}\n"));
    match command.status() {
        Err(error) => Err(format!("cannot start `{shown}`: {error}")),
        Ok(status) if !status.success() => Err(format!("`{shown}` failed: {status}")),
        Ok(_) => Ok(()),
    }
}

/// What a command prints.
///
/// # Errors
/// When it cannot be started, fails, or prints no text.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{shown}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed no text"))
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut shown = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}
