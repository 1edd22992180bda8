//! What the crates log, on its way to a logger in JavaScript.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use napi::Status;
use napi::bindgen_prelude::{FnArgs, Function, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// So many lines wait for JavaScript to take them; what is beyond is not said.
const WAITING: usize = 1_000;

type Say = ThreadsafeFunction<FnArgs<(u8, String)>, (), FnArgs<(u8, String)>, Status, false, true, WAITING>;

/// Who is told: the last one whose program, or worker, is there. It does not keep the process from ending.
static TOLD: Mutex<Vec<Say>> = Mutex::new(Vec::new());

/// From which of the official SDK's levels on: 1 debug, 2 info, 3 warning, 4 error.
static LEVEL: AtomicU8 = AtomicU8::new(4);

/// Tells this function of what is logged: the level, and the sentence.
///
/// # Errors
/// When it is none that could be called.
#[napi]
pub fn log_to(say: Function<FnArgs<(u8, String)>, ()>) -> Result<()> {
    let say = say.build_threadsafe_function().weak::<true>().max_queue_size::<WAITING>().build()?;
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(say);
    // Where it was asked before there is one, which does the same.
    let _ = tracing::subscriber::set_global_default(Forward);
    Ok(())
}

/// From now on what is below this level costs nothing.
#[napi]
pub fn log_from(level: u8) {
    LEVEL.store(level, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("steadfast")
            && number(*metadata.level()) >= LEVEL.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match LEVEL.load(Ordering::Relaxed) {
            0 | 1 => LevelFilter::DEBUG,
            2 => LevelFilter::INFO,
            3 => LevelFilter::WARN,
            _ => LevelFilter::ERROR,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Sentence::default();
        event.record(&mut line);
        let line = format!("{}{}", line.message, line.fields);
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(say) = told.last() {
            let line = (number(*event.metadata().level()), line.clone()).into();
            match say.call(line, ThreadsafeFunctionCallMode::NonBlocking) {
                Status::Ok | Status::QueueFull => return,
                // It has ended.
                _ => drop(told.pop()),
            }
        }
    }

    // Nothing here is interested in spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 4,
        Level::WARN => 3,
        Level::INFO => 2,
        _ => 1,
    }
}

/// An event as a sentence, with what belongs to it behind.
#[derive(Default)]
struct Sentence {
    message: String,
    fields: String,
}

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
