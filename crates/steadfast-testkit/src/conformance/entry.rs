//! Where the checks are started from.

use std::sync::Arc;

use steadfast_storage::bridge::Offloaded;
use steadfast_storage::{AsyncUserStorage, MemoryStorage, UserStorage};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::check::StorageCheck;
use super::driven::Driven;
use super::faults::{self, Under};
use super::faulty::Faulty;
use super::lent::Lent;
use super::limit::{Limit, Times};
use super::report::{Checked, Finding, Report};
use super::run::{Run, prefix, seed};
use super::{built_in as built_in_checks, plain as plain_checks};

/// What every storage keeps: what is set is found, exactly, in its own place, however it is asked for and however many
/// write at once.
///
/// It takes some hundred threads and some thousand calls. A storage that blocks for ever is waited for for ever, which
/// its twin for storages that answer later does not do.
pub fn plain(storage: &dyn UserStorage) -> Report {
    Checks::new(storage, None).plain().report("plain")
}

/// What a storage that overrides [`merge`](UserStorage::merge) keeps: all that a [`plain()`] one does; and it merges in one
/// step, under the contract of [`merge`](mod@steadfast_storage::merge), also in a race and after a fault. It need not list,
/// erase or read through what is stored.
pub fn merging(storage: &dyn UserStorage) -> Report {
    Checks::new(storage, None).plain().merging().report("merging")
}

/// What a built-in storage keeps: all that a [`merging()`] one does; and it lists, erases and reads through all that is
/// stored.
///
/// It reads through the whole storage several times.
pub fn built_in(storage: &dyn UserStorage) -> Report {
    Checks::new(storage, None).plain().merging().whole().report("built-in")
}

/// [`plain()`] for a storage that answers later.
///
/// The checks have threads of their own, which poll the storage's futures; the runtime around, be it of one thread, goes
/// on meanwhile. An answer that does not come within 30 seconds never comes: it fails the check, which ends there, and the
/// checks after it are not so patient. A check that is not through after five minutes fails, too.
pub async fn plain_async<S: AsyncUserStorage + 'static>(storage: Arc<S>) -> Report {
    driven("plain", storage, |checks| checks.plain()).await
}

/// [`merging()`] for a storage that answers later. See [`plain_async`].
pub async fn merging_async<S: AsyncUserStorage + 'static>(storage: Arc<S>) -> Report {
    driven("merging", storage, |checks| checks.plain().merging()).await
}

/// [`built_in()`] for a storage that answers later. See [`plain_async`].
pub async fn built_in_async<S: AsyncUserStorage + 'static>(storage: Arc<S>) -> Report {
    driven("built-in", storage, |checks| checks.plain().merging().whole()).await
}

/// What a layer keeps, something that wraps a storage (a cache, a deadline, a bridge), when that storage fails: a look-up
/// that failed is never answered with [`Absent`](steadfast_engine::Answer::Absent), a write that failed can be repeated,
/// and one that was acknowledged is never lost. `wrap` puts the layer around a storage in memory that fails on schedule.
///
/// A layer may hide a fault, as one that tries again does. Whether it keeps the contract of a storage besides is for
/// [`plain()`] and [`built_in()`] to say.
pub fn layer<L: UserStorage>(wrap: impl Fn(Faulty<Arc<MemoryStorage>>) -> L) -> Report {
    let (seed, prefix) = (seed(), prefix());
    let memory = Arc::new(MemoryStorage::new());
    let under = |schedule| -> Box<dyn UserStorage + '_> { Box::new(wrap(Faulty::new(Arc::clone(&memory), schedule))) };
    Report::new("layer", seed, over_faults(&under, None, seed, &prefix))
}

/// [`layer()`] for a layer of storages that answer later. See [`plain_async`].
pub async fn layer_async<L: AsyncUserStorage + 'static>(
    wrap: impl Fn(Faulty<Offloaded<Arc<MemoryStorage>>>) -> L + Send + 'static,
) -> Report {
    let runtime = Handle::try_current().ok();
    apart("layer", move || {
        let (seed, prefix) = (seed(), prefix());
        let memory = Arc::new(MemoryStorage::new());
        let limit = Limit::new(Times::USUAL);
        let under = |schedule| -> Box<dyn UserStorage + '_> {
            let faulty = Faulty::new(Offloaded::new(Arc::clone(&memory)), schedule);
            Box::new(Driven::new(Arc::new(wrap(faulty)), runtime.clone(), limit.clone()))
        };
        Report::new("layer", seed, over_faults(&under, Some(&limit), seed, &prefix))
    })
    .await
}

/// Checks of one storage, and what came of those that were run.
struct Checks<'s> {
    storage: &'s dyn UserStorage,
    limit: Option<&'s Limit>,
    seed: u64,
    prefix: String,
    checked: Vec<Checked>,
}

impl<'s> Checks<'s> {
    fn new(storage: &'s dyn UserStorage, limit: Option<&'s Limit>) -> Self {
        Checks { storage, limit, seed: seed(), prefix: prefix(), checked: Vec::new() }
    }

    fn plain(self) -> Self {
        self.run("", plain_checks::CHECKS)
    }

    fn merging(self) -> Self {
        let mut checks = self.run("m-", built_in_checks::MERGING);
        let storage = checks.storage;
        let under: Under<'_> = &|schedule| Box::new(Faulty::new(Lent(storage), schedule));
        checks.checked.extend(over_faults(under, checks.limit, checks.seed, &format!("{}f-", checks.prefix)));
        checks
    }

    fn whole(self) -> Self {
        self.run("w-", built_in_checks::WHOLE)
    }

