//! What was counted, told.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::later::{AT_A_TIME, DELAY, Measured};
use super::scene::{CAMPAIGN, Ending, GOAL, NEW_TRAFFIC, NEW_WEIGHTS, Scene};
use crate::terminal::bar::bar;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped, listed, padded, share};

/// Columns of a bar that stands for everybody.
const BAR: usize = 32;

/// Columns of the words before a bar, and of a count.
const WORDS: usize = 26;
const COUNT: usize = 7;

/// Columns of the table at the end.
const ROW: usize = 32;
const COLUMN: usize = 20;

/// What is told.
pub(super) struct Story<'s> {
    pub(super) scene: &'s Scene,
    pub(super) without: &'s Ending,
    pub(super) with: &'s Ending,
    /// With a storage that answers later, asked in each call.
    pub(super) asked: &'s Measured,
    /// The same, with the data of a user fetched once.
    pub(super) fetched: &'s Measured,
}

impl Story<'_> {
    /// The story. `saved` is where its settings were written to.
    pub(super) fn tell(&self, saved: Option<&Path>) -> String {
        let mut story = tell_change(self.scene, self.without, self.with);
        tell_waiting(&mut story, self.asked, self.fetched);
        try_next(&mut story, saved);
        story
    }
}

fn tell_change(scene: &Scene, without: &Ending, with: &Ending) -> String {
    let mut story = String::new();
    let users = u64::from(scene.users);
    let names: Vec<&str> = without.first_day.iter().map(|(name, _)| &**name).collect();
    let title = format!("One experiment, {}, and a change in the middle", counted(users, "user"));
    let _ = writeln!(story, "{}\n", paint(style::HEADING, title));

    heading(&mut story, 1, &format!("The experiment {CAMPAIGN} starts, for all users, split evenly"));
    split(&mut story, &without.first_day, users);

    let weights: Vec<String> =
        names.iter().zip(NEW_WEIGHTS).map(|(name, weight)| format!("{name} {weight} %")).collect();
    heading(&mut story, 2, "Somebody changes it while it runs");
    let _ = writeln!(story, "   weights: {}; traffic: from 100 % to {NEW_TRAFFIC} %\n", listed(&weights, "and"));

    heading(&mut story, 3, &format!("The same {} come back", counted(users, "user")));
    for (how, ending) in [("without a storage", without), ("with a storage in a file (embedded:)", with)] {
        let _ = writeln!(story, "   {how}");
        row(&mut story, "see the same as before", ending.same, users, style::GOOD);
        row(&mut story, "see another variation", ending.switched, users, style::BAD);
        row(&mut story, "fall out of the experiment", ending.lost, users, style::BAD);
    }
    let broken = without.switched + without.lost;
    let kept = with.switched + with.lost;
    let _ = writeln!(
        story,
        "   {}\n",
        paint(
            style::HEADING,
            format!("Changed under their eyes: {} without a storage, {} with one", grouped(broken), grouped(kept))
        )
    );

    heading(
        &mut story,
        4,
        &format!("As many new users come; for them the new rules hold ({NEW_TRAFFIC} %, {})", ratio()),
    );
    split(&mut story, &with.newcomers, users);

    heading(&mut story, 5, &format!("One in ten reaches the goal {GOAL}, and the page reports it twice"));
    for (how, ending) in [("without a storage", without), ("with a storage", with)] {
        let total = ending.purchases.iter().sum();
        let _ = writeln!(story, "   {how}");
        for (words, users, style) in [
            ("counted once", ending.purchases[1], style::GOOD),
            ("counted twice", ending.purchases[2], style::BAD),
            ("not counted at all", ending.purchases[0], style::BAD),
        ] {
            row(&mut story, words, users, total, style);
        }
    }
    story.push('\n');
    story
}

fn tell_waiting(story: &mut String, asked: &Measured, fetched: &Measured) {
    let delay = DELAY.as_millis();
    heading(story, 6, &format!("The same once more, with a storage that answers after {delay} ms"));
    let at_a_time = grouped(AT_A_TIME as u64);
    let _ = writeln!(
        story,
        "   A page asks twice, one with a purchase four times; {at_a_time} users are there at a time\n"
    );
    let mut row = |words: &str, tell: &dyn Fn(&Measured) -> String| {
        let (asked, fetched) = (tell(asked), tell(fetched));
        let _ = writeln!(story, "     {}{asked:>COLUMN$}{fetched:>COLUMN$}", padded(words, ROW));
    };
    row("", &|measured| match measured.fetching {
        None => "asked in each call".to_owned(),
        Some(_) => "fetched once".to_owned(),
    });
    row("same as with the file", &|measured| format!("{} of {}", grouped(measured.same), grouped(measured.visits)));
    row("purchases counted", &|measured| grouped(measured.purchases));
    row("look-ups", &|measured| grouped(measured.look_ups));
    row("fetching waits", &|measured| measured.fetching.map_or_else(|| "-".to_owned(), waited));
    row("a call waits", &|measured| waited(measured.call));
    row("a visit waits in all", &|measured| waited(measured.visit));
    row("all visits took", &|measured| format!("{:.1} s", measured.total.as_secs_f64()));
    let _ = writeln!(story, "\n   {}", paint(style::QUIET, "Of waits the median. `client.stored(user)` fetches."));
}

fn waited(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

fn ratio() -> String {
    let weights: Vec<String> = NEW_WEIGHTS.iter().map(ToString::to_string).collect();
    weights.join(" to ")
}

fn heading(story: &mut String, number: u32, words: &str) {
    let _ = writeln!(story, "{}", paint(style::HEADING, format!("{number}  {words}")));
}

fn split(story: &mut String, counts: &[(String, u64)], users: u64) {
    for (place, (name, count)) in counts.iter().enumerate() {
        row(story, name, *count, users, style::of_variation(place));
    }
    story.push('\n');
}

fn row(story: &mut String, words: &str, count: u64, users: u64, style: anstyle::Style) {
    let bar = if count == 0 { String::new() } else { paint(style, bar(share(count, users), BAR)) };
    let line = format!("     {} {:>COUNT$}  {bar}", padded(words, WORDS), grouped(count));
    let _ = writeln!(story, "{}", line.trim_end());
}

fn try_next(story: &mut String, saved: Option<&Path>) {
    let file = saved.map_or_else(|| "demo.json".to_owned(), |path| path.display().to_string());
    let _ = writeln!(story, "\n{}", paint(style::HEADING, "Try next"));
    let mut command = |words: &str| {
        let _ = writeln!(story, "   steadfast {words}");
    };
    if saved.is_none() {
        command("demo --save-settings demo.json");
    }
    command(&format!("explain --settings {file} --campaign {CAMPAIGN} --user Ashley"));
    command(&format!("simulate --settings {file} --campaign {CAMPAIGN}"));
    command(&format!("validate {file}"));
    let call = format!("{{\"op\":\"activate\",\"campaignKey\":\"{CAMPAIGN}\",\"userId\":\"Ashley\"}}");
    let _ =
        writeln!(story, "   echo '{call}' | \\\n     steadfast batch --settings {file} --storage embedded:users.redb");
    let _ = writeln!(story, "   steadfast storage list --storage embedded:users.redb");
}
