use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::backend::memory::MemoryStorage;
use crate::error::StorageErrorKind;
use crate::merge::{Claim, Condition};
use crate::user_storage::{AsyncUserStorage, UserStorage};

/// So long that nothing runs out.
const LONG: Duration = Duration::from_secs(3_600);
const OPTIONS: CacheOptions = CacheOptions { users: 1_000, found: LONG, absent: LONG, patience: LONG };

fn record(variation: &str) -> Record {
    Record::new("Ashley", "ab", variation)
}

/// A storage in memory whose every call takes three steps: it arrives, it is done, it is answered. A test says when by
/// polling. Fails as often as it was told to.
#[derive(Default)]
struct Stepped {
    memory: MemoryStorage,
    looked_up: AtomicUsize,
    failures: AtomicUsize,
    /// What there was in the place after each write.
    history: Mutex<Vec<Option<Record>>>,
}

async fn step() {
    let mut was_polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut was_polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Stepped {
    fn fails(&self) -> Result<(), StorageError> {
        let failed = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        failed.map_or(Ok(()), |_| Err(StorageError::new(StorageErrorKind::Unavailable, "as a test wants it")))
    }

    async fn write<R>(&self, write: impl FnOnce(&MemoryStorage) -> R) -> Result<R, StorageError> {
        step().await;
        let written = write(&self.memory);
        let now = UserStorage::get(&self.memory, "Ashley", "ab")?;
        self.history.lock().unwrap().push(now);
        step().await;
        self.fails()?;
        Ok(written)
    }
}

impl AsyncUserStorage for Stepped {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        step().await;
        let found = UserStorage::get(&self.memory, user, campaign);
        step().await;
        self.fails()?;
        found
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.write(|memory| UserStorage::set(memory, record)).await?
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.write(|memory| UserStorage::merge(memory, claim)).await?
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.write(|memory| UserStorage::erase(memory, user)).await?
    }
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_thousand_look_ups_at_one_moment_are_one() {
    let cache = Cache::new(Stepped::default(), OPTIONS);
    UserStorage::set(&cache.inner().memory, record("A")).unwrap();
    let mut asking: Vec<_> = (0..1_000).map(|_| Box::pin(cache.get("Ashley", "ab"))).collect();
    for look_up in &mut asking {
        assert!(poll(look_up).is_pending());
    }
    for look_up in asking {
        assert_eq!(look_up.await.unwrap(), Some(record("A")));
    }
    assert_eq!(cache.get("Ashley", "ab").await.unwrap(), Some(record("A")));
    assert_eq!(cache.inner().looked_up.load(Ordering::Relaxed), 1);
    // That there is nothing is remembered, too, and asked for once however often it is in one question.
    assert_eq!(cache.get_many("Ashley", &["other", "ab", "other"]).await[2], Answer::Absent);
    assert_eq!(cache.get("Ashley", "other").await.unwrap(), None);
    assert_eq!(cache.inner().looked_up.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_to_nobody_after() {
    let cache = Cache::new(Stepped::default(), OPTIONS);
    cache.inner().failures.store(1, Ordering::Relaxed);
    let (mut one, mut other) = (Box::pin(cache.get("Ashley", "ab")), Box::pin(cache.get("Ashley", "ab")));
    assert!(poll(&mut one).is_pending() && poll(&mut other).is_pending());
    assert_eq!(one.await.unwrap_err().kind(), StorageErrorKind::Unavailable);
    assert_eq!(other.await.unwrap_err().kind(), StorageErrorKind::Unavailable);
    assert_eq!(cache.get("Ashley", "ab").await.unwrap(), None);
}

#[tokio::test]
async fn a_look_up_that_is_given_up_is_taken_over_by_one_who_waits() {
    let cache = Cache::new(Stepped::default(), OPTIONS);
    let mut first = Box::pin(cache.get("Ashley", "ab"));
    let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(cache.get("Ashley", "ab"))).collect();
    assert!(poll(&mut first).is_pending());
    assert!(waiting.iter_mut().all(|look_up| poll(look_up).is_pending()));
    drop(first);
    for look_up in waiting {
        assert_eq!(look_up.await.unwrap(), None);
    }
    assert_eq!(cache.inner().looked_up.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_a_look_up_that_nobody_polls() {
    let cache = Cache::new(Stepped::default(), CacheOptions { patience: Duration::from_secs(1), ..OPTIONS });
    let mut first = Box::pin(cache.get("Ashley", "ab"));
    assert!(poll(&mut first).is_pending());
    let start = tokio::time::Instant::now();
    assert_eq!(cache.get("Ashley", "ab").await.unwrap(), None);
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(first.await.unwrap(), None);
}

#[test]
fn threads_wait_for_one_look_up() {
    /// Looks up once all threads are there, or that is long enough.
    struct Slow(MemoryStorage, AtomicUsize, AtomicUsize);
    const THREADS: usize = 8;
    impl UserStorage for Slow {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            self.2.fetch_add(1, Ordering::Relaxed);
            let late = Instant::now() + Duration::from_secs(10);
            while self.1.load(Ordering::Acquire) < THREADS && Instant::now() < late {
                std::thread::yield_now();
            }
            // Time for the last of them to begin to wait; the others already do.
            std::thread::sleep(Duration::from_millis(20));
            UserStorage::get(&self.0, user, campaign)
        }

        fn set(&self, record: Record) -> Result<(), StorageError> {
            UserStorage::set(&self.0, record)
        }
    }
    let cache = Cache::new(Slow(MemoryStorage::new(), AtomicUsize::new(0), AtomicUsize::new(0)), OPTIONS);
    UserStorage::set(&cache.inner().0, record("A")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                cache.inner().1.fetch_add(1, Ordering::Release);
                assert_eq!(cache.get("Ashley", "ab").unwrap(), Some(record("A")));
            });
        }
    });
    // One who came late finds it remembered.
    assert_eq!(cache.inner().2.load(Ordering::Relaxed), 1);
}

