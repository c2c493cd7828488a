//! `ASSERT` in a session: a file says what must be there, and stops when it is not.
//!
//! A stream or table is compared when the statement is planned, with what the statements before it leave. A topic is looked
//! for when its turn comes, again and again until the timeout, since others may make it or drop it. What records must come
//! is for `alcedo test` to say, which knows all that went in.

use std::time::{Duration, Instant};

use super::engine::Shared;
use super::outcome::Outcome;
use super::statement::Action;
use crate::error::{Code, Error, Result, Span};
use crate::kafka::TopicInfo;
use crate::sql::ast::{Assert, Expr, ExprKind, Ident, Property};
use crate::sql::planner::{self, Context};
use crate::types::quote_identifier;

/// How long a topic may take to be there, or to be gone, when no timeout is given; ksqlDB's.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A topic that must be there with these numbers, or must not be there.
pub(super) struct TopicAssert {
    exists: bool,
    topic: Ident,
    partitions: Option<Wanted>,
    replicas: Option<Wanted>,
    patience: Duration,
}

/// A number, and where it was written.
struct Wanted {
    number: i64,
    span: Span,
}

/// What an assert asks for. What can be compared without the cluster is compared here.
pub(super) fn plan(assert: &Assert, context: &Context, span: Span) -> Result<Action> {
    match assert {
        Assert::Source { kind, name, columns, properties } => {
            planner::assert_source(context, *kind, name, columns, properties)?;
            Ok(Action::Nothing(format!("{} is as asserted.", quote_identifier(&name.name))))
        }
        Assert::Topic { exists, topic, properties, timeout } => {
            let mut wanted = TopicAssert {
                exists: *exists,
                topic: topic.clone(),
                partitions: None,
                replicas: None,
                patience: timeout.map_or(PATIENCE, |timeout| Duration::from_millis(timeout.millis().unsigned_abs())),
            };
            properties.iter().try_for_each(|property| wanted.set(property))?;
            Ok(Action::AssertTopic(Box::new(wanted)))
        }
        Assert::Schema { .. } => Err(Error::unsupported("ASSERT SCHEMA", span)
            .hint("There is no Schema Registry; ASSERT STREAM and ASSERT TABLE compare columns.")),
        Assert::Values { source, .. } | Assert::NullValues { source, .. } => {
            Err(Error::refused(Code::Misplaced, "ASSERT of records is for files of tests")
                .detail("a session does not know what else writes the topic")
                .hint("`alcedo test FILE` runs it.")
                .at(source.span))
        }
    }
}

impl TopicAssert {
    fn set(&mut self, property: &Property) -> Result<()> {
        let name = property.name.value.to_ascii_uppercase();
        let place = match name.as_str() {
            "PARTITIONS" => &mut self.partitions,
            "REPLICAS" => &mut self.replicas,
            _ => {
                return Err(Error::refused(Code::UnknownProperty, format!("unknown property {}", property.name.value))
                    .hint("ASSERT TOPIC compares PARTITIONS and REPLICAS.")
                    .at(property.name.span));
            }
        };
        if place.is_some() {
            return Err(
                Error::refused(Code::DuplicateName, format!("property {name} is given twice")).at(property.span)
            );
        }
        let Expr { kind: ExprKind::Integer(number), span } = property.value else {
            return Err(Error::refused(Code::InvalidPropertyValue, format!("{name} needs a whole number"))
                .at(property.value.span));
        };
        *place = Some(Wanted { number, span });
        Ok(())
    }

    /// Looks until the topic is as it must be, or the time is over, or whoever waits is `hurried`.
    pub(super) fn hold(&self, shared: &Shared, hurried: &dyn Fn() -> bool) -> Result<Outcome> {
        let deadline = Instant::now() + self.patience;
        loop {
            let Err(error) = self.check(shared.admin.topic(&self.topic.name, ANSWER)?.as_ref()) else {
                let is = if self.exists { "is as asserted" } else { "does not exist, as asserted" };
                return Ok(Outcome::Done(format!("Topic {} {is}.", self.topic.name)));
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(error);
            }
            if hurried() {
                return Err(error.detail(format!("interrupted {:.0} s before its timeout", left.as_secs_f64())));
            }
            std::thread::sleep(left.min(PAUSE));
        }
    }

    fn check(&self, found: Option<&TopicInfo>) -> Result<()> {
        let failed = |text: String, span: Span| Err(Error::refused(Code::AssertionFailed, text).at(span));
        let topic = &self.topic.name;
        match found {
            None if self.exists => failed(format!("topic {topic} does not exist"), self.topic.span),
            Some(_) if !self.exists => failed(format!("topic {topic} exists"), self.topic.span),
            None => Ok(()),
            Some(found) => {
                for (what, wanted, is) in
                    [("partitions", &self.partitions, found.partitions), ("replicas", &self.replicas, found.replicas)]
                {
                    if let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.number != i64::from(is)) {
                        let text = format!("topic {topic} has {is} {what}, expected {}", wanted.number);
                        return failed(text, wanted.span);
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ast::StatementKind;

    fn topic(text: &str) -> Result<TopicAssert> {
        let statement = crate::sql::parse_statement(text)?;
        let StatementKind::Assert(assert) = statement.kind else { panic!("an assert") };
        let catalog = crate::catalog::Catalog::new();
        let functions = crate::functions::FunctionRegistry::builtin();
        let context =
            Context { catalog: &catalog, functions: &functions, defaults: Default::default(), statement: text };
        match plan(&assert, &context, statement.span)? {
            Action::AssertTopic(topic) => Ok(*topic),
            _ => panic!("of a topic"),
        }
    }

    fn found(partitions: i32) -> TopicInfo {
        TopicInfo { name: "t".to_string(), partitions, replicas: 1, is_ready: true }
    }

    #[test]
    fn a_topic_is_there_with_its_numbers_or_not_there() {
        let there = topic("ASSERT TOPIC t WITH (partitions=3, REPLICAS=1);").expect("a good one");
        assert!(there.check(Some(&found(3))).is_ok());
        let error = there.check(Some(&found(2))).expect_err("another number");
        assert_eq!((error.message(), error.code()), ("topic t has 2 partitions, expected 3", Code::AssertionFailed));
        assert_eq!(error.span(), Some(Span::new(32, 33)));
        assert_eq!(there.check(None).expect_err("no topic").message(), "topic t does not exist");
        let gone = topic("ASSERT NOT EXISTS TOPIC t TIMEOUT 5 SECONDS;").expect("a good one");
        assert_eq!(gone.patience, Duration::from_secs(5));
        assert!(gone.check(None).is_ok());
        assert_eq!(gone.check(Some(&found(1))).expect_err("it is there").message(), "topic t exists");
        assert_eq!(there.patience, PATIENCE);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let code = |text: &str| topic(text).err().map(|error| (error.code(), error.span().is_some()));
        assert_eq!(code("ASSERT TOPIC t WITH (cleanup_policy='x');"), Some((Code::UnknownProperty, true)));
        assert_eq!(code("ASSERT TOPIC t WITH (partitions='x');"), Some((Code::InvalidPropertyValue, true)));
        assert_eq!(code("ASSERT TOPIC t WITH (partitions=1, partitions=1);"), Some((Code::DuplicateName, true)));
        assert_eq!(code("ASSERT SCHEMA SUBJECT s;"), Some((Code::Unsupported, true)));
        assert_eq!(code("ASSERT VALUES s (a) VALUES (1);"), Some((Code::Misplaced, true)));
    }
}
