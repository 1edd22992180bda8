//! Borrowed while it can be, shared where a step must live longer.

use std::ops::Deref;
use std::sync::Arc;

/// What a step works on: borrowed by a driver that stays on the stack, shared by one that hands the step on.
///
/// A decision that asks nothing only borrows, so no counter that threads share is touched. A driver whose steps
/// outlive the call (a callback, a queue) starts with [`Shared::Arc`] everywhere and gets a `Step` of `'static`.
#[derive(Debug)]
pub enum Shared<'a, T: ?Sized> {
    /// The caller keeps it alive.
    Borrowed(&'a T),
    /// The step keeps it alive.
    Arc(Arc<T>),
}

impl<T: ?Sized> Deref for Shared<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Shared::Borrowed(value) => value,
            Shared::Arc(value) => value,
        }
    }
}

impl<T: ?Sized> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Shared::Borrowed(value) => Shared::Borrowed(value),
            Shared::Arc(value) => Shared::Arc(Arc::clone(value)),
        }
    }
}

impl<'a, T: ?Sized> From<&'a T> for Shared<'a, T> {
    fn from(value: &'a T) -> Self {
        Shared::Borrowed(value)
    }
}

impl<T: ?Sized> From<Arc<T>> for Shared<'_, T> {
    fn from(value: Arc<T>) -> Self {
        Shared::Arc(value)
    }
}
