//! The names that completion can offer, and where they come from. Everything but topics is in memory; topics are asked
//! for in the background, because the typing thread must never wait for a broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::catalog::Catalog;
use crate::error::Result;
use crate::functions::FunctionRegistry;
use crate::session::{Engine, Session};

/// How long the typing thread waits for topics that are on their way. An embedded broker answers much faster.
const PATIENCE: Duration = Duration::from_millis(50);
/// After how long topics are asked for again.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long a broker may take to answer in the background.
const ANSWER: Duration = Duration::from_secs(10);

/// What there is by name.
pub trait Names: Send {
    /// Streams, tables, queries, connectors.
    fn catalog(&self) -> Arc<Catalog>;
    /// Functions.
    fn functions(&self) -> Arc<FunctionRegistry>;
    /// Topics, as far as they are known.
    fn topics(&self) -> Vec<String>;
    /// Variables of `DEFINE`.
    fn variables(&self) -> Vec<String>;

    /// Whether there is a function of this name (upper case).
    fn has_function(&self, name: &str) -> bool {
        self.functions().get(name).is_some()
    }
}

/// The names of a session. Clones share what they know of topics and variables.
#[derive(Clone)]
pub struct SessionNames {
    engine: Engine,
    topics: TopicCache,
    variables: Arc<Mutex<Vec<String>>>,
}

impl SessionNames {
    /// The names that a session knows.
    pub fn new(session: &Session) -> SessionNames {
        let names =
            SessionNames { engine: session.engine().clone(), topics: TopicCache::default(), variables: Arc::default() };
        names.refresh(session);
        names
    }

    /// Takes over what only the session knows; called after each statement.
    pub fn refresh(&self, session: &Session) {
        *self.variables.lock() = session.variables().map(|(name, _)| name.to_string()).collect();
    }
}

impl Names for SessionNames {
    fn catalog(&self) -> Arc<Catalog> {
        self.engine.catalog()
    }

    fn functions(&self) -> Arc<FunctionRegistry> {
        self.engine.functions()
    }

    fn topics(&self) -> Vec<String> {
        let engine = self.engine.clone();
        self.topics.get(move || engine.topics(ANSWER))
    }

    fn variables(&self) -> Vec<String> {
        self.variables.lock().clone()
    }
}

/// Names of topics, as they were when a broker was asked last.
#[derive(Clone, Default)]
pub struct TopicCache(Arc<(Mutex<Known>, Condvar)>);

#[derive(Default)]
struct Known {
    names: Vec<String>,
    as_of: Option<Instant>,
    asking: bool,
}

impl TopicCache {
    /// What is known, after `ask` had a moment to answer when that is old. It runs on a thread of its own, one at a time.
    pub fn get(&self, ask: impl FnOnce() -> Result<Vec<String>> + Send + 'static) -> Vec<String> {
        let (known, answered) = &*self.0;
        let mut known = known.lock();
        if !known.asking && known.as_of.is_none_or(|as_of| as_of.elapsed() > FRESH_FOR) {
            let cache = self.clone();
            let body = move || {
                let answer = ask();
                let (known, answered) = &*cache.0;
                let mut known = known.lock();
                known.asking = false;
                known.as_of = Some(Instant::now());
                // A broker that is away for a moment is no reason to forget its topics.
                if let Ok(names) = answer {
                    known.names = names;
                }
                answered.notify_all();
            };
            known.asking = std::thread::Builder::new().name("topics".into()).spawn(body).is_ok();
        }
        let deadline = Instant::now() + PATIENCE;
        while known.asking && !answered.wait_until(&mut known, deadline).timed_out() {}
        known.names.clone()
    }
}

/// Names given by hand, for tests.
#[cfg(test)]
pub mod fixed {
    use super::*;
    use crate::catalog::{Relation, RelationKind};
    use crate::error::Span;
    use crate::types::{Column, FormatName, FormatSpec, Schema, TopicSpec};

    /// Names that do not change.
    #[derive(Default)]
    pub struct FixedNames {
        /// Relations.
        pub catalog: Catalog,
        /// Topics.
        pub topics: Vec<String>,
        /// Variables.
        pub variables: Vec<String>,
    }

    /// No names but those of the functions.
    pub fn none() -> FixedNames {
        FixedNames::default()
    }

    impl FixedNames {
        /// Adds a stream of these columns.
        pub fn stream(mut self, name: &str, columns: Vec<Column>) -> Self {
            let relation = Relation {
                name: name.into(),
                kind: RelationKind::Stream,
                schema: Schema::new(columns),
                topic: TopicSpec::named(name.to_lowercase()),
                key_format: FormatSpec::new(FormatName::Kafka),
                value_format: FormatSpec::new(FormatName::Json),
                timestamp: None,
                window: None,
                read_only: false,
                sink_of: None,
                statement: String::new(),
            };
            self.catalog.add_relation(relation, false, Span::default()).expect("the name is free");
            self
        }
    }

    impl Names for FixedNames {
        fn catalog(&self) -> Arc<Catalog> {
            Arc::new(self.catalog.clone())
        }

        fn functions(&self) -> Arc<FunctionRegistry> {
            Arc::new(FunctionRegistry::builtin())
        }

        fn topics(&self) -> Vec<String> {
            self.topics.clone()
        }

        fn variables(&self) -> Vec<String> {
            self.variables.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_broker_that_is_slow_does_not_hold_up_typing() {
        let cache = TopicCache::default();
        let (answer, wait) = channel::<Vec<String>>();
        let begun = Instant::now();
        let known = cache.get(move || Ok(wait.recv().expect("the test answers")));
        assert!(known.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        // While one is asked, nobody else is.
        assert!(cache.get(|| panic!("asked twice")).is_empty());
        answer.send(vec!["readings".into()]).expect("it waits");
        let deadline = Instant::now() + Duration::from_secs(10);
        while cache.get(|| Ok(vec!["readings".into()])).is_empty() {
            assert!(Instant::now() < deadline, "the answer never came");
        }
        assert_eq!(cache.get(|| panic!("it is fresh")), ["readings"]);
    }
}
