//! Properties as ksqlDB, Kafka Streams and Kafka's Java clients spell them, each with what stands for it here.
//!
//! The table is data: a name, and one of
//! - a setting of ours or a property of librdkafka, whose value may be written otherwise,
//! - no meaning here, with the reason; it is accepted and told,
//! - not supported yet, or refused, with what to do instead.
//!
//! A name that is not in the table is a setting of ours or a property of librdkafka of the same name, or unknown.

use Counterpart::{Kafka, KafkaAs, NoMeaning, NotYet, Refused, Setting};

/// What stands for a property here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counterpart {
    /// A setting of ours.
    Setting(&'static str),
    /// A property of librdkafka, with the same values.
    Kafka(&'static str),
    /// A property of librdkafka whose value is written otherwise. `None` when the value is none that Java takes.
    KafkaAs(&'static str, fn(&str) -> Option<String>),
    /// Accepted without effect. The text is a reason, to be read behind "because".
    NoMeaning(&'static str),
    /// Something that is not built yet; the text says what there is instead, a full sentence.
    NotYet(&'static str),
    /// Something that will not be; the text says what to do instead, a full sentence.
    Refused(&'static str),
}

/// Prefixes of ksqlDB, Kafka Streams and of its clients, longest first; what is behind them is looked up.
const PREFIXES: &[&str] = &[
    "ksql.streams.main.consumer.",
    "ksql.streams.restore.consumer.",
    "ksql.streams.global.consumer.",
    "ksql.streams.consumer.",
    "ksql.streams.producer.",
    "ksql.streams.admin.",
    "ksql.streams.",
    "ksql.",
    "main.consumer.",
    "restore.consumer.",
    "global.consumer.",
    "consumer.",
    "producer.",
    "admin.",
];

/// The name without the prefixes under which ksqlDB knows it.
pub(super) fn bare(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// What stands for a property, by its name with or without a prefix.
pub(super) fn find(name: &str) -> Option<Counterpart> {
    let known = |name: &str| TABLE.iter().find(|(known, _)| *known == name).map(|(_, counterpart)| *counterpart);
    let family = || FAMILIES.iter().find(|(family, _)| name.starts_with(family)).map(|(_, counterpart)| *counterpart);
    known(name).or_else(|| known(bare(name))).or_else(family)
}

/// Names in Java's spelling that a user may have meant, for a suggestion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

const NO_STATE: &str = "nothing is kept outside of Kafka's topics";
const NO_CACHE: &str = "no cache holds changes back; every commit writes what changed";
const NO_REST: &str = "The server and its REST interface are not there yet; `alcedo run FILE` runs statements.";
const NO_PULL: &str =
    "Pull queries over tables are not there yet; a SELECT without EMIT CHANGES scans what a stream's topic holds.";
const NO_REGISTRY: &str = "AVRO, PROTOBUF and JSON_SR are not there yet; use JSON, DELIMITED or KAFKA.";
const NO_JAVA: &str = "Java classes are not loaded.";
const NO_AGGREGATES: &str = "GROUP BY and joins are not there yet.";
const OWN_THREAD: &str = "each query has a thread of its own; processes with one service.id share its partitions";
const FORMATS: &str = "statements say the formats of keys and values";

/// Families of properties that are answered alike.
const FAMILIES: &[(&str, Counterpart)] = &[
    ("ksql.schema.registry.", NotYet(NO_REGISTRY)),
    ("schema.registry.", NotYet(NO_REGISTRY)),
    ("ksql.query.pull.", NotYet(NO_PULL)),
    ("ksql.connect.", Refused("Connectors run in this process; SHOW CONNECTOR PLUGINS lists them.")),
    ("ksql.functions.", NotYet("Settings of functions are not there yet.")),
    ("ksql.security.", NotYet(NO_REST)),
    ("ksql.metrics.", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("ksql.streams.metrics.", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("ksql.authentication.", NotYet(NO_REST)),
    ("authentication.", NotYet(NO_REST)),
    ("ssl.client.auth", NotYet(NO_REST)),
    ("sasl.login.", Refused(NO_JAVA)),
    ("sasl.client.callback.", Refused(NO_JAVA)),
    ("confluent.", NoMeaning("it is about Confluent's own services")),
];

/// Every property that differs, by name. A prefixed name stands here only where its own meaning differs.
#[rustfmt::skip]
const TABLE: &[(&str, Counterpart)] = &[
    // ksqlDB's server.
    ("ksql.service.id", Setting("service.id")),
    ("ksql.persistence.default.format.key", Setting("persistence.default.format.key")),
    ("ksql.persistence.default.format.value", Setting("persistence.default.format.value")),
    ("ksql.logging.processing.topic.partitions", NoMeaning("the topic of the processing log has one")),
    ("ksql.logging.processing.topic.replication.factor", NoMeaning("the topic of the processing log gets the cluster's default")),
    ("ksql.fail.on.deserialization.error", Refused("Write WITH (ON_ERROR = 'fail') in the statement of the query.")),
    ("ksql.fail.on.production.error", NoMeaning("a query whose output cannot be written starts over and loses nothing")),
    ("ksql.persistence.wrap.single.values", Setting("persistence.wrap.single.values")),
    ("ksql.output.topic.name.prefix", NotYet("Write WITH (KAFKA_TOPIC = '...') in the statement.")),
    ("ksql.sink.partitions", Refused("Write WITH (PARTITIONS = ...) in the statement.")),
    ("ksql.sink.replicas", Refused("Write WITH (REPLICAS = ...) in the statement.")),
    ("ksql.queries.file", Refused("`alcedo run FILE` runs a file of statements.")),
    ("ksql.extension.dir", Refused("Java functions are not loaded; functions are written in Rust or registered by the program.")),
    ("ksql.udfs.enabled", NoMeaning("functions are always there")),
    ("ksql.udf.collect.metrics", NoMeaning("calls of functions are not counted")),
    ("ksql.udf.enable.security.manager", NoMeaning("Java classes are not loaded")),
    ("ksql.schema.registry.url", NotYet(NO_REGISTRY)),
    ("schema.registry.url", NotYet(NO_REGISTRY)),
    ("ksql.timestamp.throw.on.invalid", NoMeaning("a record without a valid time is reported and skipped")),
    ("ksql.variable.substitution.enable", NoMeaning("variables are always filled in")),
    ("ksql.lambdas.enabled", NoMeaning("the language has them")),
    ("ksql.create.or.replace.enabled", NoMeaning("CREATE OR REPLACE always works")),
    ("ksql.new.query.planner.enabled", NoMeaning("there is one planner")),
    ("ksql.suppress.enabled", NotYet("EMIT FINAL is not there yet.")),
    ("ksql.suppress.buffer.size.bytes", NotYet("EMIT FINAL is not there yet.")),
    ("ksql.windowed.session.key.legacy", NotYet("Windows are not there yet.")),
    ("ksql.multicol.key.format.enabled", NoMeaning("keys of several columns always work")),
    ("ksql.nested.error.set.null", NoMeaning("an expression that fails gives NULL and is reported")),
    ("ksql.cast.strings.preserve.nulls", NoMeaning("CAST of NULL is NULL")),
    ("ksql.query.persistent.active.limit", NoMeaning("the number of queries has no bound")),
    ("ksql.query.push.v2.enabled", NoMeaning("a push query reads its topic directly")),
    ("ksql.query.push.v2.registry.installed", NoMeaning("a push query reads its topic directly")),
    ("ksql.query.push.v2.new.latest.delay.ms", NoMeaning("a push query reads its topic directly")),
    ("ksql.query.error.max.queue.size", NoMeaning("errors are told as they happen")),
    ("ksql.query.retry.backoff.initial.ms", NoMeaning("tries wait 100 ms to 15 s")),
    ("ksql.query.retry.backoff.max.ms", NoMeaning("tries wait 100 ms to 15 s")),
    ("ksql.query.transient.max.bytes.buffering.total", NoMeaning(NO_CACHE)),
    ("ksql.query.persistent.max.bytes.buffering.total", NoMeaning(NO_CACHE)),
    ("ksql.query.cleanup.shutdown.timeout.ms", NoMeaning("a push query leaves nothing behind")),
    ("ksql.query.status.running.threshold.seconds", NoMeaning("SHOW QUERIES shows the state itself")),
    ("ksql.transient.prefix", NoMeaning("a push query has no group and no topics")),
    ("ksql.persistent.prefix", NoMeaning("names of groups follow from the service id and the query id")),
    ("ksql.statestore.suffix", NoMeaning(NO_STATE)),
    ("ksql.internal.topic.replicas", NoMeaning("the statements topic gets the cluster's default")),
    ("ksql.internal.topic.min.insync.replicas", NoMeaning("the statements topic gets the cluster's default")),
    ("ksql.metastore.backup.location", NoMeaning("statements are kept in a Kafka topic")),
    ("ksql.hidden.topics", NoMeaning("topics that begin with `_` are hidden")),
    ("ksql.readonly.topics", NoMeaning("CREATE SOURCE STREAM makes a stream read-only")),
    ("ksql.source.table.materialization.enabled", NotYet(NO_PULL)),
    ("ksql.insert.into.values.enabled", NoMeaning("INSERT INTO ... VALUES always works")),
    ("ksql.access.validator.enable", NoMeaning("the cluster's own permissions count")),
    ("ksql.pull.queries.enable", NotYet(NO_PULL)),
    ("ksql.heartbeat.enable", NoMeaning("Kafka's groups find out which process is there")),
    ("ksql.heartbeat.interval.ms", NoMeaning("Kafka's groups find out which process is there")),
    ("ksql.lag.reporting.enable", NoMeaning("DESCRIBE and the shell's last row show how far behind a query is")),
    ("ksql.endpoint.logging.log.queries", NotYet(NO_REST)),
    ("ksql.advertised.listener", NotYet(NO_REST)),
    ("ksql.internal.listener", NotYet(NO_REST)),
    ("listeners", NotYet(NO_REST)),
    ("ksql.listeners", NotYet(NO_REST)),
    ("access.control.allow.origin", NotYet(NO_REST)),
    ("ksql.properties.overrides.denylist", NotYet("Every setting may be SET in a session.")),
    ("ksql.error.classifier.regex", NoMeaning("errors say whose fault they are")),
    ("ksql.runtime.feature.shared.enabled", NoMeaning(OWN_THREAD)),
    ("ksql.shared.runtimes.count", NoMeaning(OWN_THREAD)),
    // Kafka Streams.
    ("application.id", Refused("Names of groups follow from service.id and the query id.")),
    ("application.server", NotYet(NO_PULL)),
    ("num.stream.threads", NoMeaning(OWN_THREAD)),
    ("cache.max.bytes.buffering", NoMeaning(NO_CACHE)),
    ("statestore.cache.max.bytes", NoMeaning(NO_CACHE)),
    ("state.dir", NoMeaning(NO_STATE)),
    ("state.cleanup.delay.ms", NoMeaning(NO_STATE)),
    ("num.standby.replicas", NoMeaning(NO_STATE)),
    ("acceptable.recovery.lag", NoMeaning(NO_STATE)),
    ("max.warmup.replicas", NoMeaning(NO_STATE)),
    ("probing.rebalance.interval.ms", NoMeaning(NO_STATE)),
    ("rocksdb.config.setter", Refused(NO_JAVA)),
    ("windowstore.changelog.additional.retention.ms", NotYet("Windows are not there yet.")),
    ("replication.factor", Refused("Write WITH (REPLICAS = ...) in the statement; else a sink gets as many as its source has.")),
    ("topology.optimization", NoMeaning("plans have no step that could be left out")),
    ("max.task.idle.ms", NotYet(NO_AGGREGATES)),
    ("task.timeout.ms", NoMeaning("a query is tried again for as long as it may pass")),
    ("buffered.records.per.partition", Setting("batch.rows")),
    ("poll.ms", NoMeaning("a query wakes as soon as records are there")),
    ("default.timestamp.extractor", Refused("Write WITH (TIMESTAMP = 'column') in the statement.")),
    ("default.deserialization.exception.handler", Refused("Write WITH (ON_ERROR = ...) in the statement of the query.")),
    ("default.production.exception.handler", NoMeaning("a query whose output cannot be written starts over and loses nothing")),
    ("default.key.serde", NoMeaning(FORMATS)),
    ("default.value.serde", NoMeaning(FORMATS)),
    ("upgrade.from", NoMeaning("there is no earlier protocol")),
    ("built.in.metrics.version", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("metrics.recording.level", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("metrics.num.samples", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("metrics.sample.window.ms", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("metric.reporters", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("auto.include.jmx.reporter", NoMeaning("there is no JMX; SHOW QUERIES and --stats show the counts")),
    ("__emit.interval.ms.kstreams.windowed.aggregation__", NotYet("Windows are not there yet.")),
    // Java's clients: other names, other units.
    ("sasl.mechanism", Kafka("sasl.mechanisms")),
    ("security.protocol", KafkaAs("security.protocol", lower)),
    ("ssl.endpoint.identification.algorithm", KafkaAs("ssl.endpoint.identification.algorithm", algorithm)),
    ("request.timeout.ms", Kafka("socket.timeout.ms")),
    ("metadata.max.age.ms", Kafka("topic.metadata.refresh.interval.ms")),
    ("send.buffer.bytes", KafkaAs("socket.send.buffer.bytes", system_default)),
    ("receive.buffer.bytes", KafkaAs("socket.receive.buffer.bytes", system_default)),
    ("fetch.max.wait.ms", Kafka("fetch.wait.max.ms")),
    ("max.poll.records", Setting("batch.rows")),
    ("buffer.memory", KafkaAs("queue.buffering.max.kbytes", kilobytes)),
    ("max.request.size", Kafka("message.max.bytes")),
    ("ssl.key.password", Kafka("ssl.key.password")),
    ("ssl.keystore.key", Kafka("ssl.key.pem")),
    ("ssl.keystore.certificate.chain", Kafka("ssl.certificate.pem")),
    ("ssl.truststore.certificates", Kafka("ssl.ca.pem")),
    ("ssl.enabled.protocols", NoMeaning("OpenSSL settles the version with the broker, TLS 1.2 or later")),
    ("ssl.protocol", NoMeaning("OpenSSL settles the version with the broker, TLS 1.2 or later")),
    ("ssl.provider", NoMeaning("OpenSSL is built in")),
    ("ssl.secure.random.implementation", NoMeaning("OpenSSL is built in")),
    ("ssl.trustmanager.algorithm", NoMeaning("OpenSSL is built in")),
    ("ssl.keymanager.algorithm", NoMeaning("OpenSSL is built in")),
    ("ssl.engine.factory.class", Refused(NO_JAVA)),
    ("sasl.kerberos.service.name", NotYet("Kerberos is not built in; SASL mechanisms are PLAIN and SCRAM.")),
    ("sasl.jaas.config", Refused("In a SET the connection cannot be changed.")),
    ("default.api.timeout.ms", NoMeaning("a query waits for its broker and tells it")),
    ("max.block.ms", NoMeaning("a query waits for its broker and tells it")),
    ("key.deserializer", NoMeaning(FORMATS)),
    ("value.deserializer", NoMeaning(FORMATS)),
    ("key.serializer", NoMeaning(FORMATS)),
    ("value.serializer", NoMeaning(FORMATS)),
    ("interceptor.classes", Refused(NO_JAVA)),
    ("partitioner.class", Refused("Keys go to the partitions that Kafka's Java clients choose by default.")),
    ("partitioner.ignore.keys", Refused("Keys go to the partitions that Kafka's Java clients choose by default.")),
    ("client.dns.lookup", Kafka("client.dns.lookup")),
    ("exclude.internal.topics", NoMeaning("queries read the topics that statements name")),
    ("allow.auto.create.topics", NoMeaning("topics are made by statements")),
];

fn lower(value: &str) -> Option<String> {
    Some(value.to_ascii_lowercase())
}

/// Java's empty text turns the check of the host's name off.
fn algorithm(value: &str) -> Option<String> {
    Some(if value.is_empty() { "none".to_string() } else { value.to_ascii_lowercase() })
}

/// Java's -1 leaves a size to the system, librdkafka's is 0.
fn system_default(value: &str) -> Option<String> {
    Some(value.parse::<i64>().ok()?.max(0).to_string())
}

fn kilobytes(value: &str) -> Option<String> {
    Some((value.parse::<u64>().ok()? / 1024).max(1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_named_exists_and_every_text_is_of_its_form() {
        for (name, counterpart) in TABLE.iter().chain(FAMILIES) {
            match counterpart {
                Setting(ours) => assert!(crate::config::SETTINGS.iter().any(|s| s.name == *ours), "{name}: {ours}"),
                NoMeaning(reason) => assert!(!reason.ends_with('.') && !reason.is_empty(), "{name}"),
                NotYet(hint) | Refused(hint) => assert!(hint.ends_with('.'), "{name}"),
                Kafka(_) | KafkaAs(..) => {}
            }
        }
    }

    #[test]
    fn a_name_stands_in_the_table_once() {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn prefixes_are_looked_through() {
        assert!(matches!(find("ksql.streams.consumer.max.poll.records"), Some(Setting("batch.rows"))));
        assert!(matches!(find("ksql.streams.num.stream.threads"), Some(NoMeaning(_))));
        assert!(matches!(find("producer.buffer.memory"), Some(KafkaAs("queue.buffering.max.kbytes", _))));
        assert!(matches!(find("ksql.schema.registry.basic.auth.user.info"), Some(NotYet(_))));
        assert!(find("linger.ms").is_none() && bare("ksql.streams.producer.linger.ms") == "linger.ms");
    }
}
