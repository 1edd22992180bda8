//! Kills a process that writes, again and again, and looks for what it had been told was kept.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, IsTerminal, Write, stderr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use steadfast::engine::stored::GOAL_SEPARATOR;
use steadfast::engine::{GoalList, Record};
use steadfast::storage::{Claim, Condition, EmbeddedStorage, UserStorage};

use super::Problem;

/// Opening after a kill must not take longer than this.
const SLOWEST: Duration = Duration::from_secs(1);
/// A new file after so many kills, so that creating one is killed too.
const RUNS_PER_FILE: u64 = 25;
/// The writers meet at the same places: most of what they write adds a goal to what another stored.
const USERS: u64 = 20_000;
const WRITERS: u64 = 4;
const GOALS: u64 = 5;

/// What was acknowledged for a place: the variation, and goals.
#[derive(Debug, Default)]
struct Kept {
    variation: String,
    goals: BTreeSet<String>,
}

/// User, campaign, variation and goal, as a writer was told that they are kept.
pub(super) type Told = (String, String, String, String);

type Acknowledged = HashMap<(String, String), Kept>;

/// What all kills came to.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    lost: u64,
    unclean: u64,
    openings: Vec<Duration>,
}

/// Whether nothing was lost and every opening was fast.
pub(super) fn storage(runs: u64, seed: u64) -> Result<bool, Problem> {
    let folder = std::env::temp_dir().join(format!("steadfast-faults-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("{runs} kills, seed {seed}");
    let progress = progress(runs);
    let mut random = seed;
    let mut tally = Tally::default();
    let mut acknowledged = Acknowledged::new();
    let mut file = folder.clone();
    for run in 0..runs {
        if run % RUNS_PER_FILE == 0 {
            acknowledged.clear();
            std::fs::remove_file(&file).ok();
            file = folder.join(format!("{run}.redb"));
        }
        let moment = Duration::from_micros(next(&mut random) % 80_000);
        let told = kill_a_writer("write", &file, next(&mut random), moment)?;
        tally.acknowledged += told.len() as u64;
        for (user, campaign, variation, goal) in told {
            let kept = acknowledged.entry((user, campaign)).or_default();
            if !kept.variation.is_empty() && kept.variation != variation {
                tally.lost += 1;
                progress.suspend(|| println!("kill {run}: told `{}`, and `{variation}` after it", kept.variation));
            }
            kept.variation = variation;
            kept.goals.insert(goal);
        }
        if file.exists() || !acknowledged.is_empty() {
            look_for(&file, &acknowledged, run, &mut tally, &progress)?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    std::fs::remove_dir_all(&folder)?;
    Ok(summary(runs, tally))
}

/// Starts a writer and kills it; what it was told was kept.
pub(super) fn kill_a_writer(writer: &str, file: &Path, seed: u64, moment: Duration) -> Result<Vec<Told>, Problem> {
    let mut child: Child = Command::new(std::env::current_exe()?)
        .arg(writer)
        .arg(file)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the writer has no output")?;
    let listener = thread::spawn(move || -> Result<Vec<String>, std::io::Error> {
        let (mut lines, mut reader) = (Vec::new(), BufReader::new(output));
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            // Half a line is the moment of the kill: it may have been told anything.
            if !line.ends_with('\n') {
                return Ok(lines);
            }
            lines.push(line);
        }
    });
    thread::sleep(moment);
    if let Some(status) = child.try_wait()? {
        return Err(format!("the writer ended by itself: {status}").into());
    }
    child.kill()?;
    child.wait()?;
    let lines = listener.join().map_err(|_| "the listener failed")??;
    let told = |line: &String| {
        let mut parts = line.trim_end().split(' ').map(str::to_owned);
        Some((parts.next()?, parts.next()?, parts.next()?, parts.next()?))
    };
    lines.iter().map(|line| told(line).ok_or_else(|| format!("cannot read `{line}`").into())).collect()
}

/// Opens the file anew, looks for everything that was acknowledged, and checks the file.
fn look_for(
    file: &Path,
    acknowledged: &Acknowledged,
    run: u64,
    tally: &mut Tally,
    progress: &ProgressBar,
) -> Result<(), Problem> {
    let start = Instant::now();
    let storage = EmbeddedStorage::open(file)?;
    tally.openings.push(start.elapsed());
    for ((user, campaign), kept) in acknowledged {
        let found = storage.get(user, campaign)?;
        let is_kept = found.as_ref().is_some_and(|record| {
            let goals: BTreeSet<&str> = record.goals.as_str().split(GOAL_SEPARATOR).collect();
            record.variation_name == kept.variation && kept.goals.iter().all(|goal| goals.contains(goal.as_str()))
        });
        if !is_kept {
            tally.lost += 1;
            progress.suspend(|| println!("kill {run}: {user} in {campaign}: told {kept:?}, found {found:?}"));
        }
    }
    drop(storage);
    let checked = EmbeddedStorage::check(file)?;
    if !checked.is_clean() {
        tally.unclean += 1;
        progress.suspend(|| println!("kill {run}: {checked:?}"));
    }
    Ok(())
}

fn summary(runs: u64, mut tally: Tally) -> bool {
    tally.openings.sort_unstable();
    let milliseconds = |place: usize| tally.openings.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let slowest = tally.openings.last().copied().unwrap_or_default();
    println!("{:>12}  kills", runs);
    println!("{:>12}  acknowledged", tally.acknowledged);
    println!("{:>12}  lost", tally.lost);
    println!("{:>12}  files not clean", tally.unclean);
    println!("{:>12.1}  ms, the median opening", milliseconds(tally.openings.len() / 2));
    println!("{:>12.1}  ms, the slowest opening", milliseconds(tally.openings.len().saturating_sub(1)));
    tally.lost == 0 && tally.unclean == 0 && slowest < SLOWEST
}

/// Writes until it is killed. A line is printed after the storage said that it is kept.
pub(super) fn write(file: &Path, seed: u64) -> Result<(), Problem> {
    let storage = EmbeddedStorage::open(file)?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (storage, random) = (&storage, seed.wrapping_add(writer.wrapping_mul(0x1234_5678_9abc_def1)));
                scope.spawn(move || write_as(storage, writer, random))
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a writer failed")?)
    })
}

fn write_as(storage: &EmbeddedStorage, writer: u64, mut random: u64) -> Result<(), Problem> {
    loop {
        // Now one claim, now many at once, as clients do.
        let count = if next(&mut random).is_multiple_of(2) { 1 } else { next(&mut random) % 50 + 1 };
        let claims: Vec<Claim> = (0..count).map(|_| claim(writer, &mut random)).collect();
        let goals: Vec<String> = claims.iter().filter_map(|claim| claim.goal.clone()).collect();
        let mut told = String::new();
        for (merged, goal) in storage.merge_many(claims).into_iter().zip(goals) {
            let record = merged?.record;
            told.push_str(&format!("{} {} {} {goal}\n", record.user_id, record.campaign_key, record.variation_name));
        }
        std::io::stdout().lock().write_all(told.as_bytes())?;
    }
}

pub(super) fn claim(writer: u64, random: &mut u64) -> Claim {
    let user = format!("user-{:05}", next(random) % USERS);
    let campaign = if next(random).is_multiple_of(2) { "checkout" } else { "search" };
    let goal = format!("goal-{}", next(random) % GOALS);
    let mut record = Record::new(user, campaign, format!("variation-{writer}"));
    record.goals = GoalList::from_text(goal.as_str());
    Claim { record, goal: Some(goal), condition: Condition::Absent, was_read: false }
}

/// SplitMix64.
pub(super) fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

pub(super) fn progress(runs: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(runs);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} kills ({per_sec}, {eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(super) fn seed_of_the_moment() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
