//! Words of the shell that are no SQL: ksqlDB's, and psql's short forms.

/// A word of the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Leave.
    Exit,
    /// Say what can be typed.
    Help,
    /// Empty the screen.
    Clear,
    /// Say which version this is.
    Version,
}

/// What `help` prints.
pub const HELP: &str = "\
Statements end with a semicolon; Ctrl-C stops a running query, Ctrl-D or `exit` leaves.

  SHOW STREAMS; SHOW TOPICS; SHOW QUERIES; SHOW FUNCTIONS; SHOW PROPERTIES;
  DESCRIBE name;            columns of a stream
  DESCRIBE FUNCTION name;   what a function takes and gives
  PRINT 'topic' FROM BEGINNING;
  SELECT ... FROM stream EMIT CHANGES;
  CREATE STREAM name AS SELECT ... FROM stream;
  TERMINATE query-id;       stops a persistent query for good
  SET 'auto.offset.reset' = 'earliest';

  help \\?   clear   version   exit \\q";

/// The word that `text` is, with or without a semicolon.
pub fn parse(text: &str) -> Option<Word> {
    let word = text.trim().trim_end_matches(';').trim_end().to_ascii_lowercase();
    Some(match word.as_str() {
        "exit" | "quit" | "\\q" => Word::Exit,
        "help" | "\\?" | "\\h" => Word::Help,
        "clear" => Word::Clear,
        "version" => Word::Version,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_statements_are_none() {
        assert_eq!(parse(" EXIT; "), Some(Word::Exit));
        assert_eq!(parse("\\?"), Some(Word::Help));
        assert_eq!(parse("SHOW TOPICS;"), None);
    }
}
