//! The connection: one for all calls, since Redis answers in order and the calls share it; made by the first call, and
//! anew by the next one after it broke.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
    TlsCertificates, TlsMode, Value, cmd, from_redis_value, make_extension_error,
};

use super::command::Call;
use super::failure::{into_error, of_script, server_error};
use super::gather::Gathered;
use super::options::{RedisOptions, Target};
use crate::error::StorageError;

/// A connection on which so long nothing is heard, while calls are given up, is made anew by the next call.
const SILENCE: Duration = Duration::from_millis(250);

/// The code of an error of ours: a write was made, and `WAIT` has not told of as many copies as are wanted.
pub(super) const TOO_FEW_COPIES: &str = "TOOFEWCOPIES";

/// No longer pause is made before a command is run once more that a Cluster has not done.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

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
    pulse: Arc<Pulse>,
    gathered: Arc<Gathered>,
}

/// What was heard on a connection.
#[derive(Default)]
struct Pulse {
    answers: AtomicU64,
    /// So many answers there had been when a call was given up by its caller, and since when that call had waited.
    silence: Mutex<Option<(u64, Instant)>>,
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
    /// How often it came to something to make one.
    tries: AtomicU64,
}

/// A call that waits for its answer. Whoever has a shorter deadline than this drops it, and then it is all that shows that
/// the connection is silent.
pub(super) struct Waiting<'l> {
    link: &'l Link,
    number: u64,
    pulse: Arc<Pulse>,
    answers: u64,
    since: Instant,
    is_answered: bool,
}

impl Waiting<'_> {
    /// It has its answer.
    pub(super) fn heard(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            self.pulse.answers.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_silent = {
            let mut silence = self.pulse.silence.lock().unwrap_or_else(PoisonError::into_inner);
            let answers = self.pulse.answers.load(Ordering::Relaxed);
            let begins = match *silence {
                // Nothing was heard since an earlier call was given up.
                Some((before, since)) if before == answers => since.min(self.since),
                // In a Cluster others answer: there it is this call's node that may say nothing.
                _ if self.answers == answers || self.link.is_cluster() => self.since,
                _ => Instant::now(),
            };
            *silence = Some((answers, begins));
            begins.elapsed() >= SILENCE
        };
        if is_silent {
            self.link.discard(self.number);
        }
    }
}

/// Where in a Cluster a command was done.
#[derive(Clone)]
enum Node {
    /// Where its slot is.
    OfSlot,
    /// Where the slot is moving to.
    Asked(String, u16),
}

impl Link {
    pub(super) fn new(target: Target, options: RedisOptions) -> Self {
        Link { target, options, current: Mutex::new(None), making: Arc::default(), tries: AtomicU64::new(0) }
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

    /// Runs a command that only reads, where its key is.
    ///
    /// # Errors
    /// When there is no connection, no answer in time, or the server says no.
    pub(super) async fn run<R: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> Result<R, StorageError> {
        self.run_numbered(command).await.map(|(_, answer)| answer)
    }

    /// The same, with the number of the connection it was said on.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(super) async fn run_numbered<R: FromRedisValue>(
        self: &Arc<Self>,
        command: &Cmd,
    ) -> Result<(u64, R), StorageError> {
        let answer = self.send(async |connection| match connection {
            Connection::Single(mut connection) => connection.req_packed_command(command).await,
            Connection::Cluster(mut connection) => in_cluster(&mut connection, command, None, true).await.0,
        });
        let (number, answer) = answer.await;
        Ok((number, self.read(answer)?))
    }

    /// Runs commands of a Cluster, one after the other, on the node that has a slot as far as is known, and on no other.
    ///
    /// # Errors
    /// As for [`run`](Self::run), for the first that failed.
    pub(super) async fn run_at(self: &Arc<Self>, slot: u16, commands: &[Cmd]) -> Result<Vec<Value>, StorageError> {
        let (pipe, many) = (pipe(commands), commands.len());
        let answer = self.send(async |connection| {
            let answers = match connection {
                Connection::Single(mut connection) => connection.req_packed_commands(&pipe, 0, many).await,
                Connection::Cluster(mut connection) => connection.route_pipeline(pipe, 0, many, of_slot(slot)).await,
            };
            answers.map(Value::Array)
        });
        self.read(answer.await.1)
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
        let by_digest = call.by_digest();
        match self.send(async |connection| self.write(connection, &by_digest, call).await).await.1 {
            Err(error) if Self::is_unknown_script(&error) => {
                let by_text = call.by_text();
                self.read(self.send(async |connection| self.write(connection, &by_text, call).await).await.1)
            }
            answer => self.read(answer),
        }
    }

