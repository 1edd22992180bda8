//! `steadfast batch`: a stream of calls in, a stream of answers out, in order.
//!
//! A thread reads ahead, chunks of whole lines ([`chunk`](super::chunk)). Within a chunk lines are read in parallel and
//! answered in parallel; where there is a storage, all lines of one user by the same worker, so that what a user's
//! earlier call stored is there for the later one. Memory is bounded by the chunks under way, whatever the input.
//!
//! A storage that is written to later is waited for after every chunk, before the answers go out: what was answered is
//! stored, or counted as not kept ([`NotKept`]).

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::Value;
use steadfast::Unfinished;
use steadfast::blocking::Client;
use steadfast::engine::Policy;
use steadfast::engine::policy::OnStorageError;
use steadfast::line::{self, Answer, Line, LineError, Operation};
use steadfast::storage::{StorageError, UserStorage};

use super::chunk::{self, Chunk};
use super::events::{EventsTo, Sent};
use super::input::ActivationArgument;
use super::stream;
use crate::failure::{Failure, NOT_KEPT};
use crate::storage::records::Records;
use crate::storage::{StorageUrl, Use};
use crate::terminal::text::counted;

/// Answer a stream of calls, one JSON object a line
///
/// Each answer is {"i":0,"result":...}, in the order of the calls. Lines are numbered from 0, blank ones are skipped.
/// A call that the official SDK would refuse gets its null or false; --explain says why. Keys and options that are not
/// known have no effect, and are named in the answer's "warnings".
///
/// The calls:
///   {"op":"activate","campaignKey":"checkout-button","userId":"Ashley","options":{...}}
///   {"op":"getVariationName","campaignKey":...,"userId":...}
///   {"op":"isFeatureEnabled","campaignKey":...,"userId":...}
///   {"op":"getFeatureVariableValue","campaignKey":...,"variableKey":...,"userId":...}
///   {"op":"track","campaignKey":KEY or [KEYS] or null,"userId":...,"goalIdentifier":"purchase"}
///   {"op":"push","tagKey":...,"tagValue":...,"userId":...} or {"op":"push","customDimensionMap":{...},"userId":...}
///   {"op":"storage_put","record":{"userId":...,"campaignKey":...,"variationName":...}}
/// with these options, all of them optional: customVariables, variationTargetingVariables, userStorageData, metaData,
/// revenueValue, eventProperties, goalTypeToTrack, shouldTrackReturningUser, userAgent, userIpAddress.
///
/// Example:
///   echo '{"op":"activate","campaignKey":"checkout-button","userId":"Ashley"}' |
///     steadfast batch --settings settings.json --storage memory: --explain
///
/// With a storage in a file, what an answer says is on the disk before the answer is written. Later
/// calls on the same file, in this process or another, go on from there:
///   steadfast batch --settings settings.json --storage embedded:users.redb --input calls.ndjson
///
/// With --events DIR, the same goes for the events of the calls: an answer is written when its events are on the disk.
///
/// Exit status: 0 all lines answered, 1 some line was malformed (its answer has an "error"), 2 could not start,
/// 3 stopped before the end, 4 all lines answered, but some decisions, records or events could not be kept or sent.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// Where decisions are kept: `none:` (no storage at all), `memory:` (empty at the start), `embedded:PATH` (a file,
    /// made if it is not there) or a server, such as `redis://HOST:PORT`
    /// Where it is not given, the variable STEADFAST_STORAGE names it: a password is better off there
    #[arg(long, value_name = "URL", default_value = "none:", env = "STEADFAST_STORAGE", hide_env_values = true)]
    storage: StorageUrl,
    /// Where the calls come from; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// Where the answers go; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Whether users must be activated before track, getVariationName and getFeatureVariableValue know them
    #[arg(long, value_enum, default_value_t = ActivationArgument::Optional)]
    activation: ActivationArgument,
    /// What happens when the storage cannot answer
    #[arg(long, value_enum, default_value_t = OnStorageErrorArgument::Decide)]
    on_storage_error: OnStorageErrorArgument,
    /// After the last answer, where there is a storage, write all its records as one line {"storage":[...]}
    #[arg(long)]
    dump_storage: bool,
    /// Where the events of the calls go: a directory that keeps them for `steadfast events replay`, made if it is not
    /// there, or the URL of a collector. Nowhere if it is not given
    #[arg(long, value_name = "DIR|URL")]
    events: Option<EventsTo>,
    /// Add to each answer why it is what it is
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnStorageErrorArgument {
    /// Decide without it, and never overwrite what may be stored
    Decide,
    /// Nobody gets a variation
    None,
}

