//! Where events go. What the collector should hear of is the engine's to say; how it gets there is a sink's.
//!
//! Here are sinks that stay on this machine: [`MemoryEvents`], for tests, [`NdjsonEvents`], a file of JSON lines, and
//! [`StdoutEvents`]. With the feature `network` there is another, `Collector`, which sends them where the official SDK does;
//! give the client a clone of it, and keep one to flush. A client may have several.

mod ndjson;

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use steadfast_engine::event::Conversion;
use steadfast_engine::settings::Id;
use steadfast_engine::{Event, Revenue};

pub use ndjson::{NdjsonEvents, Rotation, StdoutEvents};
#[cfg(feature = "network")]
pub use steadfast_events::{
    BackOff, Batching, BuildError, Collector, CollectorBuilder, Counters, Delivery, Endpoint, EndpointError, Failing,
    FlushError, LostBy, Sender, Spool, SpoolError, spool,
};

/// Takes events over.
///
/// It is called where the decision is made and must not wait for anything: whatever takes time is for a thread or task
/// of its own. A panic in it is caught and logged; the decision stands.
pub trait EventSink: Send + Sync {
    /// Takes an event over. It borrows from the call: what is needed later must be copied.
    fn send(&self, event: &Event<'_, '_>);

    /// The client has opted out: what waits for more is to go now. Nobody waits for it. By default nothing waits.
    fn hurry(&self) {}

    /// The client is put together: how, for those who tell their collector of it. By default nobody wants to know.
    fn launched(&self, usage: &Usage) {
        let _ = usage;
    }
}

/// How a client is put together, as far as the official SDK tells its collector (spec EVT-60).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// There is a hook (`integrations`): `ig`.
    pub integrations: bool,
    /// There is a storage (`userStorageService`): `ss`.
    pub storage: bool,
    /// Goals count again for users who come back (`shouldTrackReturningUser`): `tr`.
    pub track_returning_users: bool,
    /// Not all kinds of goals are tracked (`goalTypeToTrack`): `gt`.
    pub goal_types: bool,
    /// Settings are looked for (`pollingInterval`): `pi`.
    pub polling: bool,
}

impl<S: EventSink + ?Sized> EventSink for std::sync::Arc<S> {
    fn send(&self, event: &Event<'_, '_>) {
        (**self).send(event);
    }

    fn hurry(&self) {
        (**self).hurry();
    }

    fn launched(&self, usage: &Usage) {
        (**self).launched(usage);
    }
}

#[cfg(feature = "network")]
impl EventSink for Collector {
    fn send(&self, event: &Event<'_, '_>) {
        Collector::send(self, event);
    }

    fn hurry(&self) {
        Collector::hurry(self);
    }

    fn launched(&self, usage: &Usage) {
        let all = [
            ("ig", usage.integrations),
            ("ss", usage.storage),
            ("tr", usage.track_returning_users),
            ("gt", usage.goal_types),
            ("pi", usage.polling),
        ];
        self.launched_with(all.into_iter().filter(|(_, is_used)| *is_used).map(|(name, _)| (name, "1".to_owned())));
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
