//! Segments.

use serde_json::{Value, json};
use steadfast::engine::settings::CompileOptions;
use steadfast::engine::{Attributes, Options, Policy, Reason, SegmentNumbers, Warning};

use super::{Scene, ab, activate, settings, with};

/// With these custom variables Ashley is in the audience of this segment, or is not.
#[track_caller]
fn check(segment: &Value, variables: &Value, numbers: SegmentNumbers, expected: bool) {
    let file = settings(&[with(ab(), &json!({"segments": segment}))]);
    let options = CompileOptions { segment_numbers: numbers, ..CompileOptions::default() };
    let scene = Scene::compiled(&file, options, Policy::default(), false);
    let expected = if expected { json!("Control") } else { Value::Null };
    scene.check(&activate("ab", &json!({"customVariables": variables})), &expected);
}

fn is(operand: &str) -> Value {
    json!({"custom_variable": {"a": operand}})
}

#[test]
fn strict_numbers_are_whole_numbers() {
    // as the official SDK by default.
    let both = |operand: &str, value: &Value, reference: bool, strict: bool| {
        check(&is(operand), &json!({"a": value}), SegmentNumbers::Reference, reference);
        check(&is(operand), &json!({"a": value}), SegmentNumbers::Strict, strict);
    };
    both("123abc", &json!(123), true, false);
    both("2021-01-05", &json!("2021-12-31"), true, false);
    both("regex(123.*)", &json!("1234"), true, true);
    both("regex(1|2)", &json!("2"), false, true);
    both("0.0", &json!(0), false, true);
    both("gt(-5)", &json!(3), false, true);
}

#[test]
fn strict_malformed_conditions_stand_alone() {
    // as the official SDK by default, where one malformed condition falsifies the whole segment.
    let segment = json!({"or": [is("x"), {}]});
    check(&segment, &json!({"a": "x"}), SegmentNumbers::Reference, false);
    check(&segment, &json!({"a": "x"}), SegmentNumbers::Strict, true);
}

#[test]
fn a_variable_may_be_called_has_own_property() {
    // The official SDK calls it, which fails, and nothing matches.
    check(&is("x"), &json!({"a": "x", "hasOwnProperty": "1"}), SegmentNumbers::Reference, true);
}

#[test]
fn an_object_with_a_length_is_no_list() {
    // The official SDK takes whatever has a length and numbered entries for a list.
    let segment = json!({"or": {"length": 1, "0": is("x")}});
    check(&segment, &json!({"a": "x"}), SegmentNumbers::Reference, false);
}

#[test]
fn an_object_whose_to_string_is_broken_is_an_object() {
    // The official SDK fails when it makes a text of it, and nothing matches.
    let variables = json!({"a": {"toString": 1}});
    check(&is("wildcard(*object*)"), &variables, SegmentNumbers::Reference, true);
}

#[test]
fn a_runaway_pattern_gives_up_and_matches_nothing() {
    // the official SDK is busy for years with this one, and nobody else gets an answer.
    let file = settings(&[with(ab(), &json!({"segments": is("regex(^(a+)+$)")}))]);
    let scene = Scene::without_storage(&file);
    let variables = Attributes::new().with("a", "a".repeat(60) + "!");
    let options = Options { custom_variables: variables, ..Options::default() };
    let decision = scene.client.activate("ab", "Ashley", &options).unwrap();
    assert_eq!(decision.reason(), Reason::NotInAudience);
    assert!(decision.warnings().contains(Warning::PatternGaveUp));
}
