//! The official SDK as an oracle: a child process that answers requests.
//!
//! The script and the exact version live in `vectors/oracle`; npm installs the package under `target/oracle`. Several
//! sessions run in one process, since starting it costs more than a thousand answers.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::failure::Failure;
use crate::play::Answers;

/// The version everything is compared with.
pub const VERSION: &str = "1.73.0";

/// The oracle, installed.
#[derive(Debug, Clone)]
pub struct Installed(PathBuf);

/// The oracle, running.
pub struct Oracle {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
}

impl Installed {
    /// Installs the official package under `target/oracle` of the workspace, if it is not there.
    ///
    /// # Errors
    /// When npm cannot be run or does not install it.
    pub fn new(workspace: &Path) -> Result<Installed, Failure> {
        // Tests run side by side, and npm takes a while.
        static INSTALLING: Mutex<()> = Mutex::new(());
        let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let (source, folder) = (workspace.join("vectors/oracle"), workspace.join("target/oracle"));
        fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, error))?;
        for name in ["oracle.js", "requests.js", "package.json", "package-lock.json"] {
            let (from, to) = (source.join(name), folder.join(name));
            let text = fs::read(&from).map_err(|error| Failure::at(&from, error))?;
            if fs::read(&to).is_ok_and(|there| there == text) {
                continue;
            }
            // In one step: another test may be about to run it.
            let mut part = tempfile::NamedTempFile::new_in(&folder).map_err(|error| Failure::at(&to, error))?;
            part.write_all(&text).map_err(|error| Failure::at(&to, error))?;
            part.persist(&to).map_err(|error| Failure::at(&to, error))?;
        }
        let installed = Installed(folder);
        if installed.version().as_deref() != Some(VERSION) {
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
            let npm = Command::new("npm").args(arguments).current_dir(&installed.0).stdout(Stdio::null()).status();
            let status = npm.map_err(|error| Failure::new(format!("npm, which the comparison needs: {error}")))?;
            if !status.success() || installed.version().as_deref() != Some(VERSION) {
                return Err(Failure::at(&installed.0, format!("npm did not install vwo-node-sdk {VERSION}")));
            }
        }
        Ok(installed)
    }

    fn version(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join("node_modules/vwo-node-sdk/package.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok()?["version"].as_str().map(str::to_owned)
    }

    /// What the official SDK sends to its collector in a session: see `requests.js`.
    ///
    /// # Errors
    /// When node cannot be run, or the session cannot be played.
    pub fn requests(&self, session: &Value) -> Result<Value, Failure> {
        let gone = |error: &dyn std::fmt::Display| Failure::new(format!("node, which the comparison needs: {error}"));
        let mut command = Command::new("node");
        command.arg("requests.js").current_dir(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| gone(&error))?;
        if let Some(mut input) = child.stdin.take() {
            write!(input, "{session}").map_err(|error| gone(&error))?;
        }
        let output = child.wait_with_output().map_err(|error| gone(&error))?;
        serde_json::from_slice(&output.stdout).map_err(|_| Failure::new("the official SDK did not play a session"))
    }

    /// Starts it.
    ///
    /// # Errors
    /// When node cannot be run.
    pub fn start(&self) -> Result<Oracle, Failure> {
        let mut command = Command::new("node");
        command.arg("oracle.js").current_dir(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child =
            command.spawn().map_err(|error| Failure::new(format!("node, which the comparison needs: {error}")))?;
        Oracle::over(child).ok_or_else(|| Failure::new("node has no input or output"))
    }
}

impl Oracle {
    fn over(mut child: Child) -> Option<Oracle> {
        let (input, output) = (BufWriter::new(child.stdin.take()?), BufReader::new(child.stdout.take()?));
        Some(Oracle { child, input: Some(input), output })
    }

    /// Plays requests on a fresh client of the official SDK.
    ///
    /// # Errors
    /// When the process ends early or answers something else.
    pub fn ask(&mut self, settings: &str, has_storage: bool, requests: &[String]) -> Result<Answers, Failure> {
        let gone = || Failure::new("the official SDK stopped: look at what node wrote");
        let Oracle { input: Some(input), output, .. } = self else { return Err(gone()) };
        thread::scope(|scope| {
            let writer = scope.spawn(move || -> std::io::Result<()> {
                // Settings are one line, whatever they look like in their file.
                let settings = settings.replace(['\n', '\r'], " ");
                writeln!(input, r#"{{"hasStorage": {has_storage}, "settings": {settings}}}"#)?;
                requests.iter().try_for_each(|request| writeln!(input, "{request}"))?;
                writeln!(input, r#"{{"end": true}}"#)?;
                input.flush()
            });
            let answers = read(output, requests.len());
            match writer.join() {
                Ok(Ok(())) => answers,
                Ok(Err(_)) | Err(_) => Err(gone()),
            }
        })
    }
}

fn read(output: &mut impl BufRead, requests: usize) -> Result<Answers, Failure> {
    let mut lines = Vec::with_capacity(requests + 1);
    for _ in 0..=requests {
        let mut line = String::new();
        output.read_line(&mut line).map_err(|error| Failure::new(format!("the oracle: {error}")))?;
        lines.push(serde_json::from_str(&line).map_err(|_| Failure::new("the official SDK stopped early"))?);
    }
    // Without a storage the last line says null.
    lines.pop_if(|last: &mut Value| last.get("storage") == Some(&Value::Null));
    Answers::from_lines(lines).map_err(Failure::new)
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The end of its input ends the process.
        self.input = None;
        // There is nobody left to tell how it ended.
        self.child.wait().ok();
    }
}
