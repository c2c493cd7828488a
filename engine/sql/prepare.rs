//! One statement from its text to its tree, errors led back to what was typed.
//!
//! A front end splits its text, then prepares the statements in order: a `DEFINE` must take effect before the next
//! statement's variables are filled in. Places of trees and of later errors are in the text after that;
//! [`Prepared::locate`] brings an error home to the whole text.

use super::ast::Statement;
use super::parser::parse_statement;
use super::split::Piece;
use super::variables::{Substituted, Variables, substitute};
use crate::error::{Error, Result, Span};

/// A statement ready to be bound. Its `Debug` form is the text to show, because the tree may hold secrets.
#[derive(Clone)]
pub struct Prepared {
    /// Its tree; places are in the text after substitution.
    pub statement: Statement,
    substituted: Substituted,
    /// Where the statement begins in the whole text.
    offset: usize,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Prepared").field(&self.shown()).finish()
    }
}

impl Prepared {
    /// The statement's text to show and to keep: variables filled in, values of the environment not.
    pub fn shown(&self) -> &str {
        &self.substituted.shown
    }

    /// Moves an error about the statement to the whole text it came from.
    pub fn locate(&self, error: Error) -> Error {
        shift(self.substituted.locate(error), self.offset)
    }
}

/// Fills in the variables of a piece and reads it; `env` looks up the environment.
///
/// Errors have their place in the whole text that was split.
pub fn prepare(piece: &Piece<'_>, variables: &Variables, env: impl Fn(&str) -> Option<String>) -> Result<Prepared> {
    let offset = piece.span.start;
    let substituted = substitute(piece.text, variables, env).map_err(|error| shift(error, offset))?;
    match parse_statement(&substituted.text) {
        Ok(statement) => Ok(Prepared { statement, substituted, offset }),
        Err(error) => Err(shift(substituted.locate(error), offset)),
    }
}

fn shift(error: Error, offset: usize) -> Error {
    match error.span() {
        Some(span) => error.at(Span::new(span.start + offset, span.end + offset)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ast::StatementKind;
    use super::super::split::split;
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "hidden".to_string())
    }

    #[test]
    fn errors_of_every_step_point_into_the_whole_text() {
        let mut variables = Variables::default();
        variables.define("long_name", "a_much_longer_value").expect("a good name");
        let text = "SHOW STREAMS;\nSELECT ${long_name} FORM s;\nSELECT ${nme};\nDROP STREAM ${env:TOKEN} x;";
        let places: Vec<Option<&str>> = split(text)
            .pieces
            .iter()
            .map(|piece| {
                let error = prepare(piece, &variables, env).err()?;
                let span = error.span().expect("the error has a place");
                Some(&text[span.start..span.end])
            })
            .collect();
        assert_eq!(places, [None, Some("FORM"), Some("${nme}"), Some("x")]);
    }

    #[test]
    fn an_error_of_a_later_step_is_led_home() {
        let mut variables = Variables::default();
        variables.define("v", "wide_value").expect("a good name");
        let text = "/* c */ SELECT ${v}, b FROM s;";
        let prepared = prepare(&split(text).pieces[0], &variables, env).expect("a good statement");
        let StatementKind::Query(query) = &prepared.statement.kind else { panic!() };
        let error = prepared.locate(Error::sql("no such stream").at(match &query.from {
            super::super::ast::Relation::Source { span, .. } => *span,
            _ => panic!(),
        }));
        let span = error.span().expect("kept");
        assert_eq!(&text[span.start..span.end], "s");
    }

    #[test]
    fn the_kept_text_holds_no_value_of_the_environment() {
        let text = "CREATE STREAM s WITH (p='${env:TOKEN}')";
        let prepared = prepare(&split(text).pieces[0], &Variables::default(), env).expect("a good statement");
        assert_eq!(prepared.shown(), text);
        assert!(!format!("{prepared:?}").contains("hidden"));
        assert!(prepared.statement.to_string().contains("hidden"));
    }
}
