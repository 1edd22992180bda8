//! From the file as served to the model: every check there is, once.
//!
//! Order: the root; campaigns one by one; then groups, which name campaigns. A campaign with an error becomes a
//! [broken](super::Campaign::broken) one: it keeps its place and its key, so that a call on it can say what is wrong,
//! and takes part in nothing (spec Q-66). What only looks odd is a warning.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::changes::Fields;
use super::error::{SettingsError, SettingsErrorKind};
use super::groups;
use super::model::{Campaign, CampaignIndex, CampaignKind, Goal, GoalKind, Id, Settings, Variation};
use super::problem::Problems;
use super::read::{Read, id, is_one_of, number_text};
use super::variable::{JsonVariables, Variable};
use super::wire::Json;
use crate::bucket::{Bucketer, Generation, HashInput, VisitorNamespace, allocate};
use crate::segment::{Segment, SegmentNumbers};

/// More campaigns, or variations in one, than this are refused.
const MOST: usize = u32::MAX as usize;

/// The readings of a settings file that one may choose.
#[derive(Debug, Clone, Copy, Default)]
pub struct CompileOptions {
    /// How user ids become bytes.
    pub hash_input: HashInput,
    /// How segments compare what looks like a number.
    pub segment_numbers: SegmentNumbers,
    /// What a variable of type `json` may be.
    pub json_variables: JsonVariables,
}

impl Settings {
    /// Compiles the JSON text of a settings file, as the reference reads it.
    ///
    /// # Errors
    /// When the file as a whole cannot be used: it is not JSON, not an object, or names no account. Whatever is wrong
    /// with single campaigns and groups is found in [`problems`](Settings::problems).
    pub fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::compile(text, CompileOptions::default())
    }

    /// Compiles the JSON text of a settings file with other readings than the reference's.
    ///
    /// # Errors
    /// As [`parse`](Settings::parse).
    pub fn compile(text: &str, options: CompileOptions) -> Result<Settings, SettingsError> {
        // Some editors put a byte order mark before the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file = Json::parse(text).map_err(|error| SettingsError::not_json(&error))?;
        compile(&file, options)
    }
}

fn compile(file: &Json<'_>, options: CompileOptions) -> Result<Settings, SettingsError> {
    if !matches!(file, Json::Object(_)) {
        return Err(SettingsError::new(
            SettingsErrorKind::NotAnObject,
            format!("the settings file is {}, expected an object with `accountId` and `campaigns`", file.kind()),
        ));
    }
    let mut problems = Problems::default();
    let Some(account) = file.get("accountId").and_then(id) else {
        let found = file.get("accountId").map_or("missing", Json::kind);
        return Err(SettingsError::new(
            SettingsErrorKind::NoAccount,
            format!("$.accountId: is {found}, expected a number or a text that is not empty"),
        ));
    };
    if file.get("version").and_then(id).is_none() {
        problems.warn("has no `version`; the official SDK refuses such a file");
    }
    warn_of_unknown_keys(file, ROOT_KEYS, &mut problems);
    let generation = Generation {
        new_bucketing: file.get("isNB").is_some_and(Json::is_truthy),
        new_bucketing_v2: file.get("isNBv2").is_some_and(Json::is_truthy),
        ..Generation::default()
    };
    let event_architecture = file.flag("isEventArchEnabled", &mut problems);
    let sdk_key = file.text("sdkKey", &mut problems).map(Into::into);
    let prefix = file.text("collectionPrefix", &mut problems).filter(|prefix| !prefix.is_empty());

    let compiler = CampaignCompiler { account: account.text.clone(), generation, options };
    let items = file.items("campaigns", &mut problems);
    if file.get("campaigns").is_none() {
        problems.warn("has no `campaigns`: no call gets a variation");
    } else if items.is_empty() && problems.errors() == 0 {
        problems.at("campaigns", |problems| problems.warn("is empty: no call gets a variation"));
    }
    if items.len() > MOST {
        return Err(SettingsError::new(SettingsErrorKind::TooLarge, "$.campaigns: more than 2^32 campaigns".into()));
    }
    let mut campaigns = Vec::with_capacity(items.len());
    let mut by_key = HashMap::with_capacity_and_hasher(items.len(), rustc_hash::FxBuildHasher);
    problems.at("campaigns", |problems| {
        for (index, item) in (0_u32..).zip(items) {
            problems.at_index(index as usize, |problems| {
                let before = problems.errors();
                let mut campaign = compiler.campaign(item, problems);
                match by_key.entry(campaign.key.clone()) {
                    // What has no key has been reported, and no call can name it.
                    _ if campaign.key.is_empty() => {}
                    Entry::Vacant(entry) => {
                        entry.insert(CampaignIndex(index));
                    }
                    Entry::Occupied(first) => {
                        let CampaignIndex(first) = first.get();
                        let message = format!(
                            "`{}` is the key of $.campaigns[{first}] already, which is the one that calls reach",
                            campaign.key
                        );
                        problems.at("key", |problems| problems.error(message));
                    }
                }
                campaign.broken = problems.error_after(before).cloned().map(Box::new);
                campaigns.push(campaign);
            });
        }
    });
    let mut campaigns = campaigns.into_boxed_slice();
    let groups = groups::compile(file, &mut campaigns, options.hash_input, &mut problems);
    Ok(Settings {
        visitors: VisitorNamespace::of_account(&account.text),
        account,
        sdk_key,
        event_architecture,
        collection_prefix: prefix.map(Into::into),
        campaigns,
        by_key,
        groups,
        fields: Fields::of_file(file),
        problems: problems.into_found().into(),
    })
}

