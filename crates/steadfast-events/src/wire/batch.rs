//! Several events in one call (spec EVT-30, EVT-36, EVT-50 to EVT-53).

use serde_json::{Map, Value, json};
use steadfast_engine::Revenue;
use steadfast_engine::settings::Id;

use super::query::{Query, encoded};
use super::{Method, Request, Sender, add_usage, id, path};
use crate::event::{Account, Conversion, Converted, Event, What};

/// The request for events of one account.
///
/// An entry carries the number of its event as `random`, as the single calls do: of a batch that is sent twice, or of two
/// batches with one event, the second can be told.
#[must_use]
pub fn batch<'e>(account: &Account, events: impl IntoIterator<Item = &'e Event>, sender: &Sender) -> Request {
    let mut query = Query::of(path(account, "/server-side/batch-events"));
    query.add("a", account.id.as_str());
    add_usage(&mut query, sender);
    query.add("sdk", &sender.name);
    query.add("sdk-v", &sender.version);
    query.add_some("env", account.sdk_key.as_deref());
    let entries: Vec<Value> = events.into_iter().flat_map(entries).collect();
    // Without a key the reference names itself (spec EVT-53).
    let header = match &account.sdk_key {
        Some(key) => ("Authorization", key.to_string()),
        None => ("User-Agent", sender.name.clone()),
    };
    let body = Some(json!({ "ev": entries }).to_string());
    Request { method: Method::Post, path: query.done(), headers: vec![header], body }
}

/// How many entries an event makes.
#[must_use]
pub fn entries_of(event: &Event) -> usize {
    match &event.what {
        What::Shown { .. } => 1,
        What::Converted(converted) => converted.campaigns.len(),
        What::Properties(properties) => properties.len(),
    }
}

fn entries(event: &Event) -> Vec<Value> {
    match &event.what {
        What::Shown { campaign, variation } => vec![of_campaign(event, 1, campaign, variation, Map::new())],
        What::Converted(converted) => {
            let entry = |one: &Conversion| {
                let mut more = Map::from_iter([("g".to_owned(), id(&one.goal))]);
                more.extend(revenue(event, converted, one).map(|amount| ("r".to_owned(), amount)));
                of_campaign(event, 2, &one.campaign, &one.variation, more)
            };
            converted.campaigns.iter().map(entry).collect()
        }
        What::Properties(properties) => {
            let entry = |(name, value): &(String, String)| {
                let property = json!({ "u": { name.as_str(): value } }).to_string();
                json!({
                    "sId": event.stamp.seconds(),
                    "u": event.visitor.as_str(),
                    "eT": 3,
                    "t": encoded(&property),
                    "random": event.stamp.random(),
                })
            };
            properties.iter().map(entry).collect()
        }
    }
}

fn of_campaign(event: &Event, kind: u8, campaign: &Id, variation: &Id, more: Map<String, Value>) -> Value {
    let mut entry = Map::from_iter([
        ("e".to_owned(), id(campaign)),
        ("c".to_owned(), id(variation)),
        ("sId".to_owned(), event.stamp.seconds().into()),
        ("u".to_owned(), event.visitor.as_str().into()),
        ("eT".to_owned(), kind.into()),
        ("visitor_ua".to_owned(), event.user_agent.as_deref().unwrap_or_default().into()),
        ("visitor_ip".to_owned(), event.user_ip_address.as_deref().unwrap_or_default().into()),
        ("random".to_owned(), event.stamp.random().into()),
    ]);
    entry.extend(more);
    entry.into()
}

/// The amount of a conversion (spec EVT-52).
fn revenue(event: &Event, converted: &Converted, one: &Conversion) -> Option<Value> {
    let of_call = converted.revenue.as_ref().filter(|_| one.counts_revenue).map(amount);
    of_call.or_else(|| {
        let property = one.revenue_property.as_deref().filter(|_| event.account.event_architecture)?;
        converted.properties.get(property).cloned()
    })
}

/// An amount as it was given: a number, or a text.
pub(super) fn amount(revenue: &Revenue) -> Value {
    match revenue {
        Revenue::Number(number) => number_of(*number),
        Revenue::Text(text) => text.as_str().into(),
    }
}

/// As JavaScript writes it: no `.0` behind a whole number.
fn number_of(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "it is looked at whether it is one")]
    let whole = number as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "the same question")]
    if whole as f64 == number { whole.into() } else { number.into() }
}