    /// Runs a command that writes, and waits until as many replicas have it as is wanted. On one connection: what `WAIT`
    /// waits for is what that connection wrote.
    async fn write(&self, connection: Connection, command: &Cmd, call: &Call<'_>) -> RedisResult<Value> {
        let replicas = self.options.replicas;
        let (answer, copies) = match connection {
            Connection::Single(mut connection) => {
                let answer = connection.req_packed_command(command).await?.extract_error()?;
                if replicas == 0 {
                    return Ok(answer);
                }
                (answer, connection.req_packed_command(&self.wait()).await?)
            }
            Connection::Cluster(mut connection) => {
                let slot = call.slot();
                let (answer, node) = in_cluster(&mut connection, command, Some(slot), false).await;
                let answer = answer?;
                if replicas == 0 {
                    return Ok(answer);
                }
                let node = match node {
                    Node::OfSlot => of_slot(slot),
                    Node::Asked(host, port) => SingleNodeRoutingInfo::ByAddress { host, port },
                };
                (answer, connection.route_command(self.wait(), RoutingInfo::SingleNode(node)).await?)
            }
        };
        let copies: u32 = from_redis_value(copies.extract_error()?)?;
        if copies >= replicas { Ok(answer) } else { Err(make_extension_error(TOO_FEW_COPIES.to_owned(), None)) }
    }

    /// For a part of the time there is, so that its answer is heard, whatever it is.
    fn wait(&self) -> Cmd {
        let mut wait = cmd("WAIT");
        wait.arg(self.options.replicas).arg((self.options.answer.as_millis() * 3 / 4).max(1).to_string());
        wait
    }

    fn read<R: FromRedisValue>(&self, answer: RedisResult<Value>) -> Result<R, StorageError> {
        answer.and_then(|value| Ok(from_redis_value(value)?)).map_err(|error| self.error(error))
    }

    /// What the server said, for the caller.
    pub(super) fn error(&self, error: RedisError) -> StorageError {
        into_error(&self.target, error)
    }

    /// The claims that wait for the connection there is.
    pub(super) fn gathered(&self) -> Option<Arc<Gathered>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|made| Arc::clone(&made.gathered))
    }

    /// Waits for the connection there is: where it gives up without having heard anything, the connection may be silent.
    pub(super) fn watch(&self) -> Option<Waiting<'_>> {
        let (number, _, pulse) = self.current()?;
        let answers = pulse.answers.load(Ordering::Relaxed);
        Some(Waiting { link: self, number, pulse, answers, since: Instant::now(), is_answered: false })
    }

    /// What a caller is told who has waited too long.
    pub(super) fn late(&self) -> StorageError {
        self.error(timed_out(self.options.answer))
    }

    /// The answer, and the number of the connection.
    async fn send(
        self: &Arc<Self>,
        command: impl AsyncFnOnce(Connection) -> RedisResult<Value>,
    ) -> (u64, RedisResult<Value>) {
        let (number, connection, pulse) = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return (0, Err(error)),
        };
        let answers = pulse.answers.load(Ordering::Relaxed);
        let mut waiting = Waiting { link: self, number, pulse, answers, since: Instant::now(), is_answered: false };
        let late = || timed_out(self.options.answer);
        let answer = tokio::time::timeout(self.options.answer, command(connection)).await;
        waiting.is_answered = answer.is_ok();
        // What the server refuses comes as an answer.
        let answer = answer.unwrap_or_else(|_| Err(late())).and_then(Value::extract_error).map_err(of_script);
        if let Err(error) = &answer
            && self.is_broken(error)
        {
            self.discard(number);
        }
        (number, answer)
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

    pub(super) fn discard(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // The shards that answer share a Cluster's connection: it is not made anew all the time.
        let is_new = |made: &Made| self.is_cluster() && made.since.elapsed() < 2 * self.options.connect;
        if current.as_ref().is_some_and(|made| made.number == number && !is_new(made))
            && let Some(made) = current.take()
        {
            drop(current);
            made.gathered.give_up();
        }
    }

    fn current(&self) -> Option<(u64, Connection, Arc<Pulse>)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|made| (made.number, made.connection.clone(), Arc::clone(&made.pulse)))
    }

    async fn connection(self: &Arc<Self>) -> RedisResult<(u64, Connection, Arc<Pulse>)> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let tries = self.tries.load(Ordering::Acquire);
        let mut making = Arc::clone(&self.making).lock_owned().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        // Who has waited for a try shares what came of it: nobody waits for more than one.
        if self.tries.load(Ordering::Acquire) > tries
            && let Some(error) = &making.failed
        {
            return Err(error.clone());
        }
        // In a task of its own: a caller who gives up must not take the connection with them that others wait for.
        let link = Arc::clone(self);
        let made = tokio::spawn(async move {
            let connecting = tokio::time::timeout(link.options.connect, link.connect());
            let connected = connecting.await.unwrap_or_else(|_| Err(timed_out(link.options.connect)));
            making.failed = connected.as_ref().err().cloned();
            link.tries.fetch_add(1, Ordering::AcqRel);
            let connection = connected?;
            making.made += 1;
            let (number, pulse) = (making.made, Arc::<Pulse>::default());
            let (connected, gathered) = (connection.clone(), Arc::new(Gathered::new(number)));
            let made =
                Made { number, connection: connected, since: Instant::now(), pulse: Arc::clone(&pulse), gathered };
            *link.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            Ok((number, connection, pulse))
        });
        made.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
    }

    /// A server that is a node of a Cluster, or has become a replica, which may be behind, is none to be asked. A server
    /// that does not tell is taken as it is; everybody may ask.
    async fn is_as_the_url_says(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let Ok(about) = connection.req_packed_command(&cmd("HELLO")).await.and_then(Value::extract_error) else {
            return Ok(());
        };
        let Ok(about) = from_redis_value::<HashMap<String, Value>>(about) else { return Ok(()) };
        let is = |what: &str, wanted: &str| {
            about
                .get(what)
                .and_then(|said| from_redis_value::<String>(said.clone()).ok())
                .is_some_and(|said| said == wanted)
        };
        if is("mode", "cluster") {
            Err(server_error("CROSSSLOT a node of a Cluster"))
        } else if !self.options.existing && is("role", "replica") {
            Err(server_error("READONLY a replica"))
        } else {
            Ok(())
        }
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
                let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                self.is_as_the_url_says(&mut connection).await?;
                Ok(Connection::Single(connection))
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
                    // It would do so also after a connection that broke, when a write may have been done: see `in_cluster`.
                    .retries(0);
                if self.target.is_tls() && self.options.root_certificate.is_some() {
                    builder = builder.certs(certificates());
                }
                builder.build()?.get_async_connection().await.map(Connection::Cluster)
            }
        }
    }
}

