//! Settings files, options and users that mean something, as drafts: a law can change one field of a draft and ask
//! what became of the decisions.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use steadfast_engine::attributes::{AttributeValue, Attributes};
use steadfast_engine::policy::{
    Activation, EventArchitectureGoals, GoalTypes, MetaDataRule, OnStorageError, Policy, TrackAll,
};
use steadfast_engine::{GoalList, Options, Record, Revenue, UserStorageData, Verb};

/// A settings file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) account: u32,
    pub(crate) new_bucketing: bool,
    pub new_bucketing_v2: bool,
    pub(crate) event_architecture: bool,
    pub(crate) campaigns: Vec<CampaignDraft>,
    pub(crate) groups: Vec<GroupDraft>,
}

/// A campaign. Its id is its place, counted from 100, and its key that place too: `c0`, `c1`, ….
#[derive(Debug, Clone)]
pub(crate) struct CampaignDraft {
    pub(crate) kind: &'static str,
    pub(crate) running: bool,
    pub(crate) percent_traffic: f64,
    pub(crate) audience: Value,
    pub(crate) whitelisting: bool,
    pub(crate) hashed_user_lists: bool,
    pub(crate) seeded: bool,
    pub(crate) old_campaign: bool,
    pub old_campaign_v2: bool,
    pub(crate) bandit: bool,
    /// Weight and whitelist of each; the names are those of [`VARIATIONS`].
    pub(crate) variations: Vec<VariationDraft>,
    pub(crate) goals: Vec<GoalDraft>,
}

/// A variation.
#[derive(Debug, Clone)]
pub(crate) struct VariationDraft {
    pub(crate) weight: f64,
    pub(crate) whitelist: Value,
    pub(crate) feature_enabled: bool,
}

/// A goal.
#[derive(Debug, Clone)]
pub(crate) struct GoalDraft {
    pub(crate) identifier: &'static str,
    pub(crate) revenue: bool,
    pub(crate) counts_every_time: bool,
}

/// A group of campaigns, by their places.
#[derive(Debug, Clone)]
pub(crate) struct GroupDraft {
    pub(crate) members: Vec<usize>,
    pub(crate) advanced: bool,
    pub(crate) priority: Vec<usize>,
    pub(crate) weights: Vec<f64>,
}

/// A call on some campaign, by its place.
#[derive(Debug, Clone)]
pub(crate) struct CallDraft {
    pub(crate) verb: Verb,
    pub(crate) campaign: usize,
    pub(crate) user: String,
    pub(crate) goal: &'static str,
    pub(crate) options: Options,
}

/// The names of the variations, in their order.
pub(crate) const VARIATIONS: [&str; 4] = ["Control", "Variation-1", "日本", "a_vwo_b"];

/// The identifiers of goals. One holds the separator of records, but no list of them can be read in two ways.
pub(crate) const GOALS: [&str; 4] = ["g1", "purchase", "sign_vwo_up", "Größe"];

/// The users who call: few, so that they come back.
pub(crate) const USERS: [&str; 5] = ["Ashley", "Bob", "user131", "ü", "日本語😀"];

/// The key of the campaign at a place.
pub(crate) fn key(place: usize) -> String {
    format!("c{place}")
}

impl File {
    /// The JSON of the file.
    pub(crate) fn to_json(&self) -> Value {
        let campaigns: Vec<Value> =
            self.campaigns.iter().enumerate().map(|(place, draft)| draft.to_json(place)).collect();
        let mut groups = Map::new();
        let mut membership = Map::new();
        for (place, group) in self.groups.iter().enumerate() {
            let id = (place + 1).to_string();
            for member in &group.members {
                membership.insert((100 + member).to_string(), id.as_str().into());
            }
            groups.insert(id, group.to_json());
        }
        json!({
            "accountId": self.account, "sdkKey": "key", "version": 1,
            "isNB": self.new_bucketing, "isNBv2": self.new_bucketing_v2,
            "isEventArchEnabled": self.event_architecture,
            "campaigns": campaigns, "groups": groups, "campaignGroups": membership,
        })
    }

    /// The places of the campaigns that exclude this one.
    pub(crate) fn rivals(&self, place: usize) -> Vec<usize> {
        let group = self.groups.iter().find(|group| group.members.contains(&place));
        group.map(|group| group.members.clone()).unwrap_or_default().into_iter().filter(|one| *one != place).collect()
    }
}

