//! Settings that make sense, calls on them, and the laws of a session.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use serde_json::{Map, Value, json};
use steadfast::engine::policy::{Activation, EventArchitectureGoals, MetaDataRule, OnStorageError};
use steadfast::engine::{
    Answer, Attributes, Options, Policy, Reason, Record, Request, Settings, StorageFailure, TrackOutcome, Verb,
};
use steadfast::storage::{Claim, Condition, MemoryStorage, UserStorage};

use crate::drive::{self, EffectPicture, Manner, Operation, Picture, WritePicture, outcome};

const USERS: [&str; 4] = ["Ashley", "Bob", "user131", "日本😀"];
const GOALS: [&str; 3] = ["g1", "sign_vwo_up", "Größe"];
const PLANS: [&str; 4] = ["gold", "silver", "12", ""];
const OPERANDS: [&str; 8] =
    ["gold", "lower(GOLD)", "wildcard(*l*)", "regex(^.o)", "gt(5)", "12.0", "regex((a+)+$)", "wildcard(*)"];

/// A file, a policy and calls.
#[derive(Debug, Arbitrary)]
pub struct Session {
    bucketing: [bool; 2],
    event_architecture: bool,
    campaigns: Vec<CampaignShape>,
    /// Which of up to four algorithms the group has; its members are the campaigns that say so.
    advanced: bool,
    policy: [bool; 5],
    calls: Vec<CallShape>,
}

#[derive(Debug, Arbitrary)]
struct CampaignShape {
    kind: u8,
    paused: bool,
    percent_traffic: u8,
    weights: [u8; 3],
    audience: Option<(bool, u8)>,
    grouped: bool,
    flags: [bool; 4],
    goals: [bool; 3],
    counts_every_time: bool,
    group_weight: i8,
}

#[derive(Debug, Arbitrary)]
struct CallShape {
    verb: u8,
    campaign: u8,
    user: u8,
    goal: u8,
    plan: Option<u8>,
    returning: Option<bool>,
    reads_fail: bool,
    stored: Option<StoredShape>,
}

/// A record that somebody else puts into the storage before the call. Never into a group, whose members exclude each
/// other only where all writers keep to it.
#[derive(Debug, Arbitrary)]
struct StoredShape {
    variation: u8,
    goal: Option<u8>,
}

fn pick<T: Copy>(items: &[T], index: u8) -> T {
    items[usize::from(index) % items.len()]
}

fn key(place: usize) -> String {
    format!("c{place}")
}

impl Session {
    fn campaigns(&self) -> &[CampaignShape] {
        &self.campaigns[..self.campaigns.len().min(6)]
    }

    fn grouped(&self) -> Vec<usize> {
        let campaigns = self.campaigns().iter().enumerate();
        campaigns.filter(|(_, campaign)| campaign.grouped).map(|(place, _)| place).collect()
    }

    fn file(&self) -> Value {
        let members = self.grouped();
        let id = |place: &usize| 100 + place;
        let membership: Map<String, Value> =
            members.iter().map(|place| (id(place).to_string(), Value::from(7))).collect();
        let weights: Map<String, Value> = members
            .iter()
            .map(|place| (id(place).to_string(), Value::from(self.campaigns()[*place].group_weight)))
            .collect();
        let group = json!({
            "campaigns": members.iter().map(id).collect::<Vec<_>>(), "et": if self.advanced { 2 } else { 1 },
            "p": members.iter().skip(3).map(id).collect::<Vec<_>>(), "wt": weights,
        });
        let campaigns: Vec<Value> =
            self.campaigns().iter().enumerate().map(|(place, campaign)| campaign.json(place)).collect();
        json!({"accountId": 1, "version": 1, "isNB": self.bucketing[0], "isNBv2": self.bucketing[1],
            "isEventArchEnabled": self.event_architecture, "campaigns": campaigns,
            "groups": {"7": group}, "campaignGroups": membership})
    }

    fn policy(&self) -> Policy {
        let [required, no_variation, returning, once, keep] = self.policy;
        Policy {
            has_storage: true,
            activation: if required { Activation::Required } else { Activation::Optional },
            on_storage_error: if no_variation { OnStorageError::NoVariation } else { OnStorageError::Decide },
            track_returning_users: returning,
            event_architecture_goals: if once {
                EventArchitectureGoals::Once
            } else {
                EventArchitectureGoals::SendEachTime
            },
            meta_data: if keep { MetaDataRule::Keep } else { MetaDataRule::ThisCall },
            ..Policy::default()
        }
    }
}

