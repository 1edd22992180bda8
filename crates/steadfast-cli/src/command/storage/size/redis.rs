//! Redis: what its allocator is asked for, user by user. The figures are those of Redis 7 on a machine of 64 bits.

use super::shape::{Shape, begin, digits};
use super::sums::{Sums, Totals, Unit, bytes, count};

/// `steadfast:{}`.
const AROUND_ID: f64 = 12.0;
/// A longer field or value, or more fields than the second, and the hash is kept as a table (the server's defaults,
/// `hash-max-listpack-value` and `hash-max-listpack-entries`).
const COMPACT: f64 = 64.0;
const COMPACT_FIELDS: f64 = 512.0;
/// An entry of a table: key, value, next. In a Cluster it has two more, for the other keys of its slot.
const ENTRY: f64 = 24.0;
const CLUSTER_ENTRY: f64 = 40.0;
const OBJECT: f64 = 16.0;
/// A table has between one place and two for each of its entries.
const PLACES: f64 = 16.0;
const TABLE: f64 = 56.0;
/// What the records may take of a server's memory. The rest: see `docs/scale.md`.
const FILLED: f64 = 0.6;
/// What one server does in a second when it does nothing else: `cargo bench … --bench redis`. Half is planned for.
const GETS: f64 = 100_000.0;
const MERGES: f64 = 20_000.0;
const BUSY: f64 = 0.5;
/// The headers of a packet there and one back: Ethernet, IPv4, TCP with time stamps.
const PACKETS: f64 = 132.0;

pub(super) fn sums(shape: &Shape) -> Sums {
    let mut sums = begin(shape);
    let user = user(&mut sums, shape, false);
    let one = shape.users * user / (shape.server * FILLED);
    let calls = (shape.gets / GETS + shape.merges / MERGES) / BUSY;
    // More than one server is a Cluster, where a user takes more.
    let is_cluster = one > 1.0 || calls > 1.0;
    let user = if is_cluster {
        sums = begin(shape);
        self::user(&mut sums, shape, true)
    } else {
        user
    };
    let all = sums.line("all users", shape.users * user, Unit::Bytes, format!("{} x {user}", count(shape.users)));
    let room = shape.server * FILLED;
    let room = sums.line("room on a server", room, Unit::Bytes, format!("{FILLED} x {}", bytes(shape.server)));
    let by_memory = (all / room).ceil().max(1.0);
    sums.line("shards by memory", by_memory, Unit::Count, format!("{} / {}", bytes(all), bytes(room)));
    let by_calls = calls.ceil().max(1.0);
    let sum =
        format!("({} / {} + {} / {}) / {BUSY}", count(shape.gets), count(GETS), count(shape.merges), count(MERGES));
    sums.line("shards by calls", by_calls, Unit::Count, sum);
    // A Cluster elects with a majority of its shards: there are three at least.
    let least = if is_cluster { 3.0 } else { 1.0 };
    let shards = by_memory.max(by_calls).max(least);
    sums.line("shards", shards, Unit::Count, if is_cluster { "the larger, and 3 at least" } else { "one server" });
    let servers = shards * (1.0 + shape.replicas);
    let servers = sums.line("servers", servers, Unit::Count, format!("{} x (1 + {})", count(shards), shape.replicas));
    let sum = format!("{} x {}", count(servers), bytes(shape.server));
    let memory = sums.line("memory of all servers", servers * shape.server, Unit::Bytes, sum);
    let disk = disk(&mut sums, shape, servers / shards);
    let network = network(&mut sums, shape);
    sums.totals = Totals { user_bytes: user, memory_bytes: memory, shards, disk_bytes: disk, network_bytes: network };
    sums
}

/// What a user takes.
fn user(sums: &mut Sums, shape: &Shape, cluster: bool) -> f64 {
    let length = shape.id + AROUND_ID;
    let key = text(length);
    let key = sums.line("key", key, Unit::Bytes, format!("a text of {AROUND_ID} + {} bytes", shape.id));
    let entry = if cluster { CLUSTER_ENTRY } else { ENTRY };
    let entry = block(entry) + block(OBJECT) + PLACES;
    let sum = format!("entry, object, {PLACES} for its place{}", if cluster { "; in a Cluster" } else { "" });
    let entry = sums.line("in the table of keys", entry, Unit::Bytes, sum);
    let value = value(shape);
    let sum = format!(
        "1, +, {}: and {}, {}: and {}",
        digits(shape.variation),
        shape.variation,
        digits(shape.goals),
        shape.goals
    );
    let value = sums.line("value of a record", value, Unit::Bytes, sum);
    let records = if value > COMPACT || shape.campaign > COMPACT || shape.campaigns > COMPACT_FIELDS {
        let places = block(8.0 * (shape.campaigns.log2().floor() + 1.0).exp2().max(4.0));
        let each = block(ENTRY) + text(shape.campaign) + text(value);
        let sum = format!("as a table: {} + {places} + {} x {each}", block(TABLE), shape.campaigns);
        sums.line("records of a user", block(TABLE) + places + shape.campaigns * each, Unit::Bytes, sum)
    } else {
        let each = element(shape.campaign) + element(value);
        let listed = 7.0 + shape.campaigns * each;
        let sum = format!("as a list: 7 + {} x {each} = {listed}, as the allocator gives it", shape.campaigns);
        sums.line("records of a user", block(listed), Unit::Bytes, sum)
    };
    let expires = if shape.expires { block(ENTRY) + PLACES } else { 0.0 };
    if shape.expires {
        sums.line("when it goes", expires, Unit::Bytes, "an entry and its place in the table of times");
    }
    let went = if shape.expires { format!(" + {expires}") } else { String::new() };
    let sum = format!("{key} + {entry} + {records}{went}");
    sums.line("a user", key + entry + records + expires, Unit::Bytes, sum)
}

