//! What came of each stage: a mark, a sentence, and the numbers behind it.

use steadfast::engine::bucket::{Mode, Range};
use steadfast::engine::decide::{GroupOutcome, RangeTrace, Stage, StoredFinding};
use steadfast::engine::{Actual, ConditionOutcome, Decision, Reason, Record};

use super::group;
use crate::terminal::bar;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{self, printable, shown};

/// Columns of a strip of buckets.
const STRIP: usize = 60;

/// What a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The user got past it, or got their variation from it.
    Passed,
    /// Here it ended without a variation.
    Stopped,
    /// It had nothing to say.
    Silent,
}

/// A stage in words.
pub(super) struct Told {
    pub(super) mark: Mark,
    pub(super) title: String,
    /// The lines below it.
    pub(super) details: Vec<String>,
}

impl Mark {
    /// The mark as a character.
    pub(super) fn symbol(self) -> String {
        match self {
            Mark::Passed => paint(style::GOOD, '✓'),
            Mark::Stopped => paint(style::BAD, '✗'),
            Mark::Silent => paint(style::QUIET, '–'),
        }
    }

    /// The mark as a word, for programs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mark::Passed => "passed",
            Mark::Stopped => "stopped",
            Mark::Silent => "silent",
        }
    }

    fn of(passed: bool) -> Mark {
        if passed { Mark::Passed } else { Mark::Stopped }
    }
}

/// Puts a stage of a decision into words. `knows_user` is whether the caller gave variables.
pub(super) fn tell(stage: &Stage, decision: &Decision<'_>, knows_user: bool) -> Told {
    let user = shown(decision.user());
    let key = decision.campaign().key();
    match stage {
        Stage::Campaign { status, running } => {
            let not = if *running { "" } else { "not " };
            let details = if *running {
                Vec::new()
            } else {
                vec![quiet(format!("its status is {}, and only RUNNING counts", shown(status)))]
            };
            Told { mark: Mark::of(*running), title: format!("The campaign is {not}running"), details }
        }
        Stage::Whitelisting { campaign, matching, bucket, chosen } => {
            tell_whitelisting(&user, campaign, campaign == key, matching, *bucket, chosen.as_deref())
        }
        Stage::Stored { finding } => tell_stored(&user, finding, decision.stored()),
        Stage::ActivationRequired => Told {
            mark: Mark::Stopped,
            title: format!("{user} must be activated first"),
            details: vec![quiet(
                "`--activation required`: this call only reads what an earlier one decided".to_owned(),
            )],
        },
        Stage::Audience { everyone: true, .. } => {
            Told { mark: Mark::Passed, title: "The campaign is for everybody".to_owned(), details: Vec::new() }
        }
        Stage::Audience { conditions, matched, .. } => {
            let not = if *matched { "" } else { "not " };
            let mut details: Vec<String> = conditions.iter().map(tell_condition).collect();
            if !matched && !knows_user {
                details
                    .push(quiet("nothing is known about the user: say it with --variables '{\"…\":\"…\"}'".to_owned()));
            }
            Told { mark: Mark::of(*matched), title: format!("{user} is {not}in the audience"), details }
        }
        Stage::Traffic { seed, hash, bucket, percent, admitted } => {
            let title = if *admitted {
                format!("{user} is in the campaign's traffic of {percent} %")
            } else {
                format!("{user} is outside the campaign's traffic of {percent} %")
            };
            let details = vec![format!("bucket {bucket} of 100; {}", admitted_buckets(*percent)), hashed(seed, *hash)];
            Told { mark: Mark::of(*admitted), title, details }
        }
        Stage::Group { name, members, seed, bucket, outcome } => {
            // The reason, not the key: a member may have the same one by mistake.
            let won = matches!(outcome, GroupOutcome::Won(_)) && decision.reason() != Reason::LostGroup;
            let (title, details) = group::tell(decision, name, members, seed, *bucket, outcome);
            Told { mark: Mark::of(won), title, details }
        }
        Stage::Assignment { mode, seed, hash, multiplier, bucket, ranges, chosen } => {
            let number = text::bucket(*bucket);
            let title = match chosen {
                Some(variation) => format!("{user}'s bucket, {number}, lies in the range of {}", shown(variation)),
                None => format!("{user}'s bucket, {number}, lies in no variation's range"),
            };
            let mut details = tell_ranges(ranges, *bucket);
            details.push(hashed(seed, *hash));
            details.push(quiet(tell_mode(*mode, *multiplier)));
            Told { mark: Mark::of(chosen.is_some()), title, details }
        }
    }
}

fn tell_whitelisting(
    user: &str,
    campaign: &str,
    is_called: bool,
    matching: &[String],
    bucket: Option<i64>,
    chosen: Option<&str>,
) -> Told {
    let whose = if is_called { String::new() } else { format!(" of {}, of the same group", shown(campaign)) };
    let (mark, title) = match chosen {
        None => (Mark::Silent, format!("{user} is on no whitelist{whose}")),
        Some(variation) => (Mark::of(is_called), format!("{user} is whitelisted for {}{whose}", shown(variation))),
    };
    let details = bucket.map(|bucket| {
        let matching: Vec<String> = matching.iter().map(|name| shown(name)).collect();
        format!("on the lists of {}; bucket {} chooses", text::listed(&matching, "and"), text::bucket(bucket))
    });
    Told { mark, title, details: details.into_iter().collect() }
}