impl CampaignDraft {
    fn to_json(&self, place: usize) -> Value {
        let variations: Vec<Value> = self
            .variations
            .iter()
            .zip(VARIATIONS)
            .enumerate()
            .map(|(index, (variation, name))| {
                json!({
                    "id": index + 1, "name": name, "weight": variation.weight, "segments": variation.whitelist,
                    "isFeatureEnabled": variation.feature_enabled, "changes": {},
                    "variables": [{"id": 1, "key": "k", "type": "string", "value": name}],
                })
            })
            .collect();
        let goals: Vec<Value> = self.goals.iter().enumerate().map(|(index, goal)| goal.to_json(index)).collect();
        json!({
            "id": 100 + place, "key": key(place), "name": "", "type": self.kind,
            "status": if self.running { "RUNNING" } else { "PAUSED" },
            "percentTraffic": self.percent_traffic, "segments": self.audience,
            "isForcedVariationEnabled": self.whitelisting, "isUserListEnabled": self.hashed_user_lists,
            "isBucketingSeedEnabled": self.seeded, "isOB": self.old_campaign, "isOBv2": self.old_campaign_v2,
            "isMAB": self.bandit, "variations": variations, "goals": goals,
            "variables": [{"id": 1, "key": "k", "type": "integer", "value": "12"}],
        })
    }
}

impl GoalDraft {
    fn to_json(&self, index: usize) -> Value {
        let kind = if self.revenue { "REVENUE_TRACKING" } else { "CUSTOM_GOAL" };
        let every_time = if self.counts_every_time { -1 } else { 0 };
        json!({"id": index + 1, "identifier": self.identifier, "type": kind, "mca": every_time})
    }
}

impl GroupDraft {
    fn to_json(&self) -> Value {
        let id = |place: &usize| 100 + place;
        let weights: Map<String, Value> = self
            .members
            .iter()
            .zip(&self.weights)
            .map(|(member, weight)| (id(member).to_string(), (*weight).into()))
            .collect();
        json!({
            "name": "group", "campaigns": self.members.iter().map(id).collect::<Vec<_>>(),
            "et": if self.advanced { 2 } else { 1 }, "p": self.priority.iter().map(id).collect::<Vec<_>>(),
            "wt": weights,
        })
    }
}

/// Any sensible settings file.
pub(crate) fn file() -> impl Strategy<Value = File> {
    (vec(campaign(), 1..5), any::<[bool; 3]>(), 1..1_000_000_u32).prop_flat_map(|(campaigns, flags, account)| {
        groups(campaigns.len()).prop_map(move |groups| File {
            account,
            new_bucketing: flags[0],
            new_bucketing_v2: flags[1],
            event_architecture: flags[2],
            campaigns: campaigns.clone(),
            groups,
        })
    })
}

/// Any sensible settings file whose campaigns all exclude each other, and each of which would take everybody.
pub(crate) fn rivals() -> impl Strategy<Value = File> {
    (file(), any::<bool>()).prop_map(|(mut file, advanced)| {
        for campaign in &mut file.campaigns {
            campaign.kind = "VISUAL_AB";
            campaign.running = true;
            campaign.whitelisting = false;
            campaign.percent_traffic = 100.0;
            campaign.audience = json!({});
        }
        let members: Vec<usize> = (0..file.campaigns.len()).collect();
        let (priority, weights) = (vec![], vec![100.0 / members.len() as f64; members.len()]);
        file.groups = vec![GroupDraft { members, advanced, priority, weights }];
        file
    })
}

fn campaign() -> impl Strategy<Value = CampaignDraft> {
    let kind = prop_oneof![3 => Just("VISUAL_AB"), 2 => Just("FEATURE_TEST"), 1 => Just("FEATURE_ROLLOUT")];
    let audience = prop_oneof![3 => Just(json!({})), 2 => segment()];
    let often = prop::bool::weighted(0.85);
    let seldom = prop::bool::weighted(0.15);
    let flags = (often, any::<bool>(), seldom, any::<[bool; 3]>(), seldom);
    (kind, percent_traffic(), audience, vec(variation(), 1..5), goals(), flags).prop_map(
        |(kind, percent_traffic, audience, variations, goals, (running, whitelisting, hashed, flags, bandit))| {
            CampaignDraft {
                kind,
                running,
                percent_traffic,
                audience,
                whitelisting,
                hashed_user_lists: hashed,
                seeded: flags[0],
                old_campaign: flags[1],
                old_campaign_v2: flags[2],
                bandit,
                variations,
                goals,
            }
        },
    )
}

