//! User profiles of Optimizely, as its SDKs give them to `save` of a user profile service.
//!
//! ```json
//! {"user_id":"Ashley","experiment_bucket_map":{"EXPERIMENT_ID":{"variation_id":"VARIATION_ID"}}}
//! ```
//!
//! Ids are texts; numbers are read as well. Other fields are left out.

use steadfast::engine::Record;
use steadfast::engine::settings::wire::Json;

use super::names::{Known, Names};
use crate::command::storage::lines::not_json;

/// The records of a profile; what is wrong with it otherwise.
pub(super) fn read(text: &str, names: &mut Names) -> Result<Vec<Record>, String> {
    let profile = Json::parse(text).map_err(|error| not_json(&error))?;
    let user = profile.get("user_id").and_then(Json::as_text).filter(|user| !user.is_empty());
    let user = user.ok_or("has no `user_id`, expected a text")?;
    let Some(Json::Object(experiments)) = profile.get("experiment_bucket_map") else {
        return Err("has no `experiment_bucket_map`, expected an object".to_owned());
    };
    let mut assignments = Vec::with_capacity(experiments.len());
    for (experiment, bucket) in experiments {
        let variation = match bucket.get("variation_id") {
            Some(Json::Text(id)) if !id.is_empty() => id.to_string(),
            Some(number @ Json::Number(_)) => number.to_value().to_string(),
            _ => return Err(format!("has no `variation_id` for experiment `{experiment}`, expected a text")),
        };
        assignments.push((experiment, variation));
    }
    let found = assignments.into_iter().filter_map(|(experiment, variation)| {
        let (campaign, variation) = names.find(experiment, &variation, Known::ByIds)?;
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
    fn a_profile_is_a_record_for_each_experiment() {
        let mut names = names(&json!({"experiments": {}}));
        let profile = r#"{"user_id":"Ashley","experiment_bucket_map":{
            "231":{"variation_id":"2"},"234":{"variation_id":3},"9":{"variation_id":"1"}}}"#;
        let records =
            [Record::new("Ashley", "checkout-button", "Green"), Record::new("Ashley", "headline", "Question")];
        assert_eq!(read(profile, &mut names), Ok(records.to_vec()));
        assert!(names.has_unmapped());
        assert_eq!(read(r#"{"user_id":"Ashley","experiment_bucket_map":{}}"#, &mut names), Ok(Vec::new()));
    }

    #[test]
    fn of_a_malformed_profile_nothing_is_taken() {
        let mut names = names(&json!({"experiments": {}}));
        for profile in [
            r#"{"experiment_bucket_map":{}}"#,
            r#"{"user_id":7,"experiment_bucket_map":{}}"#,
            r#"{"user_id":"Ashley"}"#,
            r#"{"user_id":"Ashley","experiment_bucket_map":{"231":{"variation_id":"2"},"234":{}}}"#,
        ] {
            assert!(read(profile, &mut names).is_err(), "{profile}");
        }
        assert_eq!(names.by_id, 0);
    }
}