fn tell_stored(user: &str, finding: &StoredFinding, record: Option<&Record>) -> Told {
    let (mark, title) = match finding {
        StoredFinding::Passed(name) => (Mark::Passed, format!("The caller's data has {} for {user}", shown(name))),
        StoredFinding::Found(name) => (Mark::Passed, format!("The storage has {} for {user}", shown(name))),
        StoredFinding::Absent => (Mark::Silent, format!("The storage has nothing for {user} yet")),
        StoredFinding::PassedNothing => (Mark::Silent, format!("The caller's data has nothing for {user} yet")),
        StoredFinding::NoStorage => (Mark::Silent, "There is no storage".to_owned()),
        StoredFinding::PassedUnknownVariation(name) | StoredFinding::UnknownVariation(name) => {
            (Mark::Silent, format!("{user} is stored with {}, which the campaign does not have any more", shown(name)))
        }
        StoredFinding::Foreign => (Mark::Silent, "The storage answered with a record of somebody else".to_owned()),
        StoredFinding::Failed(failure) => (Mark::Silent, format!("The storage could not answer: {}", shown(failure))),
    };
    let details = record.map(|record| quiet(printable(&record.to_json().to_string())));
    Told { mark, title, details: details.into_iter().collect() }
}

fn tell_condition(condition: &ConditionOutcome) -> String {
    let mark = if condition.matched { Mark::Passed } else { Mark::Stopped }.symbol();
    let actual = match &condition.actual {
        Actual::Inapplicable => String::new(),
        Actual::NotGiven => quiet("  · not given".to_owned()),
        Actual::Given(value) => quiet(format!("  · given: \"{}\"", shown(value))),
    };
    format!("{:indent$}{mark} {}{actual}", "", printable(&condition.text), indent = condition.depth * 2)
}

/// The buckets that are let in, of 100.
fn admitted_buckets(percent: f64) -> String {
    match percent.floor() {
        whole if whole >= 100.0 => "all are let in".to_owned(),
        whole if whole >= 2.0 => format!("1 to {whole} are let in"),
        1.0 => "only 1 is let in".to_owned(),
        _ => "none is let in".to_owned(),
    }
}

fn tell_ranges(ranges: &[RangeTrace], bucket: i64) -> Vec<String> {
    let entries: Vec<(String, String, Range)> =
        ranges.iter().map(|entry| (shown(&entry.variation), format!("{} %", entry.weight), entry.range)).collect();
    tell_strip(&entries, bucket)
}

/// A strip of buckets with the user's marked, and a legend: names, remarks and ranges.
pub(super) fn tell_strip(entries: &[(String, String, Range)], bucket: i64) -> Vec<String> {
    let ranges: Vec<Range> = entries.iter().map(|(_, _, range)| *range).collect();
    let (strip, column) = bar::strip(&ranges, bucket, STRIP);
    let painted: String = strip
        .iter()
        .map(|place| match place {
            Some(place) => paint(style::of_variation(*place), bar::fill(*place)),
            None => paint(style::QUIET, bar::GAP),
        })
        .collect();
    let number = text::bucket(bucket);
    let pointer = match column {
        Some(column) if column + 2 + number.len() <= STRIP => format!("{:column$}▲ {number}", ""),
        Some(column) => format!("{:indent$}{number} ▲", "", indent = column - number.len() - 1),
        None => format!("{:indent$}{number} ► past the end", "", indent = STRIP - number.len()),
    };
    let mut lines = vec![painted, paint(style::HEADING, pointer)];
    let names = entries.iter().map(|(name, _, _)| text::width(name)).max().unwrap_or(0);
    let remarks = entries.iter().map(|(_, remark, _)| text::width(remark)).max().unwrap_or(0);
    for (place, (name, remark, range)) in entries.iter().enumerate() {
        let fill = paint(style::of_variation(place), bar::fill(place));
        let buckets = if range.start > range.end || range.end < 1 {
            "no buckets".to_owned()
        } else {
            format!("{} to {}", text::bucket(range.start), text::bucket(range.end))
        };
        let here = if range.contains(bucket) { "  ← here" } else { "" };
        let (name, remark) = (text::padded(name, names), text::padded(remark, remarks));
        lines.push(format!("{fill} {name}  {remark}  {buckets}{here}"));
    }
    lines
}

fn tell_mode(mode: Mode, multiplier: f64) -> String {
    match mode {
        Mode::Old if multiplier != 1.0 => {
            format!(
                "first generation of bucketing: buckets are stretched by {multiplier:.4}, so a change of traffic moves users"
            )
        }
        Mode::Old => "first generation of bucketing: a change of traffic moves users between variations".to_owned(),
        Mode::New => "second generation of bucketing: the user id alone is hashed".to_owned(),
        Mode::NewV2 => "third generation of bucketing: campaign, account and user id are hashed".to_owned(),
    }
}

/// The text that was hashed and what came out.
pub(super) fn hashed(seed: &str, hash: u32) -> String {
    quiet(format!("hash of \"{}\" is {}", shown(seed), hash))
}

/// A line that only those read who want to know exactly.
pub(super) fn quiet(line: String) -> String {
    paint(style::QUIET, line)
}
