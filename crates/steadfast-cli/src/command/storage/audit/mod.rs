//! `steadfast storage audit`: what is stored, held against a settings file.
//!
//! [`tally`] counts the records, this compares the counts with the settings, [`report`] tells it.

mod report;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use steadfast::engine::Settings;
use steadfast::engine::settings::{Campaign, Problem};

use self::tally::Tally;
use super::StorageArgument;
use crate::command::split::{self, ChiSquare, Part};
use crate::command::{settings, stream};
use crate::failure::Failure;
use crate::storage::Use;
use crate::storage::records::Records;
use crate::terminal::text::share;
use crate::terminal::{is_person, print, print_json};

/// Hold what is stored against a settings file
///
/// Reads all records once, writes nothing, names no user. It says:
///   - which campaigns and variations have records and are gone from the settings. Users of a
///     variation that is gone are evaluated afresh when they come again; records of a campaign that
///     is gone are never looked at.
///   - how many records are not activated: their users were decided for, and are no visitors yet.
///   - for each running campaign, its users per variation beside the shares that its weights
///     promise. A chi-square test tells whether the difference is more than chance (a sample ratio
///     mismatch, at p < 0.001: one false alarm in a thousand campaigns that are sound).
///
/// Users keep their variation when weights are changed, as they should. So where a campaign has
/// users from earlier weights, or variations were added, a mismatch is legitimate and means nothing
/// but that. Campaigns whose weights move by themselves (`isMAB`) are shown and not tested.
///
/// Exit status: 0 nothing is wrong; 1 something stored is gone from the settings, or a split does
/// not match; 2 could not start; 3 stopped before the end; 4 some records cannot be read, and of
/// the others nothing is wrong.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  steadfast storage audit --storage embedded:users.redb --settings settings.json
  steadfast storage audit --storage redis://cache.example:6379 --settings settings.json --json |
      jq '.campaigns[] | select(.mismatch).campaign'")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// The settings file
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let settings = settings(&arguments.settings)?;
    let storage = arguments.storage.open(Use::ToRead)?;
    let progress = stream::progress_in_records(None, true);
    let mut tally = Tally::default();
    let mut records = Records::of(&*storage).map_err(|error| Failure::stopped(&error))?;
    for record in records.by_ref() {
        tally.count(&record.map_err(|error| Failure::stopped(&error))?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let audit = Audit { damaged: records.damaged().len(), ..Audit::new(&settings, &tally) };
    if arguments.json {
        print_json(&audit.to_json())?;
    } else {
        print(&audit.report(&arguments.storage.url.to_string(), is_person()))?;
    }
    let read = records.exit_code();
    Ok(if audit.is_clean() { read } else { ExitCode::from(1) })
}

/// What was found.
struct Audit<'a> {
    records: u64,
    /// Records beside these that cannot be read.
    damaged: usize,
    not_activated: u64,
    /// Campaigns that the settings do not have, and their records, the most first.
    gone_campaigns: Vec<(&'a str, u64)>,
    /// Variations that their campaign does not have, and their records, the most first.
    gone_variations: Vec<(&'a str, &'a str, u64)>,
    /// Campaigns that are running and have records, in the order of the settings.
    running: Vec<Running<'a>>,
    /// Campaigns that are not running, and their records.
    not_running: Vec<(&'a Campaign, u64)>,
    /// Campaigns that cannot be used, why not, and their records.
    broken: Vec<(&'a Campaign, &'a Problem, u64)>,
}

/// A running campaign and its users.
struct Running<'a> {
    campaign: &'a Campaign,
    /// Users of variations that it has.
    users: u64,
    /// Those of each variation, in the order of the settings.
    variations: Vec<(&'a str, Part)>,
    /// None where there is nothing to compare, or the weights move by themselves.
    test: Option<ChiSquare>,
}

impl<'a> Audit<'a> {
    fn new(settings: &'a Settings, tally: &'a Tally) -> Audit<'a> {
        let mut audit = Audit {
            records: tally.records,
            damaged: 0,
            not_activated: tally.not_activated,
            gone_campaigns: Vec::new(),
            gone_variations: Vec::new(),
            running: Vec::new(),
            not_running: Vec::new(),
            broken: Vec::new(),
        };
        for (key, variations) in &tally.campaigns {
            let Some(campaign) = settings.campaign(key) else {
                audit.gone_campaigns.push((key, variations.values().sum()));
                continue;
            };
            // What a broken campaign has cannot be said.
            if campaign.broken().is_none() {
                let gone = variations.iter().filter(|(name, _)| campaign.variation(name).is_none());
                audit.gone_variations.extend(gone.map(|(name, records)| (&**key, &**name, *records)));
            }
        }
        audit.gone_campaigns.sort_by_key(|(key, records)| (std::cmp::Reverse(*records), *key));
        audit.gone_variations.sort_by_key(|(key, name, records)| (std::cmp::Reverse(*records), *key, *name));
        for campaign in settings.campaigns() {
            // Of two with one key the first is the one that is used.
            let is_used = settings.campaign(campaign.key()).is_some_and(|used| std::ptr::eq(used, campaign));
            let Some(variations) = tally.campaigns.get(campaign.key()).filter(|_| is_used) else { continue };
            let records = variations.values().sum();
            match campaign.broken() {
                Some(problem) => audit.broken.push((campaign, problem, records)),
                None if campaign.is_running() => {
                    audit.running.push(Running::new(campaign, |name| variations.get(name).copied().unwrap_or(0)))
                }
                None => audit.not_running.push((campaign, records)),
            }
        }
        audit
    }

    /// Whether everything stored is in the settings, and every split is as the weights say.
    fn is_clean(&self) -> bool {
        self.gone_campaigns.is_empty()
            && self.gone_variations.is_empty()
            && !self.running.iter().any(Running::is_mismatch)
    }
}

impl<'a> Running<'a> {
    fn new(campaign: &'a Campaign, users_of: impl Fn(&str) -> u64) -> Running<'a> {
        let expected = split::expected::shares(campaign).variations;
        // Users whom no range has are not stored, so the others are the whole.
        let whole: f64 = expected.iter().sum();
        // A record names its variation: of several with one name it cannot be told which.
        let mut named: Vec<(&str, f64)> = Vec::new();
        for (variation, expected) in campaign.variations().iter().zip(&expected) {
            match named.iter_mut().find(|(name, _)| *name == variation.name()) {
                Some((_, share)) => *share += expected,
                None => named.push((variation.name(), *expected)),
            }
        }
        let users = named.iter().map(|(name, _)| users_of(name)).sum();
        let part = |(name, expected): (&'a str, f64)| {
            let count = users_of(name);
            let expected = if whole > 0.0 { expected / whole } else { 0.0 };
            (name, Part { users: count, share: share(count, users), expected })
        };
        let variations: Vec<(&str, Part)> = named.into_iter().map(part).collect();
        let categories: Vec<(u64, f64)> = variations.iter().map(|(_, part)| (part.users, part.expected)).collect();
        let test = if campaign.is_bandit() { None } else { split::statistics::chi_square(&categories) };
        Running { campaign, users, variations, test }
    }

    fn is_mismatch(&self) -> bool {
        self.test.is_some_and(ChiSquare::is_mismatch)
    }
}
