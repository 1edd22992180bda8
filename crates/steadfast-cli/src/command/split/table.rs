//! A split as lines of text with bars.

use std::fmt::Write;

use anstyle::Style;

use super::Part;
use crate::terminal::bar::bar_with_mark;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{grouped, off_by, padded, percent, width};

/// Columns of the longest bar.
const BAR: usize = 48;

/// Columns of counts and of percentages.
pub(crate) const COUNT: usize = 12;
pub(crate) const PERCENT: usize = 9;

/// A line of the table: what it is about, fit for a line, and its style.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) part: Part,
    pub(crate) style: Style,
}

/// Writes the rows under their headings, each with a bar below it where those are `with_bars`.
pub(crate) fn write(report: &mut String, rows: &[Row], with_bars: bool) {
    let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    let largest = rows.iter().map(|row| row.part.share.max(row.part.expected)).fold(f64::MIN_POSITIVE, f64::max);
    let columns = format!(
        "  {} {:>COUNT$} {:>PERCENT$} {:>PERCENT$} {:>PERCENT$}",
        padded("", names),
        "users",
        "share",
        "expected",
        "off by"
    );
    let _ = writeln!(report, "{}", paint(style::QUIET, columns));
    for Row { name, part, style } in rows {
        let users = grouped(part.users);
        let _ = writeln!(
            report,
            "  {} {users:>COUNT$} {:>PERCENT$} {:>PERCENT$} {:>PERCENT$}",
            padded(name, names),
            percent(part.share),
            percent(part.expected),
            off_by(part.share, part.expected),
        );
        if with_bars {
            let bar = bar_with_mark(part.share / largest, part.expected / largest, BAR);
            let _ = writeln!(report, "  {}", paint(*style, bar));
        }
    }
    if with_bars {
        let _ = writeln!(report, "  {}", paint(style::QUIET, "┃ is where the bar should end"));
    }
}
