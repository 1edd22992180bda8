//! What Redis says, as an error of this crate: which kind, in words that name the server and say what to do next.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::link::TOO_FEW_COPIES;
use super::options::Target;
use super::value::Flaw;
use crate::error::{StorageError, StorageErrorKind};

/// The error for the caller. The server's own words are its source: they never name a user.
pub(super) fn into_error(target: &Target, error: RedisError) -> StorageError {
    use StorageErrorKind::{Corrupt, Denied, Full, Other, TimedOut, Unavailable};
    let place = target.place();
    let (kind, message) = match (error.kind(), error.code()) {
        // A server that waits for a plain command takes a greeting under TLS for the start of one.
        _ if error.is_timeout() && target.is_tls() => (
            TimedOut,
            format!(
                "{place} did not answer in time: see whether it is overloaded or cut off, and the port the one for TLS"
            ),
        ),
        _ if error.is_timeout() => {
            (TimedOut, format!("{place} did not answer in time: see whether it is overloaded or cut off"))
        }
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) if !target.has_password() => {
            (Denied, format!("{place} asks for a password, and the URL has none: put one into it, as `:PASSWORD@HOST`"))
        }
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
            (Denied, format!("{place} refuses the user or the password: check both in the URL"))
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => (
            Denied,
            format!("{place} does not permit this: give the user the commands and keys that docs/operations.md lists"),
        ),
        (ErrorKind::Server(ServerErrorKind::CrossSlot | ServerErrorKind::Moved | ServerErrorKind::Ask), _)
            if !matches!(target, Target::Cluster(_)) =>
        {
            (Denied, format!("{place} is a node of a Cluster: write redis+cluster://, which finds the others"))
        }
        (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => {
            (Unavailable, format!("{place} is moving slots from node to node: try again"))
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            (Denied, format!("{place} is a replica, which only reads: name the primary"))
        }
        (ErrorKind::Server(ServerErrorKind::ClusterDown), _) => {
            (Unavailable, format!("{place} does not serve all of its slots: see `CLUSTER INFO`"))
        }
        (
            ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::MasterDown),
            _,
        )
        | (_, Some("BUSY")) => (Unavailable, format!("{place} is not ready: try again")),
        (_, Some("OOM")) => {
            (Full, format!("{place} has no memory left: raise `maxmemory`, and keep its policy at `noeviction`"))
        }
        (_, Some("NOREPLICAS")) => (
            Unavailable,
            format!(
                "{place} takes no writes while fewer replicas follow it than its `min-replicas-to-write` says: start them, or \
                 set it to 0 for a lone server"
            ),
        ),
        (_, Some(TOO_FEW_COPIES)) => (
            Unavailable,
            format!(
                "{place} has not copied a write to as many replicas as it must be: it may be lost if the primary fails now; \
                 check the replicas"
            ),
        ),
        (_, Some("MISCONF")) => (Unavailable, format!("{place} takes no writes now: see its log")),
        (_, Some("WRONGTYPE")) => (
            Corrupt,
            format!(
                "{place} has something else under a key of this storage: erase the user, or give it another prefix"
            ),
        ),
        // The Sentinels say so, too, of one that is down until they have put another in its place.
        (ErrorKind::MasterNameNotFoundBySentinel, _) => {
            (Unavailable, format!("{place} is down, or not known to them: check the name of the master, or try again"))
        }
        _ if is_about_tls(&error) => (
            Denied,
            format!(
                "{place} cannot be talked to under TLS: check that the port is the one for TLS, and that its certificate \
                 is trusted and names the host"
            ),
        ),
        (ErrorKind::ClusterConnectionNotFound | ErrorKind::Io, _) if matches!(target, Target::Cluster(_)) => {
            (Unavailable, format!("{place} cannot be reached: check that its nodes run, and that this is a Cluster"))
        }
        _ if says(&error, "cluster support disabled") => {
            (Denied, format!("{place} is none: the server is no node of a Cluster, so write redis://"))
        }
        _ if says(&error, "DB index is out of range") => (
            Denied,
            format!("{place} has no database of this number: write another one at the end of the URL, or none"),
        ),
        (ErrorKind::InvalidClientConfig, _) if matches!(target, Target::Sentinel { .. }) => (
            Denied,
            format!(
                "{place} cannot be asked for: see whether one of these is no Sentinel; for a server write redis://"
            ),
        ),
        (ErrorKind::InvalidClientConfig, _) => (Denied, format!("{place} cannot be used as the URL says: check it")),
        // A server that speaks TLS hangs up on whoever does not.
        (ErrorKind::Io, _) if !target.is_tls() && error.is_connection_dropped() && !error.is_connection_refusal() => (
            Unavailable,
            format!("{place} closed the connection: check that it runs, or write rediss:// if it demands TLS"),
        ),
        (ErrorKind::Io, _) => {
            (Unavailable, format!("{place} cannot be reached ({error}): check that it runs, and the address"))
        }
        (ErrorKind::Parse, _) => {
            (Denied, format!("{place} does not speak Redis: check the address, or write rediss:// if it demands TLS"))
        }
        _ => (Other, format!("{place} cannot do this: {}", error.code().unwrap_or("it does not say why"))),
    };
    StorageError::new(kind, message).with_source(error)
}

/// What the server said inside a script as if it had said so to a plain command: before version 7 it wraps that in words
/// about the script.
pub(super) fn of_script(error: RedisError) -> RedisError {
    let text = error.to_string();
    let said = text.contains("user_script").then(|| text.rsplit_once(": -")).flatten();
    said.map(|(_, said)| server_error(said)).unwrap_or(error)
}

/// What a server would say in these words.
pub(super) fn server_error(words: &str) -> RedisError {
    let said = redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).and_then(redis::Value::extract_error);
    said.err().unwrap_or_else(|| redis::make_extension_error("ERR".to_owned(), Some(words.to_owned())))
}

fn says(error: &RedisError, words: &str) -> bool {
    error.to_string().contains(words)
}

fn is_about_tls(error: &RedisError) -> bool {
    let text = error.to_string();
    ["certificate", "Certificate", "InvalidContentType", "corrupt message", "handshake"]
        .iter()
        .any(|word| text.contains(word))
}

/// A value is not what was written, or was written by a newer version.
pub(super) fn flawed(place: &str, flaw: Flaw) -> StorageError {
    match flaw {
        Flaw::Corrupt => StorageError::new(
            StorageErrorKind::Corrupt,
            format!("a record in {place} is damaged: put another in its place, or erase the user"),
        ),
        Flaw::Newer => StorageError::new(
            StorageErrorKind::NewerFormat,
            format!("a record in {place} was written by a newer version: use that one"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_ran_into_is_what_is_said() {
        let said = "-ERR Error running script (call to f_93): @user_script:1: @user_script: 1: -OOM command not allowed \
                    when used memory > 'maxmemory'.\r\n";
        let wrapped = redis::parse_redis_value(said.as_bytes()).and_then(|value| value.extract_error());
        let plain = of_script(wrapped.expect_err("an error"));
        assert_eq!(plain.code(), Some("OOM"));
        let other = redis::make_extension_error("OOM".to_owned(), Some("no: -script".to_owned()));
        assert_eq!(of_script(other.clone()).to_string(), other.to_string());
    }
}
