//! A compiled segment, what it looks at, and its value for a user.

use std::cell::Cell;

use super::SegmentNumbers;
use super::operand::Operand;
use super::users::Users;
use super::value::Value;
use crate::attributes::{AttributeValue, Attributes};

/// The variable that `user` operands are compared with (spec SEG-3).
const USER_VARIABLE: &str = "_vwoUserId";

/// A segment of the settings, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(super) root: Root,
    pub(super) numbers: SegmentNumbers,
}

/// What a segment amounts to.
#[derive(Debug)]
pub(super) enum Root {
    /// `{}` or no object at all: no condition (spec SEG-1).
    Everyone,
    /// Some part of it makes the reference raise, and with it all of it false (spec SEG-13).
    Nobody,
    /// A condition.
    Expression(Expr),
}

/// What a segment is evaluated for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The caller's variables: `customVariables`, or `variationTargetingVariables` for whitelisting (spec SEG-4).
    pub(crate) variables: &'a Attributes,
    /// The id that the engine puts under `_vwoUserId` for whitelisting, whatever the caller has there (spec SEG-3).
    /// `None` otherwise: a `user` operand then sees the caller's value.
    pub(crate) user: Option<&'a str>,
    /// Set when a regular expression ran out of steps. It counts as not matching, as an invalid one does.
    pub(crate) gave_up: &'a Cell<bool>,
}

/// One node of a segment.
#[derive(Debug)]
pub(super) enum Expr {
    /// `and`: true when all are, so with no child too.
    All(Vec<Expr>),
    /// `or`: true when one is, so false with no child.
    Any(Vec<Expr>),
    /// `not`
    Not(Box<Expr>),
    /// `custom_variable`: false when the variable is missing, whatever the operand (spec SEG-20).
    Condition {
        /// The variable's name.
        variable: Box<str>,
        /// What it is compared with.
        operand: Operand,
    },
    /// `user`
    User(Users),
    /// Something that is not an operator: false, and a `not` of it true (spec SEG-11).
    Unknown(Box<str>),
    /// Something on which the reference raises (spec SEG-15). False; with [`SegmentNumbers::Reference`] it never
    /// stands in a [`Root::Expression`].
    Malformed,
}

impl Segment {
    /// A segment without a condition. As `campaign.segments` it lets everyone in, as `variation.segments` it targets
    /// nobody (spec SEG-1, SEG-2).
    pub(crate) fn is_everyone(&self) -> bool {
        matches!(self.root, Root::Everyone)
    }

    /// Whether the subject is in this segment.
    ///
    /// Children are tried only until the outcome is known. The reference evaluates them all, which differs only where
    /// one raises; whether one does can be seen in the settings, so compilation has dealt with it (spec SEG-13).
    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        match &self.root {
            Root::Everyone => true,
            Root::Nobody => false,
            Root::Expression(expr) => expr.matches(subject, self.numbers),
        }
    }
}

impl Expr {
    /// Whether some part of it makes the reference raise.
    pub(super) fn is_malformed(&self) -> bool {
        match self {
            Expr::All(children) | Expr::Any(children) => children.iter().any(Expr::is_malformed),
            Expr::Not(child) => child.is_malformed(),
            Expr::Malformed => true,
            Expr::Condition { .. } | Expr::User(_) | Expr::Unknown(_) => false,
        }
    }

    fn matches(&self, subject: &Subject<'_>, numbers: SegmentNumbers) -> bool {
        match self {
            Expr::All(children) => children.iter().all(|child| child.matches(subject, numbers)),
            Expr::Any(children) => children.iter().any(|child| child.matches(subject, numbers)),
            Expr::Not(child) => !child.matches(subject, numbers),
            Expr::Condition { variable, operand } => {
                subject.value(variable).is_some_and(|value| operand.matches(&value, numbers, subject.gave_up))
            }
            Expr::User(users) => subject.user_id().is_some_and(|id| users.contains(id)),
            Expr::Unknown(_) | Expr::Malformed => false,
        }
    }
}

