//! What a client costs beside the floor, and beside itself: ratios of runs taken in turns, so that a noisy machine
//! disturbs both alike.
//!
//! `cargo bench -p steadfast --bench clients`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measured, or stops")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast::blocking::Client;
use steadfast::engine::bucket::{BUCKETS, HashInput, Murmur3, Range, allocate, bucket};
use steadfast::engine::{Options, Record, Settings};
use steadfast::storage::layer::write_behind::{WriteBehind, WriteBehindOptions};
use steadfast::storage::{AsyncUserStorage, Claim, MemoryStorage, Merged, StorageError, UserStorage};

/// As many users as the floor's map holds records.
const USERS: u64 = 100_000;
const KEY: &str = "campaign-1";
const VARIATIONS: [&str; 3] = ["Control", "Variation-1", "Variation-2"];

fn settings() -> Arc<Settings> {
    let text = r#"{"accountId":888888,"version":1,"sdkKey":"k","campaigns":[{"id":1,"key":"campaign-1",
        "type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"isForcedVariationEnabled":false,"segments":{},
        "goals":[],"variations":[{"id":1,"name":"Control","weight":33.3333},{"id":2,"name":"Variation-1",
        "weight":33.3333},{"id":3,"name":"Variation-2","weight":33.3333}]}]}"#;
    Arc::new(Settings::parse(text).unwrap())
}

fn users() -> Vec<String> {
    (0..USERS).map(|number| format!("{:020x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

/// What nobody can do without: the hash, a look-up of the campaign, a scan of its ranges, a look-up of the record, and of
/// the variation that it names.
struct Floor {
    campaigns: HashMap<String, (Vec<Range>, [&'static str; 3])>,
    records: HashMap<String, Record>,
}

impl Floor {
    fn new(users: &[String]) -> Self {
        let record = |user: &String| (user.clone(), Record::new(user.as_str(), KEY, "Variation-1"));
        Floor {
            campaigns: HashMap::from([(KEY.to_owned(), (allocate([33.3333; 3]).collect(), VARIATIONS))]),
            records: users.iter().map(record).collect(),
        }
    }

    fn decide(&self, user: &str) -> bool {
        let hash = Murmur3::new().hash_text(user, HashInput::Utf16LowBytes);
        let bucket = bucket(hash, BUCKETS, 1.0);
        let Some((ranges, variations)) = self.campaigns.get(black_box(KEY)) else { return false };
        let range = ranges.iter().position(|range| range.contains(bucket));
        let stored = self.records.get(user).map(|record| &*record.variation_name);
        let stored = stored.and_then(|stored| variations.iter().position(|variation| *variation == stored));
        stored.or(range).is_some()
    }
}

/// Keeps records in memory, is written to by workers, and takes so long for it.
struct HandedOver(MemoryStorage, Duration);

impl UserStorage for HandedOver {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.take_time();
        self.0.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.take_time();
        self.0.merge(claim)
    }
}

impl HandedOver {
    fn take_time(&self) {
        if !self.1.is_zero() {
            std::thread::sleep(self.1);
        }
    }
}

fn stored(users: &[String]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    users.iter().for_each(|user| storage.set(Record::new(user.as_str(), KEY, "Variation-1")).unwrap());
    storage
}

fn main() {
    let users = users();
    let floor = Floor::new(&users);
    let plain = Client::builder(settings()).storage(stored(&users)).build();
    let hooked = Client::builder(settings()).storage(stored(&users)).events(Nobody).integrations(|_| {}).build();
    let activate =
        |client: &Client, user: &str| client.activate(KEY, user, Options::NONE).unwrap().variation().is_some();
    println!("ratios, medians of runs taken in turns");
    let beside_floor = ratio(&users, |user| activate(&plain, user), |user| floor.decide(user));
    println!("{beside_floor:>8.2}  activate, stored in memory / floor with a map of records  (at most 1.5)");
    let beside_itself = ratio(&users, |user| activate(&hooked, user), |user| activate(&plain, user));
    println!("{beside_itself:>8.2}  the same with a sink and a hook that do nothing / without any");
    println!("{:>8.2}  two threads / one, decisions a second on stored users", threads(&plain, &users));
    let p99 = new_users(&users);
    let what = "p99 of activate on new users: a storage that takes 50 ms to write";
    println!("{:>8.2}  {what} / one in memory, written in place  (at most 1.1)", p99.slow / p99.in_place);
    println!("{:>8.2}  {what} / one in memory, handed over to alike  (at most 1.1)", p99.slow / p99.handed_over);
    let (in_memory, handed_over) = kept_back(&users);
    let what = "the same, asynchronous, under `WriteBehind`";
    println!("{in_memory:>8.2}  {what} / one in memory  (at most 1.1)");
    println!("{handed_over:>8.2}  {what} / one in memory, handed over to alike");
}

/// The same storage for an asynchronous client: its look-ups are in place, its writes take so long.
struct Later(MemoryStorage, Duration);

impl AsyncUserStorage for Later {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.take_time().await;
        self.0.set(record)
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.take_time().await;
        self.0.merge(claim)
    }
}

impl Later {
    async fn take_time(&self) {
        if !self.1.is_zero() {
            tokio::time::sleep(self.1).await;
        }
    }
}

/// The 99th percentile of an asynchronous `activate` on new users, with writes of 50 ms that are kept back: in the measure
/// of a storage in memory, and of one that is handed its writes by the client.
fn kept_back(users: &[String]) -> (f64, f64) {
    let p99 = |builder: fn() -> steadfast::Client| {
        // One of its own, so that what is still to be written is nobody else's load.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let mut times: Vec<f64> = Vec::with_capacity(users.len());
        runtime.block_on(async {
            let client = builder();
            for user in &users[..20_000] {
                let start = Instant::now();
                black_box(client.activate(KEY, user, Options::NONE).await.is_ok());
                times.push(start.elapsed().as_nanos() as f64);
            }
        });
        runtime.shutdown_background();
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    };
    let rounds: Vec<(f64, f64)> = (0..11)
        .map(|_| {
            let kept_back = p99(|| {
                let slow = Later(MemoryStorage::new(), Duration::from_millis(50));
                let layer = WriteBehind::new(slow, WriteBehindOptions::default()).unwrap();
                steadfast::Client::builder(settings()).storage(layer).build()
            });
            let in_memory =
                p99(|| steadfast::Client::builder(settings()).blocking_storage(MemoryStorage::new()).build());
            let handed_over = p99(|| {
                steadfast::Client::builder(settings()).storage(Later(MemoryStorage::new(), Duration::ZERO)).build()
            });
            (kept_back / in_memory, kept_back / handed_over)
        })
        .collect();
    (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)))
}

/// A sink that nobody stands behind.
struct Nobody;

impl steadfast::EventSink for Nobody {
    fn send(&self, event: &steadfast::engine::Event<'_, '_>) {
        black_box(event);
    }
}

fn over(users: &[String], work: &impl Fn(&str) -> bool) -> Duration {
    let start = Instant::now();
    for user in users {
        black_box(work(black_box(user)));
    }
    start.elapsed()
}

fn ratio(users: &[String], subject: impl Fn(&str) -> bool, floor: impl Fn(&str) -> bool) -> f64 {
    over(users, &subject);
    median((0..41).map(|round| {
        // A tenth of the users at a time, another one each time.
        let users = &users[round % 10 * users.len() / 10..][..users.len() / 10];
        over(users, &subject).as_secs_f64() / over(users, &floor).as_secs_f64()
    }))
}

fn threads(client: &Client, users: &[String]) -> f64 {
    let run = |threads: usize| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let mine = &users[thread * users.len() / threads..][..users.len() / threads];
                scope.spawn(move || {
                    (0..10).for_each(|_| {
                        over(mine, &|user: &str| client.activate(KEY, user, Options::NONE).is_ok());
                    });
                });
            }
        });
        start.elapsed().as_secs_f64()
    };
    median((0..9).map(|_| run(1) / run(2)))
}

