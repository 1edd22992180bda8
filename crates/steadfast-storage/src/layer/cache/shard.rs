//! How looking up and writing meet.
//!
//! 1. A look-up is *listed* while it is under way. What it finds is kept only if it is still listed when it lands; others
//!    wait for it only while it is.
//! 2. When a write of a user ends, however it ended, all of the user's look-ups are struck from the list: they may have
//!    seen what was there before it. So what begins after the write sees the write.
//! 3. What a write says is stored is kept only if no other write of the user was under way at the same time: which of two
//!    was the later one in the storage is not known here. Otherwise, and where a write failed, nothing is known any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record};

use super::flight::Flight;
use super::kept::Kept;

/// Some users: what is known of them, and what is under way.
#[derive(Debug)]
pub(super) struct Shard {
    kept: Kept,
    /// Users without anything under way are not here.
    under_way: HashMap<Box<str>, UnderWay>,
    found: Duration,
    absent: Duration,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// So many writes are.
    writes: usize,
    /// So many have begun since none was.
    begun: u64,
    /// Those that are listed, each with its campaign.
    flights: Vec<(Box<str>, Arc<Flight>)>,
}

/// What there is for somebody who asks for a place.
#[derive(Debug)]
pub(super) enum Asked {
    /// The answer.
    Known(Answer),
    /// A look-up that they have to make.
    Ours(Arc<Flight>),
    /// A look-up that somebody else makes.
    Theirs(Arc<Flight>),
}

/// A write that has begun.
#[derive(Debug)]
pub(super) struct Ticket {
    begun: u64,
    is_first: bool,
}

impl Shard {
    pub(super) fn new(users: usize, found: Duration, absent: Duration) -> Shard {
        Shard { kept: Kept::new(users), under_way: HashMap::new(), found, absent }
    }

    /// Asks for a place; a look-up that is to be made is listed from now on.
    pub(super) fn ask(&mut self, hash: u64, user: &str, campaign: &str, now: Instant) -> Asked {
        if let Some(answer) = self.kept.get(hash, user, campaign, now) {
            return Asked::Known(answer);
        }
        let under_way = self.under_way(user);
        if let Some((_, flight)) = under_way.flights.iter().find(|(theirs, _)| **theirs == *campaign) {
            return Asked::Theirs(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::default());
        under_way.flights.push((campaign.into(), Arc::clone(&flight)));
        Asked::Ours(flight)
    }

    /// A look-up that began then came to this answer.
    pub(super) fn land(&mut self, hash: u64, user: &str, flight: &Arc<Flight>, answer: &Answer, began: Instant) {
        let Some(campaign) = self.strike(user, flight) else { return };
        match answer {
            Answer::Found(record) => self.keep(hash, user, &campaign, record, began),
            Answer::Absent => {
                if !self.absent.is_zero() {
                    self.kept.keep(hash, user, &campaign, None, began + self.absent);
                }
            }
            Answer::Failed(_) => {}
        }
    }

    /// A look-up came to nothing.
    pub(super) fn forsake(&mut self, user: &str, flight: &Arc<Flight>) {
        self.strike(user, flight);
    }

    /// A write of a user begins.
    pub(super) fn begin_write(&mut self, user: &str) -> Ticket {
        let under_way = self.under_way(user);
        let is_first = under_way.writes == 0;
        under_way.writes += 1;
        under_way.begun += 1;
        Ticket { begun: under_way.begun, is_first }
    }

    /// A write that began then says that this is stored now, by campaign: nothing where it does not know.
    pub(super) fn end_write(
        &mut self,
        hash: u64,
        user: &str,
        ticket: Ticket,
        stored: impl Iterator<Item = (String, Option<Arc<Record>>)>,
        began: Instant,
    ) {
        let was_alone = self.end(user, &ticket);
        if !was_alone {
            self.kept.forget_user(hash, user);
            stored.for_each(drop);
            return;
        }
        for (campaign, record) in stored {
            self.kept.forget(hash, user, &campaign);
            if let Some(record) = record {
                self.keep(hash, user, &campaign, &record, began);
            }
        }
    }

    /// A write ended, and nobody knows what is stored of the user.
    pub(super) fn end_unknown_write(&mut self, hash: u64, user: &str, ticket: Ticket) {
        self.end(user, &ticket);
        self.kept.forget_user(hash, user);
    }

    /// Whether no other write of the user was under way meanwhile.
    fn end(&mut self, user: &str, ticket: &Ticket) -> bool {
        let Some(under_way) = self.under_way.get_mut(user) else { return false };
        under_way.writes = under_way.writes.saturating_sub(1);
        under_way.flights.clear();
        let was_alone = ticket.is_first && under_way.begun == ticket.begun;
        self.tidy(user);
        was_alone
    }

    /// Keeps a record in its own place. One of somebody else is passed on, and looked up again the next time.
    fn keep(&mut self, hash: u64, user: &str, campaign: &str, record: &Arc<Record>, began: Instant) {
        if record.is_of(user) && record.campaign_key == campaign {
            self.kept.keep(hash, user, campaign, Some(Arc::clone(record)), began + self.found);
        }
    }

    /// Takes a look-up off the list; its campaign, if it was on it.
    fn strike(&mut self, user: &str, flight: &Arc<Flight>) -> Option<Box<str>> {
        let flights = &mut self.under_way.get_mut(user)?.flights;
        let place = flights.iter().position(|(_, listed)| Arc::ptr_eq(listed, flight))?;
        let (campaign, _) = flights.swap_remove(place);
        self.tidy(user);
        Some(campaign)
    }

    fn under_way(&mut self, user: &str) -> &mut UnderWay {
        self.under_way.entry(user.into()).or_default()
    }

    fn tidy(&mut self, user: &str) {
        if self.under_way.get(user).is_some_and(|under_way| under_way.writes == 0 && under_way.flights.is_empty()) {
            self.under_way.remove(user);
        }
    }
}

#[cfg(test)]
impl Shard {
    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.is_empty()
    }
}