struct CampaignCompiler {
    account: Box<str>,
    generation: Generation,
    options: CompileOptions,
}

impl CampaignCompiler {
    fn campaign<'a>(&self, json: &'a Json<'a>, problems: &mut Problems<'a>) -> Campaign {
        if !matches!(json, Json::Object(_)) {
            problems.error(format!("is {}, expected an object", json.kind()));
        }
        warn_of_unknown_keys(json, CAMPAIGN_KEYS, problems);
        let key = json.required_text("key", problems).unwrap_or_default();
        let campaign_id = json.required_id("id", problems);
        let kind = campaign_kind(json.required_text("type", problems).unwrap_or_default(), problems);
        let status = json.required_text("status", problems).unwrap_or_default();
        let percent_traffic = json.percent_traffic(problems);
        let forced_variation_enabled = json.flag("isForcedVariationEnabled", problems);
        let generation = Generation {
            old_campaign: json.get("isOB").is_some_and(Json::is_truthy),
            old_campaign_v2: json.get("isOBv2").is_some_and(Json::is_truthy),
            seeded: json.flag("isBucketingSeedEnabled", problems),
            ..self.generation
        };
        let audience = problems
            .at("segments", |problems| Segment::compile(json.get("segments"), self.options.segment_numbers, problems));
        let variations = self.variations(json, problems);
        let ranges = allocate(variations.iter().map(|variation| variation.weight)).collect();
        let whitelisting = forced_variation_enabled && variations.iter().any(|one| one.whitelist.is_some());
        let goals = goals(json, problems);
        let variables = variables(json, self.options.json_variables, problems).unwrap_or_default();
        let bucketer =
            Bucketer::new(generation, percent_traffic, &campaign_id.text, &self.account, self.options.hash_input);
        let hashed_user_lists = json.flag("isUserListEnabled", problems);
        let bandit = json.flag("isMAB", problems);
        let name = json.text("name", problems).map(Into::into);
        Campaign {
            id: campaign_id,
            key: key.into(),
            name,
            kind,
            running: status == "RUNNING",
            status: status.into(),
            whitelisting,
            forced_variation_enabled,
            hashed_user_lists,
            bandit,
            audience,
            bucketer,
            ranges,
            variations,
            goals,
            variables,
            group: None,
            broken: None,
            fields: Fields::of(json),
        }
    }

    fn variations<'a>(&self, campaign: &'a Json<'a>, problems: &mut Problems<'a>) -> Box<[Variation]> {
        if campaign.get("variations").is_none() {
            problems.error("has no `variations`, expected a list");
        }
        let items = campaign.items("variations", problems);
        problems.at("variations", |problems| {
            let variations: Box<[Variation]> = items
                .iter()
                .enumerate()
                .map(|(index, item)| problems.at_index(index, |problems| self.variation(item, problems)))
                .collect();
            let total: f64 = variations.iter().map(|variation| variation.weight).sum();
            if variations.is_empty() {
                problems.warn("is empty: nobody gets a variation");
            } else if (total - 100.0).abs() > 0.05 {
                problems.warn(format!(
                    "the weights sum to {}, not to 100: {}",
                    number_text((total * 10_000.0).round() / 10_000.0),
                    if total < 100.0 {
                        "the users beyond the last range get no variation"
                    } else {
                        "the last ranges cannot be reached"
                    }
                ));
            }
            let mut names = HashSet::with_capacity(variations.len());
            for (index, variation) in variations.iter().enumerate() {
                if !names.insert(&*variation.name) {
                    problems.at_index(index, |problems| {
                        problems.warn(format!(
                            "`{}` is the name of an earlier variation too: users stored with it count to that one",
                            variation.name
                        ));
                    });
                }
            }
            drop(names);
            variations
        })
    }

    fn variation<'a>(&self, json: &'a Json<'a>, problems: &mut Problems<'a>) -> Variation {
        if !matches!(json, Json::Object(_)) {
            problems.error(format!("is {}, expected an object", json.kind()));
        }
        let whitelist = match json.get("segments") {
            // `{}` targets nobody here, unlike in pre-segmentation (spec SEG-2).
            Some(dsl @ Json::Object(entries)) if !entries.is_empty() => Some(
                problems.at("segments", |problems| Segment::compile(Some(dsl), self.options.segment_numbers, problems)),
            ),
            _ => None,
        };
        Variation {
            id: json.required_id("id", problems),
            name: json.required_text("name", problems).unwrap_or_default().into(),
            weight: json.weight(problems),
            whitelist,
            feature_enabled: json.flag("isFeatureEnabled", problems),
            variables: variables(json, self.options.json_variables, problems),
        }
    }
}

