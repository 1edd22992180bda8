//! What the caller knows about the user: `customVariables` and `variationTargetingVariables`.

use std::collections::BTreeMap;

use crate::settings::wire::Json;

/// Named values that segments are compared with.
///
/// ```
/// use steadfast_engine::Attributes;
/// let attributes = Attributes::new().with("plan", "gold").with("age", 42.0).with("member", true);
/// assert!(attributes.get("plan").is_some());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    values: BTreeMap<String, AttributeValue>,
}

/// One value. JavaScript's kinds, because segments compare by their text form (spec SEG-21).
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// The name is there, its value is not: counts as the empty text.
    Undefined,
    /// `null`
    Null,
    /// A truth value; its text is `true` or `false`.
    Bool(bool),
    /// A double; its text is JavaScript's.
    Number(f64),
    /// A text.
    Text(String),
    /// A list; its text is the items' texts joined by `,`.
    List(Vec<AttributeValue>),
    /// Any object; its text is `[object Object]`.
    Object,
}

impl Attributes {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Attributes { values: BTreeMap::new() }
    }

    /// The same attributes and one more; a value given before under this name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.insert(name, value);
        self
    }

    /// Sets one attribute.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<AttributeValue>) {
        self.values.insert(name.into(), value.into());
    }

    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.values.get(name)
    }

    /// All attributes, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The attributes of a JSON object; `None` when `json` is not an object.
    #[must_use]
    pub fn from_json(json: &Json<'_>) -> Option<Self> {
        let Json::Object(entries) = json else { return None };
        Some(Attributes { values: entries.iter().map(|(name, value)| (name.to_string(), value.into())).collect() })
    }
}

impl From<&Json<'_>> for AttributeValue {
    fn from(json: &Json<'_>) -> Self {
        match json {
            Json::Null => AttributeValue::Null,
            Json::Bool(value) => AttributeValue::Bool(*value),
            Json::Number(value) => AttributeValue::Number(*value),
            Json::Text(text) => AttributeValue::Text(text.to_string()),
            Json::List(items) => AttributeValue::List(items.iter().map(Into::into).collect()),
            Json::Object(_) => AttributeValue::Object,
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        AttributeValue::Text(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        AttributeValue::Text(text)
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        AttributeValue::Number(number)
    }
}

impl From<i32> for AttributeValue {
    fn from(number: i32) -> Self {
        AttributeValue::Number(number.into())
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        AttributeValue::Bool(value)
    }
}