#[test]
fn what_runs_out_is_asked_for_again() {
    let cache = Cache::new(
        Arc::new(MemoryStorage::new()),
        CacheOptions { found: Duration::ZERO, absent: Duration::ZERO, ..OPTIONS },
    );
    assert_eq!(cache.get("Ashley", "ab").unwrap(), None);
    UserStorage::set(cache.inner(), record("A")).unwrap();
    assert_eq!(cache.get("Ashley", "ab").unwrap(), Some(record("A")));
    UserStorage::set(cache.inner(), record("B")).unwrap();
    assert_eq!(cache.get("Ashley", "ab").unwrap(), Some(record("B")));
}

#[test]
fn the_longest_of_all_durations_is_one() {
    let longest = CacheOptions { users: 10, found: Duration::MAX, absent: Duration::MAX, patience: Duration::MAX };
    let cache = Cache::new(Arc::new(MemoryStorage::new()), longest);
    assert_eq!(cache.get("Ashley", "ab").unwrap(), None);
    UserStorage::set(cache.inner(), record("A")).unwrap();
    assert_eq!(cache.get("Ashley", "ab").unwrap(), None);
}

#[test]
fn what_is_remembered_is_not_what_a_writer_has_read() {
    /// Only `get` and `set`.
    struct Plain(MemoryStorage);
    impl UserStorage for Plain {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            UserStorage::get(&self.0, user, campaign)
        }

        fn set(&self, record: Record) -> Result<(), StorageError> {
            UserStorage::set(&self.0, record)
        }
    }
    let cache = Cache::new(Plain(MemoryStorage::new()), OPTIONS);
    assert_eq!(cache.get("Ashley", "ab").unwrap(), None);
    UserStorage::set(&cache.inner().0, record("Theirs")).unwrap();
    let late = || Claim { record: record("Ours"), goal: None, condition: Condition::Absent, was_read: true };
    assert_eq!(cache.merge(late()).unwrap().record, record("Theirs"));
    assert_eq!(cache.merge_many(vec![late()]).remove(0).unwrap().record, record("Theirs"));
    assert_eq!(cache.get("Ashley", "ab").unwrap(), Some(record("Theirs")));
}

#[test]
fn a_record_of_somebody_else_is_not_remembered() {
    /// Mixes up its users, once.
    struct Mixed(AtomicUsize);
    impl UserStorage for Mixed {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            let whose = if self.0.fetch_add(1, Ordering::Relaxed) == 0 { "somebody else" } else { user };
            Ok(Some(Record::new(whose, campaign, "A")))
        }

        fn set(&self, _: Record) -> Result<(), StorageError> {
            Ok(())
        }
    }
    let cache = Cache::new(Mixed(AtomicUsize::new(0)), OPTIONS);
    assert_ne!(cache.get("Ashley", "ab").unwrap(), Some(record("A")));
    assert_eq!(cache.get("Ashley", "ab").unwrap(), Some(record("A")));
}

