//! What was measured, told.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::Call;
use super::measure::Measured;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped};

/// The shares of calls whose times are told.
const SHARES: [f64; 3] = [0.5, 0.99, 0.999];

/// Columns of a call, of a count, and of a time.
const CALL: usize = 16;
const COUNT: usize = 12;
const TIME: usize = 9;

/// The table for people.
pub(super) fn report(storage: &str, concurrency: u16, measured: &[(Call, Measured)]) -> String {
    let mut report = String::new();
    let title = format!("{storage}, {} at a time", counted(u64::from(concurrency), "call"));
    let _ = writeln!(report, "{}", paint(style::HEADING, title));
    let columns = format!(
        "{:CALL$}{:>COUNT$}{:>COUNT$}{:>TIME$}{:>TIME$}{:>TIME$}",
        "", "answered", "ops/s", "p50", "p99", "p99.9"
    );
    let _ = writeln!(report, "{}", paint(style::QUIET, columns));
    for (call, measured) in measured {
        let answered = grouped(measured.answered.len() as u64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, rounded for people")]
        let rate = grouped(measured.rate().round() as u64);
        let times: String = SHARES
            .iter()
            .map(|share| format!("{:>TIME$}", measured.within(*share).map_or("–".to_owned(), time)))
            .collect();
        let _ = writeln!(report, "{:CALL$}{answered:>COUNT$}{rate:>COUNT$}{times}", in_words(*call));
        if let Some(failure) = &measured.first_failure {
            let failed = format!("{} failed: {failure}", counted(measured.failed, "call"));
            let _ = writeln!(report, "  {} {failed}", paint(style::BAD, '✗'));
        }
    }
    report
}

pub(super) fn to_json(call: Call, measured: &Measured) -> Value {
    let name = match call {
        Call::GetAbsent => "getAbsent",
        Call::MergeNew => "mergeNew",
        Call::GetStored => "getStored",
        Call::MergeGoal => "mergeGoal",
    };
    let micros = |share| measured.within(share).map(|time| time.as_secs_f64() * 1e6);
    json!({
        "operation": name,
        "answered": measured.answered.len(),
        "failed": measured.failed,
        "firstFailure": measured.first_failure,
        "seconds": measured.took.as_secs_f64(),
        "opsPerSecond": measured.rate(),
        "p50Micros": micros(SHARES[0]),
        "p99Micros": micros(SHARES[1]),
        "p999Micros": micros(SHARES[2]),
    })
}

fn in_words(call: Call) -> &'static str {
    match call {
        Call::GetAbsent => "get, absent",
        Call::MergeNew => "merge, new",
        Call::GetStored => "get, stored",
        Call::MergeGoal => "merge, a goal",
    }
}

/// A time with about three digits.
fn time(time: Duration) -> String {
    let nanos = time.as_secs_f64() * 1e9;
    let (value, unit) = match nanos {
        _ if nanos < 1e3 => return format!("{nanos:.0} ns"),
        _ if nanos < 1e6 => (nanos / 1e3, "µs"),
        _ if nanos < 1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_about_three_digits() {
        for (nanos, told) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_234, "1.23 µs"),
            (12_345, "12.3 µs"),
            (123_456, "123 µs"),
            (1_234_567, "1.23 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), told);
        }
    }
}
