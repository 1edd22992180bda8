//! Storages as the command line names them: [`url`] opens one, [`records`] reads through it, and
//! [`waiting`] says when a server lets people wait.

pub(crate) mod records;
pub(crate) mod url;
mod waiting;

pub(crate) use url::{StorageUrl, Use};
