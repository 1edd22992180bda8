//! The file: a B-tree of pages of 4 kB.

use super::shape::{Shape, begin, records};
use super::sums::{Sums, Totals, Unit, count};

const PAGE: f64 = 4_096.0;
/// Where key and value end, in the page.
const ENDS: f64 = 8.0;
/// How full pages are whose keys come in no order.
const FULL: f64 = 0.69;
/// Pages are written anew, and the old ones are free for what comes; so the file has as many again.
const FREE: f64 = 2.0;

pub(super) fn sums(shape: &Shape) -> Sums {
    let mut sums = begin(shape);
    let many = records(shape);
    let key = sums.line(
        "key",
        shape.id + 1.0 + shape.campaign,
        Unit::Bytes,
        format!("{} + 1 + {}", shape.id, shape.campaign),
    );
    let goals = if shape.goals == 0.0 { 0.0 } else { counted(shape.goals) };
    let value = 2.0 + counted(shape.variation) + goals + 4.0;
    let sum = format!("2 + {} + {goals} + 4 of checksum", counted(shape.variation));
    let value = sums.line("value", value, Unit::Bytes, sum);
    let compact = (key + value + ENDS) / FULL;
    let sum = format!("({key} + {value} + {ENDS}) / {FULL}");
    let compact = sums.line("a record in its page", compact, Unit::Bytes, sum);
    let record = sums.line(
        "a record in the file",
        compact * FREE,
        Unit::Bytes,
        format!("{FREE} x {compact:.1}, before `compact`"),
    );
    let user = sums.line("a user", shape.campaigns * record, Unit::Bytes, format!("{} x {record:.1}", shape.campaigns));
    let disk = sums.line("the file", many * record, Unit::Bytes, format!("{} x {record:.1}", count(many)));
    // An inner page has a key, a number and a checksum for each of those below: 16 + 8 + 4 bytes beside the key.
    let inner = many * compact / PAGE * (key + 28.0) / FULL;
    let sum = format!("{} pages x ({key} + 28) / {FULL}", count(many * compact / PAGE));
    let memory = sums.line("inner pages", inner, Unit::Bytes, sum);
    sums.totals = Totals { user_bytes: user, memory_bytes: memory, shards: 1.0, disk_bytes: disk, network_bytes: 0.0 };
    sums
}

/// A text after its length.
fn counted(length: f64) -> f64 {
    length + if length < 128.0 { 1.0 } else { 2.0 }
}
