//! What a built-in storage keeps besides: it merges, and it knows all that it holds.

mod law;
mod model;
mod race;
mod together;
mod whole;

use super::check::StorageCheck;

/// The checks of merging, in their order.
pub(super) const MERGING: &[&[StorageCheck]] = &[law::CHECKS, model::CHECKS, together::CHECKS, race::CHECKS];

/// The checks of all that it holds.
pub(super) const WHOLE: &[&[StorageCheck]] = &[whole::CHECKS];
