//! What may come next, for a shell's completion: the text up to the cursor is read, and what the cursor of the parser
//! noted at its end is the answer. Grammar and completion so cannot disagree.

use super::Parser;

/// What may follow a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Next {
    /// Keywords and phrases of keywords (`IF NOT EXISTS`), in upper case, without repetition.
    pub words: Vec<&'static str>,
    /// What else: `an expression`, `a stream or table`, `a column name` and the like, as errors say it.
    pub kinds: Vec<&'static str>,
}

impl Next {
    /// Whether something of this kind may follow.
    pub fn takes(&self, kind: &str) -> bool {
        self.kinds.contains(&kind)
    }
}

/// What may follow `text`, which begins a statement and breaks off between two tokens.
///
/// `None` when something in it is wrong already, or when nothing is known.
pub fn next(text: &str) -> Option<Next> {
    let mut parser = Parser::new(text).ok()?;
    // How it ends does not matter: both a statement that is whole and one that is not have left their notes.
    let _ = parser.whole_statement();
    let end = parser.tokens.len() - 1;
    if parser.expected_at != end {
        return None;
    }
    let is_word = |what: &&str| what.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
    let mut next = Next::default();
    for what in parser.expected.iter().chain(&parser.also_possible).copied() {
        let list = if is_word(&what) {
            &mut next.words
        } else if what.contains(|c: char| c.is_ascii_alphabetic()) {
            &mut next.kinds
        } else {
            continue;
        };
        let what = match what {
            // Behind START AT it is a consumer group.
            "GROUP" if !parser.expected.contains(&"EARLIEST") => "GROUP BY",
            "PARTITION" => "PARTITION BY",
            "START" => "START AT",
            what => what,
        };
        if !list.contains(&what) {
            list.push(what);
        }
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&'static str> {
        let mut words = next(text).unwrap_or_else(|| panic!("nothing is known behind {text:?}")).words;
        words.sort_unstable();
        words
    }

    #[test]
    fn keywords_are_those_of_the_place() {
        assert!(words("").contains(&"SELECT") && words("").contains(&"CREATE"));
        assert_eq!(words("SELECT * FROM s EMIT "), ["CHANGES", "FINAL"]);
        assert_eq!(words("SELECT * FROM s EMIT CHANGES "), ["LIMIT"]);
        assert_eq!(words("SELECT * FROM s START AT "), ["EARLIEST", "GROUP", "LATEST", "OFFSETS"]);
        assert_eq!(words("DROP STREAM s "), ["DELETE"]);
        assert_eq!(words("PRINT t "), ["FROM", "INTERVAL", "LIMIT", "SAMPLE"]);
        assert!(words("CREATE STREAM ").contains(&"IF NOT EXISTS"));
        let clauses = words("SELECT a FROM s ");
        for clause in ["AS", "EMIT", "GROUP BY", "JOIN", "LIMIT", "PARTITION BY", "WHERE", "WINDOW"] {
            assert!(clauses.contains(&clause), "{clause} is missing in {clauses:?}");
        }
        assert!(words("SELECT a ").contains(&"FROM") && words("SELECT a ").contains(&"AS"));
        assert!(words("CREATE STREAM s (a ").contains(&"BIGINT"));
    }

    #[test]
    fn names_say_of_what() {
        for (text, kind) in [
            ("SELECT ", "an expression"),
            ("SELECT a + ", "an expression"),
            ("SELECT ABS(", "an expression"),
            ("SELECT a FROM ", "a stream or table"),
            ("SELECT s.", "a column name"),
            ("SELECT a->", "a field name"),
            ("INSERT INTO ", "a stream or table"),
            ("INSERT INTO s (", "a column name"),
            ("DESCRIBE ", "a stream or table"),
            ("DESCRIBE FUNCTION ", "a function"),
            ("TERMINATE ", "a query's id"),
            ("DROP CONNECTOR ", "a connector"),
            ("PRINT ", "a topic"),
            ("CREATE STREAM s WITH (", "a property name"),
            ("CREATE STREAM s WITH (format=", "a literal"),
            ("SET ", "a property's name in single quotes"),
            ("SET 'x' = ", "a value in single quotes"),
            ("UNDEFINE ", "a variable's name"),
            ("RUN SCRIPT ", "a file name in single quotes"),
        ] {
            let next = next(text).unwrap_or_else(|| panic!("nothing is known behind {text:?}"));
            assert!(next.takes(kind), "{text:?}: {next:?}");
        }
    }

    #[test]
    fn behind_a_mistake_nothing_is_known() {
        assert_eq!(next("SELECT FROM s WHERE "), None);
        assert_eq!(next("SELECT 'a"), None);
    }
}
