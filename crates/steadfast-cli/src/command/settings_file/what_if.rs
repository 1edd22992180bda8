//! `steadfast settings what-if`: what new settings would mean for the users who are stored.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use steadfast::engine::settings::CampaignKind;
use steadfast::engine::{Options, Policy, Record, Request, Settings, Step, UserStorageData, verb};

use crate::command::{settings, stream};
use crate::failure::Failure;
use crate::storage::records::Records;
use crate::storage::{StorageUrl, Use};
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped, padded, percent, printable, share, width};
use crate::terminal::{print, print_json};

/// Say what new settings would mean for the users who are stored
///
/// Reads all records once, writes nothing, sends nothing, names no user. Each record is decided on as
/// a call would decide under the new settings, with the record and without it. It says, campaign by
/// campaign, how many
///   - keep the variation that they see;
///   - are orphaned: their campaign or variation is gone, or the campaign does not run. They see
///     nothing any more, or are evaluated afresh when they come again;
///   - lose it otherwise: the rules of a group of campaigns go before the record;
///   - would see another variation, or none, if nothing were stored. That is what the storage is for:
///     so many users the new weights, traffic or segments would move.
///
/// Only the user id is known of a stored user, and no custom variables. So whoever is whitelisted or
/// in an audience by them counts here as if they were not. Where user ids are stored as pseudonyms, those are decided
/// on, and what would be without the storage means nothing.
///
/// Exit status: 0 everybody keeps their variation; 1 somebody does not; 2 could not start; 3 stopped
/// before the end; 4 some records cannot be read, and of the others everybody keeps theirs.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  steadfast settings what-if --settings new.json --storage embedded:users.redb
  steadfast settings what-if --settings new.json --storage redis://cache.example:6379 --json |
      jq '.campaigns[] | select(.orphaned > 0).campaign'")]
