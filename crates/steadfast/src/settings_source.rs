//! Settings from where they are kept: fetched at the start, and looked at again and again while the client goes on.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use steadfast_engine::Settings;
use steadfast_engine::settings::{CampaignChange, Id, SettingsError};
use steadfast_events::event::Stamp;
use steadfast_events::http::{GetError, Got, Http};
use steadfast_events::wire::{self, Method, Request};
use steadfast_events::{BackOff, Endpoint, EndpointError, Sender};
use tokio::sync::Notify;

use crate::in_force::InForce;
use crate::settings_cache::SettingsCache;

/// No settings file is as large: 32 MiB. What is beyond is not read.
const MOST: usize = 32 << 20;

/// Where settings are kept.
#[derive(Clone)]
pub struct SettingsSource {
    at: At,
    cache: Option<Arc<dyn SettingsCache>>,
}

#[derive(Clone)]
enum At {
    Vwo { http: Http, account: String, sdk_key: String, sender: Sender },
    Url { http: Http, query: String, account: Option<String> },
    File(PathBuf),
}

/// Why there are no settings to be had. It names neither the key of the environment nor a URL that may hold one.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// The server cannot be reached, or has not answered to its end in time.
    Unreachable,
    /// It answered with this status; VWO's with 400 where it does not know the key.
    Status(u16),
    /// What it has is larger than 32 MiB.
    TooLarge,
    /// The file cannot be read.
    File(io::Error),
    /// What is there are no settings.
    NoSettings(SettingsError),
    /// They have no list of campaigns, so nobody would get a variation under them.
    NoCampaigns,
    /// They are another account's.
    OtherAccount {
        /// Whose they are.
        found: String,
        /// Whose are wanted.
        wanted: String,
    },
}

impl fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Unreachable => formatter.write_str(
                "the settings' server cannot be reached, or does not answer to its end in time: see the network and proxies",
            ),
            FetchError::Status(400) => {
                formatter.write_str("the settings' server answered 400: see whether account and SDK key belong together")
            }
            FetchError::Status(status) => write!(formatter, "the settings' server answered {status}"),
            FetchError::TooLarge => formatter.write_str("what the settings' server has is larger than 32 MiB"),
            FetchError::File(error) => write!(formatter, "the settings file cannot be read: {error}"),
            FetchError::NoSettings(error) => write!(formatter, "what was fetched are no settings: {error}"),
            FetchError::NoCampaigns => formatter.write_str("what was fetched has no list of campaigns"),
            FetchError::OtherAccount { found, wanted } => {
                write!(formatter, "what was fetched are settings of account {found}, and not of {wanted}")
            }
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FetchError::File(error) => Some(error),
            FetchError::NoSettings(error) => Some(error),
            _ => None,
        }
    }
}

/// It does not show the key.
impl fmt::Debug for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Vwo { account, .. } => formatter.debug_struct("Vwo").field("account", account).finish_non_exhaustive(),
            At::Url { .. } => formatter.write_str("Url(..)"),
            At::File(path) => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}

/// What was fetched last: by this what is there is told to be the same.
#[derive(Debug, Default)]
struct Known {
    etag: Option<String>,
    text: String,
    /// How the file looked when it was read.
    look: Option<Look>,
}

impl SettingsSource {
    /// VWO's server, or a proxy of one's own before it (`getSettingsFile` of the reference).
    ///
    /// # Errors
    /// When the endpoint's URL is none, or TLS cannot be set up.
    pub fn vwo(
        account: impl Into<String>,
        sdk_key: impl Into<String>,
        endpoint: &Endpoint,
    ) -> Result<SettingsSource, EndpointError> {
        let http = Http::new(endpoint)?;
        let at = At::Vwo { http, account: account.into(), sdk_key: sdk_key.into(), sender: Sender::default() };
        Ok(SettingsSource { at, cache: None })
    }

    /// The file at a URL: [`Endpoint::url`] as a whole, with its query if there is one. Where it says which account's they must be, others are refused.
    ///
    /// # Errors
    /// When the endpoint's URL is none, or TLS cannot be set up.
    pub fn url(endpoint: &Endpoint, account: Option<&str>) -> Result<SettingsSource, EndpointError> {
        let (file, query) = endpoint.url.split_once('?').map_or((&*endpoint.url, String::new()), |(file, query)| {
            // Of a query each part is as it was given: it may be signed.
            (file, format!("?{query}"))
        });
        let http = Http::new(&Endpoint { url: file.to_owned(), ..endpoint.clone() })?;
        Ok(SettingsSource { at: At::Url { http, query, account: account.map(str::to_owned) }, cache: None })
    }

    /// A file of this machine. Who [polls](Poll) it reads it when it is another than before.
    pub fn file(path: impl AsRef<Path>) -> SettingsSource {
        SettingsSource { at: At::File(path.as_ref().to_owned()), cache: None }
    }

