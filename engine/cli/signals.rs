//! Interrupts: the first asks for a clean end, the second ends the process at once with exit code 130. Ctrl-Z stops the
//! process after the terminal is as it was found.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGTTOU};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::bottom;
use crate::error::{Error, Result};

/// How often the user asked to stop (SIGINT, SIGTERM, or SIGHUP from a closed terminal).
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    count: Mutex<u32>,
    changed: Condvar,
    /// What ends the process when it is told to and waits for a user who may be gone.
    end: Mutex<Option<End>>,
}

/// Called with the number of the signal; does not return.
type End = Box<dyn FnOnce(i32) + Send>;

impl Interrupts {
    /// Starts to listen for signals, on a thread of its own.
    ///
    /// `second` is called on the second signal when the first was not taken back; it should not return.
    pub fn listen(second: impl Fn() + Send + 'static) -> Result<Interrupts> {
        let interrupts = Interrupts::default();
        let inner = Arc::clone(&interrupts.0);
        let failed = |error: std::io::Error| Error::external("signals cannot be listened for").with_source(error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let (ready, listening) = std::sync::mpsc::channel();
        let body = move || {
            runtime.block_on(async move {
                let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
                let listeners: Result<Vec<_>, _> = kinds.iter().copied().map(signal).collect();
                let mut listeners = match listeners {
                    Ok(listeners) => listeners,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                match (signal(SignalKind::from_raw(SIGTSTP)), signal(SignalKind::from_raw(SIGCONT))) {
                    (Ok(stops), Ok(continues)) => drop(tokio::spawn(stop_and_continue(stops, continues))),
                    (Err(error), _) | (_, Err(error)) => return drop(ready.send(Err(error))),
                }
                let _ = ready.send(Ok(()));
                loop {
                    let each = listeners.iter_mut().map(|listener| Box::pin(listener.recv()));
                    let (_, which, _) = futures::future::select_all(each).await;
                    let before = {
                        let mut signals = inner.count.lock();
                        *signals += 1;
                        *signals - 1
                    };
                    inner.changed.notify_all();
                    let number = kinds[which].as_raw_value();
                    // An interrupt is for the user's query; the others are for the process.
                    if kinds[which] != SignalKind::interrupt()
                        && let Some(end) = inner.end.lock().take()
                    {
                        // On a thread of its own, so that a second signal still ends a shutdown that hangs.
                        if std::thread::Builder::new().name("end".into()).spawn(move || end(number)).is_err() {
                            std::process::exit(128 + number);
                        }
                        continue;
                    }
                    if before >= 1 {
                        bottom::release_now();
                        second();
                    }
                }
            });
        };
        std::thread::Builder::new().name("signals".into()).spawn(body).map_err(failed)?;
        listening.recv().map_err(|_| Error::external("signals cannot be listened for"))?.map_err(failed)?;
        Ok(interrupts)
    }

    /// What ends the process on SIGTERM and SIGHUP, for a shell that waits at its prompt: `end` is called with the number of
    /// the signal and does not return.
    pub fn at_end(&self, end: impl FnOnce(i32) + Send + 'static) {
        *self.0.end.lock() = Some(Box::new(end));
    }

    /// Whether the user asked to stop.
    pub fn requested(&self) -> bool {
        *self.0.count.lock() > 0
    }

    /// Waits until the user asks to stop, at most `wait`; whether that was asked.
    pub fn wait(&self, wait: Duration) -> bool {
        let mut signals = self.0.count.lock();
        if *signals == 0 {
            self.0.changed.wait_for(&mut signals, wait);
        }
        *signals > 0
    }

    /// Takes the request back, for a shell in which an interrupt ends a query and not the process.
    pub fn take(&self) -> bool {
        std::mem::take(&mut *self.0.count.lock()) > 0
    }
}

/// How long a stopped process waits for the signal that it goes on, once it goes on.
const CONTINUED: Duration = Duration::from_millis(200);

/// Stops the process when it is asked to and gives the terminal back before; takes it again when the process goes on.
async fn stop_and_continue(mut stops: Signal, mut continues: Signal) {
    loop {
        tokio::select! {
            _ = stops.recv() => {
                bottom::suspend();
                // The system stops by this signal under the rule of the one that came: not where no shell could ever
                // continue us. It is not listened for, so that nothing comes in between.
                let _ = signal_hook::low_level::raise(SIGTTOU);
                let _ = tokio::time::timeout(CONTINUED, continues.recv()).await;
            }
            // Stopped by a signal that cannot be listened for.
            _ = continues.recv() => {}
        }
        bottom::resume();
    }
}
