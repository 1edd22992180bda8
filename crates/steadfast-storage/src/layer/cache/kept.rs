//! A bounded number of users, and how long what is known of them holds.
//!
//! A user who was asked for since the hand last came by is passed over, once; the first who was not makes room. That keeps
//! those who come again about as well as an order by last use does, without a list that each look-up has to mend.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashTable;
use smallvec::SmallVec;
use steadfast_engine::{Answer, Record};

/// What is known of some users.
#[derive(Debug)]
pub(super) struct Kept {
    users: Vec<User>,
    /// The places of the users, by their hashes.
    places: HashTable<usize>,
    /// Who is looked at next when there is no room.
    hand: usize,
    most: usize,
}

#[derive(Debug)]
struct User {
    id: Box<str>,
    hash: u64,
    /// Since the hand came by.
    was_asked_for: bool,
    known: SmallVec<[Known; 1]>,
}

#[derive(Debug)]
struct Known {
    campaign: Box<str>,
    record: Option<Arc<Record>>,
    until: Instant,
}

impl Kept {
    /// Room for so many users.
    pub(super) fn new(most: usize) -> Kept {
        Kept { users: Vec::new(), places: HashTable::new(), hand: 0, most }
    }

    /// What is known of a place at this time.
    pub(super) fn get(&mut self, hash: u64, user: &str, campaign: &str, now: Instant) -> Option<Answer> {
        let user = self.place(hash, user)?;
        let user = &mut self.users[user];
        let place = user.known.iter().position(|known| *known.campaign == *campaign)?;
        if user.known[place].until <= now {
            user.known.swap_remove(place);
            return None;
        }
        user.was_asked_for = true;
        Some(user.known[place].record.clone().map_or(Answer::Absent, Answer::Found))
    }

    /// From now on this is known of a place, until then.
    pub(super) fn keep(&mut self, hash: u64, user: &str, campaign: &str, record: Option<Arc<Record>>, until: Instant) {
        let Some(user) = self.place(hash, user).or_else(|| self.make_room(hash, user)) else { return };
        let known = &mut self.users[user].known;
        if let Some(known) = known.iter_mut().find(|known| *known.campaign == *campaign) {
            (known.record, known.until) = (record, until);
        } else {
            known.push(Known { campaign: campaign.into(), record, until });
        }
    }

    /// Nothing is known of a place any more.
    pub(super) fn forget(&mut self, hash: u64, user: &str, campaign: &str) {
        if let Some(user) = self.place(hash, user) {
            self.users[user].known.retain(|known| *known.campaign != *campaign);
        }
    }

    /// Nothing is known of a user any more, not even the name.
    pub(super) fn forget_user(&mut self, hash: u64, user: &str) {
        let Some(gone) = self.place(hash, user) else { return };
        self.unlist(gone);
        let last = self.users.len() - 1;
        if let Ok(moved) = self.places.find_entry(self.users[last].hash, |place| *place == last) {
            *moved.into_mut() = gone;
        }
        self.users.swap_remove(gone);
    }

    fn place(&self, hash: u64, user: &str) -> Option<usize> {
        self.places.find(hash, |place| *self.users[*place].id == *user).copied()
    }

    fn unlist(&mut self, place: usize) {
        if let Ok(entry) = self.places.find_entry(self.users[place].hash, |listed| *listed == place) {
            entry.remove();
        }
    }

    /// The place of a user who was not there, if there is room for anybody.
    fn make_room(&mut self, hash: u64, user: &str) -> Option<usize> {
        let new = User { id: user.into(), hash, was_asked_for: false, known: SmallVec::new() };
        let place = if self.users.len() < self.most {
            self.users.push(new);
            self.users.len() - 1
        } else {
            let place = self.least_wanted()?;
            self.unlist(place);
            self.users[place] = new;
            place
        };
        let Kept { users, places, .. } = self;
        places.insert_unique(hash, place, |place| users[*place].hash);
        Some(place)
    }

    fn least_wanted(&mut self) -> Option<usize> {
        // Whoever is passed over is not the second time.
        for _ in 0..=2 * self.users.len() {
            self.hand = if self.hand < self.users.len() { self.hand } else { 0 };
            let user = self.users.get_mut(self.hand)?;
            self.hand += 1;
            if !std::mem::take(&mut user.was_asked_for) {
                return Some(self.hand - 1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn record(number: usize) -> Option<Arc<Record>> {
        Some(Arc::new(Record::new("u", "c", number.to_string())))
    }

    #[test]
    fn what_is_known_runs_out() {
        let start = Instant::now();
        let mut kept = Kept::new(2);
        kept.keep(1, "a", "c", record(1), start + Duration::from_secs(2));
        kept.keep(1, "a", "d", None, start + Duration::from_secs(1));
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(kept.get(1, "a", "d", after(999)), Some(Answer::Absent));
        assert_eq!(kept.get(1, "a", "d", after(1_000)), None);
        assert_eq!(kept.get(1, "a", "c", after(1_999)), record(1).map(Answer::Found));
        assert_eq!(kept.get(1, "a", "c", after(2_000)), None);
    }

    #[test]
    fn who_is_asked_for_again_stays() {
        let start = Instant::now();
        let until = start + Duration::from_secs(1);
        let mut kept = Kept::new(10);
        for number in 0..1_000 {
            kept.keep(number, &number.to_string(), "c", None, until);
            assert!(kept.get(0, "0", "c", start).is_some(), "after {number} others");
            assert!(kept.users.len() <= 10);
        }
    }

    proptest! {
        /// Whatever happens: what is known is what was kept last, at most so many users are, and none of them is lost
        /// while there is room. Hashes meet often.
        #[test]
        fn it_knows_what_was_kept_last(steps in proptest::collection::vec((0_u8..4, 0_usize..12, 0_usize..3), 0..300)) {
            let (now, most) = (Instant::now(), 6);
            let until = now + Duration::from_secs(1);
            let mut kept = Kept::new(most);
            let mut model: HashMap<(usize, usize), Option<Arc<Record>>> = HashMap::new();
            let mut pushed_out = false;
            for (number, (step, user, campaign)) in steps.into_iter().enumerate() {
                let (hash, id, key) = (user as u64 % 3, user.to_string(), campaign.to_string());
                match step {
                    0 | 1 => {
                        let is_new = kept.place(hash, &id).is_none();
                        pushed_out |= is_new && kept.users.len() == most;
                        if is_new {
                            model.retain(|place, _| place.0 != user);
                        }
                        kept.keep(hash, &id, &key, record(number), until);
                        model.insert((user, campaign), record(number));
                    }
                    2 => {
                        kept.forget(hash, &id, &key);
                        model.remove(&(user, campaign));
                    }
                    _ => {
                        kept.forget_user(hash, &id);
                        model.retain(|place, _| place.0 != user);
                    }
                }
                prop_assert!(kept.users.len() <= most && kept.places.len() == kept.users.len());
                for (user, campaign) in (0..12).flat_map(|user| (0..3).map(move |campaign| (user, campaign))) {
                    let place = kept.place(user as u64 % 3, &user.to_string());
                    let found = place.and_then(|place| {
                        kept.users[place].known.iter().find(|known| *known.campaign == *campaign.to_string())
                    });
                    let found = found.map(|known| known.record.clone());
                    let expected = model.get(&(user, campaign)).cloned();
                    if place.is_some() || !pushed_out {
                        prop_assert_eq!(found, expected);
                    }
                }
            }
        }
    }
}
