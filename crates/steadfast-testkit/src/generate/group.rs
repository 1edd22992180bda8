//! Groups of both kinds over the campaigns of a file.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// The two entries of a settings file that make groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: Map<String, Value>,
    pub(super) membership: Map<String, Value>,
}

/// Puts some of the campaigns into groups, and makes them fit to be there.
pub(super) fn groups(random: &mut Random, campaigns: &mut [Value]) -> Groups {
    let mut groups = Groups::default();
    let mut rest = campaigns;
    let mut number = random.between(1, 30);
    while rest.len() >= 2 && random.chance(55) {
        let size = 1 + random.below(rest.len().min(6));
        let (members, others) = rest.split_at_mut(size);
        let ids: Vec<u64> = members.iter().filter_map(|member| member["id"].as_u64()).collect();
        let group = group(random, number, &ids);
        let lists_hashes = members[0]["isUserListEnabled"].clone();
        let leaves_gaps = size > 2 && group["et"] != 2;
        for member in members {
            let was_hashed = std::mem::replace(&mut member["isUserListEnabled"], lists_hashes.clone());
            if was_hashed != lists_hashes {
                // Its lists are in the other form now and match nobody: leave them to the segments.
                member["isForcedVariationEnabled"] = false.into();
            }
            member["status"] = "RUNNING".into();
            if leaves_gaps {
                member["goals"] = json!([]);
            }
        }
        for id in &ids {
            groups.membership.insert(id.to_string(), number.into());
        }
        groups.groups.insert(number.to_string(), group);
        number += random.between(1, 9);
        rest = others;
    }
    groups
}

fn group(random: &mut Random, number: u64, ids: &[u64]) -> Value {
    let mut group = json!({"name": format!("group {number}"), "campaigns": ids});
    match random.below(4) {
        0 => {}
        1 => group["et"] = 1.into(),
        _ => {
            group["et"] = 2.into();
            let mut priority = random.some(ids, 30);
            if random.chance(50) {
                priority.reverse();
            }
            group["p"] = priority.into();
            let weights = random.some(ids, 80).into_iter();
            group["wt"] =
                weights.map(|id| (id.to_string(), random.between(0, 70).into())).collect::<Map<_, _>>().into();
        }
    }
    group
}
