//! A program whose events are kept on disk is killed, its collector fails a third of what it is sent, and is gone for half
//! a minute: what the program was told is kept arrives, and what arrives twice can be told to be the same.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings};
use steadfast::event::{BackOff, Batching, Collector, Delivery, Endpoint, Spool};
use steadfast_testkit::servers::{LocalCollector, Reply};

use super::Problem;
use super::kills::next;

/// So long there is no collector.
const DOWN: Duration = Duration::from_secs(30);
/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(600);
/// So many events are taken over before it is asked whether they are kept.
const GROUP: u64 = 1_000;

/// What the collector took of one visitor's event: its number, and how often.
type Taken = HashMap<String, (String, u64)>;

#[derive(Debug, Default)]
struct Tally {
    taken: Mutex<Taken>,
    calls: AtomicU64,
    failed: AtomicU64,
    other_number: AtomicU64,
}

impl Tally {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: a sixth is refused, of another sixth the answer says so though it was taken.
    fn answer(&self, body: &str, random: u64) -> Reply {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failed = Reply::status(503);
        if random.is_multiple_of(6) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return failed;
        }
        let Ok(body) = serde_json::from_str::<Value>(body) else { return Reply::status(400) };
        let mut taken = self.taken();
        for entry in body["ev"].as_array().into_iter().flatten() {
            let (Some(visitor), number) = (entry["u"].as_str(), entry["random"].to_string()) else { continue };
            let (first, times) = taken.entry(visitor.to_owned()).or_insert_with(|| (number.clone(), 0));
            *times += 1;
            if *first != number {
                self.other_number.fetch_add(1, Ordering::Relaxed);
            }
        }
        if random % 6 == 1 {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return failed;
        }
        Reply::status(200)
    }
}

/// The program, and what it said.
struct Program {
    child: Child,
    /// Users up to this one were told to be kept.
    kept: Arc<AtomicU64>,
    listener: thread::JoinHandle<()>,
}

impl Program {
    fn start(folder: &Path, port: u16, users: std::ops::Range<u64>) -> Result<Program, Problem> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("send-events")
            .arg(folder)
            .arg(port.to_string())
            .args([users.start.to_string(), users.end.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the program has no output")?;
        let kept = Arc::new(AtomicU64::new(users.start));
        let heard = Arc::clone(&kept);
        let listener = thread::spawn(move || {
            let (mut reader, mut line) = (BufReader::new(output), String::new());
            // Half a line is the moment of the kill: it may have been told anything.
            while reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if let Ok(until) = line.trim_end().parse() {
                    heard.store(until, Ordering::Release);
                }
                line.clear();
            }
        });
        Ok(Program { child, kept, listener })
    }

    fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// SIGKILL; up to which user it had been told that they are kept.
    fn kill(mut self) -> Result<u64, Problem> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("the program ended by itself: {status}").into());
        }
        self.child.kill()?;
        self.child.wait()?;
        self.listener.join().map_err(|_| "the listener failed")?;
        Ok(self.kept.load(Ordering::Acquire))
    }

    fn end(mut self) -> Result<u64, Problem> {
        let status = self.child.wait()?;
        self.listener.join().map_err(|_| "the listener failed")?;
        if !status.success() {
            return Err(format!("the program ended with {status}").into());
        }
        Ok(self.kept.load(Ordering::Acquire))
    }
}

