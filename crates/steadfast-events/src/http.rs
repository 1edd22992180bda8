//! The network: one HTTP client for all requests, whose connections are kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::retry::Outcome;
use crate::wire::{Method, Request};

/// Where the collector is, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its URL: VWO's by default. A path in it goes before that of every call (quirk Q-141).
    pub url: String,
    /// So long may making a connection take: 5 seconds by default.
    pub connect: Duration,
    /// So long may a call take altogether: 10 seconds by default. The reference waits for ever (quirk Q-115).
    pub answer: Duration,
}

impl Default for Endpoint {
    fn default() -> Self {
        Endpoint {
            url: "https://dev.visualwebsiteoptimizer.com".to_owned(),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
        }
    }
}

/// Why a collector cannot be sent to.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no URL of a server over HTTP.
    Url(String),
    /// The system has no certificates of authorities, or TLS cannot be set up for another reason.
    Tls(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for EndpointError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointError::Url(_) => formatter
                .write_str("the URL cannot be used: write `https://HOST`, or `http://HOST:PORT` for one of your own"),
            EndpointError::Tls(error) => write!(formatter, "TLS cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EndpointError::Url(_) => None,
            EndpointError::Tls(error) => Some(&**error),
        }
    }
}

/// The way to a collector. Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    /// Without a slash at its end.
    base: String,
}

impl Http {
    /// The way there; nothing is connected to yet.
    ///
    /// # Errors
    /// When the URL is none, or TLS cannot be set up.
    pub fn new(endpoint: &Endpoint) -> Result<Http, EndpointError> {
        let url = || EndpointError::Url(endpoint.url.clone());
        let parsed = Url::parse(&endpoint.url).map_err(|_| url())?;
        let is_plain = parsed.query().is_none() && parsed.fragment().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() || !is_plain {
            return Err(url());
        }
        let builder = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .connect_timeout(endpoint.connect)
            .timeout(endpoint.answer)
            // An event that was moved somewhere else is not there: it is told as refused.
            .redirect(reqwest::redirect::Policy::none());
        let client = builder.build().map_err(|error| EndpointError::Tls(error.into()))?;
        Ok(Http { client, base: endpoint.url.trim_end_matches('/').to_owned() })
    }

    /// Sends a request. What it came to is never an error: whoever waits goes by the outcome.
    pub async fn send(&self, request: &Request) -> Outcome {
        let url = format!("{}{}", self.base, request.path);
        let mut sent = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
        };
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        match sent.send().await {
            Ok(answer) => {
                let outcome = Outcome::of(answer.status().as_u16(), retry_after(answer.headers(), SystemTime::now()));
                // To its end, so that the connection can be used again; what it says is of no interest. A long one is not
                // worth the wait.
                if answer.content_length().is_some_and(|length| length <= LONGEST_BODY) {
                    let _ = answer.bytes().await;
                }
                outcome
            }
            // A value that no header can hold, which no later try would change.
            Err(error) if error.is_builder() => Outcome::Refused { status: 0 },
            Err(_) => Outcome::Later { status: None, after: None },
        }
    }
}

/// What a server has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// What tells this content from others (`ETag`).
    pub etag: Option<String>,
    /// The content; empty where the status is no 2xx.
    pub body: Vec<u8>,
}

/// Why a server's content cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError {
    /// There was no answer to its end in time, or no connection.
    Unreachable,
    /// There is more than was wanted at most.
    TooLarge,
}

impl Http {
    /// What is at the path of a request, of so many bytes at most; nothing where it is what this tag tells (304).
    ///
    /// # Errors
    /// When the server cannot be reached, does not answer to its end in time, or has more than that.
    pub async fn get(&self, request: &Request, etag: Option<&str>, most: usize) -> Result<Got, GetError> {
        let mut sent = self.client.get(format!("{}{}", self.base, request.path));
        if let Some(etag) = etag {
            sent = sent.header(IF_NONE_MATCH, etag);
        }
        let mut answer = sent.send().await.map_err(|_| GetError::Unreachable)?;
        let status = answer.status().as_u16();
        let etag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // What else it says is not read: a connection that is left like this is closed.
        while (200..300).contains(&status)
            && let Some(part) = answer.chunk().await.map_err(|_| GetError::Unreachable)?
        {
            if body.len() + part.len() > most {
                return Err(GetError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Got { status, etag, body })
    }
}

/// An answer longer than this costs more than a new connection.
const LONGEST_BODY: u64 = 64 << 10;

/// The most that a collector may ask for: it could not be told from one that is gone.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How long the collector wants to be left alone: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_WAIT))
}

fn tls() -> Result<ClientConfig, EndpointError> {
    let mut roots = RootCertStore::empty();
    // Without any, only what needs none can be sent to, which then says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| EndpointError::Tls(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_a_server() {
        for wrong in ["", "collector", "ftp://here", "https://", "http://here?x=1", "data:,x"] {
            let endpoint = Endpoint { url: wrong.to_owned(), ..Endpoint::default() };
            assert!(matches!(Http::new(&endpoint), Err(EndpointError::Url(_))), "{wrong}");
        }
        for right in ["https://here", "http://127.0.0.1:8080/", "https://here/proxy/"] {
            let endpoint = Endpoint { url: right.to_owned(), ..Endpoint::default() };
            assert!(Http::new(&endpoint).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_collector_may_ask_for_a_pause() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let of = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, reqwest::header::HeaderValue::from_static(value))]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(of("120"), Some(120));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(of("Sun, 06 Nov 1994 08:40:00 GMT"), Some(0));
        assert_eq!(of("99999999"), Some(3_600));
        assert_eq!(of("soon"), None);
    }
}