    /// Keeps a copy of what is fetched, also by who polls, and takes that where [`fetch`](Self::fetch) and its kin would fail
    /// because nothing can be had: nobody answers, in time or at all, or with 408, 429 or 5xx, or what is there are no
    /// settings. One warning says so. Where the server refuses, or has another account's, that is the answer.
    #[must_use]
    pub fn cached(mut self, cache: impl SettingsCache + 'static) -> SettingsSource {
        self.cache = Some(Arc::new(cache));
        self
    }

    /// The settings that are there.
    ///
    /// # Errors
    /// When they cannot be had, or are not what they should be, and there is no [copy](Self::cached) either. It ends within
    /// [`Endpoint::answer`].
    pub async fn fetch(&self) -> Result<Arc<Settings>, FetchError> {
        self.fetch_text().await.map(|(settings, _)| settings)
    }

    /// The same, and their text as it is there: to be kept, say, for a start without a network.
    ///
    /// # Errors
    /// As for [`fetch`](Self::fetch).
    pub async fn fetch_text(&self) -> Result<(Arc<Settings>, String), FetchError> {
        let mut known = Known::default();
        match self.fetch_new(&mut known, None).await {
            // Where nothing is known, nothing is the same.
            Ok(fetched) => fetched.map(|settings| (settings, known.text)).ok_or(FetchError::Status(304)),
            Err(error) => self.copy_instead_of(error).await,
        }
    }

    /// The copy, where there is a good one and the error is one that it is for.
    async fn copy_instead_of(&self, error: FetchError) -> Result<(Arc<Settings>, String), FetchError> {
        let Some(cache) = self.cache.clone().filter(|_| error.may_pass()) else { return Err(error) };
        let text = match apart(move || cache.get_settings()).await {
            Ok(Some(text)) => text,
            Ok(None) => return Err(error),
            Err(unread) => {
                tracing::warn!(%unread, "the copy of the settings cannot be read");
                return Err(error);
            }
        };
        match checked(&text, self.account()) {
            Ok(settings) if !self.is_of_environment(&settings) => {
                tracing::warn!("the copy of the settings is another environment's: give each a file of its own");
                Err(error)
            }
            Ok(settings) => {
                tracing::warn!(%error, "settings cannot be had: a copy of earlier ones is used");
                Ok((Arc::new(settings), text))
            }
            Err(bad) => {
                tracing::warn!(%bad, "the copy of the settings cannot be used");
                Err(error)
            }
        }
    }

    /// Whether settings have the key that they are asked for by; a copy of another environment's has another.
    fn is_of_environment(&self, settings: &Settings) -> bool {
        match &self.at {
            At::Vwo { sdk_key, .. } => settings.sdk_key().is_none_or(|found| found == sdk_key),
            At::Url { .. } | At::File(_) => true,
        }
    }

    async fn keep_a_copy(&self, text: &str) {
        let Some(cache) = self.cache.clone() else { return };
        let text = text.to_owned();
        if let Err(error) = apart(move || cache.set_settings(&text)).await {
            tracing::warn!(%error, "a copy of the settings could not be kept");
        }
    }

    /// Whose settings they must be, where that was said.
    fn account(&self) -> Option<&str> {
        match &self.at {
            At::Vwo { account, .. } => Some(account),
            At::Url { account, .. } => account.as_deref(),
            At::File(_) => None,
        }
    }

    /// The same, for a program that waits where it stands; also inside a runtime.
    ///
    /// # Errors
    /// As for [`fetch`](Self::fetch), and [`FetchError::Unreachable`] when the system has no thread left.
    pub fn fetch_blocking(&self) -> Result<Arc<Settings>, FetchError> {
        self.fetch_text_blocking().map(|(settings, _)| settings)
    }

