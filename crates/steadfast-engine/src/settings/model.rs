//! The compiled settings: immutable, indexed, without a trace of the file's many spellings.

use std::collections::HashMap;
use std::fmt;

use rustc_hash::FxBuildHasher;

use super::changes::Fields;
use super::problem::Problem;
use super::variable::Variable;
use crate::bucket::{Bucketer, HashInput, Murmur3, Range, VisitorNamespace};
use crate::segment::Segment;

/// A settings file, ready for decisions. Made by [`Settings::compile`](Settings::compile); shared behind an `Arc`.
pub struct Settings {
    pub(crate) account: Id,
    pub(crate) sdk_key: Option<Box<str>>,
    pub(crate) event_architecture: bool,
    pub(crate) collection_prefix: Option<Box<str>>,
    pub(crate) campaigns: Box<[Campaign]>,
    pub(crate) by_key: HashMap<Box<str>, CampaignIndex, FxBuildHasher>,
    pub(crate) groups: Box<[Group]>,
    pub(crate) visitors: VisitorNamespace,
    pub(crate) problems: Box<[Problem]>,
    /// By which it is seen whether what goes for the account is different.
    pub(crate) fields: Fields,
}

/// The place of a campaign in [`Settings::campaigns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignIndex(pub(crate) u32);

/// The place of a variation in its campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct VariationIndex(pub(crate) u32);

/// An id of the settings file, a number or a text there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    pub(crate) text: Box<str>,
    pub(crate) is_number: bool,
}

/// An experiment, a feature test or a feature rollout.
#[derive(Debug)]
pub struct Campaign {
    pub(crate) id: Id,
    pub(crate) key: Box<str>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) kind: CampaignKind,
    pub(crate) status: Box<str>,
    pub(crate) running: bool,
    /// `isForcedVariationEnabled`, and at least one variation that somebody can be whitelisted for.
    pub(crate) whitelisting: bool,
    /// `isForcedVariationEnabled` as the file has it.
    pub(crate) forced_variation_enabled: bool,
    /// `isUserListEnabled`: user lists hold visitor ids.
    pub(crate) hashed_user_lists: bool,
    /// `isMAB`: the weights move by themselves, so that only storage keeps users where they are.
    pub(crate) bandit: bool,
    pub(crate) audience: Segment,
    pub(crate) bucketer: Bucketer,
    /// The ranges of the variations, side by side: what a decision scans.
    pub(crate) ranges: Box<[Range]>,
    pub(crate) variations: Box<[Variation]>,
    pub(crate) goals: Box<[Goal]>,
    pub(crate) variables: Box<[Variable]>,
    pub(crate) group: Option<GroupIndex>,
    /// Why the campaign cannot be used: the first error in it.
    pub(crate) broken: Option<Box<Problem>>,
    /// By which it is seen whether it is different from another.
    pub(crate) fields: Fields,
}

/// What a campaign is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignKind {
    /// `VISUAL_AB`: variations by name.
    Ab,
    /// `FEATURE_TEST`: variations of a feature.
    FeatureTest,
    /// `FEATURE_ROLLOUT`: a feature for a part of the users.
    FeatureRollout,
    /// Anything else; the reference answers some calls on it (spec API-8).
    Other(Box<str>),
}

/// One arm of a campaign.
#[derive(Debug)]
pub struct Variation {
    pub(crate) id: Id,
    pub(crate) name: Box<str>,
    /// The percentage the file gives; the effect of it stands in the campaign's ranges.
    pub(crate) weight: f64,
    /// Who is whitelisted for it; `None` where nobody can be (spec SEG-2).
    pub(crate) whitelist: Option<Segment>,
    pub(crate) feature_enabled: bool,
    /// `None` where the file has no list at all (spec API-62).
    pub(crate) variables: Option<Box<[Variable]>>,
}

