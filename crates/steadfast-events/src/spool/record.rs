//! Events and accounts as JSON, and back.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use steadfast_engine::Revenue;
use steadfast_engine::bucket::VisitorId;
use steadfast_engine::settings::Id;

use crate::event::{Account, Conversion, Converted, Event, Stamp, What};

/// An account. It has the key of the environment: the files are for their owner alone.
pub(super) fn account_as_json(account: &Account) -> Value {
    json!({
        "id": id_as_json(&account.id),
        "sdkKey": account.sdk_key,
        "eventArchitecture": account.event_architecture,
        "collectionPrefix": account.collection_prefix,
    })
}

/// The account that was written so; `None` when it is none.
pub(super) fn account_from_json(text: &str) -> Option<Account> {
    let mut value = serde_json::from_str::<Map<String, Value>>(text).ok()?;
    Some(Account {
        id: id_from_json(value.remove("id")?)?,
        sdk_key: text_from_json(value.remove("sdkKey")?)?,
        event_architecture: value.remove("eventArchitecture")?.as_bool()?,
        collection_prefix: text_from_json(value.remove("collectionPrefix")?)?,
    })
}

/// Whether what is written of an event can be read again: JSON is not read deeper than 127 levels.
pub(super) fn can_be_read(event: &Event) -> bool {
    fn fits(value: &Value, levels: u32) -> bool {
        levels > 0
            && match value {
                Value::Array(items) => items.iter().all(|item| fits(item, levels - 1)),
                Value::Object(entries) => entries.values().all(|value| fits(value, levels - 1)),
                _ => true,
            }
    }
    match &event.what {
        What::Converted(converted) => converted.properties.values().all(|value| fits(value, 100)),
        What::Shown { .. } | What::Properties(_) => true,
    }
}

/// An event without its account.
pub(super) fn event_as_json(event: &Event) -> Value {
    let mut value = json!({
        "at": event.stamp.milliseconds,
        "chance": event.stamp.chance,
        "visitor": event.visitor.as_str(),
    });
    let (name, what) = match &event.what {
        What::Shown { campaign, variation } => ("shown", json!([id_as_json(campaign), id_as_json(variation)])),
        What::Converted(converted) => ("converted", converted_as_json(converted)),
        What::Properties(properties) => ("properties", json!(properties)),
    };
    value[name] = what;
    for (name, given) in [("userAgent", &event.user_agent), ("userIpAddress", &event.user_ip_address)] {
        if let Some(text) = given {
            value[name] = json!(text);
        }
    }
    value
}

/// The event that was written so; `None` when it is none.
pub(super) fn event_from_json(text: &str, account: &Arc<Account>) -> Option<Event> {
    let mut value = serde_json::from_str::<Map<String, Value>>(text).ok()?;
    let what = if let Some(shown) = value.remove("shown") {
        let [campaign, variation] = ids_from_json(shown)?;
        What::Shown { campaign, variation }
    } else if let Some(converted) = value.remove("converted") {
        What::Converted(Box::new(converted_from_json(converted)?))
    } else {
        What::Properties(serde_json::from_value(value.remove("properties")?).ok()?)
    };
    Some(Event {
        account: Arc::clone(account),
        visitor: VisitorId::from_text(value.get("visitor")?.as_str()?)?,
        stamp: Stamp { milliseconds: value.get("at")?.as_u64()?, chance: value.get("chance")?.as_u64()? },
        user_agent: text_from_json(value.remove("userAgent").unwrap_or_default())?,
        user_ip_address: text_from_json(value.remove("userIpAddress").unwrap_or_default())?,
        what,
    })
}

fn converted_as_json(converted: &Converted) -> Value {
    let conversion = |one: &Conversion| {
        json!({
            "ids": [id_as_json(&one.campaign), id_as_json(&one.variation), id_as_json(&one.goal)],
            "countsRevenue": one.counts_revenue,
            "revenueProperty": one.revenue_property,
        })
    };
    let revenue = match &converted.revenue {
        Some(Revenue::Number(number)) => json!(number),
        Some(Revenue::Text(text)) => json!(text),
        None => Value::Null,
    };
    json!({
        "goal": converted.goal,
        "campaigns": converted.campaigns.iter().map(conversion).collect::<Vec<_>>(),
        "addressedMany": converted.addressed_many,
        "revenue": revenue,
        "properties": converted.properties,
    })
}

fn converted_from_json(value: Value) -> Option<Converted> {
    let Value::Object(mut value) = value else { return None };
    let conversion = |one: Value| {
        let Value::Object(mut one) = one else { return None };
        let [campaign, variation, goal] = ids_from_json(one.remove("ids")?)?;
        Some(Conversion {
            campaign,
            variation,
            goal,
            counts_revenue: one.remove("countsRevenue")?.as_bool()?,
            revenue_property: text_from_json(one.remove("revenueProperty")?)?,
        })
    };
    let Value::Array(campaigns) = value.remove("campaigns")? else { return None };
    let Value::Object(properties) = value.remove("properties")? else { return None };
    Some(Converted {
        goal: text_from_json(value.remove("goal")?)??,
        campaigns: campaigns.into_iter().map(conversion).collect::<Option<_>>()?,
        addressed_many: value.remove("addressedMany")?.as_bool()?,
        revenue: match value.remove("revenue")? {
            Value::Null => None,
            Value::String(text) => Some(Revenue::Text(text)),
            number => Some(Revenue::Number(number.as_f64()?)),
        },
        properties,
    })
}

/// An id says whether it was a number: a number stands for itself in an array of one, so that no digit of it changes.
fn id_as_json(id: &Id) -> Value {
    if id.is_number() { json!([id.as_str()]) } else { json!(id.as_str()) }
}

fn id_from_json(value: Value) -> Option<Id> {
    match value {
        Value::String(text) => Some(Id::new(text, false)),
        Value::Array(number) => match <[Value; 1]>::try_from(number).ok()? {
            [Value::String(text)] => Some(Id::new(text, true)),
            _ => None,
        },
        _ => None,
    }
}

fn ids_from_json<const COUNT: usize>(value: Value) -> Option<[Id; COUNT]> {
    let Value::Array(values) = value else { return None };
    values.into_iter().map(id_from_json).collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// A text or none; the outer `None` when it is something else.
#[expect(clippy::option_option, reason = "a text, no text, and what is neither")]
fn text_from_json(value: Value) -> Option<Option<Box<str>>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.into())),
        _ => None,
    }
}
