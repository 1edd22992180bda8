//! A storage by its URL: `none:`, `memory:`, `embedded:PATH`, `redis://HOST` and its kin.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use steadfast::StorageConfig;
use steadfast::storage::{EmbeddedStorage, MemoryStorage, UserStorage};

use super::waiting::Waiting;
use crate::failure::{Failure, check_path};

/// What a URL may be, for people.
const ACCEPTED: &str = "expected `none:`, `memory:`, `embedded:PATH` such as `embedded:users.redb`, \
                        `redis://HOST:PORT` (also `redis+cluster://` and `redis+sentinel://`) or \
                        `postgres://USER@HOST/DATABASE`";

/// So long may a call to a server take. Nobody sees a page while they wait here, so it is long.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where decisions are kept.
#[derive(Debug, Clone)]
pub(crate) enum StorageUrl {
    /// Nowhere.
    None,
    /// In this process, empty at the start.
    Memory,
    /// In a file of this machine.
    Embedded(PathBuf),
    /// On a server.
    Server(Box<Server>),
}

/// A storage on a server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    config: StorageConfig,
    /// Where it is, for people: without the user, the password and the options.
    place: String,
    /// Whether that is all of the URL.
    is_whole: bool,
    /// A checksum of what is left out and matters to what is found there: of two storages at one place it tells which.
    rest: Option<u32>,
}

/// What a storage is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// To see what is there: nothing is made or written, and nothing need be allowed but reading.
    ToRead,
    /// To erase what is there: nothing is made.
    WhatIsThere,
    /// To keep something: a file that is not there is made.
    ToKeep,
}

impl StorageUrl {
    /// Opens it; `None` for `none:`.
    pub(crate) fn open(&self, purpose: Use) -> Result<Option<Arc<dyn UserStorage>>, Failure> {
        match self {
            StorageUrl::None => Ok(None),
            StorageUrl::Memory => Ok(Some(Arc::new(MemoryStorage::new()))),
            StorageUrl::Embedded(path) => {
                match purpose {
                    Use::ToRead | Use::WhatIsThere => refuse_missing(path)?,
                    Use::ToKeep => refuse_missing_folder(path)?,
                }
                let opened = match purpose {
                    Use::ToRead => EmbeddedStorage::open_read_only(path),
                    Use::WhatIsThere | Use::ToKeep => EmbeddedStorage::open(path),
                };
                Ok(Some(Arc::new(opened.map_err(|error| Failure::storage(&error))?)))
            }
            StorageUrl::Server(server) => {
                let mut config = server.config.clone().look_up(DEADLINE).write(DEADLINE).breaker(None);
                if purpose != Use::ToKeep {
                    config = config.existing();
                }
                let opened = config.open_blocking().map_err(|error| Failure::storage(&error))?;
                Ok(Some(Arc::new(Waiting::new(opened, server.place.clone(), DEADLINE))))
            }
        }
    }

    /// Whether its records are read in the order of user id and campaign key.
    pub(crate) fn is_sorted(&self) -> bool {
        matches!(self, StorageUrl::Memory | StorageUrl::Embedded(_))
    }

    /// Whether what is shown of it is all of it: there is no user or password that is not repeated.
    pub(crate) fn is_shown_whole(&self) -> bool {
        !matches!(self, StorageUrl::Server(server) if !server.is_whole)
    }

    /// Whether another process can go on reading through it where one has ended.
    pub(crate) fn is_read_on(&self) -> bool {
        // One Redis server lists its keys in an order that only the one who lists them can follow.
        let of_one_server = ["redis://", "rediss://", "redis+sentinel://", "rediss+sentinel://"];
        let is_one = |place: &str| of_one_server.iter().any(|scheme| place.starts_with(scheme));
        !matches!(self, StorageUrl::Server(server) if is_one(&server.place))
    }