    /// No two of these have a user in common, nor with those of another `mark`.
    fn run(mut self, mark: &str, checks: &[&[StorageCheck]]) -> Self {
        let prefix = format!("{}{mark}", self.prefix);
        for (number, check) in checks.iter().copied().flatten().enumerate() {
            let run = Run::new(self.storage, self.seed, &prefix, number);
            self.checked.push(check.run(self.limit, |holds| holds(&run)));
        }
        self
    }

    fn report(self, title: &'static str) -> Report {
        Report::new(title, self.seed, self.checked)
    }
}

fn over_faults(under: Under<'_>, limit: Option<&Limit>, seed: u64, prefix: &str) -> Vec<Checked> {
    let numbered = faults::CHECKS.iter().enumerate();
    numbered
        .map(|(number, check)| {
            check.run(limit, |holds| holds(&faults::Faults::new(under, seed, format!("{prefix}{number}-"))))
        })
        .collect()
}

/// Runs checks of a storage that answers later.
async fn driven<S: AsyncUserStorage + 'static>(
    title: &'static str,
    storage: Arc<S>,
    run: impl FnOnce(Checks<'_>) -> Checks<'_> + Send + 'static,
) -> Report {
    driven_within(Times::USUAL, title, storage, run).await
}

async fn driven_within<S: AsyncUserStorage + 'static>(
    times: Times,
    title: &'static str,
    storage: Arc<S>,
    run: impl FnOnce(Checks<'_>) -> Checks<'_> + Send + 'static,
) -> Report {
    let runtime = Handle::try_current().ok();
    apart(title, move || {
        let limit = Limit::new(times);
        let storage = Driven::new(storage, runtime, limit.clone());
        run(Checks::new(&storage, Some(&limit))).report(title)
    })
    .await
}

/// Runs the checks on a thread of their own, so that whoever awaits them is not kept from getting on.
async fn apart(title: &'static str, run: impl FnOnce() -> Report + Send + 'static) -> Report {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("steadfast-testkit".into()).spawn(move || {
        // Whoever waited may be gone.
        let _ = sender.send(run());
    });
    let gone = |found: String| {
        let finding = Finding::said("the checks were started", "a thread for them", found);
        Report::new(title, 0, vec![Checked::new("started", "the checks have a thread of their own", Some(finding))])
    };
    match thread {
        Ok(_) => receiver.await.unwrap_or_else(|_| gone("a panic".into())),
        Err(error) => gone(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use steadfast_engine::Record;
    use steadfast_storage::{Claim, Merged, StorageError};

    /// Answers to `set`, and after so long to `get`; never to `merge`.
    struct Slow {
        memory: MemoryStorage,
        get: Option<Duration>,
    }

    impl AsyncUserStorage for Slow {
        async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            match self.get {
                Some(time) => std::thread::sleep(time),
                None => std::future::pending().await,
            }
            self.memory.get(user, campaign)
        }

        async fn set(&self, record: Record) -> Result<(), StorageError> {
            self.memory.set(record)
        }

        async fn merge(&self, _claim: Claim) -> Result<Merged, StorageError> {
            std::future::pending().await
        }
    }

    const TIMES: Times = Times {
        call: Duration::from_millis(300),
        later_call: Duration::from_millis(20),
        check: Duration::from_secs(100),
    };

    /// What was found by the checks that failed, and how long all of them took.
    async fn found(times: Times, get: Option<Duration>, merging: bool) -> (Report, Vec<String>, Duration) {
        let storage = Arc::new(Slow { memory: MemoryStorage::new(), get });
        let begun = Instant::now();
        let report = driven_within(
            times,
            "test",
            storage,
            move |checks| {
                if merging { checks.merging() } else { checks.plain() }
            },
        )
        .await;
        let found = report.failed().filter_map(|check| check.finding()).map(|found| found.found().to_owned()).collect();
        (report, found, begun.elapsed())
    }

    #[tokio::test]
    async fn a_storage_that_never_answers_ends_each_check() {
        let (report, found, took) = found(TIMES, None, false).await;
        // One looks up nothing where its writers are through before its readers begin.
        let passed: Vec<&str> =
            report.checks().iter().filter(|check| check.finding().is_none()).map(Checked::name).collect();
        assert!(passed.iter().all(|name| *name == "whole-records"), "{report}");
        assert_eq!(found[0], "no answer within 300ms, and the check was ended");
        assert!(found[1..].iter().all(|found| found == "no answer within 20ms, and the check was ended"), "{report}");
        // Some calls of each check would have been waited for otherwise.
        assert!(took < Duration::from_secs(30), "{took:?}");
    }

    #[tokio::test]
    async fn a_failure_that_is_expected_is_none_that_was_waited_for() {
        let (report, found, _) = found(TIMES, Some(Duration::ZERO), true).await;
        let said = |found: &String| found.ends_with("and the check was ended");
        assert!(found.iter().all(said), "{report}");
        // It needs no merge to say what a failed look-up is.
        let passed = report.checks().iter().filter(|check| check.finding().is_none()).map(Checked::name);
        assert_eq!(passed.collect::<Vec<_>>(), ["failed-look-up-is-no-absence"]);
    }

    #[tokio::test]
    async fn a_check_ends_though_each_call_is_answered() {
        let times = Times { check: Duration::from_millis(50), call: Duration::from_secs(100), ..TIMES };
        let (report, found, _) = found(times, Some(Duration::from_millis(20)), false).await;
        let slow = "the check was not through after 50ms, and the check was ended";
        assert!(found.iter().any(|found| found == slow), "{report}");
        assert!(found.len() < report.checks().len(), "those that look up little are through: {report}");
    }
}
