//! Whether a refusal is the one that a case expects: for its own reason, at the place that is to blame.
//!
//! A case states a part of ksqlDB's message. Our texts are our own, so the message is read for what it is about: its family,
//! by the words that ksqlDB's source puts into all messages of that family, gives the codes that the refusal may have, and
//! the name it quotes gives the place. A message of no known family is not judged, and is reported as such.

use crate::error::{Code, Error, Span};
use crate::sql::tokens::{Token, TokenKind, tokenize};

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The codes of refusals that say the same.
    pub codes: &'static [Code],
    /// Names or literals in the statement of which the refusal must point at one; the refusal may point anywhere when
    /// there are none, or when the statement has none of them.
    pub near: Vec<String>,
    /// The clause in which the refusal must be, by its first keyword.
    pub clause: Option<&'static str>,
}

/// Where a message names what is to blame.
#[derive(Clone, Copy)]
enum Place {
    /// Nowhere.
    Unsaid,
    /// Between two texts, the first time they enclose something.
    Between(&'static str, &'static str),
    /// Behind a text, to the end of the line.
    Behind(&'static str),
    /// In the word before a text.
    Before(&'static str),
    /// These words of the statement, whatever the message says.
    At(&'static [&'static str]),
    /// In this clause.
    In(&'static str),
}

use Code::*;
use Place::*;

/// What a grammar refuses: ksqlDB's and ours do not end at the same place.
const SYNTAX: &[Code] = &[Syntax, Misplaced, InvalidLiteral];

/// Messages by words they all have, in lower case. The first family that fits counts, so the special ones come first.
const FAMILIES: &[(&[&str], &[Code], Place)] = &[
    // Assertions of SQL tests.
    (&["does not match actual"], &[AssertionFailed], Unsaid),
    (&["expected another record"], &[AssertionFailed], Unsaid),
    (&["unexpected value columns specified in assert"], &[AssertionFailed, SchemaMismatch], Unsaid),
    // Literals and grammar.
    (&["invalid numeric literal"], &[InvalidLiteral], Behind("literal: ")),
    (&["number overflows"], &[InvalidLiteral], Behind("DOUBLE: ")),
    (&["invalid input syntax for type"], &[InvalidLiteral, TypeMismatch], Between(": \"", "\"")),
    (&["unknown statement"], &[Syntax, Misplaced], Between("statement '", "'")),
    (&["syntax error at or near"], SYNTAX, Between("near '", "'")),
    (&["syntax error", "missing '"], SYNTAX, Between("' at '", "'")),
    (&["extraneous input"], SYNTAX, Between("input '", "'")),
    (&["mismatched input"], SYNTAX, Between("input '", "'")),
    (&["no viable alternative"], SYNTAX, Unsaid),
    (&["syntax error"], SYNTAX, Unsaid),
    (&["statement is too large"], &[TooComplex], Unsaid),
    // Properties.
    (&["configuration ", " is invalid"], &[InvalidPropertyValue], Between("onfiguration ", " is invalid")),
    (&["cannot supply both"], &[ConflictingProperties], Between("both '", "'")),
    (&["should not be set for session windows"], &[ConflictingProperties], Between("'", "'")),
    (&["windows require ", "with clause"], &[MissingProperty], Unsaid),
    (&["is missing the ", "property"], &[MissingProperty], Unsaid),
    (&["missing required property"], &[MissingProperty], Unsaid),
    (&["invalid config variable"], &[UnknownProperty], Behind("clause: ")),
    (&["unknown property"], &[UnknownProperty], Behind("property: ")),
    (&["error in with clause property"], &[InvalidPropertyValue], Between("property '", "'")),
    (&["unknown format"], &[InvalidPropertyValue], Behind("ormat: ")),
    (&["unknown window type"], &[InvalidPropertyValue], Between("type: '", "'")),
    (&["invalid duration"], &[InvalidPropertyValue, InvalidLiteral], At(&["WINDOW_SIZE"])),
    (&["delimiter cannot be empty"], &[InvalidPropertyValue], At(&["KEY_DELIMITER", "VALUE_DELIMITER"])),
    (&["invalid delimiter value"], &[InvalidPropertyValue], At(&["KEY_DELIMITER", "VALUE_DELIMITER"])),
    (
        &["does not support the following configs", "delimiter"],
        &[ConflictingProperties],
        At(&["KEY_DELIMITER", "VALUE_DELIMITER"]),
    ),
    (&["'wrap_single_value'"], &[UnsupportedFormatType, ConflictingProperties], At(&["WRAP_SINGLE_VALUE"])),
    (&["invalid datetime format"], &[InvalidPropertyValue], At(&["TIMESTAMP_FORMAT"])),
    (&["timestamp column set in the with clause does not exist"], &[UnknownColumn], Between("schema: '", "'")),
    (&["timestamp column", "should be"], &[InvalidPropertyValue, TypeMismatch], At(&["TIMESTAMP"])),
    (
        &["string timestamp field has been specified without"],
        &[MissingProperty, InvalidPropertyValue],
        At(&["TIMESTAMP"]),
    ),
    (
        &["can only be used when the timestamp column is of type string"],
        &[ConflictingProperties, InvalidPropertyValue],
        At(&["TIMESTAMP_FORMAT"]),
    ),
    (&["key format specified for stream without key columns"], &[ConflictingProperties], At(&["KEY_FORMAT", "FORMAT"])),
    // Declared columns.
    (&["reserved column name"], &[ReservedName], Between("`", "`")),
    (&["please use 'primary key' for tables"], &[InvalidKey], Between("`", "`")),
    (&["please use 'key' for streams"], &[InvalidKey], Between("`", "`")),
    (&["tables require a primary key"], &[InvalidSchema, InvalidKey], Unsaid),
    (&["tables require key columns"], &[InvalidSchema, InvalidKey], Unsaid),
    (&["windowed sources require a key column"], &[InvalidSchema, InvalidKey], Unsaid),
    (&["does not define any columns"], &[InvalidSchema], Unsaid),
    (&["no columns supplied"], &[InvalidSchema], Unsaid),
    (&["duplicate column names"], &[DuplicateName], Behind("names: ")),
    (&["duplicate field names"], &[DuplicateName], Between("'", "'")),
    (&["a column with the same name already exists"], &[DuplicateName], Between("column ", " to")),
    (&["schema already contains a header"], &[InvalidSchema, DuplicateName], Unsaid),
    (&["invalid type for header"], &[InvalidSchema], Unsaid),
    (&["map keys, including types that contain maps"], &[InvalidKey], Between("column name: `", "`")),
    // What a format can hold.
    (&["intermediate type that the value format"], &[UnsupportedFormatType], Unsaid),
    (&["only supports a single field"], &[UnsupportedFormatType], Between("`", "`")),
    (&["only supports map types with string keys"], &[UnsupportedFormatType], Unsaid),
    (&["can only be used when no columns are defined"], &[UnsupportedFormatType], Unsaid),
    (&["format does not yet support group by"], &[UnsupportedFormatType], Unsaid),
    (&["format does not yet support join"], &[UnsupportedFormatType], Unsaid),
    (&["format does not support type"], &[UnsupportedFormatType], Between("column: `", "`")),
    // Functions.
    (&["due to ambiguous method parameters"], &[AmbiguousFunction], Between("unction '", "'")),
    (&["does not accept parameters"], &[WrongArgumentTypes], Between("unction '", "'")),
    (&["can't find any functions with the name"], &[UnknownFunction], Between("name '", "'")),
    (&["must be a literal constant"], &[WrongArgumentTypes], Between("function ", " must")),
    (&["no aggregate function with name"], &[WrongArgumentTypes], Between("name='", "'")),
    (&["check your lambda statement"], &[WrongArgumentTypes], Unsaid),
    (&["lambda argument"], &[Misplaced, WrongArgumentTypes, DuplicateName, ReservedName], Unsaid),
    (&["incorrect arguments"], &[WrongArgumentTypes], Unsaid),
    // Names of columns and sources.
    (&["is not a valid stream/table name or alias"], &[UnknownSource], Between("'", "'")),
    (&["column '", "is ambiguous"], &[AmbiguousColumn], Between("olumn '", "'")),
    (&["column", "cannot be resolved"], &[UnknownColumn], Between("olumn '", "' cannot")),
    (&["could not find field"], &[UnknownColumn], Between("field '", "'")),
    (&["was not found on struct"], &[UnknownColumn], Between("ield ", " was")),
    (&["unknown stream/table"], &[UnknownSource], Between("`", "`")),
    (&["topic does not exist"], &[UnknownTopic, InvalidPropertyValue], Behind("exist: ")),
    (&["cannot resolve unknown type"], &[UnknownType], Behind("type: ")),
    (&["operator does not exist"], &[TypeMismatch], Between(" (", ")")),
    (&["type ", " does not exist"], &[UnknownType], Before(" does not exist")),
    (&["does not exist"], &[UnknownSource], Before(" does not exist")),
    // Types of expressions.
    (&["can't infer a type of null"], &[UntypedNull], At(&["NULL"])),
    (&["all case branches have null type"], &[UntypedNull], At(&["CASE"])),
    (&["cannot construct a map with all null"], &[UntypedNull], At(&["MAP"])),
    (&["cannot construct an array with all null"], &[UntypedNull], At(&["ARRAY"])),
    (&["map constructor cannot be empty"], &[UntypedNull], At(&["MAP"])),
    (&["array constructor cannot be empty"], &[UntypedNull], At(&["ARRAY"])),
    (&["comparison with null not supported"], &[TypeMismatch, UntypedNull], At(&["NULL"])),
    (&["cast of ", "is not supported"], &[InvalidCast], At(&["CAST"])),
    (&["unsupported cast"], &[InvalidCast], Unsaid),
    (&["cannot compare "], &[TypeMismatch], Unsaid),
    (&["should evaluate to boolean"], &[TypeMismatch], Unsaid),
    (&["operand type should be boolean"], &[TypeMismatch], At(&["CASE"])),
    (&["invalid case expression"], &[TypeMismatch], At(&["CASE"])),
    (&["arithmetic", "types"], &[TypeMismatch], Unsaid),
    (&["subscript expression"], &[TypeMismatch], Unsaid),
    (&["struct type"], &[TypeMismatch], Unsaid),
    // Keys that the projection leaves out; the message may go on about joins.
    (&["primary key", "missing in projection"], &[MissingKey], Unsaid),
    (&["must include the", "in its projection"], &[MissingKey], Unsaid),
    (&["missing from projection"], &[MissingKey], Unsaid),
    // Joins.
    (&["partitions don't match"], &[InvalidJoin, TopicMismatch], In("FROM")),
    (&["outer join on a foreign key"], &[InvalidJoin], In("FROM")),
    (&["invalid join"], &[InvalidJoin], In("FROM")),
    (&["in join '"], &[InvalidJoin], In("FROM")),
    (&["can not join"], &[InvalidJoin], In("FROM")),
    (&["cannot join"], &[InvalidJoin], In("FROM")),
    (&["each side of the join"], &[InvalidJoin], In("FROM")),
    (&["join criteria"], &[InvalidJoin], In("FROM")),
    (&["joins must have a within"], &[InvalidJoin], In("FROM")),
    (&["joins are not windowed"], &[InvalidJoin], In("FROM")),
    (&["join", "not supported"], &[InvalidJoin], In("FROM")),
    (&["circular join"], &[InvalidJoin], In("FROM")),
    (&["cannot repartition a table"], &[InvalidJoin], In("FROM")),
    (&["incompatible windowed sources"], &[InvalidJoin], In("FROM")),
    (&["implicit repartitioning of windowed sources"], &[InvalidJoin], In("FROM")),
    // Projections and groups.
    (&["key column", "more than once"], &[DuplicateName], In("SELECT")),
    (&["contains no value columns"], &[InvalidSchema], In("SELECT")),
    (&["non-aggregate having expression"], &[InvalidAggregation], In("HAVING")),
    (&["non-aggregate select expression"], &[InvalidAggregation], In("SELECT")),
    (&["group by does not support aggregate functions"], &[InvalidAggregation], In("GROUP")),
    (&["group by requires aggregate functions"], &[InvalidAggregation], Unsaid),
    (&["aggregate functions can not be nested"], &[InvalidAggregation], Between("nested: ", "(")),
    (&["duplicate group by expression"], &[DuplicateName], In("GROUP")),
    (&["duplicate partition by expression"], &[DuplicateName], In("PARTITION")),
    (&["cannot partition by multiple columns including null"], &[InvalidKey, UntypedNull, Misplaced], In("PARTITION")),
    (&["emit final is only supported"], &[InvalidWindow, InvalidAggregation], Unsaid),
    (&["window clause requires a group by"], &[InvalidWindow, InvalidAggregation], Unsaid),
    (&["without a group by clause"], &[InvalidAggregation], Unsaid),
    (&["window bound"], &[InvalidWindow, InvalidAggregation], Between("column ", " can only")),
    (&["cannot be applied to a table source"], &[InvalidAggregation], Between("function ", " cannot")),
    (&["windowing not supported for table aggregations"], &[InvalidWindow, InvalidAggregation], In("WINDOW")),
    (&["table source is not supported with table functions"], &[Misplaced, WrongKind], Unsaid),
    (&["table functions can"], &[Misplaced], Unsaid),
    // Changes of what there is.
    (&["cannot insert into header columns"], &[ReadOnly], Behind("columns: ")),
    (&["because it has header columns"], &[ReadOnly], Between("into ", " because")),
    (&["read-only"], &[ReadOnly], Behind(": ")),
    (&["create or replace is not supported on source"], &[NotReplaceable], Between("'", "'")),
    (&["cannot alter "], &[NotReplaceable], Between("'", "'")),
    (&["alter command is not supported"], &[NotReplaceable], Unsaid),
    (&["cannot upgrade"], &[NotReplaceable], Unsaid),
    (&["query is not upgradeable"], &[NotReplaceable], Unsaid),
    (&["changed, missing or reordered"], &[NotReplaceable, SchemaMismatch], Unsaid),
    (&["replace for sink"], &[NotReplaceable], Unsaid),
    (&["already exists"], &[AlreadyExists], Between("'", "'")),
    (&["cannot drop"], &[InUse], Unsaid),
    (&["insert into can only be used to insert into a stream"], &[WrongKind], Between("stream. ", " is a")),
    (&["incompatible data source type"], &[WrongKind], Unsaid),
    (&["incompatible data sink and query result"], &[WrongKind], Unsaid),
    (&["invalid result type"], &[WrongKind], Unsaid),
    (&["incompatible schema between results and sink"], &[SchemaMismatch], Unsaid),
    (&["expected number columns and values to match"], &[SchemaMismatch], Unsaid),
    (&["expected a value for each column"], &[SchemaMismatch], Unsaid),
];

/// Clauses, by the word they begin with.
const CLAUSES: [&str; 10] =
    ["WITH", "SELECT", "FROM", "WINDOW", "WHERE", "GROUP", "PARTITION", "HAVING", "EMIT", "LIMIT"];

/// What a message is about, if it is of a known family.
pub fn classify(message: &str) -> Option<Reason> {
    let lower = message.to_lowercase();
    let (_, codes, place) = FAMILIES.iter().find(|(words, ..)| in_order(&lower, words))?;
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_string();
    let named = match place {
        Unsaid | In(_) | At(_) => None,
        Between(before, after) => {
            message.find(before).and_then(|at| Some(message[at + before.len()..].split_once(after)?.0.to_string()))
        }
        Behind(before) => message.find(before).map(|at| first_line(&message[at + before.len()..])),
        Before(after) => message.find(after).and_then(|at| message[..at].split(' ').next_back().map(str::to_string)),
    };
    let near = match place {
        At(words) => words.iter().map(ToString::to_string).collect(),
        _ => named.map(|named| names_in(&named)).unwrap_or_default(),
    };
    let clause = match place {
        In(clause) => Some(*clause),
        _ if lower.contains("invalid predicate") || lower.contains("where expression") => Some("WHERE"),
        _ if lower.contains("having expression") => Some("HAVING"),
        _ if lower.contains("where column") => Some("WHERE"),
        _ if lower.contains("select column") || lower.contains("invalid select") => Some("SELECT"),
        _ if lower.contains("partition by column") => Some("PARTITION"),
        _ if lower.contains("group by column") => Some("GROUP"),
        _ => None,
    };
    Some(Reason { codes, near, clause })
}

/// Whether texts follow each other in a text.
fn in_order(text: &str, words: &[&str]) -> bool {
    let mut rest = text;
    words.iter().all(|word| match rest.find(word) {
        Some(at) => {
            rest = &rest[at + word.len()..];
            true
        }
        None => false,
    })
}

/// The names and literals of a text: the last part of a qualified name, numbers and texts whole.
fn names_in(text: &str) -> Vec<String> {
    let Ok(tokens) = tokenize(text) else { return vec![text.trim().to_string()] };
    let whole = text.trim();
    let is_name = whole.chars().all(|c| c.is_alphanumeric() || "_.`\"".contains(c));
    let mut names: Vec<String> = tokens.iter().filter_map(|token| content(token, text)).collect();
    if is_name && names.len() > 1 {
        // What stands before the last dot is the source.
        names.drain(..names.len() - 1);
    }
    if !is_name {
        names.push(whole.to_string());
    }
    names
}

/// The name, number or text of a token.
fn content(token: &Token, text: &str) -> Option<String> {
    match &token.kind {
        TokenKind::Word | TokenKind::Integer | TokenKind::Decimal | TokenKind::Double => {
            Some(text[token.span.start..token.span.end].to_string())
        }
        TokenKind::QuotedName(name) | TokenKind::String(name) => Some(name.clone()),
        _ => None,
    }
}

/// Whether an error refuses `statement` for the reason that `message` gives: `Ok(true)` if so, `Ok(false)` if the message is
/// of no known family.
///
/// # Errors
/// It is another reason or another place; the text says which.
pub fn judge(message: &str, error: &Error, statement: &str) -> Result<bool, String> {
    let Some(span) = error.span().filter(|span| span.end <= statement.len() && span.start <= span.end) else {
        return Err(format!("the refusal names no place: {error}"));
    };
    let place = || statement.get(span.start..span.end).unwrap_or_default();
    if covers_clauses(statement, span) {
        return Err(format!("the refusal names no clause but several: {error}, at `{}`", place()));
    }
    let Some(reason) = classify(message) else { return Ok(false) };
    let another = |expected: String| {
        let expected = format!("refused for another reason: expected {expected}");
        Err(format!("{expected}, found {} at `{}`: {error}", error.code(), place()))
    };
    if !reason.codes.contains(&error.code()) {
        let names: Vec<&str> = reason.codes.iter().map(|code| code.as_str()).collect();
        return another(names.join(" or "));
    }
    let places = places_of(&reason.near, statement);
    if !places.is_empty() && !places.iter().any(|place| touch(*place, span)) {
        return another(format!("a place at `{}`", reason.near.join("` or `")));
    }
    // A name that stands in several clauses is meant in the one that the message names.
    if let Some(clause) = reason.clause
        && let Some(range) = clauses(statement).into_iter().find(|(name, _)| *name == clause).map(|(_, range)| range)
        && !touch(range, span)
    {
        return another(format!("a place in {clause}"));
    }
    Ok(true)
}

fn touch(a: Span, b: Span) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Where names or literals stand in a statement: with its arguments for a function, with its value for a property.
fn places_of(names: &[String], statement: &str) -> Vec<Span> {
    let Ok(tokens) = tokenize(statement) else {
        // A text that is no sequence of tokens is still searched as a text.
        let find = |name: &String| statement.find(name.as_str()).map(|at| Span::new(at, at + name.len()));
        return names.iter().filter_map(find).collect();
    };
    let is_symbol =
        |at: usize, symbol: &str| matches!(tokens.get(at).map(|t| &t.kind), Some(TokenKind::Symbol(s)) if *s == symbol);
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(found) = content(token, statement) else { continue };
        let signed = at > 0 && is_symbol(at - 1, "-");
        let same = |name: &String| {
            found.eq_ignore_ascii_case(name) || (signed && name.strip_prefix('-').is_some_and(|name| name == found))
        };
        if !names.iter().any(same) {
            continue;
        }
        let mut end = token.span.end;
        if matches!(token.kind, TokenKind::Word) {
            if is_symbol(at + 1, "(") || is_symbol(at + 1, "[") {
                end = tokens[closing(&tokens, at + 1)].span.end;
            } else if is_symbol(at + 1, "=") && at + 2 < tokens.len() {
                end = tokens[at + 2].span.end;
            } else if found.eq_ignore_ascii_case("CASE") {
                let last =
                    tokens[at..].iter().rposition(|t| statement[t.span.start..t.span.end].eq_ignore_ascii_case("END"));
                end = last.map_or(end, |last| tokens[at + last].span.end);
            }
        }
        places.push(Span::new(token.span.start, end));
    }
    places
}

/// The position of the bracket that closes the one at `open`; the last token if none does.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0i32;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::Symbol("(" | "[") => depth += 1,
            TokenKind::Symbol(")" | "]") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// The clauses of a statement: the word each begins with, and where it stands.
fn clauses(statement: &str) -> Vec<(&'static str, Span)> {
    let Ok(tokens) = tokenize(statement) else { return Vec::new() };
    let mut clauses: Vec<(&'static str, Span)> = Vec::new();
    let mut depth = 0i32;
    for token in &tokens {
        match token.kind {
            TokenKind::Symbol("(" | "[") => depth += 1,
            TokenKind::Symbol(")" | "]") => depth -= 1,
            _ => {}
        }
        let text = &statement[token.span.start..token.span.end];
        let begins = CLAUSES.into_iter().find(|name| text.eq_ignore_ascii_case(name));
        match begins.filter(|_| depth == 0 && matches!(token.kind, TokenKind::Word)) {
            Some(name) => clauses.push((name, token.span)),
            None => {
                if let Some((_, span)) = clauses.last_mut() {
                    span.end = token.span.end.max(span.end);
                }
            }
        }
    }
    clauses
}

/// Whether a place goes over more than one clause, and so says nothing.
fn covers_clauses(statement: &str, span: Span) -> bool {
    clauses(statement).iter().filter(|(_, clause)| clause.start >= span.start && clause.start < span.end).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str =
        "CREATE STREAM o WITH (value_format='FOO') AS SELECT id, bob + 1 AS n, LEN(f1, 'x') FROM i WHERE bob > '5';";

    fn at(code: Code, text: &str) -> Error {
        let start = STATEMENT.find(text).expect("a part of the statement");
        Error::refused(code, "wrong").at(Span::new(start, start + text.len()))
    }

    #[test]
    fn a_refusal_of_the_same_family_at_the_same_place_is_the_one_expected() {
        let select = "SELECT column 'I.BOB' cannot be resolved.";
        assert_eq!(judge(select, &at(UnknownColumn, "bob"), STATEMENT), Ok(true));
        assert_eq!(judge("Unknown format: FOO", &at(InvalidPropertyValue, "'FOO'"), STATEMENT), Ok(true));
        let takes = "Function 'len' does not accept parameters (STRING, STRING).";
        assert_eq!(judge(takes, &at(WrongArgumentTypes, "LEN"), STATEMENT), Ok(true));
        assert_eq!(judge(takes, &at(WrongArgumentTypes, "'x'"), STATEMENT), Ok(true));
        let compare = "Error in WHERE expression: Cannot compare BOB (INTEGER) to '5' (STRING) with GREATER_THAN.";
        assert_eq!(judge(compare, &at(TypeMismatch, "bob > '5'"), STATEMENT), Ok(true));
    }

    #[test]
    fn another_code_fails() {
        let message = "SELECT column 'BOB' cannot be resolved.";
        let found = judge(message, &at(TypeMismatch, "bob"), STATEMENT);
        let text = "refused for another reason: expected unknown_column, found type_mismatch at `bob`: wrong";
        assert_eq!(found, Err(text.to_string()));
        for code in Code::ALL.iter().filter(|code| **code != UnknownColumn) {
            assert!(judge(message, &at(*code, "bob"), STATEMENT).is_err(), "{code}");
        }
    }

    #[test]
    fn another_place_fails() {
        let message = "SELECT column 'BOB' cannot be resolved.";
        let elsewhere = judge(message, &at(UnknownColumn, "id"), STATEMENT);
        assert!(elsewhere.is_err_and(|text| text.contains("expected a place at `BOB`, found unknown_column at `id`")));
        // The same name in another clause.
        let in_where = judge(message, &at(UnknownColumn, "bob > '5'"), STATEMENT);
        assert!(in_where.is_err_and(|text| text.contains("expected a place in SELECT")));
        assert!(judge("Unknown format: FOO", &at(InvalidPropertyValue, "o WITH"), STATEMENT).is_err());
        assert!(judge(message, &Error::refused(UnknownColumn, "wrong"), STATEMENT).is_err());
    }

    #[test]
    fn a_place_over_several_clauses_is_none() {
        let whole = at(UnknownColumn, &STATEMENT[STATEMENT.find("SELECT").unwrap_or(0)..]);
        let found = judge("SELECT column 'BOB' cannot be resolved.", &whole, STATEMENT);
        assert!(found.is_err_and(|text| text.starts_with("the refusal names no clause but several")));
    }

    #[test]
    fn a_message_of_no_family_is_not_judged() {
        assert_eq!(classify("Something that nobody ever said"), None);
        assert_eq!(judge("Something that nobody ever said", &at(UnknownColumn, "bob"), STATEMENT), Ok(false));
    }

    #[test]
    fn a_family_never_admits_what_is_not_built() {
        for (words, codes, _) in FAMILIES {
            assert!(!codes.contains(&Unsupported) && !codes.contains(&InvalidStatement), "{words:?}");
            assert!(codes.len() <= 4, "{words:?} would take anything");
        }
    }

    #[test]
    fn special_families_come_before_those_that_would_swallow_them() {
        for (i, (words, codes, _)) in FAMILIES.iter().enumerate() {
            let message = words.join(" ");
            let first = FAMILIES.iter().position(|(words, ..)| in_order(&message, words));
            let found = first.map(|first| FAMILIES[first].1);
            assert!(first == Some(i) || found == Some(*codes), "{words:?} is taken for {found:?}");
        }
    }
}
