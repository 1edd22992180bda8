//! What a client is made of, from its launch until it is released.

use std::cell::RefCell;

use napi::bindgen_prelude::{Env, PromiseRaw, Result, spawn_blocking};

use crate::refused;

/// There until it is taken.
pub(crate) struct Open<T>(RefCell<Option<T>>);

impl<T> Open<T> {
    pub(crate) fn new(opened: T) -> Open<T> {
        Open(RefCell::new(Some(opened)))
    }

    /// What there is, or a part of it. It must not call JavaScript, which may release the client.
    ///
    /// # Errors
    /// When it was released.
    pub(crate) fn get<P>(&self, part: impl FnOnce(&T) -> P) -> Result<P> {
        self.0.borrow().as_ref().map(part).ok_or_else(|| refused("the client is closed"))
    }
}

impl<T: Send + 'static> Open<T> {
    /// Lets go of it on a thread that may wait: a file is closed by then, and free for others, unless a call is under way.
    pub(crate) fn release<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        let taken = self.0.take();
        env.spawn_future(async move { spawn_blocking(|| drop(taken)).await.map_err(refused) })
    }
}
