//! What an audit found, told.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Audit, Running};
use crate::command::input;
use crate::command::split::table::{self, Row};
use crate::command::split::verdict;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, shown};

/// So many of the things that are gone are named to people.
const NAMED: usize = 20;

impl Audit<'_> {
    /// The report for people; a bar for each variation where it is `with_bars`.
    pub(super) fn report(&self, storage: &str, with_bars: bool) -> String {
        let mut report = String::new();
        let _ =
            writeln!(report, "{}", paint(style::HEADING, format!("{} in {storage}", counted(self.records, "record"))));
        if self.not_activated > 0 {
            let words = "not activated: decided for, and no visitors yet";
            let _ = writeln!(report, "  {} {words}", counted(self.not_activated, "record"));
        }
        self.write_gone(&mut report);
        for running in &self.running {
            running.write(&mut report, with_bars);
        }
        self.write_not_compared(&mut report);
        let (sign, words) = if self.is_clean() {
            let is_tested = self.running.iter().any(|running| running.test.is_some());
            let words = match is_tested {
                true => "Everything stored is in the settings, and every split that was tested is as the weights say",
                false => "Everything stored is in the settings; no split could be tested",
            };
            (paint(style::GOOD, '✓'), words)
        } else {
            (paint(style::BAD, '✗'), "Something above, marked with ✗, is not as the settings say")
        };
        let _ = writeln!(report, "\n{sign} {words}");
        report
    }

    fn write_gone(&self, report: &mut String) {
        if self.gone_campaigns.is_empty() && self.gone_variations.is_empty() {
            return;
        }
        let _ = writeln!(report, "\n{}", paint(style::HEADING, "Gone from the settings"));
        let campaigns = self.gone_campaigns.iter().map(|(key, records)| (format!("campaign {}", shown(key)), *records));
        let variations = self
            .gone_variations
            .iter()
            .map(|(key, name, records)| (format!("variation {} of campaign {}", shown(name), shown(key)), *records));
        let gone: Vec<(String, u64)> = campaigns.chain(variations).collect();
        for (what, records) in gone.iter().take(NAMED) {
            let _ = writeln!(report, "  {} {what}: {}", paint(style::BAD, '✗'), counted(*records, "record"));
        }
        if gone.len() > NAMED {
            let _ = writeln!(report, "  and {} more, which --json names", gone.len() - NAMED);
        }
        let mut advise = |words: &str| {
            let _ = writeln!(report, "  {}", paint(style::QUIET, words));
        };
        if !self.gone_variations.is_empty() {
            advise("Users of a variation that is gone are evaluated afresh when they come again: put it back into the");
            advise("settings where they should stay.");
        }
        if !self.gone_campaigns.is_empty() {
            advise(
                "Records of a campaign that is gone are never looked at. Are these the settings of this account and",
            );
            advise("environment?");
        }
    }

    /// Campaigns whose split says nothing.
    fn write_not_compared(&self, report: &mut String) {
        if self.not_running.is_empty() && self.broken.is_empty() {
            return;
        }
        let _ = writeln!(report, "\n{}", paint(style::HEADING, "Not compared"));
        for (campaign, records) in &self.not_running {
            let (key, records) = (shown(campaign.key()), counted(*records, "record"));
            let _ = writeln!(report, "  {key}: {records}, and it is not running");
        }
        for (campaign, problem, records) in &self.broken {
            let (key, records) = (shown(campaign.key()), counted(*records, "record"));
            let _ = writeln!(
                report,
                "  {key}: {records}, and it cannot be used: {} {} (`steadfast validate` says more)",
                problem.path, problem.message
            );
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let gone_campaigns: Vec<Value> =
            self.gone_campaigns.iter().map(|(key, records)| json!({ "campaign": key, "records": records })).collect();
        let gone_variations: Vec<Value> = self
            .gone_variations
            .iter()
            .map(|(key, name, records)| json!({ "campaign": key, "variation": name, "records": records }))
            .collect();
        let not_running: Vec<Value> = self
            .not_running
            .iter()
            .map(|(campaign, records)| json!({ "campaign": campaign.key(), "records": records }))
            .collect();
        let broken: Vec<Value> = self
            .broken
            .iter()
            .map(|(campaign, problem, records)| {
                let problem = format!("{} {}", problem.path, problem.message);
                json!({ "campaign": campaign.key(), "records": records, "problem": problem })
            })
            .collect();
        json!({
            "records": self.records,
            "notActivated": self.not_activated,
            "goneCampaigns": gone_campaigns,
            "goneVariations": gone_variations,
            "campaigns": self.running.iter().map(Running::to_json).collect::<Vec<_>>(),
            "notRunning": not_running,
            "broken": broken,
            "damaged": self.damaged,
            "clean": self.is_clean() && self.damaged == 0,
        })
    }
}

