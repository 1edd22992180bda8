//! Two clients that would decide otherwise for every user, four threads each, activate the same new users at the same
//! moments over one storage in a file, confirmed, and track a goal each. Whoever is first wins, and both must say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use steadfast::blocking::Client;
use steadfast::confirmed::Confirmation;
use steadfast::engine::{GoalList, Options, Settings, TrackTarget};
use steadfast::event::MemoryEvents;
use steadfast::storage::{EmbeddedStorage, UserStorage};

use super::Problem;
use super::kills::progress;

const THREADS: usize = 4;
/// What no machine needs to write what was handed over.
const PATIENCE: Duration = Duration::from_secs(120);
pub(super) const GOALS: [&str; 2] = ["buy", "sign"];

/// One client, and what it showed each user: the place of the variation, from 1 on; 0 before.
struct Side {
    client: Client,
    goal: &'static str,
    shown: Vec<AtomicU32>,
    next: AtomicU32,
}

/// Whether every user got one variation and all goals are there.
pub(super) fn race(users: u32) -> Result<bool, Problem> {
    let folder = std::env::temp_dir().join(format!("steadfast-race-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let storage = Arc::new(EmbeddedStorage::open(folder.join("assignments"))?);
    let events = Arc::new(MemoryEvents::new());
    let start = Instant::now();
    let progress = progress(2 * u64::from(users));
    let sides = [([90, 10], GOALS[0]), ([10, 90], GOALS[1])].map(|(weights, goal)| -> Result<Side, Problem> {
        let client = Client::builder(settings(weights)?).storage(Arc::clone(&storage)).events(Arc::clone(&events));
        let shown = (0..users).map(|_| AtomicU32::new(0)).collect();
        Ok(Side { client: client.build(), goal, shown, next: AtomicU32::new(0) })
    });
    let [one, other] = sides;
    let sides = [one?, other?];
    let adopted = thread::scope(|scope| {
        let threads: Vec<_> = (0..2 * THREADS)
            .map(|thread| {
                let (side, progress) = (&sides[thread % 2], &progress);
                scope.spawn(move || side.play(users, progress))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).sum::<Result<u64, Problem>>()
    })?;
    sides.iter().try_for_each(|side| side.client.flush(PATIENCE))?;
    progress.finish_and_clear();
    let took = start.elapsed();

    let shown = |side: usize, user: u32| sides[side].shown[user as usize].load(Ordering::Relaxed);
    let torn = (0..users).filter(|user| shown(0, *user) != shown(1, *user)).count();
    let (mut records, mut lost_goals, mut strangers) = (0_u32, 0_u32, 0_u32);
    let mut cursor = None;
    loop {
        let page = storage.scan(cursor.as_ref(), 10_000)?;
        for record in &page.records {
            records += 1;
            let user: u32 = record.user_id.trim_start_matches("user-").parse()?;
            strangers += u32::from(number(&record.variation_name) != shown(0, user));
            let listed = |goal: &&str| GoalList::contains(&record.goals, goal, GOALS.into_iter());
            lost_goals += u32::try_from(GOALS.iter().filter(|goal| !listed(goal)).count())?;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let impressions = events.take().iter().filter(|event| event["event"] == "impression").count();
    drop(sides);
    drop(storage);
    std::fs::remove_dir_all(&folder)?;

    println!("{users:>10}  users");
    println!("{records:>10}  records");
    println!("{torn:>10}  users with two confirmed variations");
    println!("{strangers:>10}  records of another variation than was confirmed");
    println!("{lost_goals:>10}  goals lost, of {}", 2 * u64::from(users));
    println!("{impressions:>10}  visitors counted");
    println!("{adopted:>10}  decisions that adopted the winner's");
    println!("{:>10.1}  seconds", took.as_secs_f64());
    let counted = u32::try_from(impressions)?;
    Ok(torn == 0 && strangers == 0 && lost_goals == 0 && records == users && counted == users)
}

impl Side {
    /// Activates and tracks until all users have been here; how many winners were adopted.
    fn play(&self, users: u32, progress: &indicatif::ProgressBar) -> Result<u64, Problem> {
        let mut adopted = 0;
        loop {
            let user = self.next.fetch_add(1, Ordering::Relaxed);
            if user >= users {
                return Ok(adopted);
            }
            let name = format!("user-{user}");
            let confirmed = self.client.activate_confirmed("ab", &name, Options::NONE)?;
            match confirmed.confirmation {
                Confirmation::Stored => {}
                Confirmation::Adopted => adopted += 1,
                other => return Err(format!("a decision was not confirmed: {other:?}").into()),
            }
            let variation = number(confirmed.decision.variation_name().unwrap_or_default());
            self.shown[user as usize].store(variation, Ordering::Relaxed);
            self.client.track(TrackTarget::One("ab"), &name, self.goal, Options::NONE)?;
            progress.inc(1);
        }
    }
}

fn number(variation: &str) -> u32 {
    match variation {
        "Control" => 1,
        "Variation-1" => 2,
        _ => 0,
    }
}

pub(super) fn settings(weights: [u32; 2]) -> Result<Arc<Settings>, Problem> {
    let file = json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [{"id": 1, "identifier": GOALS[0], "type": "CUSTOM_GOAL"},
            {"id": 2, "identifier": GOALS[1], "type": "CUSTOM_GOAL"}],
        "variations": [{"id": 1, "name": "Control", "weight": weights[0]},
            {"id": 2, "name": "Variation-1", "weight": weights[1]}]}]});
    Ok(Arc::new(Settings::parse(&file.to_string())?))
}
