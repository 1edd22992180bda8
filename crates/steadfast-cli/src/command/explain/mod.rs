//! `steadfast explain`: one decision, stage by stage, for people and for programs.
//!
//! The decision is made as always, only traced. [`outcome`] puts it into one sentence; [`stage`] says of each stage
//! what came of it and shows its numbers, [`group`] those of the longest one; [`next`] lists what would be sent and
//! stored; [`report`] is all of it as a text, [`json`] all of it as an object.

mod group;
mod json;
mod next;
mod outcome;
mod report;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use steadfast::blocking::Client;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::settings::{Campaign, Goal};
use steadfast::engine::{CallError, Options, Policy, Record, Revenue, Settings, TrackTarget, Verb};
use steadfast::storage::MemoryStorage;

use self::outcome::Outcome;
use crate::command::input::{self, ActivationArgument};
use crate::failure::Failure;
use crate::terminal::{self, text};

/// Tell why a user gets what they get
///
/// Decides for one user and shows every stage in its order: what was looked at, what came of it, the numbers behind,
/// and what would be stored and sent. Nothing is really stored or sent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast explain --settings settings.json --campaign checkout-button --user Ashley
  steadfast explain --settings settings.json --campaign checkout-button --user Ashley \\
      --variables '{\"plan\":\"gold\"}' \\
      --stored '{\"campaignKey\":\"checkout-button\",\"userId\":\"Ashley\",\"variationName\":\"Green\"}'")]
pub(crate) struct Arguments {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// The key of the campaign
    #[arg(long, value_name = "KEY")]
    campaign: String,
    /// The id of the user
    #[arg(long, value_name = "ID")]
    user: String,
    /// The call to explain; without it the one that makes users part of this type of campaign
    #[arg(long, value_enum)]
    verb: Option<VerbArgument>,
    /// The goal, for `track`; not needed where the campaign has just one
    #[arg(long, value_name = "IDENTIFIER")]
    goal: Option<String>,
    /// What is known about the user, for the audience: `customVariables` as JSON
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// What is known about the user, for whitelisting: `variationTargetingVariables` as JSON
    #[arg(long, value_name = "JSON")]
    targeting: Option<String>,
    /// What the storage holds: a record in the form of `userStorageData`, or a list of them; without it, nothing
    #[arg(long, value_name = "JSON")]
    stored: Option<String>,
    /// Whether users must be activated before track, getVariationName and getFeatureVariableValue know them
    #[arg(long, value_enum, default_value_t = ActivationArgument::Optional)]
    activation: ActivationArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VerbArgument {
    /// Become part of an A/B test
    #[value(name = "activate")]
    Activate,
    /// Ask for the variation
    #[value(name = "getVariationName")]
    VariationName,
    /// Ask whether a feature is on, and become part
    #[value(name = "isFeatureEnabled")]
    FeatureEnabled,
    /// Ask for the variables of a feature
    #[value(name = "getFeatureVariableValue")]
    FeatureVariable,
    /// Reach a goal
    #[value(name = "track")]
    Track,
}

/// A decision with everything that is told about it.
struct Explained<'e> {
    outcome: Outcome<'e>,
    /// Whether the caller said anything about the user.
    knows_user: bool,
    /// What to look at besides what the decision warns of: the record, the settings of the campaign.
    remarks: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let settings = Arc::new(crate::command::settings(&arguments.settings)?);
    let campaign = input::campaign(&settings, &arguments.campaign, &arguments.settings)?;
    let verb = arguments.verb.map_or_else(|| Verb::of(campaign.kind()), Verb::from);
    let options = Options {
        custom_variables: input::attributes("--variables", arguments.variables.as_deref())?,
        variation_targeting_variables: input::attributes("--targeting", arguments.targeting.as_deref())?,
        // An amount decides nothing; without one a goal that counts revenue would be refused.
        revenue: Revenue::from_number(1.0),
        ..Options::default()
    };
    let records = records(arguments)?;
    let mut remarks = remarks_on_records(&records, &settings, &arguments.user);
    remarks.extend(remarks_on_settings(&settings, campaign));

