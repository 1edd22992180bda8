//! Users, and what stays the same about each of them.

use super::Style;
use super::words::GOALS;
use crate::random::Random;

/// A user of a file.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: String,
    /// The goal they track where a storage lives; elsewhere any.
    pub(super) goal: Option<&'static str>,
    pub(super) habit: Habit,
}

/// What a user's calls look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Any call.
    Anything,
    /// Their calls bring the record of the called campaign along.
    BringsRecord,
    /// Their stored records name variations that are gone, and they only activate.
    Outdated,
}

/// The users of a file.
pub(super) fn users(random: &mut Random, style: Style) -> Vec<User> {
    let count = random.between(4, 30);
    (0..count)
        .map(|number| {
            let habit = match random.below(10) {
                0 if style.has_storage && !style.counts_again => Habit::BringsRecord,
                1 if style.has_storage => Habit::Outdated,
                _ => Habit::Anything,
            };
            let goal = style.has_storage.then(|| random.pick(GOALS));
            User { id: id(random, number), goal, habit }
        })
        .collect()
}

/// An id; `number` keeps those of a file apart.
fn id(random: &mut Random, number: u64) -> String {
    let salt = random.between(0, 0xffff_ffff);
    match random.below(9) {
        0 => format!("{salt:08x}-{number:04x}-4a1b-8c2d-{salt:012x}"),
        1 => format!("user.{number}.{salt}@example.com"),
        2 => format!("{salt}{number:03}"),
        3 => format!("Jürgen {number} {salt}"),
        4 => format!("пользователь-{number}-{salt}"),
        5 => format!("😀{number}👩‍👩‍👧{salt}"),
        6 => format!("日本{number}_{salt}"),
        7 => format!(" {number} \"quoted\\{salt}\t"),
        _ => format!("user{number}{salt}"),
    }
}
