//! A variable as operands see it: null, a number, or a text.

use std::borrow::Cow;

use super::SegmentNumbers;
use super::number::NumberText;
use crate::attributes::AttributeValue;

/// A variable reduced to what conditions compare (spec SEG-21). A number keeps its own form: its text is written only
/// when a text is needed, and reading that text back would give the same number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// `null`, which equals nothing but itself.
    Null,
    /// A number.
    Number(f64),
    /// Anything else, by its text.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// The text that the reference compares, `null` for null; numbers are written into `buffer`.
    pub(super) fn text<'t>(&'t self, buffer: &'t mut NumberText) -> &'t str {
        match self {
            Value::Null => "null",
            Value::Number(number) => buffer.write(*number),
            Value::Text(text) => text,
        }
    }

    /// The number that this value is taken for, if any (spec SEG-25).
    pub(super) fn number(&self, numbers: SegmentNumbers) -> Option<f64> {
        match self {
            Value::Null => None,
            Value::Number(number) => (!number.is_nan()).then_some(*number),
            Value::Text(text) => numbers.parse(text),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a AttributeValue> for Value<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        match value {
            AttributeValue::Undefined => "".into(),
            AttributeValue::Null => Value::Null,
            AttributeValue::Bool(true) => "true".into(),
            AttributeValue::Bool(false) => "false".into(),
            AttributeValue::Number(number) => Value::Number(*number),
            AttributeValue::Text(text) => text.as_str().into(),
            AttributeValue::List(items) => {
                let mut text = String::new();
                write_list(&mut text, items);
                Value::Text(Cow::Owned(text))
            }
            AttributeValue::Object => "[object Object]".into(),
        }
    }
}

/// JavaScript's text of a list: the items' texts joined by `,`, nested lists likewise, nothing for null.
fn write_list(text: &mut String, items: &[AttributeValue]) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        match item {
            AttributeValue::Null => {}
            AttributeValue::List(items) => write_list(text, items),
            _ => text.push_str(Value::from(item).text(&mut NumberText::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: impl Into<AttributeValue>, expected: &str) {
        let value = value.into();
        assert_eq!(Value::from(&value).text(&mut NumberText::new()), expected, "text of {value:?}");
    }

    #[test]
    fn the_text_is_javascripts() {
        check(AttributeValue::Undefined, "");
        check(true, "true");
        check("", "");
        check(-0.0, "0");
        check(1e21, "1e+21");
        check(5e-7, "5e-7");
        check(f64::NAN, "NaN");
        check(AttributeValue::Object, "[object Object]");
    }

    #[test]
    fn lists_are_joined_and_null_in_them_is_nothing() {
        let nested = AttributeValue::List(vec![AttributeValue::Null, 2.into()]);
        let list = vec![1.into(), AttributeValue::Null, "a".into(), nested, AttributeValue::Undefined];
        check(AttributeValue::List(list), "1,,a,,2,");
        check(AttributeValue::List(vec![]), "");
    }
}
