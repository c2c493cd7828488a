//! The processing log as the session sees it: its topic, and the stream over it.

use std::sync::Arc;

use super::engine::Shared;
use super::topics;
use crate::error::{Error, Result, Span};
use crate::runtime::processing_log::ProcessingLog;
use crate::sql::ast::StatementKind;
use crate::sql::planner::{self, Context, Defaults};
use crate::types::TopicSpec;

/// Where it says things.
const SUBJECT: &str = "processing log";

/// The columns, as ksqlDB declares them; the last five are ours.
const COLUMNS: &str = "logger VARCHAR, level VARCHAR, time BIGINT, message STRUCT<`type` INT, \
     deserializationError STRUCT<target VARCHAR, errorMessage VARCHAR, recordB64 VARCHAR, cause ARRAY<VARCHAR>, \
     `topic` VARCHAR>, recordProcessingError STRUCT<errorMessage VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>>, \
     productionError STRUCT<errorMessage VARCHAR>, serializationError STRUCT<target VARCHAR, errorMessage VARCHAR, \
     record VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>, kafkaStreamsThreadError STRUCT<errorMessage VARCHAR, \
     threadName VARCHAR, cause ARRAY<VARCHAR>>>, queryId VARCHAR, sourceTopic VARCHAR, sourcePartition INT, \
     sourceOffset BIGINT, leftOut BIGINT";

/// The topic of an engine's log.
fn topic(shared: &Shared) -> String {
    match shared.settings.get("logging.processing.topic.name") {
        "" => format!("{}_ksql_processing_log", shared.service),
        name => name.to_string(),
    }
}

/// Adds the stream to the catalog, unless a setting says otherwise. Neither the topic nor an entry in the statements topic
/// is made.
pub(super) fn declare(shared: &Shared) -> Result<()> {
    let settings = &shared.settings;
    if settings.get("logging.processing.stream.auto.create") != "true" {
        return Ok(());
    }
    let quoted = |text: &str, quote: &str| format!("{quote}{}{quote}", text.replace(quote, &quote.repeat(2)));
    let statement = format!(
        "CREATE SOURCE STREAM {} ({COLUMNS}) WITH (KAFKA_TOPIC = {}, VALUE_FORMAT = 'JSON', PARTITIONS = 1);",
        quoted(settings.get("logging.processing.stream.name"), "`"),
        quoted(&topic(shared), "'"),
    );
    let parsed = crate::sql::parse_statements(&statement)?;
    let Some(StatementKind::CreateSource(create)) = parsed.first().map(|statement| &statement.kind) else {
        return Err(Error::internal("the stream of the processing log is no stream"));
    };
    let catalog = shared.catalog.snapshot();
    let (functions, defaults) = (shared.functions.snapshot(), Defaults::default());
    let context = Context { catalog: &catalog, functions: &functions, defaults, statement: &statement };
    let relation = planner::create_source(&context, create)?;
    shared.catalog.change(|catalog| catalog.add_relation(relation, false, Span::default()))
}

/// The log of this engine, its topic made if it is not there yet. A cluster that does not allow that is told about once, and
/// the engine goes on without a log.
pub(super) fn open(shared: &Shared) -> Option<Arc<ProcessingLog>> {
    let mut log = shared.processing_log.lock();
    if log.is_none() {
        *log = Some(make(shared).unwrap_or_else(|error| {
            shared.notices.warning(SUBJECT, format!("there will be none: {error}"));
            None
        }));
    }
    log.clone().flatten()
}

/// The log of this engine, if it is there already: who only reads makes no topic.
pub(super) fn opened(shared: &Shared) -> Option<Arc<ProcessingLog>> {
    shared.processing_log.lock().clone().flatten()
}

fn make(shared: &Shared) -> Result<Option<Arc<ProcessingLog>>> {
    let topic = topic(shared);
    if shared.settings.get("logging.processing.topic.auto.create") == "true" {
        topics::ensure_quietly(shared, &TopicSpec { partitions: Some(1), ..TopicSpec::named(&topic) })?;
    } else if !topics::is_there(shared, &topic)? {
        return Ok(None);
    }
    let shows_bytes = shared.settings.get("logging.processing.rows.include") == "true";
    Ok(Some(Arc::new(ProcessingLog::new(Arc::clone(&shared.producer), &topic, shows_bytes))))
}
