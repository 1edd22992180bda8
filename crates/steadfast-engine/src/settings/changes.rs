//! What is different between two settings, campaign by campaign.
//!
//! Of each field of a campaign a hash is kept, not the text: a file has megabytes, and what is asked is whether it is the
//! same.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::wire::Json;
use super::{Campaign, Group, GroupAlgorithm, Settings};

/// A campaign that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignChange {
    /// Its key.
    pub campaign: String,
    /// What happened to it.
    pub change: Change,
}

/// What happened to a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// These of its fields are different, by the names of the settings file, such as `status`, `percentTraffic`,
    /// `variations`, `goals` and `segments`; `group` where it is in another group, or the group is different; `isNB` and
    /// `isNBv2`, which go for all campaigns.
    Different(Vec<String>),
}

/// The fields of a campaign by name, each with a hash of what it holds.
#[derive(Debug, Default)]
pub(crate) struct Fields(Box<[(Box<str>, u64)]>);

impl Fields {
    pub(super) fn of(campaign: &Json<'_>) -> Fields {
        Fields(entries(campaign).map(|(name, value)| (name.into(), hash_of(value))).collect())
    }

    fn get(&self, name: &str) -> Option<u64> {
        let at = self.0.binary_search_by(|(one, _)| (**one).cmp(name)).ok()?;
        self.0.get(at).map(|(_, hash)| *hash)
    }

    /// The names of those that are not the same, in their order.
    fn different_from(&self, before: &Fields) -> Vec<String> {
        let mut names: Vec<&str> = self.0.iter().chain(&before.0).map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter(|name| self.get(name) != before.get(name)).map(str::to_owned).collect()
    }
}

/// The fields of a campaign in the order of their names, of two with one name the later. Inside of a field the file's order
/// may matter (spec SEG-10), so [`hash_of`] keeps it.
fn entries<'j>(json: &'j Json<'_>) -> impl Iterator<Item = (&'j str, &'j Json<'j>)> {
    let all: &[(Cow<'_, str>, Json<'_>)] = if let Json::Object(entries) = json { entries } else { &[] };
    let mut entries: Vec<(usize, &(Cow<'_, str>, Json<'_>))> = all.iter().enumerate().collect();
    entries.sort_by(|(at, (name, _)), (other_at, (other, _))| name.cmp(other).then(other_at.cmp(at)));
    entries.dedup_by(|(_, (other, _)), (_, (name, _))| other == name);
    entries.into_iter().map(|(_, (name, value))| (&**name, value))
}

