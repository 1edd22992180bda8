//! Fresh settings files and requests from a seed: realistic, rich, and clean by construction.
//!
//! Clean means that Steadfast under `Activation::Required` and the official SDK must answer alike, so what
//! `docs/compat.md` lists is left out. What that takes is said where it is done; the rules that reach further:
//!
//! - With a storage every user tracks one goal only, and whitelisted campaigns have none.
//! - Goals count again (`shouldTrackReturningUser`, `mca`) in files of their own, without metadata or passed data.
//! - Data is passed only where there is a storage, always the same for a user, and naming what is called.
//! - Records with a variation that is gone belong to users who only activate.
//! - Random groups with goals have two members, for whom the ranges leave no gap.
//! - Members of a group are running, and read user lists in the same form.
//! - Bandits stand beside a storage; weights are texts only where nobody is whitelisted.

mod campaign;
mod chance;
mod group;
mod request;
mod segment;
mod user;
mod words;

use serde_json::json;

use crate::random::Random;
use request::Stream;

/// A settings file and a stream of requests for it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The settings file.
    pub settings: String,
    /// Whether a storage lives across the requests.
    pub has_storage: bool,
    /// The requests, one a line.
    pub requests: Vec<String>,
}

/// What holds for a whole file.
#[derive(Debug, Clone, Copy)]
struct Style {
    has_storage: bool,
    /// Whether goals may count more than once.
    counts_again: bool,
    event_architecture: bool,
    account: u64,
}

/// The file with this number among those of a seed, and as many requests.
#[must_use]
pub fn generate(seed: u64, number: u64, requests: usize) -> Generated {
    let mut random = Random::new(seed, number);
    let style = Style {
        has_storage: random.chance(60),
        counts_again: random.chance(40),
        event_architecture: random.chance(30),
        account: random.between(1, 999_999),
    };
    let users = user::users(&mut random, style);
    let mut campaigns = campaign::campaigns(&mut random, style, &users);
    let groups = group::groups(&mut random, &mut campaigns);
    let mut settings = json!({
        "sdkKey": format!("key-{seed}-{number}"), "version": random.between(1, 60), "accountId": style.account,
        "isEventArchEnabled": style.event_architecture, "groups": groups.groups, "campaignGroups": groups.membership,
    });
    for flag in ["isNB", "isNBv2"] {
        if let Some(value) = random.flag() {
            settings[flag] = value.into();
        }
    }
    let mut stream = Stream::new(style, &campaigns, &users);
    let requests = (0..requests).map(|_| stream.next(&mut random).to_string()).collect();
    settings["campaigns"] = campaigns.into();
    Generated { settings: settings.to_string(), has_storage: style.has_storage, requests }
}
