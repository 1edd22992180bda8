//! The competition in a group of mutually exclusive campaigns, in words.

use steadfast::engine::Decision;
use steadfast::engine::bucket::{Range, allocate};
use steadfast::engine::decide::{CompetitorTrace, GroupOutcome};
use steadfast::engine::settings::GroupAlgorithm;

use super::stage::{Mark, quiet, tell_strip};
use crate::terminal::text::{self, shown};

/// The title of the stage, and the lines below it.
pub(super) fn tell(
    decision: &Decision<'_>,
    name: &str,
    members: &[CompetitorTrace],
    seed: &str,
    bucket: Option<i64>,
    outcome: &GroupOutcome,
) -> (String, Vec<String>) {
    let user = shown(decision.user());
    let group = shown(name);
    let called = decision.campaign().key();
    let title = match outcome {
        GroupOutcome::Whitelisted(other) => {
            format!("{} has {user}, by its whitelist; group {group} is exclusive", shown(other))
        }
        GroupOutcome::Stored(other) => {
            format!("{user} takes part in {} already; group {group} is exclusive", shown(other))
        }
        GroupOutcome::Won(winner) if winner == called => format!("{} wins {user} in group {group}", shown(winner)),
        GroupOutcome::Won(winner) => format!("{} wins {user} in group {group}, not {called}", shown(winner)),
        GroupOutcome::NoWinner => format!("No campaign of group {group} wins {user}"),
    };
    let mut lines = Vec::new();
    let names = members.iter().map(|member| text::width(&shown(&member.campaign))).max().unwrap_or(0);
    let competed = matches!(outcome, GroupOutcome::Won(_) | GroupOutcome::NoWinner);
    for member in members {
        let name = text::padded(&shown(&member.campaign), names);
        let is_called = if member.campaign == called { "  (this one)" } else { "" };
        let (mark, state) = match (competed, member.eligible) {
            (false, _) if has_the_user(outcome, &member.campaign) => (Mark::Passed, "has the user"),
            (false, _) => (Mark::Silent, "goes without"),
            (true, true) => (Mark::Passed, "the user could take part"),
            (true, false) => (Mark::Stopped, "the user is outside its audience or traffic"),
        };
        lines.push(format!("{} {name}  {state}{is_called}", mark.symbol()));
    }
    if competed {
        lines.extend(tell_choice(decision, members, seed, bucket, outcome));
    }
    (title, lines)
}

/// Whether a member has the user without any competition.
fn has_the_user(outcome: &GroupOutcome, member: &str) -> bool {
    matches!(outcome, GroupOutcome::Whitelisted(other) | GroupOutcome::Stored(other) if other == member)
}

/// How the winner was found among the members that are open to the user.
fn tell_choice(
    decision: &Decision<'_>,
    members: &[CompetitorTrace],
    seed: &str,
    bucket: Option<i64>,
    outcome: &GroupOutcome,
) -> Vec<String> {
    let eligible: Vec<&str> = members.iter().filter(|member| member.eligible).map(|member| &*member.campaign).collect();
    let Some(algorithm) = decision.settings().group_of(decision.campaign()).map(|group| group.algorithm()) else {
        return Vec::new();
    };
    let Some(bucket) = bucket else {
        return vec![match (outcome, eligible.as_slice()) {
            (GroupOutcome::Won(_), [_]) => "it is the only one the user could take part in".to_owned(),
            (GroupOutcome::Won(_), _) => "it comes first in the group's order of priority".to_owned(),
            _ => "no member is open to the user".to_owned(),
        }];
    };
    let (how, shares): (&str, Vec<(&str, f64)>) = match algorithm {
        GroupAlgorithm::Random => {
            let percent = 100_u32.checked_div(u32::try_from(eligible.len()).unwrap_or(u32::MAX)).unwrap_or(0);
            (
                "by chance, the same for this user each time",
                eligible.iter().map(|key| (*key, f64::from(percent))).collect(),
            )
        }
        GroupAlgorithm::Advanced { weights, .. } => {
            let settings = decision.settings();
            let weighed = weights.iter().map(|(index, weight)| (settings.at(*index).key(), *weight));
            (
                "by weight, as none of them is in the order of priority",
                weighed.filter(|(key, _)| eligible.contains(key)).collect(),
            )
        }
    };
    let ranges: Vec<Range> = allocate(shares.iter().map(|(_, share)| *share)).collect();
    let entries: Vec<(String, String, Range)> =
        shares.iter().zip(ranges).map(|((key, share), range)| (shown(key), format!("{share} %"), range)).collect();
    let mut lines = vec![format!("chosen {how}:")];
    lines.extend(tell_strip(&entries, bucket));
    if *outcome == GroupOutcome::NoWinner {
        lines.push("the user's bucket belongs to none of them".to_owned());
    }
    lines.push(quiet(format!("bucket {} of 10,000, from the hash of \"{}\"", text::bucket(bucket), shown(seed))));
    lines
}
