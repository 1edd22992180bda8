//! Reading the many forms a field may have: numbers or texts, `{}` standing for a list, missing or null.

use super::model::Id;
use super::problem::Problems;
use super::wire::Json;
use crate::segment::number;

/// The id that a number or a text that is not empty stands for.
pub(super) fn id(json: &Json<'_>) -> Option<Id> {
    match json {
        Json::Number(value) => Some(Id { text: number_text(*value).into(), is_number: true }),
        Json::Text(text) if !text.is_empty() => Some(Id { text: text.as_ref().into(), is_number: false }),
        _ => None,
    }
}

/// A number as JavaScript writes it.
pub(super) fn number_text(number: f64) -> String {
    number::NumberText::new().write(number).to_owned()
}

/// The number that a number or a numeric text stands for (spec SET-33, Q-63, Q-67).
pub(super) fn number(json: &Json<'_>) -> Option<f64> {
    match json {
        Json::Number(value) => Some(*value),
        Json::Text(text) => {
            let text = number::trim(text);
            // Rust also reads `inf` and `nan`, which are no numbers here.
            let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            if plain { text.parse().ok() } else { None }
        }
        _ => None,
    }
}

/// Whether the value is this number, or this text (spec ).
pub(super) fn is_one_of(json: Option<&Json<'_>>, number: f64, text: &str) -> bool {
    match json {
        Some(Json::Number(value)) => *value == number,
        Some(Json::Text(value)) => value == text,
        _ => false,
    }
}

/// Fields of an object, with a problem reported for what cannot be read.
pub(super) trait Read<'a> {
    /// The items of a list; a missing list, `null` and `{}` are empty (spec SET-2, SET-21).
    fn items(&'a self, key: &'a str, problems: &mut Problems<'a>) -> &'a [Json<'a>];
    /// The entries of an object; a missing one, `null` and `[]` are empty.
    fn entries(&'a self, key: &'a str, problems: &mut Problems<'a>) -> &'a [(std::borrow::Cow<'a, str>, Json<'a>)];
    /// A truth value; missing is false.
    fn flag(&'a self, key: &'a str, problems: &mut Problems<'a>) -> bool;
    /// A text that may be missing.
    fn text(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Option<&'a str>;
    /// A text that must be there and not be empty.
    fn required_text(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Option<&'a str>;
    /// An id that must be there.
    fn required_id(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Id;
    /// `percentTraffic`.
    fn percent_traffic(&'a self, problems: &mut Problems<'a>) -> f64;
    /// `weight` of a variation.
    fn weight(&'a self, problems: &mut Problems<'a>) -> f64;
}

impl<'a> Read<'a> for Json<'a> {
    fn items(&'a self, key: &'a str, problems: &mut Problems<'a>) -> &'a [Json<'a>] {
        match self.get(key) {
            None | Some(Json::Null) => &[],
            Some(Json::List(items)) => items,
            Some(Json::Object(entries)) if entries.is_empty() => &[],
            Some(other) => {
                problems.at(key, |problems| problems.error(format!("is {}, expected a list", other.kind())));
                &[]
            }
        }
    }

    fn entries(&'a self, key: &'a str, problems: &mut Problems<'a>) -> &'a [(std::borrow::Cow<'a, str>, Json<'a>)] {
        match self.get(key) {
            None | Some(Json::Null) => &[],
            Some(Json::Object(entries)) => entries,
            Some(Json::List(items)) if items.is_empty() => &[],
            Some(other) => {
                problems.at(key, |problems| {
                    problems.warn(format!("is {}, expected an object: it has no effect", other.kind()))
                });
                &[]
            }
        }
    }

    fn flag(&'a self, key: &'a str, problems: &mut Problems<'a>) -> bool {
        match self.get(key) {
            None => false,
            Some(Json::Bool(value)) => *value,
            Some(other) => {
                let value = other.is_truthy();
                problems.at(key, |problems| {
                    problems.warn(format!("is {}, expected true or false: read as {value}", other.kind()));
                });
                value
            }
        }
    }

    fn text(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Option<&'a str> {
        match self.get(key) {
            None | Some(Json::Null) => None,
            Some(Json::Text(text)) => Some(text),
            Some(other) => {
                problems.at(key, |problems| problems.warn(format!("is {}, expected a text", other.kind())));
                None
            }
        }
    }

    fn required_text(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Option<&'a str> {
        match self.get(key) {
            Some(Json::Text(text)) if !text.is_empty() => Some(text),
            None => {
                problems.error(format!("has no `{key}`, expected a text"));
                None
            }
            Some(Json::Text(_)) => {
                problems.at(key, |problems| problems.error("is empty"));
                None
            }
            Some(other) => {
                problems.at(key, |problems| problems.error(format!("is {}, expected a text", other.kind())));
                None
            }
        }
    }

    fn required_id(&'a self, key: &'a str, problems: &mut Problems<'a>) -> Id {
        match self.get(key) {
            None => problems.error(format!("has no `{key}`, expected a number or a text")),
            Some(json) => match id(json) {
                Some(id) => return id,
                None => problems
                    .at(key, |problems| problems.error(format!("is {}, expected a number or a text", json.kind()))),
            },
        }
        Id { text: "".into(), is_number: false }
    }

    fn percent_traffic(&'a self, problems: &mut Problems<'a>) -> f64 {
        let Some(json) = self.get("percentTraffic") else {
            problems.error("has no `percentTraffic`, expected a number from 0 to 100");
            return 0.0;
        };
        problems.at("percentTraffic", |problems| match number(json) {
            Some(percent) => {
                if !(0.0..=100.0).contains(&percent) {
                    problems.warn(format!("is {}, expected a number from 0 to 100", number_text(percent)));
                }
                percent
            }
            None => {
                problems.error(format!("is {}, expected a number from 0 to 100", json.kind()));
                0.0
            }
        })
    }

    fn weight(&'a self, problems: &mut Problems<'a>) -> f64 {
        // Nothing stands for no weight, as in the reference (spec SET-30).
        let Some(json) = self.get("weight").filter(|json| !matches!(json, Json::Null)) else {
            problems.warn("has no `weight`: read as 0");
            return 0.0;
        };
        problems.at("weight", |problems| match number(json) {
            Some(weight) if weight < 0.0 => {
                problems.error(format!("is {}, expected a percentage from 0 to 100", number_text(weight)));
                0.0
            }
            Some(weight) => weight,
            None if json.as_text().is_some_and(|text| number::trim(text).is_empty()) => {
                problems.warn("is empty: read as 0");
                0.0
            }
            None => {
                problems.error(format!("is {}, expected a percentage from 0 to 100", shown(json)));
                0.0
            }
        })
    }
}

fn shown(json: &Json<'_>) -> String {
    match json {
        Json::Text(text) => format!("the text `{text}`"),
        other => other.kind().to_owned(),
    }
}
