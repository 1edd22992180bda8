//! What experiments and variations of another product are called here: as a map file says, and as the settings know.
//!
//! A map file is `{"experiments": {"EXPERIMENT": {"campaign": "key", "variations": {"VARIATION": "name"}}}}`, where an
//! experiment that is null is left out on purpose. It goes before the settings; what it does not say, they may.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use steadfast::engine::Settings;
use steadfast::engine::settings::Campaign;

use crate::failure::Failure;

/// The names, and how often each way to them was taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    map: HashMap<String, Option<Mapped>>,
    settings: Option<Settings>,
    /// Variations that the map file named.
    pub(super) by_map: u64,
    /// Variations that the settings knew by their id.
    pub(super) by_id: u64,
    /// Variations that the settings knew by their name.
    pub(super) by_name: u64,
    /// Variations that the settings knew by their place.
    pub(super) by_place: u64,
    /// Assignments of experiments that are left out on purpose.
    pub(super) left_out: u64,
    /// Assignments that nothing maps, by experiment; the variation where the experiment is known.
    pub(super) unmapped: BTreeMap<(String, Option<String>), u64>,
    /// Assignments of a bucket version that a higher one followed.
    pub(super) outdated: u64,
    /// Documents of another attribute than the user's id, by its name.
    pub(super) other_attributes: BTreeMap<String, u64>,
}

/// An experiment in the map file.
#[derive(Debug)]
struct Mapped {
    campaign: String,
    variations: HashMap<String, String>,
}

/// How another product names things, where the settings know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Campaigns and variations by their ids.
    ByIds,
    /// Campaigns by their keys, variations by their names, or by their places where the name is a number.
    ByKeys,
}

impl Names {
    /// The names of a map file and of settings.
    pub(super) fn new(map: Option<&Path>, settings: Option<Settings>) -> Result<Names, Failure> {
        let map = map.map(read_map).transpose()?.unwrap_or_default();
        Ok(Names { map, settings, ..Names::default() })
    }

    /// Whether there is nothing that could map anything.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty() && self.settings.is_none()
    }

    /// Whether something was met that nothing maps.
    pub(super) fn has_unmapped(&self) -> bool {
        !self.unmapped.is_empty()
    }

    /// The key of the campaign and the name of the variation; `None`, and counted, where there are none.
    pub(super) fn find(&mut self, experiment: &str, variation: &str, known: Known) -> Option<(String, String)> {
        let mapped = match self.map.get(experiment) {
            Some(None) => {
                self.left_out += 1;
                return None;
            }
            Some(Some(mapped)) => Some(mapped),
            None => None,
        };
        let settings = self.settings.as_ref();
        let campaign = match mapped {
            Some(mapped) => settings.and_then(|settings| settings.campaign(&mapped.campaign)),
            None => settings.and_then(|settings| match known {
                Known::ByKeys => settings.campaign(experiment),
                Known::ByIds => settings.campaigns().iter().find(|campaign| campaign.id().as_str() == experiment),
            }),
        };
        let key = mapped.map(|mapped| &*mapped.campaign).or_else(|| campaign.map(Campaign::key));
        let Some(key) = key.filter(|key| !key.is_empty()).map(str::to_owned) else {
            *self.unmapped.entry((experiment.to_owned(), None)).or_default() += 1;
            return None;
        };
        let (name, way) = if let Some(name) = mapped.and_then(|mapped| mapped.variations.get(variation)) {
            (Some(name.clone()), &mut self.by_map)
        } else if known == Known::ByIds {
            let of_id = |campaign: &Campaign| {
                let mut variations = campaign.variations().iter();
                variations.find(|one| one.id().as_str() == variation).map(|one| one.name().to_owned())
            };
            (campaign.and_then(of_id), &mut self.by_id)
        } else if campaign.is_some_and(|campaign| campaign.variation(variation).is_some()) {
            (Some(variation.to_owned()), &mut self.by_name)
        } else {
            let place = variation.parse::<usize>().ok();
            let at_place = |campaign: &Campaign| campaign.variations().get(place?).map(|one| one.name().to_owned());
            (campaign.and_then(at_place), &mut self.by_place)
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            *self.unmapped.entry((experiment.to_owned(), Some(variation.to_owned()))).or_default() += 1;
            return None;
        };
        *way += 1;
        Some((key, name))
    }
}

fn read_map(path: &Path) -> Result<HashMap<String, Option<Mapped>>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::cannot_read("map", path, &error))?;
    let wrong = |message: String| Failure::new(format!("map `{}`: {message}", path.display()));
    let file: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    map_of(&file).map_err(wrong)
}

