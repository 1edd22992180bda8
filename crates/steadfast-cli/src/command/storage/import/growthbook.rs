//! Documents of sticky buckets of GrowthBook, as its SDKs give them to `saveAssignments` of a sticky bucket service.
//!
//! ```json
//! {"attributeName":"id","attributeValue":"Ashley","assignments":{"EXPERIMENT_KEY__BUCKET_VERSION":"VARIATION_KEY"}}
//! ```
//!
//! Of several bucket versions of an experiment the highest counts: a version is raised to bucket everybody anew. Where an
//! experiment gives its variations no keys, the key is the variation's place, from 0.

use std::collections::HashMap;

use steadfast::engine::Record;
use steadfast::engine::settings::wire::Json;

use super::names::{Known, Names};
use crate::command::storage::lines::not_json;

/// What stands between an experiment's key and the bucket version.
const BEFORE_VERSION: &str = "__";

/// The records of a document; what is wrong with it otherwise. A document of another attribute has none.
pub(super) fn read(text: &str, attribute: &str, names: &mut Names) -> Result<Vec<Record>, String> {
    let document = Json::parse(text).map_err(|error| not_json(&error))?;
    let field = |name: &str| {
        let text = document.get(name).and_then(Json::as_text).filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("has no `{name}`, expected a text"))
    };
    let (name, user) = (field("attributeName")?, field("attributeValue")?);
    let Some(Json::Object(assignments)) = document.get("assignments") else {
        return Err("has no `assignments`, expected an object".to_owned());
    };
    // In the order of the document; the place of each experiment, by its key.
    let mut newest: Vec<(&str, u64, &str)> = Vec::with_capacity(assignments.len());
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut outdated = 0;
    for (key, variation) in assignments {
        let parts = key.rsplit_once(BEFORE_VERSION);
        let parts = parts.and_then(|(experiment, version)| Some((experiment, version.parse::<u64>().ok()?)));
        let (experiment, version) = parts.ok_or_else(|| {
            format!("has the assignment `{key}`, expected the key of an experiment, `__` and a bucket version")
        })?;
        let Some(variation) = variation.as_text().filter(|variation| !variation.is_empty()) else {
            return Err(format!("has no variation for `{key}`, expected a text"));
        };
        match places.get(experiment) {
            None => {
                places.insert(experiment, newest.len());
                newest.push((experiment, version, variation));
            }
            Some(place) => {
                outdated += 1;
                if newest[*place].1 <= version {
                    newest[*place] = (experiment, version, variation);
                }
            }
        }
    }
    if name != attribute {
        *names.other_attributes.entry(name.to_owned()).or_default() += 1;
        return Ok(Vec::new());
    }
    names.outdated += outdated;
    let found = newest.into_iter().filter_map(|(experiment, _, variation)| {
        let (campaign, variation) = names.find(experiment, variation, Known::ByKeys)?;
        Some(Record::new(user, campaign, variation))
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::super::names::tests::names;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_highest_bucket_version_counts() {
        let map = json!({"experiments": {"front__page": {"campaign": "banner", "variations": {"b": "Beach"}}}});
        let mut names = names(&map);
        let document = r#"{"attributeName":"id","attributeValue":"Ashley","assignments":{
            "headline__9":"Control","headline__10":"2","headline__0":"Short","front__page__1":"b",
            "checkout-button__0":"Green"}}"#;
        let records = [
            Record::new("Ashley", "headline", "Question"),
            Record::new("Ashley", "banner", "Beach"),
            Record::new("Ashley", "checkout-button", "Green"),
        ];
        assert_eq!(read(document, "id", &mut names), Ok(records.to_vec()));
        assert_eq!((names.by_map, names.by_name, names.by_place, names.outdated), (1, 1, 1, 2));
    }

    #[test]
    fn documents_of_other_attributes_are_passed_over() {
        let mut names = names(&json!({"experiments": {}}));
        let document =
            r#"{"attributeName":"deviceId","attributeValue":"d-1","assignments":{"checkout-button__0":"Green"}}"#;
        assert_eq!(read(document, "id", &mut names), Ok(Vec::new()));
        assert_eq!(names.other_attributes["deviceId"], 1);
        assert_eq!(read(document, "deviceId", &mut names).map(|records| records.len()), Ok(1));
    }

    #[test]
    fn of_a_malformed_document_nothing_is_taken() {
        let mut names = names(&json!({"experiments": {}}));
        for document in [
            r#"{"attributeValue":"Ashley","assignments":{}}"#,
            r#"{"attributeName":"id","assignments":{}}"#,
            r#"{"attributeName":"id","attributeValue":"Ashley"}"#,
            r#"{"attributeName":"id","attributeValue":"Ashley","assignments":{"headline":"Short"}}"#,
            r#"{"attributeName":"id","attributeValue":"Ashley","assignments":{"headline__x":"Short"}}"#,
            r#"{"attributeName":"id","attributeValue":"Ashley","assignments":{"headline__0":1}}"#,
        ] {
            assert!(read(document, "id", &mut names).is_err(), "{document}");
        }
        assert_eq!(names.by_name, 0);
    }
}
