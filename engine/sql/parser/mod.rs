//! Tokens to statements: recursive descent by hand, a file for each part of the grammar.
//!
//! The cursor below knows three things besides its position. What would have been accepted there: each failed look for
//! a keyword or a symbol is noted, for the error that may follow (`expected.rs`). The last bare alias: `FROM s WHER x >
//! 3` reads `WHER` as an alias, and the error must point there. And how deep it is: nesting is bounded, so that no text
//! can exhaust the stack, ours or that of whoever walks the tree later.

mod admin;
mod assert;
mod ddl;
mod expected;
mod expr;
mod insert;
mod next;
mod primary;
mod query;
mod types;
mod window;
mod with;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::oracle::cases as oracle_cases;

pub use next::{Next, next};
pub use types::type_hint;

pub(super) use primary::time_unit;
#[cfg(test)]
pub(super) use types::plain_type;

use super::ast::{Ident, Statement, StatementKind, StringLit};
use super::keywords::is_reserved;
use super::tokens::{Token, TokenKind, tokenize};
use super::variables::holds_reference;
use crate::error::{Code, Error, Result, Span};

/// How many constructs may nest: parentheses, calls, `CASE`, types, `EXPLAIN`.
pub const NESTING_MAX: usize = 100;

/// How many operators one expression may hold, all its parts together. With [`NESTING_MAX`] it bounds the height of the
/// tree: `a + b + c` leans to the left, so a chain is as high as it is long.
pub const OPERATORS_MAX: usize = 500;

/// Reads all statements of a text. A semicolon ends each; the last one may lack it.
///
/// Errors have their place in `text`; the first one ends the reading.
pub fn parse_statements(text: &str) -> Result<Vec<Statement>> {
    let mut parser = Parser::new(text)?;
    let mut statements = Vec::new();
    loop {
        while parser.eat_symbol(";") {}
        if parser.at_end() {
            return Ok(statements);
        }
        statements.push(parser.whole_statement()?);
    }
}

/// Reads exactly one statement, with or without its semicolon.
///
/// Errors have their place in `text`.
pub fn parse_statement(text: &str) -> Result<Statement> {
    let mut parser = Parser::new(text)?;
    let statement = parser.whole_statement()?;
    while parser.eat_symbol(";") {}
    if parser.at_end() {
        Ok(statement)
    } else {
        Err(Error::refused(Code::Syntax, "more than one statement where one is expected").at(parser.span()))
    }
}

/// Reads one expression, as it stands in a select list.
pub fn parse_expression(text: &str) -> Result<super::ast::Expr> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expr()?;
    if parser.at_end() { Ok(expr) } else { Err(parser.unexpected()) }
}

/// Reads one statement whose variables are not filled in, from its tokens and the end behind them. A word that holds one
/// of the `references` stands for any name, number, text or time unit; so the tree has the statement's form and places,
/// and what it says there means nothing.
pub(in crate::sql) fn parse_template(text: &str, tokens: Vec<Token>, references: &[Span]) -> Result<Statement> {
    Parser::over(text, tokens, references).whole_statement()
}

/// A bare alias that may be a misspelt keyword.
struct BareAlias {
    /// Index of its token.
    at: usize,
    /// What else was expected there.
    expected: Vec<&'static str>,
}

