//! Kills a process that keeps its writes back, over a storage that mostly fails: what was acknowledged was on the disk of
//! the journal, and is in the storage after the next start.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast::engine::Record;
use steadfast::engine::stored::GOAL_SEPARATOR;
use steadfast::storage::bridge::Offloaded;
use steadfast::storage::{
    AsyncUserStorage, Claim, EmbeddedStorage, Merged, StorageError, StorageErrorKind, UserStorage, Writes,
};
use steadfast_storage::layer::write_behind::{Journal, WriteBehind, WriteBehindOptions};

use super::Problem;
use super::kills::{claim, kill_a_writer, next, progress};

/// What no machine needs to send what was in a journal.
const PATIENCE: Duration = Duration::from_secs(60);
const WRITERS: u64 = 4;
/// New files after so many kills, so that making them is killed too.
const RUNS_PER_FILE: u64 = 10;

/// A storage that is down three quarters of the time, by a clock that starts with it.
struct MostlyDown<S>(S, Instant, u128);

impl<S: AsyncUserStorage> MostlyDown<S> {
    fn is_up(&self) -> Result<(), StorageError> {
        let is_up = (self.1.elapsed().as_millis() / 10 + self.2).is_multiple_of(4);
        if is_up { Ok(()) } else { Err(StorageError::new(StorageErrorKind::Unavailable, "down by the clock")) }
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for MostlyDown<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.is_up()?;
        self.0.get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.is_up()?;
        self.0.set(record).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        if self.is_up().is_err() {
            return claims.iter().map(|_| self.is_up().and_then(|()| Err(too_late()))).collect();
        }
        let merged = self.0.merge_many(claims).await;
        // Whether it was done or not is not always heard.
        if self.is_up().is_ok() { merged } else { merged.iter().map(|_| Err(too_late())).collect() }
    }

    fn writes(&self) -> Writes {
        self.0.writes()
    }
}

fn too_late() -> StorageError {
    StorageError::new(StorageErrorKind::TimedOut, "late by the clock")
}

/// Room for a few in memory alone, so that most are in the journal alone.
fn layer<S: AsyncUserStorage + 'static>(storage: S, folder: &Path) -> Result<WriteBehind<S>, Problem> {
    let journal = Journal::Always(folder.join("journal.redb"));
    let back_off = Duration::from_millis(1);
    let options =
        WriteBehindOptions { claims: 200, journal, back_off, longest_back_off: 5 * back_off, ..Default::default() };
    Ok(WriteBehind::new(storage, options)?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()
}

/// Whether nothing was lost, and nobody's variation changed.
pub(super) fn journal(runs: u64, seed: u64) -> Result<bool, Problem> {
    let folder = std::env::temp_dir().join(format!("steadfast-journal-faults-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("{runs} kills, seed {seed}");
    let progress = progress(runs);
    let mut random = seed;
    let (mut told, mut lost, mut flipped, mut replayed) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut goals: HashMap<(String, String), BTreeSet<String>> = HashMap::new();
    let mut variations: HashMap<(String, String), String> = HashMap::new();
    for run in 0..runs {
        if run % RUNS_PER_FILE == 0 {
            (goals, variations) = (HashMap::new(), HashMap::new());
            std::fs::remove_dir_all(&folder)?;
            std::fs::create_dir_all(&folder)?;
        }
        let moment = Duration::from_micros(next(&mut random) % 200_000);
        for (user, campaign, _, goal) in kill_a_writer("write-behind", &folder, next(&mut random), moment)? {
            told += 1;
            goals.entry((user, campaign)).or_default().insert(goal);
        }
        let storage = Arc::new(EmbeddedStorage::open(folder.join("assignments.redb"))?);
        let runtime = runtime()?;
        replayed += runtime.block_on(async {
            let layer = layer(Offloaded::new(Arc::clone(&storage)), &folder)?;
            layer.flush(PATIENCE).await?;
            let replayed = layer.counters().replayed;
            layer.shutdown(PATIENCE).await?;
            Ok::<u64, Problem>(replayed)
        })?;
        drop(runtime);
        for (place, goals) in &goals {
            let found = storage.get(&place.0, &place.1)?;
            let listed = |record: &Record| {
                let listed: BTreeSet<&str> = record.goals.as_str().split(GOAL_SEPARATOR).collect();
                goals.iter().all(|goal| listed.contains(goal.as_str()))
            };
            if !found.as_ref().is_some_and(listed) {
                lost += 1;
                progress.suspend(|| println!("kill {run}: {place:?}: told {goals:?}, found {found:?}"));
            }
            let Some(record) = found else { continue };
            let first = variations.entry(place.clone()).or_insert_with(|| record.variation_name.clone());
            flipped += u64::from(*first != record.variation_name);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    std::fs::remove_dir_all(&folder)?;
    println!("{runs:>12}  kills");
    println!("{told:>12}  acknowledged");
    println!("{replayed:>12}  replayed from the journal");
    println!("{lost:>12}  lost");
    println!("{flipped:>12}  variations that changed");
    Ok(lost == 0 && flipped == 0)
}

/// Hands claims over until it is killed. A line is printed after the layer has taken its claim in.
pub(super) fn write(folder: &Path, seed: u64) -> Result<(), Problem> {
    let storage = Offloaded::new(EmbeddedStorage::open(folder.join("assignments.redb"))?);
    runtime()?.block_on(async {
        let down = MostlyDown(storage, Instant::now(), u128::from(seed % 4));
        let layer = Arc::new(layer(down, folder)?);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let random = seed.wrapping_add(writer.wrapping_mul(0x1234_5678_9abc_def1));
                tokio::spawn(write_as(Arc::clone(&layer), writer, random))
            })
            .collect();
        for writer in writers {
            writer.await??;
        }
        Ok(())
    })
}

async fn write_as<S: AsyncUserStorage + 'static>(
    layer: Arc<WriteBehind<S>>,
    writer: u64,
    mut random: u64,
) -> Result<(), Problem> {
    loop {
        let count = if next(&mut random).is_multiple_of(2) { 1 } else { next(&mut random) % 50 + 1 };
        let claims: Vec<Claim> = (0..count).map(|_| claim(writer, &mut random)).collect();
        let mut told = String::new();
        for (claim, taken) in claims.clone().into_iter().zip(layer.hand_over(claims).await) {
            taken?;
            let (record, goal) = (claim.record, claim.goal.unwrap_or_default());
            told.push_str(&format!("{} {} {} {goal}\n", record.user_id, record.campaign_key, record.variation_name));
        }
        std::io::stdout().lock().write_all(told.as_bytes())?;
    }
}