    /// Which storage it is, without user and password, from whatever folder one looks.
    pub(crate) fn identity(&self) -> String {
        match self {
            StorageUrl::Embedded(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                StorageUrl::Embedded(path).to_string()
            }
            StorageUrl::Server(server) => match server.rest {
                None => server.place.clone(),
                Some(rest) => format!("{} ({rest:08x})", server.place),
            },
            StorageUrl::None | StorageUrl::Memory => self.to_string(),
        }
    }

    /// The file of it, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            StorageUrl::None | StorageUrl::Memory | StorageUrl::Server(..) => None,
            StorageUrl::Embedded(path) => Some(path),
        }
    }
}

/// The URL of a server without its user, password and options, among which there may be a password, too; any other text
/// as it is.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Mistyped, perhaps, and whatever follows may be a password.
        let server = ["redis", "postgres"].into_iter().find(|scheme| url.starts_with(scheme));
        return server.filter(|_| url.contains('@')).map_or_else(|| url.to_owned(), |scheme| format!("{scheme}…"));
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let hosts = place.split('/').next().unwrap_or_default();
    let has_odd_port = |host: &str| {
        let port = host.rsplit_once(':').map_or("", |(_, port)| port);
        !host.contains(']') && !port.bytes().all(|byte| byte.is_ascii_digit())
    };
    if options.contains('@') || !hosts.contains('@') && hosts.split(',').any(has_odd_port) {
        // What belongs to a password cannot be told.
        return format!("{scheme}://…");
    }
    format!("{scheme}://{}", place.rsplit_once('@').map_or(place, |(_, place)| place))
}

/// What a place leaves out of a URL and matters to what is found there. A user of PostgreSQL does: their name may be that
/// of the schema.
fn left_out(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (hosts, options) = rest.split_once('?').unwrap_or((rest, ""));
    let user = hosts.rsplit_once('@').map_or("", |(user, _)| user);
    let user = user.split(':').next().filter(|_| scheme.starts_with("postgres")).unwrap_or_default();
    let options = options.split('&').filter(|option| !option.is_empty() && !option.contains("password"));
    options.fold(user.to_owned(), |left_out, option| left_out + "&" + option)
}

/// Says that a file is not there, before opening it would make it.
pub(crate) fn refuse_missing(path: &Path) -> Result<(), Failure> {
    refuse_missing_folder(path)?;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::new(format!(
            "there is no storage file `{}`: {}; `batch`, `storage put` and `storage import` make one",
            path.display(),
            check_path(path)
        ))),
        // Whatever else is wrong with it, the storage says.
        _ => Ok(()),
    }
}

/// Says that a journal is not there, before opening it would make it.
pub(crate) fn refuse_missing_journal(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::new(format!("there is no journal `{}`: {}", path.display(), check_path(path))))
        }
        // Whatever else is wrong with it, the layer says.
        _ => Ok(()),
    }
}

/// Says that the folder of a file is not there: a storage makes its file, and no folder.
fn refuse_missing_folder(path: &Path) -> Result<(), Failure> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let missing = match fs::metadata(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            "there is no folder"
        }
        Ok(found) if !found.is_dir() => "there is a file in the place of the folder",
        _ => return Ok(()),
    };
    Err(Failure::new(format!(
        "{missing} `{}` for the storage file `{}`: {}, or create the folder",
        folder.display(),
        path.display(),
        check_path(path)
    )))
}

