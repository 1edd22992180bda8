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
use super::report::{Checked, Finding, Report};
use super::run::{Run, prefix, seed};
use super::{built_in as built_in_checks, plain as plain_checks};

/// What every storage keeps: what is set is found, exactly, in its own place, however it is asked for and however many
/// write at once.
///
/// It takes some hundred threads and some thousand calls.
pub fn plain(storage: &dyn UserStorage) -> Report {
    let (seed, prefix) = (seed(), prefix());
    Report::new("plain", seed, checked(storage, seed, &prefix, plain_checks::CHECKS))
}

/// What a built-in storage keeps: all that a [`plain()`] one does; and it merges in one step, under the contract of
/// [`merge`](mod@steadfast_storage::merge), also in a race and after a fault; and it lists, erases and reads through all
/// that is stored.
///
/// It reads through the whole storage several times.
pub fn built_in(storage: &dyn UserStorage) -> Report {
    let (seed, prefix) = (seed(), prefix());
    let plain = checked(storage, seed, &prefix, plain_checks::CHECKS);
    let merging = checked(storage, seed, &format!("{prefix}m-"), built_in_checks::CHECKS);
    let under: Under<'_> = &|schedule| Box::new(Faulty::new(Lent(storage), schedule));
    let failing = over_faults(under, seed, &format!("{prefix}f-"));
    Report::new("built-in", seed, plain.into_iter().chain(merging).chain(failing).collect())
}

/// [`plain()`] for a storage that answers later.
///
/// The checks have threads of their own, which poll the storage's futures; the runtime around, be it of one thread, goes
/// on meanwhile. An answer that does not come within 30 seconds never comes.
pub async fn plain_async<S: AsyncUserStorage + 'static>(storage: Arc<S>) -> Report {
    let runtime = Handle::try_current().ok();
    apart("plain", move || plain(&Driven::new(storage, runtime))).await
}

/// [`built_in()`] for a storage that answers later. See [`plain_async`].
pub async fn built_in_async<S: AsyncUserStorage + 'static>(storage: Arc<S>) -> Report {
    let runtime = Handle::try_current().ok();
    apart("built-in", move || built_in(&Driven::new(storage, runtime))).await
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
    Report::new("layer", seed, over_faults(&under, seed, &prefix))
}

/// [`layer()`] for a layer of storages that answer later. See [`plain_async`].
pub async fn layer_async<L: AsyncUserStorage + 'static>(
    wrap: impl Fn(Faulty<Offloaded<Arc<MemoryStorage>>>) -> L + Send + 'static,
) -> Report {
    let runtime = Handle::try_current().ok();
    apart("layer", move || {
        let (seed, prefix) = (seed(), prefix());
        let memory = Arc::new(MemoryStorage::new());
        let under = |schedule| -> Box<dyn UserStorage + '_> {
            let faulty = Faulty::new(Offloaded::new(Arc::clone(&memory)), schedule);
            Box::new(Driven::new(Arc::new(wrap(faulty)), runtime.clone()))
        };
        Report::new("layer", seed, over_faults(&under, seed, &prefix))
    })
    .await
}

fn checked(storage: &dyn UserStorage, seed: u64, prefix: &str, checks: &[&[StorageCheck]]) -> Vec<Checked> {
    let numbered = checks.iter().copied().flatten().enumerate();
    numbered.map(|(number, check)| check.run(|holds| holds(&Run::new(storage, seed, prefix, number)))).collect()
}

fn over_faults(under: Under<'_>, seed: u64, prefix: &str) -> Vec<Checked> {
    let numbered = faults::CHECKS.iter().enumerate();
    numbered
        .map(|(number, check)| {
            check.run(|holds| holds(&faults::Faults::new(under, seed, format!("{prefix}{number}-"))))
        })
        .collect()
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
