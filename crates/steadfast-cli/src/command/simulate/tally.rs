//! Deciding for the crowd, on all processors, and counting.

use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use steadfast::engine::settings::Campaign;
use steadfast::engine::verb;
use steadfast::engine::{Answer, CallError, Options, Policy, Question, Reason, Request, Settings, Step};

use super::users;
use crate::failure::Failure;

/// Users a thread takes at a time.
const SHARE: u64 = 4096;

/// Users who all know the same campaign.
pub(super) struct Crowd<'c> {
    pub(super) settings: &'c Settings,
    pub(super) campaign: &'c Campaign,
    pub(super) options: &'c Options,
    pub(super) seed: u64,
}

/// What came of their decisions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Users bucketed into each variation.
    pub(super) variations: Vec<u64>,
    /// Users by reason, all reasons.
    reasons: Vec<(Reason, u64)>,
}

/// Decides for that many users.
pub(super) fn decide(crowd: &Crowd<'_>, users: u64) -> Result<Tally, Failure> {
    let progress = progress(users);
    let next = AtomicU64::new(0);
    let work = || -> Result<Tally, CallError> {
        let mut tally = Tally { variations: vec![0; crowd.campaign.variations().len()], reasons: Vec::new() };
        let mut id = String::new();
        loop {
            let first = next.fetch_add(SHARE, Ordering::Relaxed);
            if first >= users {
                return Ok(tally);
            }
            let end = users.min(first + SHARE);
            for user in first..end {
                users::write_id(crowd.seed, user, &mut id);
                crowd.count(&id, &mut tally)?;
            }
            progress.inc(end - first);
        }
    };
    let tallies: Vec<Result<Tally, CallError>> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    progress.finish_and_clear();
    let mut total = Tally { variations: vec![0; crowd.campaign.variations().len()], reasons: Vec::new() };
    for tally in tallies {
        total.add(&tally.map_err(|error| Failure::new(error.to_string()))?);
    }
    Ok(total)
}

impl Crowd<'_> {
    fn count(&self, user: &str, tally: &mut Tally) -> Result<(), CallError> {
        // Nobody has anything stored. Only a multi-armed bandit insists on a storage that says so.
        let policy = Policy { has_storage: self.campaign.is_bandit(), ..Policy::default() };
        let request = Request::new(self.settings, user).with_options(self.options).with_policy(policy);
        let mut step = verb::decide(request, self.campaign.key())?;
        let decision = loop {
            step = match step {
                Step::Done(decision) => break decision,
                Step::NeedsStored(need) => {
                    let nothing = vec![Answer::Absent; need.keys().len()];
                    need.resume(nothing)
                }
            };
        };
        tally.count(decision.reason(), 1);
        if let Some(variation) = decision.variation().filter(|_| decision.reason() == Reason::Assigned) {
            let place = self.campaign.variations().iter().position(|one| std::ptr::eq(one, variation));
            if let Some(users) = place.and_then(|place| tally.variations.get_mut(place)) {
                *users += 1;
            }
        }
        Ok(())
    }
}

impl Tally {
    /// How many users left on this way out.
    pub(super) fn of_reason(&self, reason: Reason) -> u64 {
        self.reasons.iter().find(|(one, _)| *one == reason).map_or(0, |(_, users)| *users)
    }

    /// The users who were not let in, by reason, the most frequent first.
    pub(super) fn left_out(&self) -> Vec<(Reason, u64)> {
        let took_part = [Reason::Assigned, Reason::NoRange, Reason::Whitelisted];
        let mut left_out: Vec<(Reason, u64)> =
            self.reasons.iter().copied().filter(|(reason, _)| !took_part.contains(reason)).collect();
        left_out.sort_by_key(|(reason, users)| (std::cmp::Reverse(*users), reason.as_str()));
        left_out
    }

    fn count(&mut self, reason: Reason, users: u64) {
        match self.reasons.iter_mut().find(|(one, _)| *one == reason) {
            Some((_, count)) => *count += users,
            None => self.reasons.push((reason, users)),
        }
    }

    fn add(&mut self, other: &Tally) {
        for (users, more) in self.variations.iter_mut().zip(&other.variations) {
            *users += more;
        }
        for (reason, users) in &other.reasons {
            self.count(*reason, *users);
        }
    }
}

/// A bar on standard error where that is a terminal.
fn progress(users: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(users);
    match ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} users ({eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