fn hash_of(json: &Json<'_>) -> u64 {
    fn add(json: &Json<'_>, into: &mut DefaultHasher) {
        std::mem::discriminant(json).hash(into);
        match json {
            Json::Null => {}
            Json::Bool(value) => value.hash(into),
            Json::Number(number) => number.to_bits().hash(into),
            Json::Text(text) => text.hash(into),
            Json::List(items) => {
                items.len().hash(into);
                items.iter().for_each(|item| add(item, into));
            }
            Json::Object(entries) => {
                entries.len().hash(into);
                for (name, value) in entries {
                    name.hash(into);
                    add(value, into);
                }
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    add(json, &mut hasher);
    hasher.finish()
}

/// What is a matter of campaigns, and told of them.
const OF_CAMPAIGNS: [&str; 3] = ["campaigns", "groups", "campaignGroups"];
/// What goes for the account and decides which variation a user gets in every campaign (spec SET-40, SET-41).
const OF_BUCKETING: [&str; 2] = ["isNB", "isNBv2"];

impl Fields {
    /// Those of the whole file, but for what is told of campaigns.
    pub(super) fn of_file(file: &Json<'_>) -> Fields {
        let fields = entries(file).filter(|(name, _)| !OF_CAMPAIGNS.contains(name));
        Fields(fields.map(|(name, value)| (name.into(), hash_of(value))).collect())
    }
}

impl Settings {
    /// The names of what is different since these settings of what goes for the account, such as `sdkKey`, `isNB`,
    /// `collectionPrefix` and `version`.
    #[must_use]
    pub fn fields_changed_since(&self, before: &Settings) -> Vec<String> {
        self.fields.different_from(&before.fields)
    }

    /// What is different since these settings: campaigns that are new or different in their order, then those that are gone.
    /// Of several with one key the first counts, as it does for decisions. None where every campaign is as it was.
    #[must_use]
    pub fn changes_since(&self, before: &Settings) -> Vec<CampaignChange> {
        let change = |campaign: &str, change| CampaignChange { campaign: campaign.to_owned(), change };
        let file = self.fields_changed_since(before);
        let bucketing = || file.iter().filter(|name| OF_BUCKETING.contains(&name.as_str())).cloned();
        let mut changes = Vec::new();
        for (key, campaign) in used(self) {
            let Some(old) = before.campaign(key) else {
                changes.push(change(key, Change::New));
                continue;
            };
            let mut fields = campaign.fields.different_from(&old.fields);
            let groups = (self.group_of(campaign), before.group_of(old));
            let is_same_group = match groups {
                (Some(now), Some(old)) => outline(self, now) == outline(before, old),
                (None, None) => true,
                _ => false,
            };
            if !is_same_group {
                fields.push("group".to_owned());
            }
            fields.extend(bucketing());
            if !fields.is_empty() {
                changes.push(change(key, Change::Different(fields)));
            }
        }
        let gone = used(before).filter(|(key, _)| self.campaign(key).is_none());
        changes.extend(gone.map(|(key, _)| change(key, Change::Gone)));
        changes
    }
}

/// The campaigns that calls reach.
fn used(settings: &Settings) -> impl Iterator<Item = (&str, &Campaign)> {
    let is_used =
        |campaign: &Campaign| settings.campaign(campaign.key()).is_some_and(|one| std::ptr::eq(one, campaign));
    settings.campaigns().iter().filter(move |campaign| is_used(campaign)).map(|campaign| (campaign.key(), campaign))
}

/// What is equal for groups that choose alike: members are named, since their places may be others.
#[expect(clippy::type_complexity, reason = "it is compared, and nothing else")]
fn outline<'s>(
    settings: &'s Settings,
    group: &'s Group,
) -> (&'s str, Vec<&'s str>, Option<(Vec<&'s str>, Vec<(&'s str, f64)>)>) {
    let key = |index| settings.at(index).key();
    let algorithm = match group.algorithm() {
        GroupAlgorithm::Random => None,
        GroupAlgorithm::Advanced { priority, weights } => {
            let weights = weights.iter().map(|(index, weight)| (key(*index), *weight));
            Some((priority.iter().map(|index| key(*index)).collect(), weights.collect()))
        }
    };
    (group.id().as_str(), group.members().iter().map(|index| key(*index)).collect(), algorithm)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn campaign(id: u32, key: &str) -> Value {
        json!({"id": id, "key": key, "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
            "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
            "variations": [{"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Green", "weight": 50}]})
    }

    fn settings(campaigns: Value, more: Value) -> Settings {
        let mut file = json!({"accountId": 1, "sdkKey": "k", "version": 1, "campaigns": campaigns});
        file.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Settings::parse(&file.to_string()).expect("settings")
    }

    fn different(changes: &[CampaignChange]) -> Vec<String> {
        let text = |one: &CampaignChange| match &one.change {
            Change::New => format!("+{}", one.campaign),
            Change::Gone => format!("-{}", one.campaign),
            Change::Different(fields) => format!("{}: {}", one.campaign, fields.join(" ")),
        };
        changes.iter().map(text).collect()
    }

    #[test]
    fn each_field_that_is_different_is_named() {
        let before = settings(json!([campaign(1, "a"), campaign(2, "b"), campaign(3, "gone")]), json!({}));
        let mut a = campaign(1, "a");
        a["status"] = "PAUSED".into();
        a["variations"][1]["weight"] = 49.into();
        a["segments"] = json!({"or": [{"user": "Ashley"}]});
        a["isMAB"] = true.into();
        a.as_object_mut().expect("an object").remove("goals");
        let after = settings(json!([campaign(4, "new"), campaign(2, "b"), a]), json!({}));
        assert_eq!(
            different(&after.changes_since(&before)),
            ["+new", "a: goals isMAB segments status variations", "-gone"]
        );
        assert!(before.changes_since(&before).is_empty());
        assert_eq!(different(&before.changes_since(&after)).len(), 3);
    }

    #[test]
    fn the_order_of_fields_is_no_difference_and_that_of_a_segment_is() {
        let text = |campaign: &str| format!(r#"{{"accountId":1,"version":1,"campaigns":[{campaign}]}}"#);
        let one = r#"{"id":1,"key":"a","type":"VISUAL_AB","status":"RUNNING","percentTraffic":1,"segments":{"or":[],"not":{}},"goals":[],"variations":[]}"#;
        let same = r#"{"variations":[],"key":"a","id":7,"id":1,"type":"VISUAL_AB","status":"RUNNING","percentTraffic":1,"segments":{"or":[],"not":{}},"goals":[]}"#;
        let other = one.replace(r#"{"or":[],"not":{}}"#, r#"{"not":{},"or":[]}"#);
        let [one, same, other] = [one, same, &other].map(|one| Settings::parse(&text(one)).expect("settings"));
        assert!(same.changes_since(&one).is_empty());
        assert_eq!(different(&other.changes_since(&one)), ["a: segments"]);
    }

    #[test]
    fn what_moves_users_of_all_campaigns_is_told_of_each() {
        let before = settings(json!([campaign(1, "a"), campaign(2, "b")]), json!({"isNB": false}));
        let after = settings(json!([campaign(1, "a"), campaign(2, "b")]), json!({"isNB": true, "sdkKey": "other"}));
        assert_eq!(different(&after.changes_since(&before)), ["a: isNB", "b: isNB"]);
        assert_eq!(after.fields_changed_since(&before), ["isNB", "sdkKey"]);
        assert!(before.fields_changed_since(&before).is_empty());
    }

    #[test]
    fn a_group_is_a_part_of_its_campaigns() {
        let grouped = |members: Value, more: Value| {
            let mut group = json!({"name": "g", "campaigns": members});
            group.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            json!({"groups": {"3": group}, "campaignGroups": {"1": 3, "2": 3}})
        };
        let campaigns = json!([campaign(1, "a"), campaign(2, "b"), campaign(5, "c")]);
        let without = settings(campaigns.clone(), json!({}));
        let with = settings(campaigns.clone(), grouped(json!([1, 2]), json!({})));
        assert_eq!(different(&with.changes_since(&without)), ["a: group", "b: group"]);
        // In another order of the campaigns it is the same group.
        let reordered = json!([campaign(5, "c"), campaign(2, "b"), campaign(1, "a")]);
        let same = settings(reordered, grouped(json!([1, 2]), json!({})));
        assert!(same.changes_since(&with).is_empty());
        let weighted = settings(campaigns, grouped(json!([1, 2]), json!({"et": 2, "p": [1], "wt": {"2": 10}})));
        assert_eq!(different(&weighted.changes_since(&with)), ["a: group", "b: group"]);
    }
}
