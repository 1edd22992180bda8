//! Segments: which users a campaign is for, and which users are put into a variation by hand.
//!
//! A segment is a small JSON tree in the settings file. `campaign.segments` decides who may be assigned at all
//! (spec SEG-1); `variation.segments` names those who get that variation whatever the bucketing says (spec SEG-2).
//!
//! ```text
//! segment := {}  |  node                        {} = no condition: everyone
//! node    := { "not": node }
//!          | { "and": [node…] }  |  { "or": [node…] }
//!          | { "custom_variable": { NAME: operand } }
//!          | { "user": "id1,id2,…" }
//! operand := "lower(V)" | "wildcard(V)" | "regex(V)" | "gt(N)" | "gte(N)" | "lt(N)" | "lte(N)"
//!          | any other value                    equality
//! ```
//!
//! The tree is read once, when the settings are compiled, and what looks unintended is reported as a warning; a
//! decision then walks an expression and allocates nothing in the usual cases. In reading order:
//!
//! 1. [`parse`]: JSON to expression, with the reference's view of malformed trees (spec SEG-10 to SEG-16);
//! 2. [`expr`]: the expression, whose variables it sees, and its value;
//! 3. [`operand`] and [`function`]: one condition on one variable (spec SEG-20 to SEG-33), [`users`]: a list of ids
//!    (spec SEG-40);
//! 4. [`value`] and [`number`]: a variable's text and number as JavaScript has them (spec SEG-21, SEG-25, SEG-26);
//! 5. [`pattern`]: ECMAScript regular expressions;
//! 6. [`doubt`]: warnings about operands that do something else than they seem to say;
//! 7. [`explain`]: the outcome of every condition, for a person who asks why.
//!
//! The rules are those of the reference SDK (vwo-node-sdk 1.73.0), odd ones included: a better answer to "is `1.2.3`
//! the same as `1.2.9`" would still be another answer. [`SegmentNumbers::Strict`] gives the better answers.

mod doubt;
mod explain;
mod expr;
mod function;
pub(crate) mod number;
mod operand;
mod parse;
pub mod pattern;
mod users;
mod value;

pub use explain::{Actual, ConditionOutcome};
pub(crate) use expr::{Segment, Subject};

/// How segments read numbers, and what one malformed condition does to its segment (spec D-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SegmentNumbers {
    /// As vwo-node-sdk, so that the two agree on every user.
    ///
    /// Where a variable and an operand both *start* with a number other than zero, only these numbers are compared:
    /// `123` equals `123abc`, `1.2.3` equals `1.2.9`, and `2021-01-05` equals `2021-12-31`. This holds for regular
    /// expressions and wildcards too: `regex(123.*)` becomes `regex(123)`. Zero is compared as text, so `0` is not
    /// `0.0`. Bounds have no sign, exponent or blank, so `gt(-5)` is a plain text. One malformed condition makes the
    /// whole segment false.
    #[default]
    Reference,
    /// The reading most people expect.
    ///
    /// Only a text that is a number from end to end (blanks around it aside) counts as one, and zero is a number.
    /// Everything else is compared as text. Regular expressions and wildcards see texts only. `gt`, `gte`, `lt` and
    /// `lte` take bounds with sign, exponent and blanks: `gt( -5 )`, `lt(1e3)`. A malformed condition is false where
    /// it stands, and the others still count; a `not` around it is true, as with an unknown operator.
    Strict,
}
