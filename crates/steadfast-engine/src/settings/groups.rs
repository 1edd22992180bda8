//! Groups: mutually exclusive campaigns. The file says it twice, a list of members in each group and the group of each
//! campaign; a decision reads both (spec GRP-10, SET-52).

use std::collections::{HashMap, HashSet};

use super::model::{Campaign, CampaignIndex, Group, GroupAlgorithm, GroupIndex, Id};
use super::problem::Problems;
use super::read::{self, Read, id, is_one_of};
use super::wire::Json;
use crate::bucket::{HashInput, Murmur3};
use crate::segment::number;

/// The group of each campaign, both by their ids.
type Membership<'a> = HashMap<&'a str, Id>;

/// The groups of a file, and into each campaign the group it belongs to.
pub(super) fn compile<'a>(
    file: &'a Json<'a>,
    campaigns: &mut [Campaign],
    input: HashInput,
    problems: &mut Problems<'a>,
) -> Box<[Group]> {
    let membership = membership(file, problems);
    let entries = file.entries("groups", problems);
    let by_number = campaigns_by_number(campaigns, !entries.is_empty());
    let groups: Box<[Group]> = problems.at("groups", |problems| {
        entries
            .iter()
            .map(|(key, json)| {
                problems.at(key, |problems| group(key, json, campaigns, &by_number, &membership, input, problems))
            })
            .collect()
    });
    join(campaigns, &groups, &membership, file, problems);
    groups
}

fn membership<'a>(file: &'a Json<'a>, problems: &mut Problems<'a>) -> Membership<'a> {
    let entries = file.entries("campaignGroups", problems);
    problems.at("campaignGroups", |problems| {
        let mut membership = HashMap::with_capacity(entries.len());
        for (campaign, group) in entries {
            match id(group) {
                Some(group) => {
                    membership.insert(campaign.as_ref(), group);
                }
                None => problems.at(campaign, |problems| {
                    problems.warn(format!("is {}, expected the id of a group", group.kind()));
                }),
            }
        }
        membership
    })
}

/// Writes into each campaign the group it belongs to.
fn join<'a>(
    campaigns: &mut [Campaign],
    groups: &[Group],
    membership: &Membership<'_>,
    file: &'a Json<'a>,
    problems: &mut Problems<'a>,
) {
    if membership.is_empty() {
        return;
    }
    let places: HashMap<&str, GroupIndex> =
        groups.iter().map(|group| group.id.as_str()).zip((0_u32..).map(GroupIndex)).collect();
    let mut known = HashSet::with_capacity(campaigns.len());
    for campaign in campaigns {
        campaign.group = membership.get(campaign.id.as_str()).and_then(|group| places.get(group.as_str()).copied());
        known.insert(&*campaign.id.text);
    }
    problems.at("campaignGroups", |problems| {
        for (campaign, _) in file.entries("campaignGroups", &mut Problems::default()) {
            let Some(group) = membership.get(campaign.as_ref()) else { continue };
            problems.at(campaign, |problems| {
                if !places.contains_key(group.as_str()) {
                    problems
                        .warn(format!("names the group `{}`, which is not there: it counts as ungrouped", group.text));
                } else if !known.contains(campaign.as_ref()) {
                    problems.warn(format!("no campaign has the id `{campaign}`"));
                }
            });
        }
    });
}

/// Campaigns by their id read as an integer (spec SET-51); the first one where several share it.
fn campaigns_by_number(campaigns: &[Campaign], wanted: bool) -> HashMap<i64, CampaignIndex> {
    let mut by_number = HashMap::new();
    if wanted {
        for (campaign, index) in campaigns.iter().zip(0_u32..) {
            if let Some(number) = integer(&campaign.id.text) {
                by_number.entry(number).or_insert(CampaignIndex(index));
            }
        }
    }
    by_number
}

