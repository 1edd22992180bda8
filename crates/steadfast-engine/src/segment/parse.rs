//! From the settings' JSON to an expression, with a warning for everything that does not do what it seems to.
//!
//! The reference has no syntax errors. It walks whatever it finds, so an unknown operator is merely false, and some
//! shapes make it raise, which falsifies the whole segment. Here both are found once, when the settings are compiled.

use std::borrow::Cow;

use super::SegmentNumbers;
use super::doubt;
use super::expr::{Expr, Root, Segment};
use super::number::NumberText;
use super::operand::{Argument, Operand};
use super::users::Users;
use super::value::Value;
use crate::attributes::AttributeValue;
use crate::settings::problem::Problems;
use crate::settings::wire::Json;

/// The operators, for messages.
const OPERATORS: &str = "`and`, `or`, `not`, `custom_variable` or `user`";

impl Segment {
    /// Reads a segment. Nothing is an error: an object with keys is a condition, `{}`, a list, a missing value and
    /// everything else is [everyone](Segment::is_everyone) (spec SEG-1).
    ///
    /// What matches differently than it reads is reported to `problems` as a warning.
    pub(crate) fn compile<'a>(
        json: Option<&'a Json<'a>>,
        numbers: SegmentNumbers,
        problems: &mut Problems<'a>,
    ) -> Segment {
        let root = match json {
            Some(json @ Json::Object(entries)) if !entries.is_empty() => root(node(json, numbers, problems), numbers),
            Some(Json::List(items)) if items.is_empty() => Root::Everyone,
            None | Some(Json::Object(_)) => Root::Everyone,
            Some(other) => {
                problems.warn(format!("a segment is an object, this is {}: it counts as no segment", other.kind()));
                Root::Everyone
            }
        };
        Segment { root, numbers }
    }
}

fn root(expr: Expr, numbers: SegmentNumbers) -> Root {
    if numbers == SegmentNumbers::Reference && expr.is_malformed() { Root::Nobody } else { Root::Expression(expr) }
}

/// One node: its first key is the operator, and the others are ignored (spec SEG-10).
fn node<'a>(json: &'a Json<'a>, numbers: SegmentNumbers, problems: &mut Problems<'a>) -> Expr {
    match json {
        Json::Object(entries) => match first_entry(json, entries, problems) {
            Some((key, value)) => problems.at(key, |problems| operator(key, value, numbers, problems)),
            None => malformed("an empty object is not a condition", numbers, problems),
        },
        // Lists and texts have keys too, `0` being the first, which is no operator.
        Json::List(items) if !items.is_empty() => {
            problems.warn("a list is not a condition: it never matches; put it under `and` or `or`");
            Expr::Unknown("0".into())
        }
        Json::Text(text) if !text.is_empty() => {
            problems.warn(format!("a text is not a condition: it never matches; expected an object with {OPERATORS}"));
            Expr::Unknown("0".into())
        }
        _ => malformed(&format!("{} is not a condition", json.kind()), numbers, problems),
    }
}

fn operator<'a>(key: &str, value: &'a Json<'a>, numbers: SegmentNumbers, problems: &mut Problems<'a>) -> Expr {
    match key {
        "not" => Expr::Not(Box::new(node(value, numbers, problems))),
        "and" => children(key, value, numbers, problems).map_or(Expr::Malformed, Expr::All),
        "or" => children(key, value, numbers, problems).map_or(Expr::Malformed, Expr::Any),
        "custom_variable" => custom_variable(value, numbers, problems),
        "user" => match value {
            Json::Text(text) => Expr::User(Users::parse(text)),
            _ => malformed(&format!("`user` takes ids in one text, not {}", value.kind()), numbers, problems),
        },
        _ => {
            problems.warn(format!("`{key}` is not an operator: it never matches; expected {OPERATORS}"));
            Expr::Unknown(key.into())
        }
    }
}

/// The children of `and` or `or`, or `None` where the reference raises. Anything that is not a list has no children,
/// except that the characters of a text count as so many unknown operators (spec SEG-16).
fn children<'a>(
    operator: &str,
    value: &'a Json<'a>,
    numbers: SegmentNumbers,
    problems: &mut Problems<'a>,
) -> Option<Vec<Expr>> {
    let children = match value {
        Json::List(items) => {
            let child = |(index, item)| problems.at_index(index, |problems| node(item, numbers, problems));
            let children: Vec<Expr> = items.iter().enumerate().map(child).collect();
            if children.is_empty() && operator == "or" {
                problems.warn("an empty `or` never matches");
            }
            return Some(children);
        }
        Json::Null => {
            malformed(&format!("`{operator}` takes a list, not null"), numbers, problems);
            return None;
        }
        Json::Text(text) if !text.is_empty() => vec![Expr::Unknown("0".into())],
        _ => vec![],
    };
    let outcome = if children.is_empty() && operator == "and" { "always" } else { "never" };
    problems.warn(format!("`{operator}` takes a list, not {}: it {outcome} matches", value.kind()));
    Some(children)
}