fn variation() -> impl Strategy<Value = VariationDraft> {
    let whitelist = prop_oneof![3 => Just(json!({})), 1 => segment()];
    (weight(), whitelist, any::<bool>()).prop_map(|(weight, whitelist, feature_enabled)| VariationDraft {
        weight,
        whitelist,
        feature_enabled,
    })
}

/// Some of the goals, each at most once.
fn goals() -> impl Strategy<Value = Vec<GoalDraft>> {
    prop::sample::subsequence(GOALS.to_vec(), 0..=GOALS.len()).prop_flat_map(|identifiers| {
        identifiers
            .into_iter()
            .map(|identifier| {
                (prop::bool::weighted(0.2), prop::bool::weighted(0.2))
                    .prop_map(move |(revenue, counts_every_time)| GoalDraft { identifier, revenue, counts_every_time })
            })
            .collect::<Vec<_>>()
    })
}

/// Up to two groups that share no campaign.
fn groups(campaigns: usize) -> impl Strategy<Value = Vec<GroupDraft>> {
    let places: Vec<usize> = (0..campaigns).collect();
    let shape = (0..=campaigns, 0..=campaigns, any::<[bool; 2]>());
    (Just(places).prop_shuffle(), shape, vec(weight(), 8)).prop_map(|(places, (first, second, advanced), weights)| {
        let (first, second) = (first.min(second), first.max(second));
        let group = |members: &[usize], advanced, weights: &[f64]| GroupDraft {
            members: members.to_vec(),
            advanced,
            priority: members.iter().skip(2).copied().collect(),
            weights: weights.to_vec(),
        };
        vec![
            group(&places[..first], advanced[0], &weights[..4]),
            group(&places[first..second], advanced[1], &weights[4..]),
        ]
    })
}

/// A percentage of users let in: often all.
pub(crate) fn percent_traffic() -> impl Strategy<Value = f64> {
    prop_oneof![4 => Just(100.0), 1 => Just(0.0), 2 => (1..100_i32).prop_map(f64::from), 1 => 0.0..100.0]
}

/// A weight of a variation or of a campaign in its group.
pub(crate) fn weight() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(50.0), 1 => Just(0.0), 1 => Just(100.0), 2 => 0.0..100.0]
}

/// A segment that somebody may be in.
pub(crate) fn segment() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => (name(), operand()).prop_map(|(name, operand)| json!({"custom_variable": {name: operand}})),
        1 => prop::sample::subsequence(USERS.to_vec(), 0..=3).prop_map(|users| json!({"user": users.join(",")})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|children| json!({"and": children})),
            vec(inner.clone(), 0..4).prop_map(|children| json!({"or": children})),
            inner.prop_map(|child| json!({"not": child})),
        ]
    })
}

/// The name of a variable.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["plan", "age", "version", "_vwoUserId", "0"]).prop_map(str::to_owned)
}

/// The operand of a condition.
pub(crate) fn operand() -> impl Strategy<Value = String> {
    let function = prop::sample::select(vec!["", "lower", "wildcard", "regex", "gt", "gte", "lt", "lte"]);
    let pattern = prop::sample::select(vec!["^g.*d$", "*ol*", "(?=a)a+", "[a-z]+", "^(a|b)\\1$", "\\d{2,}", "go*"]);
    (function, prop_oneof![3 => value_text(), 1 => pattern.prop_map(str::to_owned)])
        .prop_map(|(function, text)| if function.is_empty() { text } else { format!("{function}({text})") })
}

fn value_text() -> impl Strategy<Value = String> {
    let texts = vec!["gold", "GOLD", "12", "12.50", "0", "1.2.3", "", "ß", "1e21", "-5", "true", "aa", "Ashley"];
    prop_oneof![8 => prop::sample::select(texts).prop_map(str::to_owned), 1 => ".{0,8}"]
}

/// The variables of a user.
pub(crate) fn attributes() -> impl Strategy<Value = Attributes> {
    btree_map(name(), attribute_value(), 0..4).prop_map(|values| {
        values.into_iter().fold(Attributes::new(), |attributes, (name, value)| attributes.with(name, value))
    })
}

