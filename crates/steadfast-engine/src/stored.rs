//! What is kept for a user in a campaign, in the document's form.
//!
//! ```json
//! {"userId":"Ashley","campaignKey":"ab","variationName":"Control","goalIdentifier":"buy_vwo_signup"}
//! ```
//!
//! `goalIdentifier` lists the goals already counted, separated by `_vwo_`; `goalIdentifiers` is read too (decision
//! D-11). One key more is ours: `"activated": false` marks a decision that nobody has been counted for yet (decision
//! D-7); a record without it counts as activated, so every record of another SDK does.

use std::collections::HashSet;
use std::fmt;

use crate::settings::wire::Json;

/// What separates the goals of a record (spec STO-30).
pub const GOAL_SEPARATOR: &str = "_vwo_";

/// One stored decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The user, as the caller names them. Empty in data of a caller that leaves it out.
    pub user_id: String,
    /// The key of the campaign.
    pub campaign_key: String,
    /// The name of the variation.
    pub variation_name: String,
    /// The goals already counted.
    pub goals: GoalList,
    /// Whether the visitor's impression was handed over.
    pub activated: bool,
    /// Whatever the caller wanted kept with it.
    pub meta_data: Option<serde_json::Value>,
}

/// Records of one user that the caller fetched before the call: the document's `userStorageData`.
///
/// Each record serves the campaign it names. Whoever has fetched *everything* says so ([`UserStorageData::all`]): then a
/// campaign without a record has nothing stored, and nobody is asked. Otherwise the storage is (decisions D-1 to D-4).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserStorageData {
    records: Vec<Record>,
    complete: bool,
}

/// Goals already counted, in the document's form: identifiers separated by [`GOAL_SEPARATOR`]. It only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoalList(String);

/// Why something is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// It is not a JSON object.
    NotAnObject,
    /// `campaignKey` is missing, empty or no text.
    NoCampaign,
    /// `variationName` is missing, empty or no text.
    NoVariation,
    /// `userId` is there but no text.
    UserNotText,
}

/// Why a text is no record.
#[derive(Debug)]
pub enum RecordTextError {
    /// It is not JSON.
    NotJson(serde_json::Error),
    /// It is JSON, and no record.
    NoRecord(RecordError),
}

impl Record {
    /// A decision that was made and activated, without goals.
    #[must_use]
    pub fn new(
        user_id: impl Into<String>,
        campaign_key: impl Into<String>,
        variation_name: impl Into<String>,
    ) -> Record {
        Record {
            user_id: user_id.into(),
            campaign_key: campaign_key.into(),
            variation_name: variation_name.into(),
            goals: GoalList::default(),
            activated: true,
            meta_data: None,
        }
    }

    /// Reads a record in the document's form. A goal list that is no text counts as empty (spec Q-24), `metaData`
    /// that is no object as none; keys that are not known are left out (spec STO-14).
    ///
    /// # Errors
    /// When a field without which there is no decision is missing or of the wrong type.
    pub fn from_json(json: &Json<'_>) -> Result<Record, RecordError> {
        if !matches!(json, Json::Object(_)) {
            return Err(RecordError::NotAnObject);
        }
        let text = |key| json.get(key).and_then(Json::as_text).filter(|text| !text.is_empty());
        let user_id = match json.get("userId") {
            None | Some(Json::Null) => "",
            Some(user) => user.as_text().ok_or(RecordError::UserNotText)?,
        };
        let goals = text("goalIdentifier").or_else(|| text("goalIdentifiers")).unwrap_or_default();
        Ok(Record {
            user_id: user_id.to_owned(),
            campaign_key: text("campaignKey").ok_or(RecordError::NoCampaign)?.to_owned(),
            variation_name: text("variationName").ok_or(RecordError::NoVariation)?.to_owned(),
            goals: GoalList(goals.to_owned()),
            activated: json.get("activated") != Some(&Json::Bool(false)),
            meta_data: json.get("metaData").filter(|data| matches!(data, Json::Object(_))).map(Json::to_value),
        })
    }

    /// Reads the text of a record in the document's form, as [`from_json`](Self::from_json) does, and its metadata to the
    /// last digit: what is read for a decision has the numbers of JavaScript.
    ///
    /// ```
    /// use steadfast_engine::Record;
    ///
    /// let text = r#"{"userId":"Ashley","campaignKey":"ab","variationName":"Control","goalIdentifier":"buy"}"#;
    /// let record = Record::from_text(text)?;
    /// assert_eq!(record.to_json().to_string(), serde_json::from_str::<serde_json::Value>(text)?.to_string());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When it is not JSON, or a field without which there is no decision is missing or of the wrong type.
    pub fn from_text(text: &str) -> Result<Record, RecordTextError> {
        let json = Json::parse(text).map_err(RecordTextError::NotJson)?;
        let mut record = Record::from_json(&json).map_err(RecordTextError::NoRecord)?;
        if record.meta_data.is_some() {
            let mut exact: serde_json::Value = serde_json::from_str(text).map_err(RecordTextError::NotJson)?;
            record.meta_data = exact.get_mut("metaData").map(serde_json::Value::take);
        }
        Ok(record)
    }