    let activation = arguments.activation.into();
    let client = Client::builder(Arc::clone(&settings))
        .storage(MemoryStorage::new())
        .policy(Policy { activation, ..Policy::default() })
        .traced()
        .build();
    for record in records {
        client.put(record).map_err(|error| Failure::new(error.to_string()))?;
    }
    let knows_user = !options.custom_variables.is_empty();
    let outcome = decide(&client, verb, campaign, arguments, &options)?;
    let explained = Explained { outcome, knows_user, remarks };
    if arguments.json {
        terminal::print_json(&json::report(&explained))?;
    } else {
        terminal::print(&report::report(&explained))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn decide<'e>(
    client: &'e Client,
    verb: Verb,
    campaign: &'e Campaign,
    arguments: &'e Arguments,
    options: &'e Options,
) -> Result<Outcome<'e>, Failure> {
    let (key, user) = (campaign.key(), &*arguments.user);
    let decision = match verb {
        Verb::Activate => client.activate(key, user, options),
        Verb::VariationName => client.variation_name(key, user, options),
        Verb::FeatureEnabled => client.feature_enabled(key, user, options),
        Verb::FeatureVariable => client.feature_variable(key, user, options),
        Verb::Track => {
            let goal = goal(campaign, arguments.goal.as_deref())?;
            let tracking = client.track(TrackTarget::One(key), user, goal.identifier(), options).map_err(refused)?;
            return Outcome::of_tracking(tracking).map_err(refused);
        }
    };
    decision.map(Outcome::Decided).map_err(refused)
}

/// The goal that `track` is about.
fn goal<'c>(campaign: &'c Campaign, wanted: Option<&str>) -> Result<&'c Goal, Failure> {
    let key = campaign.key();
    let goals: Vec<String> =
        campaign.goals().iter().map(|goal| format!("`{}`", text::shown(goal.identifier()))).collect();
    match (wanted, campaign.goals()) {
        (_, []) => Err(Failure::new(format!("campaign `{key}` has no goal to track"))),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::new(format!("name a goal with --goal: {}", text::listed(&goals, "or")))),
        (Some(wanted), _) => campaign.goal(wanted).ok_or_else(|| {
            let wanted = text::shown(wanted);
            Failure::new(format!("campaign `{key}` has no goal `{wanted}`: it has {}", text::listed(&goals, "and")))
        }),
    }
}

fn refused(error: CallError) -> Failure {
    let hint = match &error {
        CallError::EmptyUserId => ": give one with --user",
        CallError::WrongKind { .. } => ": leave out --verb, and the call that fits is explained",
        _ => "",
    };
    Failure::new(format!("{error}{hint}"))
}

/// The records of `--stored`. One that names no user is taken to be of the user.
fn records(arguments: &Arguments) -> Result<Vec<Record>, Failure> {
    let Some(argument) = &arguments.stored else { return Ok(Vec::new()) };
    let json = input::json("--stored", argument)?;
    let items = match &json {
        Json::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let record = |item: &Json<'_>| {
        let mut record = Record::from_json(item).map_err(|error| {
            Failure::new(format!(
                "`--stored` {error}: give a record such as '{{\"userId\":\"Ashley\",\"campaignKey\":\"checkout-button\",\
                 \"variationName\":\"Green\"}}'"
            ))
        })?;
        if record.user_id.is_empty() {
            record.user_id.clone_from(&arguments.user);
        }
        Ok(record)
    };
    items.iter().map(record).collect()
}

fn remarks_on_records(records: &[Record], settings: &Settings, user: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    for record in records {
        if record.user_id != user {
            remarks.push(format!("a stored record is of `{}`: it plays no part here", text::shown(&record.user_id)));
        } else if settings.campaign(&record.campaign_key).is_none() {
            let campaign = text::shown(&record.campaign_key);
            remarks.push(format!("a stored record is of campaign `{campaign}`, which the settings do not have"));
        }
    }
    remarks
}

/// What `validate` would say about the campaign.
fn remarks_on_settings(settings: &Settings, campaign: &Campaign) -> Vec<String> {
    let place = settings.campaigns().iter().position(|one| std::ptr::eq(one, campaign));
    let Some(path) = place.map(|place| format!("$.campaigns[{place}]")) else { return Vec::new() };
    let problems = settings.problems().iter().filter(|problem| problem.path.starts_with(&path));
    problems.map(|problem| format!("settings: {} {}", problem.path, problem.message)).collect()
}

impl From<VerbArgument> for Verb {
    fn from(argument: VerbArgument) -> Verb {
        match argument {
            VerbArgument::Activate => Verb::Activate,
            VerbArgument::VariationName => Verb::VariationName,
            VerbArgument::FeatureEnabled => Verb::FeatureEnabled,
            VerbArgument::FeatureVariable => Verb::FeatureVariable,
            VerbArgument::Track => Verb::Track,
        }
    }
}