fn attribute_value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        6 => value_text().prop_map(AttributeValue::Text),
        2 => prop_oneof![Just(12.0), Just(1e21), Just(0.0), any::<f64>()].prop_map(AttributeValue::Number),
        1 => any::<bool>().prop_map(AttributeValue::Bool),
        1 => Just(AttributeValue::Null),
        1 => Just(AttributeValue::Undefined),
        1 => Just(AttributeValue::Object),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| vec(inner, 0..3).prop_map(AttributeValue::List))
}

/// A user: mostly one of a few.
pub(crate) fn user() -> impl Strategy<Value = String> {
    prop_oneof![6 => prop::sample::select(USERS.to_vec()).prop_map(str::to_owned), 1 => ".{1,12}"]
}

/// Options without records of the caller.
pub(crate) fn options() -> impl Strategy<Value = Options> {
    let variables = (attributes(), attributes(), option::weighted(0.2, meta_data()));
    let goal_types = prop::sample::select(vec![GoalTypes::All, GoalTypes::Custom, GoalTypes::Revenue]);
    let tracking = (
        option::weighted(0.3, any::<bool>()),
        option::weighted(0.2, goal_types),
        option::weighted(0.7, (0..100_i32).prop_map(|amount| Revenue::Number(amount.into()))),
    );
    (variables, tracking).prop_map(|((custom, targeting, meta_data), (returning, goal_types, revenue))| Options {
        custom_variables: custom,
        variation_targeting_variables: targeting,
        meta_data,
        track_returning_users: returning,
        goal_types,
        revenue,
        ..Options::default()
    })
}

/// Options with records of the caller, who may be mistaken about user, campaign and variation.
pub(crate) fn options_with_records() -> impl Strategy<Value = Options> {
    (options(), vec(record(), 0..3), prop::bool::weighted(0.15)).prop_map(|(options, records, complete)| {
        let records = if complete { UserStorageData::all(records) } else { records.into() };
        Options { user_storage_data: records, ..options }
    })
}

/// An object to be kept with a record.
pub(crate) fn meta_data() -> impl Strategy<Value = Value> {
    btree_map(".{0,4}", json_value(), 0..3).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// A record that may be about one of the users and campaigns.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let user = prop_oneof![6 => user(), 1 => Just(String::new())];
    let variation = prop_oneof![5 => prop::sample::select(VARIATIONS.to_vec()), 1 => Just("gone")];
    (user, 0..5_usize, variation, goal_list(), any::<bool>(), option::weighted(0.2, meta_data())).prop_map(
        |(user, campaign, variation, goals, activated, meta_data)| Record {
            goals,
            activated,
            meta_data,
            ..Record::new(user, key(campaign), variation)
        },
    )
}

/// A list of goals, among them some that no campaign has.
pub(crate) fn goal_list() -> impl Strategy<Value = GoalList> {
    prop::sample::subsequence(vec!["g1", "purchase", "sign_vwo_up", "Größe", "old"], 0..4).prop_map(|goals| {
        let mut list = GoalList::default();
        goals.into_iter().for_each(|goal| list.push(goal));
        list
    })
}

/// Any policy that asks a storage.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    any::<[bool; 6]>().prop_map(|flags| Policy {
        has_storage: true,
        activation: if flags[0] { Activation::Required } else { Activation::Optional },
        on_storage_error: if flags[1] { OnStorageError::NoVariation } else { OnStorageError::Decide },
        track_returning_users: flags[2],
        goal_types: GoalTypes::All,
        event_architecture_goals: if flags[3] {
            EventArchitectureGoals::Once
        } else {
            EventArchitectureGoals::SendEachTime
        },
        meta_data: if flags[4] { MetaDataRule::Keep } else { MetaDataRule::ThisCall },
        track_all: if flags[5] { TrackAll::Trackable } else { TrackAll::WithGoal },
    })
}

/// A call with options of this kind.
pub(crate) fn call_with(options: impl Strategy<Value = Options>) -> impl Strategy<Value = CallDraft> {
    let verb = prop::sample::select(vec![
        Verb::Activate,
        Verb::FeatureEnabled,
        Verb::VariationName,
        Verb::FeatureVariable,
        Verb::Track,
    ]);
    (verb, 0..4_usize, user(), prop::sample::select(GOALS.to_vec()), options)
        .prop_map(|(verb, campaign, user, goal, options)| CallDraft { verb, campaign, user, goal, options })
}

/// Any JSON value, a few levels deep.
pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-1_000_000..1_000_000_i64).prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(|number| json!(number + 0.5)),
        ".{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(".{0,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
