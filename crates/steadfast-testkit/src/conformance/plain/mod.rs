//! What every storage keeps, with `get` and `set` alone.

mod apart;
mod fields;
mod many;
mod writers;

use super::check::StorageCheck;

/// All checks, in their order.
pub(super) const CHECKS: &[&[StorageCheck]] = &[fields::CHECKS, apart::CHECKS, many::CHECKS, writers::CHECKS];
