//! The explanation as a text.

use std::fmt::Write;

use steadfast::engine::{Decision, Verb};
use steadfast::explanation;

use super::stage::{Told, tell};
use super::{Explained, next, outcome};
use crate::command::input;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{self, shown};

/// What the text of a stage is indented by, and what stands below it.
const INDENT: usize = 5;

/// The explanation from its first sentence to the warnings.
pub(super) fn report(explained: &Explained<'_>) -> String {
    let Some(decision) = explained.outcome.decision() else { return String::new() };
    let mut report = String::new();
    let _ = writeln!(report, "{}", paint(style::HEADING, outcome::sentence(decision)));
    let _ = writeln!(report, "{}\n", paint(style::QUIET, subject(decision)));
    write_stages(&mut report, decision, explained.knows_user);
    write_variables(&mut report, decision);
    write_next(&mut report, explained);
    write_warnings(&mut report, explained, decision);
    report
}

/// What was asked: the campaign, its type, the call.
fn subject(decision: &Decision<'_>) -> String {
    let campaign = decision.campaign();
    let name = campaign.name().filter(|name| *name != campaign.key());
    let name = name.map_or_else(String::new, |name| format!(" ({})", shown(name)));
    let kind = input::kind_in_words(campaign.kind());
    format!(
        "campaign {}{name} · {kind} · {} · {}",
        shown(campaign.key()),
        decision.verb().as_str(),
        decision.reason().as_str()
    )
}

fn write_stages(report: &mut String, decision: &Decision<'_>, knows_user: bool) {
    let stages = decision.trace().map_or(&[][..], |trace| &trace.stages);
    for (place, stage) in stages.iter().enumerate() {
        let Told { mark, title, details } = tell(stage, decision, knows_user);
        let _ = writeln!(report, "{:>2} {} {title}", place + 1, mark.symbol());
        for line in details {
            let _ = writeln!(report, "{:INDENT$}{line}", "");
        }
    }
    report.push('\n');
}

fn write_variables(report: &mut String, decision: &Decision<'_>) {
    if decision.verb() != Verb::FeatureVariable && decision.verb() != Verb::FeatureEnabled {
        return;
    }
    let variables = explanation::variables(decision);
    if variables.is_empty() {
        return;
    }
    let _ = writeln!(report, "{}", paint(style::HEADING, "Variables of the feature"));
    let names = variables.iter().map(|(key, _)| text::width(&shown(key))).max().unwrap_or(0);
    for (key, value) in variables {
        let value = value.map_or_else(|why| paint(style::CARE, why), |value| shown(&value.to_string()));
        let _ = writeln!(report, "   {}  {value}", text::padded(&shown(&key), names));
    }
    report.push('\n');
}

fn write_next(report: &mut String, explained: &Explained<'_>) {
    let steps = next::steps(&explained.outcome);
    let _ = writeln!(report, "{}", paint(style::HEADING, "What happens next"));
    if steps.iter().all(|step| step.is_silent) {
        let _ = writeln!(report, "   Nothing is sent and nothing is stored");
    }
    for step in steps {
        let _ = writeln!(report, " {} {}", paint(style::QUIET, '→'), step.sentence);
        if !step.detail.is_empty() {
            let _ = writeln!(report, "{:INDENT$}{}", "", paint(style::QUIET, step.detail));
        }
    }
}

fn write_warnings(report: &mut String, explained: &Explained<'_>, decision: &Decision<'_>) {
    let warnings = warnings(explained, decision);
    if warnings.is_empty() {
        return;
    }
    let _ = writeln!(report, "\n{}", paint(style::HEADING, "Worth a look"));
    for warning in warnings {
        let _ = writeln!(report, " {} {warning}", paint(style::CARE, '!'));
    }
}

/// What the decision met on the way, and what else there is to say.
pub(super) fn warnings(explained: &Explained<'_>, decision: &Decision<'_>) -> Vec<String> {
    decision.warnings().iter().map(|warning| warning.to_string()).chain(explained.remarks.iter().cloned()).collect()
}