impl Running<'_> {
    fn write(&self, report: &mut String, with_bars: bool) {
        let heading = paint(style::HEADING, shown(self.campaign.key()));
        let kind = input::kind_in_words(self.campaign.kind());
        let _ =
            writeln!(report, "\n{heading} {}", paint(style::QUIET, format!("{kind}, {}", counted(self.users, "user"))));
        let rows: Vec<Row> = self
            .variations
            .iter()
            .enumerate()
            .map(|(place, (name, part))| Row { name: shown(name), part: *part, style: style::of_variation(place) })
            .collect();
        table::write(report, &rows, with_bars);
        let (sign, words) = match self.test {
            _ if self.campaign.is_bandit() => (paint(style::QUIET, '–'), "its weights move by themselves".to_owned()),
            None => (paint(style::QUIET, '–'), verdict(None)),
            Some(test) if test.is_mismatch() => {
                (paint(style::BAD, '✗'), format!("sample ratio mismatch: {}", verdict(Some(test))))
            }
            Some(test) => (paint(style::GOOD, '✓'), format!("no more than chance: {}", verdict(Some(test)))),
        };
        let _ = writeln!(report, "  {sign} {words}");
        if self.is_mismatch() {
            let _ = writeln!(
                report,
                "    Users keep their variation when weights are changed: with records from earlier weights, a mismatch is\n    \
                 legitimate. Were they never changed, look for users who are lost in one variation, such as by an error\n    \
                 before they are stored; `steadfast simulate` tells whether the settings themselves split so."
            );
        }
    }

    fn to_json(&self) -> Value {
        let variations: Vec<Value> = self
            .variations
            .iter()
            .map(|(name, part)| {
                json!({ "name": name, "users": part.users, "share": part.share, "expectedShare": part.expected })
            })
            .collect();
        json!({
            "campaign": self.campaign.key(),
            "users": self.users,
            "variations": variations,
            "chiSquare": self.test.map(|test| test.statistic),
            "degreesOfFreedom": self.test.map(|test| test.degrees_of_freedom),
            "pValue": self.test.map(|test| test.p_value),
            "mismatch": self.is_mismatch(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tally;
    use super::*;
    use steadfast::engine::{Record, Settings};

    #[test]
    fn each_variation_has_a_bar_on_a_terminal() {
        let settings = Settings::parse(include_str!("../../../../assets/demo-settings.json")).expect("settings");
        let mut tally = Tally::default();
        for (variation, users) in [("Control", 30), ("Green", 10)] {
            for user in 0..users {
                tally.count(&Record::new(format!("{variation}-{user}"), "checkout-button", variation));
            }
        }
        let audit = Audit::new(&settings, &tally);
        let report = |with_bars| anstream::adapter::strip_str(&audit.report("memory:", with_bars)).to_string();
        let bars = |report: &str| report.lines().filter(|line| line.trim_start().starts_with('█')).count();
        assert_eq!((bars(&report(true)), bars(&report(false))), (2, 0));
    }
}
