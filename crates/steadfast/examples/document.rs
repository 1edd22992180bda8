//! The program of the document this project comes from, VWO's "User Storage Service: Synchronous vs Asynchronous", line
//! by line: a database that takes a second to read and two to write, a user who comes twice, a goal.
//!
//! ```sh
//! cargo run --example document -p steadfast
//! ```
//!
//! What to look at: each visit takes the second of the one look-up that its program asks for. No call waits for another,
//! and nobody waits for the two seconds of a write. Between the visits the weights are turned round; the user stays. What
//! is read after a visit is read by the writer, who looks at the place first: data that a caller passed is not the
//! storage's word.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steadfast::Client;
use steadfast::engine::{Options, Record, Settings, TrackTarget};
use steadfast::storage::{AsyncUserStorage, StorageError};

/// How long the database takes, as in the document.
const READS: Duration = Duration::from_millis(1000);
const WRITES: Duration = Duration::from_millis(2000);

const CAMPAIGN: &str = "unique-campaign-key";
const USER: &str = "User ID";

/// The document's `customerStorageService`: two methods, both asynchronous.
#[derive(Default)]
pub(crate) struct CustomerStorageService {
    database: Mutex<HashMap<(String, String), Record>>,
    gets: AtomicUsize,
}

impl AsyncUserStorage for CustomerStorageService {
    // get: async function get(userId, campaignKey) { … setTimeout(…, 1000) … }
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(READS).await;
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let found = database.get(&(user.to_owned(), campaign.to_owned())).cloned();
        println!(
            "   Got data: {} after {READS:?}",
            found.as_ref().map_or("nothing".into(), |one| one.to_json().to_string())
        );
        Ok(found)
    }

    // set: async function set(data = {}) { … setTimeout(…, 2000) … }
    async fn set(&self, record: Record) -> Result<(), StorageError> {
        tokio::time::sleep(WRITES).await;
        println!("   Data: {} saved after {WRITES:?}", record.to_json());
        let place = (record.user_id.clone(), record.campaign_key.clone());
        self.database.lock().unwrap_or_else(PoisonError::into_inner).insert(place, record);
        Ok(())
    }
}

/// What a visit came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Visit {
    pub(crate) variation: Option<String>,
    /// Whether each report of the goal was counted.
    pub(crate) tracked: Vec<bool>,
    /// How often the database was asked.
    pub(crate) gets: usize,
    /// How long the user waited.
    pub(crate) took: Duration,
}

/// What is in the database at the end.
pub(crate) struct Played {
    pub(crate) visits: [Visit; 2],
    pub(crate) record: Option<Record>,
}

/// One visit: the second half of the document's program.
async fn visit(
    client: &Client,
    service: &CustomerStorageService,
    goals: &[&str],
) -> Result<Visit, Box<dyn std::error::Error>> {
    let (start, gets) = (Instant::now(), service.gets.load(Ordering::Relaxed));

    // var storedData = await customerStorageService.get(userId, campaignKey);
    let stored = client.stored(USER).await?;

    // var options = { userStorageData: storedData };
    let options = Options { user_storage_data: stored, ..Options::default() };

    // var variation = vwoClientInstance.activate(campaignKey, userId, options);
    let variation = client.activate(CAMPAIGN, USER, &options).await?.variation_name().map(str::to_owned);

    // vwoClientInstance.track(campaignKey, userId, goalIdentifier, options);
    let mut tracked = Vec::new();
    for goal in goals {
        let tracking = client.track(TrackTarget::One(CAMPAIGN), USER, goal, &options).await?;
        tracked.push(tracking.campaigns().iter().all(|campaign| campaign.is_tracked()));
    }
    let gets = service.gets.load(Ordering::Relaxed) - gets;
    Ok(Visit { variation, tracked, gets, took: start.elapsed() })
}

/// Both visits, and what is kept.
pub(crate) async fn play() -> Result<Played, Box<dyn std::error::Error>> {
    // The document's wrapper with an empty `get` and a `set` that is not waited for is not needed: the client never waits
    // for a write, and looks nothing up where it is given what is stored.
    let service = Arc::new(CustomerStorageService::default());

    // var vwoClientInstance = vwoSDK.launch({ settingsFile: settingsFile, userStorageService: userStorageService });
    let client = Client::builder(settings(70, 30)?).storage(Arc::clone(&service)).build();

    println!("First visit");
    let first = visit(&client, &service, &["buy-now-clicked", "buy-now-clicked"]).await?;
    told(&first);
    client.flush(Duration::from_secs(20)).await?;

    println!("Somebody turns the weights round: 70 to 30 becomes 0 to 100");
    client.update_settings(settings(0, 100)?);

    println!("Second visit");
    let second = visit(&client, &service, &["buy-now-clicked", "product-bought"]).await?;
    told(&second);
    client.flush(Duration::from_secs(20)).await?;

    let record = service.database.lock().unwrap_or_else(PoisonError::into_inner).values().next().cloned();
    Ok(Played { visits: [first, second], record })
}

fn told(visit: &Visit) {
    println!(
        "   {} and goals counted {:?}; the database was asked {} time(s); the user waited {:.2} s",
        visit.variation.as_deref().unwrap_or("no variation"),
        visit.tracked,
        visit.gets,
        visit.took.as_secs_f64()
    );
}

fn settings(control: u32, variation: u32) -> Result<Arc<Settings>, Box<dyn std::error::Error>> {
    let text = format!(
        r#"{{"accountId": 1, "version": 1, "sdkKey": "key", "campaigns": [{{
            "id": 1, "key": "{CAMPAIGN}", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {{}},
            "goals": [{{"id": 1, "identifier": "buy-now-clicked", "type": "CUSTOM_GOAL"}},
                {{"id": 2, "identifier": "product-bought", "type": "CUSTOM_GOAL"}},
                {{"id": 3, "identifier": "signed-up", "type": "CUSTOM_GOAL"}}],
            "variations": [{{"id": 1, "name": "Control", "weight": {control}}},
                {{"id": 2, "name": "Variation-1", "weight": {variation}}}]}}]}}"#
    );
    Ok(Arc::new(Settings::parse(&text)?))
}

/// What the document promises, and what it leaves to hope.
pub(crate) fn check(played: &Played) -> Result<(), String> {
    let [first, second] = &played.visits;
    let goals = played.record.as_ref().map(|record| record.goals.as_str());
    let facts = [
        ("both visits see one variation", first.variation.is_some() && first.variation == second.variation),
        ("the goal is counted once on the first visit", first.tracked == [true, false]),
        ("on the second only the new one is", second.tracked == [false, true]),
        ("all goals are listed", goals == Some("buy-now-clicked_vwo_product-bought")),
        ("each visit asks once", first.gets == 1 && second.gets == 1),
        ("no visit waits for a write", first.took < READS + WRITES && second.took < READS + WRITES),
    ];
    match facts.iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((fact, _)) => Err(format!("it does not hold that {fact}")),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let played = play().await?;
    check(&played)?;
    println!("Kept: {}", played.record.map_or("nothing".into(), |record| record.to_json().to_string()));
    Ok(())
}
