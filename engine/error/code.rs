//! What kind of mistake an error is about: a small set of names that programs can match on.
//!
//! Texts of errors may change with any release, codes do not. The kinds are those that SQL engines tell apart by
//! `SQLSTATE`; the names are spelled out, as nobody remembers `42703`.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The kind of mistake an error is about. Stable: texts may change, codes do not; there may be more of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The name, in lower case with underscores.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Code::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// The text is no statement of the grammar.
    Syntax = "syntax",
    /// A literal cannot be read as what it must be: a number out of range, a text that is no timestamp.
    InvalidLiteral = "invalid_literal",
    /// The statement is longer or nested deeper than the engine takes.
    TooComplex = "too_complex",
    /// It is understood and not built yet.
    Unsupported = "unsupported",

    /// No stream or table has this name, or no source of the query this alias.
    UnknownSource = "unknown_source",
    /// No column has this name, or the struct no such field.
    UnknownColumn = "unknown_column",
    /// No function has this name.
    UnknownFunction = "unknown_function",
    /// No type has this name.
    UnknownType = "unknown_type",
    /// The cluster has no topic of this name.
    UnknownTopic = "unknown_topic",
    /// No query has this id.
    UnknownQuery = "unknown_query",
    /// No connector, or no class of connectors, has this name.
    UnknownConnector = "unknown_connector",
    /// No variable has this name.
    UnknownVariable = "unknown_variable",
    /// A name could mean more than one column.
    AmbiguousColumn = "ambiguous_column",
    /// The arguments fit more than one form of the function.
    AmbiguousFunction = "ambiguous_function",
    /// A name stands twice where each may stand once.
    DuplicateName = "duplicate_name",
    /// What is to be created is there already, and is another.
    AlreadyExists = "already_exists",
    /// The name belongs to what every record or window has.
    ReservedName = "reserved_name",

    /// No property has this name.
    UnknownProperty = "unknown_property",
    /// A property that is needed is not given.
    MissingProperty = "missing_property",
    /// A property cannot have this value.
    InvalidPropertyValue = "invalid_property_value",
    /// A property does not go with another one, or with this statement.
    ConflictingProperties = "conflicting_properties",

    /// Two types do not meet, or an expression has another type than its place asks for.
    TypeMismatch = "type_mismatch",
    /// A function does not take these arguments.
    WrongArgumentTypes = "wrong_argument_types",
    /// There is no cast between these types.
    InvalidCast = "invalid_cast",
    /// The type of a `NULL`, or of something empty, cannot be told.
    UntypedNull = "untyped_null",

    /// Columns that a stream or table cannot have, or that it must have and has not.
    InvalidSchema = "invalid_schema",
    /// A key that cannot be one.
    InvalidKey = "invalid_key",
    /// The projection leaves out what becomes the key.
    MissingKey = "missing_key",
    /// The columns or values given are not those of the target.
    SchemaMismatch = "schema_mismatch",
    /// A format cannot hold this: a type, so many columns, or none, a value without its wrapping.
    UnsupportedFormatType = "unsupported_format_type",
    /// A stream stands where a table must, or a table where a stream must.
    WrongKind = "wrong_kind",
    /// It can be read and not written.
    ReadOnly = "read_only",
    /// It cannot be replaced or altered this way.
    NotReplaceable = "not_replaceable",
    /// It cannot go while others use it.
    InUse = "in_use",
    /// The topic on the cluster is not as the statement says.
    TopicMismatch = "topic_mismatch",

    /// A clause, a function or a statement cannot stand where it does.
    Misplaced = "misplaced",
    /// Grouping and aggregates do not go together like this.
    InvalidAggregation = "invalid_aggregation",
    /// The sources cannot be joined like this.
    InvalidJoin = "invalid_join",
    /// A window cannot be like this, or be used here.
    InvalidWindow = "invalid_window",
    /// What an `ASSERT` states does not hold.
    AssertionFailed = "assertion_failed",

    /// The source or the library of a function cannot be used, or a model that a function scores with.
    InvalidLibrary = "invalid_library",
    /// A file that a statement names cannot be used.
    InvalidFile = "invalid_file",

    /// A mistake in a statement that has no code of its own.
    InvalidStatement = "invalid_statement",
    /// The command line, a configuration file or an environment variable is wrong.
    Usage = "usage",
    /// A record cannot be read or written.
    BadRecord = "bad_record",
    /// Something outside failed: a broker, a disk, a port.
    External = "external",
    /// A bug of this engine.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unlike_each_other_and_in_one_style() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        assert_eq!(Code::UnknownColumn.to_string(), "unknown_column");
    }

    #[test]
    fn a_meaning_is_a_sentence() {
        for code in Code::ALL {
            let meaning = code.meaning();
            assert!(meaning.ends_with('.') && meaning.starts_with(char::is_uppercase), "{code}: {meaning}");
        }
    }
}