fn group<'a>(
    key: &'a str,
    json: &'a Json<'a>,
    campaigns: &[Campaign],
    by_number: &HashMap<i64, CampaignIndex>,
    membership: &Membership<'_>,
    input: HashInput,
    problems: &mut Problems<'a>,
) -> Group {
    if !matches!(json, Json::Object(_)) {
        problems.warn(format!("is {}, expected an object", json.kind()));
    }
    let member = |reference: &Json<'_>| id(reference).and_then(|id| by_number.get(&integer(&id.text)?).copied());
    let takes_part = |index: &CampaignIndex| {
        let campaign = &campaigns[index.0 as usize];
        campaign.running && campaign.broken.is_none()
    };
    let mut members: Vec<CampaignIndex> = Vec::new();
    let mut listed = HashSet::new();
    let items = json.items("campaigns", problems);
    problems.at("campaigns", |problems| {
        for (index, item) in items.iter().enumerate() {
            match member(item) {
                None => problems.at_index(index, |problems| {
                    let named =
                        id(item).map_or_else(|| item.kind().to_owned(), |id| format!("the campaign `{}`", id.text));
                    problems.warn(format!("names {named}, which is not there: it is left out"));
                }),
                Some(known) if !listed.insert(known) => {
                    problems.at_index(index, |problems| problems.warn("is in the list twice: it counts once"));
                }
                Some(known) => {
                    let campaign = &campaigns[known.0 as usize].id;
                    if membership.get(campaign.as_str()).is_none_or(|group| group.as_str() != key) {
                        problems.at_index(index, |problems| {
                            problems.warn(format!(
                                "names the campaign `{}`, which `campaignGroups` does not put into this group: it \
                                 wins users from the others, and is not held to the group itself",
                                campaign.text
                            ));
                        });
                    }
                    if takes_part(&known) {
                        members.push(known);
                    }
                }
            }
        }
    });
    let random = match json.get("et") {
        None | Some(Json::Null) => true,
        et => is_one_of(et, 1.0, "1"),
    };
    let algorithm = if random {
        GroupAlgorithm::Random
    } else {
        if !is_one_of(json.get("et"), 2.0, "2") {
            problems.at("et", |problems| {
                problems.warn("is not a known algorithm, expected 1 (random) or 2 (priority and weight): read as 2");
            });
        }
        let priority = json.items("p", problems).iter().filter_map(member).filter(takes_part).collect();
        // Of two entries with one key the later counts.
        let weights: HashMap<&str, &Json<'_>> =
            json.entries("wt", problems).iter().map(|(key, weight)| (key.as_ref(), weight)).collect();
        let weight_of = |index: &CampaignIndex| {
            let weight = weights.get(campaigns[index.0 as usize].id.as_str())?;
            Some((*index, read::number(weight)?))
        };
        GroupAlgorithm::Advanced { priority, weights: members.iter().filter_map(weight_of).collect() }
    };
    Group {
        id: Id { text: key.into(), is_number: false },
        name: json.get("name").or_else(|| json.get("groupName")).and_then(Json::as_text).map(Into::into),
        members: members.into(),
        algorithm,
        seed: Murmur3::new().with_text(key, input).with_text("_", input),
        input,
    }
}

/// The leading integer of an id's text, as ids are compared in groups (spec SET-51).
fn integer(text: &str) -> Option<i64> {
    let number = number::parse_int_prefix(text)?;
    #[expect(clippy::cast_possible_truncation, reason = "ids beyond 2^53 are not told apart by the reference either")]
    let number = number as i64;
    Some(number)
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn check(groups: &str, membership: &str, expected: &[&str]) {
        let campaign = |id: u32| {
            format!(
                r#"{{"id":{id},"key":"c{id}","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"segments":{{}},
                "goals":[],"variations":[{{"id":1,"name":"Control","weight":100}}]}}"#
            )
        };
        let text = format!(
            r#"{{"accountId":1,"version":1,"campaigns":[{},{}],"groups":{groups},"campaignGroups":{membership}}}"#,
            campaign(1),
            campaign(2)
        );
        let problems: Vec<String> = Settings::parse(&text)
            .map(|settings| settings.problems().iter().map(|problem| problem.path.clone()).collect())
            .unwrap_or_else(|error| vec![error.to_string()]);
        assert_eq!(problems, expected, "{groups} {membership}");
    }

    #[test]
    fn the_two_places_that_name_members_are_held_against_each_other() {
        check(r#"{"3":{"campaigns":[1,2]}}"#, r#"{"1":3,"2":3}"#, &[]);
        check(r#"{"3":{"campaigns":[1,"2"]}}"#, r#"{"1":"3","2":3}"#, &[]);
        check(r#"{"3":{"campaigns":[1,2]}}"#, r#"{"1":3}"#, &["$.groups.3.campaigns[1]"]);
        check(r#"{"3":{"campaigns":[1,2,9]}}"#, r#"{"1":3,"2":3}"#, &["$.groups.3.campaigns[2]"]);
        check(r#"{"3":{"campaigns":[1,1]}}"#, r#"{"1":3}"#, &["$.groups.3.campaigns[1]"]);
        check("{}", r#"{"1":3}"#, &["$.campaignGroups.1"]);
        check(r#"{"3":{"campaigns":[]}}"#, r#"{"9":3,"1":null}"#, &["$.campaignGroups.1", "$.campaignGroups.9"]);
    }
}