impl CampaignShape {
    fn json(&self, place: usize) -> Value {
        let kind = pick(&["VISUAL_AB", "FEATURE_TEST", "FEATURE_ROLLOUT", "OTHER"], self.kind);
        let audience = match self.audience {
            None => json!({}),
            Some((false, operand)) => json!({"custom_variable": {"plan": pick(&OPERANDS, operand)}}),
            Some((true, operand)) => json!({"not": {"custom_variable": {"plan": pick(&OPERANDS, operand)}}}),
        };
        let variations: Vec<Value> = self
            .weights
            .iter()
            .enumerate()
            .map(|(index, weight)| json!({"id": index + 1, "name": format!("v{index}"), "weight": weight}))
            .collect();
        let goals: Vec<Value> = GOALS
            .iter()
            .zip(self.goals)
            .filter(|(_, has)| *has)
            .map(|(goal, _)| {
                json!({"id": 1, "identifier": goal, "type": "CUSTOM_GOAL", "mca": if self.counts_every_time { -1 } else { 0 }})
            })
            .collect();
        let [seeded, old, old_v2, bandit] = self.flags;
        json!({"id": 100 + place, "key": key(place), "type": kind, "status": if self.paused { "PAUSED" } else { "RUNNING" },
            "percentTraffic": self.percent_traffic.min(100), "segments": audience, "variations": variations, "goals": goals,
            "isBucketingSeedEnabled": seeded, "isOB": old, "isOBv2": old_v2, "isMAB": bandit})
    }
}

impl CallShape {
    fn operation(&self) -> Operation {
        let (campaign, goal) = (key(usize::from(self.campaign) % 6), pick(&GOALS, self.goal).to_owned());
        match self.verb % 7 {
            0 => Operation::Decide(Verb::Activate, campaign),
            1 => Operation::Decide(Verb::FeatureEnabled, campaign),
            2 => Operation::Decide(Verb::VariationName, campaign),
            3 => Operation::Decide(Verb::FeatureVariable, campaign),
            4 => Operation::Track(vec![campaign], goal),
            5 => Operation::Track(vec![campaign, key(0), key(1)], goal),
            _ => Operation::Track(vec![], goal),
        }
    }

    fn options(&self) -> Options {
        let custom_variables = match self.plan {
            None => Attributes::new(),
            Some(plan) => Attributes::new().with("plan", pick(&PLANS, plan)),
        };
        Options { custom_variables, track_returning_users: self.returning, ..Options::default() }
    }
}

