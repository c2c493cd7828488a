//! What a connector's thread and those who steer it say to each other: state, last error, pause and stop.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::connector::{LastError, State};
use crate::error::Error;

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Bring records.
    Run,
    /// Make safe what is under way, and wait.
    Pause,
    /// Make safe what is under way, and end.
    Stop,
}

#[derive(Debug)]
struct Inner {
    state: State,
    last_error: Option<LastError>,
    is_paused: bool,
    is_stopped: bool,
    /// Whether the thread has ended.
    is_over: bool,
}

/// One connector's control. Its thread tells the state, others tell their wishes.
#[derive(Debug)]
pub struct Control {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Control {
    /// A connector that is about to run, or to wait when it starts paused.
    pub fn new(paused: bool) -> Control {
        let state = if paused { State::Paused } else { State::Running };
        let inner = Inner { state, last_error: None, is_paused: paused, is_stopped: false, is_over: false };
        Control { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    /// The latest thing that went wrong.
    pub fn last_error(&self) -> Option<LastError> {
        self.inner.lock().last_error.clone()
    }

    /// What the thread is to do now.
    pub fn wish(&self) -> Wish {
        self.inner.lock().wish()
    }

    /// Says what it is doing. A state in which no record comes any more stays.
    pub fn enter(&self, state: State) {
        let mut inner = self.inner.lock();
        if !inner.state.is_over() {
            inner.state = state;
            self.changed.notify_all();
        }
    }

    /// Says what went wrong, with the state that follows from it.
    pub fn fail(&self, state: State, error: &Error) {
        self.inner.lock().last_error = Some(LastError::now(error));
        self.enter(state);
    }

    /// Says that the thread has ended.
    pub fn end(&self) {
        self.inner.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits at most so long, less when a wish other than [`Wish::Run`] comes; gives the wish.
    pub fn wait(&self, time: Duration) -> Wish {
        let mut inner = self.inner.lock();
        let deadline = Instant::now() + time;
        while inner.wish() == Wish::Run && !self.changed.wait_until(&mut inner, deadline).timed_out() {}
        inner.wish()
    }

    /// Waits while it is paused.
    pub fn wait_paused(&self) -> Wish {
        let mut inner = self.inner.lock();
        while inner.wish() == Wish::Pause {
            self.changed.wait(&mut inner);
        }
        inner.wish()
    }

    /// Asks the thread to pause or to go on.
    pub fn ask_pause(&self, paused: bool) {
        self.inner.lock().is_paused = paused;
        self.changed.notify_all();
    }

    /// Asks the thread to end.
    pub fn ask_stop(&self) {
        self.inner.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// Waits at most so long until the state is one of those wanted, or the thread has ended; gives whether it came to that.
    pub fn wait_state(&self, wanted: impl Fn(State) -> bool, time: Duration) -> bool {
        let mut inner = self.inner.lock();
        let deadline = Instant::now() + time;
        while !wanted(inner.state) && !inner.is_over {
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return wanted(inner.state);
            }
        }
        true
    }

    /// Waits at most so long for the thread's end; gives whether it came.
    pub fn wait_end(&self, time: Duration) -> bool {
        let mut inner = self.inner.lock();
        let deadline = Instant::now() + time;
        while !inner.is_over {
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return inner.is_over;
            }
        }
        true
    }
}

impl Inner {
    fn wish(&self) -> Wish {
        match (self.is_stopped, self.is_paused) {
            (true, _) => Wish::Stop,
            (false, true) => Wish::Pause,
            (false, false) => Wish::Run,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_stop_ends_every_wait() {
        let control = Arc::new(Control::new(true));
        let other = Arc::clone(&control);
        let thread = std::thread::spawn(move || {
            let wish = other.wait_paused();
            other.end();
            wish
        });
        control.ask_stop();
        assert!(control.wait_end(Duration::from_secs(20)));
        assert_eq!(thread.join().expect("no panic"), Wish::Stop);
        assert_eq!(control.wait(Duration::from_secs(3600)), Wish::Stop, "at once");
    }

    #[test]
    fn a_connector_that_is_over_stays_so() {
        let control = Control::new(false);
        control.fail(State::Failed, &Error::external("gone"));
        control.enter(State::Running);
        assert_eq!(control.state(), State::Failed);
        assert_eq!(control.last_error().map(|last| last.text).as_deref(), Some("gone"));
    }
}
