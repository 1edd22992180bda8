//! What is sent to the collector, beside what the official SDK sends for the same calls: it is played and watched here.
//! Every difference is one of those that this file names, each with its row of `docs/compat.md`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod places;

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use steadfast::blocking::Client;
use steadfast::engine::policy::Activation;
use steadfast::engine::{Policy, Settings, event};
use steadfast::event::EventSink;
use steadfast::line::{self, Line};
use steadfast_events::wire::{self, Method, Request, Sender};
use steadfast_events::{Account, Event, Stamp};
use steadfast_testkit::oracle::{Installed, VERSION};

/// The clock of `requests.js`, and the one chance it has: 0.5.
const STAMP: Stamp = Stamp { milliseconds: 1_700_000_000_123, chance: 1 << 63 };

/// How an account wants its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Single,
    Architecture,
    Batch,
    BatchOfArchitecture,
}

const FORMS: [Form; 4] = [Form::Single, Form::Architecture, Form::Batch, Form::BatchOfArchitecture];

impl Form {
    fn is_batch(self) -> bool {
        matches!(self, Form::Batch | Form::BatchOfArchitecture)
    }
}

fn settings(form: Form, more: Value) -> Value {
    let goals = json!([
        {"id": 7, "identifier": "buy", "type": "CUSTOM_GOAL"},
        {"id": 8, "identifier": "pay", "type": "REVENUE_TRACKING", "revenueProp": "price"},
    ]);
    let campaign = |id: u32, key: &str, kind: &str, variations: Value| {
        json!({"id": id, "key": key, "name": key, "type": kind, "status": "RUNNING", "percentTraffic": 100,
            "isForcedVariationEnabled": false, "segments": {}, "goals": goals, "variations": variations})
    };
    let two = json!([
        {"id": 1, "name": "Control", "weight": 50, "changes": {}}, {"id": 2, "name": "Variation-1", "weight": 50, "changes": {}},
    ]);
    let feature = json!([
        {"id": 1, "name": "Control", "weight": 50, "isFeatureEnabled": false, "variables": []},
        {"id": 2, "name": "Variation-1", "weight": 50, "isFeatureEnabled": true, "variables": []},
    ]);
    let mut settings = json!({"accountId": 60781, "sdkKey": "a-key", "version": 1, "campaigns": [
        campaign(11, "ab", "VISUAL_AB", two.clone()), campaign(12, "other", "VISUAL_AB", two),
        campaign(13, "feature", "FEATURE_TEST", feature),
    ]});
    let is_architecture = matches!(form, Form::Architecture | Form::BatchOfArchitecture);
    settings["isEventArchEnabled"] = is_architecture.into();
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    settings
}