/// A chunk of fewer bytes than this is answered in place: threads would cost more than they bring.
const SMALL: usize = 1 << 14;

/// How long the storage may take for the writes of a chunk: a disk that is slower than this does not come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut read = vec![&*arguments.settings, &*arguments.input];
    read.extend(arguments.storage.file());
    super::refuse_to_overwrite(&arguments.output, &read)?;
    let settings = Arc::new(super::settings(&arguments.settings)?);
    let policy = Policy {
        activation: arguments.activation.into(),
        on_storage_error: match arguments.on_storage_error {
            OnStorageErrorArgument::Decide => OnStorageError::Decide,
            OnStorageErrorArgument::None => OnStorageError::NoVariation,
        },
        ..Policy::default()
    };
    let (input, size) = stream::input(&arguments.input)?;
    let storage = arguments.storage.open(Use::ToKeep)?;
    let not_kept = Arc::new(NotKept::default());
    let client = Client::builder(settings).policy(policy).on_storage_error({
        let not_kept = Arc::clone(&not_kept);
        move |error: &StorageError| not_kept.add(error.to_string())
    });
    let events = arguments.events.as_ref().map(EventsTo::open).transpose()?;
    let client = match &events {
        None => client,
        Some(events) => client.events(events.collector().clone()),
    };
    let client = match &storage {
        None => client.build(),
        Some(storage) => client.storage(Arc::clone(storage)).build(),
    };

    let mut output = stream::output(&arguments.output)?;
    let seen = stream::is_watched(&arguments.output) || stream::is_typed(&arguments.input);
    let progress = stream::progress_in_bytes(size, !seen);
    let batch = Batch {
        client: &client,
        not_kept: &not_kept,
        events: events.as_ref(),
        explain: arguments.explain,
        users: RandomState::new(),
        workers: workers(),
    };
    let malformed = batch.run(input, &mut output, &progress);
    progress.finish_and_clear();
    let written = malformed.and_then(|malformed| {
        if arguments.dump_storage
            && let Some(storage) = &storage
        {
            dump(&**storage, &mut output)?;
        }
        output.flush().map(|()| malformed)
    });
    // Also where nobody reads the answers any more.
    let events_left = events.and_then(|events| events.end(PATIENCE));
    let malformed = stream::written(written)?;
    if malformed > 0 {
        let lines = if malformed == 1 { "line was" } else { "lines were" };
        anstream::eprintln!("{malformed} {lines} malformed: look for \"error\" in the answers");
    }
    let told = [not_kept.told(), events_left];
    for told in told.iter().flatten() {
        anstream::eprintln!("{told}");
    }
    Ok(match told {
        [None, None] if malformed > 0 => ExitCode::from(1),
        [None, None] => ExitCode::SUCCESS,
        _ => ExitCode::from(NOT_KEPT),
    })
}

/// What could not be kept.
#[derive(Debug, Default)]
struct NotKept(Mutex<(u64, Option<String>)>);

impl NotKept {
    fn add(&self, why: String) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.0 += 1;
        failures.1.get_or_insert(why);
    }

    /// How much it was, and why; `None` where all was kept.
    fn told(&self) -> Option<String> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, first) = (failures.0, failures.1.as_ref()?);
        let writes = counted(count, "write");
        let lost = if count == 1 { "what it held is" } else { "those decisions are" };
        Some(format!("{writes} failed, and {lost} not kept: {first}"))
    }
}

struct Batch<'b> {
    client: &'b Client,
    not_kept: &'b NotKept,
    events: Option<&'b Sent>,
    explain: bool,
    users: RandomState,
    workers: usize,
}

/// Answers of a chunk, in order, and how many lines of it were malformed.
struct Answers {
    text: Vec<u8>,
    malformed: u64,
    bytes_read: u64,
}

