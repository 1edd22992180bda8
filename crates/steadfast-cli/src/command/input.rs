//! What commands are given: a campaign by its key, JSON as an argument.

use std::cmp::Ordering;
use std::path::Path;

use clap::ValueEnum;
use steadfast::engine::policy::Activation;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::settings::{Campaign, CampaignKind};
use steadfast::engine::{Attributes, Settings};

use crate::failure::Failure;
use crate::terminal::text;

/// How alike (from 0 to 1, by Jaro and Winkler) a key must be to be offered in place of another.
const ALIKE: f64 = 0.75;

/// How many keys are offered.
const OFFERED: usize = 3;

/// How many keys are named where none is alike.
const NAMED: usize = 8;

/// Whether users must be activated first, as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ActivationArgument {
    /// Evaluation goes on when nothing is stored, and the decision is kept
    Optional,
    /// Nothing stored, no variation: the official SDK's rule
    Required,
}

impl From<ActivationArgument> for Activation {
    fn from(argument: ActivationArgument) -> Self {
        match argument {
            ActivationArgument::Optional => Activation::Optional,
            ActivationArgument::Required => Activation::Required,
        }
    }
}

/// The campaign with this key, which can be used.
pub(crate) fn campaign<'s>(settings: &'s Settings, key: &str, file: &Path) -> Result<&'s Campaign, Failure> {
    let campaign = settings.campaign(key).ok_or_else(|| unknown_campaign(settings, key, file))?;
    match campaign.broken() {
        None => Ok(campaign),
        Some(problem) => Err(Failure::new(format!(
            "campaign `{key}` cannot be used: {} {}\n       `steadfast validate {}` lists everything that is wrong",
            problem.path,
            problem.message,
            file.display()
        ))),
    }
}

fn unknown_campaign(settings: &Settings, key: &str, file: &Path) -> Failure {
    let keys: Vec<&str> = settings.campaigns().iter().map(Campaign::key).filter(|key| !key.is_empty()).collect();
    let missing = format!("no campaign has the key `{}` in `{}`", text::shown(key), file.display());
    Failure::new(match nearest(key, &keys).as_slice() {
        [] if keys.is_empty() => format!("{missing}: the file holds no campaigns"),
        [] => format!("{missing}: it has {}", some_of(&keys)),
        alike => format!("{missing}: did you mean {}?", text::listed(alike, "or")),
    })
}

fn nearest(key: &str, keys: &[&str]) -> Vec<String> {
    let wanted = key.to_lowercase();
    let mut alike: Vec<(f64, &str)> = keys
        .iter()
        .map(|key| (strsim::jaro_winkler(&wanted, &key.to_lowercase()), *key))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal));
    alike.dedup_by_key(|(_, key)| *key);
    alike.iter().take(OFFERED).map(|(_, key)| format!("`{key}`")).collect()
}

fn some_of(keys: &[&str]) -> String {
    let mut named: Vec<String> = keys.iter().take(NAMED).map(|key| format!("`{key}`")).collect();
    if keys.len() > NAMED {
        named.push(format!("{} more", keys.len() - NAMED));
    }
    text::listed(&named, "and")
}

/// The variables of a JSON argument; none where it was not given.
pub(crate) fn attributes(name: &str, argument: Option<&str>) -> Result<Attributes, Failure> {
    let Some(argument) = argument else { return Ok(Attributes::new()) };
    let json = json(name, argument)?;
    Attributes::from_json(&json).ok_or_else(|| {
        Failure::new(format!("`{name}` is {}: give an object, such as '{{\"plan\":\"gold\",\"age\":42}}'", json.kind()))
    })
}

/// A JSON argument.
pub(crate) fn json<'a>(name: &str, argument: &'a str) -> Result<Json<'a>, Failure> {
    Json::parse(argument).map_err(|error| {
        Failure::new(format!("`{name}` is not JSON: {error}: put it in single quotes, with its texts in double quotes"))
    })
}

/// The type of a campaign in words.
pub(crate) fn kind_in_words(kind: &CampaignKind) -> String {
    match kind {
        CampaignKind::Ab => "A/B test".to_owned(),
        CampaignKind::FeatureTest => "feature test".to_owned(),
        CampaignKind::FeatureRollout => "feature rollout".to_owned(),
        CampaignKind::Other(name) if name.trim().is_empty() => "no type".to_owned(),
        CampaignKind::Other(name) => format!("type {}", text::shown(name)),
    }
}
