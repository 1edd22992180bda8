//! The URL of a server: what `tokio-postgres` reads of it, and what this adds.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::options::PostgresOptions;
use super::tls::Trust;
use crate::error::{StorageError, StorageErrorKind};

const FORM: &str = "expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`, with `%40` and the like \
                    for characters of a password that have a meaning in a URL";

/// A server and a database of it.
pub(super) struct Target {
    /// One for each host, in the order of the URL.
    pub(super) configs: Vec<Config>,
    pub(super) trust: Trust,
    /// Host, port and database, for people.
    pub(super) shown: String,
}

impl Target {
    /// # Errors
    /// [`StorageErrorKind::Denied`] when it is no URL of a server, or has an option that is not known. The text does not
    /// show the URL, which holds a password.
    pub(super) fn parse(url: &str, options: &PostgresOptions) -> Result<Target, StorageError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(wrong("it begins with neither `postgres://` nor `postgresql://`"));
        }
        let (server, query) = url.split_once('?').unwrap_or((url, ""));
        // Where a password has such a character, what comes after it would be taken for the host, and be shown.
        let (credentials, _) = server.rsplit_once('@').unwrap_or(("", server));
        let (_, credentials) = credentials.split_once("://").unwrap_or_default();
        if query.contains('@') || credentials.contains(['@', '/', '#']) {
            return Err(wrong(
                "a user, password or option has a character that must be written as `%40`, `%2F`, `%3F`, `%23`",
            ));
        }
        let mut rest = Vec::new();
        let (mut mode, mut root, mut asks_system) = (None, None, false);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", given)) => mode = Some(given),
                Some(("sslrootcert", "system")) => (root, asks_system) = (None, true),
                Some(("sslrootcert", file)) => root = Some(PathBuf::from(decoded(file)?)),
                _ => rest.push(option),
            }
        }
        if asks_system && mode.is_some_and(|mode| mode != "verify-full") {
            return Err(wrong(
                "`sslrootcert=system` goes with `sslmode=verify-full`, as anybody may have a certificate",
            ));
        }
        let mode = mode.unwrap_or(if asks_system { "verify-full" } else { "prefer" });
        let read = |server: &str| {
            format!("{server}?{}", rest.join("&")).parse::<Config>().map_err(|error| {
                wrong(&std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
            })
        };
        let config = read(server)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        let (ssl_mode, trust) = trust(mode, root)?;
        let shown = shown(&config);
        let mut configs = each_host(server).iter().map(|server| read(server)).collect::<Result<Vec<_>, _>>()?;
        for config in &mut configs {
            config.ssl_mode(ssl_mode);
            if config.get_connect_timeout().is_none() {
                config.connect_timeout(options.connect_deadline);
            }
            if config.get_application_name().is_none() {
                config.application_name("steadfast");
            }
            // A replica may be behind: that it has no record says nothing.
            if !options.existing && !query.contains("target_session_attrs") {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            // Whatever the URL says comes last, and is in force.
            let given = config.get_options().unwrap_or_default().to_owned();
            config.options(format!("{} {given}", session(options.statement_deadline)).trim_end());
        }
        Ok(Target { configs, trust, shown })
    }
}

/// The URL once for each of its hosts, so that one which does not answer keeps nobody from the next.
fn each_host(server: &str) -> Vec<String> {
    let start = server.find("://").map_or(0, |scheme| scheme + 3);
    let start = server.rfind('@').map_or(start, |at| at + 1);
    let end = server[start..].find('/').map_or(server.len(), |path| start + path);
    let (before, after) = (&server[..start], &server[end..]);
    server[start..end].split(',').map(|host| format!("{before}{host}{after}")).collect()
}

/// What the server is told of a connection: how long to go on for a caller who has a deadline; that it is to go by keys
/// wherever it can, since a plan that is made while the table is small is kept while it grows; and which transactions
/// the statements are written for.
fn session(deadline: Duration) -> String {
    let milliseconds = (deadline.as_millis() * 9 / 10).max(1);
    format!(
        "-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} \
         -c idle_in_transaction_session_timeout={milliseconds} \
         -c default_transaction_isolation=read\\ committed \
         -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
    )
}

fn trust(mode: &str, root: Option<PathBuf>) -> Result<(SslMode, Trust), StorageError> {
    Ok(match (mode, root) {
        ("disable", _) => (SslMode::Disable, Trust::Anyone),
        ("prefer", _) => (SslMode::Prefer, Trust::Anyone),
        ("require", None) => (SslMode::Require, Trust::Anyone),
        // As libpq does it: whoever names an authority wants it to be asked.
        ("require", Some(root)) => (SslMode::Require, Trust::Authority(Some(root))),
        ("verify-ca", root) => (SslMode::Require, Trust::Authority(root)),
        ("verify-full", root) => (SslMode::Require, Trust::Name(root)),
        _ => {
            let modes = "`disable`, `prefer`, `require`, `verify-ca` and `verify-full`";
            return Err(wrong(&format!("`sslmode` is none of {modes}")));
        }
    })
}

