//! One call for each event (spec EVT-10 to EVT-37).

use serde_json::{Map, Value, json};
use steadfast_engine::Revenue;
use steadfast_engine::settings::Id;

use super::query::Query;
use super::{Method, Request, Sender, add_usage, path, visitor_headers};
use crate::event::{Converted, Event};

/// `track-user` (spec EVT-10).
pub(super) fn shown(event: &Event, campaign: &Id, variation: &Id, sender: &Sender) -> Request {
    let mut query = Query::of(path(&event.account, "/server-side/track-user"));
    query.add("experiment_id", campaign.as_str());
    query.add("combination", variation.as_str());
    add_visitor(&mut query, event);
    add_base(&mut query, event, sender);
    add_usage(&mut query, sender);
    query.add("ed", r#"{"p":"server"}"#);
    get(query, event)
}

/// `track-goal`, in one campaign (spec EVT-20).
pub(super) fn converted(event: &Event, converted: &Converted, sender: &Sender) -> Request {
    let mut query = Query::of(path(&event.account, "/server-side/track-goal"));
    // Where the call was about one campaign it counts in one.
    if let Some(one) = converted.campaigns.first() {
        query.add("experiment_id", one.campaign.as_str());
        query.add("combination", one.variation.as_str());
        add_base(&mut query, event, sender);
        add_visitor(&mut query, event);
        query.add("goal_id", one.goal.as_str());
        if one.counts_revenue
            && let Some(revenue) = &converted.revenue
        {
            query.add("r", &amount(revenue));
        }
    }
    get(query, event)
}

/// `push`, of one property (spec EVT-35).
pub(super) fn properties(event: &Event, properties: &[(String, String)], sender: &Sender) -> Request {
    let mut query = Query::of(path(&event.account, "/server-side/push"));
    add_base(&mut query, event, sender);
    let properties: Map<String, Value> =
        properties.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    query.add("tags", &json!({ "u": properties }).to_string());
    get(query, event)
}

fn get(query: Query, event: &Event) -> Request {
    Request { method: Method::Get, path: query.done(), headers: visitor_headers(event), body: None }
}

fn add_visitor(query: &mut Query, event: &Event) {
    query.add("visitor_ua", event.user_agent.as_deref().unwrap_or_default());
    query.add("visitor_ip", event.user_ip_address.as_deref().unwrap_or_default());
}

fn add_base(query: &mut Query, event: &Event, sender: &Sender) {
    query.add("sId", &event.stamp.seconds().to_string());
    query.add("u", event.visitor.as_str());
    query.add("sdk", &sender.name);
    query.add("sdk-v", &sender.version);
    query.add_some("env", event.account.sdk_key.as_deref());
    query.add("account_id", event.account.id.as_str());
    query.add("random", &event.stamp.random().to_string());
    query.add("ap", "server");
}

fn amount(revenue: &Revenue) -> String {
    match revenue {
        Revenue::Number(number) => number.to_string(),
        Revenue::Text(text) => text.clone(),
    }
}