fn campaign_kind<'a>(name: &str, problems: &mut Problems<'a>) -> CampaignKind {
    match name {
        "VISUAL_AB" => CampaignKind::Ab,
        "FEATURE_TEST" => CampaignKind::FeatureTest,
        "FEATURE_ROLLOUT" => CampaignKind::FeatureRollout,
        other => {
            if !other.is_empty() {
                problems.at("type", |problems| {
                    problems.warn(format!(
                        "`{other}` is not a known type, expected `VISUAL_AB`, `FEATURE_TEST` or `FEATURE_ROLLOUT`: calls that are \
                         made for one of these are refused"
                    ));
                });
            }
            CampaignKind::Other(other.into())
        }
    }
}

fn goals<'a>(campaign: &'a Json<'a>, problems: &mut Problems<'a>) -> Box<[Goal]> {
    let items = campaign.items("goals", problems);
    problems.at("goals", |problems| {
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| problems.at_index(index, |problems| goal(item, problems)))
            .collect()
    })
}

/// A goal; `None`, with a warning, for one that no call could name.
fn goal<'a>(json: &'a Json<'a>, problems: &mut Problems<'a>) -> Option<Goal> {
    let Some(identifier) = json.get("identifier").and_then(Json::as_text).filter(|text| !text.is_empty()) else {
        problems.warn("has no `identifier`: no call can name this goal");
        return None;
    };
    if identifier.contains("_vwo_") {
        problems.at("identifier", |problems| {
            problems.warn(format!(
                "`{identifier}` holds `_vwo_`, which separates goals in stored records; other SDKs cannot read it back"
            ));
        });
    }
    let kind = match json.get("type").and_then(Json::as_text) {
        Some("CUSTOM_GOAL") => GoalKind::Custom,
        Some("REVENUE_TRACKING") => GoalKind::Revenue,
        _ => {
            problems.at("type", |problems| {
                problems.warn("is not a known type, expected `CUSTOM_GOAL` or `REVENUE_TRACKING`");
            });
            GoalKind::Other
        }
    };
    Some(Goal {
        id: json.get("id").and_then(id).unwrap_or_else(|| Id { text: "".into(), is_number: false }),
        identifier: identifier.into(),
        kind,
        revenue_property: json
            .get("revenueProp")
            .and_then(Json::as_text)
            .filter(|text| !text.is_empty())
            .map(Into::into),
        counts_every_time: is_one_of(json.get("mca"), -1.0, "-1"),
    })
}

/// The variables under `variables`; `None` when there is no such key.
fn variables<'a>(json: &'a Json<'a>, options: JsonVariables, problems: &mut Problems<'a>) -> Option<Box<[Variable]>> {
    json.get("variables")?;
    let items = json.items("variables", problems);
    Some(problems.at("variables", |problems| {
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                problems.at_index(index, |problems| {
                    let Some(key) = item.get("key").and_then(Json::as_text) else {
                        problems.warn("has no `key`: no call can name this variable");
                        return None;
                    };
                    let kind = item.get("type").and_then(Json::as_text).unwrap_or_default();
                    let variable = Variable::new(key, kind, item.get("value").unwrap_or(&Json::Null), options);
                    if variable.value().is_err() {
                        problems.at("value", |problems| {
                            problems.warn(format!("cannot be read as `{kind}`: calls get no value"));
                        });
                    }
                    Some(variable)
                })
            })
            .collect()
    }))
}

const ROOT_KEYS: &[&str] = &[
    "accountId",
    "sdkKey",
    "version",
    "campaigns",
    "groups",
    "campaignGroups",
    "isEventArchEnabled",
    "isNB",
    "isNBv2",
    "collectionPrefix",
    "proxyUrl",
];

const CAMPAIGN_KEYS: &[&str] = &[
    "id",
    "key",
    "name",
    "type",
    "status",
    "percentTraffic",
    "segments",
    "isForcedVariationEnabled",
    "isUserListEnabled",
    "isBucketingSeedEnabled",
    "isOB",
    "isOBv2",
    "isMAB",
    "variations",
    "goals",
    "variables",
];

fn warn_of_unknown_keys<'a>(json: &'a Json<'a>, known: &[&str], problems: &mut Problems<'a>) {
    let Json::Object(entries) = json else { return };
    for (key, _) in entries {
        if !known.contains(&key.as_ref()) {
            problems.at(key, |problems| problems.warn("is not a key that is known here: it has no effect"));
        }
    }
}
