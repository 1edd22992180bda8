//! Keys of a line that have no effect: most often a slip in a name, or an option outside of `options`.

use steadfast_engine::settings::wire::Json;

/// The keys of a line, of all operations.
const KEYS: [&str; 10] = [
    "op",
    "campaignKey",
    "userId",
    "options",
    "goalIdentifier",
    "variableKey",
    "tagKey",
    "tagValue",
    "customDimensionMap",
    "record",
];

/// The keys of `options`, of all operations.
const OPTIONS: [&str; 10] = [
    "customVariables",
    "variationTargetingVariables",
    "userStorageData",
    "metaData",
    "revenueValue",
    "eventProperties",
    "goalTypeToTrack",
    "shouldTrackReturningUser",
    "userAgent",
    "userIpAddress",
];

/// What is to be said of the keys of a line.
pub(super) fn warnings(line: &Json<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = keys(line)
        .filter(|key| !KEYS.contains(key))
        .map(|key| {
            if OPTIONS.contains(&key) {
                format!("`{key}` has no effect here: put it into `options`")
            } else {
                format!("`{key}` is not a key that is known here: it has no effect")
            }
        })
        .collect();
    let options = line.get("options").into_iter().flat_map(keys);
    let unknown = options.filter(|key| !OPTIONS.contains(key));
    warnings
        .extend(unknown.map(|key| format!("`options.{key}` is not an option that is known here: it has no effect")));
    warnings
}

fn keys<'j>(json: &'j Json<'_>) -> impl Iterator<Item = &'j str> {
    let entries = if let Json::Object(entries) = json { entries.as_slice() } else { &[] };
    entries.iter().map(|(key, _)| &**key)
}
