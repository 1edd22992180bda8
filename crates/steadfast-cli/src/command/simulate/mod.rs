//! `steadfast simulate`: a crowd of new users, and whether they end up where the weights say.
//!
//! [`users`] makes them, [`tally`] decides and counts, [`split`](super::split) compares the counts with what the settings
//! promise; [`report`] tells it, [`picture`] draws it.

mod picture;
mod report;
mod tally;
mod users;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, value_parser};
use serde_json::{Value, json};
use steadfast::engine::settings::Campaign;
use steadfast::engine::{Options, Reason};

use self::tally::Tally;
use crate::command::input;
use crate::command::split::{self, ChiSquare, Part};
use crate::failure::Failure;
use crate::terminal;
use crate::terminal::text::share;

/// Try a campaign on a crowd of new users
///
/// Decides for that many made-up users, for each as if they came for the first time, and compares how they are split
/// with what the weights promise: a chi-square test tells whether the difference is more than chance (a sample ratio
/// mismatch, at p < 0.001). The same seed gives the same users on every machine.
///
/// Exit status: 0 also where the split does not match, unless --fail-on-mismatch is given (then 1); 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast simulate --settings settings.json --campaign checkout-button
  steadfast simulate --settings settings.json --campaign checkout-button --users 1000000 \\
      --variables '{\"plan\":\"gold\"}' --svg split.svg")]
pub(crate) struct Arguments {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// The key of the campaign
    #[arg(long, value_name = "KEY")]
    campaign: String,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u64).range(1..=10_000_000_000))]
    users: u64,
    /// Which users: another seed makes others
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// What is known about every user, for the audience: `customVariables` as JSON
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// Also draw the split into this file, as an SVG picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Exit with 1 where the split does not match the weights
    #[arg(long)]
    fail_on_mismatch: bool,
}

/// What a simulation found.
struct Simulation<'s> {
    campaign: &'s Campaign,
    users: u64,
    seed: u64,
    /// Whether users have variables.
    variables: Option<&'s str>,
    /// The share of all users that the traffic setting lets in.
    admitted: f64,
    /// Users who were let in and bucketed, by variation.
    variations: Vec<Arm<'s>>,
    /// Users who were let in and fell into no range.
    without_variation: Part,
    /// Users who were let in.
    let_in: u64,
    /// Users who were not, by reason, the most frequent first.
    left_out: Vec<(Reason, u64)>,
    /// Users who were whitelisted, and so not bucketed.
    whitelisted: u64,
    test: Option<ChiSquare>,
}

/// A variation and its part.
struct Arm<'s> {
    name: &'s str,
    weight: f64,
    part: Part,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(picture) = &arguments.svg {
        crate::command::refuse_to_overwrite(picture, &[&arguments.settings])?;
    }
    let settings = crate::command::settings(&arguments.settings)?;
    let campaign = input::campaign(&settings, &arguments.campaign, &arguments.settings)?;
    let options = Options {
        custom_variables: input::attributes("--variables", arguments.variables.as_deref())?,
        ..Options::default()
    };
    let crowd = tally::Crowd { settings: &settings, campaign, options: &options, seed: arguments.seed };
    let tally = tally::decide(&crowd, arguments.users)?;
    let simulation = Simulation::new(arguments, campaign, &tally);
    if let Some(path) = &arguments.svg {
        fs::write(path, picture::draw(&simulation)).map_err(|error| Failure::cannot_write(path, &error))?;
    }
    if arguments.json {
        terminal::print_json(&simulation.to_json())?;
    } else {
        terminal::print(&report::report(&simulation, arguments.svg.as_deref()))?;
    }
    let mismatch = simulation.test.is_some_and(ChiSquare::is_mismatch);
    Ok(if mismatch && arguments.fail_on_mismatch { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

impl<'s> Simulation<'s> {
    fn new(arguments: &'s Arguments, campaign: &'s Campaign, tally: &Tally) -> Self {
        let expected = split::expected::shares(campaign);
        let without_variation = tally.of_reason(Reason::NoRange);
        let let_in = tally.variations.iter().sum::<u64>() + without_variation;
        let part = |users, expected| Part { users, share: share(users, let_in), expected };
        let variations: Vec<Arm<'_>> = campaign
            .variations()
            .iter()
            .zip(tally.variations.iter().zip(&expected.variations))
            .map(|(variation, (users, expected))| Arm {
                name: variation.name(),
                weight: variation.weight(),
                part: part(*users, *expected),
            })
            .collect();
        let without_variation = part(without_variation, expected.without_variation);
        let mut categories: Vec<(u64, f64)> =
            variations.iter().map(|arm| (arm.part.users, arm.part.expected)).collect();
        categories.push((without_variation.users, without_variation.expected));
        Simulation {
            campaign,
            users: arguments.users,
            seed: arguments.seed,
            variables: arguments.variables.as_deref(),
            admitted: expected.admitted,
            variations,
            without_variation,
            let_in,
            left_out: tally.left_out(),
            whitelisted: tally.of_reason(Reason::Whitelisted),
            test: split::statistics::chi_square(&categories),
        }
    }

    /// Whether "no variation" belongs into the comparison.
    fn has_gap(&self) -> bool {
        self.without_variation.users > 0 || self.without_variation.expected > 0.0
    }

    fn to_json(&self) -> Value {
        let part = |part: &Part| {
            json!({
                "users": part.users,
                "share": part.share,
                "expectedShare": part.expected,
                "difference": part.share - part.expected,
            })
        };
        let variations: Vec<Value> = self
            .variations
            .iter()
            .map(|arm| {
                let mut object = part(&arm.part);
                object["name"] = arm.name.into();
                object["weight"] = arm.weight.into();
                object
            })
            .collect();
        let left_out: serde_json::Map<String, Value> =
            self.left_out.iter().map(|(reason, users)| (reason.as_str().to_owned(), (*users).into())).collect();
        json!({
            "campaign": self.campaign.key(),
            "users": self.users,
            "seed": self.seed,
            "letIn": self.let_in,
            "leftOut": left_out,
            "whitelisted": self.whitelisted,
            "traffic": self.admitted,
            "variations": variations,
            "noVariation": part(&self.without_variation),
            "chiSquare": self.test.map(|test| test.statistic),
            "degreesOfFreedom": self.test.map(|test| test.degrees_of_freedom),
            "pValue": self.test.map(|test| test.p_value),
            "mismatch": self.test.is_some_and(ChiSquare::is_mismatch),
        })
    }
}

/// Why a user was not let in, in a few words.
fn in_short(reason: Reason) -> String {
    match reason {
        Reason::NotRunning => "the campaign is not running".to_owned(),
        Reason::NotInAudience => "outside the audience".to_owned(),
        Reason::NotInTraffic => "outside the traffic".to_owned(),
        Reason::LostGroup => "in another campaign of the group".to_owned(),
        Reason::WhitelistedElsewhere => "whitelisted in another campaign of the group".to_owned(),
        Reason::NoGroupWinner => "in no campaign of the group".to_owned(),
        other => other.to_string(),
    }
}
