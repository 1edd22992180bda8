//! A web server that asks its storage once per request, whatever the request then decides and tracks.
//!
//! ```sh
//! cargo run -p steadfast --example axum_prefetch            # serves until it is stopped; a port may be given
//! curl -X POST http://127.0.0.1:PORT/visits/Ashley
//! cargo run -p steadfast --example axum_prefetch -- --once  # asks itself once, and ends
//! ```
//!
//! What to look at: `stored` fetches all of a user's records in one question. Given to each call in its options, they
//! spare every other one: two calls, one look-up of 20 ms. Writes are handed over, so nobody waits for them; at the end
//! `flush` does, since what is handed over is in memory until then.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use steadfast::Client;
use steadfast::engine::{Options, Record, Settings, TrackTarget};
use steadfast::storage::{AsyncUserStorage, MemoryStorage, StorageError, UserStorage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A database in another place: 20 ms away.
#[derive(Default)]
struct Database {
    records: MemoryStorage,
    questions: AtomicUsize,
}

impl Database {
    async fn travel(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl AsyncUserStorage for Database {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.travel().await;
        self.records.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.travel().await;
        self.records.set(record)
    }

    /// Without this `stored` asks about each campaign of the settings.
    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.travel().await;
        self.records.records_of(user)
    }
}

/// A mistake in the call is a mistake of this program, or of its settings file.
fn mistaken(error: steadfast::engine::CallError) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// A visit of a user, who buys something.
async fn visit(
    State((client, database)): State<(Arc<Client>, Arc<Database>)>,
    Path(user): Path<String>,
) -> Result<Json<Value>, (StatusCode, String)> {
    let before = database.questions.load(Ordering::Relaxed);
    // One question for the whole request. Where it fails each call asks for itself, and decides by the policy for
    // storages that fail: what could not be fetched must not be passed as "nothing".
    let user_storage_data = client.stored(&user).await.unwrap_or_default();
    let options = Options { user_storage_data, ..Options::default() };

    let decision = client.activate("checkout-button", &user, &options).await.map_err(mistaken)?;
    let goal = client.track(TrackTarget::One("checkout-button"), &user, "bought", &options).await.map_err(mistaken)?;
    Ok(Json(json!({
        "user": user,
        "variation": decision.variation_name(),
        "reason": decision.reason().as_str(),
        "counted": goal.campaigns().iter().all(|campaign| campaign.is_tracked()),
        "questions": database.questions.load(Ordering::Relaxed) - before,
    })))
}

/// Serves until `end`, and then until everything is written.
async fn serve(listener: TcpListener, end: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let settings = Settings::parse(include_str!("settings.json")).map_err(io::Error::other)?;
    let database = Arc::new(Database::default());
    let client = Client::builder(Arc::new(settings)).storage(Arc::clone(&database)).build();
    let client = Arc::new(client);
    let router = Router::new().route("/visits/{user}", post(visit)).with_state((Arc::clone(&client), database));
    axum::serve(listener, router).with_graceful_shutdown(end).await?;
    client.flush(Duration::from_secs(10)).await.map_err(io::Error::other)
}

/// Serves visits of these users, one after the other, and ends. The answers.
pub(crate) async fn serve_once(users: &[&str]) -> io::Result<Vec<Value>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    // Dropped is as good as sent.
    let server = tokio::spawn(serve(listener, async move { drop(ended.await) }));
    let mut answers = Vec::new();
    for user in users {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!("POST /visits/{user} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        answers.push(serde_json::from_str(body)?);
    }
    drop(end);
    server.await??;
    Ok(answers)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--once") {
        for answer in serve_once(&["Ashley"]).await? {
            println!("{answer}");
        }
        return Ok(());
    }
    let port: u16 = argument.map_or(Ok(0), |port| port.parse()).map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("curl -X POST http://{}/visits/Ashley", listener.local_addr()?);
    // In a program of yours, here is what tells it to end: a signal.
    serve(listener, std::future::pending()).await
}
