//! What should happen next, as data. The engine performs nothing.

use crate::decide::Decision;
use crate::event::Event;
use crate::settings::{Campaign, Variation};
use crate::stored::{GoalList, Record};

/// One thing that should happen.
#[derive(Debug)]
pub enum Effect<'d, 'a> {
    /// Hand this to the event queue.
    Send(Event<'d, 'a>),
    /// Hand this to the storage. Nobody waits for it, unless the caller asked for a confirmed decision.
    Store(Write<'d>),
    /// Show this decision to the hook (`integrations`).
    Notify(&'d Decision<'a>),
}

/// A record to be kept, and under which condition.
#[derive(Debug, Clone)]
pub struct Write<'d> {
    pub(crate) user: &'d str,
    pub(crate) campaign: &'d Campaign,
    pub(crate) variation: &'d Variation,
    pub(crate) listed: Option<&'d GoalList>,
    pub(crate) new_goal: Option<&'d str>,
    pub(crate) activated: bool,
    pub(crate) meta_data: Option<&'d serde_json::Value>,
    pub(crate) precondition: Precondition<'d>,
    pub(crate) was_read: bool,
}

/// What the decision knew about the place it writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition<'d> {
    /// It was empty. If somebody was faster, their variation stays (decision D-10).
    Absent,
    /// It held this variation, by the storage's word or the caller's: goals or the activation are added.
    Stored,
    /// It held this variation, which the campaign does not have any more: exactly that one is replaced.
    Replaces(&'d str),
    /// Nobody knows: it may be filled if it is empty. A record of another variation must be left alone (decision D-8).
    Unknown,
}

impl Write<'_> {
    /// Under which condition it may be written.
    #[must_use]
    pub fn precondition(&self) -> Precondition<'_> {
        self.precondition
    }

    /// Whether the precondition is what the storage itself answered a moment ago. If not, the caller passed it or nobody
    /// knows, and a storage that cannot merge in one step must look first.
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// The goal that this write adds to the list, if it adds one.
    #[must_use]
    pub fn new_goal(&self) -> Option<&str> {
        self.new_goal
    }

    /// The complete record, as `set` of the document's service gets it: one write with the whole list of goals
    /// (decision D-11).
    #[must_use]
    pub fn to_record(&self) -> Record {
        let mut goals = self.listed.cloned().unwrap_or_default();
        if let Some(goal) = self.new_goal {
            goals.push(goal);
        }
        Record {
            user_id: self.user.to_owned(),
            campaign_key: self.campaign.key.to_string(),
            variation_name: self.variation.name.to_string(),
            goals,
            activated: self.activated,
            meta_data: self.meta_data.cloned(),
        }
    }
}
