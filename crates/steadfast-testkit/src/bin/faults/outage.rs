//! Something happens to the servers while users come. Decisions must go on within the deadline, and what was acknowledged
//! must be there afterwards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steadfast::confirmed::Confirmation;
use steadfast::engine::Options;
use steadfast::storage::{AsyncUserStorage, Claim, Condition, Held};
use steadfast::{Client, Limits};

use super::Problem;
use super::place::{Deadlines, Kind, Place, open};
use super::race::{GOALS, settings};

/// A decision may wait so long for a look-up.
const DEADLINE: Duration = Duration::from_millis(250);
/// A machine with two busy cores may need so long to come to a task.
const SLACK: Duration = Duration::from_millis(750);
/// So many users are served at one moment.
const AT_ONCE: usize = 32;
const BEFORE: Duration = Duration::from_secs(2);
const DURING: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(2);
/// No server needs longer to come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The server stands still, keeps its connections, and says nothing.
    Stopped(Kind),
    /// It is killed without a last word, and started again.
    Killed(Kind),
    /// A replica takes the place of its primary, in good order.
    FailedOver,
    /// A primary is killed, and the cluster has to find out.
    PrimaryKilled,
}

/// All of them.
pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::Stopped(Kind::Redis),
        Fault::Killed(Kind::Redis),
        Fault::Stopped(Kind::Postgres),
        Fault::Killed(Kind::Postgres),
        Fault::FailedOver,
        Fault::PrimaryKilled,
    ]
}

/// What came of one.
#[derive(Debug, Default)]
struct Tally {
    decisions: AtomicU64,
    /// Without an answer of the storage.
    alone: AtomicU64,
    slowest: AtomicU64,
    unconfirmed: AtomicU64,
    acknowledged: Mutex<HashMap<u64, (String, bool)>>,
}

/// Whether all of it held.
pub(super) fn outages() -> Result<bool, Problem> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!(
        "{:<22}{:>11}{:>9}{:>10}{:>14}{:>13}{:>7}",
        "", "decisions", "alone", "slowest", "acknowledged", "unconfirmed", "lost"
    );
    let mut held = true;
    for fault in faults() {
        held &= runtime.block_on(outage(fault))?;
    }
    println!(
        "alone: decided without what is stored, since the storage did not say; slowest: in ms, of {} allowed",
        DEADLINE.as_millis()
    );
    Ok(held)
}