/// A condition on one variable: the first key of the map names it (spec SEG-10).
fn custom_variable<'a>(value: &'a Json<'a>, numbers: SegmentNumbers, problems: &mut Problems<'a>) -> Expr {
    let (variable, operand) = match value {
        Json::Object(entries) => match first_entry(value, entries, problems) {
            Some((variable, json)) => (variable, problems.at(variable, |problems| operand(json, numbers, problems))),
            None => return malformed("`custom_variable` names no variable", numbers, problems),
        },
        Json::List(items) if !items.is_empty() => {
            problems.warn("`custom_variable` takes an object, not a list: it looks at a variable called `0`");
            ("0", problems.at_index(0, |problems| operand(&items[0], numbers, problems)))
        }
        Json::Text(text) if !text.is_empty() => {
            problems.warn("`custom_variable` takes an object, not a text: it looks at a variable called `0`");
            ("0", first_unit(text, numbers))
        }
        _ => {
            let message = format!("`custom_variable` takes an object with one variable, not {}", value.kind());
            return malformed(&message, numbers, problems);
        }
    };
    Expr::Condition { variable: variable.into(), operand }
}

fn operand<'a>(json: &'a Json<'a>, numbers: SegmentNumbers, problems: &mut Problems<'a>) -> Operand {
    match json {
        Json::Text(text) => {
            let operand = Operand::parse(text, numbers);
            doubt::report(text, &operand, numbers, problems);
            operand
        }
        Json::Null => {
            problems.warn("an operand is a text, this is null: it equals null only");
            Operand::Null
        }
        _ => {
            let value = AttributeValue::from(json);
            let operand = Argument::new(Value::from(&value).text(&mut NumberText::new()), numbers);
            let outcome = if operand.number.is_some() { "it equals numbers only" } else { "it equals nothing" };
            let (kind, text) = (json.kind(), &operand.text);
            problems.warn(format!("an operand is a text, this is {kind}: {outcome}; probably meant `{text:?}`"));
            Operand::EqualNumber(operand)
        }
    }
}

/// What the reference takes for the operand where `custom_variable` is a text: its first UTF-16 unit, which is no
/// text that a variable could have when it is half a character.
fn first_unit(text: &str, numbers: SegmentNumbers) -> Operand {
    match text.chars().next() {
        Some(first) if first.len_utf16() == 1 => Operand::parse(first.encode_utf8(&mut [0; 4]), numbers),
        _ => Operand::EqualNumber(Argument::new("\u{fffd}", numbers)),
    }
}

/// The entry that JavaScript lists first: the smallest array index, else the one that comes first in the file. Where
/// its key is given twice, the later value counts.
fn first_entry<'a>(
    object: &'a Json<'a>,
    entries: &'a [(Cow<'a, str>, Json<'a>)],
    problems: &mut Problems<'a>,
) -> Option<(&'a str, &'a Json<'a>)> {
    let keys = || entries.iter().map(|(key, _)| key.as_ref());
    let smallest_index = keys().filter_map(|key| Some((array_index(key)?, key))).min();
    let first = smallest_index.map(|(_, key)| key).or_else(|| keys().next())?;
    if let Some(ignored) = keys().find(|key| *key != first) {
        problems.warn(format!("only the first key `{first}` counts here, `{ignored}` is ignored"));
    }
    Some((first, object.get(first)?))
}

/// The index that a key is, written as JavaScript writes it. Such keys come before all others.
fn array_index(key: &str) -> Option<u32> {
    let index = key.parse::<u32>().ok().filter(|index| *index < u32::MAX)?;
    let is_canonical = key == "0" || !key.starts_with(['0', '+']);
    is_canonical.then_some(index)
}

