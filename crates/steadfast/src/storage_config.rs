//! A storage from its URL and a few options: the backend, and the layers that most programs want over it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "redis", feature = "postgres"))]
use steadfast_storage::Writes;
use steadfast_storage::bridge::{Offloaded, Waited};
#[cfg(feature = "write-behind")]
use steadfast_storage::layer::write_behind::{WriteBehind, WriteBehindOptions};
#[cfg(any(feature = "redis", feature = "postgres"))]
use steadfast_storage::layer::{Breaker, Deadline, Metered, Turn};
use steadfast_storage::layer::{BreakerOptions, Cache, CacheOptions, Pseudonym, PseudonymKey};
use steadfast_storage::{
    AsyncUserStorage, EmbeddedStorage, Held, MemoryStorage, StorageError, StorageErrorKind, UserStorage,
};

/// What a URL may be.
const ACCEPTED: &str = "expected `memory:`, `embedded:PATH`, or a server: `redis://HOST`, `redis+cluster://HOST,HOST`, \
                        `redis+sentinel://HOST,HOST/MASTER` or `postgres://HOST/DATABASE`";

/// Opening a server takes so long at most, however long an answer may.
const OPENING: Duration = Duration::from_secs(10);

/// A storage to be opened: where it is, and what goes over it.
///
/// Over a server: a [`Deadline`], so that nothing waits for long; a [`Breaker`], so that one that is down is left alone;
/// [`Metered`], so that it can be watched through the `metrics` facade. A [`Pseudonym`] and a [`Cache`] where they are
/// wanted. Over a file or memory only those two: it is in this process. Over all of them, where writes are to be kept until
/// the storage has them, [`open_write_behind`](Self::open_write_behind).
///
/// ```
/// use std::time::Duration;
/// use steadfast::{Client, StorageConfig};
/// # use std::sync::Arc;
/// # use steadfast::engine::Settings;
///
/// # async fn open(settings: Arc<Settings>) -> Result<(), steadfast::storage::StorageError> {
/// let storage = StorageConfig::from_url("redis+cluster://cache-1,cache-2")?
///     .look_up(Duration::from_millis(100))
///     .retention(Duration::from_secs(90 * 24 * 3_600))
///     .open()
///     .await?;
/// let client = Client::builder(settings).storage(storage).build();
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StorageConfig {
    place: Place,
    look_up: Duration,
    write: Duration,
    breaker: Option<BreakerOptions>,
    cache: Option<CacheOptions>,
    pseudonym: Vec<PseudonymKey>,
    retention: Option<Duration>,
    replicas: u32,
    #[cfg(feature = "redis")]
    prefix: Option<String>,
    #[cfg(feature = "redis")]
    root_certificate: Option<Vec<u8>>,
    existing: bool,
    in_background: bool,
    /// Where a server is, for people.
    name: Arc<str>,
}