/// Something users do that is counted.
#[derive(Debug)]
pub struct Goal {
    pub(crate) id: Id,
    pub(crate) identifier: Box<str>,
    pub(crate) kind: GoalKind,
    /// `revenueProp`: the event property that carries the revenue.
    pub(crate) revenue_property: Option<Box<str>>,
    /// `mca` is -1: every conversion counts, not only the first of each user.
    pub(crate) counts_every_time: bool,
}

/// What kind of [`Goal`] it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoalKind {
    /// `CUSTOM_GOAL`
    Custom,
    /// `REVENUE_TRACKING`: comes with an amount.
    Revenue,
    /// Anything else: matches neither filter.
    Other,
}

/// The place of a group in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupIndex(pub(crate) u32);

/// Campaigns that exclude each other: a user takes part in at most one.
#[derive(Debug)]
pub struct Group {
    pub(crate) id: Id,
    pub(crate) name: Option<Box<str>>,
    /// The running members, in the order of the group's list.
    pub(crate) members: Box<[CampaignIndex]>,
    pub(crate) algorithm: GroupAlgorithm,
    /// The hash state after `<group id>_` (spec BKT-25).
    pub(crate) seed: Murmur3,
    pub(crate) input: HashInput,
}

/// How a [`Group`] chooses among the members a user is eligible for.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupAlgorithm {
    /// All alike (spec GRP-30).
    Random,
    /// The first eligible of `priority`; else by weight (spec GRP-40, GRP-41).
    Advanced {
        /// Members in order of precedence.
        priority: Box<[CampaignIndex]>,
        /// Members with a weight, in member order.
        weights: Box<[(CampaignIndex, f64)]>,
    },
}

/// In short: the settings stand in every request and decision, and a file has thousands of lines.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("account", &self.account.text)
            .field("campaigns", &self.campaigns.len())
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The account the file belongs to.
    #[must_use]
    pub fn account(&self) -> &Id {
        &self.account
    }

    /// The key of the environment, if the file has one.
    #[must_use]
    pub fn sdk_key(&self) -> Option<&str> {
        self.sdk_key.as_deref()
    }

    /// Whether events go to the event architecture (`isEventArchEnabled`).
    #[must_use]
    pub fn event_architecture(&self) -> bool {
        self.event_architecture
    }

    /// What stands between host and path of event calls, for accounts with data residency.
    #[must_use]
    pub fn collection_prefix(&self) -> Option<&str> {
        self.collection_prefix.as_deref()
    }

    /// All campaigns, in the order of the file, broken ones included.
    #[must_use]
    pub fn campaigns(&self) -> &[Campaign] {
        &self.campaigns
    }

    /// The campaign with this key; the first one where several have it (spec SET-50).
    #[must_use]
    pub fn campaign(&self, key: &str) -> Option<&Campaign> {
        self.index_of(key).map(|index| self.at(index))
    }

    /// All groups.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What turns user ids into visitor ids.
    #[must_use]
    pub fn visitors(&self) -> VisitorNamespace {
        self.visitors
    }

    /// Everything that was found wrong or odd, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    #[inline]
    pub(crate) fn index_of(&self, key: &str) -> Option<CampaignIndex> {
        self.by_key.get(key).copied()
    }

    /// The campaign at a place of these settings.
    ///
    /// # Panics
    /// When the place is of other settings, which have more campaigns.
    #[must_use]
    #[inline]
    pub fn at(&self, index: CampaignIndex) -> &Campaign {
        &self.campaigns[index.0 as usize]
    }

    /// The group of a campaign of these settings, if it is in one.
    #[must_use]
    pub fn group_of(&self, campaign: &Campaign) -> Option<&Group> {
        campaign.group.map(|index| &self.groups[index.0 as usize])
    }
}

impl Id {
    /// An id that was written down outside of a settings file: its text, and whether it was a number there.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>, is_number: bool) -> Id {
        Id { text: text.into(), is_number }
    }

    /// The id as a text, as it goes into seeds and requests.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the file has it as a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.is_number
    }
}