fn shown(config: &Config) -> String {
    let host = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    };
    let mut hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = config.get_ports();
    let with_port = |(number, host): (usize, &String)| {
        let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    };
    let hosts: Vec<String> = hosts.iter().enumerate().map(with_port).collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

/// A value of a URL's query.
fn decoded(value: &str) -> Result<String, StorageError> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = (*byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let byte_of = |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok();
        match hex.and_then(|(hex, after)| Some((byte_of(hex)?, after))) {
            Some((decoded, after)) => {
                bytes.push(decoded);
                rest = after;
            }
            None => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong("`sslrootcert` is no text"))
}

fn wrong(why: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Denied, format!("this is not the URL of a PostgreSQL server: {why}: {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Target, String> {
        Target::parse(url, &PostgresOptions::default()).map_err(|error| error.to_string())
    }

    fn target(url: &str) -> Target {
        parsed(url).expect(url)
    }

    #[test]
    fn a_url_names_a_server() {
        let found =
            target("postgres://ada:se%40cret@db.example:6432/app?sslmode=verify-full&sslrootcert=%2Fca%20s.pem");
        assert_eq!(found.shown, "db.example:6432/app");
        assert_eq!(found.trust, Trust::Name(Some("/ca s.pem".into())));
        assert_eq!(found.configs[0].get_ssl_mode(), SslMode::Require);
        assert_eq!(found.configs[0].get_password(), Some(&b"se@cret"[..]));
        let of_two = target("postgres://ada@one,two:7000/app").configs;
        let ports: Vec<_> =
            of_two.iter().map(|config| (config.get_hosts().len(), config.get_ports().to_vec())).collect();
        assert_eq!(ports, [(1, vec![5432]), (1, vec![7000])]);
        assert_eq!(target("postgresql://ada@one,two:7000/app").shown, "one:5432,two:7000/app");
        assert_eq!(target("postgres://ada@localhost").shown, "localhost:5432/ada");
    }

    #[test]
    fn every_mode_says_who_is_trusted() {
        let trust = |query: &str| target(&format!("postgres://ada@here/app?{query}")).trust;
        assert_eq!(trust(""), Trust::Anyone);
        assert_eq!(trust("sslmode=require"), Trust::Anyone);
        assert_eq!(trust("sslmode=require&sslrootcert=ca.pem"), Trust::Authority(Some("ca.pem".into())));
        assert_eq!(trust("sslmode=verify-ca"), Trust::Authority(None));
        assert_eq!(trust("sslmode=verify-full&sslrootcert=system"), Trust::Name(None));
        assert_eq!(trust("sslrootcert=system"), Trust::Name(None));
    }

    #[test]
    fn what_the_url_says_of_a_session_comes_last() {
        let found = target("postgres://ada@here/app?options=-c%20statement_timeout%3D7&application_name=mine");
        let options = found.configs[0].get_options().expect("there are always some");
        assert!(options.starts_with("-c statement_timeout=4500 ") && options.ends_with(" -c statement_timeout=7"));
        assert_eq!(found.configs[0].get_application_name(), Some("mine"));
        let attributes =
            |query: &str| target(&format!("postgres://ada@here/app?{query}")).configs[0].get_target_session_attrs();
        assert_eq!(attributes(""), TargetSessionAttrs::ReadWrite);
        assert_eq!(attributes("target_session_attrs=any"), TargetSessionAttrs::Any);
        let timeout = |query: &str| {
            *target(&format!("postgres://ada@here/app?{query}")).configs[0].get_connect_timeout().unwrap()
        };
        assert_eq!((timeout(""), timeout("connect_timeout=1")), (Duration::from_secs(5), Duration::from_secs(1)));
    }

    #[test]
    fn a_wrong_url_is_told_why_and_its_password_is_not_shown() {
        for (wrong, why) in [
            ("mysql://ada:geheim@here/app", "it begins with neither"),
            ("postgres://ada:geheim@here/app?sslmode=maybe", "`sslmode` is none of"),
            ("postgres://ada:geheim@here/app?speed=high", "speed"),
            ("postgres://ada:geheim@here:port/app", "port"),
            ("postgres:///app?user=ada&password=geheim", "it names no host"),
            ("postgres://ada:p@geheim@here/app", "%40"),
            ("postgres://ada:p/geheim@here/app", "%2F"),
            ("postgres://ada:p?geheim@here/app?sslmode=require", "%3F"),
            ("postgres://ada:geheim@here/app?sslmode=require&sslrootcert=system", "verify-full"),
        ] {
            let message = parsed(wrong).err().expect(wrong);
            assert!(message.contains(why) && !message.contains("geheim"), "{wrong}: {message}");
        }
    }
}
