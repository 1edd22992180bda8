//! Compares Steadfast with the official SDK on fresh settings files and requests. Exit status 1 on any difference.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use steadfast::engine::Policy;
use steadfast::engine::policy::Activation;
use steadfast_testkit::compare::{Difference, differences, operation};
use steadfast_testkit::generate::{Generated, generate};
use steadfast_testkit::oracle::{Installed, Oracle, VERSION};
use steadfast_testkit::play::{Answers, Player};
use steadfast_testkit::{Case, Failure};

/// Asks the official SDK and Steadfast the same fresh questions
#[derive(Debug, Parser)]
struct Arguments {
    /// How many requests to ask
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Where the random numbers start; the time of day if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// How many requests for each settings file
    #[arg(long, default_value_t = 250)]
    each: u64,
    /// Show this many differences
    #[arg(long, default_value_t = 5)]
    show: usize,
    /// Keep what the official SDK answers as golden cases in this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

/// A file that was asked about.
struct Compared {
    number: u64,
    generated: Generated,
    differences: Vec<Difference>,
}

/// Requests and differences of an operation, and how many answers were more than a plain no.
#[derive(Default)]
struct Tally {
    requests: u64,
    positive: u64,
    differences: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// How many differences there are.
fn run(arguments: &Arguments) -> Result<u64, Failure> {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let oracle = Installed::new(workspace)?;
    let seed = arguments.seed.unwrap_or_else(seed_of_the_moment);
    let each = arguments.each.max(1);
    let files = arguments.requests.div_ceil(each);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    println!("vwo-node-sdk {VERSION}, {} requests, {files} settings files, seed {seed}", files * each);

    let progress = progress(files * each);
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut shown = 0;
    thread::scope(|scope| -> Result<(), Failure> {
        for _ in 0..workers {
            let (sender, next, oracle) = (sender.clone(), &next, &oracle);
            scope.spawn(move || {
                let answered = oracle.start().and_then(|mut oracle| {
                    let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
                    for number in numbers.take_while(|number| *number < files) {
                        let compared = ask(&mut oracle, seed, number, each, arguments.record.as_deref())?;
                        if sender.send(Ok(compared)).is_err() {
                            break;
                        }
                    }
                    Ok(())
                });
                if let Err(failure) = answered {
                    // Whoever has hung up has a failure already.
                    sender.send(Err(failure)).ok();
                }
            });
        }
        drop(sender);
        for compared in receiver {
            let (compared, answers): (Compared, Answers) = compared?;
            progress.inc(compared.generated.requests.len() as u64);
            count(&compared, &answers, &mut tallies);
            for difference in &compared.differences {
                if shown < arguments.show {
                    shown += 1;
                    progress.suspend(|| println!("{}", describe(&compared, difference)));
                }
            }
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    Ok(summary(&tallies))
}

/// Asks both about one file.
fn ask(
    oracle: &mut Oracle,
    seed: u64,
    number: u64,
    requests: u64,
    record: Option<&Path>,
) -> Result<(Compared, Answers), Failure> {
    let generated = generate(seed, number, usize::try_from(requests).unwrap_or(usize::MAX));
    let expected = oracle.ask(&generated.settings, generated.has_storage, &generated.requests)?;
    let policy = Policy { activation: Activation::Required, ..Policy::default() };
    let found = Player::new(&generated.settings, generated.has_storage, policy)?.play(&generated.requests);
    let differences = differences(&generated.requests, &expected, &found);
    if let Some(folder) = record {
        let name = format!("generated-{seed}-{number:04}");
        let case = Case {
            settings: generated.settings.clone(),
            requests: generated.requests.clone(),
            has_storage: generated.has_storage,
            quirks: vec![Vec::new(); generated.requests.len()],
            expected: expected.clone(),
            name: name.clone(),
        };
        case.write(&folder.join(name))?;
    }
    Ok((Compared { number, generated, differences }, expected))
}

fn count(compared: &Compared, answers: &Answers, tallies: &mut BTreeMap<String, Tally>) {
    let operations: Vec<String> = compared.generated.requests.iter().map(|request| operation(request)).collect();
    for (operation, answer) in operations.iter().zip(&answers.answers) {
        let tally = tallies.entry(operation.clone()).or_default();
        tally.requests += 1;
        tally.positive += u64::from(answer.as_ref().is_ok_and(is_positive));
    }
    for difference in &compared.differences {
        let operation = match difference {
            Difference::Answer { line, .. } => operations[*line].clone(),
            Difference::Record { .. } => "records at the end".to_owned(),
        };
        tallies.entry(operation).or_default().differences += 1;
    }
}

fn is_positive(answer: &serde_json::Value) -> bool {
    match answer {
        serde_json::Value::Null | serde_json::Value::Bool(false) => false,
        serde_json::Value::Object(entries) => entries.values().any(|value| *value != false),
        _ => true,
    }
}

fn describe(compared: &Compared, difference: &Difference) -> String {
    match difference {
        Difference::Answer { line, expected, found } => {
            let request = &compared.generated.requests[*line];
            format!(
                "file {} line {line}: {request}\n  official SDK: {expected}\n  Steadfast:    {found}",
                compared.number
            )
        }
        Difference::Record { key, expected, found } => {
            let text =
                |record: &Option<serde_json::Value>| record.as_ref().map_or("none".to_owned(), ToString::to_string);
            let (expected, found) = (text(expected), text(found));
            format!("file {} record {key:?}\n  official SDK: {expected}\n  Steadfast:    {found}", compared.number)
        }
    }
}

/// Prints the table; how many differences there are.
fn summary(tallies: &BTreeMap<String, Tally>) -> u64 {
    println!("{:<24} {:>9} {:>9} {:>12}", "operation", "requests", "positive", "differences");
    for (operation, tally) in tallies {
        println!("{operation:<24} {:>9} {:>9} {:>12}", tally.requests, tally.positive, tally.differences);
    }
    let sum = |part: fn(&Tally) -> u64| -> u64 { tallies.values().map(part).sum() };
    let differences = sum(|tally| tally.differences);
    println!("{:<24} {:>9} {:>9} {differences:>12}", "all", sum(|tally| tally.requests), sum(|tally| tally.positive));
    differences
}

fn progress(requests: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(requests);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} requests ({per_sec}, {eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn seed_of_the_moment() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
