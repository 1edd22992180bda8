//! Where Redis is, and how it is talked to.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use crate::error::{StorageError, StorageErrorKind};

const ACCEPTED: &str = "expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, \
                        redis+cluster://HOST[:PORT],HOST[:PORT]..., or redis+sentinel://HOST[:PORT],HOST.../MASTER";

/// How a [`RedisStorage`](super::RedisStorage) is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// So long may making a connection take, with TLS and password: 2 s by default.
    pub connect: Duration,
    /// So long may an answer take: 1 s by default. A client mostly waits for less, and has a limit of its own.
    pub answer: Duration,
    /// After so long without a write a user's records go, at the latest after a century. By default they stay for ever;
    /// but for a user who was written to while there was one: their records go at that time, unless `PERSIST` is said to
    /// the key.
    pub retention: Option<Duration>,
    /// A write counts once so many replicas have it too (`WAIT`), so that it outlives a primary that fails: 0 by default.
    /// It then takes a round trip more, and fails while there are fewer.
    pub replicas: u32,
    /// Nothing is made: a server that holds nothing yet is not marked with the version of this one, and one that only
    /// reads will do. Not by default.
    pub existing: bool,
    /// What all keys begin with: `steadfast:` by default.
    pub prefix: String,
    /// The certificate that the server's is signed with, in PEM, where the system does not know it.
    pub root_certificate: Option<Vec<u8>>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        RedisOptions {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            retention: None,
            replicas: 0,
            existing: false,
            prefix: "steadfast:".to_owned(),
            root_certificate: None,
        }
    }
}

/// What a URL names.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Single(ConnectionInfo),
    Cluster(Vec<ConnectionInfo>),
    Sentinel { sentinels: Vec<ConnectionInfo>, master: String, redis: RedisConnectionInfo, tls: bool },
}

impl Target {
    /// # Errors
    /// When the text is no URL of one of these. It is not repeated: there may be a password in it.
    pub(super) fn from_url(url: &str) -> Result<Target, StorageError> {
        let wrong = |what: &str| {
            StorageError::new(StorageErrorKind::Denied, format!("the URL of the Redis storage {what}: {ACCEPTED}"))
        };
        let unreadable =
            "cannot be read (in a user or password write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F)";
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no `://`"))?;
        let one = |url: String| url.into_connection_info().map_err(|error| wrong(unreadable).with_source(error));
        if rest.contains('?') {
            return Err(wrong("has something after a `?`, and there is nothing to be set there: see `RedisOptions`"));
        }
        let (tls, kind) = match scheme {
            "redis" => return one(url.to_owned()).map(Target::Single),
            "rediss" => return one(url.to_owned()).map(Target::Single),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            _ => return Err(wrong("is of another kind")),
        };
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (format!("{credentials}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.split(',').any(str::is_empty) {
            return Err(wrong("names no host"));
        }
        let simple = if tls { "rediss" } else { "redis" };
        let default_port = if kind == "sentinel" { 26_379 } else { 6_379 };
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((_, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => host.to_owned(),
            _ => format!("{host}:{default_port}"),
        };
        if kind == "cluster" {
            if !path.is_empty() {
                return Err(wrong("names a database, and a Cluster has only one"));
            }
            let nodes = hosts.split(',').map(|host| one(format!("{simple}://{credentials}{}/", with_port(host))));
            return nodes.collect::<Result<_, _>>().map(Target::Cluster);
        }
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        if master.is_empty() {
            return Err(wrong("does not name the master that the Sentinels watch"));
        }
        // The user and the password are the server's; Sentinels mostly have none.
        let sentinels = hosts.split(',').map(|host| one(format!("redis://{}/", with_port(host))));
        let redis = one(format!("redis://{credentials}localhost/{database}"))?.redis_settings().clone();
        Ok(Target::Sentinel { sentinels: sentinels.collect::<Result<_, _>>()?, master: master.to_owned(), redis, tls })
    }

    /// Where it is, for messages: without user and password.
    pub(super) fn place(&self) -> String {
        let hosts =
            |nodes: &[ConnectionInfo]| nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>().join(", ");
        match self {
            Target::Single(server) => format!("Redis at {}", server.addr()),
            Target::Cluster(nodes) => format!("the Redis Cluster of {}", hosts(nodes)),
            Target::Sentinel { sentinels, master, .. } => {
                format!("the Redis `{master}` of the Sentinels at {}", hosts(sentinels))
            }
        }
    }

    /// Whether the URL gives a password.
    pub(super) fn has_password(&self) -> bool {
        let gives = |node: &ConnectionInfo| node.redis_settings().password().is_some();
        match self {
            Target::Single(server) => gives(server),
            Target::Cluster(nodes) => nodes.iter().any(gives),
            Target::Sentinel { redis, .. } => redis.password().is_some(),
        }
    }

    /// Whether it is talked to under TLS.
    pub(super) fn is_tls(&self) -> bool {
        let tls = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        match self {
            Target::Single(server) => tls(server),
            Target::Cluster(nodes) => nodes.iter().any(tls),
            Target::Sentinel { tls, .. } => *tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> String {
        Target::from_url(url).map(|target| target.place()).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_url_names_a_server_a_cluster_or_a_master() {
        assert_eq!(place("redis://h"), "Redis at h:6379");
        assert_eq!(place("rediss://u:p@h:7/3"), "Redis at h:7");
        assert_eq!(place("redis+cluster://u:p@a,b:7"), "the Redis Cluster of a:6379, b:7");
        assert_eq!(place("redis+sentinel://u:p@a,b:7/main/2"), "the Redis `main` of the Sentinels at a:26379, b:7");
        let Ok(Target::Sentinel { redis, .. }) = Target::from_url("redis+sentinel://u:p@a/main/2") else {
            panic!("it is one")
        };
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("u"), Some("p"), 2));
        assert!(Target::from_url("rediss+cluster://a").is_ok_and(|target| target.is_tls()));
    }

    #[test]
    fn a_wrong_url_is_told_what_is_accepted_and_not_repeated() {
        let wrong = [
            "",
            "h:6379",
            "http://h",
            "redis+cluster://",
            "redis+cluster://a/3",
            "redis+sentinel://secret@a",
            "redis://h/x",
            "redis://h?retention=1d",
            "redis+cluster://h?retention=1d",
        ];
        for url in wrong {
            let error = Target::from_url(url).expect_err(url);
            assert!(error.to_string().ends_with(ACCEPTED) && !error.to_string().contains("secret"), "{url}: {error}");
        }
    }
}
