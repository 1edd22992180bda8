//! What a call may bring along: the document's `options`.

use crate::attributes::Attributes;
use crate::policy::GoalTypes;
use crate::stored::UserStorageData;

/// The options of one call. [`Options::NONE`] where there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// `customVariables`: what pre-segmentation looks at.
    pub custom_variables: Attributes,
    /// `variationTargetingVariables`: what whitelisting looks at.
    pub variation_targeting_variables: Attributes,
    /// `userStorageData`: records fetched beforehand; each serves the campaign it names (decisions D-1 to D-4).
    pub user_storage_data: UserStorageData,
    /// `metaData`: kept with the record of a new decision.
    pub meta_data: Option<serde_json::Value>,
    /// `shouldTrackReturningUser`
    pub track_returning_users: Option<bool>,
    /// `goalTypeToTrack`
    pub goal_types: Option<GoalTypes>,
    /// `revenueValue`
    pub revenue: Option<Revenue>,
    /// `eventProperties`
    pub event_properties: Option<serde_json::Map<String, serde_json::Value>>,
    /// `userAgent`: goes with events.
    pub user_agent: Option<String>,
    /// `userIpAddress`: goes with events.
    pub user_ip_address: Option<String>,
}

/// An amount: a number, or a text that is one (spec Q-103). Zero is an amount (decision D-20).
#[derive(Debug, Clone, PartialEq)]
pub enum Revenue {
    /// A finite number.
    Number(f64),
    /// A numeric text, sent as it is.
    Text(String),
}

impl Options {
    /// No options.
    pub const NONE: &'static Options = &Options {
        custom_variables: Attributes::new(),
        variation_targeting_variables: Attributes::new(),
        user_storage_data: UserStorageData::NONE,
        meta_data: None,
        track_returning_users: None,
        goal_types: None,
        revenue: None,
        event_properties: None,
        user_agent: None,
        user_ip_address: None,
    };
}

impl Revenue {
    /// The amount that a text stands for; `None` when it is no number.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Revenue> {
        text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| Revenue::Text(text.to_owned()))
    }

    /// The amount of a number; `None` when it is not finite.
    #[must_use]
    pub fn from_number(number: f64) -> Option<Revenue> {
        number.is_finite().then_some(Revenue::Number(number))
    }
}