/// The 99th percentile of `activate` on users who are new, in nanoseconds.
struct P99 {
    /// With a storage that takes 50 ms to write.
    slow: f64,
    /// With one that takes no time, and is handed its writes by the same queue.
    handed_over: f64,
    /// With one that is written to within the call.
    in_place: f64,
}

/// Medians of runs taken in turns.
fn new_users(users: &[String]) -> P99 {
    let p99 = |client: Client| {
        let mut times: Vec<f64> = Vec::with_capacity(users.len());
        for user in &users[..20_000] {
            let start = Instant::now();
            black_box(client.activate(KEY, user, Options::NONE).is_ok());
            times.push(start.elapsed().as_nanos() as f64);
        }
        // What waits is given up with the process; nobody needs it here.
        std::mem::forget(client);
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    };
    let handed_over = |time| Client::builder(settings()).storage(HandedOver(MemoryStorage::new(), time)).build();
    let rounds: Vec<P99> = (0..11)
        .map(|_| P99 {
            slow: p99(handed_over(Duration::from_millis(50))),
            handed_over: p99(handed_over(Duration::ZERO)),
            in_place: p99(Client::builder(settings()).storage(MemoryStorage::new()).build()),
        })
        .collect();
    let median = |of: fn(&P99) -> f64| median(rounds.iter().map(of));
    P99 {
        slow: median(|round| round.slow),
        handed_over: median(|round| round.handed_over),
        in_place: median(|round| round.in_place),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
