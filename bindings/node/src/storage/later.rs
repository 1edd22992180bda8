//! Functions that answer with promises, called from wherever the client's calls go on.

use napi::Status;
use napi::bindgen_prelude::{FnArgs, Function, Promise, Result};
use napi::threadsafe_function::ThreadsafeFunction;
use steadfast::engine::Record;
use steadfast::storage::{AsyncUserStorage, StorageError};

use super::{failed, found, kept};

type Asked<Arguments> = ThreadsafeFunction<Arguments, Promise<String>, Arguments, Status, false, true>;

/// `get` and `set`. They do not keep the process from ending.
pub(crate) struct Later {
    get: Asked<FnArgs<(String, String)>>,
    set: Asked<FnArgs<(String,)>>,
}

impl Later {
    pub(crate) fn over(
        get: Function<FnArgs<(String, String)>, Promise<String>>,
        set: Function<FnArgs<(String,)>, Promise<String>>,
    ) -> Result<Later> {
        Ok(Later {
            get: get.build_threadsafe_function().weak::<true>().build()?,
            set: set.build_threadsafe_function().weak::<true>().build()?,
        })
    }
}

impl AsyncUserStorage for Later {
    async fn get(&self, user: &str, campaign: &str) -> std::result::Result<Option<Record>, StorageError> {
        let key = (user.to_owned(), campaign.to_owned());
        let promise = self.get.call_async(key.into()).await.map_err(failed)?;
        found(user, campaign, &promise.await.map_err(failed)?)
    }

    async fn set(&self, record: Record) -> std::result::Result<(), StorageError> {
        let promise = self.set.call_async((record.to_json().to_string(),).into()).await.map_err(failed)?;
        kept(&promise.await.map_err(failed)?)
    }
}
