//! Single rules of the official SDK as rows of data: hashes, visitor ids, ranges, segments. Each is run through the
//! engine's public interface.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use steadfast::engine::bucket::{BUCKETS, HashInput, Murmur3, Range, VisitorNamespace, allocate, bucket};
use steadfast::engine::{Policy, Settings};

use crate::failure::Failure;
use crate::play::{Player, reference_options};

/// The hash of a text, its traffic bucket and its variation bucket, the last one stretched for a share of traffic
/// (spec BKT-1 to BKT-11).
#[must_use]
pub fn hash(text: &str, percent_traffic: f64) -> (u32, i64, i64, i64) {
    let hash = Murmur3::new().hash_text(text, HashInput::default());
    let stretched = bucket(hash, BUCKETS, 10_000.0 / percent_traffic / 100.0);
    (hash, bucket(hash, 100, 1.0), bucket(hash, BUCKETS, 1.0), stretched)
}

/// The visitor id of a user (spec BKT-60).
#[must_use]
pub fn visitor(account: &Value, user: &str) -> String {
    let account = account.as_str().map_or_else(|| account.to_string(), str::to_owned);
    VisitorNamespace::of_account(&account).visitor(user).to_string()
}

/// The ranges of some variations.
#[derive(Debug)]
pub struct Ranges {
    /// Those that users are assigned by (spec SET-30).
    pub assigned: Vec<Range>,
    /// Those that choose among the variations where a user is whitelisted for all of them (spec BKT-43).
    pub whitelisted: Vec<Range>,
}

/// The ranges of variations with these weights, as settings have them; `None` for a campaign whose weights make it
/// broken.
///
/// # Errors
/// When settings with these weights cannot be compiled.
pub fn ranges(weights: &Value) -> Result<Option<Ranges>, Failure> {
    let weights = weights.as_array().map(Vec::as_slice).unwrap_or_default();
    let variations =
        (1..).zip(weights).map(|(id, weight)| json!({"id": id, "name": format!("V{id}"), "weight": weight}));
    let settings = json!({"accountId": 1, "campaigns": [{
        "id": 1, "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {}, "goals": [],
        "variations": variations.collect::<Vec<_>>(),
    }]});
    let settings = Settings::compile(&settings.to_string(), reference_options())
        .map_err(|error| Failure::new(format!("settings: {error}")))?;
    let Some(campaign) = settings.campaign("c").filter(|campaign| campaign.broken().is_none()) else { return Ok(None) };
    let weights: Vec<f64> = campaign.variations().iter().map(|variation| variation.weight()).collect();
    let total: f64 = weights.iter().sum();
    let count = f64::from(u32::try_from(weights.len()).unwrap_or(u32::MAX));
    let scaled = weights.iter().map(|weight| if total == 0.0 { 100.0 / count } else { weight / total * 100.0 });
    Ok(Some(Ranges { assigned: campaign.ranges().to_vec(), whitelisted: allocate(scaled).collect() }))
}

/// Whether a user with these variables is in a segment. Where `user` is given, the segment whitelists them for a
/// variation nobody else gets, because user lists name users only there (spec SEG-4); otherwise it is the audience.
///
/// Both texts are JSON as it stands, since the order of keys matters.
///
/// # Errors
/// When settings with this segment cannot be compiled, or the call is malformed.
pub fn in_segment(segment: &str, variables: &str, user: Option<&str>) -> Result<bool, Failure> {
    let (audience, whitelist, traffic) = match user {
        // As a whitelist the empty segment targets nobody (spec SEG-2).
        Some(_) if segment != "{}" => ("{}", segment, 0),
        _ => (segment, "{}", 100),
    };
    let settings = format!(
        r#"{{"accountId": 1, "campaigns": [{{
            "id": 1, "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": {traffic},
            "isForcedVariationEnabled": true, "segments": {audience}, "goals": [],
            "variations": [{{"id": 1, "name": "In", "weight": 100, "segments": {whitelist}}}]}}]}}"#
    );
    let player = Player::new(&settings, false, Policy::default())?;
    let user = json!(user.unwrap_or("u"));
    let request = format!(
        r#"{{"op": "getVariationName", "campaignKey": "c", "userId": {user},
            "options": {{"customVariables": {variables}, "variationTargetingVariables": {variables}}}}}"#
    );
    Ok(player.answer(&request).map_err(Failure::new)? == "In")
}

/// A row with the text of its fields as it stands.
pub type RawRow = BTreeMap<String, Box<RawValue>>;

/// Reads a row.
///
/// # Errors
/// When it is no JSON object.
pub fn raw_row(line: &str) -> Result<RawRow, Failure> {
    serde_json::from_str(line).map_err(|error| Failure::new(format!("a row: {error}")))
}

/// [`in_segment`] for a row with `dsl`, `customVariables` and perhaps `userId`.
///
/// # Errors
/// As [`in_segment`], and when the row has no `dsl`.
pub fn row_in_segment(row: &RawRow) -> Result<bool, Failure> {
    let field = |name: &str| row.get(name).map(|field| field.get());
    let user: Option<String> = field("userId").and_then(|user| serde_json::from_str(user).ok());
    let segment = field("dsl").ok_or_else(|| Failure::new("a row has no `dsl`"))?;
    in_segment(segment, field("customVariables").unwrap_or("{}"), user.as_deref())
}
