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
    /// The step keeps it alive, and counts apart from other threads.
    Apart(Arc<Apart<T>>),
}

/// A handle with a counter of its own, on a cache line of its own. Threads that each share one of these share what is in
/// it and yet never write to the same place.
#[derive(Debug)]
#[repr(align(128))]
pub struct Apart<T: ?Sized>(Arc<T>);

impl<T: ?Sized> Apart<T> {
    /// A handle of that many for one value.
    pub fn new(value: Arc<T>) -> Self {
        Apart(value)
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T: ?Sized> Deref for Shared<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Shared::Borrowed(value) => value,
            Shared::Arc(value) => value,
            Shared::Apart(value) => &value.0,
        }
    }
}

impl<T: ?Sized> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Shared::Borrowed(value) => Shared::Borrowed(value),
            Shared::Arc(value) => Shared::Arc(Arc::clone(value)),
            Shared::Apart(value) => Shared::Apart(Arc::clone(value)),
        }
    }
}

impl<'a, T: ?Sized> From<&'a T> for Shared<'a, T> {
    fn from(value: &'a T) -> Self {
        Shared::Borrowed(value)
    }
}

impl<T: ?Sized> From<Arc<Apart<T>>> for Shared<'_, T> {
    fn from(value: Arc<Apart<T>>) -> Self {
        Shared::Apart(value)
    }
}

impl<T: ?Sized> From<Arc<T>> for Shared<'_, T> {
    fn from(value: Arc<T>) -> Self {
        Shared::Arc(value)
    }
}