impl Campaign {
    /// The campaign's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The key that calls name it by.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> &CampaignKind {
        &self.kind
    }

    /// The status as the file has it.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Whether it is running: only then anybody gets a variation.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether whitelisting is switched on (`isForcedVariationEnabled`).
    #[must_use]
    pub fn forced_variation_enabled(&self) -> bool {
        self.forced_variation_enabled
    }

    /// Whether its weights move by themselves (`isMAB`).
    #[must_use]
    pub fn is_bandit(&self) -> bool {
        self.bandit
    }

    /// The percentage of users let in.
    #[must_use]
    pub fn percent_traffic(&self) -> f64 {
        self.bucketer.percent_traffic()
    }

    /// How its users are bucketed.
    #[must_use]
    pub fn bucketer(&self) -> &Bucketer {
        &self.bucketer
    }

    /// Its variations, in the order of the file.
    #[must_use]
    pub fn variations(&self) -> &[Variation] {
        &self.variations
    }

    /// The buckets of each variation, in the same order.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The variation with this name (spec SET-50).
    #[must_use]
    pub fn variation(&self, name: &str) -> Option<&Variation> {
        self.variation_named(name).map(|index| self.variation_at(index))
    }

    /// Its goals.
    #[must_use]
    pub fn goals(&self) -> &[Goal] {
        &self.goals
    }

    /// The goal with this identifier.
    #[must_use]
    pub fn goal(&self, identifier: &str) -> Option<&Goal> {
        self.goals.iter().find(|goal| &*goal.identifier == identifier)
    }

    /// The variables of a feature rollout.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Why the campaign cannot be used, if it cannot.
    #[must_use]
    pub fn broken(&self) -> Option<&Problem> {
        self.broken.as_deref()
    }

    pub(crate) fn variation_named(&self, name: &str) -> Option<VariationIndex> {
        let place = self.variations.iter().position(|variation| &*variation.name == name)?;
        u32::try_from(place).ok().map(VariationIndex)
    }

    #[inline]
    pub(crate) fn variation_at(&self, index: VariationIndex) -> &Variation {
        &self.variations[index.0 as usize]
    }

    /// The variation whose range holds the bucket, the first in the order of the file (spec BKT-32).
    #[inline]
    pub(crate) fn variation_in_range(&self, bucket: i64) -> Option<VariationIndex> {
        let place = self.ranges.iter().position(|range| range.contains(bucket))?;
        #[expect(clippy::cast_possible_truncation, reason = "compilation refuses more variations than fit")]
        Some(VariationIndex(place as u32))
    }
}

impl CampaignKind {
    /// The type as the settings file writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            CampaignKind::Ab => "VISUAL_AB",
            CampaignKind::FeatureTest => "FEATURE_TEST",
            CampaignKind::FeatureRollout => "FEATURE_ROLLOUT",
            CampaignKind::Other(name) => name,
        }
    }
}

impl Variation {
    /// The variation's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Its name: what verbs return and storages keep.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The percentage of users it is meant to get.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Whether the feature is on in it.
    #[must_use]
    pub fn is_feature_enabled(&self) -> bool {
        self.feature_enabled
    }

    /// Its variables; `None` where the file has no list.
    #[must_use]
    pub fn variables(&self) -> Option<&[Variable]> {
        self.variables.as_deref()
    }
}

impl Goal {
    /// The goal's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The identifier that `track` names it by.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// What kind of goal it is.
    #[must_use]
    pub fn kind(&self) -> GoalKind {
        self.kind
    }

    /// The event property that carries the revenue.
    #[must_use]
    pub fn revenue_property(&self) -> Option<&str> {
        self.revenue_property.as_deref()
    }

    /// Whether every conversion counts, not only the first of each user.
    #[must_use]
    pub fn counts_every_time(&self) -> bool {
        self.counts_every_time
    }
}

impl Group {
    /// The group's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its running members, in the order of its list.
    #[must_use]
    pub fn members(&self) -> &[CampaignIndex] {
        &self.members
    }

    /// How it chooses.
    #[must_use]
    pub fn algorithm(&self) -> &GroupAlgorithm {
        &self.algorithm
    }
}