fn malformed(message: &str, numbers: SegmentNumbers, problems: &mut Problems<'_>) -> Expr {
    let outcome = match numbers {
        SegmentNumbers::Reference => "the whole segment never matches",
        SegmentNumbers::Strict => "it never matches",
    };
    problems.warn(format!("{message}: {outcome}"));
    Expr::Malformed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What compilation warns about, a line each, and whether something in the segment is malformed.
    fn compile(segment: &str, numbers: SegmentNumbers) -> Option<(Vec<String>, bool)> {
        let json = Json::parse(segment).ok()?;
        let mut problems = Problems::default();
        let segment = Segment::compile(Some(&json), numbers, &mut problems);
        let is_nobody = matches!(segment.root, Root::Nobody);
        Some((problems.into_found().iter().map(ToString::to_string).collect(), is_nobody))
    }

    /// The only warning is at `path` and has `message` in it.
    fn check_warning(segment: &str, path: &str, message: &str) {
        let (found, _) = compile(segment, SegmentNumbers::Reference).unwrap_or_default();
        let [warning] = found.as_slice() else { return assert_eq!(found, [message], "{segment}") };
        assert!(
            warning.starts_with(&format!("warning: {path}: ")) && warning.contains(message),
            "{segment}: {warning}"
        );
    }

    fn check_clean(segment: &str) {
        assert_eq!(compile(segment, SegmentNumbers::Reference), Some((vec![], false)), "{segment}");
    }

    fn check_malformed(segment: &str) {
        let (found, is_nobody) = compile(segment, SegmentNumbers::Reference).unwrap_or_default();
        assert!(is_nobody && found.len() == 1 && found[0].contains("the whole segment"), "{segment}: {found:?}");
        let (found, is_nobody) = compile(segment, SegmentNumbers::Strict).unwrap_or_default();
        assert!(!is_nobody && found.len() == 1 && found[0].contains("it never"), "{segment}, strict: {found:?}");
    }

    /// The first key of an object with these entries, as JavaScript sees it.
    fn check_first(object: &str, expected: &str) {
        let json = Json::parse(object).unwrap_or(Json::Null);
        let Json::Object(entries) = &json else { return assert_eq!(object, "an object") };
        let found = first_entry(&json, entries, &mut Problems::default()).map(|(key, _)| key);
        assert_eq!(found, Some(expected), "{object}");
    }

    #[test]
    fn ordinary_segments_are_clean() {
        for segment in ["{}", "[]", r#"{"and":[]}"#, r#"{"user":"a,b"}"#, r#"{"not":{"custom_variable":{"a":"x"}}}"#] {
            check_clean(segment);
        }
    }

    #[test]
    fn what_raises_in_the_reference_is_malformed() {
        for child in ["{}", "null", "[]", "5", "true", r#""""#] {
            check_malformed(&format!(r#"{{"not":{child}}}"#));
            check_malformed(&format!(r#"{{"or":[{{"and":[]}},{child}]}}"#));
        }
        for value in ["{}", "null", "[]", "5", "true", r#""""#] {
            check_malformed(&format!(r#"{{"custom_variable":{value}}}"#));
        }
        for value in ["{}", "null", "[]", "5", "true"] {
            check_malformed(&format!(r#"{{"user":{value}}}"#));
        }
        check_malformed(r#"{"and":null}"#);
        check_malformed(r#"{"or":null}"#);
    }

    #[test]
    fn what_is_merely_strange_is_reported() {
        check_warning("5", "$", "this is a number");
        check_warning(r#"{"foo":[]}"#, "$.foo", "`foo` is not an operator");
        check_warning(r#"{"AND":[]}"#, "$.AND", "is not an operator");
        check_warning(r#"{"or":[]}"#, "$.or", "never matches");
        check_warning(r#"{"and":{"x":1}}"#, "$.and", "always matches");
        check_warning(r#"{"or":"ab"}"#, "$.or", "never matches");
        check_warning(r#"{"not":[{"and":[]}]}"#, "$.not", "a list is not a condition");
        check_warning(r#"{"or":[{"and":[],"or":[]}]}"#, "$.or[0]", "`or` is ignored");
        check_warning(r#"{"custom_variable":{"a":"1","b":"2"}}"#, "$.custom_variable", "`b` is ignored");
    }

    #[test]
    fn operands_are_texts() {
        check_warning(r#"{"custom_variable":{"a":true}}"#, "$.custom_variable.a", "it equals nothing");
        check_warning(r#"{"custom_variable":{"a":0}}"#, "$.custom_variable.a", "it equals nothing");
        check_warning(r#"{"custom_variable":{"a":12}}"#, "$.custom_variable.a", r#"probably meant `"12"`"#);
        check_warning(r#"{"custom_variable":{"a":null}}"#, "$.custom_variable.a", "it equals null only");
        check_warning(r#"{"custom_variable":{"a":"regex([)"}}"#, "$.custom_variable.a", "not a regular expression");
    }

    #[test]
    fn the_first_key_is_javascripts() {
        check_first(r#"{"b":1,"a":2}"#, "b");
        check_first(r#"{"b":1,"10":2,"9":3}"#, "9");
        check_first(r#"{"b":1,"4294967294":2}"#, "4294967294");
        for other in ["01", "+1", "-1", "1.5", "", "4294967295"] {
            check_first(&format!(r#"{{"b":1,"{other}":2}}"#), "b");
        }
    }
}
