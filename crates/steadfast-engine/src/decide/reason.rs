//! Why a user got what they got: one variant per way out of a decision.

use std::fmt;

/// The way out of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Whitelisted for the variation (spec SEG-50).
    Whitelisted,
    /// The variation is stored for this user (spec STO-26).
    Stored,
    /// Bucketed afresh (spec BKT-32).
    Assigned,
    /// No variation: the client has opted out (spec API-70).
    OptedOut,
    /// No variation: the campaign is not running.
    NotRunning,
    /// No variation: a multi-armed bandit without a storage would move users about (spec STO-60).
    BanditNeedsStorage,
    /// No variation: the storage could not answer, and the policy is not to decide without it (decision D-8).
    StorageFailed,
    /// No variation: nothing is stored, and the policy is that users are activated first (spec STO-40).
    NotActivated,
    /// No variation: the user is not in the campaign's audience (spec SEG-1).
    NotInAudience,
    /// No variation: the user is outside the campaign's share of traffic (spec BKT-31).
    NotInTraffic,
    /// No variation: the user is whitelisted in another campaign of the group (spec GRP-11).
    WhitelistedElsewhere,
    /// No variation: the user has a stored variation in another campaign of the group (spec GRP-11).
    StoredElsewhere,
    /// No variation: another campaign of the group won the user (spec GRP-32).
    LostGroup,
    /// No variation: no campaign of the group won the user (decision D-16, spec GRP-42).
    NoGroupWinner,
    /// No variation: the user's bucket lies in no variation's range (spec BKT-32).
    NoRange,
}

impl Reason {
    /// A stable name for logs, counters and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Whitelisted => "whitelisted",
            Reason::Stored => "stored",
            Reason::Assigned => "assigned",
            Reason::OptedOut => "opted_out",
            Reason::NotRunning => "not_running",
            Reason::BanditNeedsStorage => "bandit_needs_storage",
            Reason::StorageFailed => "storage_failed",
            Reason::NotActivated => "not_activated",
            Reason::NotInAudience => "not_in_audience",
            Reason::NotInTraffic => "not_in_traffic",
            Reason::WhitelistedElsewhere => "whitelisted_elsewhere",
            Reason::StoredElsewhere => "stored_elsewhere",
            Reason::LostGroup => "lost_group",
            Reason::NoGroupWinner => "no_group_winner",
            Reason::NoRange => "no_range",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Reason::Whitelisted => "the user is whitelisted for the variation",
            Reason::Stored => "the variation is stored for the user",
            Reason::Assigned => "the user's bucket falls into the variation's range",
            Reason::OptedOut => "the client has opted out",
            Reason::NotRunning => "the campaign is not running",
            Reason::BanditNeedsStorage => "the campaign is a multi-armed bandit and no storage is configured",
            Reason::StorageFailed => "the storage could not answer",
            Reason::NotActivated => "the user has not been activated in the campaign",
            Reason::NotInAudience => "the user is not in the campaign's audience",
            Reason::NotInTraffic => "the user is outside the campaign's traffic",
            Reason::WhitelistedElsewhere => "the user is whitelisted in another campaign of the group",
            Reason::StoredElsewhere => "the user is stored in another campaign of the group",
            Reason::LostGroup => "another campaign of the group won the user",
            Reason::NoGroupWinner => "no campaign of the group won the user",
            Reason::NoRange => "the user's bucket lies in no variation's range",
        })
    }
}
