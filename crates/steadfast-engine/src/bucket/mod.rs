//! Bucketing: the same user, the same number, everywhere and for ever.
//!
//! 1. [`murmur`](Murmur3): the text is hashed.
//! 2. [`bucketer`](Bucketer): the hash becomes a number from 1 to 100 (is the user let in?) and one from 1 to 10,000
//!    (which variation?). What is hashed depends on the account's [generation](Generation).
//! 3. [`range`](Range): weights have become ranges of the second number.
//! 4. [`visitor`](VisitorNamespace): the id under which the collector knows the user; never used for bucketing.
//!
//! Rules: spec BKT-1 to BKT-63 and SET-30 to SET-36.

mod bucketer;
mod murmur;
mod range;
mod visitor;

pub use bucketer::{Admission, Bucketer, Generation, Mode, bucket};
pub use murmur::{HashInput, Murmur3};
pub use range::{BUCKETS, Range, allocate};
pub use visitor::{VisitorId, VisitorNamespace};
