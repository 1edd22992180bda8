//! Why a user is in a segment or is not, condition by condition.

use std::fmt;

use super::SegmentNumbers;
use super::expr::{Expr, Root, Segment, Subject};
use super::function::Comparison;
use super::number::NumberText;
use super::operand::{Argument, Operand, Place};
use super::users::Users;
use super::value::Value;

/// How many ids of a list are named; lists can have many thousands.
const NAMED_IDS: usize = 5;

/// One line of an explanation: a condition of a segment, or a group of the lines below it that are deeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionOutcome {
    /// How many groups stand around it.
    pub depth: usize,
    /// The condition in words: `plan is "gold"`, `age > 18`, `all of`, `any of`, `not`.
    pub text: String,
    /// The value that the user has there.
    pub actual: Actual,
    /// Whether this condition, or this group, is true for the user.
    pub matched: bool,
}

/// What a condition found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actual {
    /// Nothing was looked at, as in a group.
    Inapplicable,
    /// The variable was not given, so nothing matches it.
    NotGiven,
    /// The variable's value as a text.
    Given(String),
}

impl Segment {
    /// Every condition in the order of the settings, each group before its members. All are evaluated, whether or not
    /// the outcome depends on them.
    pub(crate) fn explain(&self, subject: &Subject<'_>) -> Vec<ConditionOutcome> {
        let mut outcomes = Outcomes { subject, numbers: self.numbers, lines: Vec::new() };
        match &self.root {
            Root::Everyone => {
                outcomes.line(0, "no condition: everyone".to_owned(), Actual::Inapplicable, true);
            }
            Root::Nobody => {
                let text = "malformed segment: nobody (see the warnings about the settings)".to_owned();
                outcomes.line(0, text, Actual::Inapplicable, false);
            }
            Root::Expression(expr) => {
                outcomes.add(0, expr);
            }
        }
        outcomes.lines
    }
}

/// An indented line: `  yes  plan is "gold"`, `  no   age > 18 (not given)`, `  no   age > 18 ("12")`.
impl fmt::Display for ConditionOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.matched { "yes" } else { "no " };
        write!(formatter, "{:indent$}{answer}  {}", "", self.text, indent = self.depth * 2)?;
        match &self.actual {
            Actual::Inapplicable => Ok(()),
            Actual::NotGiven => formatter.write_str(" (not given)"),
            Actual::Given(value) => write!(formatter, " ({value:?})"),
        }
    }
}

struct Outcomes<'s> {
    subject: &'s Subject<'s>,
    numbers: SegmentNumbers,
    lines: Vec<ConditionOutcome>,
}

impl Outcomes<'_> {
    /// Adds the lines of `expr` and returns its value.
    fn add(&mut self, depth: usize, expr: &Expr) -> bool {
        match expr {
            Expr::All(children) => self.group(depth, "all of", children, |matched, of| matched == of),
            Expr::Any(children) => self.group(depth, "any of", children, |matched, _| matched > 0),
            Expr::Not(child) => {
                self.group(depth, "not", std::slice::from_ref(child.as_ref()), |matched, _| matched == 0)
            }
            Expr::Condition { variable, operand } => self.condition(depth, variable, operand),
            Expr::User(users) => {
                let id = self.subject.user_id();
                let actual = id.map_or(Actual::NotGiven, |id| Actual::Given(id.to_owned()));
                self.line(depth, describe_users(users), actual, id.is_some_and(|id| users.contains(id)))
            }
            Expr::Unknown(operator) => {
                self.line(depth, format!("unknown operator {operator:?}"), Actual::Inapplicable, false)
            }
            Expr::Malformed => self.line(depth, "malformed condition".to_owned(), Actual::Inapplicable, false),
        }
    }

    /// A group's line comes before those of its members, and its outcome after.
    fn group(&mut self, depth: usize, text: &str, members: &[Expr], outcome: fn(usize, usize) -> bool) -> bool {
        let own = self.lines.len();
        self.line(depth, text.to_owned(), Actual::Inapplicable, false);
        let matched = members.iter().filter(|member| self.add(depth + 1, member)).count();
        let matched = outcome(matched, members.len());
        self.lines[own].matched = matched;
        matched
    }

    fn condition(&mut self, depth: usize, variable: &str, operand: &Operand) -> bool {
        let value = self.subject.value(variable);
        let matched = value.as_ref().is_some_and(|value| operand.matches(value, self.numbers, self.subject.gave_up));
        let actual = value
            .map_or(Actual::NotGiven, |value: Value<'_>| Actual::Given(value.text(&mut NumberText::new()).to_owned()));
        self.line(depth, format!("{variable} {operand}"), actual, matched)
    }

    fn line(&mut self, depth: usize, text: String, actual: Actual, matched: bool) -> bool {
        self.lines.push(ConditionOutcome { depth, text, actual, matched });
        matched
    }
}

