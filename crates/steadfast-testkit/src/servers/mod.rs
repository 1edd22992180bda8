//! Real servers for tests: private ones, on free ports of this machine, with their files in a folder that goes with them.
//!
//! What is missing is installed with the system's package manager where that may be done; where not, the test fails, and
//! says in one line what to run. Nothing is skipped.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it waits for"
)]

mod collector;
mod postgres;
mod redis;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::collector::{Arrived, LocalCollector, Reply};
pub use self::postgres::Postgres;
pub use self::redis::{Redis, RedisCluster, RedisSentinel};

/// What no machine needs to start a server, however busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's process, which ends with this.
#[derive(Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
    folder: TempDir,
}

impl Process {
    /// Starts a program that listens on a port; waits until it does.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen within a minute.
    fn start(program: PathBuf, arguments: Vec<String>, port: u16, folder: TempDir) -> Process {
        let mut process = Process { program, arguments, port, child: None, folder };
        process.restart();
        process
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the process; none when it was killed.
    fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The folder with its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again after it was [killed](Self::kill), on the same port and files; waits until it listens.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen within a minute.
    pub fn restart(&mut self) {
        self.kill();
        let log = self.folder.path().join("log");
        let file = File::options().create(true).append(true).open(&log).expect("a log can be written");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file can be shared"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.program.display()));
        self.child = Some(child);
        let start = Instant::now();
        // Whether it is there is looked at last: on its port may be somebody else, and then it ends.
        while !self.listens() || self.ended() {
            if self.ended() || start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("{} does not listen on port {}:\n{log}", self.program.display(), self.port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().ok().flatten().is_some())
    }

    fn listens(&self) -> bool {
        TcpStream::connect_timeout(&address(self.port), Duration::from_millis(200)).is_ok()
    }

    /// Stops it where it stands (`SIGSTOP`): it keeps its connections and says nothing.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (`SIGCONT`).
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    /// Ends it at once (`SIGKILL`), without a last word to the disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
            assert!(status.is_ok_and(|status| status.success()), "cannot send {name} to {}", self.program.display());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A folder that goes with whoever holds it.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(address(0)).expect("a port can be had");
    listener.local_addr().expect("it has an address").port()
}

/// The path of a program, which `package` of Debian and its kin brings. It is installed where it is missing and that may
/// be done.
///
/// # Panics
/// When it is missing and cannot be installed: says what to run.
fn program(name: &str, package: &str) -> PathBuf {
    /// Two package managers at once would lock each other out.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(path) = find(name) {
        return path;
    }
    eprintln!("{name} is missing: installing {package}");
    for arguments in [&["update", "-q"][..], &["install", "-y", "-q", "--no-install-recommends", package]] {
        let _ = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // A machine must not start it by itself.
            .env("RUNLEVEL", "1")
            .stdout(Stdio::null())
            .status();
    }
    find(name).unwrap_or_else(|| {
        panic!("{name} is missing and cannot be installed here: run `sudo apt-get install {package}`, then try again")
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps what runs a PostgreSQL server where no shell looks, a folder for each version.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    let folders = std::env::split_paths(&path).chain(versions.into_iter().rev());
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}
