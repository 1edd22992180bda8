//! What happens in the demo: users arrive, the settings change, users come back.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings, TrackTarget};
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

/// How long is waited for the storage between two days: one that takes longer does not come back.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

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
    /// What everybody saw: on the first day, when they came back, the newcomers; each in the order of their numbers.
    pub(super) answers: Vec<Option<String>>,
}

impl Scene {
    /// The scene for that many users.
    pub(super) fn new(users: u32) -> Result<Self, Failure> {
        Ok(Scene { users, before: settings(SETTINGS)?, after: settings(&changed()?)? })
    }

    /// Who comes for the first time after the change.
    pub(super) fn newcomers(&self) -> Range<u32> {
        self.users..2 * self.users
    }

    /// Whether this user buys something when they come back.
    pub(super) fn buys(&self, user: u32) -> bool {
        user < self.users && user.is_multiple_of(BUYERS)
    }

    /// The id of a user.
    pub(super) fn visitor(number: u32) -> String {
        format!("visitor-{number}")
    }

    /// Plays it from the first day to the last newcomer.
    pub(super) fn play(&self, storage: Option<Arc<dyn UserStorage>>) -> Result<Ending, Failure> {
        let failed: Arc<OnceLock<String>> = Arc::default();
        let client = |settings: &Arc<Settings>| {
            let failed = Arc::clone(&failed);
            let client = Client::builder(Arc::clone(settings))
                .on_storage_error(move |error| drop(failed.set(error.to_string())));
            match &storage {
                Some(storage) => client.storage(Arc::clone(storage)).build(),
                None => client.build(),
            }
        };
        let ending = self.acts(&client(&self.before), &client(&self.after))?;
        // A story in which something was not kept would tell wrong numbers.
        failed.get().map_or(Ok(ending), |error| Err(cannot_play(error)))
    }

    fn acts(&self, before: &Client, after: &Client) -> Result<Ending, Failure> {
        let mut ending = Ending::default();
        for user in 0..self.users {
            let seen = activate(before, user)?;
            count(&mut ending.first_day, seen.as_deref());
            ending.answers.push(seen);
        }
        before.flush(PATIENCE).map_err(|error| cannot_play(&error))?;
        for user in 0..self.users {
            let again = activate(after, user)?;
            match (&ending.answers[user as usize], &again) {
                (Some(first), Some(again)) if first == again => ending.same += 1,
                (Some(_), Some(_)) => ending.switched += 1,
                (Some(_), None) => ending.lost += 1,
                (None, _) => {}
            }
            ending.answers.push(again);
        }
        for user in (0..self.users).filter(|user| self.buys(*user)) {
            let visitor = Scene::visitor(user);
            let mut reports = 0;
            for _ in 0..2 {
                let tracking = after.track(TrackTarget::One(CAMPAIGN), &visitor, GOAL, Options::NONE);
                let tracking = tracking.map_err(|error| cannot_play(&error))?;
                reports += usize::from(tracking.conversions().next().is_some());
            }
            ending.purchases[reports] += 1;
        }
        for user in self.newcomers() {
            let seen = activate(after, user)?;
            count(&mut ending.newcomers, seen.as_deref());
            ending.answers.push(seen);
        }
        after.flush(PATIENCE).map_err(|error| cannot_play(&error))?;
        Ok(ending)
    }
}

/// Why the demo ends before its end.
pub(super) fn cannot_play(error: &dyn fmt::Display) -> Failure {
    Failure::new(format!("the demo cannot be played: {error}"))
}

fn activate(client: &Client, user: u32) -> Result<Option<String>, Failure> {
    let visitor = Scene::visitor(user);
    let decision = client.activate(CAMPAIGN, &visitor, Options::NONE).map_err(|error| cannot_play(&error))?;
    Ok(decision.variation_name().map(str::to_owned))
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
    Settings::parse(text).map(Arc::new).map_err(|error| cannot_play(&error))
}

/// The settings after the change.
fn changed() -> Result<String, Failure> {
    let mut file: Value = serde_json::from_str(SETTINGS).map_err(|error| cannot_play(&error))?;
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
