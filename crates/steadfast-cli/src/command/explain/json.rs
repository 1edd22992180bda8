//! The explanation as an object: [`steadfast::explanation`], and what the command says of it beside.

use serde_json::{Map, Value};
use steadfast::explanation;

use super::stage::tell;
use super::{Explained, next, outcome, report};

/// The explanation as one object.
pub(super) fn report(explained: &Explained<'_>) -> Value {
    let Some(decision) = explained.outcome.decision() else { return Value::Null };
    let mut object: Map<String, Value> = explanation::of(decision);
    object.insert("sentence".to_owned(), outcome::sentence(decision).into());
    let stages = decision.trace().map_or(&[][..], |trace| &trace.stages);
    for (stage, shown) in
        stages.iter().zip(object.get_mut("stages").and_then(Value::as_array_mut).into_iter().flatten())
    {
        let told = tell(stage, decision, explained.knows_user);
        shown["outcome"] = told.mark.as_str().into();
        shown["sentence"] = told.title.into();
    }
    object.insert("effects".to_owned(), next::steps(&explained.outcome).into_iter().map(|step| step.json).collect());
    object.insert("warnings".to_owned(), report::warnings(explained, decision).into());
    object.into()
}
