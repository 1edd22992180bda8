//! Settings from a real server on this machine, which has good ones, bad ones, or none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use steadfast::blocking::Client;
use steadfast::engine::settings::{CampaignChange, Change};
use steadfast::engine::{Options, Settings};
use steadfast::event::{BackOff, Endpoint};
use steadfast::{FetchError, FileCache, Poll, SettingsCache, SettingsSource};
use steadfast_testkit::servers::{Arrived, LocalCollector, Reply};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(60);

const SDK_KEY: &str = "secret-sdk-key";

/// Settings in which everybody gets this variation of `ab`, unless it is nobody's.
fn file(account: u32, variation: &str) -> String {
    let file = json!({"accountId": account, "sdkKey": SDK_KEY, "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {}, "goals": [],
        "variations": [{"id": 1, "name": variation, "weight": 100}]}]});
    file.to_string()
}

fn answered(status: u16, body: &str) -> Reply {
    Reply { body: body.to_owned(), ..Reply::status(status) }
}

fn endpoint(url: String) -> Endpoint {
    Endpoint { url, connect: PATIENCE, answer: PATIENCE }
}

fn vwo(server: &LocalCollector) -> SettingsSource {
    SettingsSource::vwo("60781", SDK_KEY, &endpoint(server.url())).unwrap()
}

fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came to that");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn variation(client: &Client) -> Option<String> {
    let decision = client.activate("ab", "Ashley", Options::NONE).unwrap();
    decision.variation().map(|variation| variation.name().to_owned())
}

#[test]
fn settings_are_fetched_as_the_reference_fetches_them() {
    let server = LocalCollector::start();
    server.answer(|_| answered(200, &file(60781, "Green")));
    let settings = vwo(&server).fetch_blocking().unwrap();
    assert_eq!(settings.account().as_str(), "60781");
    let path = server.arrived()[0].path.clone();
    assert!(path.starts_with(&format!("/server-side/settings?a=60781&i={SDK_KEY}&r=0.")), "{path}");
    assert!(path.ends_with(concat!("&platform=server&sdk=steadfast&sdk-v=", env!("CARGO_PKG_VERSION"))), "{path}");
    let source = SettingsSource::url(&endpoint(format!("{}/ab.json?token=a%2Fb", server.url())), None).unwrap();
    source.fetch_blocking().unwrap();
    assert_eq!(server.arrived()[1].path, "/ab.json?token=a%2Fb");
    assert!(!format!("{source:?}").contains("token"));
    // Also inside a runtime, where nobody may wait.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { vwo(&server).fetch_blocking() }).unwrap();
}

#[tokio::test]
async fn what_is_no_settings_is_said_to_be_none() {
    let server = LocalCollector::start();
    let whole = file(60781, "Green");
    let truncated = whole[..whole.len() / 2].to_owned();
    let large = " ".repeat(50 << 20);
    for (reply, said) in [
        (answered(400, r#"{"message":"Invalid api key"}"#), "account and SDK key"),
        (answered(500, &whole), "answered 500"),
        (answered(200, ""), "no settings"),
        (answered(200, &truncated), "ends too early"),
        (answered(200, "<html><body>Log in</body></html>"), "not JSON"),
        (answered(200, r#"{"accountId": 60781, "message": "hello"}"#), "no list of campaigns"),
        (answered(200, &file(7, "Green")), "account 7, and not of 60781"),
        (answered(200, &large), "larger than"),
    ] {
        server.answer(move |_| reply.clone());
        let error = vwo(&server).fetch().await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(!format!("{error} {error:?}").contains(SDK_KEY), "{error:?}");
    }
    let (url, port) = (server.url(), server.port());
    drop(server);
    let nobody = SettingsSource::url(&endpoint(format!("{url}/settings.json")), None).unwrap();
    assert!(matches!(nobody.fetch().await, Err(FetchError::Unreachable)), "{port}");
    let error = SettingsSource::file("no-such-file.json").fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::File(_)), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut sent = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{");
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(10));
            sent = peer.write_all(b"                ");
        }
    });
    let endpoint = Endpoint { url, answer: Duration::from_millis(300), ..Endpoint::default() };
    let start = Instant::now();
    let fetched = SettingsSource::vwo("60781", SDK_KEY, &endpoint).unwrap().fetch().await;
    assert!(matches!(fetched, Err(FetchError::Unreachable)));
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
}

