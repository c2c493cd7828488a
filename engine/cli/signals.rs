//! Interrupts: the first asks for a clean end, the second ends the process at once with exit code 130.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

/// How often the user asked to stop (SIGINT, SIGTERM, or SIGHUP from a closed terminal).
#[derive(Debug, Clone, Default)]
pub struct Interrupts(Arc<(Mutex<u32>, Condvar)>);

impl Interrupts {
    /// Starts to listen for signals, on a thread of its own.
    ///
    /// `second` is called on the second signal when the first was not taken back; it should not return.
    pub fn listen(second: impl Fn() + Send + 'static) -> Result<Interrupts> {
        let interrupts = Interrupts::default();
        let count = Arc::clone(&interrupts.0);
        let failed = |error: std::io::Error| Error::external("signals cannot be listened for").with_source(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (ready, listening) = std::sync::mpsc::channel();
        let body = move || {
            runtime.block_on(async move {
                use tokio::signal::unix::{SignalKind, signal};
                let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
                let listeners: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
                let mut listeners = match listeners {
                    Ok(listeners) => listeners,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                let _ = ready.send(Ok(()));
                loop {
                    futures::future::select_all(listeners.iter_mut().map(|listener| Box::pin(listener.recv()))).await;
                    let before = {
                        let mut signals = count.0.lock();
                        *signals += 1;
                        *signals - 1
                    };
                    count.1.notify_all();
                    if before >= 1 {
                        super::bottom::release_now();
                        second();
                    }
                }
            });
        };
        std::thread::Builder::new().name("signals".into()).spawn(body).map_err(failed)?;
        listening.recv().map_err(|_| Error::external("signals cannot be listened for"))?.map_err(failed)?;
        Ok(interrupts)
    }

    /// Whether the user asked to stop.
    pub fn requested(&self) -> bool {
        *self.0.0.lock() > 0
    }

    /// Waits until the user asks to stop, at most `wait`; whether that was asked.
    pub fn wait(&self, wait: Duration) -> bool {
        let mut signals = self.0.0.lock();
        if *signals == 0 {
            self.0.1.wait_for(&mut signals, wait);
        }
        *signals > 0
    }

    /// Takes the request back, for a shell in which an interrupt ends a query and not the process.
    pub fn take(&self) -> bool {
        std::mem::take(&mut *self.0.0.lock()) > 0
    }
}
