//! Where the storage is: a private server, or several, that this starts.

use std::str::FromStr;
use std::time::Duration;

use steadfast::storage::{Held, PostgresOptions, PostgresStorage, RedisOptions, RedisStorage};
use steadfast_testkit::servers::{Postgres, Redis, RedisCluster};

use super::Problem;

/// A kind of storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Redis,
    Cluster,
    Postgres,
}

/// All of them.
pub(super) const KINDS: [Kind; 3] = [Kind::Redis, Kind::Cluster, Kind::Postgres];

/// The servers of one.
pub(super) enum Place {
    Redis(Redis),
    Cluster(RedisCluster),
    /// And the URL of a database in it.
    Postgres(Postgres, String),
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Redis => "redis",
            Kind::Cluster => "cluster",
            Kind::Postgres => "postgres",
        }
    }

    pub(super) fn start(self) -> Place {
        match self {
            Kind::Redis => Place::Redis(Redis::start()),
            Kind::Cluster => Place::Cluster(RedisCluster::start()),
            Kind::Postgres => {
                let server = Postgres::start();
                let url = server.database();
                Place::Postgres(server, url)
            }
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
            Place::Postgres(_, url) => url.clone(),
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
    if url.starts_with("postgres") {
        let options = PostgresOptions {
            connect_deadline: connect,
            pool_deadline: answer,
            statement_deadline: answer,
            ..PostgresOptions::default()
        };
        return Ok(Held::new(PostgresStorage::open(url, options).await?));
    }
    Ok(Held::new(RedisStorage::open(url, RedisOptions { connect, answer, replicas, ..RedisOptions::default() }).await?))
}