#[test]
fn what_is_bad_changes_nothing_and_what_is_good_is_put_in_force() {
    let server = LocalCollector::start();
    let (asked, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let count = Arc::clone(&asked);
    // Its own account is another than the one in force.
    let other = SettingsSource::vwo("7", SDK_KEY, &endpoint(server.url())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.json");
    let other = Poll::every(Duration::ZERO, other.cached(FileCache::new(&copy)));
    let astray = Client::builder(Arc::new(Settings::parse(&file(60781, "Blue")).unwrap())).poll(other).build();
    server.answer(|_| answered(200, &file(7, "Red")));
    until(|| server.arrived().len() > 1);
    assert_eq!(variation(&astray).as_deref(), Some("Blue"));
    assert!(!copy.exists());
    drop(astray);
    let bad = [
        answered(500, "out of order"),
        answered(200, ""),
        answered(200, "<html></html>"),
        answered(200, r#"{"accountId": 60781}"#),
        answered(200, &file(7, "Red")),
        answered(200, &file(60781, "Red")[..40]),
    ];
    let many = bad.len();
    server.answer(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        number if number < bad.len() => bad[number].clone(),
        _ => answered(200, &file(60781, "Green")),
    });
    let listening = Arc::clone(&told);
    let poll = Poll::every(Duration::from_secs(1), vwo(&server))
        .back_off(BackOff { first: Duration::from_millis(5), longest: Duration::from_millis(20) })
        .on_change(move |change| {
            let of = |settings: &Settings| settings.campaigns()[0].variations()[0].name().to_owned();
            listening.lock().unwrap().push((of(&change.before), of(&change.after), change.campaigns.clone()));
        });
    let first = Arc::new(Settings::parse(&file(60781, "Blue")).unwrap());
    let client = Client::builder(first).poll(poll).build();
    until(|| {
        let in_force = variation(&client);
        // As long as it has only seen bad ones.
        assert!(in_force.as_deref() == Some("Blue") || asked.load(Ordering::SeqCst) > many, "{in_force:?}");
        in_force.as_deref() == Some("Green")
    });
    // The same once more is nothing new.
    let before = asked.load(Ordering::SeqCst);
    until(|| asked.load(Ordering::SeqCst) >= before + 2);
    let change = Change::Different(vec!["variations".to_owned()]);
    let change = vec![CampaignChange { campaign: "ab".to_owned(), change }];
    assert_eq!(*told.lock().unwrap(), [("Blue".to_owned(), "Green".to_owned(), change)]);
}

#[test]
fn what_has_not_changed_is_not_sent_again_and_who_opts_out_asks_no_more() {
    let server = LocalCollector::start();
    server.answer(|arrived: &Arrived| {
        let knows = arrived.headers.iter().any(|(name, value)| name == "if-none-match" && value == "\"one\"");
        if knows {
            answered(304, "")
        } else {
            Reply { etag: Some("\"one\"".to_owned()), ..answered(200, &file(60781, "Green")) }
        }
    });
    let first = Arc::new(Settings::parse(&file(60781, "Blue")).unwrap());
    let client = Client::builder(first).poll(Poll::every(Duration::ZERO, vwo(&server))).build();
    until(|| variation(&client).as_deref() == Some("Green"));
    until(|| server.arrived().len() >= 2);
    assert!(server.arrived()[1].headers.iter().any(|(name, _)| name == "if-none-match"));
    client.opt_out();
    // One may be under way.
    std::thread::sleep(Duration::from_millis(100));
    let asked = server.arrived().len();
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(server.arrived().len(), asked);
}

#[test]
fn a_file_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(&path, file(60781, "Blue")).unwrap();
    let source = SettingsSource::file(&path);
    let poll = Poll::every(Duration::ZERO, source.clone());
    let client = Client::builder(source.fetch_blocking().unwrap()).poll(poll).build();
    assert_eq!(variation(&client).as_deref(), Some("Blue"));
    std::fs::write(&path, file(60781, "Green")).unwrap();
    until(|| variation(&client).as_deref() == Some("Green"));
}

#[test]
fn a_file_that_is_replaced_is_in_force_soon_and_a_bad_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    let replace = |text: &str| {
        let beside = folder.path().join("beside");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, &path).unwrap();
    };
    replace(&file(60781, "Blue"));
    let first = SettingsSource::file(&path).fetch_blocking().unwrap();
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    let poll = Poll::file(&path).on_change(move |_| *count.lock().unwrap() += 1);
    let client = Client::builder(first).poll(poll).build();
    // As long as the clock of the file system may not tell it from another; and longer.
    std::thread::sleep(Duration::from_millis(3_500));
    assert_eq!(*told.lock().unwrap(), 0, "it is as it was");
    replace(&file(60781, "Green"));
    until(|| variation(&client).as_deref() == Some("Green"));
    replace(&file(60781, "Red")[..50]);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(variation(&client).as_deref(), Some("Green"));
    // Of the same length and a moment after it was read.
    replace(&file(60781, "Pinky"));
    until(|| variation(&client).as_deref() == Some("Pinky"));
    // The time of its change is that of the one before, its length too.
    std::thread::sleep(Duration::from_millis(3_500));
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, file(60781, "White")).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    until(|| variation(&client).as_deref() == Some("White"));
    assert_eq!(*told.lock().unwrap(), 3);
}

