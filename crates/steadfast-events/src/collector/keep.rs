//! The thread that keeps: it writes what was taken over in groups, hands over what is on disk, and reads on from there when
//! there is room in memory again.
//!
//! When the disk fails events go on from memory, as without a spool; the disk is tried again every second.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{LostBy, PoisonError, Shared, State};
use crate::event::Event;
use crate::spool::{Added, Fate, Log};

/// So long after it failed the disk is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts it.
pub(super) fn start(shared: &Arc<Shared>, log: Log) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let keeper = Keeper { log, settled: Vec::new(), failed: None };
    std::thread::Builder::new().name("steadfast-spool".to_owned()).spawn(move || {
        let over = Over(Arc::clone(&shared));
        keeper.run(&shared);
        drop(over);
    })?;
    Ok(())
}

struct Keeper {
    log: Log,
    /// What is settled and not written yet.
    settled: Vec<u64>,
    /// When the disk failed last, if it does.
    failed: Option<Instant>,
}

/// However the thread ends, it is known.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread that keeps events has ended: they are lost from here on");
        }
        if let Some(kept) = &mut self.0.state().kept {
            kept.is_over = true;
        }
        self.0.tell_waiting();
    }
}

impl State {
    /// Whether the thread that keeps has something to do and must be told so.
    pub(super) fn wakes_keeper(&mut self) -> bool {
        let has_work = self.dispatcher.first_settled().is_some() || self.wants_more();
        has_work && self.kept.as_mut().is_some_and(|kept| std::mem::replace(&mut kept.is_asleep, false))
    }

    /// Whether memory is half empty, and there is something on disk.
    fn wants_more(&self) -> bool {
        let pending = self.dispatcher.counters().pending;
        self.closed.is_none()
            && self.kept.as_ref().is_some_and(|kept| kept.unread.is_some() && pending <= kept.window as u64 / 2)
    }
}

impl Keeper {
    fn run(mut self, shared: &Arc<Shared>) {
        while let Some(incoming) = self.wait(shared) {
            self.keep(incoming, shared);
            if !shared.hold {
                self.read_on(shared);
            }
        }
    }

