//! Redis: one server, a Cluster of six nodes, and one server with a replica and a Sentinel.

use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{PATIENCE, Process, folder, free_port, program};

/// A Redis server, which syncs every write to the disk before it answers.
#[derive(Debug)]
pub struct Redis(Process);

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot be had or started.
    #[must_use]
    pub fn start() -> Redis {
        Redis::start_with(&[])
    }

    /// Starts one with further options of the command line, such as `["--requirepass", "secret"]`.
    ///
    /// # Panics
    /// When it cannot be had or started.
    #[must_use]
    pub fn start_with(options: &[&str]) -> Redis {
        let port = free_port();
        let plain = port.to_string();
        Redis::start_on(port, &[&["--port", &plain], options].concat())
    }

    /// Starts one that speaks TLS and nothing else, with a certificate for `localhost` that only its own
    /// [`root_certificate`](Self::root_certificate) vouches for.
    ///
    /// # Panics
    /// When it cannot be had or started, or no certificate can be made with `openssl`.
    #[must_use]
    pub fn start_with_tls() -> Redis {
        let port = free_port();
        let folder = folder();
        let certificate = |file: &str| folder.path().join(file).display().to_string();
        let (key, file) = (certificate("key.pem"), certificate("certificate.pem"));
        let made = Command::new(program("openssl", "openssl"))
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .args(["-keyout", &key, "-out", &file])
            .output();
        assert!(made.is_ok_and(|made| made.status.success()), "openssl cannot make a certificate");
        let tls = port.to_string();
        let options = [
            "--port",
            "0",
            "--tls-port",
            &tls,
            "--tls-cert-file",
            &file,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &file,
            "--tls-auth-clients",
            "no",
        ];
        Redis(Process::start(program("redis-server", "redis-server"), arguments(&options), port, folder))
    }

    fn start_on(port: u16, options: &[&str]) -> Redis {
        Redis(Process::start(program("redis-server", "redis-server"), arguments(options), port, folder()))
    }

    /// The certificate that its own is to be trusted by, in PEM.
    ///
    /// # Panics
    /// When it was not [started with TLS](Self::start_with_tls).
    #[must_use]
    pub fn root_certificate(&self) -> Vec<u8> {
        std::fs::read(self.folder().join("certificate.pem")).expect("it was started with TLS")
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// What it answers to a command.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> String {
        cli(self.port(), command)
    }
}

impl Deref for Redis {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

/// A Redis Cluster: three primaries, each with a replica.
#[derive(Debug)]
pub struct RedisCluster {
    /// The nodes.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts one; waits until all slots are served and every replica follows.
    ///
    /// # Panics
    /// When it cannot be had or started.
    #[must_use]
    pub fn start() -> RedisCluster {
        let node = |_| {
            let port = free_port();
            let bus = free_port();
            let (port_text, bus) = (port.to_string(), bus.to_string());
            let options = [
                "--port",
                &port_text,
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "2000",
            ];
            Redis::start_on(port, &options)
        };
        let nodes: Vec<Redis> = (0..6).map(node).collect();
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let made = Command::new(program("redis-cli", "redis-tools"))
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(made.status.success(), "no cluster: {}", String::from_utf8_lossy(&made.stdout));
        let cluster = RedisCluster { nodes };
        cluster.wait_until("the cluster serves all slots", |cluster| {
            cluster.nodes.iter().all(|node| {
                let info = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
            })
        });
        cluster.wait_until("every replica follows", |cluster| {
            let followers = cluster.nodes.iter().filter(|node| {
                let info = node.ask(&["INFO", "replication"]);
                info.contains("role:slave") && info.contains("master_link_status:up")
            });
            followers.count() == 3
        });
        cluster
    }

    /// Its URL, which names half of its nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().take(3).map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// A node that is a primary now.
    ///
    /// # Panics
    /// When none is.
    #[must_use]
    pub fn a_primary(&self) -> usize {
        let is_primary = |node: &Redis| node.ask(&["INFO", "replication"]).contains("role:master");
        self.nodes.iter().position(is_primary).expect("a cluster has primaries")
    }

    /// Has a replica take the place of its primary (`CLUSTER FAILOVER`), without a fault; which node was promoted.
    ///
    /// # Panics
    /// When none is promoted within a minute.
    pub fn fail_over(&self) -> usize {
        let role = |node: &Redis, role: &str| node.ask(&["INFO", "replication"]).contains(role);
        let replica = self.nodes.iter().position(|node| role(node, "role:slave")).expect("a cluster has replicas");
        let _ = self.nodes[replica].ask(&["CLUSTER", "FAILOVER"]);
        self.wait_until("the replica is promoted", |cluster| role(&cluster.nodes[replica], "role:master"));
        replica
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&RedisCluster) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A Redis server, a replica of it, and a Sentinel that watches both under the name `main`.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The server, until it is failed over.
    pub primary: Redis,
    /// Its replica.
    pub replica: Redis,
    sentinel: Process,
}

impl RedisSentinel {
    /// Starts them; waits until the Sentinel knows the replica.
    ///
    /// # Panics
    /// When they cannot be had or started.
    #[must_use]
    pub fn start() -> RedisSentinel {
        let primary = Redis::start();
        let of = primary.port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &of]);
        let (port, folder) = (free_port(), folder());
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nsentinel monitor main 127.0.0.1 {of} 1\nsentinel down-after-milliseconds main 1000\n\
             sentinel failover-timeout main 5000\n"
        );
        std::fs::write(&file, text).expect("a file can be written");
        let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Process::start(program("redis-server", "redis-server"), arguments, port, folder);
        let started = RedisSentinel { primary, replica, sentinel };
        started.wait_for(
            "the Sentinel knows the replica",
            "SENTINEL REPLICAS main",
            &started.replica.port().to_string(),
        );
        started
    }

    /// Their URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel.port())
    }

    /// Waits until the Sentinel has made the replica the primary.
    ///
    /// # Panics
    /// When it has not within a minute.
    pub fn wait_for_failover(&self) {
        let port = self.replica.port().to_string();
        self.wait_for("the replica is promoted", "SENTINEL GET-MASTER-ADDR-BY-NAME main", &port);
    }

    fn wait_for(&self, what: &str, command: &str, answer: &str) {
        let start = Instant::now();
        let command: Vec<&str> = command.split(' ').collect();
        while !cli(self.sentinel.port(), &command).lines().any(|line| line.trim() == answer) {
            assert!(start.elapsed() < PATIENCE, "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn arguments(options: &[&str]) -> Vec<String> {
    let common = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    common.iter().chain(options).map(|option| (*option).to_owned()).collect()
}

fn cli(port: u16, command: &[&str]) -> String {
    let output = Command::new(program("redis-cli", "redis-tools"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(command)
        .output()
        .expect("redis-cli runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
