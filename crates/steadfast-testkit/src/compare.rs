//! Where two sets of answers differ: objects without regard to the order of keys, numbers by value, and the storage
//! as a set of records, keyed by user and campaign.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::play::Answers;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// An answer.
    Answer {
        /// The number of the request, from 0.
        line: usize,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A record in the storage at the end.
    Record {
        /// The user and the campaign.
        key: RecordKey,
        /// The record that was expected; `None` for none at all.
        expected: Option<Value>,
        /// The record that was found.
        found: Option<Value>,
    },
}

/// The user and the campaign of a record.
pub type RecordKey = (String, String);

/// All differences between answers to one stream of requests. The answers to `storage_put`, which `requests` tells
/// apart, are not compared.
///
/// # Panics
/// Never: a missing answer is a difference.
#[must_use]
pub fn differences(requests: &[String], expected: &Answers, found: &Answers) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (line, request) in requests.iter().enumerate() {
        if is_put(request) {
            continue;
        }
        let (wanted, got) = (expected.answers.get(line), found.answers.get(line));
        let same = match (wanted, got) {
            (Some(Ok(wanted)), Some(Ok(got))) => is_same(wanted, got),
            // Messages are ours alone.
            (Some(Err(_)), Some(Err(_))) => true,
            _ => false,
        };
        if !same {
            differences.push(Difference::Answer { line, expected: shown(wanted), found: shown(got) });
        }
    }
    let (expected, found) = (by_key(expected), by_key(found));
    for (key, record) in &expected {
        let other = found.get(key);
        if !other.is_some_and(|other| is_same(record, other)) {
            differences.push(Difference::Record {
                key: key.clone(),
                expected: Some((*record).clone()),
                found: other.map(|other| (*other).clone()),
            });
        }
    }
    let additional = found.iter().filter(|(key, _)| !expected.contains_key(*key));
    differences.extend(additional.map(|(key, record)| Difference::Record {
        key: key.clone(),
        expected: None,
        found: Some((*record).clone()),
    }));
    differences
}

/// Whether a request only puts a record into the storage.
#[must_use]
pub fn is_put(request: &str) -> bool {
    operation(request) == "storage_put"
}

/// The operation of a request.
#[must_use]
pub fn operation(request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    request["op"].as_str().unwrap_or("?").to_owned()
}

/// Whether two values are the same to a JavaScript program.
#[must_use]
pub fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}

fn shown(answer: Option<&Result<Value, String>>) -> String {
    match answer {
        None => "no answer".to_owned(),
        Some(Ok(value)) => value.to_string(),
        Some(Err(error)) => format!("error: {error}"),
    }
}

fn by_key(answers: &Answers) -> BTreeMap<RecordKey, &Value> {
    let text = |record: &Value, key: &str| match &record[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let records = answers.stored.iter().flatten();
    records.map(|record| ((text(record, "userId"), text(record, "campaignKey")), record)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(one: &Value, other: &Value, expected: bool) {
        assert_eq!(is_same(one, other), expected, "{one} and {other}");
    }

    #[test]
    fn values_are_compared_as_javascript_would() {
        check(&json!(1), &json!(1.0), true);
        check(&json!({"a": 1, "b": [2]}), &json!({"b": [2.0], "a": 1}), true);
        check(&json!({"a": 1}), &json!({"a": 1, "b": null}), false);
        check(&json!([1, 2]), &json!([2, 1]), false);
        check(&json!("1"), &json!(1), false);
        check(&json!(null), &json!(false), false);
    }

    #[test]
    fn a_missing_answer_and_a_missing_record_are_differences() {
        let requests = vec![r#"{"op":"activate"}"#.to_owned()];
        let record = json!({"userId": "u", "campaignKey": "c", "variationName": "A"});
        let full = Answers { answers: vec![Ok(json!("A"))], stored: Some(vec![record]) };
        let empty = Answers { answers: vec![], stored: Some(vec![]) };
        assert_eq!(differences(&requests, &full, &full), []);
        assert_eq!(differences(&requests, &full, &empty).len(), 2);
        assert_eq!(differences(&requests, &empty, &full).len(), 2);
    }
}
