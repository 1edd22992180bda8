//! `steadfast settings diff`: what is different between two settings files, campaign by campaign.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, printable};
use crate::terminal::{print, print_json};

/// Say what is different between two settings files
///
/// Campaigns that are new or gone, and in the others every field that is different: of weights, traffic and states the
/// values before and after; of variations, goals and variables those that are new or gone. What is in another order is not
/// different. Of the SDK key it is said that it is another, and not which.
///
/// Exit status: 0 nothing is different, 1 something is, 2 a file cannot be read as settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast settings diff old.json new.json
  steadfast settings diff old.json new.json --json | jq '.campaigns[].campaign'")]
pub(super) struct Arguments {
    /// The settings before
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The settings after
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What happened to something with a name.
#[derive(Debug, PartialEq)]
enum Change {
    New,
    Gone,
    /// The names of what is different in it, and the values before and after.
    Different(Vec<(String, Value, Value)>),
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    let fields = fields(&without_campaigns(&old), &without_campaigns(&new));
    let campaigns = named(&old["campaigns"], &new["campaigns"], "key");
    let is_same = fields.is_empty() && campaigns.is_empty();
    if arguments.json {
        print_json(&to_json(&fields, &campaigns))?;
    } else {
        print(&report(&fields, &campaigns))?;
    }
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A settings file as it stands; seen to be one.
fn read(path: &Path) -> Result<Value, Failure> {
    super::super::settings(path)?;
    let text = fs::read_to_string(path).map_err(|error| Failure::cannot_read("settings file", path, &error))?;
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))
}

fn without_campaigns(settings: &Value) -> Map<String, Value> {
    let mut fields = settings.as_object().cloned().unwrap_or_default();
    fields.remove("campaigns");
    fields
}

/// What happened to the items of two lists that have a name, in the order of the second list, those that are gone last.
/// Where a name comes twice the first counts, as it does for decisions.
fn named(old: &Value, new: &Value, name: &str) -> Vec<(String, Change)> {
    let items = |list: &Value| -> Vec<(String, Map<String, Value>)> {
        let mut items: Vec<(String, Map<String, Value>)> = Vec::new();
        for item in list.as_array().into_iter().flatten().filter_map(Value::as_object) {
            let called = item.get(name).map(text).unwrap_or_default();
            if !items.iter().any(|(other, _)| *other == called) {
                items.push((called, item.clone()));
            }
        }
        items
    };
    let (old, new) = (items(old), items(new));
    let find = |list: &[(String, Map<String, Value>)], called: &str| {
        list.iter().find(|(name, _)| name == called).map(|(_, item)| item.clone())
    };
    let mut changes = Vec::new();
    for (called, item) in &new {
        match find(&old, called) {
            None => changes.push((called.clone(), Change::New)),
            Some(before) => {
                let different = fields(&before, item);
                if !different.is_empty() {
                    changes.push((called.clone(), Change::Different(different)));
                }
            }
        }
    }
    changes.extend(
        old.into_iter().filter(|(called, _)| find(&new, called).is_none()).map(|(called, _)| (called, Change::Gone)),
    );
    changes
}

/// The fields that are different, by name, with what was and what is; of lists whose items have names item by item.
fn fields(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<(String, Value, Value)> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let mut different = Vec::new();
    for name in names {
        let (before, after) = (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
        let by = match name.as_str() {
            "variations" => "name",
            "goals" => "identifier",
            "variables" => "key",
            // A secret is not shown, only that it is another.
            "sdkKey" if before != after => {
                let hidden = |key: &Value| if key.is_null() { Value::Null } else { json!("not shown") };
                different.push((name.clone(), hidden(before), hidden(after)));
                continue;
            }
            _ => {
                if before != after {
                    different.push((name.clone(), before.clone(), after.clone()));
                }
                continue;
            }
        };
        for (item, change) in named(before, after, by) {
            let item = format!("{name} `{item}`");
            match change {
                Change::New => different.push((item, Value::Null, json!("new"))),
                Change::Gone => different.push((item, json!("there"), Value::Null)),
                Change::Different(fields) => {
                    different.extend(fields.into_iter().map(|(field, old, new)| (format!("{item} {field}"), old, new)));
                }
            }
        }
    }
    different
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value for people: short ones as they are.
fn brief(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        value => printable(&text(value)),
    };
    if text.chars().count() <= 40 { text } else { text.chars().take(39).chain(['…']).collect() }
}

fn report(fields: &[(String, Value, Value)], campaigns: &[(String, Change)]) -> String {
    if fields.is_empty() && campaigns.is_empty() {
        return "nothing is different\n".to_owned();
    }
    let mut report = String::new();
    let lines = |report: &mut String, fields: &[(String, Value, Value)]| {
        for (name, old, new) in fields {
            let _ = writeln!(report, "  {}: {} → {}", printable(name), brief(old), brief(new));
        }
    };
    if !fields.is_empty() {
        let _ = writeln!(report, "{}", paint(style::HEADING, "the file"));
        lines(&mut report, fields);
    }
    for (campaign, change) in campaigns {
        let (sign, what) = match change {
            Change::New => (paint(style::GOOD, "+"), "is new"),
            Change::Gone => (paint(style::BAD, "-"), "is gone: its users are not looked at any more"),
            Change::Different(_) => (paint(style::CARE, "~"), "is different"),
        };
        let _ = writeln!(report, "{sign} {} {what}", paint(style::HEADING, printable(campaign)));
        if let Change::Different(fields) = change {
            lines(&mut report, fields);
        }
    }
    let _ = writeln!(report, "{}", paint(style::QUIET, counted(campaigns.len() as u64, "campaign")));
    report
}

fn to_json(fields: &[(String, Value, Value)], campaigns: &[(String, Change)]) -> Value {
    let list = |fields: &[(String, Value, Value)]| -> Vec<Value> {
        fields.iter().map(|(name, old, new)| json!({ "field": name, "old": old, "new": new })).collect()
    };
    let campaigns: Vec<Value> = campaigns
        .iter()
        .map(|(campaign, change)| match change {
            Change::New => json!({ "campaign": campaign, "change": "new" }),
            Change::Gone => json!({ "campaign": campaign, "change": "gone" }),
            Change::Different(fields) => {
                json!({ "campaign": campaign, "change": "different", "fields": list(fields) })
            }
        })
        .collect();
    json!({ "file": list(fields), "campaigns": campaigns })
}