impl FromStr for StorageUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once(':') {
            Some(("none", "")) => Ok(StorageUrl::None),
            Some(("memory", "")) => Ok(StorageUrl::Memory),
            Some(("none" | "memory", _)) => Err(format!("nothing may follow the colon: {ACCEPTED}")),
            Some(("embedded", "")) => Err(format!("the path of the file is missing: {ACCEPTED}")),
            Some(("embedded", path)) if path.starts_with("~/") => {
                Err("a shell leaves `~` as it is after `embedded:`: write `\"embedded:$HOME/...\"`".to_owned())
            }
            Some(("embedded", path)) => Ok(StorageUrl::Embedded(path.into())),
            Some((
                "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel" | "rediss+sentinel"
                | "postgres" | "postgresql",
                _,
            )) => {
                let config = StorageConfig::from_url(url).map_err(|error| error.to_string())?;
                let place = without_password(url);
                let left_out = left_out(url);
                let rest = (!left_out.is_empty()).then(|| crc32fast::hash(left_out.as_bytes()));
                Ok(StorageUrl::Server(Box::new(Server { config, is_whole: place == url, place, rest })))
            }
            None if matches!(url, "none" | "memory" | "embedded") => Err(format!("the colon is missing: {ACCEPTED}")),
            _ => Err(ACCEPTED.to_owned()),
        }
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageUrl::None => formatter.write_str("none:"),
            StorageUrl::Memory => formatter.write_str("memory:"),
            StorageUrl::Embedded(path) => write!(formatter, "embedded:{}", path.display()),
            StorageUrl::Server(server) => formatter.write_str(&server.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password_is_left_out() {
        for (url, shown) in [
            ("redis://app:p@ss@here:6379/2", "redis://here:6379/2"),
            ("postgres://here/db?password=secret", "postgres://here/db"),
            ("postgres://here/db?password=p@ss", "postgres://…"),
            ("redis://app:p?ss@here", "redis://…"),
            ("redis:/:s3cret@here", "redis…"),
            ("postgres//app:secret@here", "postgres…"),
            ("redis://app:sec?ret", "redis://…"),
            ("redis://here:6379/2", "redis://here:6379/2"),
            ("redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2"),
            ("redis+cluster://a:7000,b", "redis+cluster://a:7000,b"),
            ("redis+sentinel://app:p@s1:26379,s2/prod", "redis+sentinel://s1:26379,s2/prod"),
            ("redis://[::1]:6379", "redis://[::1]:6379"),
            ("embedded:a@b?c.redb", "embedded:a@b?c.redb"),
            ("Ashley@example.com", "Ashley@example.com"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn a_url_names_a_storage() {
        assert!(matches!("none:".parse(), Ok(StorageUrl::None)));
        assert!(matches!("memory:".parse(), Ok(StorageUrl::Memory)));
        for path in ["users.redb", "/var/lib/a b:c.redb", "../x"] {
            let url: StorageUrl = format!("embedded:{path}").parse().expect("a URL");
            assert_eq!(url.file(), Some(Path::new(path)));
            assert_eq!(url.to_string(), format!("embedded:{path}"));
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url: StorageUrl = "rediss://app:secret@cache.example:6380/2".parse().expect("a URL");
        assert_eq!(url.to_string(), "rediss://cache.example:6380/2");
        let error = "redis+sentinel://app:secret@here".parse::<StorageUrl>().expect_err("it names no master");
        assert!(error.contains("master") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn storages_at_one_place_are_told_apart_and_passwords_do_not_matter() {
        let identity = |url: &str| url.parse::<StorageUrl>().expect("a URL").identity();
        let plain = identity("postgres://app@here/db");
        assert!(plain.starts_with("postgres://here/db (") && !plain.contains("app"), "{plain}");
        for same in ["postgres://app:secret@here/db", "postgres://app@here/db?password=secret"] {
            assert_eq!(identity(same), plain);
        }
        for other in ["postgres://other@here/db", "postgres://app@here/db?options=-csearch_path%3Dother"] {
            assert_ne!(identity(other), plain);
        }
        assert_eq!(identity("redis://here:6379"), "redis://here:6379");
        assert_eq!(identity("redis://a@here"), identity("redis://b:c@here"));
        assert_eq!(identity("redis://here"), identity("redis://default:x@here"));
    }

    #[test]
    fn a_wrong_url_is_told_what_is_accepted() {
        for wrong in ["", "none", "memory", "embedded", "embedded:", "memory:x", "http://here", "users.redb"] {
            let message = wrong.parse::<StorageUrl>().expect_err(wrong);
            assert!(message.ends_with(ACCEPTED), "{wrong}: {message}");
        }
        assert!("embedded:~/x".parse::<StorageUrl>().expect_err("no shell").contains("$HOME"));
    }
}