    /// The same, and their text as it is there: to be kept, say, for a start without a network.
    ///
    /// # Errors
    /// As for [`fetch_blocking`](Self::fetch_blocking).
    pub fn fetch_text_blocking(&self) -> Result<(Arc<Settings>, String), FetchError> {
        // A runtime around the caller must not be asked to wait for another.
        std::thread::scope(|scope| {
            let waiting = std::thread::Builder::new().spawn_scoped(scope, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|_| FetchError::Unreachable)?;
                let fetched = runtime.block_on(self.fetch_text());
                // What takes too long is not waited for.
                runtime.shutdown_background();
                fetched
            });
            let waiting = waiting.map_err(|_| FetchError::Unreachable)?;
            waiting.join().unwrap_or(Err(FetchError::Unreachable))
        })
    }

    /// What is there, if it is not what is known; then it is. An account is that of the settings in force.
    async fn fetch_new(&self, known: &mut Known, account: Option<&Id>) -> Result<Option<Arc<Settings>>, FetchError> {
        let mut look = None;
        let got = match &self.at {
            At::Vwo { http, account, sdk_key, sender } => {
                let stamp = Stamp { milliseconds: 0, chance: RandomState::new().hash_one(0) };
                get(http, &wire::settings(account, sdk_key, sender, stamp), known).await?
            }
            At::Url { http, query, .. } => {
                let request = Request { method: Method::Get, path: query.clone(), headers: Vec::new(), body: None };
                get(http, &request, known).await?
            }
            At::File(path) => {
                look = Look::at(path);
                if look.is_some() && look == known.look {
                    return Ok(None);
                }
                let path = path.clone();
                let body = apart(move || read(&path)).await.map_err(FetchError::File)?;
                if body.len() > MOST {
                    return Err(FetchError::TooLarge);
                }
                Got { status: 200, etag: None, body }
            }
        };
        let text = match got.status {
            200..=299 => String::from_utf8_lossy(&got.body),
            304 => return Ok(None),
            status => return Err(FetchError::Status(status)),
        };
        if !known.text.is_empty() && known.text == text {
            (known.etag, known.look) = (got.etag, look);
            return Ok(None);
        }
        let settings = checked(&text, self.account())?;
        let (found, wanted) = (settings.account().as_str(), account.map(Id::as_str));
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            return Err(FetchError::OtherAccount { found: found.to_owned(), wanted: wanted.to_owned() });
        }
        self.keep_a_copy(&text).await;
        *known = Known { etag: got.etag, text: text.into_owned(), look };
        Ok(Some(Arc::new(settings)))
    }
}

impl FetchError {
    /// Whether another time there may be good ones: nobody has said no.
    fn may_pass(&self) -> bool {
        match self {
            FetchError::Status(status) => matches!(status, 408 | 429 | 500..=599),
            FetchError::OtherAccount { .. } => false,
            _ => true,
        }
    }
}

/// The settings of a text, if they are good ones, and this account's.
fn checked(text: &str, wanted: Option<&str>) -> Result<Settings, FetchError> {
    let settings = Settings::parse(text).map_err(FetchError::NoSettings)?;
    // What the reference takes at its word, and then answers nothing any more (spec SET-54).
    if settings.campaigns().is_empty() && !has_campaigns(text) {
        return Err(FetchError::NoCampaigns);
    }
    let found = settings.account().as_str();
    match wanted.filter(|wanted| *wanted != found) {
        Some(wanted) => Err(FetchError::OtherAccount { found: found.to_owned(), wanted: wanted.to_owned() }),
        None => Ok(settings),
    }
}

/// A file, or a cache that is not ours, may take longer than this, or for ever; nobody waits so long.
const APART: Duration = Duration::from_secs(10);

/// Does what may block where it keeps nobody from going on. A panic in it is an error, and so is taking too long.
async fn apart<T: Send + 'static>(call: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::time::timeout(APART, tokio::task::spawn_blocking(call)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(io::Error::other("it panicked")),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes longer than 10 s")),
    }
}

/// What is in a file, and no more of it than can be settings.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(MOST as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// How a file looks from outside: it is read again when that is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    changed: SystemTime,
    bytes: u64,
    /// A file that is put in the place of another is another one.
    file: u64,
}

impl Look {
    /// Clocks of file systems tick slowly: what was written so lately may be written again and look the same.
    const FRESH: Duration = Duration::from_secs(2);

    /// `None` where it says nothing.
    fn at(path: &Path) -> Option<Look> {
        let metadata = std::fs::metadata(path).ok()?;
        // Who copies a file may keep its time of change; that of what is known about it nobody can set.
        #[cfg(unix)]
        let (changed, file) = {
            use std::os::unix::fs::MetadataExt;
            let since_1970 = Duration::new(metadata.ctime().try_into().ok()?, metadata.ctime_nsec().try_into().ok()?);
            (SystemTime::UNIX_EPOCH.checked_add(since_1970)?, metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, file) = (metadata.modified().ok()?, 0);
        let is_old = SystemTime::now().duration_since(changed).is_ok_and(|age| age >= Look::FRESH);
        is_old.then_some(Look { changed, bytes: metadata.len(), file })
    }
}

async fn get(http: &Http, request: &Request, known: &Known) -> Result<Got, FetchError> {
    http.get(request, known.etag.as_deref(), MOST).await.map_err(|error| match error {
        GetError::TooLarge => FetchError::TooLarge,
        _ => FetchError::Unreachable,
    })
}

fn has_campaigns(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|settings| settings["campaigns"].is_array())
}

/// How settings are looked at again and again (`pollingInterval` of the reference).
pub struct Poll {
    pub(crate) source: SettingsSource,
    pub(crate) interval: Duration,
    pub(crate) back_off: BackOff,
    pub(crate) listener: Option<Listener>,
}

