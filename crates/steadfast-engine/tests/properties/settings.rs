//! Settings files: any text is read or refused, and what is not known has no effect.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use steadfast_engine::bucket::HashInput;
use steadfast_engine::settings::{CompileOptions, JsonVariables};
use steadfast_engine::{Answer, Options, Policy, Request, SegmentNumbers, Settings, Verb};

use super::cases;
use super::drive::{Manner, Operation, Picture, outcome};
use super::generate;

/// Settings files of real accounts' kind, small ones.
const REAL: [&str; 4] = [
    include_str!("../../../../fuzz/seeds/settings/every-kind.json"),
    include_str!("../../../../fuzz/seeds/settings/groups.json"),
    include_str!("../../../../fuzz/seeds/settings/variables.json"),
    include_str!("../../../../fuzz/seeds/settings/odd-types.json"),
];

/// What is done to one value somewhere in a file.
#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Repeat,
    /// Put in the place of another value of the file.
    CopyFrom(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let telling = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e300),
        json!(-1e300),
        json!("1e999"),
        json!("-1e308"),
        json!(""),
        json!("0"),
        json!({}),
        json!([]),
        json!([[]]),
        json!("_vwo_"),
        json!({"0": 1}),
        json!("regex((((("),
    ]);
    prop_oneof![
        4 => telling.prop_map(Change::Replace),
        2 => generate::json_value().prop_map(Change::Replace),
        1 => generate::segment().prop_map(Change::Replace),
        2 => Just(Change::Remove),
        1 => Just(Change::Repeat),
        2 => any::<Index>().prop_map(Change::CopyFrom),
    ]
}

/// The paths of all values of a tree, the root first.
fn paths(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut add = |step: String, child: &Value| {
        found.extend(paths(child).into_iter().map(|rest| format!("/{step}{rest}")));
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| add(index.to_string(), item)),
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| add(key.replace('~', "~0").replace('/', "~1"), child));
        }
        _ => {}
    }
    found
}

fn apply(file: &mut Value, place: &Index, change: &Change) {
    let paths = paths(file);
    let path = place.get(&paths).clone();
    let replacement = match change {
        Change::Replace(value) => value.clone(),
        Change::CopyFrom(source) => file.pointer(source.get(&paths).as_str()).cloned().unwrap_or(Value::Null),
        Change::Remove | Change::Repeat => {
            let Some((parent, step)) = path.rsplit_once('/') else { return };
            match file.pointer_mut(parent) {
                Some(Value::Object(map)) => drop(map.remove(&step.replace("~1", "/").replace("~0", "~"))),
                Some(Value::Array(items)) => {
                    let index: usize = step.parse().unwrap_or_default();
                    if matches!(change, Change::Remove) {
                        items.remove(index);
                    } else {
                        items.insert(index, items[index].clone());
                    }
                }
                _ => {}
            }
            return;
        }
    };
    if let Some(value) = file.pointer_mut(&path) {
        *value = replacement;
    }
}

fn compile_options() -> impl Strategy<Value = CompileOptions> {
    any::<[bool; 3]>().prop_map(|flags| CompileOptions {
        hash_input: if flags[0] { HashInput::Utf8 } else { HashInput::default() },
        segment_numbers: if flags[1] { SegmentNumbers::Strict } else { SegmentNumbers::default() },
        json_variables: if flags[2] { JsonVariables::Object } else { JsonVariables::default() },
    })
}

/// What every verb gives for every campaign, without a storage and with an empty one. It must not panic.
fn answers_of_everything(settings: &Settings, user: &str, options: &Options) -> Vec<Result<Picture, String>> {
    let mut found = Vec::new();
    let goals = settings.campaigns().iter().flat_map(|campaign| campaign.goals());
    let mut operations: Vec<Operation> =
        goals.map(|goal| Operation::Track(vec![], goal.identifier().to_owned())).collect();
    for campaign in settings.campaigns() {
        for verb in [Verb::Activate, Verb::FeatureEnabled, Verb::VariationName, Verb::FeatureVariable] {
            operations.push(Operation::Decide(verb, campaign.key().to_owned()));
        }
    }
    for has_storage in [false, true] {
        let policy = Policy { has_storage, ..Policy::default() };
        for operation in &operations {
            let request = Request::new(settings, user).with_options(options).with_policy(policy).traced();
            let picture = outcome(request, operation, Manner::AllAtOnce, |_| Answer::Absent);
            found.push(picture.map_err(|error| error.to_string()));
        }
    }
    found
}

