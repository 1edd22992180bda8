//! Records and the goals they list.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use steadfast_engine::settings::wire::Json;
use steadfast_engine::{GoalList, Record};

use super::{cases, generate};

/// Some of these identifiers, each once, in any order.
fn some_of(identifiers: Vec<&'static str>) -> impl Strategy<Value = Vec<String>> {
    let count = identifiers.len();
    prop::sample::subsequence(identifiers, 0..=count)
        .prop_shuffle()
        .prop_map(|identifiers| identifiers.into_iter().map(str::to_owned).collect())
}

/// Identifiers without a separator, which lists that grew apart can be united by.
fn identifiers() -> impl Strategy<Value = Vec<String>> {
    some_of(vec!["a", "ab", "b", "vwo", "Größe", "x_y"])
}

/// The same and some that end or begin with a part of the separator.
fn odd_identifiers() -> impl Strategy<Value = Vec<String>> {
    some_of(vec!["a", "ab", "b_vwo_c", "_vwo", "vwo_", "d_vwo_d", "Größe", "x_vwo_y_vwo_z"])
}

/// Texts made of what matters in a goal list.
fn list_text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!["a", "b", "_vwo_", "_vwo", "_", "vwo_", "é", ""]), 0..10)
        .prop_map(|parts| parts.concat())
}

fn known(identifiers: &[String]) -> impl Iterator<Item = &str> + Clone {
    identifiers.iter().map(String::as_str)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_list_of_goals_is_read_as_it_was_written(goals in odd_identifiers()) {
        let mut list = GoalList::default();
        goals.iter().for_each(|goal| list.push(goal));
        let read: Vec<&str> = list.goals(known(&goals)).collect();
        prop_assert_eq!(&read, &goals);
        for goal in &goals {
            prop_assert!(list.contains(goal, known(&goals)));
        }
        prop_assert_eq!(GoalList::from_text(list.as_str()), list);
    }

    #[test]
    fn any_list_can_be_read_and_loses_no_letter(text in list_text(), identifiers in vec(list_text(), 0..4)) {
        let list = GoalList::from_text(text.clone());
        let items: Vec<&str> = list.goals(known(&identifiers)).collect();
        prop_assert_eq!(items.join("_vwo_"), text);
    }

    #[test]
    fn a_list_united_with_itself_stays(text in list_text()) {
        let mut list = GoalList::from_text(text.clone());
        prop_assert!(list.unite(&GoalList::from_text(text.clone())).is_empty());
        prop_assert_eq!(list.as_str(), text);
    }

    #[test]
    fn union_only_grows_and_loses_no_goal(goals in identifiers(), split in 0..9_usize, overlap in 0..3_usize) {
        let split = split.min(goals.len());
        let (mut first, mut second) = (GoalList::default(), GoalList::default());
        goals[..split].iter().for_each(|goal| first.push(goal));
        goals[split.saturating_sub(overlap)..].iter().for_each(|goal| second.push(goal));
        let mut united = first.clone();
        let grown = united.unite(&second);
        prop_assert!(united.as_str().starts_with(first.as_str()));
        prop_assert_eq!(!grown.is_empty(), united != first);
        for goal in &goals {
            prop_assert!(united.contains(goal, known(&goals)), "{goal} is lost in {united:?}");
        }
    }

    #[test]
    fn a_record_survives_its_json_form(record in generate::record()) {
        let text = record.to_json().to_string();
        prop_assert_eq!(Record::from_json(&Json::parse(&text).unwrap()), Ok(record));
    }

    #[test]
    fn what_is_read_from_any_json_is_written_back_the_same(
        json in generate::json_value(), user in generate::json_value(), goals in generate::json_value(),
        key in prop::sample::select(vec!["goalIdentifier", "goalIdentifiers"]),
    ) {
        let candidates = [
            json.clone(),
            json!({"userId": user, "campaignKey": "c", "variationName": "v", "activated": json, "metaData": json}),
            json!({"userId": "u", "campaignKey": "c", "variationName": "v", key: goals}),
        ];
        for candidate in candidates {
            let text = candidate.to_string();
            if let Ok(record) = Record::from_json(&Json::parse(&text).unwrap()) {
                let again = record.to_json().to_string();
                prop_assert_eq!(Record::from_json(&Json::parse(&again).unwrap()), Ok(record));
            }
        }
    }
}

/// A goal whose identifier repeats a part was cut to its parts when two lists were united, and counted again and again.
#[test]
fn union_keeps_a_goal_that_repeats_a_part() {
    let mut stored = GoalList::from_text("g1");
    stored.unite(&GoalList::from_text("g1_vwo_x_vwo_x"));
    assert!(stored.contains("x_vwo_x", ["g1", "x_vwo_x"].into_iter()), "{stored:?}");
}

/// The same where a part is another goal, which was listed before.
#[test]
fn union_keeps_a_goal_that_ends_with_another() {
    let mut stored = GoalList::from_text("b");
    stored.unite(&GoalList::from_text("b_vwo_a_vwo_b"));
    assert!(stored.contains("a_vwo_b", ["b", "a_vwo_b"].into_iter()), "{stored:?}");
}