/// A call, begun and not answered yet.
struct Call<'c> {
    future: Pin<Box<dyn Future<Output = Told> + 'c>>,
    /// For a look-up: what there was when it began, at the least: what the last write that was answered by then left.
    seen: usize,
}

/// What came of a call.
enum Told {
    Found(Result<Option<Record>, StorageError>),
    Written(Result<(), StorageError>, usize),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// However look-ups, writes, failures and calls that are given up interleave: no look-up finds what was there before a
    /// write that had been answered when it began; and when all is quiet, what is remembered is what is stored.
    #[test]
    fn nothing_older_than_a_write_is_found_after_it(
        choices in proptest::collection::vec((0_u8..12, 0_usize..8), 1..120),
        failures in 0_usize..3,
        users in 0_usize..2,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let cache = Cache::new(Stepped::default(), CacheOptions { users, ..OPTIONS });
        let storage = cache.inner();
        storage.history.lock().unwrap().push(None);
        storage.failures.store(failures, Ordering::Relaxed);
        let mut calls: Vec<Call<'_>> = Vec::new();
        // The place in the history of the last write that was answered.
        let mut answered = 0;
        let last = || storage.history.lock().unwrap().len() - 1;
        for (number, (choice, which)) in choices.into_iter().enumerate() {
            let cache = &cache;
            let future: Pin<Box<dyn Future<Output = Told>>> = match choice {
                0 | 1 => Box::pin(async move { Told::Found(cache.get("Ashley", "ab").await) }),
                2 => Box::pin(async move {
                    let done = AsyncUserStorage::set(cache, record(&number.to_string())).await;
                    Told::Written(done, last())
                }),
                3 => Box::pin(async move {
                    let claim = Claim {
                        record: record(&number.to_string()),
                        goal: None,
                        condition: Condition::Absent,
                        was_read: true,
                    };
                    let done = AsyncUserStorage::merge(cache, claim).await;
                    Told::Written(done.map(drop), last())
                }),
                4 => Box::pin(async move {
                    let done = AsyncUserStorage::erase(cache, "Ashley").await;
                    Told::Written(done.map(drop), last())
                }),
                5 => {
                    if !calls.is_empty() {
                        drop(calls.remove(which % calls.len()));
                    }
                    continue;
                }
                _ => {
                    if calls.is_empty() {
                        continue;
                    }
                    let place = which % calls.len();
                    if let Poll::Ready(told) = poll(&mut calls[place].future) {
                        let seen = calls.remove(place).seen;
                        check(storage, seen, &mut answered, told)?;
                    }
                    continue;
                }
            };
            let mut call = Call { future, seen: answered };
            match poll(&mut call.future) {
                Poll::Ready(told) => check(storage, call.seen, &mut answered, told)?,
                Poll::Pending => calls.push(call),
            }
        }
        // Until all is quiet: each turn brings each call on, unless it waits for another.
        for _ in 0..calls.len() * 8 {
            let mut left = Vec::new();
            for mut call in calls {
                match poll(&mut call.future) {
                    Poll::Ready(told) => check(storage, call.seen, &mut answered, told)?,
                    Poll::Pending => left.push(call),
                }
            }
            calls = left;
        }
        prop_assert!(calls.is_empty(), "somebody waits for nothing");
        storage.failures.store(0, Ordering::Relaxed);
        let (mut look_up, stored) = (Box::pin(cache.get("Ashley", "ab")), UserStorage::get(&storage.memory, "Ashley", "ab"));
        let found = loop {
            if let Poll::Ready(found) = poll(&mut look_up) {
                break found;
            }
        };
        prop_assert_eq!(found.unwrap(), stored.unwrap());
        prop_assert!(cache.places.of("Ashley").0.is_quiet(), "something is listed that is not under way");
    }
}

/// Holds an answer against the history of the place.
fn check(storage: &Stepped, seen: usize, answered: &mut usize, told: Told) -> Result<(), TestCaseError> {
    let history = storage.history.lock().unwrap();
    match told {
        // Whoever wrote last before this answer, at the latest.
        Told::Written(Ok(()), last) => *answered = (*answered).max(last.min(history.len() - 1)),
        Told::Written(Err(_), _) | Told::Found(Err(_)) => {}
        Told::Found(Ok(found)) => {
            prop_assert!(history[seen..].contains(&found), "{:?} is older than {:?}", found, &history[seen..]);
        }
    }
    Ok(())
}
