//! PostgreSQL: rows in pages of 8 kB, and the index of the primary key.

use super::shape::{Shape, begin, records};
use super::sums::{Sums, Totals, Unit, bytes, count};

/// A page without its header; one of an index ends with 16 bytes of its own.
const PAGE: f64 = 8_192.0;
const ROWS: f64 = PAGE - 24.0;
const KEYS: f64 = ROWS - 16.0;
/// What every row and key has in its page beside its bytes.
const POINTER: f64 = 4.0;
/// How full pages are whose keys come in no order.
const FULL: f64 = 0.69;
/// Rows that are dead and not yet vacuumed: `autovacuum_vacuum_scale_factor`.
const DEAD: f64 = 1.2;
/// What a merge writes to the log beside its row and its key.
const LOGGED: f64 = 161.0;
/// Between checkpoints: `checkpoint_timeout`, 5 minutes by default. Raise it to write less.
const CHECKPOINT: f64 = 300.0;
const PACKETS: f64 = 132.0;

pub(super) fn sums(shape: &Shape) -> Sums {
    let mut sums = begin(shape);
    let many = records(shape);
    // A text has its length before it: one byte up to 126, four from there on.
    let stored = [shape.id, shape.campaign, shape.variation, shape.goals].map(text);
    let row = aligned(24.0 + stored.iter().sum::<f64>() + 1.0);
    let sum = format!("24 + {} + 1, in eights", stored.map(|bytes| bytes.to_string()).join(" + "));
    let row = sums.line("row", row, Unit::Bytes, sum);
    let rows = sums.line(
        "rows in a page",
        (ROWS / (row + POINTER)).floor(),
        Unit::Count,
        format!("{ROWS} / ({row} + {POINTER})"),
    );
    let heap = sums.line("a record in the table", PAGE / rows, Unit::Bytes, format!("{PAGE} / {rows}"));
    let key = aligned(8.0 + stored[0] + stored[1]);
    let key = sums.line("key", key, Unit::Bytes, format!("8 + {} + {}, in eights", stored[0], stored[1]));
    let index = PAGE / (KEYS * FULL / (key + POINTER));
    let sum = format!("{PAGE} / ({KEYS} x {FULL} / ({key} + {POINTER}))");
    let index = sums.line("a record in the primary key", index, Unit::Bytes, sum);
    let user = shape.campaigns * (heap + index);
    let sum = format!("{} x ({heap:.1} + {index:.1})", shape.campaigns);
    let user = sums.line("a user", user, Unit::Bytes, sum);
    let data = shape.users * user * DEAD;
    let sum = format!("{} x {user:.1} x {DEAD}, until rows are vacuumed", count(shape.users));
    let data = sums.line("table and index", data, Unit::Bytes, sum);
    let pages = sums.line(
        "pages of the index",
        many * index / PAGE,
        Unit::Count,
        format!("{} x {index:.1} / {PAGE}", count(many)),
    );
    let log = log(&mut sums, shape, row + key, pages);
    let copies = 1.0 + shape.replicas;
    let disk = (data + log * CHECKPOINT * 2.0) * copies;
    let sum = format!("(1 + {}) x ({} + two checkpoints of log)", shape.replicas, bytes(data));
    let disk = sums.line("disk of all servers", disk, Unit::Bytes, sum);
    let memory = many * index * copies;
    let sum = format!("the index, on each of {copies}: where it is not in the cache, a write waits for the disk");
    let memory = sums.line("memory for the cache", memory, Unit::Bytes, sum);
    let network = network(&mut sums, shape, log);
    sums.totals =
        Totals { user_bytes: user, memory_bytes: memory, shards: 1.0, disk_bytes: disk, network_bytes: network };
    sums
}

/// What is written to the log a second: the merges, and each page of the index whole when it is the first time since the
/// checkpoint.
fn log(sums: &mut Sums, shape: &Shape, bytes: f64, pages: f64) -> f64 {
    let merge = sums.line("log of a merge", bytes + LOGGED, Unit::Bytes, format!("{bytes} + {LOGGED}"));
    let touched = pages * (1.0 - (-shape.merges * CHECKPOINT / pages).exp());
    let sum = format!("of {}, {} times at random", count(pages), count(shape.merges * CHECKPOINT));
    let touched = sums.line("pages between checkpoints", touched, Unit::Count, sum);
    let whole = PAGE * FULL;
    let log = shape.merges * merge + touched * whole / CHECKPOINT;
    let sum = format!("{} x {merge} + {} x {whole:.0} / {CHECKPOINT}", count(shape.merges), count(touched));
    sums.line("log", log, Unit::BytesPerSecond, sum)
}

fn network(sums: &mut Sums, shape: &Shape, log: f64) -> f64 {
    let key = shape.id + shape.campaign;
    let all = key + shape.variation + shape.goals;
    // Bind, Execute, Sync; BindComplete, DataRow of eight columns, CommandComplete, ReadyForQuery.
    let get = 55.0 + key + 70.0 + all + PACKETS;
    let get = sums.line("bytes of a look-up", get, Unit::Bytes, format!("Bind and its answer, {PACKETS} of packets"));
    // Eight arrays of one element each.
    let merge = 55.0 + 8.0 * 28.0 + all + 70.0 + key + PACKETS;
    let merge = sums.line("bytes of a write", merge, Unit::Bytes, format!("Bind and its answer, {PACKETS} of packets"));
    let sum =
        format!("{} x {get} + {} x {merge} + {} x the log", count(shape.gets), count(shape.merges), shape.replicas);
    let all = shape.gets * get + shape.merges * merge + shape.replicas * log;
    sums.line("network", all, Unit::BytesPerSecond, sum)
}

fn text(length: f64) -> f64 {
    length + if length <= 126.0 { 1.0 } else { 4.0 }
}

fn aligned(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}
