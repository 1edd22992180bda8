//! Feature variables: cast to their type once, when the settings are compiled (spec API-64).

use std::fmt;

use super::read::number_text;
use super::wire::Json;
use crate::segment::number;

/// A variable of a feature, with the value its type makes of what the file says.
#[derive(Debug)]
pub struct Variable {
    pub(crate) key: Box<str>,
    pub(crate) kind: Box<str>,
    value: Result<Cast, VariableError>,
}

#[derive(Debug)]
enum Cast {
    Text(Box<str>),
    Integer(i64),
    Double(f64),
    Boolean(bool),
    Json(serde_json::Value),
}

/// What a variable of type `json` may be in the settings file (spec Q-105).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonVariables {
    /// An object, or a text that holds one (decision D-20).
    #[default]
    ObjectOrText,
    /// Only an object, as the reference has it.
    Object,
}

/// The typed value of a variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VariableValue<'a> {
    /// Type `string`.
    Text(&'a str),
    /// Type `integer`.
    Integer(i64),
    /// Type `double`, or an `integer` too large for 64 bits.
    Double(f64),
    /// Type `boolean`.
    Boolean(bool),
    /// Type `json`, and any value of a type that is not known.
    Json(&'a serde_json::Value),
}

impl VariableValue<'_> {
    /// The value as JSON; `null` for a double that JSON has no number for.
    #[must_use]
    pub fn to_json(self) -> serde_json::Value {
        match self {
            VariableValue::Text(text) => text.into(),
            VariableValue::Integer(number) => number.into(),
            VariableValue::Double(number) => number.into(),
            VariableValue::Boolean(value) => value.into(),
            VariableValue::Json(value) => value.clone(),
        }
    }
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableError {
    /// The feature has no variable of this key, in the variation that decides.
    Missing,
    /// What the file says cannot be read as the variable's type.
    Unreadable,
}

impl Variable {
    pub(super) fn new(key: &str, kind: &str, value: &Json<'_>, json: JsonVariables) -> Self {
        let cast = cast(kind, value, json).ok_or(VariableError::Unreadable);
        Variable { key: key.into(), kind: kind.into(), value: cast }
    }

    /// The key that calls name it by.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its type as the file writes it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its value.
    ///
    /// # Errors
    /// [`VariableError::Unreadable`] when what the file says cannot be read as the variable's type.
    pub fn value(&self) -> Result<VariableValue<'_>, VariableError> {
        match &self.value {
            Ok(Cast::Text(text)) => Ok(VariableValue::Text(text)),
            Ok(Cast::Integer(number)) => Ok(VariableValue::Integer(*number)),
            Ok(Cast::Double(number)) => Ok(VariableValue::Double(*number)),
            Ok(Cast::Boolean(value)) => Ok(VariableValue::Boolean(*value)),
            Ok(Cast::Json(value)) => Ok(VariableValue::Json(value)),
            Err(error) => Err(*error),
        }
    }
}

fn cast(kind: &str, value: &Json<'_>, json: JsonVariables) -> Option<Cast> {
    match kind {
        "integer" => number::parse_int_prefix(&text_form(value)?).map(integer),
        "double" => number::parse_float_prefix(&text_form(value)?).map(Cast::Double),
        "boolean" => match value {
            Json::Bool(value) => Some(Cast::Boolean(*value)),
            _ => None,
        },
        "json" => match value {
            Json::Object(_) => Some(Cast::Json(value.to_value())),
            Json::Text(text) if json == JsonVariables::ObjectOrText => match serde_json::from_str(text) {
                Ok(object @ serde_json::Value::Object(_)) => Some(Cast::Json(object)),
                _ => None,
            },
            _ => None,
        },
        _ => Some(match value {
            Json::Text(text) => Cast::Text(text.as_ref().into()),
            other => Cast::Json(other.to_value()),
        }),
    }
}

fn integer(number: f64) -> Cast {
    /// Every double below this is an exact 64-bit integer once its fraction is gone (2^63).
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.abs() < LIMIT {
        #[expect(clippy::cast_possible_truncation, reason = "in range, and without a fraction")]
        let integer = number as i64;
        return Cast::Integer(integer);
    }
    Cast::Double(number)
}

/// The text that JavaScript's number parsers see; values that have none worth parsing give nothing.
fn text_form(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.to_string()),
        Json::Number(number) => Some(number_text(*number)),
        Json::List(items) => text_form(items.first()?),
        Json::Null | Json::Bool(_) | Json::Object(_) => None,
    }
}

impl fmt::Display for VariableError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            VariableError::Missing => "the feature has no variable of this key in the deciding variation",
            VariableError::Unreadable => "the variable's value in the settings cannot be read as its type",
        })
    }
}

impl std::error::Error for VariableError {}