async fn outage(fault: Fault) -> Result<bool, Problem> {
    let mut place = match fault {
        Fault::Stopped(kind) | Fault::Killed(kind) => kind.start(),
        Fault::FailedOver | Fault::PrimaryKilled => Kind::Cluster.start(),
    };
    let replicas = u32::from(matches!(place, Place::Cluster(_)));
    let deadlines = Deadlines { connect: Duration::from_secs(1), answer: Duration::from_secs(1), replicas };
    let storage = open(&place.url(), deadlines).await?;
    let limits = Limits { look_up: DEADLINE, write: Duration::from_secs(1), ..Limits::default() };
    let client = Arc::new(Client::builder(settings([50, 50])?).limits(limits).storage(storage.clone()).build());
    let (tally, next, ends) =
        (Arc::new(Tally::default()), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let users: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (client, storage, tally) = (Arc::clone(&client), storage.clone(), Arc::clone(&tally));
            let (next, ends) = (Arc::clone(&next), Arc::clone(&ends));
            tokio::spawn(async move {
                while !ends.load(Ordering::Relaxed) {
                    let user = next.fetch_add(1, Ordering::Relaxed);
                    serve(&client, &storage, user, &tally).await?;
                }
                Ok::<(), Problem>(())
            })
        })
        .collect();
    tokio::time::sleep(BEFORE).await;
    let happened = begin(fault, &mut place);
    tokio::time::sleep(DURING).await;
    end(fault, &mut place, happened);
    let start = Instant::now();
    while let Err(error) = all_answer(&storage).await {
        if start.elapsed() > PATIENCE {
            return Err(format!("{fault:?}: the storage has not come back within a minute: {error:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(AFTER).await;
    ends.store(true, Ordering::Relaxed);
    for user in users {
        user.await??;
    }
    let acknowledged = std::mem::take(&mut *tally.acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
    let mut lost = 0_u64;
    for (user, (variation, goal)) in &acknowledged {
        let found = storage.get(&name(*user), "ab").await?;
        let is_there = found.is_some_and(|record| {
            record.variation_name == *variation && (!goal || record.goals.contains(GOALS[0], GOALS.into_iter()))
        });
        lost += u64::from(!is_there);
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let slowest = Duration::from_micros(count(&tally.slowest));
    println!(
        "{:<22}{:>11}{:>9}{:>10}{:>14}{:>13}{lost:>7}",
        title(fault),
        count(&tally.decisions),
        count(&tally.alone),
        slowest.as_millis(),
        acknowledged.len(),
        count(&tally.unconfirmed),
    );
    // A fault that nobody notices is none; one in good order may go unnoticed.
    let was_noticed = count(&tally.alone) > 0 || matches!(fault, Fault::FailedOver);
    Ok(lost == 0 && slowest < DEADLINE + SLACK && was_noticed)
}

/// Whether every shard reads and writes again: so many users lie on all of them.
async fn all_answer(storage: &Held) -> Result<(), steadfast::storage::StorageError> {
    for nobody in 0..16 {
        let nobody = format!("nobody {nobody}");
        storage.get(&nobody, "ab").await?;
        storage.erase(&nobody).await?;
    }
    Ok(())
}

/// A visit: a plain decision, a confirmed one of the same user, and a goal that is waited for.
async fn serve(client: &Client, storage: &Held, user: u64, tally: &Tally) -> Result<(), Problem> {
    let name = name(user);
    let start = Instant::now();
    let decision = client.variation_name("ab", &name, Options::NONE).await?;
    let took = u64::try_from(start.elapsed().as_micros())?;
    tally.slowest.fetch_max(took, Ordering::Relaxed);
    tally.decisions.fetch_add(1, Ordering::Relaxed);
    if decision.variation_name().is_none() {
        return Err(format!("no decision for {name}: {:?}", decision.reason()).into());
    }
    if !decision.warnings().is_empty() {
        tally.alone.fetch_add(1, Ordering::Relaxed);
    }
    let confirmed = client.activate_confirmed("ab", &name, Options::NONE).await?;
    let is_confirmed = matches!(confirmed.confirmation, Confirmation::Stored | Confirmation::Adopted);
    let Some(variation) = confirmed.decision.variation_name().filter(|_| is_confirmed) else {
        tally.unconfirmed.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    let mut record = steadfast::engine::Record::new(name.as_str(), "ab", variation);
    record.goals.push(GOALS[0]);
    let claim = Claim { record, goal: Some(GOALS[0].to_owned()), condition: Condition::Stored, was_read: false };
    let goal = storage.merge(claim).await.is_ok();
    tally.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(user, (variation.to_owned(), goal));
    Ok(())
}

fn name(user: u64) -> String {
    format!("user-{user}")
}

fn title(fault: Fault) -> String {
    match fault {
        Fault::Stopped(kind) => format!("{} stopped", kind.name()),
        Fault::Killed(kind) => format!("{} killed", kind.name()),
        Fault::FailedOver => "cluster failed over".to_owned(),
        Fault::PrimaryKilled => "cluster, primary killed".to_owned(),
    }
}

/// The node that it happened to.
fn begin(fault: Fault, place: &mut Place) -> usize {
    match (fault, place) {
        (Fault::Stopped(_), Place::Redis(server)) => server.stop(),
        (Fault::Killed(_), Place::Redis(server)) => server.kill(),
        (Fault::Stopped(_), Place::Postgres(server, _)) => server.stop(),
        (Fault::Killed(_), Place::Postgres(server, _)) => server.kill(),
        (Fault::FailedOver, Place::Cluster(cluster)) => return cluster.fail_over(),
        (Fault::PrimaryKilled | Fault::Killed(_), Place::Cluster(cluster)) => {
            let primary = cluster.a_primary();
            cluster.nodes[primary].kill();
            return primary;
        }
        (Fault::Stopped(_), Place::Cluster(cluster)) => {
            let primary = cluster.a_primary();
            cluster.nodes[primary].stop();
            return primary;
        }
        (Fault::FailedOver | Fault::PrimaryKilled, _) => {}
    }
    0
}

fn end(fault: Fault, place: &mut Place, happened_to: usize) {
    match (fault, place) {
        (Fault::Stopped(_), Place::Redis(server)) => server.go_on(),
        (Fault::Killed(_), Place::Redis(server)) => server.restart(),
        (Fault::Stopped(_), Place::Postgres(server, _)) => server.go_on(),
        (Fault::Killed(_), Place::Postgres(server, _)) => server.restart(),
        (Fault::Stopped(_), Place::Cluster(cluster)) => cluster.nodes[happened_to].go_on(),
        // The cluster goes on with the replica; the old primary becomes one.
        (Fault::PrimaryKilled | Fault::Killed(_), Place::Cluster(cluster)) => cluster.nodes[happened_to].restart(),
        (Fault::FailedOver | Fault::PrimaryKilled, _) => {}
    }
}
