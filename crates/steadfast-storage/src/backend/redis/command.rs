//! What is said to Redis, byte by byte.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{
    Cmd, FromRedisValue, ParsingError, RedisError, Script, Value, cmd, from_redis_value, make_extension_error,
};
use steadfast_engine::Record;

use super::value;
use crate::error::StorageError;
use crate::merge::{Claim, Condition};

/// The version of what is stored, under a key of its own.
pub(super) const FORMAT: u64 = 1;

const MERGE: &str = include_str!("merge.lua");
const SET: &str = "redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if ARGV[1] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end";
// What is none of ours is erased as well: it lies in the user's place.
const ERASE: &str = "local many = redis.pcall('HLEN', KEYS[1])
local was = redis.call('UNLINK', KEYS[1])
return type(many) == 'table' and was or many";

/// Redis refuses a time that its clock does not reach.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What the server knows a script by, once it was told its text.
static MERGE_DIGEST: LazyLock<Script> = LazyLock::new(|| Script::new(MERGE));
static SET_DIGEST: LazyLock<Script> = LazyLock::new(|| Script::new(SET));
static ERASE_DIGEST: LazyLock<Script> = LazyLock::new(|| Script::new(ERASE));

/// A script, by its digest or by its text.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    digest: &'static LazyLock<Script>,
    text: &'static str,
    keys: &'c [Vec<u8>],
    arguments: &'c [Vec<u8>],
}

impl Call<'_> {
    pub(super) fn by_digest(&self) -> Cmd {
        self.command("EVALSHA", self.digest.get_hash())
    }

    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", self.text)
    }

    /// The slot of a Cluster that the keys lie in.
    pub(super) fn slot(&self) -> u16 {
        self.keys.first().map_or(0, |key| slot(key))
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len());
        self.keys.iter().chain(self.arguments).for_each(|argument| {
            command.arg(&argument[..]);
        });
        command
    }
}

/// The slot of a key, by the rule of Redis Cluster: what stands between the first brace and the next one, if anything
/// does, else all of it.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let after = &key[open + 1..];
        let length = after.iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        Some(&after[..length])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % 16_384
}

/// A key for each slot of a Cluster that no user has, to ask the node about the slot with.
pub(super) fn probe(prefix: &str, slot: u16) -> Cmd {
    static TAGS: LazyLock<Vec<u32>> = LazyLock::new(|| {
        let (mut tags, mut left) = (vec![None; 16_384], 16_384);
        for number in 0_u32.. {
            let place = &mut tags[usize::from(self::slot(format!("{{{number}}}").as_bytes()))];
            if place.is_none() {
                *place = Some(number);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        tags.into_iter().flatten().collect()
    });
    let mut command = cmd("HGET");
    // None of a user's: theirs end with the tag.
    command.arg(format!("{prefix}{{{}}}slot", TAGS[usize::from(slot) % 16_384])).arg("");
    command
}

/// The key of a user: the id is the hash tag, and lies as it is.
pub(super) fn key(prefix: &str, user: &str) -> Vec<u8> {
    [prefix.as_bytes(), b"{", user.as_bytes(), b"}"].concat()
}

/// The user of a key; none where it is not one of these.
pub(super) fn user<'k>(prefix: &str, key: &'k [u8]) -> Option<&'k str> {
    std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?.strip_prefix(b"{")?.strip_suffix(b"}")?).ok()
}

/// The key that says which version this is. It is none of a user's.
pub(super) fn format_key(prefix: &str) -> String {
    format!("{prefix}format")
}

pub(super) fn get(key: &[u8], campaigns: &[&str]) -> Cmd {
    let mut command = cmd("HMGET");
    command.arg(key).arg(campaigns);
    command
}

pub(super) fn get_all(key: &[u8]) -> Cmd {
    let mut command = cmd("HGETALL");
    command.arg(key);
    command
}

/// # Errors
/// When the record could not be read again.
pub(super) fn set(record: &Record, retention: Option<Duration>) -> Result<Vec<Vec<u8>>, StorageError> {
    Ok(vec![milliseconds(retention), record.campaign_key.clone().into(), value::encode(record)?.into()])
}

pub(super) fn set_call<'c>(key: &'c Vec<u8>, arguments: &'c [Vec<u8>]) -> Call<'c> {
    Call { digest: &SET_DIGEST, text: SET, keys: std::slice::from_ref(key), arguments }
}

/// The arguments of a merge before those of its claims: see `merge.lua`.
pub(super) fn merge(retention: Option<Duration>) -> Vec<Vec<u8>> {
    vec![milliseconds(retention)]
}

/// The arguments of one claim; whether it is the first of its user.
///
/// # Errors
/// When its record could not be read again.
pub(super) fn claim(claim: &Claim, is_first: bool) -> Result<[Vec<u8>; 3], StorageError> {
    let Claim { record, goal, condition, was_read: _ } = claim;
    let (condition, gone) = match condition {
        Condition::Absent => ('a', ""),
        Condition::Stored => ('s', ""),
        Condition::Replaces(gone) => ('r', gone.as_str()),
        Condition::Unknown => ('u', ""),
    };
    let condition = if is_first { condition.to_ascii_uppercase() } else { condition };
    let goal = goal.as_deref().unwrap_or_default();
    let rest = format!("{condition}{}:{goal}{gone}", goal.len());
    Ok([record.campaign_key.clone().into(), value::encode(record)?.into(), rest.into()])
}

pub(super) fn merge_call<'c>(keys: &'c [Vec<u8>], arguments: &'c [Vec<u8>]) -> Call<'c> {
    Call { digest: &MERGE_DIGEST, text: MERGE, keys, arguments }
}

/// What `merge.lua` answers to a claim.
pub(super) enum Before {
    /// There was nothing.
    Nothing,
    /// There was this value.
    Value(Vec<u8>),
    /// The key is none of a user's.
    Refused(RedisError),
}

impl FromRedisValue for Before {
    fn from_redis_value(value: Value) -> Result<Before, ParsingError> {
        Ok(match value {
            Value::Nil => Before::Nothing,
            Value::Array(errors) => {
                let error: String = from_redis_value(Value::Array(errors)).map(|[error]: [String; 1]| error)?;
                let (code, detail) = error.split_once(' ').unwrap_or((&error, ""));
                Before::Refused(make_extension_error(code.to_owned(), Some(detail.to_owned())))
            }
            value => Before::Value(from_redis_value(value)?),
        })
    }
}

pub(super) fn erase_call(key: &Vec<u8>) -> Call<'_> {
    Call { digest: &ERASE_DIGEST, text: ERASE, keys: std::slice::from_ref(key), arguments: &[] }
}

fn milliseconds(retention: Option<Duration>) -> Vec<u8> {
    retention.map(|retention| retention.min(A_CENTURY).as_millis().max(1).to_string().into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_where_redis_says() {
        // As `CLUSTER KEYSLOT` answers.
        let slots: [(&[u8], u16); 5] =
            [(b"123456789", 12_739), (b"foo", 12_182), (b"a{foo}b", 12_182), (b"{}foo", 9_500), (b"foo{{bar}}", 4_015)];
        for (key, expected) in slots {
            assert_eq!(slot(key), expected, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_user_is_found_in_their_key() {
        for name in ["Ashley", "", "{x}", "a}b", "\0"] {
            assert_eq!(user("p:", &key("p:", name)), Some(name));
        }
        assert_eq!(user("p:", format_key("p:").as_bytes()), None);
    }
}
