//! What goes over the border, as text: handing over one text costs less than an object of several.
//!
//! A call is a line of the line format; or, where it has texts and options alone, those in a row ([`line`]). What goes back is
//! JSON, or a text as it is ([`text`]).

use std::cell::RefCell;

use napi::bindgen_prelude::FromNapiValue;
use napi::sys;
use serde_json::{Value, json};
use steadfast::engine::{CallError, Decision, Options};
use steadfast::line::{Answer, Line, Operation};
use steadfast::{explanation, integration};

use crate::refused;

/// A text from JavaScript. Most are read in one go: asking for the length first takes as long as the reading.
pub struct Text(pub(crate) String);

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Text> {
        const ROOM: usize = 512;
        let (mut bytes, mut length) = (Vec::<u8>::with_capacity(ROOM), 0);
        // SAFETY: there is room for as many bytes as are announced.
        let status =
            unsafe { sys::napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), ROOM, &raw mut length) };
        // What has filled it, but for an end and a character, may go on.
        if status != sys::Status::napi_ok || length + 5 > ROOM {
            // SAFETY: the value is what this was given.
            return unsafe { String::from_napi_value(env, value) }.map(Text);
        }
        // SAFETY: so many were written.
        unsafe { bytes.set_len(length) };
        String::from_utf8(bytes).map(Text).map_err(refused)
    }
}

/// Stands between the texts of a call, none of which has it inside.
const BETWEEN: char = '\0';

/// Reads a call. What begins with a brace is JSON; anything else is its operation, campaign, user, goal or variable, and options,
/// each of which may be empty: not given.
///
/// # Errors
/// When it is none.
pub(crate) fn line(call: &str) -> napi::Result<Line<'_>> {
    if call.starts_with('{') {
        return Line::parse(call).map_err(refused);
    }
    let mut parts = call.splitn(5, BETWEEN);
    let mut part = || parts.next().unwrap_or_default();
    let (op, campaign, user, third, options) = (part(), part(), part(), part(), part());
    let third = (if op == "track" { "goalIdentifier" } else { "variableKey" }, third);
    let texts = [("campaignKey", campaign), ("userId", user), third];
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let options = Some(options).filter(|options| !options.is_empty());
    Line::of(op, given, options).map_err(|error| refused(format!("`options` cannot be read: {error}")))
}

/// The answer: a text behind a `=`, anything else as JSON. Where more is to be said it is `!` and an object: the `result`, the
/// `mistakes` as pairs of a sentence and whether it is only that the settings know no such campaign, and the `decisions` that
/// `integrations` are shown.
pub(crate) fn text(answer: &Answer, decisions: &[Value]) -> String {
    if answer.mistakes.is_empty() && decisions.is_empty() {
        return match &answer.result {
            Value::String(text) => format!("={text}"),
            result => result.to_string(),
        };
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
