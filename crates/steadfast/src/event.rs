//! Where events go. What the collector should hear of is the engine's to say; how it gets there is a sink's.
//!
//! Here are two sinks that stay on this machine: [`MemoryEvents`], for tests, and [`NdjsonEvents`], a file of JSON lines.
//! With the feature `network` there is a third, `Collector`, which sends them where the
//! official SDK does; give the client a clone of it, and keep one to flush.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use steadfast_engine::event::Conversion;
use steadfast_engine::settings::Id;
use steadfast_engine::{Event, Revenue};

#[cfg(feature = "network")]
pub use steadfast_events::{
    BackOff, Batching, BuildError, Collector, CollectorBuilder, Counters, Delivery, Endpoint, EndpointError,
    FlushError, LostBy, Sender, Spool, SpoolError, spool,
};

/// Takes events over.
///
/// It is called where the decision is made and must not wait for anything: whatever takes time is for a thread or task
/// of its own. A panic in it is caught and logged; the decision stands.
pub trait EventSink: Send + Sync {
    /// Takes an event over. It borrows from the call: what is needed later must be copied.
    fn send(&self, event: &Event<'_, '_>);
}

impl<S: EventSink + ?Sized> EventSink for std::sync::Arc<S> {
    fn send(&self, event: &Event<'_, '_>) {
        (**self).send(event);
    }
}

#[cfg(feature = "network")]
impl EventSink for Collector {
    fn send(&self, event: &Event<'_, '_>) {
        Collector::send(self, event);
    }
}

/// Keeps events in memory, as [`to_json`] writes them.
#[derive(Debug, Default)]
pub struct MemoryEvents(Mutex<Vec<Value>>);

impl MemoryEvents {
    /// No events yet.
    #[must_use]
    pub fn new() -> Self {
        MemoryEvents::default()
    }

    /// The events so far, in their order; afterwards there are none.
    #[must_use]
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventSink for MemoryEvents {
    fn send(&self, event: &Event<'_, '_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(to_json(event));
    }
}

/// Appends events to a file, a JSON object a line, each with its `time` in milliseconds since 1970. They are in the file
/// after [`flush`](Self::flush), and when this is dropped.
#[derive(Debug)]
pub struct NdjsonEvents(Mutex<BufWriter<File>>);

impl NdjsonEvents {
    /// Opens the file at its end; makes it where it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(NdjsonEvents(Mutex::new(BufWriter::new(file))))
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl EventSink for NdjsonEvents {
    fn send(&self, event: &Event<'_, '_>) {
        let mut event = to_json(event);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        event["time"] = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX).into();
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{event}") {
            tracing::error!(%error, "an event cannot be written to its file");
        }
    }
}

/// An event as a JSON object: `event` is `impression`, `conversion` or `push`; ids are as in the settings.
#[must_use]
pub fn to_json(event: &Event<'_, '_>) -> Value {
    match event {
        Event::Impression(impression) => {
            let decision = impression.decision();
            json!({
                "event": "impression",
                "accountId": id(decision.settings().account()),
                "userId": decision.user(),
                "visitorId": impression.visitor().as_str(),
                "campaignKey": decision.campaign().key(),
                "campaignId": id(decision.campaign().id()),
                "variationId": decision.variation().map(|variation| id(variation.id())),
            })
        }
        Event::Conversion(tracking) => {
            let request = tracking.request();
            let settings = request.settings();
            let revenue = request.options().revenue.as_ref().map(|revenue| match revenue {
                Revenue::Number(number) => json!(number),
                Revenue::Text(text) => json!(text),
            });
            json!({
                "event": "conversion",
                "accountId": id(settings.account()),
                "userId": request.user(),
                "visitorId": settings.visitors().visitor(request.user()).as_str(),
                "goalIdentifier": tracking.goal(),
                "revenue": revenue,
                "campaigns": tracking.conversions().map(conversion).collect::<Vec<_>>(),
            })
        }
        Event::Push(push) => {
            let properties: Map<String, Value> =
                push.properties().iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({
                "event": "push",
                "accountId": id(push.settings().account()),
                "userId": push.user(),
                "visitorId": push.settings().visitors().visitor(push.user()).as_str(),
                "properties": properties,
            })
        }
    }
}

fn conversion(one: Conversion<'_>) -> Value {
    json!({
        "campaignKey": one.campaign.key(),
        "campaignId": id(one.campaign.id()),
        "variationId": id(one.variation.id()),
        "goalId": id(one.goal.id()),
    })
}

/// An id in its own form: a number where the settings have a number.
pub(crate) fn id(id: &Id) -> Value {
    let number = if id.is_number() { id.as_str().parse::<serde_json::Number>().ok() } else { None };
    number.map_or_else(|| json!(id.as_str()), Value::Number)
}
