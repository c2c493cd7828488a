//! `help` and its topics: what can be typed, short, with an example each. A test runs every example past the parser.

use std::fmt::Write;

use super::commands::COMMANDS;
use crate::catalog::nearest;
use crate::config::SETTINGS;
use crate::error::{Error, Result};
use crate::functions::FunctionRegistry;

/// A statement, or several of a kind.
struct Statement {
    /// What it is asked for by.
    name: &'static str,
    /// Its form; brackets mean optional.
    form: &'static str,
    /// What it does.
    about: &'static str,
    /// It in use.
    example: &'static str,
}

const STATEMENTS: &[Statement] = &[
    Statement {
        name: "select",
        form: "SELECT item [AS name], ... FROM source [[AS] alias] [START AT place] [UNTIL place]\n  [WHERE condition] [EMIT CHANGES] [LIMIT n]\n  place: EARLIEST | LATEST | OFFSETS (n, ...) | 'time'; START AT GROUP 'name': where a group stood",
        about: "rows as they come, until LIMIT or Ctrl-C; without EMIT CHANGES what the topic holds now",
        example: "SELECT sensor, celsius * 1.8 + 32 AS fahrenheit FROM readings WHERE celsius > 30 EMIT CHANGES;",
    },
    Statement {
        name: "assert topic",
        form: "ASSERT [NOT EXISTS] TOPIC topic [WITH (PARTITIONS=n, REPLICAS=n)] [TIMEOUT n unit]",
        about: "waits until a topic is there, or is not; a second when no TIMEOUT is given",
        example: "ASSERT TOPIC readings WITH (partitions=2) TIMEOUT 10 SECONDS;",
    },
    Statement {
        name: "create stream",
        form: "CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name (column type [KEY], ...)\n  WITH (KAFKA_TOPIC='topic', VALUE_FORMAT='JSON' [, PARTITIONS=n] ...)",
        about: "a stream over a topic; the topic is made when PARTITIONS says so, or on the embedded broker",
        example: "CREATE STREAM readings (sensor VARCHAR KEY, celsius DOUBLE) WITH (kafka_topic='readings', value_format='JSON', partitions=2);",
    },
    Statement {
        name: "create stream as select",
        form: "CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name [WITH (...)] AS\n  SELECT ... FROM source [WHERE condition]",
        about: "a persistent query: it runs until TERMINATE, and its result is a stream",
        example: "CREATE STREAM hot AS SELECT * FROM readings WHERE celsius > 30;",
    },
    Statement {
        name: "insert into",
        form: "INSERT INTO stream [(column, ...)] VALUES (value, ...)\nINSERT INTO stream SELECT ... FROM source",
        about: "one record, or another persistent query into the same stream",
        example: "INSERT INTO readings (sensor, celsius) VALUES ('a', 31.5);",
    },
    Statement {
        name: "print",
        form: "PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]",
        about: "the records of a topic, whatever their format",
        example: "PRINT 'readings' FROM BEGINNING LIMIT 3;",
    },
    Statement {
        name: "show",
        form: "SHOW | LIST  STREAMS | TABLES | [ALL] TOPICS | QUERIES [EXTENDED]\nSHOW | LIST  FUNCTIONS | CONNECTORS | CONNECTOR PLUGINS | TYPES | VARIABLES | PROPERTIES",
        about: "what there is",
        example: "SHOW QUERIES;",
    },
    Statement {
        name: "describe",
        form: "DESCRIBE name [EXTENDED]\nDESCRIBE FUNCTION name\nDESCRIBE CONNECTOR name",
        about: "columns of a stream or table, forms of a function, state of a connector",
        example: "DESCRIBE readings;",
    },
    Statement {
        name: "explain",
        form: "EXPLAIN query-id\nEXPLAIN statement",
        about: "how a query runs",
        example: "EXPLAIN SELECT * FROM readings EMIT CHANGES;",
    },
    Statement {
        name: "terminate",
        form: "TERMINATE query-id | ALL\nPAUSE query-id | ALL\nRESUME query-id | ALL",
        about: "stops a persistent query for good, or for a while",
        example: "TERMINATE CSAS_HOT;",
    },
    Statement {
        name: "drop",
        form: "DROP STREAM | TABLE [IF EXISTS] name [DELETE TOPIC]\nDROP CONNECTOR [IF EXISTS] name",
        about: "forgets a stream, table or connector; its topic stays unless told otherwise",
        example: "DROP STREAM IF EXISTS hot DELETE TOPIC;",
    },
    Statement {
        name: "create function",
        form: "CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] name FROM 'path'\nDROP FUNCTION [IF EXISTS] name",
        about: "a function from Rust source, built with cargo; DESCRIBE FUNCTION shows what it takes",
        example: "CREATE FUNCTION zscore FROM 'zscore.rs';",
    },
    Statement {
        name: "create connector",
        form: "CREATE [OR REPLACE] SOURCE CONNECTOR [IF NOT EXISTS] name WITH ('connector.class'='class', 'property'='value', ...)\nPAUSE CONNECTOR name\nRESUME CONNECTOR name",
        about: "brings records into topics; SHOW CONNECTOR PLUGINS lists the classes",
        example: "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:1883', 'topic.regex.list'='temperature:.*temperature');",
    },
    Statement {
        name: "set",
        form: "SET 'setting' = 'value'\nUNSET 'setting'",
        about: "a setting for the statements that follow; `help settings` lists them",
        example: "SET 'auto.offset.reset' = 'earliest';",
    },
    Statement {
        name: "define",
        form: "DEFINE name = 'value'\nUNDEFINE name",
        about: "a variable, used as ${name}; ${env:NAME} is the environment's; SHOW VARIABLES lists them",
        example: "DEFINE format = 'JSON';",
    },
    Statement {
        name: "run script",
        form: "RUN SCRIPT 'file'",
        about: "the statements of a file; in a file its path is relative to that file",
        example: "RUN SCRIPT 'streams.sql';",
    },
];