/// Makes the calls one after the other, and checks after each that every law holds.
pub fn session(session: &Session) {
    let settings = Settings::parse(&session.file().to_string()).expect("a sensible file");
    let (policy, grouped, storage) = (session.policy(), session.grouped(), MemoryStorage::new());
    let mut counted: BTreeSet<(String, String, String)> = BTreeSet::new();
    for call in session.calls.iter().take(40) {
        let user = pick(&USERS, call.user);
        if let Some(stored) = &call.stored {
            let place = usize::from(call.campaign) % 6;
            if !grouped.contains(&place) {
                let mut record = Record::new(user, key(place), format!("v{}", stored.variation % 4));
                counted.retain(|(one, campaign, _)| (&**one, campaign) != (user, &key(place)));
                if let Some(goal) = stored.goal {
                    record.goals.push(pick(&GOALS, goal));
                    counted.insert((user.to_owned(), key(place), pick(&GOALS, goal).to_owned()));
                }
                storage.set(record).expect("memory does not fail");
            }
        }
        let (options, operation) = (call.options(), call.operation());
        let answer = |key: steadfast::engine::StoredKey<'_>| {
            assert_eq!(key.user, user);
            if call.reads_fail {
                return Answer::Failed(StorageFailure::new("out of reach"));
            }
            storage.look_up(key.user, key.campaign)
        };
        let request = || Request::new(&settings, user).with_options(&options).with_policy(policy);
        let picture = outcome(request(), &operation, Manner::AllAtOnce, answer);
        assert_eq!(picture, outcome(request(), &operation, Manner::OneAtATime, answer), "one key at a time");
        assert_eq!(picture, outcome(request().traced(), &operation, Manner::AllAtOnce, answer), "with a trace");
        let Ok(picture) = picture else { continue };
        check_answers(&picture, &storage, user, call.reads_fail, &settings);
        let before = variations(&storage, user);
        let mut replaced = BTreeSet::new();
        for WritePicture { record, condition, new_goal, was_read } in picture.writes() {
            let condition = match condition {
                drive::Condition::Absent => Condition::Absent,
                drive::Condition::Stored => Condition::Stored,
                drive::Condition::Unknown => Condition::Unknown,
                drive::Condition::Replaces(gone) => {
                    replaced.insert(record.campaign_key.clone());
                    Condition::Replaces(gone.clone())
                }
            };
            assert!(!call.reads_fail || condition == Condition::Unknown, "what failed is not absent: {record:?}");
            let claim = Claim { record: record.clone(), goal: new_goal.clone(), condition, was_read: *was_read };
            storage.merge(claim).expect("memory does not fail");
        }
        let after = variations(&storage, user);
        for (campaign, variation) in &before {
            assert!(replaced.contains(campaign) || after.get(campaign) == Some(variation), "{campaign} is not sticky");
        }
        // Exclusive as long as every look-up was answered: what failed may hide another member (decision D-8).
        if !session.calls.iter().any(|call| call.reads_fail) {
            let entered = grouped.iter().filter(|place| after.contains_key(&key(**place))).count();
            assert!(entered <= 1, "{after:?} in {grouped:?}");
            check_goals(&picture, &mut counted, &replaced, user, &request(), &settings);
        }
    }
}

fn variations(storage: &MemoryStorage, user: &str) -> BTreeMap<String, String> {
    let records = storage.records().into_iter().filter(|record| record.user_id == user);
    records.map(|record| (record.campaign_key, record.variation_name)).collect()
}

/// Whoever has a stored variation that exists gets it; whoever gets none is not written.
fn check_answers(picture: &Picture, storage: &MemoryStorage, user: &str, reads_fail: bool, settings: &Settings) {
    for decision in picture.decisions.iter().filter(|decision| decision.refused.is_none()) {
        let campaign = settings.campaign(&decision.campaign).expect("it was decided in");
        let stored = storage.get(user, campaign.key()).expect("memory does not fail");
        let exists = stored.filter(|record| campaign.variation(&record.variation_name).is_some());
        if let Some(record) = exists
            && campaign.is_running()
            && !reads_fail
        {
            assert_eq!(
                (decision.variation.as_deref(), decision.reason),
                (Some(&*record.variation_name), Some(Reason::Stored))
            );
        }
    }
    for WritePicture { record, .. } in picture.writes() {
        let decision = picture.decisions.iter().find(|one| one.campaign == record.campaign_key);
        assert_eq!(decision.and_then(|one| one.variation.as_ref()), Some(&record.variation_name));
    }
}

/// A goal counts once, unless it may count again; and it is sent when it counts.
fn check_goals(
    picture: &Picture,
    counted: &mut BTreeSet<(String, String, String)>,
    replaced: &BTreeSet<String>,
    user: &str,
    request: &Request<'_>,
    settings: &Settings,
) {
    let conversions: Vec<[String; 3]> = picture
        .effects
        .iter()
        .flat_map(|effect| match effect {
            EffectPicture::Conversion(conversions) => conversions.clone(),
            _ => vec![],
        })
        .collect();
    let tracked = picture.decisions.iter().filter(|one| one.outcome == Some(TrackOutcome::Tracked)).count();
    assert_eq!(conversions.len(), tracked);
    counted.retain(|(one, campaign, _)| one != user || !replaced.contains(campaign));
    for [campaign, _, goal] in conversions {
        let every_time =
            settings.campaign(&campaign).and_then(|one| one.goal(&goal)).is_some_and(|one| one.counts_every_time());
        let again =
            every_time || settings.event_architecture() || request.options().track_returning_users != Some(false);
        let new = counted.insert((user.to_owned(), campaign.clone(), goal.clone()));
        assert!(new || again, "{goal} counts twice in {campaign}");
    }
}
