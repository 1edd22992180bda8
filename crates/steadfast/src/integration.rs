//! What the official SDK shows to its `integrations` callback, of a decision that a hook sees.

use serde_json::{Map, Value, json};
use steadfast_engine::attributes::{AttributeValue, Attributes};
use steadfast_engine::settings::CampaignKind;
use steadfast_engine::{Decision, Reason, Verb};

use crate::event::id;

/// The properties of a decision, by the names of the official SDK (spec API-91): for a hook that hands them on to an
/// analytics service. What is undefined there is left out.
///
/// `isFeatureEnabled` is told of feature tests as well (quirk Q-110), and `sdkVersion` is Steadfast's. Of an object among
/// the custom variables no more is known than that it is one: it is `{}`.
///
/// ```
/// # use std::sync::Arc;
/// # use steadfast::{blocking::Client, engine::{Options, Settings}, integration};
/// # let settings = Arc::new(Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": []}"#)?);
/// let client = Client::builder(settings)
///     .integrations(|decision| {
///         let properties = integration::properties(decision);
///         println!("{} {}", properties["campaignKey"], properties["variationName"]);
///     })
///     .build();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn properties(decision: &Decision<'_>) -> Map<String, Value> {
    let (campaign, options) = (decision.campaign(), decision.options());
    let mut properties = Map::new();
    let mut add = |name: &str, value: Value| {
        properties.insert(name.to_owned(), value);
    };
    add("fromUserStorageService", (decision.reason() == Reason::Stored).into());
    add("isUserWhitelisted", (decision.reason() == Reason::Whitelisted).into());
    if *campaign.kind() == CampaignKind::FeatureRollout {
        add("isFeatureEnabled", decision.variation().is_some().into());
    } else if let Some(variation) = decision.variation() {
        add("variationName", variation.name().into());
        add("variationId", id(variation.id()));
        if *campaign.kind() == CampaignKind::FeatureTest {
            add("isFeatureEnabled", variation.is_feature_enabled().into());
        }
    }
    add("campaignId", id(campaign.id()));
    add("campaignKey", campaign.key().into());
    add("campaignType", campaign.kind().as_str().into());
    if let Some(name) = campaign.name() {
        add("campaignName", name.into());
    }
    if !options.custom_variables.is_empty() {
        add("customVariables", attributes(&options.custom_variables));
    }
    add("event", "CAMPAIGN_DECISION".into());
    if let Some(goal) = decision.goal() {
        add("goalIdentifier", goal.identifier().into());
    }
    add("isForcedVariationEnabled", campaign.forced_variation_enabled().into());
    add("sdkVersion", env!("CARGO_PKG_VERSION").into());
    add("source", source(decision.verb()).into());
    add("userId", decision.user().into());
    add("variationTargetingVariables", attributes(&options.variation_targeting_variables));
    add("vwoUserId", decision.settings().visitors().visitor(decision.user()).as_str().into());
    if let Some(group) = decision.settings().group_of(campaign) {
        // `campaignGroups`, where the official SDK has it from, names it as a number; `groups`, by its nature, as a text.
        let number = group.id().as_str().parse::<i64>();
        add("groupId", number.map_or_else(|_| id(group.id()), Value::from));
        if let Some(name) = group.name() {
            add("groupName", name.into());
        }
    }
    properties
}

/// The verb, as the callback is told of it.
fn source(verb: Verb) -> &'static str {
    match verb {
        Verb::VariationName => "getVariation",
        verb => verb.as_str(),
    }
}

fn attributes(attributes: &Attributes) -> Value {
    let values = attributes.iter().filter(|(_, value)| **value != AttributeValue::Undefined);
    values.map(|(name, value)| (name.to_owned(), attribute(value))).collect::<Map<String, Value>>().into()
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Undefined | AttributeValue::Null => Value::Null,
        AttributeValue::Bool(value) => (*value).into(),
        AttributeValue::Number(number) => whole(*number).map_or_else(|| json!(number), Value::from),
        AttributeValue::Text(text) => text.as_str().into(),
        AttributeValue::List(items) => items.iter().map(attribute).collect(),
        AttributeValue::Object => json!({}),
    }
}

/// As JavaScript writes it: no `.0` behind a whole number.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is looked at whether it is one")]
    let whole = number as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "the same question")]
    let is_whole = whole as f64 == number;
    is_whole.then_some(whole)
}
