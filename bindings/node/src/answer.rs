//! What goes back over the border, as text: handing over one text costs less than building an object of several.

use std::cell::RefCell;

use serde_json::{Value, json};
use steadfast::engine::{CallError, Decision, Options};
use steadfast::line::{Answer, Line, Operation};
use steadfast::{explanation, integration};

/// The answer as JSON. Where more is to be said it is `!` and an object: the `result`, the `mistakes` as pairs of a sentence
/// and whether it is only that the settings know no such campaign, and the `decisions` that `integrations` are shown.
pub(crate) fn text(answer: &Answer, decisions: &[Value]) -> String {
    if answer.mistakes.is_empty() && decisions.is_empty() {
        return answer.result.to_string();
    }
    let mistakes: Vec<Value> =
        answer.mistakes.iter().map(|told| json!([told.sentence, told.is_unknown_campaign])).collect();
    format!("!{}", json!({ "result": answer.result, "mistakes": mistakes, "decisions": decisions }))
}

/// A decision on one campaign, to be made or explained.
pub(crate) struct Asked<'l> {
    pub(crate) campaign: &'l str,
    pub(crate) user: &'l str,
    pub(crate) options: &'l Options,
}

/// What a line that names a campaign asks for.
///
/// # Errors
/// What is wrong with it, as the answer.
pub(crate) fn asked<'l>(line: &'l Line<'_>) -> Result<Asked<'l>, String> {
    match line.operation() {
        Operation::Decide { campaign, user, options, .. } => Ok(Asked { campaign, user, options }),
        Operation::Mistaken { mistake, .. } => Err(json!({ "mistake": mistake.to_string() }).to_string()),
        _ => Err(json!({ "mistake": "this is no decision on one campaign" }).to_string()),
    }
}

/// A decision with its reasons, and what `integrations` are shown of it, as an object with `decision` or `mistake`.
pub(crate) fn explained(decided: &Result<Decision<'_>, CallError>, decisions: &[Value]) -> String {
    match decided {
        Ok(decision) => json!({ "decision": explanation::of(decision), "decisions": decisions }).to_string(),
        Err(error) => json!({ "mistake": error.to_string() }).to_string(),
    }
}

tokio::task_local! {
    /// What `integrations` are to be shown of the call that is made at this moment.
    static SHOWN: RefCell<Vec<Value>>;
}

/// The hook of a client that has `integrations`: they are called when the call is over, where JavaScript may be.
pub(crate) fn show(decision: &Decision<'_>) {
    // A decision outside of a call of this addon's, and there is none.
    let _ = SHOWN.try_with(|shown| shown.borrow_mut().push(integration::properties(decision).into()));
}

/// Makes a call; what it comes to, and what `integrations` are to be shown of it.
pub(crate) fn shown<T>(call: impl FnOnce() -> T) -> (T, Vec<Value>) {
    SHOWN.sync_scope(RefCell::default(), || (call(), SHOWN.with(RefCell::take)))
}

/// The same, for a call that is awaited.
pub(crate) async fn shown_later<F: Future>(call: F) -> (F::Output, Vec<Value>) {
    SHOWN.scope(RefCell::default(), async { (call.await, SHOWN.with(RefCell::take)) }).await
}
