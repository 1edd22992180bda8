//! What would happen after the decision: what is sent, what is stored, who is told.

use serde_json::{Value, json};
use steadfast::engine::{Effect, Event, Precondition};

use super::outcome::Outcome;
use crate::terminal::text::shown;

/// One thing that would happen, for people and for programs.
pub(super) struct Next {
    /// In words.
    pub(super) sentence: String,
    /// A second line with the details.
    pub(super) detail: String,
    /// Whether neither VWO nor the storage hears of it.
    pub(super) is_silent: bool,
    /// As an object.
    pub(super) json: Value,
}

/// What would happen, in its order.
pub(super) fn steps(outcome: &Outcome<'_>) -> Vec<Next> {
    outcome.effects().iter().map(step).collect()
}

fn step(effect: &Effect<'_, '_>) -> Next {
    match effect {
        Effect::Send(Event::Impression(impression)) => {
            let decision = impression.decision();
            let (campaign, variation) = (decision.campaign(), decision.variation());
            let name = variation.map_or("", |variation| variation.name());
            let id = variation.map_or("", |variation| variation.id().as_str());
            let visitor = impression.visitor();
            Next {
                sentence: format!("VWO would hear of a visitor of {}", shown(name)),
                detail: format!("campaign {}, variation {id}, visitor {}", campaign.id().as_str(), visitor.as_str()),
                is_silent: false,
                json: json!({ "effect": "send", "event": "impression", "campaignId": campaign.id().as_str(),
                    "variationId": id, "visitorId": visitor.as_str() }),
            }
        }
        Effect::Send(Event::Push(push)) => Next {
            sentence: "VWO would hear of properties of the visitor".to_owned(),
            detail: push
                .properties()
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect::<Vec<_>>()
                .join(", "),
            is_silent: false,
            json: json!({ "effect": "send", "event": "push", "properties": push.properties() }),
        },
        Effect::Send(Event::Conversion(tracking)) => {
            let settings = tracking.request().settings();
            let visitor = settings.visitors().visitor(tracking.request().user());
            let counted: Vec<Value> = tracking
                .conversions()
                .map(|one| {
                    json!({ "campaignId": one.campaign.id().as_str(), "variationId": one.variation.id().as_str(),
                        "goalId": one.goal.id().as_str() })
                })
                .collect();
            let places: Vec<String> = tracking
                .conversions()
                .map(|one| {
                    let (campaign, variation) = (one.campaign.id().as_str(), one.variation.id().as_str());
                    format!("campaign {campaign}, variation {variation}, goal {}", one.goal.id().as_str())
                })
                .collect();
            Next {
                sentence: format!("VWO would hear of the goal {}", shown(tracking.goal())),
                detail: format!("{}, visitor {}", places.join("; "), visitor.as_str()),
                is_silent: false,
                json: json!({ "effect": "send", "event": "conversion", "goal": tracking.goal(),
                    "conversions": counted, "visitorId": visitor.as_str() }),
            }
        }
        Effect::Store(write) => {
            let record = write.to_record().to_json();
            let (condition, why) = match write.precondition() {
                Precondition::Absent => ("absent", "A storage would keep a new record".to_owned()),
                Precondition::Stored => ("stored", "The storage would add to the record".to_owned()),
                Precondition::Replaces(gone) => (
                    "replaces",
                    format!("The storage would replace the record, whose variation {} is gone", shown(gone)),
                ),
                Precondition::Unknown => ("unknown", "A storage would keep a new record if it has none".to_owned()),
            };
            let detail = record.to_string();
            let json = json!({ "effect": "store", "condition": condition, "record": record });
            Next { sentence: why, detail, is_silent: false, json }
        }
        Effect::Notify(_) => Next {
            sentence: "The integrations hook is called with the decision".to_owned(),
            detail: String::new(),
            is_silent: true,
            json: json!({ "effect": "notify" }),
        },
    }
}
