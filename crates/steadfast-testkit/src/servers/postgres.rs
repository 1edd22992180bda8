//! PostgreSQL: one server, with a database for each who asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{PATIENCE, Process, folder, free_port, program};

/// The one user of a server, and their password.
const USER: &str = "ada";
const PASSWORD: &str = "an open secret";

/// A PostgreSQL server. Its user comes in with a password.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    tools: PathBuf,
    databases: AtomicUsize,
}

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot be had or started.
    #[must_use]
    pub fn start() -> Postgres {
        Postgres::start_with(&[])
    }

    /// Starts one with further settings, such as `["max_connections=8"]`.
    ///
    /// # Panics
    /// When it cannot be had or started.
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Postgres {
        Postgres::start_in(folder(), settings)
    }

    /// Starts one that speaks TLS to those who ask, with a certificate for `localhost` that only its own
    /// [`root_certificate`](Self::root_certificate) vouches for.
    ///
    /// # Panics
    /// When it cannot be had or started, or no certificate can be made with `openssl`.
    #[must_use]
    pub fn start_with_tls() -> Postgres {
        let folder = folder();
        let path = |file: &str| folder.path().join(file).display().to_string();
        let (key, certificate) = (path("key.pem"), path("certificate.pem"));
        let made = Command::new(program("openssl", "openssl"))
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &key, "-out", &certificate])
            .output();
        assert!(made.is_ok_and(|made| made.status.success()), "openssl cannot make a certificate");
        let (key, certificate) = (format!("ssl_key_file={key}"), format!("ssl_cert_file={certificate}"));
        Postgres::start_in(folder, &["ssl=on", &key, &certificate])
    }

    fn start_in(folder: TempDir, settings: &[&str]) -> Postgres {
        let initdb = program("initdb", "postgresql");
        let initdb = fs::canonicalize(&initdb).unwrap_or(initdb);
        let tools = initdb.parent().expect("a program is in a folder").to_owned();
        let (data, secret) = (folder.path().join("data"), folder.path().join("password"));
        fs::write(&secret, PASSWORD).expect("a file can be written");
        give_to_server(folder.path());
        let (program, before) = as_server(&initdb);
        let made = Command::new(program)
            .args(before)
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER])
            .arg(format!("--pwfile={}", secret.display()))
            .arg(format!("--pgdata={}", data.display()))
            .current_dir(folder.path())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        Postgres::serve(folder, tools, settings)
    }

    /// Starts a replica of this server, which only reads, as replicas do.
    ///
    /// # Panics
    /// When it cannot be copied or started.
    #[must_use]
    pub fn start_replica(&self) -> Postgres {
        let folder = folder();
        give_to_server(folder.path());
        let (program, before) = as_server(&self.tools.join("pg_basebackup"));
        let copied = Command::new(program)
            .args(before)
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream"])
            .arg(format!("--pgdata={}", folder.path().join("data").display()))
            .arg(format!("--dbname={}", self.url("postgres")))
            .current_dir(folder.path())
            .output()
            .expect("pg_basebackup runs");
        assert!(copied.status.success(), "pg_basebackup failed: {}", String::from_utf8_lossy(&copied.stderr));
        Postgres::serve(folder, self.tools.clone(), &[])
    }

    /// Starts the server of a folder with data.
    fn serve(folder: TempDir, tools: PathBuf, settings: &[&str]) -> Postgres {
        let data = folder.path().join("data");
        let port = free_port();
        let (program, mut arguments) = as_server(&tools.join("postgres"));
        let common = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
        arguments.extend(["-D".to_owned(), data.display().to_string(), "-p".to_owned(), port.to_string()]);
        arguments.extend(common.iter().chain(settings).flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        let process = Process::start(program, arguments, port, folder);
        let server = Postgres { process, tools, databases: AtomicUsize::new(0) };
        server.wait_until_ready();
        server
    }

    /// The URL of a new database of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("db{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let _ = self.ask("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        self.url(&name)
    }

    /// The URL of a database with this name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://{USER}:{password}@localhost:{}/{database}", self.port())
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// The file of the certificate that its own is to be trusted by, where it was [started with
    /// TLS](Self::start_with_tls).
    #[must_use]
    pub fn root_certificate(&self) -> PathBuf {
        self.process.folder().join("certificate.pem")
    }

    /// What `psql` prints of the answers to statements, over a URL or the name of a database.
    ///
    /// # Panics
    /// When one fails.
    #[must_use]
    pub fn ask(&self, database: &str, statements: &str) -> String {
        let url = if database.contains(':') { database.to_owned() } else { self.url(database) };
        let output = self.psql(&url, statements);
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn psql(&self, url: &str, statements: &str) -> std::process::Output {
        Command::new(self.tools.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .args(["--command", statements, url])
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
            .expect("psql runs")
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        // It listens before it lets anybody in.
        while !self.psql(&self.url("postgres"), "SELECT 1").status.success() {
            assert!(start.elapsed() < PATIENCE, "PostgreSQL is not ready within a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it where it stands (`SIGSTOP`), each of its processes: it keeps its connections and says nothing.
    pub fn stop(&self) {
        self.process.stop();
        self.signal_children("STOP");
    }

    /// Lets it go on (`SIGCONT`).
    pub fn go_on(&self) {
        self.process.go_on();
        self.signal_children("CONT");
    }

    /// Ends it at once (`SIGKILL`), each of its processes.
    ///
    /// # Panics
    /// When one of them is still there after a minute.
    pub fn kill(&mut self) {
        let children = self.children();
        self.process.kill();
        signal("KILL", &children);
        let start = Instant::now();
        // Whoever is left would keep the files from the next one.
        while children.iter().any(|child| is_alive(child)) {
            assert!(start.elapsed() < PATIENCE, "PostgreSQL is still there a minute after it was killed");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again after it was [killed](Self::kill), on the same port and files; waits until it lets people in.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn restart(&mut self) {
        self.kill();
        self.process.restart();
        self.wait_until_ready();
    }

    fn signal_children(&self, name: &str) {
        signal(name, &self.children());
    }

    /// The ids of its processes but the first: one for each connection, and some for itself.
    fn children(&self) -> Vec<String> {
        let Some(id) = self.process.id() else { return Vec::new() };
        let output = Command::new("ps").args(["-o", "pid=", "--ppid", &id.to_string()]).output();
        let output = output.expect("ps runs: install procps where it is missing");
        String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let children = self.children();
        self.process.kill();
        signal("KILL", &children);
    }
}

fn signal(name: &str, processes: &[String]) {
    if !processes.is_empty() {
        // Some may have ended by themselves.
        let _ =
            Command::new("kill").arg(format!("-{name}")).args(processes).stderr(std::process::Stdio::null()).status();
    }
}

/// Whether there is such a process, which is more than a dead one that nobody has asked for.
fn is_alive(process: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", process]).output();
    output.is_ok_and(|output| output.stdout.first().is_some_and(|state| *state != b'Z'))
}

/// PostgreSQL does not run as root: then it runs as the user that its package brings.
fn as_server(program: &Path) -> (PathBuf, Vec<String>) {
    let name = program.display().to_string();
    match server_user() {
        None => (program.to_owned(), Vec::new()),
        Some((user, group)) => {
            let rights = [format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned(), name];
            ("setpriv".into(), rights.into())
        }
    }
}

/// Gives a folder and what is in it to whom the server runs as.
fn give_to_server(folder: &Path) {
    if let Some((user, group)) = server_user() {
        let given = Command::new("chown").args(["-R", &format!("{user}:{group}")]).arg(folder).status();
        assert!(given.is_ok_and(|given| given.success()), "cannot give {} to {user}", folder.display());
    }
}

/// Whom the server is to run as, where this is root: user and group.
fn server_user() -> Option<(&'static str, &'static str)> {
    let id = |arguments: &[&str]| Command::new("id").args(arguments).output().expect("id runs");
    let is_root = id(&["-u"]).stdout.trim_ascii() == b"0";
    let has_own = || id(&["-u", "postgres"]).status.success();
    is_root.then(|| if has_own() { ("postgres", "postgres") } else { ("nobody", "nogroup") })
}