impl Batch<'_> {
    /// Answers everything; how many lines were malformed.
    fn run(
        &self,
        input: impl Read + Send + 'static,
        output: &mut impl Write,
        progress: &ProgressBar,
    ) -> io::Result<u64> {
        let chunks = chunk::read_ahead(input);
        let (mut first, mut malformed) = (0, 0);
        loop {
            let chunk = match chunks.try_recv() {
                Ok(chunk) => chunk?,
                Err(mpsc::TryRecvError::Disconnected) => return Ok(malformed),
                Err(mpsc::TryRecvError::Empty) => {
                    // Nobody is kept waiting for answers that are there.
                    output.flush()?;
                    match chunks.recv() {
                        Ok(chunk) => chunk?,
                        Err(mpsc::RecvError) => return Ok(malformed),
                    }
                }
            };
            let answered = match &chunk {
                Chunk::Lines(lines) => self.answer(lines, &mut first),
                Chunk::LongLine => {
                    first += 1;
                    Answers::of_long_line(first - 1)
                }
            };
            // What is answered is stored.
            self.client.flush(PATIENCE).map_err(too_slow)?;
            if let Some(events) = self.events {
                events.kept(PATIENCE).map_err(io::Error::other)?;
            }
            output.write_all(&answered.text)?;
            malformed += answered.malformed;
            progress.inc(answered.bytes_read);
        }
    }

    /// Answers the lines of a chunk; `first` is the number of its first line, and of the next chunk's afterwards.
    fn answer(&self, chunk: &[u8], first: &mut u64) -> Answers {
        let workers = if chunk.len() < SMALL { 1 } else { self.workers };
        let mut parts = in_parallel(workers, cut(chunk, workers), |part| (0, lines(part)));
        for (number, lines) in &mut parts {
            *number = *first;
            *first += lines.len() as u64;
        }
        let (text, malformed) = if self.client.policy().has_storage {
            self.answer_by_user(workers, parts)
        } else {
            self.answer_apart(workers, parts)
        };
        Answers { text, malformed, bytes_read: chunk.len() as u64 }
    }

    /// Without a storage no call depends on another: every part is read and answered by itself.
    fn answer_apart(&self, workers: usize, parts: Vec<(u64, Vec<&[u8]>)>) -> (Vec<u8>, u64) {
        let answered = in_parallel(workers, parts, |(first, lines)| {
            let mut text = Vec::new();
            let mut malformed = 0;
            for (number, line) in (first..).zip(lines) {
                malformed += u64::from(self.answer_line(number, &read(line), &mut text));
            }
            (text, malformed)
        });
        let malformed = answered.iter().map(|(_, malformed)| malformed).sum();
        (answered.into_iter().map(|(text, _)| text).collect::<Vec<_>>().concat(), malformed)
    }

    /// With a storage all lines of a user go to one worker, in their order.
    fn answer_by_user(&self, workers: usize, parts: Vec<(u64, Vec<&[u8]>)>) -> (Vec<u8>, u64) {
        let first = parts.first().map_or(0, |(first, _)| *first);
        let read: Vec<Vec<Result<Line<'_>, Malformed>>> =
            in_parallel(workers, parts, |(_, lines)| lines.into_iter().map(read).collect());
        let lines: Vec<&Result<Line<'_>, Malformed>> = read.iter().flatten().collect();
        let mut shares: Vec<Vec<usize>> = vec![Vec::new(); workers];
        for (place, line) in lines.iter().enumerate() {
            let user = line.as_ref().ok().and_then(Line::user);
            #[expect(clippy::cast_possible_truncation, reason = "any part of a hash chooses a worker")]
            let worker = user.map_or(place, |user| self.users.hash_one(user) as usize) % workers;
            shares[worker].push(place);
        }
        let answered = in_parallel(workers, shares, |share| {
            let mut text = Vec::new();
            let mut malformed = 0;
            let mut ends = Vec::with_capacity(share.len());
            for place in &share {
                malformed += u64::from(self.answer_line(first + *place as u64, lines[*place], &mut text));
                ends.push(text.len());
            }
            (share, text, ends, malformed)
        });
        // Back into the order of the lines: each share has its own in order already.
        let mut pieces: Vec<&[u8]> = vec![&[]; lines.len()];
        for (share, text, ends, _) in &answered {
            let mut start = 0;
            for (place, end) in share.iter().zip(ends) {
                pieces[*place] = &text[start..*end];
                start = *end;
            }
        }
        let text = pieces.concat();
        let malformed = answered.iter().map(|(.., malformed)| malformed).sum();
        in_parallel(workers, read, drop);
        (text, malformed)
    }

    /// The answer of a line as text, and whether the line was malformed.
    fn answer_line(&self, number: u64, line: &Result<Line<'_>, Malformed>, text: &mut Vec<u8>) -> bool {
        // Writing into memory cannot fail.
        let _ = match line {
            Err(malformed) => writeln!(text, "{{\"i\":{number},\"error\":{}}}", Value::from(malformed.to_string())),
            Ok(line) => {
                let is_put = matches!(line.operation(), Operation::Put(_));
                // Why a record could not be put is told at the end.
                let answer = if self.explain || is_put { line::explain } else { line::run }(line, self.client);
                if is_put {
                    self.note(&answer);
                }
                self.write_answer(number, line, &answer, text)
            }
        };
        line.is_err()
    }

    fn write_answer(&self, number: u64, line: &Line<'_>, answer: &Answer, text: &mut Vec<u8>) -> io::Result<()> {
        write!(text, "{{\"i\":{number},\"result\":{}", answer.result)?;
        if self.explain {
            write!(text, ",\"explain\":{}", answer.explanation)?;
        }
        if !line.warnings().is_empty() {
            write!(text, ",\"warnings\":{}", Value::from(line.warnings()))?;
        }
        writeln!(text, "}}")
    }

    /// Counts a record that could not be put: the client hands it over to nobody, and says so in its answer alone.
    fn note(&self, answer: &Answer) {
        if answer.result == Value::Bool(false) {
            self.not_kept
                .add(answer.explanation["mistake"].as_str().unwrap_or("the storage did not say why").to_owned());
        }
    }
}

