//! The engine decides and does nothing else. This holds it to that: what it depends on is a list, what it must not
//! reach for is another, and where the target can be had it is built for a machine that has none of it.

use std::fs;
use std::path::Path;

use crate::run::{self, Outcome};

/// What the engine may depend on: pure computation, every one of them.
const DEPENDENCIES: &[&str] = &[
    "itoa",
    "memchr",
    "rustc-hash",
    "ryu-js",
    "serde",
    "serde_core",
    "serde_json",
    "sha1_smol",
    "smallvec",
    "steadfast-engine",
    "uuid",
    "zmij",
];

/// What its sources must not name, in whatever way it was brought in.
const REACHES: &[&str] = &[
    "std::{",
    "std as",
    "fs::",
    "net::",
    "process::",
    "thread::",
    "SystemTime",
    "Instant",
    "TcpStream",
    "UdpSocket",
    "File::",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time",
    "std::os",
    "std::future",
    "std::task",
    "thread_local!",
    "async fn",
    "async move",
    ".await",
    "println!",
    "eprintln!",
    "static mut",
    "Mutex",
    "RwLock",
    "Atomic",
    "OnceLock",
    "LazyLock",
    "getrandom",
    "RandomState",
];

/// Checks all of it.
///
/// # Errors
/// What was found, all at once.
pub(crate) fn check() -> Outcome {
    let mut found = foreign_dependencies()?;
    scan(&run::root().join("crates/steadfast-engine/src"), &mut found)?;
    if !found.is_empty() {
        return Err(format!("the engine is not pure:\n  {}", found.join("\n  ")));
    }
    run::say("the engine reaches for nothing outside\n");
    build_without_a_system()
}

fn foreign_dependencies() -> Result<Vec<String>, String> {
    let arguments = ["tree", "--package", "steadfast-engine", "--edges", "normal", "--prefix", "none"];
    let tree = run::output(&mut run::cargo(&arguments))?;
    let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    let foreign = names.into_iter().filter(|name| !DEPENDENCIES.contains(name));
    Ok(foreign.map(|name| format!("depends on `{name}`, which is not on the list of xtask/src/purity.rs")).collect())
}

fn scan(folder: &Path, found: &mut Vec<String>) -> Outcome {
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("cannot read {}: {error}", folder.display()))?.path();
        if path.is_dir() {
            scan(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            for (line, text) in (1..).zip(text.lines()) {
                let code = text.split("//").next().unwrap_or_default();
                for name in REACHES.iter().filter(|name| code.contains(**name)) {
                    found.push(format!("{}:{line} names `{name}`", path.display()));
                }
            }
        }
    }
    Ok(())
}

/// Builds for `wasm32-unknown-unknown`, where there is no system to reach for, if the toolchain has the target.
fn build_without_a_system() -> Outcome {
    const TARGET: &str = "wasm32-unknown-unknown";
    let root = run::output(std::process::Command::new("rustc").args(["--print", "sysroot"]))?;
    if !Path::new(root.trim()).join("lib/rustlib").join(TARGET).exists() {
        run::say(&format!("not built for {TARGET}, which this toolchain does not have: the two lists stand in\n"));
        return Ok(());
    }
    run::run(&mut run::cargo(&["build", "--package", "steadfast-engine", "--target", TARGET]))
}