/// Whether each event that was told to be kept arrived.
pub(super) fn events(count: u64, seed: u64) -> Result<bool, Problem> {
    println!("{count} events, seed {seed}");
    let folder = tempfile::tempdir()?;
    let tally = Arc::new(Tally::default());
    let serve = |port: u16, seed: u64| {
        let server = LocalCollector::start_on(port);
        let (tally, mut random) = (Arc::clone(&tally), seed);
        server.answer(move |call| tally.answer(&call.body, next(&mut random) >> 8));
        server
    };
    let mut server = Some(serve(0, seed));
    let port = server.as_ref().map_or(0, LocalCollector::port);
    let progress = progress(count);
    // What is done when, by what was told to be kept and what was taken.
    let mut faults = VecDeque::from([
        ("killed while the collector fails a third", count * 3 / 10, 0),
        ("no collector from here on", count / 2, 0),
        ("killed while there is no collector", count * 7 / 10, 0),
        ("killed while what is left is sent", count, count * 6 / 10),
    ]);
    let (mut done, mut down_since, mut down) = (Vec::new(), None::<Instant>, Duration::ZERO);
    let mut end = count;
    let mut program = Program::start(folder.path(), port, 0..end)?;
    let mut begin = 0;
    let start = Instant::now();
    let mut kept_before = 0;
    while !faults.is_empty() || down_since.is_some() {
        if start.elapsed() > PATIENCE {
            return Err("it takes too long: the program does not get on".into());
        }
        thread::sleep(Duration::from_millis(10));
        if let Some(server) = &server {
            server.forget();
        }
        let taken = tally.taken().len() as u64;
        progress.set_position(taken);
        let kept = kept_before + program.kept() - begin;
        if let Some(since) = down_since.filter(|since| since.elapsed() >= DOWN) {
            down = since.elapsed();
            server = Some(serve(port, seed.wrapping_add(1)));
            down_since = None;
            progress
                .suspend(|| println!("{:>9.1} s  the collector is back; {taken} taken", start.elapsed().as_secs_f64()));
        }
        // The last kill is of one that only sends.
        let is_due = |&(_, after, of_taken): &(_, u64, u64)| kept >= after && taken >= of_taken;
        let must_be_up = faults.len() == 1 && down_since.is_some();
        if !must_be_up && faults.front().is_some_and(is_due) {
            let Some((what, ..)) = faults.pop_front() else { break };
            progress
                .suspend(|| println!("{:>9.1} s  {what}; {kept} kept, {taken} taken", start.elapsed().as_secs_f64()));
            if what.starts_with("no collector") {
                server = None;
                down_since = Some(Instant::now());
                continue;
            }
            let told = program.kill()?;
            done.push((begin, told));
            kept_before += told - begin;
            // The group of the moment was told nothing: its users are not played again.
            begin = told + GROUP;
            end = begin + count.saturating_sub(kept_before);
            program = Program::start(folder.path(), port, begin..end)?;
        }
    }
    let told = program.end()?;
    done.push((begin, told));
    progress.finish_and_clear();
    drop(server);
    let left = steadfast::event::spool::contents(folder.path())?;
    let settings = settings()?;
    let visitors = settings.visitors();
    let taken = tally.taken();
    let kept: u64 = done.iter().map(|(begin, told)| told - begin).sum();
    let users = done.iter().flat_map(|(begin, told)| *begin..*told);
    let missing = users.filter(|user| !taken.contains_key(visitors.visitor(&user.to_string()).as_str())).count();
    let twice = taken.values().filter(|(_, times)| *times > 1).count();
    let other = tally.other_number.load(Ordering::Relaxed);
    println!("{kept:>12}  told to be kept");
    println!("{missing:>12}  of them did not arrive");
    println!("{:>12}  arrived, also what was told nothing yet when the program was killed", taken.len());
    println!("{twice:>12}  arrived more than once");
    println!("{other:>12}  of them with another number");
    println!("{:>12}  calls", tally.calls.load(Ordering::Relaxed));
    println!("{:>12}  of them failed", tally.failed.load(Ordering::Relaxed));
    println!("{:>12.1}  s without a collector", down.as_secs_f64());
    println!("{:>12}  kills", done.len() - 1);
    println!("{:>12}  left on disk, {} damaged lines", left.open.len(), left.damaged);
    println!("{:>12.1}  s", start.elapsed().as_secs_f64());
    Ok(missing == 0 && other == 0 && kept >= count && left.open.is_empty() && left.damaged == 0 && done.len() == 4)
}

fn settings() -> Result<Settings, Problem> {
    let file = json!({"accountId": 60781, "sdkKey": "key", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    Ok(Settings::parse(&file.to_string())?)
}

/// The program that is killed: a user for each event, and a line after a group of them is kept.
pub(super) fn send(folder: &Path, port: u16, users: std::ops::Range<u64>) -> Result<(), Problem> {
    let delivery = Delivery {
        batch: Some(Batching { events: NonZeroUsize::MIN.saturating_add(199), interval: Duration::from_millis(500) }),
        back_off: BackOff { first: Duration::from_millis(2), longest: Duration::from_secs(1) },
        ..Delivery::default()
    };
    let collector = Collector::builder()
        .endpoint(Endpoint { url: format!("http://127.0.0.1:{port}"), ..Endpoint::default() })
        .delivery(delivery)
        .spool(Spool::new(folder))
        .build()?;
    let client = Client::builder(Arc::new(settings()?)).events(collector.clone()).build();
    let mut user = users.start;
    while user < users.end {
        let until = (user + GROUP).min(users.end);
        for user in user..until {
            client.activate("ab", &user.to_string(), Options::NONE)?;
        }
        collector.kept_blocking(PATIENCE)?;
        std::io::stdout().lock().write_all(format!("{until}\n").as_bytes())?;
        // No faster than a busy server's decisions come, so that what is killed is at work.
        thread::sleep(Duration::from_millis(20));
        user = until;
    }
    collector.flush_blocking(PATIENCE)?;
    Ok(())
}

fn progress(events: u64) -> ProgressBar {
    let bar = super::kills::progress(events);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} events ({per_sec}, {eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
