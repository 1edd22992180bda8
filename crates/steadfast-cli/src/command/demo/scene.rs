//! What happens in the demo: users arrive, the settings change, users come back.

use std::sync::Arc;

use serde_json::Value;
use steadfast::blocking::Client;
use steadfast::engine::{CallError, Options, Settings, TrackTarget};
use steadfast::storage::UserStorage;

use crate::failure::Failure;

/// The settings before the change.
pub(super) const SETTINGS: &str = include_str!("../../../assets/demo-settings.json");

/// The campaign it is about, and its goal.
pub(super) const CAMPAIGN: &str = "checkout-button";
pub(super) const GOAL: &str = "purchase";

/// The change: the weights of the two variations, and the traffic, in percent.
pub(super) const NEW_WEIGHTS: [u32; 2] = [20, 80];
pub(super) const NEW_TRAFFIC: u32 = 60;

/// One user in so many buys something, and the page reports it twice.
const BUYERS: u32 = 10;

/// The demo before the curtain rises.
pub(super) struct Scene {
    pub(super) users: u32,
    /// The settings before the change, and after it.
    pub(super) before: Arc<Settings>,
    pub(super) after: Arc<Settings>,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Users by variation on the first day.
    pub(super) first_day: Vec<(String, u64)>,
    /// Of these users, when they came back: who saw the same variation.
    pub(super) same: u64,
    /// Who saw another one.
    pub(super) switched: u64,
    /// Who saw none any more.
    pub(super) lost: u64,
    /// As many users who come for the first time after the change, by variation.
    pub(super) newcomers: Vec<(String, u64)>,
    /// Users who bought something, reported twice each: of how many the purchase was not counted, once, twice.
    pub(super) purchases: [u64; 3],
}

impl Scene {
    /// The scene for that many users.
    pub(super) fn new(users: u32) -> Result<Self, Failure> {
        Ok(Scene { users, before: settings(SETTINGS)?, after: settings(&changed()?)? })
    }

    /// Plays it from the first day to the last purchase.
    pub(super) fn play(&self, storage: Option<Arc<dyn UserStorage>>) -> Result<Ending, Failure> {
        self.acts(storage).map_err(|error| Failure::new(format!("the demo cannot be played: {error}")))
    }

    fn acts(&self, storage: Option<Arc<dyn UserStorage>>) -> Result<Ending, CallError> {
        let client = |settings: &Arc<Settings>| {
            let client = Client::builder(Arc::clone(settings));
            match &storage {
                Some(storage) => client.storage(Arc::clone(storage)).build(),
                None => client.build(),
            }
        };
        let (before, after) = (client(&self.before), client(&self.after));
        let mut ending = Ending::default();
        let mut first_seen: Vec<Option<String>> = Vec::new();
        for user in 0..self.users {
            let seen = activate(&before, &visitor(user))?;
            count(&mut ending.first_day, seen.as_deref());
            first_seen.push(seen);
        }
        for (user, first) in (0..self.users).zip(&first_seen) {
            let again = activate(&after, &visitor(user))?;
            match (first, &again) {
                (Some(first), Some(again)) if first == again => ending.same += 1,
                (Some(_), Some(_)) => ending.switched += 1,
                (Some(_), None) => ending.lost += 1,
                (None, _) => {}
            }
        }
        for user in (0..self.users).step_by(BUYERS as usize) {
            let visitor = visitor(user);
            let mut reports = 0;
            for _ in 0..2 {
                let tracking = after.track(TrackTarget::One(CAMPAIGN), &visitor, GOAL, Options::NONE)?;
                reports += usize::from(tracking.conversions().next().is_some());
            }
            ending.purchases[reports] += 1;
        }
        for user in self.users..2 * self.users {
            count(&mut ending.newcomers, activate(&after, &visitor(user))?.as_deref());
        }
        Ok(ending)
    }
}

fn visitor(number: u32) -> String {
    format!("visitor-{number}")
}

fn activate(client: &Client, user: &str) -> Result<Option<String>, CallError> {
    Ok(client.activate(CAMPAIGN, user, Options::NONE)?.variation_name().map(str::to_owned))
}

fn count(counts: &mut Vec<(String, u64)>, variation: Option<&str>) {
    let Some(variation) = variation else { return };
    match counts.iter_mut().find(|(name, _)| name == variation) {
        Some((_, users)) => *users += 1,
        None => counts.push((variation.to_owned(), 1)),
    }
    counts.sort();
}

fn settings(text: &str) -> Result<Arc<Settings>, Failure> {
    Settings::parse(text).map(Arc::new).map_err(|error| Failure::new(format!("the demo cannot be played: {error}")))
}

/// The settings after the change.
fn changed() -> Result<String, Failure> {
    let mut file: Value =
        serde_json::from_str(SETTINGS).map_err(|error| Failure::new(format!("the demo cannot be played: {error}")))?;
    let campaign = &mut file["campaigns"][0];
    campaign["percentTraffic"] = NEW_TRAFFIC.into();
    for (place, weight) in NEW_WEIGHTS.into_iter().enumerate() {
        campaign["variations"][place]["weight"] = weight.into();
    }
    Ok(file.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::storage::MemoryStorage;

    #[test]
    fn the_change_is_the_one_that_is_told() {
        let scene = Scene::new(10).expect("the bundled settings");
        let campaign = scene.after.campaign(CAMPAIGN).expect("the campaign");
        assert_eq!(campaign.percent_traffic(), f64::from(NEW_TRAFFIC));
        let weights: Vec<f64> = campaign.variations().iter().map(|variation| variation.weight()).collect();
        assert_eq!(weights, NEW_WEIGHTS.map(f64::from));
        assert!(scene.before.problems().is_empty() && scene.after.problems().is_empty());
    }

    #[test]
    fn a_storage_keeps_everybody() {
        let scene = Scene::new(500).expect("the bundled settings");
        let ending = scene.play(Some(Arc::new(MemoryStorage::new()))).expect("it plays");
        assert_eq!((ending.same, ending.switched, ending.lost), (500, 0, 0));
        assert_eq!(ending.purchases, [0, 50, 0]);
        let ending = scene.play(None).expect("it plays");
        assert_eq!(ending.same + ending.switched + ending.lost, 500);
        assert!(ending.switched > 0 && ending.lost > 0);
        assert_eq!((ending.purchases[1], ending.purchases.iter().sum::<u64>()), (0, 50));
    }
}
