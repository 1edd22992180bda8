//! The calls of the event architecture (spec EVT-40 to EVT-47).

use serde_json::{Map, Value, json};

use super::query::Query;
use super::{Method, Request, Sender, add_usage, id, path, visitor_headers};
use crate::event::{Converted, Event, What};

/// Names of an event's properties that the caller's own do not come over (quirk Q-138).
const RESERVED: [&str; 5] = ["vwoMeta", "isCustomEvent", "vwo_sdkName", "vwo_sdkVersion", "vwo_envKey"];

pub(super) fn request(event: &Event, sender: &Sender) -> Request {
    let name = match &event.what {
        What::Shown { .. } => "vwo_variationShown",
        What::Converted(converted) => &converted.goal,
        What::Properties(_) => "vwo_syncVisitorProp",
    };
    let mut query = Query::of(path(&event.account, "/events/t"));
    query.add("en", name);
    query.add("a", event.account.id.as_str());
    query.add_some("env", event.account.sdk_key.as_deref());
    query.add("eTime", &event.stamp.milliseconds.to_string());
    query.add("random", &event.stamp.random().to_string());
    query.add("p", "FS");
    query.add("visitor_ua", event.user_agent.as_deref().unwrap_or_default());
    query.add("visitor_ip", event.user_ip_address.as_deref().unwrap_or_default());
    if matches!(event.what, What::Shown { .. }) {
        add_usage(&mut query, sender);
    }
    let mut headers = vec![("User-Agent", sender.name.clone())];
    headers.extend(visitor_headers(event));
    let body = Some(body(event, name, sender).to_string());
    Request { method: Method::Post, path: query.done(), headers, body }
}

fn body(event: &Event, name: &str, sender: &Sender) -> Value {
    let key = event.account.sdk_key.as_deref();
    let mut of_event = Map::new();
    of_event.insert("vwo_sdkName".to_owned(), sender.name.as_str().into());
    of_event.insert("vwo_sdkVersion".to_owned(), sender.version.as_str().into());
    of_event.extend(key.map(|key| ("vwo_envKey".to_owned(), key.into())));
    let mut of_visitor = Map::new();
    of_visitor.extend(key.map(|key| ("vwo_fs_environment".to_owned(), key.into())));
    match &event.what {
        What::Shown { campaign, variation } => {
            of_event.insert("id".to_owned(), id(campaign));
            of_event.insert("variation".to_owned(), id(variation));
            of_event.insert("isFirst".to_owned(), 1.into());
        }
        What::Converted(converted) => {
            of_event.insert("vwoMeta".to_owned(), meta(converted));
            of_event.insert("isCustomEvent".to_owned(), true.into());
            let own = converted.properties.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
            of_event.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
        What::Properties(properties) => {
            of_event.insert("isCustomEvent".to_owned(), true.into());
            of_visitor.extend(properties.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        }
    }
    let visitor = event.visitor.as_str();
    let milliseconds = event.stamp.milliseconds;
    json!({ "d": {
        "msgId": format!("{visitor}-{milliseconds}"),
        "visId": visitor,
        "sessionId": event.stamp.seconds(),
        "event": { "props": of_event, "name": name, "time": milliseconds },
        "visitor": { "props": of_visitor },
    } })
}

/// The campaigns that the goal counts in, and the amount under each property that carries one there (spec EVT-45, EVT-46;
/// of campaigns where it does not count none, quirk Q-139).
fn meta(converted: &Converted) -> Value {
    let mut metric = Map::new();
    for one in &converted.campaigns {
        metric.insert(format!("id_{}", one.campaign.as_str()), json!([format!("g_{}", one.goal.as_str())]));
    }
    let mut meta = Map::from_iter([("metric".to_owned(), Value::Object(metric))]);
    if let Some(revenue) = &converted.revenue {
        let carrying = converted.campaigns.iter().filter(|one| one.counts_revenue);
        for property in carrying.filter_map(|one| one.revenue_property.as_deref()) {
            meta.insert(property.to_owned(), super::batch::amount(revenue));
        }
    }
    meta.into()
}