impl<'a> Subject<'a> {
    /// The value that a `custom_variable` of this name is compared with; `None` when it is not given.
    pub(super) fn value(&self, name: &str) -> Option<Value<'a>> {
        match self.user {
            Some(user) if name == USER_VARIABLE => Some(user.into()),
            _ => self.variables.get(name).map(Value::from),
        }
    }

    /// The id that `user` operands look for; a caller's `_vwoUserId` counts only as a text, since the reference
    /// compares without conversion (spec SEG-4, SEG-40).
    pub(super) fn user_id(&self) -> Option<&'a str> {
        match (self.user, self.variables.get(USER_VARIABLE)) {
            (Some(user), _) => Some(user),
            (None, Some(AttributeValue::Text(text))) => Some(text),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::problem::Problems;
    use crate::settings::wire::Json;

    /// `None` when a text is not JSON.
    fn evaluate(segment: &str, variables: &str, user: Option<&str>, numbers: SegmentNumbers) -> Option<bool> {
        let (json, variables) = (Json::parse(segment).ok()?, Json::parse(variables).ok()?);
        let variables = Attributes::from_json(&variables)?;
        let gave_up = Cell::new(false);
        let subject = Subject { variables: &variables, user, gave_up: &gave_up };
        Some(Segment::compile(Some(&json), numbers, &mut Problems::default()).matches(&subject))
    }

    fn check(segment: &str, variables: &str, expected: bool) {
        let found = evaluate(segment, variables, None, SegmentNumbers::Reference);
        assert_eq!(found, Some(expected), "{segment} with {variables}");
    }

    fn check_strict(segment: &str, variables: &str, expected: bool) {
        let found = evaluate(segment, variables, None, SegmentNumbers::Strict);
        assert_eq!(found, Some(expected), "{segment} with {variables}, strict");
    }

    fn check_user(segment: &str, variables: &str, user: &str, expected: bool) {
        let found = evaluate(segment, variables, Some(user), SegmentNumbers::Reference);
        assert_eq!(found, Some(expected), "{segment} with {variables} for {user}");
    }

    #[test]
    fn no_condition_is_everyone() {
        for segment in ["{}", "[]", "null", r#""x""#, "5", r#"[{"or":[]}]"#] {
            check(segment, "{}", true); // S001 to S004
        }
        assert!(Segment::compile(None, SegmentNumbers::Reference, &mut Problems::default()).is_everyone());
    }

    #[test]
    fn logic() {
        check(r#"{"and":[]}"#, "{}", true); // S005
        check(r#"{"or":[]}"#, "{}", false); // S006
        check(r#"{"or":[{"foo":1},{"custom_variable":{"a":"1"}}]}"#, r#"{"a":1}"#, true); // S012
        check(r#"{"not":{"or":[{"custom_variable":{"a":"1"}}]}}"#, r#"{"a":2}"#, true); // S020
        check(r#"{"not":{"custom_variable":{"a":"x"}}}"#, "{}", true); // S028
        check(r#"{"or":[{"user":"u1"},{"custom_variable":{"a":"1"}}]}"#, r#"{"_vwoUserId":"u9","a":"1"}"#, true); // S183
    }

    #[test]
    fn a_missing_variable_matches_nothing() {
        check(r#"{"custom_variable":{"a":"regex(.*)"}}"#, "{}", false); // S027
        check(r#"{"custom_variable":{"a":""}}"#, "{}", false); // S029
        check(r#"{"custom_variable":{"a":""}}"#, r#"{"a":""}"#, true); // S033
    }

    #[test]
    fn a_list_or_a_text_in_place_of_a_variable_is_about_a_variable_called_0() {
        check(r#"{"custom_variable":["x"]}"#, r#"{"0":"x"}"#, true);
        check(r#"{"custom_variable":"xy"}"#, r#"{"0":"x"}"#, true);
        check(r#"{"custom_variable":"😀"}"#, r#"{"0":"😀"}"#, false);
    }

    /// The reference asks the caller's own object whether it has a key, and raises when that key shadows the question.
    #[test]
    fn a_variable_called_has_own_property_is_like_any_other() {
        check(r#"{"custom_variable":{"a":"x"}}"#, r#"{"a":"x","hasOwnProperty":"y"}"#, true);
        check(r#"{"custom_variable":{"hasOwnProperty":"y"}}"#, r#"{"hasOwnProperty":"y"}"#, true);
    }

    #[test]
    fn one_malformed_condition_falsifies_the_whole_segment() {
        check(r#"{"not":{}}"#, "{}", false); // S007
        check(r#"{"or":[{"custom_variable":{"a":"1"}},{}]}"#, r#"{"a":1}"#, false); // S008
        check(r#"{"not":{"user":5}}"#, "{}", false);
    }

    #[test]
    fn strict_malformed_conditions_are_false_on_their_own() {
        check_strict(r#"{"or":[{"custom_variable":{"a":"1"}},{}]}"#, r#"{"a":1}"#, true);
        check_strict(r#"{"and":[{"custom_variable":{"a":"1"}},{}]}"#, r#"{"a":1}"#, false);
        check_strict(r#"{"not":{}}"#, "{}", true);
    }

    #[test]
    fn the_engines_user_replaces_the_callers() {
        check_user(r#"{"user":"Ashley"}"#, r#"{"_vwoUserId":"Bob"}"#, "Ashley", true);
        check_user(r#"{"user":"Bob"}"#, r#"{"_vwoUserId":"Bob"}"#, "Ashley", false);
        check_user(r#"{"custom_variable":{"_vwoUserId":"lower(ashley)"}}"#, r#"{"_vwoUserId":"Bob"}"#, "Ashley", true);
    }

    #[test]
    fn without_it_the_callers_counts_if_it_is_a_text() {
        check(r#"{"user":"u1, u2 "}"#, r#"{"_vwoUserId":"u2"}"#, true); // S174
        check(r#"{"user":"u1"}"#, "{}", false); // S178
        check(r#"{"user":"5"}"#, r#"{"_vwoUserId":5}"#, false);
        check(r#"{"user":""}"#, r#"{"_vwoUserId":null}"#, false);
    }
}