    /// The record in the document's form.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut fields = serde_json::Map::new();
        fields.insert("userId".into(), self.user_id.as_str().into());
        fields.insert("campaignKey".into(), self.campaign_key.as_str().into());
        fields.insert("variationName".into(), self.variation_name.as_str().into());
        if !self.goals.is_empty() {
            fields.insert("goalIdentifier".into(), self.goals.as_str().into());
        }
        if let Some(data) = &self.meta_data {
            fields.insert("metaData".into(), data.clone());
        }
        if !self.activated {
            fields.insert("activated".into(), false.into());
        }
        fields.into()
    }

    /// Whether the record is about this user: it names them, or names nobody (spec Q-6).
    #[must_use]
    pub fn is_of(&self, user: &str) -> bool {
        self.user_id.is_empty() || self.user_id == user
    }
}

impl UserStorageData {
    /// Nothing was fetched.
    pub const NONE: UserStorageData = UserStorageData { records: Vec::new(), complete: false };

    /// All that is stored for the user, which may be nothing.
    #[must_use]
    pub fn all(records: impl Into<Vec<Record>>) -> UserStorageData {
        UserStorageData { records: records.into(), complete: true }
    }

    /// The records, in the order they were given; of two for one campaign the first counts.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether these are all the records there are, so that a campaign without one has nothing stored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.records.is_empty() && !self.complete
    }
}

impl From<Vec<Record>> for UserStorageData {
    /// Some records; the storage is asked about other campaigns.
    fn from(records: Vec<Record>) -> Self {
        UserStorageData { records, complete: false }
    }
}

impl From<Record> for UserStorageData {
    /// One record; the storage is asked about other campaigns.
    fn from(record: Record) -> Self {
        vec![record].into()
    }
}

impl GoalList {
    /// A list in the document's form.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> GoalList {
        GoalList(text.into())
    }

    /// The list in the document's form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no goal is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The listed goals. The text is read by the longest of the `known` identifiers that fits, so that a goal whose
    /// identifier holds the separator is found again (spec Q-10); what fits none is read up to the next separator.
    pub fn goals<'l, 'k>(&'l self, known: impl Iterator<Item = &'k str> + Clone) -> impl Iterator<Item = &'l str> {
        let mut rest = (!self.0.is_empty()).then_some(self.0.as_str());
        std::iter::from_fn(move || {
            let text = rest?;
            let longest = known.clone().filter(|goal| starts_with_goal(text, goal)).map(str::len).max();
            let end = longest.or_else(|| text.find(GOAL_SEPARATOR)).unwrap_or(text.len());
            rest = text.get(end + GOAL_SEPARATOR.len()..);
            Some(&text[..end])
        })
    }

    /// Whether `goal` is listed, among goals of which the campaign knows these.
    #[must_use]
    pub fn contains<'k>(&self, goal: &str, known: impl Iterator<Item = &'k str> + Clone) -> bool {
        // Most goals are not there at all, which one search tells.
        self.0.contains(goal) && self.goals(known).any(|listed| listed == goal)
    }

    /// Adds a goal at the end. The caller has seen that it is not listed.
    pub fn push(&mut self, goal: &str) {
        if !self.0.is_empty() {
            self.0.push_str(GOAL_SEPARATOR);
        }
        self.0.push_str(goal);
    }

    /// Adds what `other` lists and this list does not; what that was.
    ///
    /// A list that goes on where this one ends is taken as it is. Otherwise, since the campaign's goals are not known
    /// here, both are read by the separator alone: of an identifier that holds it, every part is an item. Nothing that
    /// is listed in either is missing afterwards, part by part.
    pub fn unite(&mut self, other: &GoalList) -> GoalList {
        if other.continues(self) {
            let added = &other.0[self.0.len()..];
            self.0.push_str(added);
            return GoalList(added.strip_prefix(GOAL_SEPARATOR).unwrap_or(added).to_owned());
        }
        let parts = |list: &str| list.split(GOAL_SEPARATOR).map(str::to_owned).collect::<Vec<_>>();
        let mut listed: HashSet<String> = parts(&self.0).into_iter().collect();
        let mut added = GoalList::default();
        for part in parts(&other.0) {
            if !part.is_empty() && !listed.contains(&part) {
                self.push(&part);
                added.push(&part);
                listed.insert(part);
            }
        }
        added
    }

    /// Whether this list goes on where `other` ends, which may be where both end.
    #[must_use]
    pub fn continues(&self, other: &GoalList) -> bool {
        self.0
            .strip_prefix(&other.0)
            .is_some_and(|added| other.0.is_empty() || added.is_empty() || added.starts_with(GOAL_SEPARATOR))
    }

    /// Whether `goal` stands in the list as a whole item, or as several whole items one after the other.
    #[must_use]
    pub fn has_run(&self, goal: &str) -> bool {
        self.0.match_indices(goal).any(|(start, _)| {
            let (before, after) = (&self.0[..start], &self.0[start + goal.len()..]);
            (before.is_empty() || before.ends_with(GOAL_SEPARATOR))
                && (after.is_empty() || after.starts_with(GOAL_SEPARATOR))
        })
    }
}

