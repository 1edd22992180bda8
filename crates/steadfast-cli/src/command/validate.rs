//! `steadfast validate`: everything that is wrong or odd in a settings file, and what is fine.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use steadfast::engine::Settings;
use steadfast::engine::settings::{Campaign, Problem, Severity};

use super::input;
use crate::failure::Failure;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, listed, shown};
use crate::terminal::{print, print_json};

/// So many places are named where the same is wrong with all of them.
const PLACES: usize = 5;

/// Check a settings file
///
/// Lists every error (a campaign that cannot be used) and every warning (something that is used, but looks
/// unintended) with its place in the file, and says what is fine. One campaign that cannot be used spoils no other.
///
/// Exit status: 0 it can be used, 1 it has errors, 2 it cannot be read as a settings file at all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast validate settings.json
  steadfast validate --strict settings.json    # in a pipeline: warnings fail too")]
pub(crate) struct Arguments {
    /// The settings file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// The findings by where they stand.
struct Findings<'s> {
    settings: &'s Settings,
    by_campaign: BTreeMap<usize, Vec<&'s Problem>>,
    elsewhere: Vec<&'s Problem>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let settings = super::settings(&arguments.file)?;
    let findings = Findings::new(&settings);
    if arguments.json {
        print_json(&findings.to_json(&arguments.file))?;
    } else {
        print(&findings.report(&arguments.file, arguments.strict))?;
    }
    let faults = findings.errors() + if arguments.strict { findings.warnings() } else { 0 };
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

impl<'s> Findings<'s> {
    fn new(settings: &'s Settings) -> Self {
        let mut findings = Findings { settings, by_campaign: BTreeMap::new(), elsewhere: Vec::new() };
        for problem in settings.problems() {
            match campaign_of(&problem.path).filter(|place| *place < settings.campaigns().len()) {
                Some(place) => findings.by_campaign.entry(place).or_default().push(problem),
                None => findings.elsewhere.push(problem),
            }
        }
        findings
    }

    fn errors(&self) -> u64 {
        self.count(Severity::Error)
    }

