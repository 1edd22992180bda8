//! Ctrl-C, which ends a measurement early and not before its users are erased.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::Builder;

use crate::failure::Failure;

/// Whether somebody wants it to end.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches from now on. The second time it ends at once, after saying how to erase what is left.
    ///
    /// # Errors
    /// When the system gives no thread, or no word of it.
    pub(super) fn watch(how_to_erase: String) -> io::Result<Interrupt> {
        let came = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&came);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new().name("steadfast-interrupt".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut signals = match Signals::new() {
                    Ok(signals) => signals,
                    Err(error) => {
                        // Whoever waits is there.
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                let _ = sender.send(Ok(()));
                signals.next().await;
                of_thread.store(true, Ordering::Relaxed);
                anstream::eprintln!("erasing its users first; once more, and it ends at once");
                signals.next().await;
                let failure = Failure::stopped(&format!("its users are left: {how_to_erase} erases them"));
                anstream::eprintln!("{failure}");
                std::process::exit(i32::from(failure.status()));
            });
        })?;
        receiver.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that watches has ended")))?;
        Ok(Interrupt(came))
    }

    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let interrupted = self.interrupt.poll_recv(context).is_ready();
            let terminated = self.terminate.poll_recv(context).is_ready();
            if interrupted || terminated { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Signals> {
        tokio::signal::windows::ctrl_c().map(Signals)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
