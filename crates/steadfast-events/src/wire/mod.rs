//! An event as data becomes an HTTP request as a value.
//!
//! An account takes events in one of three forms (spec EVT-10 to EVT-58): single calls (`single.rs`), those of the event
//! architecture (`architecture.rs`), and batches (`batch.rs`), which go before both where batching is on. A goal of
//! several campaigns and several properties go as a batch in any account that has no event architecture.
//!
//! Every value is encoded, and what is absent is left out (quirk Q-130): the reference writes values as they are, so that
//! one with `&` in it becomes another parameter, and one with a blank is never sent.

mod architecture;
mod batch;
mod query;
mod single;

use std::sync::Arc;

use steadfast_engine::settings::Id;

use crate::event::{Account, Event, Stamp, What};

pub use batch::{batch, entries_of};
use query::Query;

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Without a body.
    Get,
    /// With one.
    Post,
}

/// A request to the collector, without the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How it is sent.
    pub method: Method,
    /// The path and the query. It holds the key of the environment: it is for no log.
    pub path: String,
    /// Headers beside those of every request.
    pub headers: Vec<(&'static str, String)>,
    /// What a [`Method::Post`] sends: JSON.
    pub body: Option<String>,
}

/// What the collector is told about whoever sends (spec EVT-4, EVT-60).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The name of the client library.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the client was launched with, such as `("eb", "1")` for batching, in the order of spec EVT-60; `_l` is added.
    pub usage: Vec<(&'static str, String)>,
}

impl Default for Sender {
    fn default() -> Self {
        let (name, version) = ("steadfast".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Sender { name, version, usage: Vec::new() }
    }
}

/// The request for one event where batching is off. It is one, whatever the event: what is split there is split here.
#[must_use]
pub fn request(event: &Event, sender: &Sender) -> Request {
    if event.account.event_architecture {
        return architecture::request(event, sender);
    }
    match &event.what {
        What::Shown { campaign, variation } => single::shown(event, campaign, variation, sender),
        What::Converted(converted) if !converted.addressed_many => single::converted(event, converted, sender),
        What::Properties(properties) if properties.len() == 1 => single::properties(event, properties, sender),
        What::Converted(_) | What::Properties(_) => batch(&event.account, [event], sender),
    }
}

/// The request for the settings of an account (spec EVT-70): the server has them for whoever has the key. Data residency
/// does not go for it (quirk Q-140).
#[must_use]
pub fn settings(account: &str, sdk_key: &str, sender: &Sender, stamp: Stamp) -> Request {
    let mut query = Query::of("/server-side/settings".to_owned());
    query.add("a", account);
    query.add("i", sdk_key);
    query.add("r", &stamp.random().to_string());
    query.add("platform", "server");
    query.add("sdk", &sender.name);
    query.add("sdk-v", &sender.version);
    Request { method: Method::Get, path: query.done(), headers: Vec::new(), body: None }
}

/// The path of a call, behind the account's prefix.
fn path(account: &Account, call: &str) -> String {
    match account
        .collection_prefix
        .as_deref()
        .map(|prefix| prefix.trim_matches('/'))
        .filter(|prefix| !prefix.is_empty())
    {
        Some(prefix) => format!("/{}{call}", query::encoded(prefix)),
        None => call.to_owned(),
    }
}

/// What is said of the user's machine (spec EVT-5).
fn visitor_headers(event: &Event) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(user_agent) = &event.user_agent {
        headers.push(("X-Device-User-Agent", query::encoded(user_agent)));
    }
    if let Some(address) = &event.user_ip_address {
        headers.push(("VWO-X-Forwarded-For", query::encoded(address)));
    }
    headers
}

/// Usage statistics (spec EVT-60).
fn add_usage(query: &mut Query, sender: &Sender) {
    for (name, value) in &sender.usage {
        query.add(name, value);
    }
    if !sender.usage.is_empty() {
        query.add("_l", "1");
    }
}

/// An id in its own form: a number where the settings have a number.
pub(crate) fn id(id: &Id) -> serde_json::Value {
    let number = if id.is_number() { id.as_str().parse::<serde_json::Number>().ok() } else { None };
    number.map_or_else(|| id.as_str().into(), serde_json::Value::Number)
}

/// Whether two events may be told in one batch.
#[must_use]
pub fn go_together(one: &Arc<Account>, other: &Arc<Account>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
