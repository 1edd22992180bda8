//! What users and their records look like, and how often they come.

use super::sums::{Sums, Unit, count};

/// What the storage is asked to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) users: f64,
    pub(super) campaigns: f64,
    /// The length of a user id, of a campaign key, of the name of a variation, of all goals with what is between them.
    pub(super) id: f64,
    pub(super) campaign: f64,
    pub(super) variation: f64,
    pub(super) goals: f64,
    /// Whether records go by themselves.
    pub(super) expires: bool,
    /// Look-ups a second, and writes.
    pub(super) gets: f64,
    pub(super) merges: f64,
    /// The memory of a server.
    pub(super) server: f64,
    /// Servers that hold the same as another.
    pub(super) replicas: f64,
}

/// What a record has, whichever storage keeps it.
pub(super) fn begin(shape: &Shape) -> Sums {
    let mut sums = Sums::default();
    sums.line("users", shape.users, Unit::Count, "");
    sums.line("records", records(shape), Unit::Count, format!("{} a user", count(shape.campaigns)));
    sums.line("look-ups", shape.gets, Unit::PerSecond, "one a request");
    sums.line("writes", shape.merges, Unit::PerSecond, "the share of requests that decide or count something new");
    sums
}

pub(super) fn records(shape: &Shape) -> f64 {
    shape.users * shape.campaigns
}

/// `goals` of `bytes` each, as a record lists them.
pub(super) fn goal_list(goals: f64, bytes: f64) -> f64 {
    if goals == 0.0 { 0.0 } else { goals * bytes + (goals - 1.0) * 5.0 }
}

/// How many digits a length has.
pub(super) fn digits(length: f64) -> f64 {
    let mut digits = 1.0;
    let mut rest = length;
    while rest >= 10.0 {
        rest /= 10.0;
        digits += 1.0;
    }
    digits
}
