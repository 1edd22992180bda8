//! Segments: any tree has an outcome, and an explanation that agrees with it.

use proptest::prelude::*;
use serde_json::{Value, json};
use steadfast_engine::decide::Stage;
use steadfast_engine::settings::CompileOptions;
use steadfast_engine::{Attributes, ConditionOutcome, Options, Request, SegmentNumbers, Settings, Step, verb};

use super::cases;
use super::generate;

/// A tree that is a segment in places.
fn wild_segment() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![3 => generate::segment(), 1 => generate::json_value(), 1 => Just(json!({}))];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let operator = prop::sample::select(vec!["and", "or", "not", "custom_variable", "user", "AND", "0", ""]);
        prop_oneof![
            4 => (operator.clone(), inner.clone()).prop_map(|(operator, child)| json!({operator: child})),
            2 => (operator.clone(), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(operator, children)| json!({operator: children})),
            1 => (operator, inner.clone(), inner.clone())
                .prop_map(|(operator, first, second)| json!({operator: first, "z": second})),
            1 => ("[a-z0-9_]{0,3}", inner.clone()).prop_map(|(name, operand)| json!({"custom_variable": {name: operand}})),
            1 => (inner.clone(), generate::operand())
                .prop_map(|(name, operand)| json!({"custom_variable": {name.to_string(): operand}})),
        ]
    })
}

/// Whether a user is in the audience of a campaign with this segment, by the decision and by its explanation.
fn audience(segment: &Value, variables: &Attributes, numbers: SegmentNumbers) -> (bool, Vec<ConditionOutcome>) {
    let file = json!({"accountId": 1, "version": 1, "campaigns": [{
        "id": 1, "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": segment,
        "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    let options = CompileOptions { segment_numbers: numbers, ..CompileOptions::default() };
    let settings = Settings::compile(&file.to_string(), options).unwrap();
    let options = Options { custom_variables: variables.clone(), ..Options::default() };
    let request = Request::new(&settings, "Ashley").with_options(&options).traced();
    let Ok(Step::Done(decision)) = verb::activate(request, "c") else { panic!("there is no storage to ask") };
    let matched = decision.variation_name().is_some();
    let stages = &decision.trace().unwrap().stages;
    let explained = stages.iter().find_map(|stage| match stage {
        Stage::Audience { conditions, matched: traced, .. } => {
            assert_eq!(*traced, matched);
            Some(conditions.clone())
        }
        _ => None,
    });
    (matched, explained.unwrap())
}

fn numbers() -> impl Strategy<Value = SegmentNumbers> {
    prop_oneof![Just(SegmentNumbers::Reference), Just(SegmentNumbers::Strict)]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn any_tree_has_an_outcome_and_an_explanation_that_agrees(
        segment in wild_segment(), variables in generate::attributes(), numbers in numbers(),
    ) {
        let (matched, explained) = audience(&segment, &variables, numbers);
        prop_assert_eq!(explained[0].matched, matched);
        prop_assert!(explained.iter().all(|line| !line.to_string().is_empty()));
    }

    #[test]
    fn not_turns_a_segment_around(
        segment in generate::segment(), variables in generate::attributes(), numbers in numbers(),
    ) {
        let (matched, _) = audience(&segment, &variables, numbers);
        let (turned, _) = audience(&json!({"not": segment}), &variables, numbers);
        prop_assert_ne!(matched, turned);
    }

    #[test]
    fn the_order_of_conditions_does_not_matter(
        first in generate::segment(), second in generate::segment(), variables in generate::attributes(),
        numbers in numbers(), operator in prop::sample::select(vec!["and", "or"]),
    ) {
        let (forward, _) = audience(&json!({operator: [first, second]}), &variables, numbers);
        let (backward, _) = audience(&json!({operator: [second, first]}), &variables, numbers);
        prop_assert_eq!(forward, backward);
        let either = [&first, &second].map(|one| audience(one, &variables, numbers).0);
        prop_assert_eq!(forward, if operator == "and" { either[0] && either[1] } else { either[0] || either[1] });
    }

    #[test]
    fn any_operand_has_an_outcome(
        function in prop::sample::select(vec!["", "lower", "wildcard", "regex", "gt", "gte", "lt", "lte"]),
        text in prop_oneof![".{0,12}", "[-+.0-9eE)(*\n ]{0,12}", "[a-c(){}\\[\\]|?*+^$.\\\\0-9:=!<>-]{0,16}"],
        value in prop_oneof![".{0,12}", "[-+.0-9eE ]{0,12}", "[a-c]{0,12}"],
        numbers in numbers(),
    ) {
        let operand = if function.is_empty() { text } else { format!("{function}({text})") };
        let variables = Attributes::new().with("v", value);
        let (matched, explained) = audience(&json!({"custom_variable": {"v": operand}}), &variables, numbers);
        prop_assert_eq!(explained[0].matched, matched);
    }
}