/// A cursor over the tokens of a text.
struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Index of the next token; the last token is the end and is never passed.
    at: usize,
    /// What was looked for at `expected_at`, in vain.
    expected: Vec<&'static str>,
    /// Keywords that could stand there too, but would make the list too long.
    also_possible: Vec<&'static str>,
    expected_at: usize,
    bare_alias: Option<BareAlias>,
    nesting: usize,
    operators: usize,
    /// Where the operand begins that `->*` was last seen behind.
    fields_of: Option<Span>,
    /// Where `${name}` stands in a text whose variables are not filled in, in order.
    references: &'a [Span],
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self> {
        Ok(Parser::over(text, tokenize(text)?, &[]))
    }

    fn over(text: &'a str, tokens: Vec<Token>, references: &'a [Span]) -> Self {
        Parser {
            text,
            tokens,
            at: 0,
            expected: Vec::new(),
            also_possible: Vec::new(),
            expected_at: 0,
            bare_alias: None,
            nesting: 0,
            operators: 0,
            fields_of: None,
            references,
        }
    }

    /// A statement up to its semicolon or the end of the text.
    fn whole_statement(&mut self) -> Result<Statement> {
        let statement = self.statement()?;
        if self.at_end() || self.is_symbol(0, ";") {
            return Ok(statement);
        }
        self.note(";");
        Err(self.unexpected())
    }

    /// `statement`, without its semicolon.
    fn statement(&mut self) -> Result<Statement> {
        self.nested(|parser| {
            let start = parser.span();
            let kind = parser.statement_kind()?;
            Ok(Statement { kind, span: parser.since(start) })
        })
    }

    fn statement_kind(&mut self) -> Result<StatementKind> {
        if self.is_word(0, "SELECT") {
            return Ok(StatementKind::Query(self.query()?));
        }
        self.note("SELECT");
        if self.eat("CREATE") {
            self.create()
        } else if self.eat("INSERT") {
            self.insert()
        } else if self.eat("DROP") {
            self.drop_statement()
        } else if self.eat("ALTER") {
            self.alter()
        } else if self.eat("SHOW") || self.eat("LIST") {
            self.show()
        } else if self.eat("DESCRIBE") {
            self.describe()
        } else if self.eat("PRINT") {
            self.print()
        } else if self.eat("EXPLAIN") {
            self.explain()
        } else if self.eat("TERMINATE") {
            Ok(StatementKind::Terminate(self.query_id()?))
        } else if self.eat("PAUSE") {
            match self.paused_connector()? {
                Some(name) => Ok(StatementKind::PauseConnector(name)),
                None => Ok(StatementKind::Pause(self.query_id()?)),
            }
        } else if self.eat("RESUME") {
            match self.paused_connector()? {
                Some(name) => Ok(StatementKind::ResumeConnector(name)),
                None => Ok(StatementKind::Resume(self.query_id()?)),
            }
        } else if self.eat("SET") {
            self.set()
        } else if self.eat("UNSET") {
            Ok(StatementKind::Unset(self.property_name()?))
        } else if self.eat("DEFINE") {
            self.define()
        } else if self.eat("UNDEFINE") {
            Ok(StatementKind::Undefine(self.variable()?))
        } else if self.eat("RUN") {
            self.expect("SCRIPT")?;
            Ok(StatementKind::RunScript(self.string("a file name in single quotes")?))
        } else if self.eat("ASSERT") {
            self.assert()
        } else {
            Err(self.no_statement())
        }
    }

    // ---- the cursor ----

    fn kind(&self, ahead: usize) -> &TokenKind {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    /// The place of the next token.
    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    /// The place of the last token taken.
    fn taken(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    /// The place from `start` up to the last token taken.
    fn since(&self, start: Span) -> Span {
        match self.at.checked_sub(1).map(|last| self.tokens[last].span) {
            Some(last) if last.end >= start.start => Span::new(start.start, last.end),
            _ => start,
        }
    }

    fn source(&self, span: Span) -> &'a str {
        &self.text[span.start..span.end]
    }

    fn at_end(&self) -> bool {
        matches!(self.kind(0), TokenKind::End)
    }

    /// Takes the next token, whatever it is; the end stays.
    fn advance(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    /// The bare word `ahead` tokens from here, as typed.
    fn word(&self, ahead: usize) -> Option<&'a str> {
        let token = self.tokens.get(self.at + ahead)?;
        matches!(token.kind, TokenKind::Word).then(|| self.source(token.span))
    }

    fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        self.word(ahead).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.kind(ahead), TokenKind::Symbol(found) if *found == symbol)
    }

    /// Whether a name stands `ahead` tokens from here: quoted, or a word that is not reserved.
    fn is_name(&self, ahead: usize) -> bool {
        match self.kind(ahead) {
            TokenKind::QuotedName(_) => true,
            TokenKind::Word => self.word(ahead).is_some_and(|word| !is_reserved(&word.to_ascii_uppercase())),
            _ => false,
        }
    }

    /// Whether the token `ahead` from here holds a reference to a variable.
    fn is_reference(&self, ahead: usize) -> bool {
        !self.references.is_empty()
            && matches!(self.kind(ahead), TokenKind::Word)
            && self.tokens.get(self.at + ahead).is_some_and(|token| self.holds_reference(token.span))
    }

    /// Whether a reference to a variable lies in this place.
    fn holds_reference(&self, place: Span) -> bool {
        holds_reference(self.references, place)
    }

    /// Takes the keyword if it is next; else notes that it was expected.
    fn eat(&mut self, keyword: &'static str) -> bool {
        if self.is_word(0, keyword) {
            self.advance();
            return true;
        }
        self.note(keyword);
        false
    }

    /// Takes the symbol if it is next; else notes that it was expected.
    fn eat_symbol(&mut self, symbol: &'static str) -> bool {
        if self.is_symbol(0, symbol) {
            self.advance();
            return true;
        }
        self.note(symbol);
        false
    }

    fn expect(&mut self, keyword: &'static str) -> Result<Span> {
        let span = self.span();
        if self.eat(keyword) { Ok(span) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<Span> {
        let span = self.span();
        if self.eat_symbol(symbol) { Ok(span) } else { Err(self.unexpected()) }
    }

    /// `IF NOT EXISTS`; `IF` alone may be a name.
    fn if_not_exists(&mut self) -> Result<bool> {
        if !(self.is_word(0, "IF") && self.is_word(1, "NOT")) {
            self.note("IF NOT EXISTS");
            return Ok(false);
        }
        self.advance();
        self.advance();
        self.expect("EXISTS")?;
        Ok(true)
    }

    /// `IF EXISTS`; `IF` alone may be a name.
    fn if_exists(&mut self) -> bool {
        let found = self.is_word(0, "IF") && self.is_word(1, "EXISTS");
        if found {
            self.advance();
            self.advance();
        } else {
            self.note("IF EXISTS");
        }
        found
    }

    // ---- names and literals ----

    /// A name; `what` says of what, with its article.
    fn ident(&mut self, what: &'static str) -> Result<Ident> {
        let span = self.span();
        let ident = match self.kind(0) {
            TokenKind::QuotedName(name) => Ident { name: name.clone(), quoted: true, span },
            TokenKind::Word => {
                let name = self.source(span).to_ascii_uppercase();
                if is_reserved(&name) {
                    self.note(what);
                    return Err(self.reserved_as_name(what));
                }
                Ident { name, quoted: false, span }
            }
            TokenKind::String(_) => {
                self.note(what);
                return Err(self.unexpected().hint("Single quotes make a string; a name is bare or in back-quotes."));
            }
            _ => {
                self.note(what);
                return Err(self.unexpected());
            }
        };
        self.advance();
        Ok(ident)
    }

    /// A topic, schema subject or the like: a name that keeps its case, or a string.
    fn resource(&mut self, what: &'static str) -> Result<Ident> {
        let span = self.span();
        if let TokenKind::String(name) = self.kind(0) {
            let ident = Ident { name: name.clone(), quoted: true, span };
            self.advance();
            return Ok(ident);
        }
        let ident = self.ident(what)?;
        Ok(if ident.quoted { ident } else { Ident { name: self.source(span).to_string(), ..ident } })
    }

    fn string(&mut self, what: &'static str) -> Result<StringLit> {
        let span = self.span();
        if let TokenKind::String(value) = self.kind(0) {
            let literal = StringLit { value: value.clone(), span };
            self.advance();
            return Ok(literal);
        }
        if self.is_reference(0) {
            self.advance();
            return Ok(StringLit { value: self.source(span).to_string(), span });
        }
        self.note(what);
        Err(self.unexpected())
    }

    /// A whole number that is not negative.
    fn count(&mut self, what: &'static str) -> Result<i64> {
        let span = self.span();
        if self.is_symbol(0, "-") && matches!(self.kind(1), TokenKind::Integer | TokenKind::Decimal) {
            self.advance();
            self.advance();
            return Err(Error::refused(Code::InvalidLiteral, format!("{what} cannot be negative")).at(self.since(span)));
        }
        match self.kind(0) {
            _ if self.is_reference(0) => {
                self.advance();
                Ok(1)
            }
            TokenKind::Integer => {
                self.advance();
                self.source(span)
                    .parse()
                    .map_err(|_| Error::refused(Code::InvalidLiteral, format!("{what} is too large")).at(span))
            }
            TokenKind::Decimal | TokenKind::Double => {
                Err(Error::refused(Code::InvalidLiteral, format!("{what} must be a whole number")).at(span))
            }
            _ => {
                self.note("a whole number");
                Err(self.unexpected())
            }
        }
    }

    /// One or more of what `item` reads, with commas between them.
    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(name, ...)`.
    fn column_names(&mut self) -> Result<Vec<Ident>> {
        self.expect_symbol("(")?;
        let names = self.comma_list(|parser| parser.ident("a column name"))?;
        self.expect_symbol(")")?;
        Ok(names)
    }

    /// Tries to read something; when it is not there, nothing is taken.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (at, nesting, operators) = (self.at, self.nesting, self.operators);
        let result = read(self);
        if result.is_err() {
            (self.at, self.nesting, self.operators) = (at, nesting, operators);
        }
        result
    }

    // ---- bounds ----

    /// Reads something that may hold its like.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter()?;
        let result = read(self);
        self.leave();
        result
    }

    fn enter(&mut self) -> Result<()> {
        if self.nesting == NESTING_MAX {
            return Err(Error::refused(Code::TooComplex, "the statement is nested too deeply")
                .at(self.span())
                .detail(format!("at most {NESTING_MAX} constructs may stand inside one another")));
        }
        self.nesting += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.nesting -= 1;
    }

    /// Counts an operator of the expression being read.
    fn count_operator(&mut self, place: Span) -> Result<()> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(Error::refused(Code::TooComplex, "the expression is too long")
                .at(place)
                .detail(format!("an expression may hold at most {OPERATORS_MAX} operators"))
                .hint("An IN list takes any number of values."));
        }
        Ok(())
    }
}
