//! Where the storage is: a private server, or several, that this starts.

use std::str::FromStr;
use std::time::Duration;

use steadfast::storage::{Held, RedisOptions, RedisStorage};
use steadfast_testkit::servers::{Redis, RedisCluster};

use super::Problem;

/// A kind of storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Redis,
    Cluster,
}

/// All of them.
pub(super) const KINDS: [Kind; 2] = [Kind::Redis, Kind::Cluster];

/// The servers of one.
pub(super) enum Place {
    Redis(Redis),
    Cluster(RedisCluster),
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Redis => "redis",
            Kind::Cluster => "cluster",
        }
    }

    pub(super) fn start(self) -> Place {
        match self {
            Kind::Redis => Place::Redis(Redis::start()),
            Kind::Cluster => Place::Cluster(RedisCluster::start()),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = KINDS.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| format!("expected one of {}", KINDS.map(Kind::name).join(", ")))
    }
}

impl Place {
    pub(super) fn url(&self) -> String {
        match self {
            Place::Redis(server) => server.url(),
            Place::Cluster(cluster) => cluster.url(),
        }
    }
}

/// How long the storage may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    pub(super) connect: Duration,
    pub(super) answer: Duration,
    /// What is acknowledged must have come to so many replicas.
    pub(super) replicas: u32,
}

/// The storage at a URL.
pub(super) async fn open(url: &str, deadlines: Deadlines) -> Result<Held, Problem> {
    let Deadlines { connect, answer, replicas } = deadlines;
    Ok(Held::new(RedisStorage::open(url, RedisOptions { connect, answer, replicas, ..RedisOptions::default() }).await?))
}
