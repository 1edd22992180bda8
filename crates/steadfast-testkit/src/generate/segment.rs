//! Segments, and the variables they look at.

use serde_json::{Map, Value, json};

use super::words::{JSON_NUMBERS, NUMBERS, PATTERNS, TEXTS, VARIABLES};
use crate::random::Random;

/// A segment on custom variables; now and then one that lets everybody in, or is malformed.
pub(super) fn segment(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!({}),
        1 => condition(random),
        _ => node(random, 3),
    }
}

fn node(random: &mut Random, depth: u32) -> Value {
    if depth == 0 || random.chance(35) {
        return condition(random);
    }
    match random.below(20) {
        0..=8 => json!({"or": nodes(random, depth)}),
        9..=14 => json!({"and": nodes(random, depth)}),
        15..=17 => json!({"not": node(random, depth - 1)}),
        18 => json!({"or": [{"and": nodes(random, depth)}, condition(random)]}),
        _ => odd(random),
    }
}

fn nodes(random: &mut Random, depth: u32) -> Vec<Value> {
    (0..random.between(0, 3)).map(|_| node(random, depth - 1)).collect()
}

/// What nobody should write: unknown operators, operands of a wrong type, empty nodes.
fn odd(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({}),
        1 => json!({"nand": []}),
        2 => json!({"or": {}}),
        3 => json!({"and": "x"}),
        4 => json!({"custom_variable": {}}),
        5 => json!({"not": {"xor": []}}),
        6 => json!({"custom_variable": {random.pick(VARIABLES): [1, "x"]}}),
        _ => json!({"user": "nobody"}),
    }
}

fn condition(random: &mut Random) -> Value {
    let variable = random.pick(VARIABLES);
    if random.chance(4) {
        return json!({"custom_variable": {variable: odd_operand(random)}});
    }
    json!({"custom_variable": {variable: operand(random)}})
}

fn odd_operand(random: &mut Random) -> Value {
    random.pick(&[json!(5), json!(true), json!(null), json!(["gold"]), json!({"a": 1}), json!(0), json!(12.5)])
}

fn operand(random: &mut Random) -> String {
    let word = word(random);
    match random.below(24) {
        0..=4 => word,
        5..=7 => format!("lower({})", word.to_uppercase()),
        8 | 9 => format!("wildcard(*{}*)", part(random, &word)),
        10 => format!("wildcard({}*)", part(random, &word)),
        11 => format!("wildcard(*{})", part(random, &word)),
        12 => format!("wildcard({word})"),
        13..=15 => format!("regex({})", random.pick(PATTERNS)),
        16 => format!("gt({})", random.pick(NUMBERS)),
        17 => format!("gte({})", random.pick(NUMBERS)),
        18 => format!("lt({})", random.pick(NUMBERS)),
        19 => format!("lte({})", random.pick(NUMBERS)),
        20 => format!("gt({})", random.between(0, 120)),
        21 => format!("lower({word}) tail"),
        22 => format!("Lower({word})"),
        _ => format!("regex({}", random.pick(PATTERNS)),
    }
}

/// A number of ten words, or another text.
fn word(random: &mut Random) -> String {
    if random.chance(40) { random.pick(NUMBERS).to_owned() } else { random.pick(TEXTS).to_owned() }
}

/// A part of a text, in whole characters.
fn part(random: &mut Random, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = random.below(characters.len() + 1);
    let end = start + random.below(characters.len() - start + 1);
    characters[start..end].iter().collect()
}

/// Variables as a caller passes them.
pub(super) fn variables(random: &mut Random) -> Value {
    let mut variables = Map::new();
    for name in VARIABLES {
        if random.chance(55) {
            variables.insert((*name).to_owned(), value(random));
        }
    }
    if random.chance(3) {
        variables.insert("_vwoUserId".to_owned(), "nobody".into());
    }
    variables.into()
}

fn value(random: &mut Random) -> Value {
    match random.below(12) {
        0..=6 => word(random).into(),
        7..=9 => serde_json::from_str(random.pick(JSON_NUMBERS)).unwrap_or_default(),
        10 => random.chance(50).into(),
        _ => random.pick(&[json!(null), json!([]), json!(["gold"]), json!([1, [2, null]]), json!({"a": 1}), json!({})]),
    }
}
