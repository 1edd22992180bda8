//! Two processes under settings with other weights activate the same new users at the same moments over servers that both
//! share, and track a goal each.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use steadfast::Client;
use steadfast::confirmed::Confirmation;
use steadfast::engine::{GoalList, Options, TrackTarget};
use steadfast::storage::AsyncUserStorage;

use super::Problem;
use super::place::{Deadlines, Kind, open};
use super::race::{GOALS, settings};

const AT_ONCE: usize = 64;
/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(60);
const DEADLINES: Deadlines = Deadlines { connect: PATIENCE, answer: PATIENCE, replicas: 0 };

/// Whether every user has one variation, the one that both were shown where that was confirmed, and all goals.
pub(super) fn race(kind: Kind, users: u32) -> Result<bool, Problem> {
    let mut held = true;
    for verbs in ["confirmed", "plain"] {
        held &= race_with(kind, users, verbs)?;
    }
    Ok(held)
}

fn race_with(kind: Kind, users: u32, verbs: &str) -> Result<bool, Problem> {
    let place = kind.start();
    let url = place.url();
    let start = Instant::now();
    let side = |side: &str| {
        let arguments = ["play", &url, &users.to_string(), side, verbs].map(str::to_owned);
        Command::new(std::env::current_exe()?).args(arguments).stdout(Stdio::piped()).spawn()
    };
    let sides = [side("0")?, side("1")?];
    let mut shown: Vec<HashMap<String, String>> = Vec::new();
    for side in sides {
        let output = side.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("a process of the race failed: {}", output.status).into());
        }
        let lines = String::from_utf8(output.stdout)?;
        let line = |line: &str| line.split_once(' ').map(|(user, shown)| (user.to_owned(), shown.to_owned()));
        shown.push(lines.lines().filter_map(line).collect());
    }
    let took = start.elapsed();
    let runtime = tokio::runtime::Runtime::new()?;
    let records = runtime.block_on(async {
        let storage = open(&url, DEADLINES).await?;
        let (mut records, mut cursor) = (Vec::new(), None);
        loop {
            let page = storage.scan(cursor.as_ref(), 1_000).await?;
            records.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                return Ok::<_, Problem>(records);
            }
        }
    })?;
    let torn = shown[0].iter().filter(|(user, variation)| shown[1].get(*user) != Some(*variation)).count();
    let mut strangers = 0;
    let mut lost_goals = 0;
    for record in &records {
        strangers += usize::from(shown.iter().any(|shown| shown.get(&record.user_id) != Some(&record.variation_name)));
        let listed = |goal: &&str| GoalList::contains(&record.goals, goal, GOALS.into_iter());
        lost_goals += GOALS.iter().filter(|goal| !listed(goal)).count();
    }
    println!("over {}, {verbs} verbs", kind.name());
    println!("{:>10}  users, each by two processes", users);
    println!("{:>10}  records", records.len());
    if verbs == "confirmed" {
        println!("{torn:>10}  users with two confirmed variations");
        println!("{strangers:>10}  records of another variation than was confirmed");
    } else {
        println!("{torn:>10}  users who were shown two variations at that one moment");
    }
    println!("{lost_goals:>10}  goals lost, of {}", 2 * u64::from(users));
    println!("{:>10.1}  seconds", took.as_secs_f64());
    let is_one = verbs == "plain" || (torn == 0 && strangers == 0);
    Ok(is_one && lost_goals == 0 && records.len() == usize::try_from(users)? && shown[0].len() == records.len())
}

/// One of the processes: prints what it showed each user.
pub(super) fn play(url: &str, users: u32, side: usize, verbs: &str) -> Result<(), Problem> {
    let weights = [[90, 10], [10, 90]].get(side).copied().ok_or("there are two sides")?;
    let (goal, is_confirmed) = (GOALS[side], verbs == "confirmed");
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let storage = open(url, DEADLINES).await?;
        let limits = steadfast::Limits { look_up: PATIENCE, write: PATIENCE, ..Default::default() };
        let client = Arc::new(Client::builder(settings(weights)?).limits(limits).storage(storage).build());
        let next = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (client, next) = (Arc::clone(&client), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut shown = String::new();
                    loop {
                        let user = next.fetch_add(1, Ordering::Relaxed);
                        if user >= users {
                            return Ok::<_, Problem>(shown);
                        }
                        let name = format!("user-{user}");
                        let decision = if is_confirmed {
                            let confirmed = client.activate_confirmed("ab", &name, Options::NONE).await?;
                            match confirmed.confirmation {
                                Confirmation::Stored | Confirmation::Adopted => confirmed.decision,
                                other => return Err(format!("a decision was not confirmed: {other:?}").into()),
                            }
                        } else {
                            client.activate("ab", &name, Options::NONE).await?
                        };
                        shown.push_str(&format!("{name} {}\n", decision.variation_name().unwrap_or("-")));
                        client.track(TrackTarget::One("ab"), &name, goal, Options::NONE).await?;
                    }
                })
            })
            .collect();
        for task in tasks {
            std::io::stdout().write_all(task.await??.as_bytes())?;
        }
        client.flush(PATIENCE).await?;
        Ok(())
    })
}
