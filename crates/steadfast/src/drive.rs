//! What drivers have in common: everything but waiting.

use steadfast_engine::{Effect, Question, StoredKey};
use steadfast_storage::Claim;

/// The campaigns of a question, whose user is the same in all keys.
pub(crate) fn look_up<Q: Question>(need: &Q) -> (&str, Vec<&str>) {
    let mut user = "";
    let campaigns = need
        .keys()
        .map(|key: StoredKey<'_>| {
            user = key.user;
            key.campaign
        })
        .collect();
    (user, campaigns)
}

/// The claim behind an effect, if it is one for the storage.
pub(crate) fn claim(effect: &Effect<'_, '_>) -> Option<Claim> {
    match effect {
        Effect::Store(write) => Some(Claim::from(write)),
        Effect::Send(_) | Effect::Notify(_) => None,
    }
}