type Listener = Box<dyn Fn(&SettingsChange) + Send + Sync>;

/// Settings that were put in force in place of others.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SettingsChange {
    /// Those that were in force.
    pub before: Arc<Settings>,
    /// Those that are.
    pub after: Arc<Settings>,
    /// What is different in them, campaign by campaign ([`Settings::changes_since`]).
    pub campaigns: Vec<CampaignChange>,
    /// What is different of what goes for the account ([`Settings::fields_changed_since`]).
    pub file: Vec<String>,
}

impl Poll {
    /// Looks there again after each of these intervals, a tenth more or less by chance, so that many servers do not ask at
    /// one moment. At least a second.
    #[must_use]
    pub fn every(interval: Duration, source: SettingsSource) -> Poll {
        let interval = interval.max(Duration::from_secs(1));
        Poll { source, interval, back_off: BackOff::default(), listener: None }
    }

    /// The pauses after failures, as long as they are shorter than the interval.
    #[must_use]
    pub fn back_off(mut self, back_off: BackOff) -> Self {
        self.back_off = back_off;
        self
    }

    /// Is told of settings that were put in force and are different from those before, by the thread that polls.
    #[must_use]
    pub fn on_change(mut self, listener: impl Fn(&SettingsChange) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }
}

impl Poll {
    /// Watches a file: looks at it each second, and reads it when it is another than before. Put a new one in its place as a
    /// whole, by renaming: half a file is no settings, and those in force stay.
    pub fn file(path: impl AsRef<Path>) -> Poll {
        Poll::every(Duration::from_secs(1), SettingsSource::file(path))
    }
}

/// It does not show the key.
impl fmt::Debug for SettingsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SettingsSource").field("at", &self.at).field("cached", &self.cache.is_some()).finish()
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Poll")
            .field("source", &self.source)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// A thread that polls, until this is dropped.
pub(crate) struct Polling(Arc<Notify>);

impl Polling {
    pub(crate) fn start(poll: Poll, settings: &Arc<InForce>) -> Polling {
        let stop = Arc::new(Notify::new());
        let (of_thread, settings) = (Arc::clone(&stop), Arc::downgrade(settings));
        let thread = std::thread::Builder::new().name("steadfast-settings".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(async {
                        tokio::select! {
                            () = run(&poll, &settings) => {}
                            () = of_thread.notified() => {}
                        }
                    });
                    runtime.shutdown_background();
                }
                Err(error) => {
                    tracing::error!(%error, "settings are not polled: the system has nothing left to wait with")
                }
            }
        });
        if let Err(error) = thread {
            tracing::error!(%error, "settings are not polled: the system has no thread left");
        }
        Polling(stop)
    }

    pub(crate) fn stop(&self) {
        self.0.notify_one();
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Polls as long as the client is there. Settings that cannot be had, or are bad, change nothing: it is said once, and once
/// more when they are good again.
async fn run(poll: &Poll, settings: &Weak<InForce>) {
    let chance = RandomState::new();
    let (mut known, mut failures, mut rounds) = (Known::default(), 0_u32, 0_u64);
    loop {
        rounds += 1;
        let by_chance = chance.hash_one(rounds);
        #[expect(clippy::cast_precision_loss, reason = "chance needs no more digits")]
        let interval = poll.interval.mul_f64(0.9 + 0.2 * (by_chance >> 40) as f64 / (1_u64 << 24) as f64);
        let wait = if failures == 0 { interval } else { poll.back_off.pause(failures, by_chance).min(interval) };
        tokio::time::sleep(wait).await;
        let Some(account) = settings.upgrade().map(|in_force| in_force.settings().account().clone()) else { return };
        match poll.source.fetch_new(&mut known, Some(&account)).await {
            Ok(new) => {
                if std::mem::take(&mut failures) > 0 {
                    tracing::info!("settings can be had again");
                }
                let Some(new) = new else { continue };
                let Some(in_force) = settings.upgrade() else { return };
                let before = in_force.swap(&new);
                drop(in_force);
                let (campaigns, file) = (new.changes_since(&before), new.fields_changed_since(&before));
                if campaigns.is_empty() && file.is_empty() {
                    // As it is when they are looked at first.
                    continue;
                }
                let (all, different) = (new.campaigns().len(), campaigns.len());
                tracing::info!(campaigns = all, different, "new settings are in force");
                if let Some(listener) = &poll.listener {
                    let change = SettingsChange { before, after: new, campaigns, file };
                    if catch_unwind(AssertUnwindSafe(|| listener(&change))).is_err() {
                        tracing::error!("the listener for settings panicked; they are in force");
                    }
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures == 1 {
                    tracing::warn!(%error, "the settings in force stay");
                } else {
                    tracing::debug!(%error, failures, "the settings in force stay");
                }
            }
        }
    }
}
