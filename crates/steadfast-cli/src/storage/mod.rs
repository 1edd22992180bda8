//! Storages as the command line names them: [`url`] opens one, [`records`] reads through it.

pub(crate) mod records;
pub(crate) mod url;

pub(crate) use url::{StorageUrl, Use};
