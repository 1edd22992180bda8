//! The simulation as an SVG picture. It brings its own background and follows the reader's light or dark scheme.

use std::fmt::Write;

use super::{Simulation, in_short};
use crate::command::split::{self, ChiSquare, Part};
use crate::terminal::text::{counted, grouped, off_by, percent, share, width};

/// The picture's width, and what is left free around it, in units of its view box.
const WIDTH: f64 = 880.0;
const MARGIN: f64 = 36.0;

/// Where the bars start and end.
const BARS_FROM: f64 = 220.0;
const BARS_TO: f64 = 672.0;

/// The height of a variation's row, and of its bar.
const ROW: f64 = 52.0;
const BAR: f64 = 26.0;

/// Where the first row starts.
const ROWS_FROM: f64 = 168.0;

/// Longer names are cut to this many columns; the whole name stands in the row's tooltip.
const NAME_COLUMNS: usize = 19;

/// Marks on the axis, at most.
const TICKS: f64 = 6.0;

/// Told apart also by those who see few colours, on light and on dark ground.
const COLOURS: [&str; 6] = ["#4477d6", "#e39016", "#1a9988", "#b8559f", "#8a9a1c", "#6a5acd"];

/// Classes rather than attributes, so that the dark scheme can change them.
const STYLE: &str = "
  svg { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; }
  text { fill: #1c2330; font-size: 14px; }
  .card { fill: #ffffff; stroke: #dfe3ea; }
  .title { font-size: 21px; font-weight: 600; }
  .quiet { fill: #5b6575; font-size: 13px; }
  .strong { font-weight: 600; }
  .grid { stroke: #e6e9ef; }
  .track { fill: #e6e9ef; }
  .gap { fill: #98a1ad; }
  .expected { stroke: #1c2330; stroke-width: 2.5; stroke-linecap: round; }
  .good { fill: #1f883d; }
  .bad { fill: #cf222e; }
  .sign { fill: none; stroke: #ffffff; stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6eaf0; }
    .card { fill: #12161d; stroke: #2b323d; }
    .quiet { fill: #9aa5b4; }
    .grid { stroke: #2b323d; }
    .track { fill: #2b323d; }
    .gap { fill: #6c7786; }
    .expected { stroke: #e6eaf0; }
    .good { fill: #2ea043; }
    .bad { fill: #e5534b; }
  }
";

/// One bar.
struct Row<'s> {
    name: &'s str,
    part: &'s Part,
    /// Its colour; none for users without a variation.
    colour: Option<&'static str>,
}

/// The picture as the text of an SVG file.
pub(super) fn draw(simulation: &Simulation<'_>) -> String {
    let mut rows: Vec<Row<'_>> = simulation
        .variations
        .iter()
        .zip(COLOURS.iter().cycle())
        .map(|(arm, colour)| Row { name: arm.name, part: &arm.part, colour: Some(colour) })
        .collect();
    if simulation.has_gap() {
        rows.push(Row { name: "no variation", part: &simulation.without_variation, colour: None });
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let rows_to = ROWS_FROM + ROW * rows.len() as f64;
    let height = rows_to + 128.0;
    let mut svg = String::new();
    let title = format!("{} of {}", counted(simulation.users, "new user"), simulation.campaign.key());
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>",
        escaped(&title),
        escaped(&description(simulation, &rows)),
        WIDTH - 1.0,
        height - 1.0,
    );
    let heading = format!("{} of {}", counted(simulation.users, "new user"), cut(simulation.campaign.key(), 48));
    write_text(&mut svg, MARGIN, 50.0, "title", &heading);
    draw_let_in(&mut svg, simulation);
    draw_rows(&mut svg, &rows, rows_to);
    draw_legend(&mut svg, rows_to + 62.0);
    draw_verdict(&mut svg, simulation, rows_to + 96.0);
    svg.push_str("</svg>\n");
    svg
}

/// What the picture shows, for those who cannot see it.
fn description(simulation: &Simulation<'_>, rows: &[Row<'_>]) -> String {
    let parts: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} (expected {})", row.name, percent(row.part.share), percent(row.part.expected)))
        .collect();
    format!("{} let in: {}. {}.", grouped(simulation.let_in), parts.join(", "), split::verdict(simulation.test))
}

/// A thin bar over everybody: who takes part.
fn draw_let_in(svg: &mut String, simulation: &Simulation<'_>) {
    const TOP: f64 = 72.0;
    const HEIGHT: f64 = 8.0;
    let whole = WIDTH - 2.0 * MARGIN;
    let inside = share(simulation.let_in + simulation.whitelisted, simulation.users);
    rectangle(svg, "class=\"track\"", (MARGIN, TOP), (whole, HEIGHT), 4.0);
    if inside > 0.0 {
        rectangle(svg, "class=\"good\"", (MARGIN, TOP), ((whole * inside).max(HEIGHT), HEIGHT), 4.0);
    }
    let mut parts = vec![format!(
        "{} let in ({})",
        grouped(simulation.let_in),
        percent(share(simulation.let_in, simulation.users))
    )];
    if simulation.whitelisted > 0 {
        parts.push(format!("{} whitelisted", grouped(simulation.whitelisted)));
    }
    parts
        .extend(simulation.left_out.iter().map(|(reason, users)| format!("{} {}", grouped(*users), in_short(*reason))));
    write_text(svg, MARGIN, TOP + 30.0, "quiet", &parts.join("  ·  "));
    let title = if simulation.let_in == 0 { "Nobody was let in" } else { "How those who were let in are split" };
    write_text(svg, MARGIN, ROWS_FROM - 22.0, "strong", title);
}

/// The bars, with the axis behind them.
fn draw_rows(svg: &mut String, rows: &[Row<'_>], bottom: f64) {
    let largest = rows.iter().map(|row| row.part.share.max(row.part.expected)).fold(0.01, f64::max);
    let step = tick_step(largest);
    let last = (largest / step).ceil() * step;
    let x = |share: f64| BARS_FROM + (BARS_TO - BARS_FROM) * share / last;
    let mut tick = 0.0;
    while tick <= last + step / 2.0 {
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\"/>\n\
             <text class=\"quiet\" x=\"{0:.1}\" y=\"{3:.1}\" text-anchor=\"middle\">{4} %</text>",
            x(tick),
            ROWS_FROM,
            bottom,
            bottom + 20.0,
            (tick * 10_000.0).round() / 100.0,
        );
        tick += step;
    }
    let mut top = ROWS_FROM;
    for row in rows {
        let middle = top + ROW / 2.0;
        let from = middle - BAR / 2.0;
        let _ = writeln!(svg, "<g>\n<title>{}</title>", escaped(row.name));
        let _ = writeln!(
            svg,
            "<text class=\"strong\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
            middle + 5.0,
            escaped(&cut(row.name, NAME_COLUMNS))
        );
        let fill = row.colour.map_or_else(|| "class=\"gap\"".to_owned(), |colour| format!("fill=\"{colour}\""));
        if row.part.share > 0.0 {
            rectangle(svg, &fill, (BARS_FROM, from), ((x(row.part.share) - BARS_FROM).max(1.5), BAR), 3.0);
        }
        let _ = writeln!(
            svg,
            "<line class=\"expected\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\"/>",
            x(row.part.expected),
            from - 5.0,
            from + BAR + 5.0,
        );
        let beside = BARS_TO + 22.0;
        write_text(svg, beside, middle - 3.0, "strong", &percent(row.part.share));
        let off = off_by(row.part.share, row.part.expected);
        write_text(svg, beside, middle + 15.0, "quiet", &format!("{} ({off})", counted(row.part.users, "user")));
        svg.push_str("</g>\n");
        top += ROW;
    }
}

/// What bars and lines mean.
fn draw_legend(svg: &mut String, y: f64) {
    let mut x = BARS_FROM;
    for colour in &COLOURS[..3] {
        rectangle(svg, &format!("fill=\"{colour}\""), (x, y - 9.0), (9.0, 11.0), 2.0);
        x += 11.0;
    }
    write_text(svg, x + 7.0, y + 1.0, "quiet", "share of the users let in");
    let line = x + 204.0;
    let _ =
        writeln!(svg, "<line class=\"expected\" x1=\"{line}\" x2=\"{line}\" y1=\"{}\" y2=\"{}\"/>", y - 13.0, y + 5.0);
    write_text(svg, line + 12.0, y + 1.0, "quiet", "share the settings promise");
}

/// The outcome of the test.
fn draw_verdict(svg: &mut String, simulation: &Simulation<'_>, y: f64) {
    let mismatch = simulation.test.map(ChiSquare::is_mismatch);
    let (class, sign, words) = match mismatch {
        Some(true) => ("bad", "m-4,-4 l8,8 m0,-8 l-8,8", "The split does not match the weights: "),
        Some(false) => ("good", "m-4.5,0.5 l3,3.2 l6,-6.6", "The split matches the weights: "),
        None => ("gap", "m-4,0 l8,0", ""),
    };
    let (x, middle) = (MARGIN + 9.0, y - 5.0);
    let _ = writeln!(
        svg,
        "<circle class=\"{class}\" cx=\"{x}\" cy=\"{middle}\" r=\"9\"/>\n\
         <path class=\"sign\" d=\"M{x},{middle} {sign}\"/>"
    );
    write_text(svg, MARGIN + 28.0, y, "", &format!("{words}{}", split::verdict(simulation.test)));
}

/// The distance between the marks of an axis up to `largest`: the smallest round one that does not need too many.
fn tick_step(largest: f64) -> f64 {
    let steps = [0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
    steps.into_iter().find(|step| largest / step <= TICKS).unwrap_or(0.2)
}

fn rectangle(svg: &mut String, fill: &str, (x, y): (f64, f64), (width, height): (f64, f64), radius: f64) {
    let _ = writeln!(
        svg,
        "<rect {fill} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
    );
}

fn write_text(svg: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text));
}

/// The text, cut where it is too wide.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        if width(&cut) + 1 >= columns {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// The text as XML has it. Characters that XML cannot hold at all are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // XML 1.0, production 2: no control characters but three kinds of white space, and no noncharacters.
            '\t' | '\n' | '\r' => escaped.push(' '),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escaped("a<b & \"c\">'d'\u{1}"), "a&lt;b &amp; &quot;c&quot;&gt;&apos;d&apos;\u{fffd}");
        assert_eq!(cut("a name that is far too long to fit", 10), "a name th…");
        assert_eq!(cut("short", 10), "short");
    }

    #[test]
    fn axes_have_few_round_marks() {
        assert_eq!(tick_step(0.5), 0.1);
        assert_eq!(tick_step(1.0), 0.2);
        assert_eq!(tick_step(0.25), 0.05);
        assert_eq!(tick_step(0.09), 0.02);
    }
}
