//! What a built-in storage keeps besides: it merges, and it knows all that it holds.

mod law;
mod model;
mod race;
mod together;
mod whole;

use super::check::StorageCheck;

/// All checks, in their order.
pub(super) const CHECKS: &[&[StorageCheck]] =
    &[law::CHECKS, model::CHECKS, together::CHECKS, race::CHECKS, whole::CHECKS];
