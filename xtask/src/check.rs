//! The steps, and the order in which they are run.

use std::path::Path;
use std::process::Command;

use crate::purity;
use crate::run::{self, Outcome, cargo, run};

/// Every test of the workspace, then a comparison with the official SDK, of the crates and of the package for Node.
///
/// # Errors
/// The first step that failed.
pub(crate) fn test() -> Outcome {
    needs("node", "Node.js 20 or later: the official SDK is the oracle of some tests")?;
    needs("npm", "npm, which comes with Node.js: it installs the official SDK")?;
    run(&mut cargo(&["test", "--workspace", "--lib", "--bins", "--tests"]))?;
    run(&mut cargo(&["test", "--workspace", "--doc"]))?;
    // What was fresh the last time is not any more.
    let fresh = run::root().join("target/fresh");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).map_err(|error| format!("cannot remove {}: {error}", fresh.display()))?;
    }
    let record = fresh.to_string_lossy().into_owned();
    compare(&["--requests".to_owned(), "10000".to_owned(), "--record".to_owned(), record])?;
    node(Some(&fresh))
}

/// Builds and tests the package for Node; with a folder, also on the golden cases in it.
///
/// # Errors
/// The first step that failed.
pub(crate) fn node(cases: Option<&Path>) -> Outcome {
    let npm = |arguments: &[&str]| {
        let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
        command.args(arguments).current_dir(run::root().join("bindings/node"));
        command
    };
    run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    run(&mut npm(&["run", "build"]))?;
    let mut test = npm(&["test"]);
    if let Some(cases) = cases {
        test.env("STEADFAST_CASES", cases);
    }
    run(&mut test)
}

/// All there is to check.
///
/// # Errors
/// The first step that failed.
pub(crate) fn ci() -> Outcome {
    test()?;
    lint()
}

/// All there is to check but the tests.
///
/// # Errors
/// The first step that failed.
pub(crate) fn lint() -> Outcome {
    let fuzz_targets = run::root().join("fuzz");
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["fmt", "--check"]).current_dir(&fuzz_targets))?;
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo(&["clippy", "--release", "--", "-D", "warnings"]).current_dir(&fuzz_targets))?;
    // What is built for the tests serves here, too.
    let addon = run::root().join("bindings/node");
    run(cargo(&["fmt", "--check"]).current_dir(&addon))?;
    let target = run::root().join("target/node");
    let clippy = ["clippy", "--release", "--locked", "--", "-D", "warnings"];
    run(cargo(&clippy).current_dir(&addon).env("CARGO_TARGET_DIR", target))?;
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    deny()?;
    purity::check()?;
    fuzz(None)
}

/// Fresh requests, answered by the official SDK and by us.
///
/// # Errors
/// When there is a difference, or one of the two could not be asked.
pub(crate) fn compare(arguments: &[String]) -> Outcome {
    let package = ["--package", "steadfast-testkit", "--features", "golden"];
    let mut command = cargo(&["run", "--release"]);
    command.args(package).args(["--bin", "compare", "--"]);
    run(command.args(arguments))
}

/// Writers that are killed, and what is left of what they were told is kept.
///
/// # Errors
/// When anything is missing, opening takes too long, or there is no such storage.
pub(crate) fn faults(arguments: &[String]) -> Outcome {
    let mut command =
        cargo(&["run", "--release", "--package", "steadfast-testkit", "--features", "golden", "--bin", "faults", "--"]);
    run(command.args(arguments))
}

/// Every fuzz target for so many seconds, a minute if none are given. `fuzz/README.md` says how to go on from a finding.
///
/// # Errors
/// When a target found something, or the number cannot be read.
pub(crate) fn fuzz(seconds: Option<&str>) -> Outcome {
    const TARGETS: [&str; 6] = ["settings", "segment", "pattern", "record", "line", "decide"];
    let seconds: u32 = seconds.unwrap_or("60").parse().map_err(|_| "fuzz takes a number of seconds".to_owned())?;
    let folder = run::root().join("fuzz");
    run(cargo(&["build", "--release", "--bins"]).current_dir(&folder))?;
    for target in TARGETS {
        for kept in ["corpus", "artifacts"] {
            let kept = folder.join(kept).join(target);
            std::fs::create_dir_all(&kept).map_err(|error| format!("cannot make {}: {error}", kept.display()))?;
        }
        let dictionary = format!("dictionaries/{target}.dict");
        let mut command = cargo(&["run", "--quiet", "--release", "--bin", target, "--"]);
        command.current_dir(&folder).args([
            &format!("-max_total_time={seconds}"),
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=0",
            &format!("-artifact_prefix=artifacts/{target}/"),
        ]);
        if folder.join(&dictionary).exists() {
            command.arg(format!("-dict={dictionary}"));
        }
        run(command.args([format!("corpus/{target}"), format!("seeds/{target}")]))?;
    }
    Ok(())
}

/// All benchmarks, the ratios last.
///
/// # Errors
/// When one cannot be run.
pub(crate) fn bench() -> Outcome {
    run(&mut cargo(&["bench", "--package", "steadfast-engine", "--bench", "decide"]))?;
    run(&mut cargo(&["bench", "--package", "steadfast", "--bench", "lines"]))?;
    run(&mut cargo(&["bench", "--package", "steadfast", "--bench", "clients"]))?;
    run(&mut cargo(&["bench", "--package", "steadfast-storage", "--bench", "embedded"]))?;
    // They start servers of their own.
    for network in ["redis", "postgres", "events"] {
        run(cargo(&["bench", "--package", "steadfast-testkit", "--features", "golden", "--bench"]).arg(network))?;
    }
    run(&mut cargo(&["bench", "--package", "steadfast-engine", "--bench", "ratios"]))
}

/// Licences, sources and bans of the dependency tree. cargo-deny is installed where it is missing.
fn deny() -> Outcome {
    let tools = run::root().join("target/tools");
    let installed = tools.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let found = Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found && !installed.exists() {
        let root = tools.to_string_lossy().into_owned();
        run(&mut cargo(&["install", "cargo-deny", "--version", "0.20.2", "--locked", "--root", &root]))?;
    }
    let program: &Path = if installed.exists() { &installed } else { Path::new("cargo-deny") };
    for folder in ["", "bindings/node"] {
        let config = run::root().join("deny.toml");
        let mut command = Command::new(program);
        command.arg("--manifest-path").arg(run::root().join(folder).join("Cargo.toml")).arg("--config").arg(config);
        run(command.args(["check", "bans", "licenses", "sources"]))?;
    }
    Ok(())
}

fn needs(program: &str, what: &str) -> Outcome {
    match Command::new(program).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!("`{program}` is missing: install {what}")),
    }
}