pub(super) struct Arguments {
    /// The settings that may come into force
    #[arg(long, value_name = "NEW")]
    settings: PathBuf,
    /// Where users are stored: `embedded:PATH`, a file, or a server, such as `redis://HOST:PORT` or
    /// `postgres://USER@HOST/DATABASE`. A password is better off in the variable STEADFAST_STORAGE
    #[arg(long, value_name = "URL", env = "STEADFAST_STORAGE", hide_env_values = true)]
    storage: StorageUrl,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What becomes of the users of a campaign.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    records: u64,
    keep: u64,
    campaign_gone: u64,
    campaign_broken: u64,
    not_running: u64,
    variation_gone: u64,
    lose_otherwise: u64,
    /// Of all of them.
    differently_afresh: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let settings = Arc::new(settings(&arguments.settings)?);
    let url = &arguments.storage;
    let storage = url.open(Use::ToRead)?.ok_or_else(|| {
        Failure::new(format!("`{url}` keeps nobody: name a storage such as `embedded:users.redb`, or a server"))
    })?;
    let progress = stream::progress_in_records(None, true);
    let mut campaigns = BTreeMap::<String, Tally>::new();
    let mut records = Records::of(&*storage).map_err(|error| Failure::stopped(&error))?;
    for record in records.by_ref() {
        let record = record.map_err(|error| Failure::stopped(&error))?;
        if !campaigns.contains_key(&record.campaign_key) {
            campaigns.insert(record.campaign_key.clone(), Tally::default());
        }
        if let Some(tally) = campaigns.get_mut(&record.campaign_key) {
            tally.count(record, &settings);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let all = campaigns.values().fold(Tally::default(), Tally::and);
    // In the order of the settings; what is gone from them comes last.
    let place =
        |key: &str| settings.campaigns().iter().position(|campaign| campaign.key() == key).unwrap_or(usize::MAX);
    let mut campaigns: Vec<(String, Tally)> = campaigns.into_iter().collect();
    campaigns.sort_by_key(|(key, _)| place(key));
    if arguments.json {
        let campaigns: Vec<Value> = campaigns.iter().map(|(key, tally)| tally.to_json(Some(key))).collect();
        let mut report = all.to_json(None);
        report["damaged"] = records.damaged().len().into();
        report["campaigns"] = campaigns.into();
        print_json(&report)?;
    } else {
        print(&report(&campaigns, &all))?;
    }
    let read = records.exit_code();
    Ok(if all.keep == all.records { read } else { ExitCode::from(1) })
}

impl Tally {
    fn count(&mut self, record: Record, settings: &Arc<Settings>) {
        self.records += 1;
        let Some(campaign) = settings.campaign(&record.campaign_key) else {
            self.campaign_gone += 1;
            self.differently_afresh += 1;
            return;
        };
        let (user, variation) = (record.user_id.clone(), record.variation_name.clone());
        let decide = |stored: Vec<Record>| {
            let options = Options { user_storage_data: UserStorageData::all(stored), ..Options::default() };
            // There is a storage, and all that it has of the user is said: nothing is asked.
            let policy = Policy { has_storage: true, ..Policy::default() };
            let request = Request::new(Arc::clone(settings), &*user).with_options(&options).with_policy(policy);
            let step = if *campaign.kind() == CampaignKind::Ab {
                verb::activate(request, campaign.key())
            } else {
                verb::feature_enabled(request, campaign.key())
            };
            match step {
                Ok(Step::Done(decision)) => Some(decision.variation_name() == Some(&*variation)),
                Ok(Step::NeedsStored(_)) | Err(_) => None,
            }
        };
        match decide(vec![record]) {
            Some(true) => self.keep += 1,
            Some(false) if !campaign.is_running() => self.not_running += 1,
            Some(false) if campaign.variation(&variation).is_none() => self.variation_gone += 1,
            Some(false) => self.lose_otherwise += 1,
            None if !campaign.is_running() && campaign.broken().is_none() => self.not_running += 1,
            None => self.campaign_broken += 1,
        }
        self.differently_afresh += u64::from(decide(Vec::new()) != Some(true));
    }

    fn orphaned(&self) -> u64 {
        self.campaign_gone + self.campaign_broken + self.not_running + self.variation_gone
    }

    fn and(self, other: &Tally) -> Tally {
        Tally {
            records: self.records + other.records,
            keep: self.keep + other.keep,
            campaign_gone: self.campaign_gone + other.campaign_gone,
            campaign_broken: self.campaign_broken + other.campaign_broken,
            not_running: self.not_running + other.not_running,
            variation_gone: self.variation_gone + other.variation_gone,
            lose_otherwise: self.lose_otherwise + other.lose_otherwise,
            differently_afresh: self.differently_afresh + other.differently_afresh,
        }
    }

    fn to_json(self, campaign: Option<&str>) -> Value {
        let mut json = json!({
            "records": self.records,
            "keep": self.keep,
            "orphaned": self.orphaned(),
            "orphanedBy": {
                "campaignGone": self.campaign_gone,
                "campaignBroken": self.campaign_broken,
                "campaignNotRunning": self.not_running,
                "variationGone": self.variation_gone,
            },
            "loseOtherwise": self.lose_otherwise,
            "differentIfNothingWereStored": self.differently_afresh,
        });
        if let Some(campaign) = campaign {
            json["campaign"] = campaign.into();
        }
        json
    }

    /// Why users are orphaned, the most first.
    fn why(&self) -> String {
        let mut whys = [
            (self.campaign_gone, "the campaign is gone"),
            (self.campaign_broken, "the campaign cannot be used: `steadfast validate` says why"),
            (self.not_running, "the campaign does not run"),
            (self.variation_gone, "the variation is gone"),
            (self.lose_otherwise, "lost otherwise: the rules of a group go before the record"),
        ];
        whys.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let whys = whys.iter().filter(|(count, _)| *count > 0);
        whys.map(|(count, why)| format!("{why} ({})", grouped(*count))).collect::<Vec<_>>().join("; ")
    }
}

/// Columns of counts.
const COUNT: usize = 12;

fn report(campaigns: &[(String, Tally)], all: &Tally) -> String {
    let mut report = String::new();
    if all.records == 0 {
        return "nobody is stored: nothing can change\n".to_owned();
    }
    let names: Vec<String> = campaigns.iter().map(|(key, _)| printable(key)).collect();
    let longest = names.iter().map(|name| width(name)).chain([3]).max().unwrap_or(0);
    let headings = format!(
        "  {} {:>COUNT$} {:>COUNT$} {:>COUNT$} {:>COUNT$} {:>COUNT$}",
        padded("", longest),
        "stored",
        "keep",
        "orphaned",
        "lose",
        "if afresh"
    );
    // Writing into memory cannot fail.
    let _ = writeln!(report, "{}", paint(style::QUIET, headings));
    let rows = names.iter().map(String::as_str).zip(campaigns.iter().map(|(_, tally)| tally));
    for (name, tally) in rows.chain([("all", all)]) {
        let line = format!(
            "  {} {:>COUNT$} {:>COUNT$} {:>COUNT$} {:>COUNT$} {:>COUNT$}",
            padded(name, longest),
            grouped(tally.records),
            grouped(tally.keep),
            grouped(tally.orphaned()),
            grouped(tally.lose_otherwise),
            grouped(tally.differently_afresh),
        );
        let style = if tally.keep == tally.records { style::GOOD } else { style::CARE };
        let _ = writeln!(report, "{}", paint(style, line));
    }
    for (name, (_, tally)) in names.iter().zip(campaigns).filter(|(_, (_, tally))| tally.keep < tally.records) {
        let _ = writeln!(report, "\n{}: {}", paint(style::HEADING, name), tally.why());
    }
    let (kept, moved) = (share(all.keep, all.records), share(all.differently_afresh, all.records));
    let _ = writeln!(
        report,
        "\n{} of {} keep what they see. If nothing were stored, {} would see another variation, or none.",
        percent(kept),
        counted(all.records, "record"),
        percent(moved)
    );
    report
}
