//! The simulation as a text with bars.

use std::fmt::Write;
use std::path::Path;

use steadfast::engine::Reason;
use steadfast::engine::bucket::Mode;

use super::{Simulation, in_short};
use crate::command::input;
use crate::command::split::table::{self, COUNT, PERCENT, Row};
use crate::command::split::{self, ChiSquare};
use crate::terminal::bar::bar;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped, padded, percent, share, shown, width};

/// Columns of the longest bar.
const BAR: usize = 24;

/// The report from the crowd to the verdict.
pub(super) fn report(simulation: &Simulation<'_>, picture: Option<&Path>) -> String {
    let mut report = String::new();
    let campaign = simulation.campaign;
    let title = format!("{} of {}", counted(simulation.users, "new user"), shown(campaign.key()));
    let variables = simulation.variables.map_or_else(|| "none".to_owned(), shown);
    let kind = input::kind_in_words(campaign.kind());
    let subject = format!("{kind} · nothing stored before · variables {variables} · seed {}", simulation.seed);
    let _ = writeln!(report, "{}\n{}\n", paint(style::HEADING, title), paint(style::QUIET, subject));
    write_let_in(&mut report, simulation);
    if simulation.let_in > 0 {
        write_split(&mut report, simulation);
    }
    write_verdict(&mut report, simulation);
    if let Some(picture) = picture {
        let _ = writeln!(report, "\nThe picture is in {}", picture.display());
    }
    report
}

/// Who takes part, and who does not and why.
fn write_let_in(report: &mut String, simulation: &Simulation<'_>) {
    let mut rows = vec![("let in".to_owned(), simulation.let_in)];
    if simulation.whitelisted > 0 {
        rows.push(("whitelisted, not compared".to_owned(), simulation.whitelisted));
    }
    rows.extend(simulation.left_out.iter().map(|(reason, users)| (in_short(*reason), *users)));
    let names = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let _ = writeln!(report, "{}", paint(style::HEADING, "Who takes part"));
    for (place, (name, users)) in rows.iter().enumerate() {
        let part = share(*users, simulation.users);
        let bar = paint(if place == 0 { style::GOOD } else { style::QUIET }, bar(part, BAR));
        let (name, users) = (padded(name, names), grouped(*users));
        let _ = writeln!(report, "  {name} {users:>COUNT$} {:>PERCENT$}  {bar}", percent(part));
    }
    let traffic = simulation.campaign.percent_traffic();
    let _ = writeln!(report, "  {}\n", paint(style::QUIET, format!("the campaign's traffic is {traffic} %")));
}

/// How those who were let in are split.
fn write_split(report: &mut String, simulation: &Simulation<'_>) {
    let mut rows: Vec<Row> = simulation
        .variations
        .iter()
        .enumerate()
        .map(|(place, arm)| Row { name: shown(arm.name), part: arm.part, style: style::of_variation(place) })
        .collect();
    if simulation.has_gap() {
        let name = "no variation".to_owned();
        rows.push(Row { name, part: simulation.without_variation, style: style::QUIET });
    }
    let let_in = grouped(simulation.let_in);
    let _ = writeln!(report, "{}", paint(style::HEADING, format!("How the {let_in} who were let in are split")));
    table::write(report, &rows, true);
    report.push('\n');
}

fn write_verdict(report: &mut String, simulation: &Simulation<'_>) {
    let verdict = split::verdict(simulation.test);
    if simulation.let_in == 0 {
        let _ = writeln!(report, "{}", paint(style::CARE, "Nobody was let in, so there is no split to look at"));
        return;
    }
    match simulation.test {
        Some(test) if test.is_mismatch() => {
            let words = "The split does not match the weights: this is no chance (sample ratio mismatch)";
            let _ = writeln!(report, "{} {}", paint(style::BAD, '✗'), paint(style::BAD, words));
            let _ = writeln!(report, "  {verdict}");
            write_causes(report, simulation);
        }
        Some(_) => {
            let words = "The split matches the weights: the difference is no more than chance";
            let _ = writeln!(report, "{} {}\n  {verdict}", paint(style::GOOD, '✓'), paint(style::GOOD, words));
        }
        None => {
            let _ = writeln!(report, "{} {verdict}", paint(style::QUIET, '–'));
        }
    }
    if simulation.has_gap() && !simulation.test.is_some_and(ChiSquare::is_mismatch) {
        write_gap(report, simulation);
    }
}

/// Why users who are let in get nothing.
fn write_gap(report: &mut String, simulation: &Simulation<'_>) {
    let total: f64 = simulation.variations.iter().map(|arm| arm.weight).sum();
    let why = if total < 99.99 {
        format!("the weights sum to {total} %: users beyond the last range are let in and get nothing")
    } else {
        "buckets are stretched to the traffic, and a few users fall past the last range".to_owned()
    };
    let _ = writeln!(report, "{} {why}", paint(style::CARE, '!'));
}

/// What is known to bend a split.
fn write_causes(report: &mut String, simulation: &Simulation<'_>) {
    let bucketer = simulation.campaign.bucketer();
    let lost =
        simulation.left_out.iter().any(|(reason, _)| matches!(reason, Reason::LostGroup | Reason::NoGroupWinner));
    if lost && bucketer.mode() == Mode::Old && bucketer.traffic_prefix().is_empty() {
        let _ = writeln!(
            report,
            "  The campaign is in a group, and its buckets come from the user id alone, as those of the other members\n  \
             do: who may also take part in another member is not independent of the variation here. Seeded bucketing\n  \
             (isBucketingSeedEnabled) on every member ends this."
        );
    } else {
        let _ =
            writeln!(report, "  Another --seed makes other users: if they are split like this too, it is the settings");
    }
}
