//! The binary as its users see it: standard output, standard error, exit code.
//!
//! - [`check`]: files checked without running anything; completions
//! - [`fmt`]: files laid out
//! - [`errors`]: mistakes in files and flags, found before anything starts
//! - [`settings`]: where a value comes from
//! - [`until_end`]: process what there is, in order, and end
//! - [`joins`]: streams that meet, and what is kept for that
//! - [`resume`]: a file run again on the same topics; [`kept`]: what the shell finds again with `--data`
//! - [`live`]: signals, closed outputs, several processes, brokers that come and go
//! - [`sharing`]: several processes of one service
//! - [`statements`]: statements about running queries
//! - [`topics`]: the shape of topics, tables' topics, `DELETE TOPIC`
//! - [`full_disk`]: no space left, and space again
//! - [`permissions`]: a cluster that refuses transactions
//! - [`limits`]: bounds and moments
//! - [`bounds`]: scans, `START AT`, `UNTIL`; [`takeover`]: going on where a query of ksqlDB stood
//! - [`bad_records`]: skip, fail, dead letters, the processing log
//! - [`devices`]: MQTT; [`connectors`]: files, generated readings, the connector statements
//! - [`test_command`]: `alcedo test`
//! - [`functions`]: functions from source
//! - [`shell`]: statements from a pipe; [`commands`]: `-e`, `-f`, scripts, commands; [`terminal`]: the shell on a terminal;
//!   [`screen`]: results on one

mod asserts;
mod bad_records;
mod bounds;
mod check;
mod commands;
mod connectors;
mod devices;
mod errors;
mod fmt;
mod full_disk;
mod functions;
mod joins;
mod kept;
mod limits;
mod live;
mod permissions;
mod resume;
mod screen;
mod settings;
mod sharing;
mod shell;
mod statements;
mod takeover;
mod terminal;
mod test_command;
mod topics;
mod until_end;

/// A chain of two queries over one stream, with three rows: two pass the first, one passes both.
const CHAIN: &str = "\
CREATE STREAM s (id INTEGER, v DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=2);
CREATE STREAM big AS SELECT id, v * 2 AS w FROM s WHERE v > 1 EMIT CHANGES;
CREATE STREAM bigger AS SELECT id, w FROM big WHERE w > 5 EMIT CHANGES;
INSERT INTO s (id, v) VALUES (1, 1.5);
INSERT INTO s (id, v) VALUES (2, 3.5);
INSERT INTO s (id, v) VALUES (3, 0.5);
";
