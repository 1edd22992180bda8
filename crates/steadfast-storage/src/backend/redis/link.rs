//! The connection: one for all calls, since Redis answers in order and the calls share it; made by the first call, and
//! anew by the next one after it broke.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind,
    TlsCertificates, TlsMode, Value, cmd, from_redis_value, make_extension_error,
};

use super::command::Call;
use super::failure::{into_error, of_script};
use super::options::{RedisOptions, Target};
use crate::error::StorageError;

/// A way to the server.
#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A connection, which one it is, and since when it is there.
struct Made {
    number: u64,
    connection: Connection,
    since: Instant,
}

/// What came of making connections.
#[derive(Default)]
struct Making {
    made: u64,
    /// The last try, if it failed.
    failed: Option<RedisError>,
}

/// The way to the server, or the means to find one.
pub(super) struct Link {
    target: Target,
    options: RedisOptions,
    current: Mutex<Option<Made>>,
    /// Held by whoever makes one: there is no use in two.
    making: Arc<tokio::sync::Mutex<Making>>,
    /// How often it was tried to make one.
    tries: AtomicU64,
    /// Whether one command reaches one user alone.
    one_user: AtomicBool,
}

impl Link {
    pub(super) fn new(target: Target, options: RedisOptions) -> Self {
        let one_user = AtomicBool::new(matches!(target, Target::Cluster(_)));
        Link { target, options, current: Mutex::new(None), making: Arc::default(), tries: AtomicU64::new(0), one_user }
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.options
    }

