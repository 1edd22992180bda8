//! What is kept of an event until it is delivered.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use steadfast_engine::bucket::VisitorId;
use steadfast_engine::settings::{GoalKind, Id, Settings};
use steadfast_engine::{Options, Revenue, event};

use crate::wire;

/// Whose events these are, and how the collector wants them: what the settings say of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: Id,
    /// The key of the environment. A secret of the account: it stands in what is sent, and in no log.
    pub sdk_key: Option<Box<str>>,
    /// The account takes events in the form of the event architecture (`isEventArchEnabled`).
    pub event_architecture: bool,
    /// Where the account's data resides (`collectionPrefix`): the first part of the path of every event (spec EVT-1).
    pub collection_prefix: Option<Box<str>>,
}

/// When something happened, and which happening it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub milliseconds: u64,
    /// Chosen by chance. It is sent as `random`, so that of two deliveries of one event the second can be told to be one.
    pub chance: u64,
}

/// Something that the collector is to hear of.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The user as the collector knows them: the user id itself is never sent (spec EVT-7).
    pub visitor: VisitorId,
    /// When, and which.
    pub stamp: Stamp,
    /// `userAgent`, as the caller gave it.
    pub user_agent: Option<Box<str>>,
    /// `userIpAddress`, as the caller gave it.
    pub user_ip_address: Option<Box<str>>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A visitor was shown a variation.
    Shown {
        /// The campaign's id.
        campaign: Id,
        /// The variation's id.
        variation: Id,
    },
    /// A visitor reached a goal.
    Converted(Box<Converted>),
    /// A visitor has these properties, by name.
    Properties(Vec<(String, String)>),
}

/// A goal that a visitor reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The identifier of the goal.
    pub goal: Box<str>,
    /// Where it counts, at least one campaign.
    pub campaigns: Vec<Conversion>,
    /// The call was about more than one campaign, whether or not it counts in them (spec EVT-30).
    pub addressed_many: bool,
    /// The amount.
    pub revenue: Option<Revenue>,
    /// `eventProperties`
    pub properties: Map<String, Value>,
}

/// A goal that counts in one campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// The campaign's id.
    pub campaign: Id,
    /// The variation's id.
    pub variation: Id,
    /// The goal's id.
    pub goal: Id,
    /// The goal counts an amount.
    pub counts_revenue: bool,
    /// The event property that carries the amount, in the event architecture.
    pub revenue_property: Option<Box<str>>,
}

/// It does not show the key.
impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("id", &self.id)
            .field("event_architecture", &self.event_architecture)
            .field("collection_prefix", &self.collection_prefix)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// What the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Account {
        Account {
            id: settings.account().clone(),
            sdk_key: settings.sdk_key().map(Into::into),
            event_architecture: settings.event_architecture(),
            collection_prefix: settings.collection_prefix().map(Into::into),
        }
    }

    /// Whether the settings say the same.
    #[must_use]
    pub fn is_of(&self, settings: &Settings) -> bool {
        self.id == *settings.account()
            && self.sdk_key.as_deref() == settings.sdk_key()
            && self.event_architecture == settings.event_architecture()
            && self.collection_prefix.as_deref() == settings.collection_prefix()
    }
}

impl Event {
    /// What is kept of an event of the engine; `None` where there is nothing to tell: a decision without a variation, or a
    /// goal that counts nowhere.
    #[must_use]
    pub fn of(event: &event::Event<'_, '_>, account: Arc<Account>, stamp: Stamp) -> Option<Event> {
        let (visitor, options, what) = match event {
            event::Event::Impression(impression) => {
                let decision = impression.decision();
                let variation = decision.variation()?.id().clone();
                let what = What::Shown { campaign: decision.campaign().id().clone(), variation };
                (impression.visitor(), decision.options(), what)
            }
            event::Event::Conversion(tracking) => {
                let request = tracking.request();
                let options = request.options();
                let converted = Converted {
                    goal: tracking.goal().into(),
                    campaigns: tracking.conversions().map(Conversion::of).collect(),
                    addressed_many: tracking.addressed_many(),
                    revenue: options.revenue.clone(),
                    properties: options.event_properties.clone().unwrap_or_default(),
                };
                if converted.campaigns.is_empty() {
                    return None;
                }
                let visitor = request.settings().visitors().visitor(request.user());
                (visitor, options, What::Converted(Box::new(converted)))
            }
            event::Event::Push(push) => {
                let properties = push.properties().iter().map(|(name, value)| (name.clone(), value.clone()));
                let visitor = push.settings().visitors().visitor(push.user());
                (visitor, Options::NONE, What::Properties(properties.collect()))
            }
        };
        let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Into::into);
        let (user_agent, user_ip_address) = (given(&options.user_agent), given(&options.user_ip_address));
        Some(Event { account, visitor, stamp, user_agent, user_ip_address, what })
    }
}

impl Event {
    /// For people and their programs: `event` is `impression`, `conversion` or `push`, `time` is in milliseconds since 1970,
    /// and ids are as in the settings. Neither the user nor the key of the environment is in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "event": self.what.name(),
            "time": self.stamp.milliseconds,
            "accountId": wire::id(&self.account.id),
            "visitorId": self.visitor.as_str(),
            "random": self.stamp.random(),
        });
        match &self.what {
            What::Shown { campaign, variation } => {
                value["campaignId"] = wire::id(campaign);
                value["variationId"] = wire::id(variation);
            }
            What::Converted(converted) => {
                let campaign = |one: &Conversion| {
                    json!({
                        "campaignId": wire::id(&one.campaign),
                        "variationId": wire::id(&one.variation),
                        "goalId": wire::id(&one.goal),
                    })
                };
                value["goalIdentifier"] = json!(converted.goal);
                value["revenue"] = match &converted.revenue {
                    Some(Revenue::Number(number)) => json!(number),
                    Some(Revenue::Text(text)) => json!(text),
                    None => Value::Null,
                };
                value["campaigns"] = converted.campaigns.iter().map(campaign).collect();
            }
            What::Properties(properties) => {
                let properties = properties.iter().map(|(name, value)| (name.clone(), json!(value)));
                value["properties"] = properties.collect::<Map<String, Value>>().into();
            }
        }
        value
    }
}

impl What {
    /// `impression`, `conversion` or `push`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            What::Shown { .. } => "impression",
            What::Converted(_) => "conversion",
            What::Properties(_) => "push",
        }
    }
}

impl Conversion {
    fn of(one: event::Conversion<'_>) -> Conversion {
        Conversion {
            campaign: one.campaign.id().clone(),
            variation: one.variation.id().clone(),
            goal: one.goal.id().clone(),
            counts_revenue: one.goal.kind() == GoalKind::Revenue,
            revenue_property: one.goal.revenue_property().map(Into::into),
        }
    }
}

impl Stamp {
    /// Seconds since 1970, rounded up as the reference does (spec EVT-10, Q-142).
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.milliseconds.div_ceil(1_000)
    }

    /// A number of at least 0 and less than 1, of the upper 53 bits of chance: all that such a number holds.
    #[must_use]
    pub fn random(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what it holds")]
        let upper = (self.chance >> 11) as f64;
        upper / (1_u64 << 53) as f64
    }
}