fn map_of(file: &Value) -> Result<HashMap<String, Option<Mapped>>, String> {
    let experiments = object(file.get("experiments"), "$.experiments")?;
    let mut map = HashMap::new();
    for (id, experiment) in experiments {
        let place = format!("$.experiments.{id}");
        let mapped = match experiment {
            Value::Null => None,
            experiment => {
                let campaign = text(experiment.get("campaign"), &format!("{place}.campaign"))?;
                let mut variations = HashMap::new();
                if let Some(names) = experiment.get("variations") {
                    for (id, name) in object(Some(names), &format!("{place}.variations"))? {
                        variations.insert(id.clone(), text(Some(name), &format!("{place}.variations.{id}"))?);
                    }
                }
                Some(Mapped { campaign, variations })
            }
        };
        map.insert(id.clone(), mapped);
    }
    Ok(map)
}

fn object<'v>(value: Option<&'v Value>, place: &str) -> Result<&'v Map<String, Value>, String> {
    value.and_then(Value::as_object).ok_or_else(|| format!("{place} is not there or no object"))
}

fn text(value: Option<&Value>, place: &str) -> Result<String, String> {
    let text = value.and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("{place} is not there or no text"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    const SETTINGS: &str = include_str!("../../../../assets/demo-settings.json");

    /// The bundled settings, and this map.
    pub(in super::super) fn names(map: &Value) -> Names {
        let settings = Settings::parse(SETTINGS).expect("the bundled settings");
        Names { map: map_of(map).expect("a map"), settings: Some(settings), ..Names::default() }
    }

    fn check(names: &mut Names, known: Known, from: (&str, &str), to: Option<(&str, &str)>) {
        let found = names.find(from.0, from.1, known);
        assert_eq!(found.as_ref().map(|(campaign, variation)| (&**campaign, &**variation)), to, "{from:?}");
    }

    #[test]
    fn the_map_goes_before_the_settings() {
        let map = json!({"experiments": {
            "77": {"campaign": "checkout-button", "variations": {"1": "Green"}},
            "elsewhere": {"campaign": "not-in-the-settings", "variations": {"a": "A"}},
            "old": null,
        }});
        let mut names = names(&map);
        check(&mut names, Known::ByIds, ("77", "1"), Some(("checkout-button", "Green")));
        check(&mut names, Known::ByIds, ("77", "2"), Some(("checkout-button", "Green")));
        check(&mut names, Known::ByIds, ("231", "1"), Some(("checkout-button", "Control")));
        check(&mut names, Known::ByIds, ("elsewhere", "a"), Some(("not-in-the-settings", "A")));
        assert_eq!((names.by_map, names.by_id), (2, 2));
        check(&mut names, Known::ByIds, ("old", "1"), None);
        assert_eq!(names.left_out, 1);
        assert!(!names.has_unmapped());
        for from in [("231", "9"), ("elsewhere", "b"), ("1", "1"), ("1", "2")] {
            check(&mut names, Known::ByIds, from, None);
        }
        let unmapped: Vec<(&str, Option<&str>, u64)> =
            names.unmapped.iter().map(|((one, other), count)| (&**one, other.as_deref(), *count)).collect();
        assert_eq!(unmapped, [("1", None, 2), ("231", Some("9"), 1), ("elsewhere", Some("b"), 1)]);
    }

    #[test]
    fn names_go_before_places() {
        let mut names = names(&json!({"experiments": {}}));
        check(&mut names, Known::ByKeys, ("headline", "Question"), Some(("headline", "Question")));
        check(&mut names, Known::ByKeys, ("headline", "1"), Some(("headline", "Short")));
        check(&mut names, Known::ByKeys, ("headline", "3"), None);
        check(&mut names, Known::ByKeys, ("234", "1"), None);
        assert_eq!((names.by_name, names.by_place), (1, 1));
    }

    #[test]
    fn a_map_that_is_wrong_is_told_where() {
        let check = |map: &Value, place: &str| {
            let message = map_of(map).expect_err("it is wrong");
            assert!(message.starts_with(place), "{message}");
        };
        check(&json!([]), "$.experiments is");
        check(&json!({"experiments": {"1": {}}}), "$.experiments.1.campaign is");
        check(
            &json!({"experiments": {"1": {"campaign": "c", "variations": {"2": 3}}}}),
            "$.experiments.1.variations.2 is",
        );
    }
}