#[derive(Clone)]
enum Place {
    Memory,
    Embedded(String),
    #[cfg(feature = "redis")]
    Redis(String),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl StorageConfig {
    /// A storage at a URL, with the deadlines of [`Limits`](crate::Limits).
    ///
    /// # Errors
    /// [`StorageErrorKind::Denied`] when it is no URL of a storage, or of one that this was built without (the features
    /// `redis` and `postgres`). The URL is not repeated: there may be a password in it.
    pub fn from_url(url: &str) -> Result<StorageConfig, StorageError> {
        let wrong = |what: &str| StorageError::new(StorageErrorKind::Denied, format!("{what}: {ACCEPTED}"));
        let unnamed = || "the storage".to_owned();
        let (place, name) = match url.split_once(':') {
            Some(("memory", "")) => (Place::Memory, unnamed()),
            Some(("embedded", "")) => return Err(wrong("the path of the file is missing")),
            Some(("embedded", path)) if path.starts_with("//") => {
                return Err(wrong("the path of a file stands behind the colon, without `//`"));
            }
            Some(("embedded", path)) => (Place::Embedded(path.to_owned()), unnamed()),
            #[cfg(feature = "redis")]
            Some((
                "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel" | "rediss+sentinel",
                _,
            )) => {
                // Whether the rest of it is right, before anybody waits.
                let storage = steadfast_storage::RedisStorage::new(url, steadfast_storage::RedisOptions::default())?;
                (Place::Redis(url.to_owned()), storage.place())
            }
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => {
                (Place::Postgres(url.to_owned()), steadfast_storage::PostgresStorage::place_of(url)?)
            }
            #[cfg(not(feature = "redis"))]
            Some((
                "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel" | "rediss+sentinel",
                _,
            )) => return Err(not_built_in("redis")),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => return Err(not_built_in("postgres")),
            _ => return Err(wrong("this is not the URL of a storage that can be had here")),
        };
        let limits = crate::Limits::default();
        Ok(StorageConfig {
            place,
            look_up: limits.look_up,
            write: limits.write,
            breaker: Some(BreakerOptions::default()),
            cache: None,
            pseudonym: Vec::new(),
            retention: None,
            replicas: 0,
            #[cfg(feature = "redis")]
            prefix: None,
            #[cfg(feature = "redis")]
            root_certificate: None,
            existing: false,
            in_background: false,
            name: name.into(),
        })
    }

    /// A look-up on a server has so long: 2 s unless told otherwise.
    #[must_use]
    pub fn look_up(mut self, deadline: Duration) -> Self {
        self.look_up = deadline;
        self
    }

    /// A write to a server has so long: 10 s unless told otherwise.
    #[must_use]
    pub fn write(mut self, deadline: Duration) -> Self {
        self.write = deadline;
        self
    }

    /// When a server is left alone, and for how long; `None` for never.
    #[must_use]
    pub fn breaker(mut self, options: Option<BreakerOptions>) -> Self {
        self.breaker = options;
        self
    }

    /// Remembers what was looked up lately.
    #[must_use]
    pub fn cache(mut self, options: CacheOptions) -> Self {
        self.cache = Some(options);
        self
    }

    /// Keeps users by pseudonyms under this key. Called again: keys from before, which users are still found by.
    #[must_use]
    pub fn pseudonym(mut self, key: PseudonymKey) -> Self {
        self.pseudonym.push(key);
        self
    }

    /// In Redis, a user's records go after so long without a write. The others keep them for ever.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// In Redis, what all keys begin with: `steadfast:` unless told otherwise.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// In Redis, the certificate that the server's is signed with, in PEM, where the system does not know it.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn root_certificate(mut self, pem: Vec<u8>) -> Self {
        self.root_certificate = Some(pem);
        self
    }