    pub(super) fn place(&self) -> String {
        self.target.place()
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster(_))
    }

    /// Whether one command reaches one user alone, as far as is known.
    pub(super) fn reaches_one_user(&self) -> bool {
        self.one_user.load(Ordering::Relaxed)
    }

    /// One command reaches one user alone: the server is the node of a Cluster, whatever the URL says.
    pub(super) fn found_to_reach_one_user(&self) {
        self.one_user.store(true, Ordering::Relaxed);
    }

    /// Runs a command where its key is.
    ///
    /// # Errors
    /// When there is no connection, no answer in time, or the server says no.
    pub(super) async fn run<R: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> Result<R, StorageError> {
        let answer = self.send(async |connection| match connection {
            Connection::Single(mut connection) => connection.req_packed_command(command).await,
            Connection::Cluster(mut connection) => connection.req_packed_command(command).await,
        });
        self.read(answer.await)
    }

    /// Runs a command of a Cluster where a slot is.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(super) async fn run_at<R: FromRedisValue>(
        self: &Arc<Self>,
        slot: u16,
        command: Cmd,
    ) -> Result<R, StorageError> {
        let answer = self.send(async |connection| match connection {
            Connection::Single(mut connection) => connection.req_packed_command(&command).await,
            Connection::Cluster(mut connection) => connection.route_command(command, at(slot)).await,
        });
        self.read(answer.await)
    }

    /// Whether the server has lost a script that it was given.
    pub(super) fn is_unknown_script(error: &RedisError) -> bool {
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }

    /// Runs a script by its digest, and by its text where the server does not know it yet.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and when fewer replicas have it than is wanted.
    pub(super) async fn run_script<R: FromRedisValue>(self: &Arc<Self>, call: &Call<'_>) -> Result<R, StorageError> {
        let (by_digest, slot) = (call.by_digest(), call.slot());
        match self.send(async |connection| self.write(connection, &by_digest, slot).await).await {
            Err(error) if Self::is_unknown_script(&error) => {
                let by_text = call.by_text();
                self.read(self.send(async |connection| self.write(connection, &by_text, slot).await).await)
            }
            answer => self.read(answer),
        }
    }

    /// Runs a command that writes, and waits until as many replicas have it as is wanted. On one connection: what `WAIT`
    /// waits for is what that connection wrote.
    async fn write(&self, connection: Connection, command: &Cmd, slot: u16) -> RedisResult<Value> {
        let replicas = self.options.replicas;
        let mut wait = cmd("WAIT");
        wait.arg(replicas).arg(self.options.answer.as_millis().max(1).to_string());
        let (answer, copies) = match connection {
            Connection::Single(mut connection) => {
                let answer = connection.req_packed_command(command).await?.extract_error()?;
                if replicas == 0 {
                    return Ok(answer);
                }
                (answer, connection.req_packed_command(&wait).await?)
            }
            Connection::Cluster(mut connection) => {
                let answer = connection.req_packed_command(command).await?.extract_error()?;
                if replicas == 0 {
                    return Ok(answer);
                }
                (answer, connection.route_command(wait, at(slot)).await?)
            }
        };
        let copies: u32 = from_redis_value(copies.extract_error()?)?;
        if copies >= replicas { Ok(answer) } else { Err(make_extension_error("NOREPLICAS".to_owned(), None)) }
    }

    fn read<R: FromRedisValue>(&self, answer: RedisResult<Value>) -> Result<R, StorageError> {
        answer.and_then(|value| Ok(from_redis_value(value)?)).map_err(|error| self.error(error))
    }

    /// What the server said, for the caller.
    pub(super) fn error(&self, error: RedisError) -> StorageError {
        into_error(&self.target, error)
    }

    async fn send(self: &Arc<Self>, command: impl AsyncFnOnce(Connection) -> RedisResult<Value>) -> RedisResult<Value> {
        let (number, connection) = self.connection().await?;
        let late = || timed_out(self.options.answer);
        let answer = tokio::time::timeout(self.options.answer, command(connection)).await;
        // What the server refuses comes as an answer.
        let answer = answer.unwrap_or_else(|_| Err(late())).and_then(Value::extract_error).map_err(of_script);
        if let Err(error) = &answer
            && self.is_broken(error)
        {
            self.discard(number);
        }
        answer
    }

    /// Whether the connection is of no use any more.
    fn is_broken(&self, error: &RedisError) -> bool {
        if self.is_cluster() {
            // A Cluster's mends itself, but for one case: it may wait for a node that was killed and has another role now,
            // and the calls behind it with it. That shows as calls that end at their deadline.
            return error.is_timeout();
        }
        // What waits behind an answer that does not come waits as well; and who was the master may be one no longer.
        error.is_unrecoverable_error()
            || error.is_timeout()
            || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
    }

    fn discard(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // The shards that answer share a Cluster's connection: it is not made anew all the time.
        let is_new = |made: &Made| self.is_cluster() && made.since.elapsed() < 2 * self.options.connect;
        if current.as_ref().is_some_and(|made| made.number == number && !is_new(made)) {
            *current = None;
        }
    }

    fn current(&self) -> Option<(u64, Connection)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|made| (made.number, made.connection.clone()))
    }

    async fn connection(self: &Arc<Self>) -> RedisResult<(u64, Connection)> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let tries = self.tries.load(Ordering::Acquire);
        let mut making = Arc::clone(&self.making).lock_owned().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        // Who has waited for a try that began after them shares what came of it: nobody waits for more than two.
        if self.tries.load(Ordering::Acquire) > tries
            && let Some(error) = &making.failed
        {
            return Err(error.clone());
        }
        self.tries.fetch_add(1, Ordering::AcqRel);
        // In a task of its own: a caller who gives up must not take the connection with them that others wait for.
        let link = Arc::clone(self);
        let made = tokio::spawn(async move {
            let connecting = tokio::time::timeout(link.options.connect, link.connect());
            let connected = connecting.await.unwrap_or_else(|_| Err(timed_out(link.options.connect)));
            making.failed = connected.as_ref().err().cloned();
            let connection = connected?;
            making.made += 1;
            let made = Made { number: making.made, connection: connection.clone(), since: Instant::now() };
            *link.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            Ok((making.made, connection))
        });
        made.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let certificates = || TlsCertificates { client_tls: None, root_cert: self.options.root_certificate.clone() };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect))
            .set_response_timeout(Some(self.options.answer));
        match &self.target {
            Target::Single(server) => {
                let client = match self.target.is_tls() && self.options.root_certificate.is_some() {
                    true => Client::build_with_tls(server.clone(), certificates())?,
                    false => Client::open(server.clone())?,
                };
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            Target::Sentinel { sentinels, master, redis, tls } => {
                let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
                let mut builder = SentinelClientBuilder::new(addresses, master.clone(), SentinelServerType::Master)?;
                if *tls {
                    builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
                    if self.options.root_certificate.is_some() {
                        builder = builder.set_client_to_redis_certificates(certificates());
                    }
                }
                if let Some(user) = redis.username() {
                    builder = builder.set_client_to_redis_username(user);
                }
                if let Some(password) = redis.password() {
                    builder = builder.set_client_to_redis_password(password);
                }
                let mut client = builder.set_client_to_redis_db(redis.db()).build()?;
                client.get_async_connection_with_config(&config).await.map(Connection::Single)
            }
            Target::Cluster(nodes) => {
                let mut builder = ClusterClient::builder(nodes.iter().cloned())
                    // A node that says nothing must not use up the time for all of them.
                    .connection_timeout(self.options.connect / 3)
                    .response_timeout(self.options.answer)
                    // For slots that move; what cannot be reached is left to the layers above.
                    .retries(3);
                if self.target.is_tls() && self.options.root_certificate.is_some() {
                    builder = builder.certs(certificates());
                }
                builder.build()?.get_async_connection().await.map(Connection::Cluster)
            }
        }
    }
}

/// Where a slot is.
fn at(slot: u16) -> RoutingInfo {
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master)))
}

fn timed_out(after: Duration) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} ms", after.as_millis())).into()
}