/// A dump and the one that takes its place, on every server; see `docs/scale.md` for the log of writes.
fn disk(sums: &mut Sums, shape: &Shape, copies: f64) -> f64 {
    let records = shape.campaigns * (element(shape.campaign) + element(value(shape)));
    let user = shape.id + AROUND_ID + 1.0 + 1.0 + 9.0 + records;
    let user = sums.line("a user in a dump", user, Unit::Bytes, "type, key, list");
    let sum = format!("2 x {copies} x {} x {user}: the dump, and the next while it is written", count(shape.users));
    sums.line("disk of all servers", 2.0 * copies * shape.users * user, Unit::Bytes, sum)
}

fn network(sums: &mut Sums, shape: &Shape) -> f64 {
    let (key, field, value) = (sent(shape.id + AROUND_ID), sent(shape.campaign), sent(value(shape)));
    let get = 4.0 + sent(4.0) + key + field + value + PACKETS;
    let get = sums.line("bytes of a look-up", get, Unit::Bytes, format!("HGET, its answer, {PACKETS} of packets"));
    let retention = if shape.expires { 10.0 } else { 0.0 };
    let claim = field + sent(6.0) + sent(0.0) + sent(1.0) + sent(shape.variation) + sent(shape.goals) + 2.0 * sent(0.0);
    let merge = 5.0 + sent(7.0) + sent(40.0) + sent(1.0) + key + sent(retention) + claim + 9.0 + PACKETS;
    let merge = sums.line("bytes of a write", merge, Unit::Bytes, format!("EVALSHA, its answer, {PACKETS} of packets"));
    let copy = 4.0 + sent(4.0) + key + field + value;
    let copy = sums.line("bytes to a replica", copy, Unit::Bytes, "HSET, for each write");
    let all = shape.gets * get + shape.merges * (merge + shape.replicas * copy);
    let sum =
        format!("{} x {get} + {} x ({merge} + {} x {copy})", count(shape.gets), count(shape.merges), shape.replicas);
    sums.line("network", all, Unit::BytesPerSecond, sum)
}

/// The length of a record's value.
fn value(shape: &Shape) -> f64 {
    2.0 + digits(shape.variation) + 1.0 + shape.variation + digits(shape.goals) + 1.0 + shape.goals
}

/// What the allocator gives to whoever asks for so many bytes: jemalloc, with blocks of 16 bytes as Debian builds it.
fn block(bytes: f64) -> f64 {
    if bytes <= 8.0 {
        return 8.0;
    }
    let step = if bytes <= 128.0 { 16.0 } else { ((bytes - 1.0).log2().floor() - 2.0).exp2() };
    (bytes / step).ceil() * step
}

/// A text of its own.
fn text(length: f64) -> f64 {
    let header = match length {
        _ if length < 32.0 => 1.0,
        _ if length < 256.0 => 3.0,
        _ => 5.0,
    };
    block(header + length + 1.0)
}

/// A text in a list.
fn element(length: f64) -> f64 {
    let header = if length < 64.0 { 1.0 } else { 2.0 };
    let back = if header + length < 128.0 { 1.0 } else { 2.0 };
    header + length + back
}

/// A text in the protocol.
fn sent(length: f64) -> f64 {
    1.0 + digits(length) + 2.0 + length + 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_of_the_allocator() {
        let blocks = [(1.0, 8.0), (9.0, 16.0), (24.0, 32.0), (128.0, 128.0), (129.0, 160.0), (257.0, 320.0)];
        for (asked, given) in blocks {
            assert_eq!(block(asked), given, "{asked}");
        }
    }

    #[test]
    fn texts_have_their_headers() {
        assert_eq!(
            (text(31.0), text(32.0), element(63.0), element(64.0), element(126.0)),
            (48.0, 48.0, 65.0, 67.0, 130.0)
        );
        assert_eq!((sent(0.0), sent(10.0)), ("$0\r\n\r\n".len() as f64, "$10\r\n0123456789\r\n".len() as f64));
    }
}
