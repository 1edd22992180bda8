//! Sums with their steps: every figure says what it is made of.

use serde_json::{Value, json};

use crate::terminal::text::{grouped, padded, width};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    BytesPerSecond,
    PerSecond,
    Count,
}

/// One figure.
#[derive(Debug, Clone)]
pub(super) struct Line {
    name: &'static str,
    value: f64,
    unit: Unit,
    sum: String,
}

/// What comes of it all, for those who compare.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    /// Of one user, in memory where the storage is there, on the disk where it is there.
    pub(super) user_bytes: f64,
    /// The memory of all servers, or what is to be in the cache of the one there is.
    pub(super) memory_bytes: f64,
    /// Servers that hold a part each, without their replicas.
    pub(super) shards: f64,
    /// Of all servers.
    pub(super) disk_bytes: f64,
    /// To and from the storage, and between its servers.
    pub(super) network_bytes: f64,
}

/// All figures of a storage.
#[derive(Debug, Default)]
pub(super) struct Sums {
    lines: Vec<Line>,
    pub(super) totals: Totals,
}

impl Sums {
    /// Notes a figure, and gives it back to go on with.
    pub(super) fn line(&mut self, name: &'static str, value: f64, unit: Unit, sum: impl Into<String>) -> f64 {
        self.lines.push(Line { name, value, unit, sum: sum.into() });
        value
    }

    pub(super) fn to_text(&self) -> String {
        let names = self.lines.iter().map(|line| width(line.name)).max().unwrap_or_default();
        let values: Vec<String> = self.lines.iter().map(|line| shown(line.value, line.unit)).collect();
        let widest = values.iter().map(|value| width(value)).max().unwrap_or_default();
        let line = |(line, value): (&Line, &String)| {
            let gap = " ".repeat(widest - width(value));
            format!("  {}  {gap}{value}  {}\n", padded(line.name, names), line.sum)
        };
        self.lines.iter().zip(&values).map(line).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            let unit = match line.unit {
                Unit::Bytes => "bytes",
                Unit::BytesPerSecond => "bytes/s",
                Unit::PerSecond => "1/s",
                Unit::Count => "",
            };
            json!({ "name": line.name, "value": line.value, "unit": unit, "sum": line.sum })
        });
        let Totals { user_bytes, memory_bytes, shards, disk_bytes, network_bytes } = self.totals;
        json!({
            "lines": lines.collect::<Vec<_>>(),
            "bytesPerUser": user_bytes,
            "memoryBytes": memory_bytes,
            "shards": shards,
            "diskBytes": disk_bytes,
            "networkBytesPerSecond": network_bytes,
        })
    }
}

/// A figure as people read it.
pub(super) fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::PerSecond => format!("{}/s", count(value)),
        Unit::Count => count(value),
    }
}

/// A whole number with commas.
pub(super) fn count(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no sum is negative, or near 2^63")]
    let whole = value.round() as u64;
    grouped(whole)
}

/// Three digits and a unit of a thousand each, as disks and networks are sold.
pub(super) fn bytes(value: f64) -> String {
    let mut value = value;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.5 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    let digits = if unit == "B" || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let shown = [(0.0, "0 B"), (999.0, "999 B"), (999.6, "1.00 kB"), (12_345.0, "12.3 kB"), (176e9, "176 GB")];
        for (value, text) in shown {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn a_line_keeps_its_columns() {
        let mut sums = Sums::default();
        sums.line("a user", 12.0, Unit::Bytes, "3 + 9");
        sums.line("users", 1_000_000.0, Unit::Count, "");
        assert_eq!(sums.to_text(), "  a user       12 B  3 + 9\n  users   1,000,000  \n");
    }
}
