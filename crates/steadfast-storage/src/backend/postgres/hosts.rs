//! Connecting: to the hosts of a URL one after the other, each with its share of the time there is.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::tls::Tls;

/// The hosts of a URL.
#[derive(Clone)]
pub(super) struct Hosts {
    configs: Vec<Config>,
    tls: Tls,
    each: Duration,
    /// The one that answered last, which is asked first.
    last: std::sync::Arc<AtomicUsize>,
}

/// What drives a connection.
type Driven = Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>;

impl Hosts {
    /// All of them together have so long.
    pub(super) fn new(configs: Vec<Config>, tls: Tls, deadline: Duration) -> Hosts {
        let each = deadline / u32::try_from(configs.len()).unwrap_or(u32::MAX).max(1);
        Hosts { configs, tls, each, last: std::sync::Arc::default() }
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// # Errors
    /// What the first one says that says anything, if none can be had.
    pub(super) async fn connect(&self) -> Result<(Client, Driven), Error> {
        let (many, start) = (self.configs.len(), self.last.load(Ordering::Relaxed));
        let mut said = None;
        for number in 1..many {
            let host = (start + number - 1) % many;
            match timeout(self.each, self.configs[host].connect(self.tls.clone())).await {
                Ok(Ok(connected)) => {
                    self.last.store(host, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => drop(said.get_or_insert(error)),
                Err(_) => {}
            }
        }
        // The last one has what is left, and whoever waits ends it.
        let host = (start + many - 1) % many;
        match self.configs[host].connect(self.tls.clone()).await {
            Ok(connected) => {
                self.last.store(host, Ordering::Relaxed);
                Ok(connected)
            }
            Err(error) => Err(said.unwrap_or(error)),
        }
    }
}

impl Connect for Hosts {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async {
            let (client, connection) = self.connect().await?;
            // What ends it is said to whoever waits for an answer.
            Ok((client, tokio::spawn(async move { drop(connection.await) })))
        })
    }
}