/// What a variable must be, as the words after its name.
impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Equal(argument) => write!(formatter, "is {argument}"),
            Operand::EqualInAnyCase(argument) => write!(formatter, "is {argument} in any case"),
            Operand::EqualNumber(Argument { number: Some(number), .. }) => {
                write!(formatter, "is the number {}", NumberText::new().write(*number))
            }
            Operand::EqualNumber(argument) => write!(formatter, "is {argument} without being a text, which nothing is"),
            Operand::Null => formatter.write_str("is null"),
            Operand::Wildcard { place: Place::Anywhere, text, .. } if text.is_empty() => {
                formatter.write_str("has any value")
            }
            Operand::Wildcard { place, text, .. } => {
                let verb = match place {
                    Place::Anywhere => "contains",
                    Place::End => "ends with",
                    Place::Start => "starts with",
                    Place::Whole => "is",
                };
                write!(formatter, "{verb} {text:?}")
            }
            Operand::Regex { source, pattern, .. } => {
                let remark = if pattern.is_ok() { "" } else { " (not a valid expression)" };
                write!(formatter, "matches /{source}/{remark}")
            }
            Operand::Compare { comparison, bound } => {
                let sign = match comparison {
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => "≥",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "≤",
                };
                write!(formatter, "{sign} {}", NumberText::new().write(*bound))
            }
        }
    }
}

/// The text in quotes, and the number that is compared instead where the text says something else.
impl fmt::Display for Argument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.text)?;
        let mut buffer = NumberText::new();
        match self.number.map(|number| buffer.write(number)) {
            Some(number) if number != &*self.text => write!(formatter, " (as a number: {number})"),
            _ => Ok(()),
        }
    }
}

fn describe_users(users: &Users) -> String {
    let ids = users.ids();
    let named: Vec<String> = ids.iter().take(NAMED_IDS).map(|id| format!("{id:?}")).collect();
    match ids.len() {
        1 => format!("user is {}", named.join(", ")),
        count if count <= NAMED_IDS => format!("user is one of {}", named.join(", ")),
        count => format!("user is one of {}, … ({count} ids)", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::attributes::Attributes;
    use crate::settings::problem::Problems;
    use crate::settings::wire::Json;

    fn explain(segment: &str) -> Option<String> {
        let json = Json::parse(segment).ok()?;
        let variables = Attributes::new().with("plan", "silver").with("age", 20).with("version", "1.2.9");
        let gave_up = Cell::new(false);
        let subject = Subject { variables: &variables, user: Some("Ashley"), gave_up: &gave_up };
        let segment = Segment::compile(Some(&json), SegmentNumbers::Reference, &mut Problems::default());
        let lines = segment.explain(&subject);
        assert_eq!(lines.first().map(|line| line.matched), Some(segment.matches(&subject)));
        Some(lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn check(segment: &str, expected: &[&str]) {
        assert_eq!(explain(segment), Some(expected.join("\n")), "{segment}");
    }

    fn check_operand(variable: &str, operand: &str, expected: &str) {
        check(&format!(r#"{{"custom_variable":{{"{variable}":{operand}}}}}"#), &[expected]);
    }

    #[test]
    fn groups_stand_before_their_members() {
        check(
            r#"{"or":[{"and":[{"custom_variable":{"plan":"gold"}},{"custom_variable":{"age":"gt(18)"}}]},
                {"not":{"custom_variable":{"city":"Oslo"}}},{"foo":1}]}"#,
            &[
                "yes  any of",
                "  no   all of",
                "    no   plan is \"gold\" (\"silver\")",
                "    yes  age > 18 (\"20\")",
                "  yes  not",
                "    no   city is \"Oslo\" (not given)",
                "  no   unknown operator \"foo\"",
            ],
        );
        check("{}", &["yes  no condition: everyone"]);
        check(r#"{"not":{}}"#, &["no   malformed segment: nobody (see the warnings about the settings)"]);
    }

    #[test]
    fn operands_in_words() {
        check_operand("plan", r#""lower(SILVER)""#, r#"yes  plan is "silver" in any case ("silver")"#);
        check_operand("plan", r#""wildcard(*ver)""#, r#"yes  plan ends with "ver" ("silver")"#);
        check_operand("plan", r#""wildcard(*)""#, r#"yes  plan has any value ("silver")"#);
        check_operand("plan", r#""regex(^s)""#, r#"yes  plan matches /^s/ ("silver")"#);
        check_operand("plan", r#""regex([)""#, r#"no   plan matches /[/ (not a valid expression) ("silver")"#);
        check_operand("plan", "null", r#"no   plan is null ("silver")"#);
        check_operand("age", r#""lte(20.5)""#, r#"yes  age ≤ 20.5 ("20")"#);
        check_operand("age", "20", r#"yes  age is the number 20 ("20")"#);
        check_operand("version", r#""1.2.3""#, r#"yes  version is "1.2.3" (as a number: 1.2) ("1.2.9")"#);
    }

    #[test]
    fn long_lists_of_users_are_shortened() {
        check(r#"{"user":"Ashley"}"#, &[r#"yes  user is "Ashley" ("Ashley")"#]);
        check(r#"{"user":"b,a"}"#, &[r#"no   user is one of "a", "b" ("Ashley")"#]);
        check(r#"{"user":"a,b,c,d,e,f,g"}"#, &[r#"no   user is one of "a", "b", "c", "d", "e", … (7 ids) ("Ashley")"#]);
    }
}