/// Columns of the lists, which fit any terminal.
const WIDTH: usize = 80;

const KEYS: &str = "\
Tab          completes, lists what fits, goes to the next
Right, End   take the grey hint; Alt-Right takes a word of it
Up, Down     what was typed before
Ctrl-R       searches what was typed before
Alt-Enter    a new line
Ctrl-O       the line in $VISUAL or $EDITOR
Ctrl-L       an empty screen
Ctrl-C       stops the running query, clears the line; twice leaves
Ctrl-D       leaves";

/// Topics that are no statement: what they are asked for by, and what they say.
const GENERAL: &[(&str, &str)] = &[
    ("statements", "all statements"),
    ("commands", "commands of the shell"),
    ("functions", "all functions, a line each"),
    ("settings", "what SET takes"),
    ("keys", "keys of the line editor"),
];

/// The topics, with a line about each.
pub fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    GENERAL.iter().copied().chain(STATEMENTS.iter().map(|statement| (statement.name, statement.about)))
}

/// The help on a topic; an overview when it is empty.
///
/// # Errors
/// No topic and no function of this name, with the nearest as a hint.
pub fn on(topic: &str, functions: &FunctionRegistry) -> Result<String> {
    let topic = topic.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match topic.as_str() {
        "" => return Ok(overview()),
        "statements" | "sql" => return Ok(statements()),
        "commands" => return Ok(commands()),
        "functions" => return Ok(function_list(functions)),
        "settings" | "properties" => return Ok(settings()),
        "keys" => return Ok(KEYS.to_string()),
        _ => {}
    }
    // A statement by its name, by its first words or by one of the words in its form: `help unset`, `help pause`.
    let longer = format!("{topic} ");
    let by_name = STATEMENTS.iter().filter(|s| s.name == topic || s.name.starts_with(&longer));
    let mut found: Vec<&Statement> = by_name.collect();
    if found.is_empty() {
        let begins = |line: &str| line.to_lowercase().starts_with(&topic);
        found = STATEMENTS.iter().filter(|statement| statement.form.lines().any(begins)).collect();
    }
    if !found.is_empty() {
        return Ok(found.into_iter().map(one).collect::<Vec<_>>().join("\n\n"));
    }
    if let Some(function) = functions.get(&topic) {
        return functions.describe(&function.name, Default::default());
    }
    if let Some(command) =
        COMMANDS.iter().find(|c| c.names.iter().any(|n| n.trim_start_matches('\\') == topic.trim_start_matches('\\')))
    {
        return Ok(format!("{} {}\n  {}", command.names.join(", "), command.argument, command.about));
    }
    let error = Error::sql(format!("there is no help on {topic}"));
    let known = topics().map(|(name, _)| name).chain(functions.declarations().map(|function| &*function.name));
    Err(match nearest(&topic, known) {
        Some(near) => error.hint(format!("Did you mean {}?", near.to_lowercase())),
        None => error.hint("help lists the topics."),
    })
}

