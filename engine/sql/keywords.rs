//! The words of the dialect, and which of them may be used as names.
//!
//! ksqlDB keeps some of its keywords free for use as names (its `nonReserved` list) and reserves the rest. We reserve
//! the same words, except a handful it reserves without using (`LOAD`, `QUERY`, `VIEW`, ...): those are free here.
//! The printer quotes those too, so that what it prints can be read by ksqlDB.

/// Words that cannot be a name unless quoted, here and in ksqlDB. Sorted.
const RESERVED: &[&str] = &[
    "ADVANCE",
    "ALL",
    "AND",
    "AS",
    "AT",
    "BEGINNING",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CONNECTOR",
    "CONNECTORS",
    "CREATE",
    "DAYS",
    "DECIMAL",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "EXTENDED",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "HOPPING",
    "HOURS",
    "IN",
    "INNER",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LIST",
    "MILLISECOND",
    "MILLISECONDS",
    "MINUTES",
    "MONTHS",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "OUTER",
    "PRINT",
    "PROPERTIES",
    "QUERIES",
    "RETENTION",
    "RIGHT",
    "RUN",
    "SAMPLE",
    "SCRIPT",
    "SECONDS",
    "SELECT",
    "SIZE",
    "STREAM",
    "STREAMS",
    "TABLE",
    "TERMINATE",
    "THEN",
    "TOPIC",
    "TOPICS",
    "TRUE",
    "TUMBLING",
    "UNSET",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "YEARS",
];

/// Words ksqlDB reserves but uses nowhere. Sorted.
const RESERVED_UNUSED: &[&str] =
    &["CATALOG", "EXPORT", "LOAD", "MATERIALIZED", "NAMESPACE", "QUERY", "RENAME", "TO", "VIEW"];

/// Free words that begin something else in a place where a name may stand. Sorted.
const AMBIGUOUS: &[&str] = &[
    "ALTER",
    "ARRAY",
    "ASSERT",
    "COLUMN",
    "DEFINE",
    "EMIT",
    "ESCAPE",
    "EXPLAIN",
    "FUNCTION",
    "IF",
    "MAP",
    "MODEL",
    "PARTITION",
    "PAUSE",
    "RESUME",
    "SET",
    "SHOW",
    "STRUCT",
    "SYSTEM",
    "TABLES",
    "UNDEFINE",
];

/// Words of the grammar and of types that are names everywhere else. Sorted.
const FREE: &[&str] = &[
    "ADD",
    "BIGINT",
    "BOOLEAN",
    "BYTES",
    "CHANGES",
    "DATE",
    "DAY",
    "DOUBLE",
    "EARLIEST",
    "FINAL",
    "FUNCTIONS",
    "GRACE",
    "HEADER",
    "HEADERS",
    "HOUR",
    "INT",
    "INTEGER",
    "INTERVAL",
    "KEY",
    "LATEST",
    "MINUTE",
    "OFFSETS",
    "PERIOD",
    "PLUGINS",
    "PRIMARY",
    "REPLACE",
    "SCHEMA",
    "SECOND",
    "SESSION",
    "SINK",
    "SOURCE",
    "START",
    "STRING",
    "SUBJECT",
    "TIME",
    "TIMEOUT",
    "TIMESTAMP",
    "TYPE",
    "TYPES",
    "UNTIL",
    "VARCHAR",
    "VARIABLES",
];

/// Whether `word` (upper case) means something to the grammar, for a shell that shows it so. Some of these words are
/// good names, too.
pub fn is_keyword(word: &str) -> bool {
    [RESERVED, AMBIGUOUS, FREE].iter().any(|list| list.binary_search(&word).is_ok())
}

/// Whether `word` (upper case) cannot be a name unless quoted.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Whether `name` must be quoted to be read back as this name, here and in ksqlDB.
pub fn needs_quotes(name: &str) -> bool {
    let mut bytes = name.bytes();
    let bare = bytes.next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b'@');
    !bare || is_reserved(name) || RESERVED_UNUSED.binary_search(&name).is_ok() || AMBIGUOUS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_binary_search() {
        for list in [RESERVED, RESERVED_UNUSED, AMBIGUOUS, FREE] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn everyday_column_names_are_free() {
        for name in ["DATE", "TIME", "TIMESTAMP", "TYPE", "KEY", "VALUE", "ID", "SOURCE", "DAY", "LOAD", "QUERY"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn quotes_are_needed_where_folding_or_a_keyword_would_change_the_name() {
        for name in ["a", "A B", "1A", "", "SELECT", "VIEW", "EMIT", "Ä"] {
            assert!(needs_quotes(name), "{name}");
        }
        for name in ["A", "_1", "KSQL_COL_0", "TIMESTAMP", "KEY"] {
            assert!(!needs_quotes(name), "{name}");
        }
    }
}
