//! What the engine says on its own: starts, retries, bad records. A front end decides where it goes.

use std::fmt;
use std::sync::Arc;

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be; work goes on.
    Warning,
    /// Something stopped.
    Error,
}

/// One thing the engine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// Whom it is about: a query, a connector, a topic; empty when it is about the engine.
    pub subject: String,
    /// What there is to say, one line.
    pub text: String,
}

/// Where notices go. Cheap to clone; called from many threads.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notices {
    /// Notices that go to `sink`.
    pub fn new(sink: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Notices(Arc::new(sink))
    }

    /// Notices that nobody reads.
    pub fn silent() -> Self {
        Notices::new(|_| {})
    }

    /// Says something.
    pub fn say(&self, level: Level, subject: &str, text: impl Into<String>) {
        (self.0)(Notice { level, subject: subject.to_string(), text: text.into() });
    }

    /// Says something that is good to know.
    pub fn info(&self, subject: &str, text: impl Into<String>) {
        self.say(Level::Info, subject, text);
    }

    /// Says that something is not as it should be.
    pub fn warning(&self, subject: &str, text: impl Into<String>) {
        self.say(Level::Warning, subject, text);
    }

    /// Says that something stopped.
    pub fn error(&self, subject: &str, text: impl Into<String>) {
        self.say(Level::Error, subject, text);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}