fn calls(options: &Value) -> Vec<Value> {
    let with = |more: Value| {
        let mut all = options.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let track = |campaigns: Value, goal: &str, options: Value| {
        json!({"op": "track", "campaignKey": campaigns,
        "userId": "Ashley", "goalIdentifier": goal, "options": options})
    };
    vec![
        json!({"op": "activate", "campaignKey": "ab", "userId": "Ashley", "options": options}),
        json!({"op": "isFeatureEnabled", "campaignKey": "feature", "userId": "Bob ü", "options": options}),
        json!({"op": "getVariationName", "campaignKey": "ab", "userId": "Ashley", "options": options}),
        track(json!("ab"), "buy", with(json!({}))),
        track(json!("ab"), "pay", with(json!({"revenueValue": 12.5}))),
        track(json!("ab"), "pay", with(json!({"revenueValue": 12}))),
        track(json!("ab"), "pay", with(json!({"revenueValue": "12"}))),
        track(json!(["ab", "other"]), "buy", with(json!({}))),
        track(
            json!(["ab", "other"]),
            "pay",
            with(json!({"revenueValue": 3, "eventProperties": {"price": 4, "colour": "red"}})),
        ),
        track(Value::Null, "buy", with(json!({"eventProperties": {"n": 1.5, "deep": {"a": [true, null]}}}))),
        track(json!(["ab", "unknown"]), "buy", with(json!({}))),
        json!({"op": "push", "tagKey": "plan", "tagValue": "gold", "userId": "Ashley"}),
        json!({"op": "push", "tagKey": "a b", "tagValue": "ü&?=+", "userId": "Ashley"}),
        json!({"op": "push", "customDimensionMap": {"one": "1"}, "userId": "Ashley"}),
        json!({"op": "push", "customDimensionMap": {"a b": "ü&", "two": "2"}, "userId": "Ashley"}),
    ]
}

/// Keeps what is to be sent for each call.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Event>>>);

impl EventSink for Told {
    fn send(&self, event: &event::Event<'_, '_>) {
        let account = Arc::new(Account::of(event.settings()));
        self.0.lock().unwrap().extend(Event::of(event, account, STAMP));
    }
}

/// What is sent for each call, and at the end.
fn ours(settings: &Value, form: Form, calls: &[Value]) -> Vec<Vec<Request>> {
    let told = Told::default();
    let settings = Arc::new(Settings::parse(&settings.to_string()).unwrap());
    let policy = Policy { activation: Activation::Required, ..Policy::default() };
    let client = Client::builder(settings).policy(policy).events(told.clone()).build();
    let mut usage = vec![("cl", "1".to_owned())];
    if form.is_batch() {
        usage.insert(0, ("eb", "1".to_owned()));
    }
    let sender = Sender { usage, ..Sender::default() };
    let mut requests = Vec::new();
    let mut waiting = Vec::new();
    for call in calls {
        let text = call.to_string();
        line::run(&Line::parse(&text).unwrap(), &client);
        let events: Vec<Event> = told.0.lock().unwrap().drain(..).collect();
        requests.push(if form.is_batch() {
            waiting.extend(events);
            Vec::new()
        } else {
            events.iter().map(|event| wire::request(event, &sender)).collect()
        });
    }
    let flushed = waiting.first().map(|first| wire::batch(&first.account, &waiting, &sender));
    requests.push(flushed.into_iter().collect());
    requests
}

/// A request in a form to be compared: names and values of the query, headers, and the body.
#[derive(Debug, PartialEq)]
struct Plain {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Map<String, Value>,
    body: Option<Value>,
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn plain(method: &str, path: &str, headers: Map<String, Value>, body: Option<&str>) -> Plain {
    let (path, query) = path.split_once('?').unwrap();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or_else(|| panic!("`{pair}` of {query} is no parameter"));
        (name.to_owned(), decoded(value))
    };
    // Quirk Q-130: the reference writes `&` behind the last one, too.
    let query = query.split('&').filter(|one| !one.is_empty()).map(pair).collect();
    let body = body.map(|body| serde_json::from_str(body).unwrap());
    Plain { method: method.to_owned(), path: path.to_owned(), query, headers, body }
}

/// What the reference sends, brought to what is to be sent: who sends is another client (spec EVT-4), what is absent is not
/// sent as `undefined`, and the length of a body is what whoever sends it says.
fn reference(request: &Value) -> Plain {
    let mut headers = request["headers"].as_object().unwrap().clone();
    headers.remove("Content-Length");
    let method = request["method"].as_str().unwrap();
    let mut plain = plain(method, request["path"].as_str().unwrap(), headers, request["body"].as_str());
    let sender = Sender::default();
    plain.query.retain(|(name, value)| name != "env" || value != "undefined");
    for (name, value) in &mut plain.query {
        match name.as_str() {
            "sdk" => assert_eq!(std::mem::replace(value, sender.name.clone()), "vwo-node-sdk"),
            "sdk-v" => assert_eq!(std::mem::replace(value, sender.version.clone()), VERSION),
            _ => {}
        }
    }
    if let Some(name) = plain.headers.get_mut("User-Agent") {
        *name = sender.name.clone().into();
    }
    if let Some(props) = plain.body.as_mut().and_then(|body| body.pointer_mut("/d/event/props")) {
        props["vwo_sdkName"] = sender.name.into();
        props["vwo_sdkVersion"] = sender.version.into();
    }
    plain
}

fn our(request: &Request) -> Plain {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let headers = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let mut plain = plain(method, &request.path, headers, request.body.as_deref());
    // What tells the second delivery of an event, beyond what the reference sends.
    for entry in plain.body.iter_mut().filter_map(|body| body.pointer_mut("/ev")?.as_array_mut()).flatten() {
        assert_eq!(entry.as_object_mut().unwrap().remove("random"), Some(json!(0.5)));
    }
    plain
}

/// Quirk Q-131: in a call about several campaigns the reference tells the address in the place of the user agent.
fn mend_shifted(plain: &mut Plain, user_agent: &str, address: &str) {
    for entry in plain.body.iter_mut().filter_map(|body| body.pointer_mut("/ev")?.as_array_mut()).flatten() {
        if entry["eT"] == 2 {
            assert_eq!((&entry["visitor_ua"], &entry["visitor_ip"]), (&json!(address), &json!("")));
            (entry["visitor_ua"], entry["visitor_ip"]) = (user_agent.into(), address.into());
        }
    }
}

fn compare(form: Form, more: Value, options: &Value) {
    let (settings, calls) = (settings(form, more), calls(options));
    let mut launch = json!({});
    if form.is_batch() {
        launch["batchEvents"] = json!({"eventsPerRequest": 1_000, "requestTimeInterval": 600});
    }
    let session = json!({"settings": settings, "launch": launch, "calls": calls});
    let played = Installed::new(places::workspace()).and_then(|sdk| sdk.requests(&session)).unwrap();
    let mut theirs: Vec<Vec<Plain>> = Vec::new();
    let of_call = played["calls"].as_array().unwrap().iter().map(|call| &call["requests"]);
    for requests in of_call.chain([&played["flushed"]]) {
        theirs.push(requests.as_array().unwrap().iter().map(reference).collect());
    }
    let ours = ours(&settings, form, &calls);
    assert_eq!(theirs.len(), ours.len());
    let names = calls.iter().map(Value::to_string).chain(["flush".to_owned()]);
    for ((call, mut theirs), ours) in names.zip(theirs).zip(ours) {
        if let (Some(user_agent), Some(address), false) =
            (options["userAgent"].as_str(), options["userIpAddress"].as_str(), form.is_batch())
        {
            theirs.iter_mut().for_each(|plain| mend_shifted(plain, user_agent, address));
        }
        let ours: Vec<Plain> = ours.iter().map(our).collect();
        assert_eq!(ours, theirs, "{form:?} {call}");
    }
}

#[test]
fn every_kind_of_call_is_sent_as_the_reference_sends_it() {
    for form in FORMS {
        compare(form, json!({}), &json!({}));
    }
}

#[test]
fn the_users_machine_is_told_as_the_reference_tells_it() {
    for form in FORMS {
        compare(form, json!({}), &json!({"userAgent": "Mozilla/5.0 (X; \"Y\") ü", "userIpAddress": "2001:db8::1"}));
    }
}

#[test]
fn an_account_with_a_residence_or_without_a_key_is_told_of_as_the_reference_does() {
    for form in FORMS {
        compare(form, json!({"collectionPrefix": "eu01"}), &json!({}));
    }
    for form in FORMS {
        compare(form, json!({"sdkKey": Value::Null}), &json!({}));
    }
}

/// Quirks: what the reference sends as it is breaks the request, or makes another of it.
#[test]
fn every_value_arrives_as_it_was() {
    let nasty = "a&b=c d/ü?#\u{1f600}\"";
    let mut settings = settings(Form::Single, json!({"sdkKey": nasty}));
    let calls = [
        json!({"op": "activate", "campaignKey": "ab", "userId": nasty, "options": {"userAgent": nasty}}),
        json!({"op": "push", "tagKey": nasty, "tagValue": nasty, "userId": nasty}),
    ];
    let requests = ours(&settings, Form::Single, &calls);
    let value = |requests: &[Request], name: &str| {
        let query = our(&requests[0]).query;
        query.into_iter().find(|(one, _)| one == name).unwrap().1
    };
    assert_eq!((value(&requests[0], "env"), value(&requests[0], "visitor_ua")), (nasty.to_owned(), nasty.to_owned()));
    let tags: Value = serde_json::from_str(&value(&requests[1], "tags")).unwrap();
    assert_eq!(tags, json!({"u": {nasty: nasty}}));
    settings["isEventArchEnabled"] = true.into();
    for campaign in settings["campaigns"].as_array_mut().unwrap() {
        campaign["goals"][0]["identifier"] = nasty.into();
    }
    let call = json!({"op": "track", "campaignKey": "ab", "userId": "Ashley", "goalIdentifier": nasty});
    let requests = ours(&settings, Form::Architecture, &[call]);
    assert_eq!(value(&requests[0], "en"), nasty);
}

/// Quirk Q-138: a property of the caller's takes no place that means something.
#[test]
fn what_means_something_cannot_be_written_over() {
    let settings = settings(Form::Architecture, json!({}));
    let call = json!({"op": "track", "campaignKey": "ab", "userId": "Ashley", "goalIdentifier": "buy",
        "options": {"eventProperties": {"vwoMeta": 1, "isCustomEvent": false, "vwo_envKey": "x", "mine": 2}}});
    let requests = ours(&settings, Form::Architecture, &[call]);
    let body = our(&requests[0][0]).body.unwrap();
    let props = &body["d"]["event"]["props"];
    assert_eq!(props["vwoMeta"], json!({"metric": {"id_11": ["g_7"]}}));
    assert_eq!(
        (&props["isCustomEvent"], &props["vwo_envKey"], &props["mine"]),
        (&json!(true), &json!("a-key"), &json!(2))
    );
}

#[test]
fn an_amount_stands_for_the_campaigns_that_it_counts_in() {
    let mut settings = settings(Form::Architecture, json!({}));
    settings["campaigns"][1]["status"] = "PAUSED".into();
    settings["campaigns"][1]["goals"][1]["revenueProp"] = "of-the-paused".into();
    let call = json!({"op": "track", "campaignKey": ["ab", "other"], "userId": "Ashley", "goalIdentifier": "pay",
        "options": {"revenueValue": 3}});
    let requests = ours(&settings, Form::Architecture, &[call]);
    let body = our(&requests[0][0]).body.unwrap();
    assert_eq!(body["d"]["event"]["props"]["vwoMeta"], json!({"metric": {"id_11": ["g_8"]}, "price": 3}));
}