/// Runs a command in a Cluster, at its slot or else at its key, and goes after a slot that has moved or is moving: those
/// who said so have done nothing. After a connection that broke only a command that `reads` is run once more.
async fn in_cluster(
    connection: &mut ClusterConnection,
    command: &Cmd,
    slot: Option<u16>,
    reads: bool,
) -> (RedisResult<Value>, Node) {
    let mut node = Node::OfSlot;
    let mut pause = Duration::from_millis(5);
    loop {
        let answer = match (&node, slot) {
            (Node::OfSlot, None) => connection.req_packed_command(command).await,
            (Node::OfSlot, Some(slot)) => {
                connection.route_command(command.clone(), RoutingInfo::SingleNode(of_slot(slot))).await
            }
            (Node::Asked(host, port), _) => {
                let node = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
                let answers = connection.route_pipeline(pipe(&[cmd("ASKING"), command.clone()]), 1, 1, node).await;
                answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
            }
        };
        let answer = answer.and_then(Value::extract_error);
        let Err(error) = &answer else { return (answer, node) };
        let asked = error.redirect_node().filter(|_| error.kind() == ErrorKind::Server(ServerErrorKind::Ask));
        let has_done_nothing = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::Ask | ServerErrorKind::Moved | ServerErrorKind::TryAgain | ServerErrorKind::ReadOnly
            ) | ErrorKind::ClusterConnectionNotFound
        );
        if pause > LONGEST_PAUSE || !(has_done_nothing || reads && error.is_connection_dropped()) {
            return (answer, node);
        }
        node = asked.and_then(|(node, _)| address(node)).map_or(Node::OfSlot, |(host, port)| Node::Asked(host, port));
        if matches!(node, Node::OfSlot) {
            // The library looks up anew where slots are.
            tokio::time::sleep(pause).await;
        }
        pause *= 2;
    }
}

/// The host and port of a node.
fn address(node: &str) -> Option<(String, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

fn pipe(commands: &[Cmd]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command.clone());
    }
    pipeline
}

/// Where a slot is.
fn of_slot(slot: u16) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master))
}

fn timed_out(after: Duration) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} ms", after.as_millis())).into()
}
