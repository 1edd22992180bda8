//! Waiting for the events of one call: which those are is known by the thread that the call runs on at that moment.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use super::{Collector, FlushError, State};

thread_local! {
    /// The collector that is watched here, and the numbers that it gave since.
    static WATCHED: RefCell<Option<(usize, Vec<u64>)>> = const { RefCell::new(None) };
}

/// The events of a call, until it is known what became of them.
struct Watch<'c> {
    collector: &'c Collector,
    numbers: Vec<u64>,
    lost: u64,
}

/// What was watched before is watched again, also after a panic.
struct Before(Option<(usize, Vec<u64>)>);

impl Drop for Before {
    fn drop(&mut self) {
        WATCHED.set(self.0.take());
    }
}

/// Notes the number of an event that a collector takes over on this thread; whether anybody wants to know.
pub(super) fn note(collector: usize, number: u64) -> bool {
    WATCHED.with_borrow_mut(|watched| match watched {
        Some((of, numbers)) if *of == collector => {
            numbers.push(number);
            true
        }
        _ => false,
    })
}

impl Watch<'_> {
    /// Runs a part of the call.
    fn during<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let before = Before(WATCHED.replace(Some((self.collector.identity(), Vec::new()))));
        let output = call();
        if let Some((_, mut numbers)) = WATCHED.take() {
            self.numbers.append(&mut numbers);
        }
        drop(before);
        output
    }

    /// What became of them, once that is known of all.
    fn result(&mut self, state: &mut State) -> Option<Result<(), FlushError>> {
        let lost = &mut self.lost;
        self.numbers.retain(|number| match state.dispatcher.watched(*number) {
            None => true,
            Some(is_delivered) => {
                *lost += u64::from(!is_delivered);
                false
            }
        });
        let result = if self.lost == 0 { Ok(()) } else { Err(FlushError::Lost(self.lost)) };
        self.numbers.is_empty().then_some(result)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut state = self.collector.0.0.state();
        for number in &self.numbers {
            state.dispatcher.unwatch(*number);
        }
    }
}

impl Collector {
    /// Makes a call of a client that has this sink, and waits until the collector has the events of it, at most so long
    /// (`returnPromiseFor`): what the call returned, and what became of its events. They go at once, without waiting for a
    /// batch to be full. A call without an event waits for nothing.
    ///
    /// The second is an error when one of them is lost ([`FlushError::Lost`]), or not there in time
    /// ([`FlushError::TimedOut`]), where it is still sent. The first stands in either case.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(collector: steadfast_events::Collector) {
    /// # let activate = || async {};
    /// // activate: `client.activate("checkout", "Ashley", Options::NONE)`
    /// let (decision, delivery) = collector.delivered(Duration::from_secs(2), activate()).await;
    /// # }
    /// ```
    pub async fn delivered<F: Future>(&self, deadline: Duration, call: F) -> (F::Output, Result<(), FlushError>) {
        let mut call = pin!(call);
        let mut watch = Watch { collector: self, numbers: Vec::new(), lost: 0 };
        let output = poll_fn(|context| watch.during(|| call.as_mut().poll(context))).await;
        let waited = self.0.0.wait(deadline, |state| watch.result(state)).await;
        (output, waited.unwrap_or(Err(FlushError::TimedOut)))
    }

    /// The same, for a program that waits where it stands.
    pub fn delivered_blocking<T>(&self, deadline: Duration, call: impl FnOnce() -> T) -> (T, Result<(), FlushError>) {
        let mut watch = Watch { collector: self, numbers: Vec::new(), lost: 0 };
        let output = watch.during(call);
        let waited = self.0.0.wait_blocking(deadline, |state| watch.result(state));
        (output, waited.unwrap_or(Err(FlushError::TimedOut)))
    }
}