/// Whether `text` begins with `goal` as a whole item.
fn starts_with_goal(text: &str, goal: &str) -> bool {
    !goal.is_empty()
        && text.strip_prefix(goal).is_some_and(|after| after.is_empty() || after.starts_with(GOAL_SEPARATOR))
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RecordError::NotAnObject => "is not an object",
            RecordError::NoCampaign => "has no `campaignKey`, expected a text",
            RecordError::NoVariation => "has no `variationName`, expected a text",
            RecordError::UserNotText => "has a `userId` that is no text",
        })
    }
}

impl std::error::Error for RecordError {}

impl fmt::Display for RecordTextError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordTextError::NotJson(error) => write!(formatter, "is not JSON: {error}"),
            RecordTextError::NoRecord(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for RecordTextError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RecordTextError::NotJson(error) => Some(error),
            RecordTextError::NoRecord(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, known: &[&str], expected: &[&str]) {
        let list = GoalList::from_text(list);
        assert_eq!(list.goals(known.iter().copied()).collect::<Vec<_>>(), expected, "{list:?} with {known:?}");
    }

    #[test]
    fn a_list_is_read_by_the_longest_known_goal() {
        check("", &["a"], &[]);
        check("a", &["a"], &["a"]);
        check("a_vwo_b", &["a", "b"], &["a", "b"]);
        check("a_vwo_b", &["a_vwo_b", "b"], &["a_vwo_b"]);
        check("a_vwo_b_vwo_b", &["a_vwo_b", "b"], &["a_vwo_b", "b"]);
        check("old_vwo_a", &["a"], &["old", "a"]);
        check("ab_vwo_c", &["a"], &["ab", "c"]);
        check("a_vwo_", &["a"], &["a", ""]);
    }

    #[test]
    fn union_keeps_the_order_and_loses_nothing() {
        let mut list = GoalList::from_text("a_vwo_b");
        assert_eq!(list.unite(&GoalList::from_text("c_vwo_a")).as_str(), "c");
        assert_eq!(list.as_str(), "a_vwo_b_vwo_c");
        assert!(list.unite(&GoalList::from_text("b_vwo_c")).is_empty());
        assert!(list.unite(&GoalList::from_text("a_vwo_c")).is_empty());
        assert_eq!(list.unite(&GoalList::from_text("a_vwo_b_vwo_c_vwo_d_vwo_e")).as_str(), "d_vwo_e");
    }

    #[test]
    fn a_record_survives_its_json_form() {
        let mut record = Record::new("u", "ab", "Control");
        record.goals.push("g1");
        record.goals.push("g2");
        record.activated = false;
        record.meta_data = Some(serde_json::json!({"browser": "chrome"}));
        let text = record.to_json().to_string();
        let json = Json::parse(&text).expect("written by us");
        assert_eq!(Record::from_json(&json), Ok(record));
    }

    #[test]
    fn metadata_is_read_to_the_last_digit() {
        let mut record = Record::new("u", "ab", "Control");
        record.meta_data = Some(serde_json::json!({"order": u64::MAX, "exact": 9_007_199_254_740_993_u64}));
        assert_eq!(Record::from_text(&record.to_json().to_string()).expect("written by us"), record);
    }

    #[test]
    fn the_plural_spelling_of_other_sdks_is_read() {
        let text = r#"{"userId":"u","campaignKey":"ab","variationName":"Control","goalIdentifiers":"g1_vwo_g2"}"#;
        let record = Record::from_json(&Json::parse(text).expect("valid JSON")).expect("a record");
        assert_eq!(record.goals.as_str(), "g1_vwo_g2");
    }
}
