//! The same scene on a storage that answers later, as one on another machine does: each user in a task, the data asked
//! for in each call, or fetched once for all calls of a visit.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use steadfast::Client;
use steadfast::engine::{Answer, Options, Record, Settings, TrackTarget};
use steadfast::storage::{AsyncUserStorage, Claim, MemoryStorage, Merged, StorageError, UserStorage, Writes};
use tokio::task::JoinSet;

use super::scene::{CAMPAIGN, Ending, GOAL, PATIENCE, Scene, cannot_play};
use crate::failure::Failure;

/// How long the storage takes for an answer.
pub(super) const DELAY: Duration = Duration::from_millis(20);

/// So many users are there at the same time.
pub(super) const AT_A_TIME: usize = 1_000;

/// When the data of a user is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetch {
    /// In each call, by the client.
    InEachCall,
    /// Once, before the calls of a visit, which are given the data.
    Once,
}

/// What was counted and measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Visits, and of these: how many saw what they saw in the scene that was played before.
    pub(super) visits: u64,
    pub(super) same: u64,
    /// Purchases that were counted.
    pub(super) purchases: u64,
    /// How often the storage was asked.
    pub(super) look_ups: u64,
    /// How long fetching took, where it was done; the median.
    pub(super) fetching: Option<Duration>,
    /// How long a call took, and a visit from its beginning to its end; the medians.
    pub(super) call: Duration,
    pub(super) visit: Duration,
    /// How long all of it took.
    pub(super) total: Duration,
}

/// A storage in memory, as if it were far away.
#[derive(Debug, Default)]
struct Distant {
    memory: MemoryStorage,
    look_ups: AtomicU64,
}

/// A user who comes, and what they were shown.
struct Visit {
    user: u32,
    /// Both times that the page asked.
    seen: [Option<String>; 2],
    /// How often a purchase was counted.
    purchases: u64,
    fetching: Option<Duration>,
    calls: Vec<Duration>,
    whole: Duration,
}

/// Plays the scene; what is seen is compared with how it `ended` before.
pub(super) fn play(scene: &Scene, fetch: Fetch, ended: &Ending) -> Result<Measured, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build();
    runtime.map_err(|error| cannot_play(&error))?.block_on(acts(scene, fetch, ended))
}

async fn acts(scene: &Scene, fetch: Fetch, ended: &Ending) -> Result<Measured, Failure> {
    let storage = Arc::new(Distant::default());
    let client = |settings: &Arc<Settings>| {
        Arc::new(Client::builder(Arc::clone(settings)).storage(Arc::clone(&storage)).build())
    };
    let (before, after) = (client(&scene.before), client(&scene.after));
    let began = Instant::now();
    let mut visits = Vec::new();
    for (client, users) in [(&before, 0..scene.users), (&after, 0..scene.users), (&after, scene.newcomers())] {
        let first = visits.len();
        let mut there = JoinSet::new();
        for user in users {
            if there.len() == AT_A_TIME {
                take(&mut visits, there.join_next().await)?;
            }
            let buys = first > 0 && scene.buys(user);
            there.spawn(visit(Arc::clone(client), user, fetch, buys));
        }
        while let Some(joined) = there.join_next().await {
            take(&mut visits, Some(joined))?;
        }
        client.flush(PATIENCE).await.map_err(|error| cannot_play(&error))?;
        // They end in no order.
        visits[first..].sort_by_key(|visit: &Visit| visit.user);
    }
    let total = began.elapsed();
    let as_before = |(visit, before): &(&Visit, &Option<String>)| visit.seen.iter().all(|seen| seen == *before);
    let same = visits.iter().zip(&ended.answers).filter(as_before).count() as u64;
    let fetching: Vec<Duration> = visits.iter().filter_map(|visit| visit.fetching).collect();
    Ok(Measured {
        visits: visits.len() as u64,
        same,
        purchases: visits.iter().map(|visit| visit.purchases).sum(),
        look_ups: storage.look_ups.load(Ordering::Relaxed),
        fetching: (!fetching.is_empty()).then(|| median(fetching)),
        call: median(visits.iter().flat_map(|visit| visit.calls.iter().copied()).collect()),
        visit: median(visits.iter().map(|visit| visit.whole).collect()),
        total,
    })
}

/// A visit that came to its end.
fn take(
    visits: &mut Vec<Visit>,
    joined: Option<Result<Result<Visit, Failure>, tokio::task::JoinError>>,
) -> Result<(), Failure> {
    if let Some(joined) = joined {
        visits.push(joined.map_err(|error| cannot_play(&error))??);
    }
    Ok(())
}

/// A user comes, the page asks what to show, asks again where it shows it, and reports a purchase twice.
async fn visit(client: Arc<Client>, number: u32, fetch: Fetch, buys: bool) -> Result<Visit, Failure> {
    let user = Scene::visitor(number);
    let began = Instant::now();
    let mut options = Options::default();
    let mut fetching = None;
    if fetch == Fetch::Once {
        options.user_storage_data = client.stored(&user).await.map_err(|error| cannot_play(&error))?;
        fetching = Some(began.elapsed());
    }
    let mut calls = Vec::with_capacity(4);
    let decision = timed(&mut calls, client.activate(CAMPAIGN, &user, &options)).await;
    let seen = decision.map_err(|error| cannot_play(&error))?.variation_name().map(str::to_owned);
    let again = timed(&mut calls, client.variation_name(CAMPAIGN, &user, &options)).await;
    let again = again.map_err(|error| cannot_play(&error))?.variation_name().map(str::to_owned);
    let mut purchases = 0;
    for _ in 0..if buys { 2 } else { 0 } {
        let tracking = timed(&mut calls, client.track(TrackTarget::One(CAMPAIGN), &user, GOAL, &options)).await;
        purchases += tracking.map_err(|error| cannot_play(&error))?.conversions().count() as u64;
    }
    let whole = began.elapsed();
    Ok(Visit { user: number, seen: [seen, again], purchases, fetching, calls, whole })
}

async fn timed<R>(times: &mut Vec<Duration>, call: impl Future<Output = R>) -> R {
    let began = Instant::now();
    let result = call.await;
    times.push(began.elapsed());
    result
}

fn median(mut times: Vec<Duration>) -> Duration {
    let middle = times.len() / 2;
    times.sort_unstable();
    times.get(middle).copied().unwrap_or_default()
}

impl Distant {
    /// What the storage does once it has heard of it, after a while.
    async fn later<R>(&self, work: impl FnOnce(&MemoryStorage) -> R + Send) -> R {
        tokio::time::sleep(DELAY).await;
        work(&self.memory)
    }

    async fn look_up<R>(&self, work: impl FnOnce(&MemoryStorage) -> R + Send) -> R {
        self.look_ups.fetch_add(1, Ordering::Relaxed);
        self.later(work).await
    }
}

impl AsyncUserStorage for Distant {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.look_up(|memory| memory.get(user, campaign)).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.look_up(|memory| memory.get_many(user, campaigns)).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.look_up(|memory| memory.records_of(user)).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.later(|memory| memory.set(record)).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.later(|memory| memory.merge(claim)).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.later(|memory| memory.merge_many(claims)).await
    }

    fn writes(&self) -> Writes {
        Writes::Together(AT_A_TIME)
    }
}
