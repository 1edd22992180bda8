//! The few styles there are. Nothing is said by colour alone: a pipe and a colour-blind reader see the same.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// The sentence that matters most, and the headings below it.
pub(crate) const HEADING: Style = Style::new().bold();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What stopped something.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What somebody should look at.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
/// The numbers behind the words.
pub(crate) const QUIET: Style = Style::new().dimmed();

/// The colours of variations, in their order, over and over.
const SERIES: [AnsiColor; 5] =
    [AnsiColor::BrightBlue, AnsiColor::Yellow, AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Green];

/// The style of the variation at this place.
pub(crate) fn of_variation(place: usize) -> Style {
    SERIES[place % SERIES.len()].on_default()
}

/// The text in a style.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
