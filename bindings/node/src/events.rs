//! Events on their way.

use std::num::NonZeroUsize;
use std::time::Duration;

use napi::Status;
use napi::bindgen_prelude::{Env, FnArgs, Function, PromiseRaw, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use steadfast::event::{Batching, Collector, Delivery, Spool};

use crate::blocking::told;
use crate::options::endpoint;
use crate::refused;

/// How events are sent.
#[napi(object)]
pub struct SinkOptions {
    /// Where they go; VWO's collector if it is not given.
    pub collector: Option<String>,
    /// `batchEvents` is given.
    pub batch: bool,
    /// `eventsPerRequest`
    pub events_per_request: Option<u32>,
    /// `requestTimeInterval`, in seconds.
    pub request_time_interval: Option<f64>,
    /// A folder where they are kept until they are delivered.
    pub spool: Option<String>,
}

/// What `flushCallback` is told: what went wrong, if anything did, and the batch.
type Flushed = FnArgs<(Option<String>, String)>;

/// `flushCallback`, from wherever it is called. It does not keep the process from ending.
type FlushCallback = ThreadsafeFunction<Flushed, (), Flushed, Status, false, true>;

/// What sends a client's events.
#[napi]
#[derive(Clone)]
pub struct Sink(Collector);

impl Sink {
    pub(crate) fn collector(&self) -> Collector {
        self.0.clone()
    }
}

#[napi]
impl Sink {
    /// One that sends so, and says of each batch what became of it.
    #[napi(factory)]
    pub fn open(options: SinkOptions, callback: Option<Function<Flushed, ()>>) -> Result<Self> {
        let mut delivery = Delivery::default();
        if options.batch {
            let default = Batching::default();
            let events = options.events_per_request.and_then(|events| NonZeroUsize::new(events as usize));
            let interval = options.request_time_interval.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            delivery.batch = Some(Batching {
                events: events.unwrap_or(default.events),
                interval: interval.unwrap_or(default.interval),
            });
        }
        let mut builder = Collector::builder().endpoint(endpoint(options.collector.as_deref())).delivery(delivery);
        if let Some(folder) = &options.spool {
            builder = builder.spool(Spool::new(folder));
        }
        if let Some(callback) = callback {
            let callback: FlushCallback = callback.build_threadsafe_function().weak::<true>().build()?;
            builder = builder.flush_callback(move |lost, batch| {
                let lost = lost.map(ToString::to_string);
                callback.call((lost, batch.to_owned()).into(), ThreadsafeFunctionCallMode::NonBlocking);
            });
        }
        builder.build().map(Sink).map_err(refused)
    }

    /// Sends what waits, and waits for it, so many milliseconds at most: what is wrong, or an empty text.
    ///
    /// # Errors
    /// Never: the promise is kept.
    #[napi]
    pub fn flush<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        let (collector, deadline) = (self.collector(), Duration::from_millis(milliseconds.into()));
        env.spawn_future(async move { Ok(told(&collector.flush(deadline).await)) })
    }
}
