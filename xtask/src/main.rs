//! `cargo xtask …`: everything that is run on this project, one command each.

mod check;
mod purity;
mod run;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test                every test of the workspace, and what they need: a comparison with the official SDK on
                      fresh requests (npm installs it into target/oracle), of the crates and of the package for Node
  node                builds and tests the package for Node alone
  lint                format, clippy, rustdoc, cargo-deny, the engine's purity, a minute of fuzzing for each parser
  ci                  test, then lint
  compare [OPTIONS]   fresh requests, answered by the official SDK and by us (--requests N, --seed N)
  bench               all benchmarks; the ratios last
  faults storage [N]  N times (1000): a process that writes is killed, and nothing it was told is kept may be lost
  faults journal [N]  N times (200): the same for a process that keeps writes back, over a storage that mostly fails
  faults events [N]   N events (1000000) that are kept on disk: the program is killed, the collector fails and goes away
  faults race [N]     N new users (100000): two clients with other weights over one file, and nobody gets two variations
  faults race [N] --over KIND  the same by two processes over a redis, a cluster or a postgres, with both kinds of verbs
  faults              the six faults: servers are stopped, killed and failed over while users come
  fuzz [SECONDS]      every fuzz target for so long (60)
  purity              whether the engine reaches for files, network, clock, threads or async
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => check::test(),
        Some("lint") => check::lint(),
        Some("ci") => check::ci(),
        Some("compare") => check::compare(rest),
        Some("node") => check::node(None),
        Some("bench") => check::bench(),
        Some("faults") => check::faults(rest),
        Some("fuzz") => check::fuzz(rest.first().map(String::as_str)),
        Some("purity") => purity::check(),
        _ => {
            run::say(HELP);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            run::say(&format!("\nxtask: {message}\n"));
            ExitCode::FAILURE
        }
    }
}