fn overview() -> String {
    "\
Statements end with a semicolon: `help statements`, `help select`.
Commands of the shell need none: `help commands`.

  CREATE STREAM readings (sensor VARCHAR KEY, celsius DOUBLE)
    WITH (kafka_topic='readings', value_format='JSON');
  INSERT INTO readings VALUES ('a', 31.5);
  SELECT sensor, celsius FROM readings EMIT CHANGES;      Ctrl-C stops it
  CREATE STREAM hot AS SELECT * FROM readings WHERE celsius > 30;
  SHOW STREAMS;  SHOW QUERIES;  DESCRIBE hot;  PRINT 'HOT' FROM BEGINNING;

More: help functions, help abs, help settings, help keys.  `exit` leaves."
        .to_string()
}

/// The form, what it does, and an example.
fn one(statement: &Statement) -> String {
    let Statement { form, about, example, .. } = statement;
    format!("{form}\n\n  {about}\n\n  {example}")
}

/// A line about a thing, folded at [`WIDTH`] columns.
fn entry(text: &mut String, name: &str, width: usize, about: &str) {
    let room = WIDTH.saturating_sub(width + 4).max(20);
    let mut line = String::new();
    let mut lines = Vec::new();
    for word in about.split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    for (n, line) in lines.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<width$}  {line}", if n == 0 { name } else { "" });
    }
}

fn statements() -> String {
    let width = STATEMENTS.iter().map(|statement| statement.name.len()).max().unwrap_or(0);
    let mut text = String::from("help NAME shows the form of one and an example.\n\n");
    for statement in STATEMENTS {
        entry(&mut text, &statement.name.to_uppercase(), width, statement.about);
    }
    text.truncate(text.trim_end().len());
    text
}

fn commands() -> String {
    let called: Vec<String> =
        COMMANDS.iter().map(|command| format!("{} {}", command.names.join(", "), command.argument)).collect();
    let width = called.iter().map(|called| called.trim_end().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (command, called) in COMMANDS.iter().zip(&called) {
        entry(&mut text, called.trim_end(), width, command.about);
    }
    text.truncate(text.trim_end().len());
    text
}

fn function_list(functions: &FunctionRegistry) -> String {
    let width = functions.declarations().map(|function| function.name.len()).max().unwrap_or(0);
    let mut text = String::from("help NAME, or DESCRIBE FUNCTION NAME;, shows what one takes and gives.\n\n");
    for function in functions.declarations() {
        entry(&mut text, &function.name, width, &function.description);
    }
    text.truncate(text.trim_end().len());
    text
}

fn settings() -> String {
    let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut text = String::from("SET 'name' = 'value'; sets one, SHOW PROPERTIES; shows all values.\n\n");
    for setting in SETTINGS {
        entry(&mut text, setting.name, width, setting.doc);
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse_statement;

    fn help(topic: &str) -> Result<String> {
        on(topic, &FunctionRegistry::builtin())
    }

    #[test]
    fn every_example_is_a_statement_and_every_topic_has_help() {
        for statement in STATEMENTS {
            parse_statement(statement.example).unwrap_or_else(|error| panic!("{}: {error}", statement.example));
        }
        for (topic, _) in topics() {
            assert!(help(topic).is_ok_and(|text| !text.is_empty()), "{topic}");
        }
        for line in overview().split(';') {
            let text = line.split("  Ctrl-C").next().unwrap_or_default();
            assert!(!text.contains("SELECT") || text.contains("FROM"), "{text}");
        }
    }

    #[test]
    fn help_finds_statements_functions_and_commands() {
        assert!(help("SELECT").is_ok_and(|text| text.starts_with("SELECT item")));
        assert!(
            help("create").is_ok_and(|text| text.contains("CREATE SOURCE CONNECTOR") && text.contains("AS\n  SELECT"))
        );
        assert!(help("unset").is_ok_and(|text| text.contains("UNSET 'setting'")));
        assert!(help("abs").is_ok_and(|text| text.contains("Name        : ABS")));
        assert!(help("watch").is_ok_and(|text| text.contains("\\watch [SECONDS]")));
        let commands = help("commands").expect("a topic");
        assert!(COMMANDS.iter().all(|command| commands.contains(command.names[0])));
        assert!(
            ["", "commands", "statements", "settings", "functions", "keys"]
                .iter()
                .all(|topic| { help(topic).is_ok_and(|text| text.lines().all(|line| line.chars().count() <= WIDTH)) })
        );
        let error = help("selct").expect_err("misspelt");
        assert_eq!(error.hint_text(), Some("Did you mean select?"));
    }
}