    /// Waits for work; `None` when there will be none any more.
    fn wait(&mut self, shared: &Shared) -> Option<Vec<(u64, Event)>> {
        let mut state = shared.state();
        loop {
            let settled = state.dispatcher.take_settled();
            let has_settled = !settled.is_empty();
            let (wants_more, is_closed, is_running) =
                (state.wants_more() && !shared.hold, state.closed.is_some(), state.is_running);
            let Some(kept) = &mut state.kept else { return None };
            // Of what is not on disk the disk need not hear.
            self.settled.extend(settled.into_iter().filter(|number| !kept.in_memory_alone.remove(number)));
            // With a disk that fails nobody waits for this.
            kept.noting = self.settled.iter().min().copied().filter(|_| self.failed.is_none());
            if has_settled && kept.noting.is_none() {
                shared.tell_waiting();
            }
            // What failed is tried again in its time, new events at once: they must go somewhere.
            let may_try = self.may_try();
            let has_work = !kept.incoming.is_empty() || may_try && (!self.settled.is_empty() || wants_more);
            if has_work {
                let incoming = std::mem::take(&mut kept.incoming);
                kept.writing = incoming.first().map(|(number, _)| *number);
                return Some(incoming);
            }
            if is_closed && !is_running {
                return None;
            }
            kept.is_asleep = true;
            state = if self.failed.is_some() {
                shared.keep.wait_timeout(state, AGAIN).unwrap_or_else(PoisonError::into_inner).0
            } else {
                shared.keep.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
            if let Some(kept) = &mut state.kept {
                kept.is_asleep = false;
            }
        }
    }

    /// A disk that failed is left alone for a moment.
    fn may_try(&self) -> bool {
        self.failed.is_none_or(|failed| failed.elapsed() >= AGAIN)
    }

    /// Writes a group, and hands over what is kept as far as there is room for it.
    fn keep(&mut self, incoming: Vec<(u64, Event)>, shared: &Arc<Shared>) {
        if incoming.is_empty() && self.settled.is_empty() {
            return;
        }
        self.settled.sort_unstable();
        let was_read = self.log.is_read();
        let is_tried = self.may_try();
        let added = if is_tried { self.log.add(&incoming, &self.settled) } else { Added::failed(incoming.len()) };
        match added.error {
            None if !is_tried => {}
            Some(error) => {
                if self.failed.replace(Instant::now()).is_none() {
                    tracing::warn!(%error, "the disk does not keep events: they go on from memory");
                }
            }
            None => {
                if self.failed.take().is_some() {
                    tracing::info!("the disk keeps events again");
                }
                self.settled.clear();
            }
        }
        let mut lost = Vec::new();
        let now = Instant::now();
        let mut state = shared.state();
        let State { dispatcher, kept: Some(kept), .. } = &mut *state else { return };
        (kept.writing, kept.noting) = (None, None);
        for (number, event) in added.dropped {
            kept.waiting = kept.waiting.saturating_sub(1);
            dispatcher.lost(number);
            lost.push(event);
        }
        let mut has_work = false;
        for ((number, event), fate) in incoming.into_iter().zip(added.fates) {
            match fate {
                Fate::Kept => {
                    let has_room = !shared.hold && dispatcher.counters().pending < kept.window as u64;
                    if was_read && self.log.is_read() && has_room {
                        has_work |= dispatcher.hand_over(number, event, now);
                    } else {
                        self.log.leave(added.begin.clone(), number);
                        kept.waiting += 1;
                    }
                }
                Fate::Failed if !shared.hold && dispatcher.has_room() => {
                    kept.in_memory_alone.insert(number);
                    has_work |= dispatcher.hand_over(number, event, now);
                }
                Fate::Failed | Fate::Full => {
                    dispatcher.lost(number);
                    lost.push(event);
                }
            }
        }
        kept.unread = self.log.unread_from();
        drop(state);
        shared.tell(&lost, LostBy::NoRoom);
        shared.tell_waiting();
        if has_work {
            shared.send_on();
        }
    }

    /// Hands over what is on disk alone, as far as there is room for it.
    fn read_on(&mut self, shared: &Arc<Shared>) {
        loop {
            let room = {
                let state = shared.state();
                let Some(kept) = state.kept.as_ref().filter(|_| state.wants_more()) else { return };
                kept.window
                    - usize::try_from(state.dispatcher.counters().pending).unwrap_or(kept.window).min(kept.window)
            };
            let events = match self.log.read_on(room.max(1)) {
                Ok(events) => events,
                Err(error) => {
                    if self.failed.replace(Instant::now()).is_none() {
                        tracing::warn!(%error, "events that are kept cannot be read: they are tried again");
                    }
                    return;
                }
            };
            let now = Instant::now();
            let mut state = shared.state();
            let State { dispatcher, kept: Some(kept), .. } = &mut *state else { return };
            kept.waiting = kept.waiting.saturating_sub(events.len() as u64);
            for (number, event) in events {
                dispatcher.hand_over(number, event, now);
            }
            kept.unread = self.log.unread_from();
            if kept.unread.is_none() {
                kept.waiting = 0;
            }
            drop(state);
            shared.tell_waiting();
            shared.send_on();
        }
    }
}

impl Shared {
    /// The thread that sends goes on, or begins.
    fn send_on(self: &Arc<Self>) {
        let (wake, start) = {
            let mut state = self.state();
            let start = state.closed.is_none() && !std::mem::replace(&mut state.is_running, true);
            (std::mem::replace(&mut state.is_asleep, false), start)
        };
        if wake {
            self.work.notify_one();
        }
        if start {
            self.start();
        }
    }
}