#[test]
fn without_a_network_the_start_is_made_with_a_copy_of_good_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.json");
    let server = LocalCollector::start();
    let source = vwo(&server).cached(FileCache::new(&path));
    let of = |source: &SettingsSource| {
        source.fetch_blocking().map(|settings| settings.campaigns()[0].variations()[0].name().to_owned())
    };
    // There is none yet.
    server.answer(|_| answered(503, ""));
    assert!(matches!(of(&source), Err(FetchError::Status(503))));
    assert!(!path.exists());
    server.answer(|_| answered(200, &file(60781, "Green")));
    assert_eq!(of(&source).unwrap(), "Green");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // What is bad is not kept, and what cannot be had is had from the copy.
    for bad in [answered(503, ""), answered(200, "<html>"), answered(200, &file(60781, "Red")[..40])] {
        server.answer(move |_| bad.clone());
        assert_eq!(of(&source).unwrap(), "Green");
    }
    // Who says no is heard.
    server.answer(|_| answered(400, ""));
    assert!(matches!(of(&source), Err(FetchError::Status(400))));
    server.answer(|_| answered(200, &file(7, "Red")));
    assert!(matches!(of(&source), Err(FetchError::OtherAccount { .. })));
    // Polling keeps what it puts in force.
    server.answer(|_| answered(200, &file(60781, "White")));
    let first = Arc::new(Settings::parse(&file(60781, "Blue")).unwrap());
    let client = Client::builder(first).poll(Poll::every(Duration::ZERO, source.clone())).build();
    until(|| variation(&client).as_deref() == Some("White"));
    drop(client);
    drop(server);
    assert_eq!(of(&source).unwrap(), "White");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    // A copy that is damaged, or another account's or environment's, is not used.
    for bad in ["{".to_owned(), file(7, "Red"), file(60781, "Red").replace(SDK_KEY, "another-key")] {
        std::fs::write(&path, bad).unwrap();
        assert!(matches!(of(&source), Err(FetchError::Unreachable)));
    }
}

/// `getSettings` and `setSettings` of somebody, which fail, or panic.
struct Trouble(bool);

impl SettingsCache for Trouble {
    fn get_settings(&self) -> std::io::Result<Option<String>> {
        if self.0 { unreachable!("a cache that panics") } else { Err(std::io::Error::other("a cache that fails")) }
    }

    fn set_settings(&self, _: &str) -> std::io::Result<()> {
        self.get_settings().map(drop)
    }
}

#[test]
fn a_cache_that_fails_costs_nothing_but_the_copy() {
    for panics in [false, true] {
        let server = LocalCollector::start();
        server.answer(|_| answered(200, &file(60781, "Green")));
        let source = vwo(&server).cached(Trouble(panics));
        assert!(source.fetch_blocking().is_ok());
        server.answer(|_| answered(503, ""));
        assert!(matches!(source.fetch_blocking(), Err(FetchError::Status(503))));
    }
}
