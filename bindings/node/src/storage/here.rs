//! Functions that are called in the middle of a call, on the thread that it came in on: no other may call JavaScript.

use std::cell::RefCell;
use std::rc::Rc;

use napi::bindgen_prelude::{Env, FnArgs, FunctionRef};
use steadfast::engine::Record;
use steadfast::storage::merge::merge;
use steadfast::storage::{Claim, Condition, Merged, StorageError, UserStorage, Writes};

use crate::border::Text;

use super::{failed, found, kept};

/// `get` and `set`.
pub(crate) struct Functions {
    pub(crate) get: FunctionRef<FnArgs<(String, String, bool)>, Text>,
    pub(crate) set: FunctionRef<String, String>,
}

thread_local! {
    /// The functions of the client that is called at this moment.
    static CALLED: RefCell<Option<(Env, Rc<Functions>)>> = const { RefCell::new(None) };
}

/// As long as a call goes on its functions can be called.
pub(crate) struct Called(Option<(Env, Rc<Functions>)>);

impl Called {
    /// A call of a client with these functions.
    pub(crate) fn with(env: Env, functions: Option<Rc<Functions>>) -> Called {
        Called(CALLED.replace(functions.map(|functions| (env, functions))))
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        CALLED.set(self.0.take());
    }
}

/// The storage: whichever functions are to be called.
pub(crate) struct Here;

fn with<T>(call: impl FnOnce(&Env, &Functions) -> napi::Result<T>) -> Result<T, StorageError> {
    let called = CALLED.with_borrow(Clone::clone);
    let (env, functions) = called.ok_or_else(|| failed("`get` and `set` are called by calls alone"))?;
    call(&env, &functions).map_err(failed)
}

/// Asks `get`; it may tell of a promise what is to be told where something is written.
fn look(user: &str, campaign: &str, is_write: bool) -> Result<String, StorageError> {
    let key = (user.to_owned(), campaign.to_owned(), is_write);
    with(|env, functions| Ok(functions.get.borrow_back(env)?.call(key.into())?.0))
}

impl UserStorage for Here {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        found(user, campaign, &look(user, campaign, false)?)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let record = record.to_json().to_string();
        kept(&with(|env, functions| functions.set.borrow_back(env)?.call(record))?)
    }

    /// A `get` that returns a promise cannot be looked at before a write: then the data counts that the caller has fetched from
    /// it. What was decided without any is not written.
    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let stored = if claim.was_read {
            None
        } else {
            let Record { user_id, campaign_key, .. } = &claim.record;
            match &*look(user_id, campaign_key, true)? {
                PROMISE if claim.condition != Condition::Unknown => None,
                PROMISE => return Err(failed("`get` returns a promise, and nothing is known of what is stored")),
                answer => Some(found(user_id, campaign_key, answer)?),
            }
        };
        let Some(stored) = stored else { return AsRead.merge(Claim { was_read: true, ..claim }) };
        let merged = merge(stored.as_ref(), &claim);
        if stored.as_ref() != Some(&merged.record) {
            self.set(merged.record.clone())?;
        }
        Ok(merged)
    }

    fn writes(&self) -> Writes {
        // A queue's threads could not call them; and a `set` that returns may have begun to write, and no more: the
        // document's own does.
        Writes::Begun
    }
}

/// What `get` answers before a write, where it returns a promise.
const PROMISE: &str = "?";

/// The same storage, for claims that need no look.
struct AsRead;

impl UserStorage for AsRead {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        Here.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        Here.set(record)
    }
}
