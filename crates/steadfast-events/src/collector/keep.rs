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
    let keeper = Keeper { log, settled: Vec::new(), failed: None, read_failed: None };
    std::thread::Builder::new().name("steadfast-spool".to_owned()).spawn(move || {
        let over = Over(Arc::clone(&shared));
        keeper.run(&shared);
        drop(over);
    })?;
    Ok(())
}

/// So often what cannot be read is tried again, before it is left for the next start.
const READS: u32 = 10;

struct Keeper {
    log: Log,
    /// What is settled and not written yet.
    settled: Vec<u64>,
    /// When writing failed last, if it does.
    failed: Option<Instant>,
    /// When reading failed last, and how often in a row, if it does.
    read_failed: Option<(Instant, u32)>,
}

/// However the thread ends, it is known.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        let mut lost = Vec::new();
        if let State { kept: Some(kept), dispatcher, .. } = &mut *self.0.state() {
            kept.is_over = true;
            (kept.writing, kept.noting, kept.unread) = (None, None, None);
            for (number, event) in std::mem::take(&mut kept.incoming) {
                dispatcher.lost(number);
                kept.lost += 1;
                lost.push(event);
            }
        }
        if std::thread::panicking() {
            tracing::error!("the thread that keeps events has ended: they are lost from here on");
        }
        self.0.tell(&lost, LostBy::Disk);
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
            let may_read = self.read_failed.is_none_or(|(failed, _)| failed.elapsed() >= AGAIN);
            let has_work = !kept.incoming.is_empty() || may_try && !self.settled.is_empty() || may_read && wants_more;
            if has_work {
                let incoming = std::mem::take(&mut kept.incoming);
                kept.writing = incoming.first().map(|(number, _)| (*number, incoming.len()));
                return Some(incoming);
            }
            if is_closed && !is_running {
                return None;
            }
            kept.is_asleep = true;
            state = if self.failed.is_some() || self.read_failed.is_some() {
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
        // Where nothing is sent there is no other way for them.
        let is_tried = shared.hold || self.may_try();
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
        kept.waiting = kept.waiting.saturating_sub((added.dropped.len() + added.unreadable.len()) as u64);
        let (dropped, unreadable) = (added.dropped.len(), added.unreadable.len());
        for (number, event) in added.dropped {
            dispatcher.lost(number);
            lost.push(event);
        }
        added.unreadable.into_iter().for_each(|number| dispatcher.lost(number));
        kept.lost += (dropped + unreadable) as u64;
        kept.in_memory_alone.extend(added.in_memory_alone.into_iter().filter(|number| dispatcher.is_open(*number)));
        let mut by_disk = Vec::new();
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
                Fate::Failed => {
                    dispatcher.lost(number);
                    kept.lost += 1;
                    by_disk.push(event);
                }
                Fate::Full => {
                    dispatcher.lost(number);
                    kept.lost += 1;
                    lost.push(event);
                }
            }
        }
        kept.unread = self.log.unread_from();
        drop(state);
        shared.tell(&lost, LostBy::NoRoom);
        shared.tell(&by_disk, LostBy::Disk);
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
            let read = match self.log.read_on(room.max(1)) {
                Ok(read) => {
                    self.read_failed = None;
                    read
                }
                Err(error) => {
                    let failures = self.read_failed.map_or(0, |(_, failures)| failures) + 1;
                    if failures == 1 {
                        tracing::warn!(%error, "events that are kept cannot be read: they are tried again");
                    }
                    self.read_failed = Some((Instant::now(), failures));
                    if failures >= READS {
                        tracing::error!(%error, "events that are kept cannot be read: they are left for the next start");
                        self.read_failed = None;
                        let left = self.log.pass_over();
                        // This process will not send them: who waits for them here waits in vain.
                        let mut state = shared.state();
                        if let State { dispatcher, kept: Some(kept), .. } = &mut *state {
                            kept.waiting = kept.waiting.saturating_sub(left.len() as u64);
                            left.into_iter().for_each(|number| dispatcher.lost(number));
                            kept.unread = self.log.unread_from();
                        }
                        drop(state);
                        shared.tell_waiting();
                    }
                    return;
                }
            };
            let now = Instant::now();
            let mut state = shared.state();
            let State { dispatcher, kept: Some(kept), .. } = &mut *state else { return };
            kept.waiting = kept.waiting.saturating_sub((read.events.len() + read.unreadable.len()) as u64);
            for (number, event) in read.events {
                dispatcher.hand_over(number, event, now);
            }
            kept.unread = self.log.unread_from();
            // They need not be kept any more: nobody will ever read them.
            let unreadable = read.unreadable.len();
            for number in read.unreadable {
                dispatcher.lost(number);
                self.settled.push(number);
            }
            drop(state);
            if unreadable > 0 {
                tracing::error!(events = unreadable, "events that were kept cannot be read any more: they are lost");
            }
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
            let start = !std::mem::replace(&mut state.is_running, true);
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
