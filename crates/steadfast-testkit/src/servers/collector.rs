//! A collector on this machine, which writes down what it is sent and answers as it is told to; also a server of settings.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::routing::any;
use tokio::sync::oneshot;

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// `GET` or `POST`.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What was sent with it.
    pub body: String,
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`
    pub retry_after: Option<String>,
    /// So long nothing is said.
    pub delay: Duration,
    /// `ETag`
    pub etag: Option<String>,
    /// The content: no JSON, unless told otherwise, as any 2xx says that it is taken.
    pub body: String,
}

impl Reply {
    /// At once.
    #[must_use]
    pub fn status(status: u16) -> Reply {
        Reply { status, retry_after: None, delay: Duration::ZERO, etag: None, body: "taken".to_owned() }
    }
}

type Rule = Box<dyn FnMut(&Arrived) -> Reply + Send>;

struct Inside {
    arrived: Mutex<Vec<Arrived>>,
    rule: Mutex<Rule>,
}

/// A collector that runs until it is dropped.
pub struct LocalCollector {
    port: u16,
    inside: Arc<Inside>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LocalCollector {
    /// Starts one that takes everything.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start() -> LocalCollector {
        LocalCollector::start_on(0)
    }

    /// Starts one on a port where one was before.
    ///
    /// # Panics
    /// When the port cannot be had.
    #[must_use]
    pub fn start_on(port: u16) -> LocalCollector {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("a port can be had");
        let port = listener.local_addr().expect("it has an address").port();
        listener.set_nonblocking(true).expect("it can be waited for");
        let rule: Rule = Box::new(|_| Reply::status(200));
        let inside = Arc::new(Inside { arrived: Mutex::default(), rule: Mutex::new(rule) });
        let (end, ended) = oneshot::channel();
        let of_thread = Arc::clone(&inside);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listener, of_thread, ended));
            // Connections end with it, as those of a process that is killed.
            runtime.shutdown_background();
        });
        LocalCollector { port, inside, end: Some(end), thread: Some(thread) }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on requests are answered by this.
    pub fn answer(&self, rule: impl FnMut(&Arrived) -> Reply + Send + 'static) {
        *lock(&self.inside.rule) = Box::new(rule);
    }

    /// What has arrived so far, in its order; whatever it was answered.
    #[must_use]
    pub fn arrived(&self) -> Vec<Arrived> {
        lock(&self.inside.arrived).clone()
    }
}

impl LocalCollector {
    /// What has arrived so far is forgotten, where there is too much of it to keep.
    pub fn forget(&self) {
        lock(&self.inside.arrived).clear();
    }
}

impl Drop for LocalCollector {
    fn drop(&mut self) {
        // Its thread may have panicked, which the test then says.
        let _ = self.end.take().map(|end| end.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, inside: Arc<Inside>, ended: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it is one of this runtime now");
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let inside = Arc::clone(&inside);
        async move { answer(&inside, &method, &uri, &headers, &body).await }
    };
    let service = axum::serve(listener, Router::new().fallback(any(handler)));
    tokio::select! {
        served = service => served.expect("it serves"),
        _ = ended => {}
    }
}

async fn answer(inside: &Inside, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let arrived = Arrived {
        method: method.to_string(),
        path: uri.to_string(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    let reply = (lock(&inside.rule))(&arrived);
    lock(&inside.arrived).push(arrived);
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    if let Some(after) = reply.retry_after {
        response = response.header("Retry-After", after);
    }
    if let Some(etag) = reply.etag {
        response = response.header("ETag", etag);
    }
    response.body(Body::from(reply.body)).expect("a response")
}