    /// In Redis, a write counts once so many replicas have it.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Opens what is there, and makes nothing: no table, and no mark of the version. A server that takes no writes will do.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.existing = true;
        self
    }

    /// A server need not be there when this is opened, which then always succeeds and waits for nothing: it is opened again and
    /// again until it is there ([`Opening`](steadfast_storage::Opening)). Until then calls fail, and are decided as the
    /// [policy](steadfast_engine::policy::OnStorageError) says. What cannot be opened is logged once as an error.
    #[must_use]
    pub fn in_background(mut self) -> Self {
        self.in_background = true;
        self
    }

    /// Opens it, for an asynchronous program. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// What opening the backend comes to; [`StorageErrorKind::TimedOut`] when a server takes longer than ten seconds.
    pub async fn open(self) -> Result<Held, StorageError> {
        match &self.place {
            Place::Memory => Ok(self.over_process(Offloaded::new(MemoryStorage::new()))),
            Place::Embedded(path) => {
                let path = path.clone();
                let opening = tokio::task::spawn_blocking(move || EmbeddedStorage::open(path));
                let opened = opening.await.map_err(|error| panicked("opening the file").with_source(error))?;
                Ok(self.over_process(Offloaded::new(opened?)))
            }
            #[cfg(feature = "redis")]
            Place::Redis(url) => {
                let default = steadfast_storage::RedisOptions::default();
                let options = steadfast_storage::RedisOptions {
                    prefix: self.prefix.clone().unwrap_or(default.prefix.clone()),
                    root_certificate: self.root_certificate.clone(),
                    // What is late is given up by the layer; here is only what nobody waits for any more.
                    answer: self.look_up.max(self.write),
                    retention: self.retention,
                    replicas: self.replicas,
                    existing: self.existing,
                    ..default
                };
                let (url, writes) = (url.clone(), steadfast_storage::RedisStorage::WRITES);
                let open = move || {
                    let (url, options) = (url.clone(), options.clone());
                    in_time(async move { steadfast_storage::RedisStorage::open(&url, options).await })
                };
                self.open_server("redis", writes, open).await
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(url) => {
                let options = steadfast_storage::PostgresOptions {
                    statement_deadline: self.look_up.max(self.write),
                    existing: self.existing,
                    ..steadfast_storage::PostgresOptions::default()
                };
                let (url, writes) = (url.clone(), options.writes());
                let open = move || {
                    let (url, options) = (url.clone(), options.clone());
                    in_time(async move { steadfast_storage::PostgresStorage::open(&url, options).await })
                };
                self.open_server("postgres", writes, open).await
            }
        }
    }

    /// Opens a server, now or again and again.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    async fn open_server<S, O>(
        self,
        kind: &'static str,
        writes: Writes,
        mut open: impl FnMut() -> O + Send + 'static,
    ) -> Result<Held, StorageError>
    where
        S: AsyncUserStorage + 'static,
        O: Future<Output = Result<S, StorageError>> + Send + 'static,
    {
        if self.in_background {
            let opening = steadfast_storage::Opening::new(writes, logged(Arc::clone(&self.name), open));
            return Ok(self.over_server(opening, kind));
        }
        let opened = open().await?;
        Ok(self.over_server(opened, kind))
    }

    /// Opens it, and keeps writes until the storage has them: nobody waits for a `set`, what was written is seen at once, and
    /// with a journal it outlives an outage of the storage and the end of this process. The layer's own
    /// [`shutdown`](WriteBehind::shutdown) is the orderly end, after the client's [`flush`](crate::Client::flush):
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use steadfast::storage::layer::write_behind::{Journal, WriteBehindOptions};
    /// use steadfast::{Client, StorageConfig};
    /// # use steadfast::engine::Settings;
    ///
    /// # async fn example(settings: Arc<Settings>) -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = Journal::Always("/var/lib/shop/steadfast.journal".into());
    /// let options = WriteBehindOptions { journal, ..WriteBehindOptions::default() };
    /// let storage = StorageConfig::from_url("memory:")?.open_write_behind(options).await?;
    /// let client = Client::builder(settings).storage(Arc::clone(&storage)).build();
    /// // …
    /// client.flush(Duration::from_secs(5)).await?;
    /// storage.shutdown(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`open`](Self::open), and what opening the journal comes to: see [`WriteBehind::new`].
    #[cfg(feature = "write-behind")]
    pub async fn open_write_behind(self, options: WriteBehindOptions) -> Result<Arc<WriteBehind<Held>>, StorageError> {
        Ok(Arc::new(self.write_behind(options).await?))
    }

    /// The same, for a blocking program. The orderly end is `storage.call(deadline, …)` with the layer's
    /// [`shutdown`](WriteBehind::shutdown) in it, after the client's [`flush`](crate::blocking::Client::flush):
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use steadfast::storage::layer::write_behind::WriteBehindOptions;
    /// use steadfast::{StorageConfig, blocking};
    /// # use steadfast::engine::Settings;
    ///
    /// # fn example(settings: Arc<Settings>) -> Result<(), Box<dyn std::error::Error>> {
    /// let storage = StorageConfig::from_url("memory:")?.open_write_behind_blocking(WriteBehindOptions::default())?;
    /// let client = blocking::Client::builder(settings).storage(Arc::clone(&storage)).build();
    /// // …
    /// client.flush(Duration::from_secs(5))?;
    /// let end = Duration::from_secs(5);
    /// storage.call(2 * end, move |storage| async move { storage.shutdown(end).await })??;
    /// # Ok(())
    /// # }
    /// # example(Arc::new(Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": []}"#).unwrap())).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`open_write_behind`](Self::open_write_behind), and [`StorageErrorKind::Other`] when no thread can be started.
    #[cfg(feature = "write-behind")]
    pub fn open_write_behind_blocking(
        self,
        options: WriteBehindOptions,
    ) -> Result<Arc<Waited<WriteBehind<Held>>>, StorageError> {
        let (look_up, write, name) = (self.look_up, self.write, Arc::clone(&self.name));
        let opened = Waited::open(self.waited_for().write_behind(options), look_up, OPENING)?;
        Ok(Arc::new(opened.with_write_deadline(write).named(name)))
    }

    #[cfg(feature = "write-behind")]
    async fn write_behind(self, options: WriteBehindOptions) -> Result<WriteBehind<Held>, StorageError> {
        let storage = self.open().await?;
        // The journal is a file.
        let opening = tokio::task::spawn_blocking(move || WriteBehind::new(storage, options));
        opening.await.unwrap_or_else(|error| Err(panicked("opening the journal").with_source(error)))
    }

    /// Opens it, for a blocking program: also inside an asynchronous runtime, which it does not need.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and [`StorageErrorKind::Other`] when no thread can be started.
    pub fn open_blocking(self) -> Result<Arc<dyn UserStorage>, StorageError> {
        if self.cache.is_none() && self.pseudonym.is_empty() {
            // What answers in place needs no thread of its own.
            match &self.place {
                Place::Memory => return Ok(Arc::new(MemoryStorage::new())),
                Place::Embedded(path) => return Ok(Arc::new(EmbeddedStorage::open(path)?)),
                #[cfg(any(feature = "redis", feature = "postgres"))]
                _ => {}
            }
        }
        let (look_up, write, name) = (self.look_up, self.write, Arc::clone(&self.name));
        let opened = Waited::open(self.waited_for().open(), look_up, OPENING)?;
        Ok(Arc::new(opened.with_write_deadline(write).named(name)))
    }

    /// The same with deadlines that end before those who wait give up: else the breaker would see calls that are given up,
    /// which say nothing of the storage.
    fn waited_for(mut self) -> Self {
        self.look_up = self.look_up / 10 * 9;
        self.write = self.write / 10 * 9;
        self
    }

    /// Layers over a storage of this process.
    fn over_process(self, storage: impl AsyncUserStorage + 'static) -> Held {
        self.outside(self.inside(storage))
    }

    /// Layers over a storage elsewhere.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    fn over_server(self, storage: impl AsyncUserStorage + 'static, name: &'static str) -> Held {
        let place = || Arc::clone(&self.name);
        let storage = Deadline::new(Metered::new(self.inside(storage), name), self.look_up).with_write(self.write);
        let storage = storage.named(place());
        match self.breaker {
            Some(options) => {
                let breaker = Breaker::new(storage, options).named(place());
                self.outside(breaker.on_turn(logged_turns(place())))
            }
            None => self.outside(storage),
        }
    }

    fn inside(&self, storage: impl AsyncUserStorage + 'static) -> Held {
        let mut keys = self.pseudonym.iter().cloned();
        match keys.next() {
            None => Held::new(storage),
            Some(key) => Held::new(keys.fold(Pseudonym::new(storage, key), Pseudonym::with_old_key)),
        }
    }

    fn outside(&self, storage: impl AsyncUserStorage + 'static) -> Held {
        match self.cache {
            None => Held::new(storage),
            Some(options) => Held::new(Cache::new(storage, options)),
        }
    }
}

