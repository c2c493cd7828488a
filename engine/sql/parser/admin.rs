//! Statements that look at the engine or steer the session.

use super::super::ast::{Describe, Ident, Show, SourceKind, StatementKind, StringLit};
use super::super::tokens::TokenKind;
use super::super::variables::is_name;
use super::Parser;
use crate::error::{Code, Error, Result};

impl Parser<'_> {
    /// What follows `SHOW` or `LIST`.
    pub(super) fn show(&mut self) -> Result<StatementKind> {
        if self.is_word(0, "MODELS") {
            return Err(Error::unsupported("SHOW MODELS", self.span()));
        }
        let show = if self.eat("STREAMS") {
            Show::Streams { extended: self.eat("EXTENDED") }
        } else if self.eat("TABLES") {
            Show::Tables { extended: self.eat("EXTENDED") }
        } else if self.eat("TOPICS") {
            Show::Topics { all: false, extended: self.eat("EXTENDED") }
        } else if self.eat("ALL") {
            self.expect("TOPICS")?;
            Show::Topics { all: true, extended: self.eat("EXTENDED") }
        } else if self.eat("QUERIES") {
            Show::Queries { extended: self.eat("EXTENDED") }
        } else if self.eat("FUNCTIONS") {
            Show::Functions
        } else if self.eat("PROPERTIES") {
            Show::Properties
        } else if self.eat("TYPES") {
            Show::Types
        } else if self.eat("VARIABLES") {
            Show::Variables
        } else if self.eat("CONNECTORS") {
            Show::Connectors(None)
        } else if self.eat("SOURCE") {
            self.expect("CONNECTORS")?;
            Show::Connectors(Some(true))
        } else if self.eat("SINK") {
            self.expect("CONNECTORS")?;
            Show::Connectors(Some(false))
        } else if self.eat("CONNECTOR") {
            self.expect("PLUGINS")?;
            Show::ConnectorPlugins
        } else {
            return Err(self.unexpected());
        };
        Ok(StatementKind::Show(show))
    }

    /// What follows `DESCRIBE`. `TABLES` alone means all tables, though a table could have that name.
    pub(super) fn describe(&mut self) -> Result<StatementKind> {
        let describe = if self.eat("STREAMS") {
            Describe::All { kind: SourceKind::Stream, extended: self.eat("EXTENDED") }
        } else if self.eat("TABLES") {
            Describe::All { kind: SourceKind::Table, extended: self.eat("EXTENDED") }
        } else if self.eat("CONNECTOR") {
            Describe::Connector(self.ident("a connector")?)
        } else if self.is_word(0, "FUNCTION") && self.is_name(1) {
            self.advance();
            Describe::Function(self.ident("a function")?)
        } else if self.is_word(0, "MODEL") && self.is_name(1) {
            return Err(Error::unsupported("DESCRIBE MODEL", self.span()));
        } else {
            self.note("FUNCTION");
            let name = self.ident("a stream or table")?;
            if !name.quoted && name.name == "FUNCTION" {
                self.note("a function");
            }
            Describe::Source { name, extended: self.eat("EXTENDED") }
        };
        Ok(StatementKind::Describe(describe))
    }

    /// What follows `PRINT`.
    pub(super) fn print(&mut self) -> Result<StatementKind> {
        let topic = self.resource("a topic")?;
        let from_beginning = self.eat("FROM");
        if from_beginning {
            self.expect("BEGINNING")?;
        }
        let interval =
            if self.eat("INTERVAL") || self.eat("SAMPLE") { Some(self.count("the interval")?) } else { None };
        let limit = if self.eat("LIMIT") { Some(self.count("the limit")?) } else { None };
        Ok(StatementKind::Print { topic, from_beginning, interval, limit })
    }

    /// What follows `EXPLAIN`: a statement, or one word, which is a query's id.
    pub(super) fn explain(&mut self) -> Result<StatementKind> {
        if self.is_name(0) && matches!(self.kind(1), TokenKind::End | TokenKind::Symbol(";")) {
            return Ok(StatementKind::ExplainQuery(self.ident("a query's id")?));
        }
        Ok(StatementKind::Explain(Box::new(self.statement()?)))
    }

    /// What follows `SET`.
    pub(super) fn set(&mut self) -> Result<StatementKind> {
        let name = self.property_name()?;
        self.expect_symbol("=")?;
        let value = match self.string("a value in single quotes") {
            Ok(value) => value,
            Err(error) => return Err(error.hint("Values are texts, numbers too: SET 'a.property' = '100'.")),
        };
        Ok(StatementKind::Set { name, value })
    }

    /// A property's name, in single quotes.
    pub(super) fn property_name(&mut self) -> Result<StringLit> {
        match self.string("a property's name in single quotes") {
            Ok(name) => Ok(name),
            Err(error) if self.word(0).is_some() => {
                Err(error.hint("Names of properties are in single quotes: 'auto.offset.reset'."))
            }
            Err(error) => Err(error),
        }
    }

    /// What follows `DEFINE`.
    pub(super) fn define(&mut self) -> Result<StatementKind> {
        let name = self.variable()?;
        self.expect_symbol("=")?;
        Ok(StatementKind::Define { name, value: self.string("a value in single quotes")? })
    }

    /// The name of a variable, which is never quoted.
    pub(super) fn variable(&mut self) -> Result<Ident> {
        let name = self.ident("a variable's name")?;
        if name.quoted || !(is_name(&name.name) || self.holds_reference(name.span)) {
            return Err(Error::refused(Code::Syntax, "a variable's name is bare: letters, digits and underscores")
                .at(name.span));
        }
        Ok(name)
    }
}
