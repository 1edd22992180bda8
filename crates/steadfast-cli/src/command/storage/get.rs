//! `steadfast storage get`: what is stored for a user.

use std::process::ExitCode;

use clap::Args;

use super::StorageArgument;
use super::record::{GoalField, to_text};
use crate::failure::Failure;
use crate::storage::Use;
use crate::terminal::print;
use crate::terminal::text::shown;

/// Print what is stored for a user, one JSON object a line
///
/// Exit status: 0 there is something, 1 there is nothing, 2 could not start, 3 the storage cannot say.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage get Ashley --storage embedded:users.redb                     # in all campaigns
  steadfast storage get Ashley checkout-button --storage embedded:users.redb     # in this one")]
pub(super) struct Arguments {
    /// The user's id
    #[arg(value_name = "USER")]
    user: String,
    /// The key of a campaign; without it, all of them
    #[arg(value_name = "CAMPAIGN")]
    campaign: Option<String>,
    #[command(flatten)]
    storage: StorageArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let storage = arguments.storage.open(Use::ToRead)?;
    let found = match &arguments.campaign {
        Some(campaign) => storage.get(&arguments.user, campaign).map(|record| record.into_iter().collect()),
        None => storage.records_of(&arguments.user),
    };
    let found: Vec<_> = found.map_err(|error| Failure::stopped(&error))?;
    let lines: String = found.iter().map(|record| to_text(record, GoalField::Singular) + "\n").collect();
    print(&lines)?;
    if found.is_empty() {
        let place = arguments.campaign.as_ref().map_or_else(String::new, |key| format!(" in campaign {}", shown(key)));
        anstream::eprintln!("nothing is kept for {}{place}", shown(&arguments.user));
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}
