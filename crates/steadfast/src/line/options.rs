//! The options of a line, with the reference's rules of validity (spec API-12 to API-17).

use steadfast_engine::attributes::Attributes;
use steadfast_engine::policy::GoalTypes;
use steadfast_engine::settings::wire::Json;
use steadfast_engine::{Options, Record, Revenue, UserStorageData};

use super::request::Mistake;

/// The options of a call; `reads_returning` says whether the call looks at `shouldTrackReturningUser` (spec API-14).
pub(super) fn read(json: Option<&Json<'_>>, reads_returning: bool, tracks: bool) -> Result<Options, Mistake> {
    let Some(json) = json else { return Ok(Options::default()) };
    if !matches!(json, Json::Object(_)) {
        return Err(Mistake::new(format!("`options` is {}, expected an object", json.kind())));
    }
    let mut options = Options {
        custom_variables: attributes(json, "customVariables")?,
        variation_targeting_variables: attributes(json, "variationTargetingVariables")?,
        user_storage_data: user_storage_data(json)?,
        meta_data: meta_data(json)?,
        user_agent: text(json, "userAgent"),
        user_ip_address: text(json, "userIpAddress"),
        ..Options::default()
    };
    if reads_returning {
        options.track_returning_users = match json.get("shouldTrackReturningUser") {
            None => None,
            Some(Json::Bool(value)) => Some(*value),
            Some(other) => return Err(wrong("shouldTrackReturningUser", other, "true or false")),
        };
    }
    if tracks {
        options.goal_types = goal_types(json)?;
        options.revenue = revenue(json);
        options.event_properties = json.get("eventProperties").and_then(object);
    }
    Ok(options)
}

fn wrong(name: &str, found: &Json<'_>, expected: &str) -> Mistake {
    Mistake::new(format!("`options.{name}` is {}, expected {expected}", found.kind()))
}

fn attributes(options: &Json<'_>, name: &str) -> Result<Attributes, Mistake> {
    match options.get(name) {
        None => Ok(Attributes::new()),
        Some(json) => Attributes::from_json(json).ok_or_else(|| wrong(name, json, "an object")),
    }
}

/// One record or a list of them (decision D-4); `null` is none (spec Q-3). What is no record is as if it had not been
/// passed; a list without any object is a mistake, as every list is to the reference (spec STO-20). `{"all": [...]}` is all that
/// is stored for the user, however little.
fn user_storage_data(options: &Json<'_>) -> Result<UserStorageData, Mistake> {
    match options.get("userStorageData") {
        None | Some(Json::Null) => Ok(UserStorageData::NONE),
        Some(json @ Json::Object(_)) => match json.get("all") {
            Some(Json::List(items)) => Ok(UserStorageData::all(records(items))),
            _ => Ok(Record::from_json(json).map_or(UserStorageData::NONE, UserStorageData::from)),
        },
        Some(Json::List(items)) if items.iter().any(|item| matches!(item, Json::Object(_))) => {
            Ok(records(items).into())
        }
        Some(Json::List(_)) => Err(Mistake::new(
            "`options.userStorageData` is a list without a record: pass `{\"all\": []}` where nothing is stored"
                .to_owned(),
        )),
        Some(other) => Err(wrong("userStorageData", other, "a record or a list of records")),
    }
}

fn records(items: &[Json<'_>]) -> Vec<Record> {
    items.iter().filter_map(|item| Record::from_json(item).ok()).collect()
}

/// `null` is none (spec Q-23).
fn meta_data(options: &Json<'_>) -> Result<Option<serde_json::Value>, Mistake> {
    match options.get("metaData") {
        None | Some(Json::Null) => Ok(None),
        Some(json @ Json::Object(_)) => Ok(Some(json.to_value())),
        Some(other) => Err(wrong("metaData", other, "an object")),
    }
}

fn goal_types(options: &Json<'_>) -> Result<Option<GoalTypes>, Mistake> {
    let Some(json) = options.get("goalTypeToTrack") else { return Ok(None) };
    match json.as_text() {
        Some("ALL") => Ok(Some(GoalTypes::All)),
        Some("CUSTOM_GOAL") => Ok(Some(GoalTypes::Custom)),
        Some("REVENUE_TRACKING") => Ok(Some(GoalTypes::Revenue)),
        _ => Err(wrong("goalTypeToTrack", json, "`ALL`, `CUSTOM_GOAL` or `REVENUE_TRACKING`")),
    }
}

/// A number or a numeric text (spec Q-103); anything else counts as not given.
fn revenue(options: &Json<'_>) -> Option<Revenue> {
    match options.get("revenueValue")? {
        Json::Number(number) => Revenue::from_number(*number),
        Json::Text(text) => Revenue::from_text(text),
        _ => None,
    }
}

fn text(options: &Json<'_>, name: &str) -> Option<String> {
    options.get(name).and_then(Json::as_text).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn object(json: &Json<'_>) -> Option<serde_json::Map<String, serde_json::Value>> {
    match json.to_value() {
        serde_json::Value::Object(map) => Some(map),
        _ => None,
    }
}