/// A storage that does not come back.
fn too_slow(unfinished: Unfinished) -> io::Error {
    let (users, seconds) = (counted(unfinished.users as u64, "user"), PATIENCE.as_secs());
    let message = format!("the storage has not answered to the writes of {users} within {seconds} s: check the disk");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

impl Answers {
    fn of_long_line(number: u64) -> Answers {
        let text = format!("{{\"i\":{number},\"error\":\"is longer than {} MiB\"}}\n", chunk::LONGEST_LINE >> 20);
        Answers { text: text.into_bytes(), malformed: 1, bytes_read: chunk::LONGEST_LINE as u64 }
    }
}

/// Works on items, each in a thread of its own where there are several workers; the results in the order of the items.
fn in_parallel<T: Send, R: Send>(workers: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if workers == 1 {
        return items.into_iter().map(work).collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        let joined = handles.into_iter().map(|handle| match handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// A chunk in about equal parts of whole lines, at most so many.
fn cut(chunk: &[u8], parts: usize) -> Vec<&[u8]> {
    let share = chunk.len().div_ceil(parts).max(1);
    let mut rest = chunk;
    let mut cuts = Vec::with_capacity(parts);
    while rest.len() > share {
        let Some(end) = rest[share..].iter().position(|byte| *byte == b'\n') else { break };
        let (part, after) = rest.split_at(share + end + 1);
        cuts.push(part);
        rest = after;
    }
    cuts.push(rest);
    cuts
}

/// The lines that are not blank.
fn lines(part: &[u8]) -> Vec<&[u8]> {
    part.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect()
}

/// Why a line has no answer.
enum Malformed {
    NotText,
    Line(LineError),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Malformed::NotText => formatter.write_str("is not UTF-8 text"),
            Malformed::Line(error) => error.fmt(formatter),
        }
    }
}

fn read(line: &[u8]) -> Result<Line<'_>, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed::NotText)?;
    Line::parse(text).map_err(Malformed::Line)
}

fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// All records in one line, written one by one so that they are never in memory as a text.
fn dump(storage: &dyn UserStorage, output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"{\"storage\":[")?;
    let mut records = Records::of(storage).map_err(io::Error::other)?;
    for (place, record) in records.by_ref().enumerate() {
        let record = record.map_err(io::Error::other)?;
        if place > 0 {
            output.write_all(b",")?;
        }
        output.write_all(record.to_json().to_string().as_bytes())?;
    }
    records.tell();
    output.write_all(b"]}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let told = |users| too_slow(Unfinished { users }).to_string();
        assert!(told(1).contains("the writes of 1 user within 60 s"), "{}", told(1));
        assert!(told(2_000).contains("the writes of 2,000 users within 60 s"), "{}", told(2_000));
        let not_kept = NotKept::default();
        assert_eq!(not_kept.told(), None);
        not_kept.add("first".to_owned());
        assert_eq!(not_kept.told().as_deref(), Some("1 write failed, and what it held is not kept: first"));
        not_kept.add("second".to_owned());
        assert_eq!(not_kept.told().as_deref(), Some("2 writes failed, and those decisions are not kept: first"));
    }
}
