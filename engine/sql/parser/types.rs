//! Types.
//!
//! `DECIMAL` takes its precision and scale; parameters of any other type, as in `VARCHAR(80)`, are read and, as in ksqlDB,
//! mean nothing.

use super::super::ast::{Ident, TypeExpr, TypeExprKind};
use super::Parser;
use crate::error::{Code, Error, Result};
use crate::types::SqlType;

/// The largest precision of a `DECIMAL`: what 256 bits hold.
const DECIMAL_PRECISION_MAX: i64 = 76;

/// Words that make a type, for the nearest-word search.
const TYPE_WORDS: &[&str] = &[
    "BOOLEAN",
    "INTEGER",
    "INT",
    "BIGINT",
    "DOUBLE",
    "DECIMAL",
    "VARCHAR",
    "STRING",
    "BYTES",
    "TIME",
    "DATE",
    "TIMESTAMP",
    "ARRAY",
    "MAP",
    "STRUCT",
];

/// Types of other dialects, and what they are called here.
const FOREIGN_TYPES: &[(&str, &str)] = &[
    ("TEXT", "STRING"),
    ("CHAR", "STRING"),
    ("FLOAT", "DOUBLE"),
    ("REAL", "DOUBLE"),
    ("NUMERIC", "DECIMAL"),
    ("SMALLINT", "INTEGER"),
    ("TINYINT", "INTEGER"),
    ("LONG", "BIGINT"),
    ("BOOL", "BOOLEAN"),
    ("BLOB", "BYTES"),
    ("BINARY", "BYTES"),
    ("DATETIME", "TIMESTAMP"),
];

impl Parser<'_> {
    /// A type.
    pub(super) fn type_expr(&mut self) -> Result<TypeExpr> {
        self.nested(|parser| {
            let start = parser.span();
            let mut ty = TypeExpr { kind: parser.type_kind()?, span: parser.since(start) };
            // The old form of an array type: the word behind its elements' type.
            while parser.is_word(0, "ARRAY") && !parser.is_symbol(1, "<") {
                parser.count_operator(parser.span())?;
                parser.advance();
                ty = TypeExpr { kind: TypeExprKind::Array(Box::new(ty)), span: parser.since(start) };
            }
            Ok(ty)
        })
    }

    fn type_kind(&mut self) -> Result<TypeExprKind> {
        let Some(word) = self.word(0) else {
            self.note_possible(TYPE_WORDS);
            let name = self.ident("a type")?;
            self.type_parameters()?;
            // As in ksqlDB the words of types mean the same in quotes.
            return Ok(match plain_type(&name.name) {
                Some(ty) => TypeExprKind::Plain(ty),
                None => TypeExprKind::Named(name),
            });
        };
        let word = word.to_ascii_uppercase();
        if self.is_symbol(1, "<") {
            match word.as_str() {
                "ARRAY" => return self.array_type(),
                "MAP" => return self.map_type(),
                "STRUCT" => return self.struct_type(),
                _ => {}
            }
        }
        if word == "DECIMAL" {
            return self.decimal_type();
        }
        if let Some(ty) = plain_type(&word) {
            self.advance();
            self.type_parameters()?;
            return Ok(TypeExprKind::Plain(ty));
        }
        self.note_possible(TYPE_WORDS);
        let name = self.ident("a type")?;
        self.type_parameters()?;
        Ok(TypeExprKind::Named(name))
    }

    /// `[(n | STRING, ...)]` behind a type.
    fn type_parameters(&mut self) -> Result<()> {
        if self.is_symbol(0, "(") {
            self.advance();
            self.comma_list(|parser| if parser.eat("STRING") { Ok(()) } else { parser.count("the length").map(drop) })?;
            self.expect_symbol(")")?;
        }
        Ok(())
    }

    fn array_type(&mut self) -> Result<TypeExprKind> {
        self.advance();
        self.advance();
        let element = Box::new(self.type_expr()?);
        self.expect_symbol(">")?;
        Ok(TypeExprKind::Array(element))
    }

    fn map_type(&mut self) -> Result<TypeExprKind> {
        self.advance();
        self.advance();
        let key = Box::new(self.type_expr()?);
        self.expect_symbol(",")?;
        let value = Box::new(self.type_expr()?);
        self.expect_symbol(">")?;
        Ok(TypeExprKind::Map(key, value))
    }

    fn struct_type(&mut self) -> Result<TypeExprKind> {
        self.advance();
        self.advance();
        // An empty struct is written `STRUCT< >`: without the blank it is an operator, in ksqlDB too.
        let fields = self.entries(">", |parser| -> Result<(Ident, TypeExpr)> {
            let name = parser.ident("a field name")?;
            Ok((name, parser.type_expr()?))
        })?;
        Ok(TypeExprKind::Struct(fields))
    }

    /// `DECIMAL(precision, scale)`.
    fn decimal_type(&mut self) -> Result<TypeExprKind> {
        let start = self.advance();
        if !self.eat_symbol("(") {
            return Err(self.unexpected().hint("A DECIMAL needs its precision and scale: DECIMAL(10, 2)."));
        }
        let precision = self.count("the precision")?;
        self.expect_symbol(",")?;
        let scale = self.count("the scale")?;
        self.expect_symbol(")")?;
        let place = self.since(start);
        if self.holds_reference(place) {
            return Ok(TypeExprKind::Plain(SqlType::Decimal(1, 0)));
        }
        if !(1..=DECIMAL_PRECISION_MAX).contains(&precision) {
            return Err(Error::refused(
                Code::InvalidLiteral,
                format!("the precision of a DECIMAL is between 1 and {DECIMAL_PRECISION_MAX}"),
            )
            .at(place));
        }
        if scale > precision {
            return Err(
                Error::refused(Code::InvalidLiteral, "the scale of a DECIMAL cannot exceed its precision").at(place)
            );
        }
        Ok(TypeExprKind::Plain(SqlType::Decimal(precision as u8, scale as u8)))
    }
}

/// The type without parts a word (upper case) names.
pub(in crate::sql) fn plain_type(word: &str) -> Option<SqlType> {
    Some(match word {
        "BOOLEAN" => SqlType::Boolean,
        "INT" | "INTEGER" => SqlType::Integer,
        "BIGINT" => SqlType::Bigint,
        "DOUBLE" => SqlType::Double,
        "STRING" | "VARCHAR" => SqlType::String,
        "BYTES" => SqlType::Bytes,
        "TIME" => SqlType::Time,
        "DATE" => SqlType::Date,
        "TIMESTAMP" => SqlType::Timestamp,
        _ => return None,
    })
}

/// What to say of a type name (upper case) that turns out to be no user type: the dialect's word for it, or the
/// nearest.
pub fn type_hint(name: &str) -> Option<String> {
    let known = FOREIGN_TYPES.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours);
    let word = known.or_else(|| super::super::diagnostic::nearest(name, TYPE_WORDS.iter().copied()))?;
    Some(format!("Did you mean {word}?"))
}