/// Parses any text and uses whatever comes of it.
fn exercise(text: &str, compile: CompileOptions, user: &str, options: &Options) {
    match Settings::compile(text, compile) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(settings) => {
            for problem in settings.problems() {
                assert!(problem.path.starts_with('$') && !problem.message.is_empty(), "{problem}");
            }
            for campaign in settings.campaigns() {
                assert_eq!(campaign.ranges().len(), campaign.variations().len());
            }
            answers_of_everything(&settings, user, options);
        }
    }
}

/// A key that no reader knows, put into every object of a file whose keys are not names of its own.
fn with_unknown_keys(file: &mut Value, name: &str, value: &Value) {
    let add = |object: &mut Value| {
        if let Value::Object(map) = object {
            map.insert(name.to_owned(), value.clone());
        }
    };
    let each = |list: Option<&mut Value>, change: &mut dyn FnMut(&mut Value)| {
        if let Some(Value::Array(items)) = list {
            items.iter_mut().for_each(change);
        }
    };
    add(file);
    if let Some(Value::Object(groups)) = file.get_mut("groups") {
        groups.values_mut().for_each(add);
    }
    each(file.get_mut("campaigns"), &mut |campaign| {
        add(campaign);
        for list in ["goals", "variables"] {
            each(campaign.get_mut(list), &mut |item| add(item));
        }
        each(campaign.get_mut("variations"), &mut |variation| {
            add(variation);
            each(variation.get_mut("variables"), &mut |variable| add(variable));
        });
    });
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}", options in compile_options()) {
        exercise(&text, options, "Ashley", Options::NONE);
    }

    #[test]
    fn any_json_is_read_or_refused(json in generate::json_value(), options in compile_options()) {
        exercise(&json.to_string(), options, "Ashley", Options::NONE);
        let file = json!({"accountId": 1, "campaigns": json, "groups": json, "campaignGroups": json});
        exercise(&file.to_string(), options, "Ashley", Options::NONE);
    }

    #[test]
    fn a_torn_file_is_read_or_refused(
        file in prop::sample::select(REAL.to_vec()), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = file.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        exercise(&String::from_utf8_lossy(&bytes), CompileOptions::default(), "Ashley", Options::NONE);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_real_file_with_anything_changed_is_read_or_refused(
        file in prop::sample::select(REAL.to_vec()),
        changes in vec((any::<Index>(), change()), 1..6),
        compile in compile_options(),
        user in generate::user(),
        options in generate::options_with_records(),
    ) {
        let mut file: Value = serde_json::from_str(file).unwrap();
        changes.iter().for_each(|(place, change)| apply(&mut file, place, change));
        exercise(&file.to_string(), compile, &user, &options);
    }

    #[test]
    fn a_key_that_is_not_known_changes_no_decision(
        file in generate::file(), name in "z[a-z_]{0,5}", value in generate::json_value(),
        user in generate::user(), options in generate::options(),
    ) {
        let mut json = file.to_json();
        let before = Settings::parse(&json.to_string()).unwrap();
        with_unknown_keys(&mut json, &name, &value);
        let after = Settings::parse(&json.to_string()).unwrap();
        prop_assert_eq!(
            answers_of_everything(&before, &user, &options),
            answers_of_everything(&after, &user, &options)
        );
    }
}

/// Two campaigns of a group with weights far below zero made the sum of their ranges run over.
#[test]
fn a_group_with_weights_far_below_zero_gives_an_answer() {
    let campaign = |id: u32| {
        json!({"id": id, "key": format!("c{id}"), "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100,
            "segments": {}, "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]})
    };
    let file = json!({"accountId": 1, "version": 1, "campaigns": [campaign(1), campaign(2)],
        "campaignGroups": {"1": "9", "2": "9"},
        "groups": {"9": {"campaigns": [1, 2], "et": 2, "wt": {"1": -1e300, "2": -1e300}}}});
    exercise(&file.to_string(), CompileOptions::default(), "Ashley", Options::NONE);
}