    fn warnings(&self) -> u64 {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> u64 {
        self.settings.problems().iter().filter(|problem| problem.severity == severity).count() as u64
    }

    /// Whether calls can reach a campaign and use it: not one that is broken, nor the second of one key.
    fn is_usable(&self, place: usize) -> bool {
        let found = self.by_campaign.get(&place);
        !found.is_some_and(|found| found.iter().any(|problem| problem.severity == Severity::Error))
    }

    fn report(&self, file: &Path, strict: bool) -> String {
        let mut report = String::new();
        let name = file.display();
        let (errors, warnings) = (self.errors(), self.warnings());
        let headline = match (errors, warnings) {
            (0, 0) => paint(style::GOOD, format!("{name} is fine")),
            (0, _) if strict => paint(style::BAD, format!("{name} has warnings, which count as errors here")),
            (0, _) => paint(style::CARE, format!("{name} can be used, but look at the warnings")),
            _ => paint(style::BAD, format!("{name} has errors")),
        };
        let _ = writeln!(report, "{}\n", paint(style::HEADING, headline));
        for (place, problems) in &self.by_campaign {
            let campaign = &self.settings.campaigns()[*place];
            let _ = writeln!(report, "{}", paint(style::HEADING, title(campaign)));
            write_problems(&mut report, problems);
            if campaign.broken().is_some() {
                let _ = writeln!(report, "  → calls on this campaign are refused; the others are not touched by it");
            }
            report.push('\n');
        }
        if !self.elsewhere.is_empty() {
            let _ = writeln!(report, "{}", paint(style::HEADING, "The file as a whole"));
            write_problems(&mut report, &self.elsewhere);
            report.push('\n');
        }
        self.write_fine(&mut report);
        let _ = writeln!(report, "\n{}, {}", counted(errors, "error"), counted(warnings, "warning"));
        report
    }

    fn write_fine(&self, report: &mut String) {
        let settings = self.settings;
        let campaigns = settings.campaigns();
        let count = |is: &dyn Fn(usize, &Campaign) -> bool| {
            campaigns.iter().enumerate().filter(|(place, campaign)| is(*place, campaign)).count() as u64
        };
        let usable = count(&|place, _| self.is_usable(place));
        let running = count(&|place, campaign| self.is_usable(place) && campaign.is_running());
        let _ = writeln!(report, "{}", paint(style::HEADING, "What is fine"));
        let mut fine = |line: String| {
            let _ = writeln!(report, "  {} {line}", paint(style::GOOD, '✓'));
        };
        fine(format!(
            "account {}, {}",
            shown(settings.account().as_str()),
            counted(campaigns.len() as u64, "campaign")
        ));
        if usable > 0 {
            fine(format!("{} can be used, {running} running", counted(usable, "campaign")));
        }
        for group in settings.groups() {
            let name = shown(group.name().unwrap_or(group.id().as_str()));
            let members: Vec<String> = group.members().iter().map(|member| shown(settings.at(*member).key())).collect();
            match members.as_slice() {
                [] => fine(format!("group {name}: no running member")),
                [alone] => fine(format!("group {name}: {alone} is its only running member")),
                members => fine(format!("group {name}: {} exclude each other", listed(members, "and"))),
            }
        }
        let clean = count(&|place, _| !self.by_campaign.contains_key(&place));
        if clean > 0 && clean < campaigns.len() as u64 {
            fine(format!("nothing to say about {}", counted(clean, "campaign")));
        }
    }

    fn to_json(&self, file: &Path) -> Value {
        let campaigns: Vec<Value> = self
            .settings
            .campaigns()
            .iter()
            .enumerate()
            .map(|(place, campaign)| {
                let problems = self.by_campaign.get(&place).map_or(&[][..], Vec::as_slice);
                json!({
                    "key": campaign.key(),
                    "id": campaign.id().as_str(),
                    "type": campaign.kind().as_str(),
                    "status": campaign.status(),
                    "running": campaign.is_running(),
                    "usable": self.is_usable(place),
                    "problems": problems.iter().map(|problem| to_json(problem)).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "file": file.display().to_string(),
            "account": self.settings.account().as_str(),
            "errors": self.errors(),
            "warnings": self.warnings(),
            "groups": self.settings.groups().len(),
            "campaigns": campaigns,
            "problems": self.elsewhere.iter().map(|problem| to_json(problem)).collect::<Vec<_>>(),
        })
    }
}

/// The place of the campaign that a path leads into: 3 for `$.campaigns[3].key`.
fn campaign_of(path: &str) -> Option<usize> {
    path.strip_prefix("$.campaigns[")?.split_once(']')?.0.parse().ok()
}

fn title(campaign: &Campaign) -> String {
    let key = if campaign.key().is_empty() { "without a key".to_owned() } else { shown(campaign.key()) };
    let state = if campaign.is_running() { "running".to_owned() } else { shown(campaign.status()) };
    let facts: Vec<String> =
        [input::kind_in_words(campaign.kind()), state].into_iter().filter(|fact| !fact.trim().is_empty()).collect();
    format!("Campaign {key} ({})", facts.join(", "))
}

/// What is wrong in several places is said once.
fn write_problems(report: &mut String, problems: &[&Problem]) {
    let mut alike: Vec<(&Problem, Vec<&str>)> = Vec::new();
    let mut by_message: HashMap<(bool, &str), usize> = HashMap::new();
    for problem in problems {
        match by_message.entry((problem.severity == Severity::Error, problem.message.as_str())) {
            Entry::Occupied(entry) => alike[*entry.get()].1.push(&problem.path),
            Entry::Vacant(entry) => {
                entry.insert(alike.len());
                alike.push((problem, vec![&problem.path]));
            }
        }
    }
    for (problem, mut places) in alike {
        let (mark, word) = match problem.severity {
            Severity::Error => (paint(style::BAD, '✗'), "error"),
            Severity::Warning => (paint(style::CARE, '!'), "warning"),
        };
        // The same field twice in one object is one place.
        places.dedup();
        let named: Vec<String> = places.iter().take(PLACES).map(|place| (*place).to_owned()).collect();
        let more = match places.len() - named.len() {
            0 => String::new(),
            more => format!(", and {}", counted(more as u64, "more place")),
        };
        let named = if more.is_empty() { listed(&named, "and") } else { named.join(", ") };
        let _ = writeln!(report, "  {mark} {word} at {named}{more}");
        let _ = writeln!(report, "    {}", problem.message);
    }
}

fn to_json(problem: &Problem) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({ "severity": severity, "path": problem.path, "message": problem.message })
}

#[cfg(test)]
mod tests {
    use super::campaign_of;

    #[test]
    fn a_path_tells_its_campaign() {
        assert_eq!(campaign_of("$.campaigns[12].variations[0].weight"), Some(12));
        assert_eq!(campaign_of("$.campaigns[0]"), Some(0));
        assert_eq!(campaign_of("$.campaigns"), None);
        assert_eq!(campaign_of("$.campaignGroups"), None);
        assert_eq!(campaign_of("$.groups[\"3\"].campaigns[0]"), None);
    }
}
