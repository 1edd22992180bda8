//! What came of an import, told.

use std::fmt::Write;

use serde_json::{Value, json};

use super::names::Names;
use crate::command::storage::lines::Lines;
use crate::command::storage::write::Fate;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped, shown};

/// So many of the things without a name are named to people.
const NAMED: usize = 20;

/// Columns of a word and of a count.
const WORD: usize = 10;
const COUNT: usize = 11;

/// What came of an import.
pub(super) struct Import {
    pub(super) lines: Lines,
    /// How many records were read.
    pub(super) read: u64,
    pub(super) fate: Fate,
    pub(super) names: Names,
}

impl Import {
    pub(super) fn report(&self) -> String {
        let (lines, fate, names) = (&self.lines, &self.fate, &self.names);
        let mut report = String::new();
        let mut row = |word: &str, count: u64, words: &str| {
            let line = format!("{word:<WORD$}{:>COUNT$}  {words}", grouped(count));
            let _ = writeln!(report, "{}", line.trim_end());
        };
        let from = match lines.malformed {
            0 => format!("from {}", counted(lines.count, "line")),
            malformed => {
                format!("from {}; {} malformed and left out", counted(lines.count, "line"), grouped(malformed))
            }
        };
        row("read", self.read, &from);
        row("claimed", fate.claimed, "");
        let other = format!("with another variation than the imported: {}", grouped(fate.kept_other));
        row("kept", fate.kept, if fate.kept_other > 0 { &other } else { "" });
        row("replaced", fate.replaced, "");
        row("failed", fate.failed, fate.first_failure.as_deref().unwrap_or_default());
        for (words, count) in self.ways() {
            if count > 0 {
                let _ = writeln!(report, "{words}: {}", grouped(count));
            }
        }
        for (attribute, documents) in &names.other_attributes {
            let (attribute, documents) = (shown(attribute), counted(*documents, "document"));
            let _ = writeln!(report, "passed over: {documents} of attribute {attribute} (--attribute takes another)");
        }
        self.write_unmapped(&mut report);
        report
    }

    fn write_unmapped(&self, report: &mut String) {
        let unmapped = &self.names.unmapped;
        if unmapped.is_empty() {
            return;
        }
        let heading = "Not imported, because nothing says what they are called here";
        let _ = writeln!(report, "{}", paint(style::CARE, heading));
        let mut sorted: Vec<_> = unmapped.iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((experiment, variation), count) in sorted.iter().take(NAMED) {
            let variation = variation.as_ref().map(|variation| format!(", variation {}", shown(variation)));
            let (experiment, variation) = (shown(experiment), variation.unwrap_or_default());
            let _ = writeln!(report, "  experiment {experiment}{variation}: {}", counted(**count, "assignment"));
        }
        if sorted.len() > NAMED {
            let _ = writeln!(report, "  and {} more", sorted.len() - NAMED);
        }
    }

    /// How the names were found, in words.
    fn ways(&self) -> [(&'static str, u64); 6] {
        let names = &self.names;
        [
            ("named by the map", names.by_map),
            ("named by their ids in the settings", names.by_id),
            ("named as in the settings", names.by_name),
            ("named by their place in the settings", names.by_place),
            ("left out, as the map says", names.left_out),
            ("of an older bucket version, and left out", names.outdated),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        let (lines, fate, names) = (&self.lines, &self.fate, &self.names);
        let unmapped: Vec<Value> = names
            .unmapped
            .iter()
            .map(|((experiment, variation), count)| {
                json!({ "experiment": experiment, "variation": variation, "assignments": count })
            })
            .collect();
        json!({
            "lines": lines.count,
            "malformed": lines.malformed,
            "read": self.read,
            "claimed": fate.claimed,
            "kept": fate.kept,
            "keptOtherVariation": fate.kept_other,
            "replaced": fate.replaced,
            "failed": fate.failed,
            "firstFailure": fate.first_failure,
            "namedByMap": names.by_map,
            "namedById": names.by_id,
            "namedByName": names.by_name,
            "namedByPlace": names.by_place,
            "leftOut": names.left_out,
            "outdatedVersions": names.outdated,
            "otherAttributes": names.other_attributes,
            "unmapped": unmapped,
        })
    }
}
