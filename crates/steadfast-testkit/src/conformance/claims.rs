//! Claims by chance, as clients make them: on what they read, on what they read too long ago, and on nothing.

use std::collections::HashMap;

use serde_json::json;
use steadfast_engine::{GoalList, Record};
use steadfast_storage::merge::merge;
use steadfast_storage::{Claim, Condition, Merged};

use crate::random::Random;

/// The variations of a campaign. Few, so that claims meet.
const VARIATIONS: [&str; 4] = ["A", "B", "Old", "Größe"];
/// Goals, one of them with the separator inside.
const GOALS: [&str; 6] = ["buy", "sign-up", "now", "buy_vwo_now", "Größe", "🎯"];

/// A claim on a place where this is stored, as wild as types allow: a goal may be listed already.
pub(super) fn any(random: &mut Random, user: &str, campaign: &str, stored: Option<&Record>) -> Claim {
    let goal = random.chance(50).then(|| random.pick(&GOALS));
    claim(random, user, campaign, stored, goal)
}

/// A claim as a client makes it, whose goal was not listed where it looked. Merging it twice is merging it once.
pub(super) fn of_client(random: &mut Random, user: &str, campaign: &str, stored: Option<&Record>) -> Claim {
    let mut claim = claim(random, user, campaign, stored, None);
    let goal = random.pick(&GOALS);
    if random.chance(50) && !claim.record.goals.has_run(goal) {
        claim.record.goals.push(goal);
        claim.goal = Some(goal.to_owned());
    }
    claim
}

fn claim(random: &mut Random, user: &str, campaign: &str, stored: Option<&Record>, goal: Option<&str>) -> Claim {
    let mut record = match stored.filter(|_| random.chance(60)) {
        Some(stored) => stored.clone(),
        None => Record { goals: goals(random), ..Record::new(user, campaign, random.pick(&VARIATIONS)) },
    };
    if random.chance(20) {
        record.variation_name = random.pick(&VARIATIONS).to_owned();
    }
    record.activated = random.chance(70);
    record.meta_data = match random.below(4) {
        0 => Some(json!({})),
        1 => Some(json!({ "number": random.between(0, 9), "text": "größer" })),
        _ => None,
    };
    if let Some(goal) = goal {
        record.goals.push(goal);
    }
    let condition = match random.below(5) {
        0 => Condition::Absent,
        1 => Condition::Stored,
        2 => Condition::Unknown,
        3 => Condition::Replaces(stored.map_or("Old", |stored| &stored.variation_name).to_owned()),
        _ => Condition::Replaces(random.pick(&VARIATIONS).to_owned()),
    };
    Claim { record, goal: goal.map(str::to_owned), condition, was_read: random.chance(50) }
}

fn goals(random: &mut Random) -> GoalList {
    let mut goals = GoalList::default();
    for goal in GOALS {
        if random.chance(25) {
            goals.push(goal);
        }
    }
    goals
}

/// What a storage ought to hold.
#[derive(Default)]
pub(super) struct Model(HashMap<(String, String), Record>);

impl Model {
    pub(super) fn get(&self, user: &str, campaign: &str) -> Option<&Record> {
        self.0.get(&(user.to_owned(), campaign.to_owned()))
    }

    pub(super) fn set(&mut self, record: Record) {
        self.0.insert((record.user_id.clone(), record.campaign_key.clone()), record);
    }

    pub(super) fn merge(&mut self, claim: &Claim) -> Merged {
        let merged = merge(self.get(&claim.record.user_id, &claim.record.campaign_key), claim);
        self.set(merged.record.clone());
        merged
    }
}