#[cfg(not(all(feature = "redis", feature = "postgres")))]
fn not_built_in(feature: &str) -> StorageError {
    let message =
        format!("this was built without such storages: add the feature `{feature}` of `steadfast` in Cargo.toml");
    StorageError::new(StorageErrorKind::Denied, message)
}

fn panicked(what: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Other, format!("{what} panicked"))
}

#[cfg(any(feature = "redis", feature = "postgres"))]
async fn in_time<S>(opening: impl Future<Output = Result<S, StorageError>>) -> Result<S, StorageError> {
    tokio::time::timeout(OPENING, opening).await.unwrap_or_else(|_| Err(crate::drive::too_late(OPENING)))
}

/// Tells of an outage in the log, when it begins and when it is over.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn logged_turns(place: Arc<str>) -> impl Fn(Turn) {
    move |turn| match turn {
        Turn::LeftAlone => {
            tracing::error!(place = &*place, "the storage does not answer: it is left alone for a while")
        }
        Turn::CalledAgain => tracing::info!(place = &*place, "the storage answers again"),
    }
}

/// An attempt to open a storage.
#[cfg(any(feature = "redis", feature = "postgres"))]
type Attempt<S> = std::pin::Pin<Box<dyn Future<Output = Result<S, StorageError>> + Send>>;

/// The same attempts, told of in the log: the first that fails, and the one that succeeds after it.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn logged<S, O>(place: Arc<str>, mut open: impl FnMut() -> O) -> impl FnMut() -> Attempt<S>
where
    O: Future<Output = Result<S, StorageError>> + Send + 'static,
{
    let has_failed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    move || {
        let (opening, place, has_failed) = (open(), Arc::clone(&place), Arc::clone(&has_failed));
        Box::pin(async move {
            let opened = opening.await;
            let had_failed = has_failed.swap(opened.is_err(), std::sync::atomic::Ordering::Relaxed);
            match &opened {
                Err(error) if !had_failed => {
                    tracing::error!(%error, place = &*place, "the storage cannot be opened; it is tried again");
                }
                Ok(_) if had_failed => tracing::info!(place = &*place, "the storage is open"),
                _ => {}
            }
            opened
        })
    }
}

impl fmt::Debug for StorageConfig {
    /// Without the URL, in which there may be a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.place {
            Place::Memory => "memory",
            Place::Embedded(_) => "embedded",
            #[cfg(feature = "redis")]
            Place::Redis(_) => "redis",
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => "postgres",
        };
        formatter.debug_struct("StorageConfig").field("kind", &kind).finish_non_exhaustive()
    }
}
