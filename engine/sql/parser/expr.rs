//! Expressions: a Pratt parser of our own.
//!
//! sqlparser's expression parser is not used. It keeps no place for most nodes, and carets need one for each; and the
//! dialect has forms it does not know: lambdas, `->` as field access, `MAP(k := v)`, `STRUCT(f := v)`, `ARRAY[...]`,
//! time units as arguments.
//!
//! Levels, from loosest to tightest: `OR`; `AND`; `NOT`; one predicate (comparison, `BETWEEN`, `IN`, `LIKE`, `IS`),
//! which does not chain; `||`; `+ -`; `* / %`; sign; `[]` and `->`. A sign before a literal is an operator like any
//! other, except for the smallest `BIGINT`, whose digits alone would not fit.

use super::super::ast::{BinaryOp, Expr, ExprKind, Ident, TimeUnit, TypeExpr, TypeExprKind};
use super::super::tokens::TokenKind;
use super::Parser;
use crate::error::{Error, Result, Span};
use crate::types::SqlType;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const PREDICATE: u8 = 4;
const CONCAT: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const SIGN: u8 = 8;
const PRIMARY: u8 = 9;

/// Digits of the smallest `BIGINT`, which has no positive counterpart.
const BIGINT_MIN_DIGITS: &str = "9223372036854775808";

/// Functions whose first argument is a time unit. A singular unit is a name elsewhere (`day` is a fine column).
const TAKE_A_UNIT: &[&str] =
    &["DATEADD", "DATESUB", "TIMEADD", "TIMESUB", "TIMESTAMPADD", "TIMESTAMPSUB", "DATEDIFF", "TIMESTAMPDIFF"];

/// What may stand between two operands, or behind one.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOp),
    /// `[NOT] BETWEEN | IN | LIKE`, or `IS`.
    Predicate(Predicate, bool),
}

#[derive(Clone, Copy)]
enum Predicate {
    Between,
    In,
    Like,
    Is,
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.operators = 0;
        self.expr_at(OR)
    }

    /// An expression without `AND`, `OR`, `NOT` and predicates, unless in parentheses.
    pub(super) fn value_expr(&mut self) -> Result<Expr> {
        self.operators = 0;
        self.expr_at(CONCAT)
    }

    /// A literal, as a value in a `WITH` clause.
    pub(super) fn literal(&mut self) -> Result<Expr> {
        let start = self.span();
        if self.is_symbol(0, "-") && matches!(self.kind(1), TokenKind::Integer | TokenKind::Decimal | TokenKind::Double)
        {
            return self.sign(start, true);
        }
        match self.literal_kind()? {
            Some(kind) => Ok(Expr { kind, span: start }),
            None => {
                self.note("a literal");
                let error = self.unexpected();
                Err(if self.word(0).is_some() {
                    error.hint("Texts are written in single quotes: 'JSON'.")
                } else {
                    error
                })
            }
        }
    }

    /// An expression whose outermost operator binds at least as tightly as `min`.
    fn expr_at(&mut self, min: u8) -> Result<Expr> {
        self.enter()?;
        let (mut left, mut level) = self.operand(min)?;
        while let Some(infix) = self.infix() {
            let binds = match infix {
                Infix::Binary(op) => level_of(op),
                Infix::Predicate(..) => PREDICATE,
            };
            if binds < min {
                break;
            }
            let place = self.span();
            if binds == PREDICATE && level == PREDICATE {
                return Err(Error::sql("comparisons do not chain")
                    .at(place)
                    .hint("Join two comparisons with AND, or put one in parentheses."));
            }
            if binds > level {
                break;
            }
            self.count_operator(place)?;
            self.advance();
            left = match infix {
                Infix::Binary(op) => {
                    let right = self.expr_at(binds + 1)?;
                    let span = left.span.to(right.span);
                    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span }
                }
                Infix::Predicate(predicate, negated) => self.predicate(left, predicate, negated)?,
            };
            level = binds;
        }
        self.leave();
        Ok(left)
    }

    /// What joins the operand just read to what follows; nothing is taken.
    fn infix(&mut self) -> Option<Infix> {
        use BinaryOp::*;
        if let TokenKind::Symbol(symbol) = self.kind(0) {
            return Some(Infix::Binary(match *symbol {
                "=" => Eq,
                "<>" => NotEq,
                "<" => Lt,
                "<=" => LtEq,
                ">" => Gt,
                ">=" => GtEq,
                "+" => Plus,
                "-" => Minus,
                "*" => Multiply,
                "/" => Divide,
                "%" => Modulo,
                "||" => Concat,
                _ => return None,
            }));
        }
        let predicate = |ahead| {
            [("BETWEEN", Predicate::Between), ("IN", Predicate::In), ("LIKE", Predicate::Like)]
                .into_iter()
                .find(|(keyword, _)| self.is_word(ahead, keyword))
                .map(|(_, predicate)| predicate)
        };
        if self.is_word(0, "AND") {
            Some(Infix::Binary(And))
        } else if self.is_word(0, "OR") {
            Some(Infix::Binary(Or))
        } else if let Some(found) = predicate(0) {
            Some(Infix::Predicate(found, false))
        } else if self.is_word(0, "IS") {
            Some(Infix::Predicate(Predicate::Is, false))
        } else if self.is_word(0, "NOT")
            && let Some(found) = predicate(1)
        {
            Some(Infix::Predicate(found, true))
        } else {
            self.note_possible(&["AND", "OR", "BETWEEN", "IN", "LIKE", "IS", "NOT"]);
            None
        }
    }

    /// The rest of a predicate, its first word taken.
    fn predicate(&mut self, left: Expr, predicate: Predicate, negated: bool) -> Result<Expr> {
        if negated {
            self.advance();
        }
        let start = left.span;
        let expr = Box::new(left);
        let kind = match predicate {
            Predicate::Between => {
                let low = Box::new(self.expr_at(CONCAT)?);
                self.expect("AND")?;
                let high = Box::new(self.expr_at(CONCAT)?);
                ExprKind::Between { negated, expr, low, high }
            }
            Predicate::In => {
                self.expect_symbol("(")?;
                self.reject_subquery()?;
                let list = self.comma_list(|parser| parser.expr_at(OR))?;
                self.expect_symbol(")")?;
                ExprKind::InList { negated, expr, list }
            }
            Predicate::Like => {
                let pattern = Box::new(self.expr_at(CONCAT)?);
                let escape = if self.is_word(0, "ESCAPE") && matches!(self.kind(1), TokenKind::String(_)) {
                    self.advance();
                    Some(self.escape_character()?)
                } else {
                    self.note_possible(&["ESCAPE"]);
                    None
                };
                ExprKind::Like { negated, expr, pattern, escape }
            }
            Predicate::Is => {
                let negated = self.eat("NOT");
                if self.eat("NULL") {
                    ExprKind::IsNull { negated, expr }
                } else if self.eat("DISTINCT") {
                    self.expect("FROM")?;
                    ExprKind::IsDistinct { negated, left: expr, right: Box::new(self.expr_at(CONCAT)?) }
                } else {
                    return Err(self.unexpected());
                }
            }
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    fn escape_character(&mut self) -> Result<char> {
        let literal = self.string("an escape character in single quotes")?;
        let mut chars = literal.value.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(Error::sql("ESCAPE takes exactly one character").at(literal.span)),
        }
    }

    /// An operand with its signs, and how tightly it binds.
    fn operand(&mut self, min: u8) -> Result<(Expr, u8)> {
        let start = self.span();
        if self.is_symbol(0, "-") {
            return Ok((self.sign(start, true)?, SIGN));
        }
        if self.is_symbol(0, "+") {
            return Ok((self.sign(start, false)?, SIGN));
        }
        if self.is_word(0, "NOT") {
            if min > NOT {
                self.note("an operand");
                return Err(self.unexpected().hint("Put a NOT inside of an operand in parentheses."));
            }
            self.count_operator(start)?;
            self.advance();
            let operand = self.expr_at(NOT)?;
            let span = start.to(operand.span);
            return Ok((Expr { kind: ExprKind::Not(Box::new(operand)), span }, NOT));
        }
        let mut expr = self.primary()?;
        loop {
            if self.is_symbol(0, "[") {
                self.count_operator(self.span())?;
                self.advance();
                let index = Box::new(self.expr_at(CONCAT)?);
                self.expect_symbol("]")?;
                expr = Expr { kind: ExprKind::Subscript { base: Box::new(expr), index }, span: self.since(start) };
            } else if self.is_symbol(0, "->") && !self.is_symbol(1, "*") {
                self.count_operator(self.span())?;
                self.advance();
                let field = self.ident("a field name")?;
                expr = Expr { kind: ExprKind::Field { base: Box::new(expr), field }, span: self.since(start) };
            } else if self.is_word(0, "AT") && self.is_word(1, "TIME") {
                return Err(Error::unsupported("AT TIME ZONE", self.span()).hint("Use CONVERT_TZ(time, from, to)."));
            } else {
                return Ok((expr, PRIMARY));
            }
        }
    }

    fn sign(&mut self, start: Span, minus: bool) -> Result<Expr> {
        self.count_operator(start)?;
        self.advance();
        let digits = self.span();
        if minus
            && matches!(self.kind(0), TokenKind::Integer)
            && self.source(digits).trim_start_matches('0') == BIGINT_MIN_DIGITS
        {
            self.advance();
            return Ok(Expr { kind: ExprKind::Integer(i64::MIN), span: start.to(digits) });
        }
        let expr = Box::new(self.expr_at(SIGN)?);
        Ok(Expr { span: start.to(expr.span), kind: ExprKind::Unary { minus, expr } })
    }

    /// What stands without an operator.
    fn primary(&mut self) -> Result<Expr> {
        let start = self.span();
        if let Some(kind) = self.literal_kind()? {
            return Ok(Expr { kind, span: start });
        }
        if self.is_symbol(0, "(") {
            self.advance();
            self.reject_subquery()?;
            let inner = self.expr_at(OR)?;
            self.expect_symbol(")")?;
            return Ok(Expr { kind: inner.kind, span: self.since(start) });
        }
        let kind = if self.is_word(0, "CASE") {
            self.case()?
        } else if self.is_word(0, "CAST") {
            self.cast()?
        } else if self.is_word(0, "ARRAY") && self.is_symbol(1, "[") {
            self.advance();
            self.advance();
            ExprKind::Array(self.entries("]", |parser| parser.expr_at(OR))?)
        } else if self.is_word(0, "MAP") && self.is_symbol(1, "(") {
            self.advance();
            self.advance();
            ExprKind::Map(self.entries(")", |parser| {
                let key = parser.expr_at(OR)?;
                parser.expect_symbol(":=")?;
                Ok((key, parser.expr_at(OR)?))
            })?)
        } else if self.is_word(0, "STRUCT") && self.is_symbol(1, "(") {
            self.advance();
            self.advance();
            ExprKind::Struct(self.entries(")", |parser| {
                let field = parser.ident("a field name")?;
                parser.expect_symbol(":=")?;
                Ok((field, parser.expr_at(OR)?))
            })?)
        } else if matches!(self.kind(1), TokenKind::String(_))
            && let Some(ty) = self.word(0).and_then(literal_type)
        {
            self.typed_literal(ty)?
        } else if self.is_name(0) {
            self.name_or_call()?
        } else {
            return Err(self.no_expression());
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    /// Takes a literal without sign, if one is next.
    fn literal_kind(&mut self) -> Result<Option<ExprKind>> {
        let span = self.span();
        let text = self.source(span);
        let kind = match self.kind(0) {
            TokenKind::Integer => ExprKind::Integer(text.parse().map_err(|_| {
                Error::sql("the number is beyond the range of BIGINT")
                    .at(span)
                    .hint(format!("Write {text}. for a DECIMAL, or {text}e0 for a DOUBLE."))
            })?),
            TokenKind::Decimal => ExprKind::Decimal(text.to_string()),
            TokenKind::Double => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => ExprKind::Double(number),
                _ => return Err(Error::sql("the number is beyond the range of DOUBLE").at(span)),
            },
            TokenKind::String(value) => ExprKind::String(value.clone()),
            TokenKind::Word if text.eq_ignore_ascii_case("NULL") => ExprKind::Null,
            TokenKind::Word if text.eq_ignore_ascii_case("TRUE") => ExprKind::Boolean(true),
            TokenKind::Word if text.eq_ignore_ascii_case("FALSE") => ExprKind::Boolean(false),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(kind))
    }

    /// `CASE [operand] WHEN ... THEN ... [ELSE ...] END`.
    fn case(&mut self) -> Result<ExprKind> {
        self.advance();
        let operand = if self.is_word(0, "WHEN") { None } else { Some(Box::new(self.expr_at(CONCAT)?)) };
        let mut arms = Vec::new();
        self.expect("WHEN")?;
        loop {
            let condition = self.expr_at(OR)?;
            self.expect("THEN")?;
            arms.push((condition, self.expr_at(OR)?));
            if !self.eat("WHEN") {
                break;
            }
        }
        let otherwise = if self.eat("ELSE") { Some(Box::new(self.expr_at(OR)?)) } else { None };
        self.expect("END")?;
        Ok(ExprKind::Case { operand, arms, otherwise })
    }

    /// `CAST(e AS type)`.
    fn cast(&mut self) -> Result<ExprKind> {
        self.advance();
        self.expect_symbol("(")?;
        let expr = Box::new(self.expr_at(OR)?);
        self.expect("AS")?;
        let ty = self.type_expr()?;
        self.expect_symbol(")")?;
        Ok(ExprKind::Cast { expr, ty })
    }

    /// `DATE '...'`, `TIME '...'`, `TIMESTAMP '...'`: a cast.
    fn typed_literal(&mut self, ty: SqlType) -> Result<ExprKind> {
        let ty = TypeExpr { kind: TypeExprKind::Plain(ty), span: self.advance() };
        let literal = self.string("a text in single quotes")?;
        let expr = Box::new(Expr { kind: ExprKind::String(literal.value), span: literal.span });
        Ok(ExprKind::Cast { expr, ty })
    }

    /// Any number of entries up to `close`, with commas between them.
    pub(super) fn entries<T>(
        &mut self,
        close: &'static str,
        entry: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        if self.eat_symbol(close) {
            return Ok(Vec::new());
        }
        let entries = self.comma_list(entry)?;
        self.expect_symbol(close)?;
        Ok(entries)
    }

    /// `name`, `source.name` or `name(arguments)`.
    fn name_or_call(&mut self) -> Result<ExprKind> {
        let name = self.ident("a name")?;
        if self.is_symbol(0, "(") {
            self.advance();
            return self.call(name);
        }
        if !self.is_symbol(0, ".") {
            return Ok(ExprKind::Column { source: None, name });
        }
        self.advance();
        let column = self.ident("a column name")?;
        if self.is_symbol(0, ".") {
            return Err(Error::sql("a column has at most its source's name before it")
                .at(self.span())
                .hint("A field of a struct is written with an arrow: source.column->field."));
        }
        Ok(ExprKind::Column { source: Some(name), name: column })
    }

    /// The arguments of a call, its parenthesis taken.
    fn call(&mut self, name: Ident) -> Result<ExprKind> {
        let star = self.span();
        if self.is_symbol(0, "*") && self.is_symbol(1, ")") {
            self.advance();
            self.advance();
            return Ok(ExprKind::Call { name, args: vec![Expr { kind: ExprKind::Star, span: star }] });
        }
        if self.is_word(0, "DISTINCT") {
            return Err(
                Error::unsupported("DISTINCT in a call", star).hint("COUNT_DISTINCT(x) counts distinct values.")
            );
        }
        let takes_unit = TAKE_A_UNIT.contains(&name.name.as_str());
        let mut lambda_seen = false;
        let mut n_args = 0;
        let args = self.entries(")", |parser| {
            n_args += 1;
            parser.argument(takes_unit && n_args == 1, n_args == 1, &mut lambda_seen)
        })?;
        Ok(ExprKind::Call { name, args })
    }

    /// One argument: an expression, a time unit or a lambda; lambdas come last, and never alone.
    fn argument(&mut self, takes_unit: bool, is_first: bool, lambda_seen: &mut bool) -> Result<Expr> {
        let start = self.span();
        if self.at_lambda() {
            if is_first {
                return Err(Error::sql("a lambda cannot be the first argument")
                    .at(start)
                    .hint("The collection comes first: TRANSFORM(values, x => x + 1)."));
            }
            *lambda_seen = true;
            return self.lambda(start);
        }
        if *lambda_seen {
            return Err(Error::sql("after a lambda only lambdas can follow").at(start));
        }
        if (self.is_symbol(1, ",") || self.is_symbol(1, ")"))
            && let Some(word) = self.word(0)
            && let Some(unit) = time_unit(word)
            && (takes_unit || !self.is_name(0))
        {
            return Ok(Expr { kind: ExprKind::Unit(unit), span: self.advance() });
        }
        self.expr_at(OR)
    }

    /// Whether `x =>` or `(x, ...) =>` is next.
    fn at_lambda(&self) -> bool {
        if self.is_name(0) {
            return self.is_symbol(1, "=>");
        }
        if !self.is_symbol(0, "(") {
            return false;
        }
        let mut ahead = 1;
        while self.is_name(ahead) && self.is_symbol(ahead + 1, ",") {
            ahead += 2;
        }
        self.is_name(ahead) && self.is_symbol(ahead + 1, ")") && self.is_symbol(ahead + 2, "=>")
    }

    fn lambda(&mut self, start: Span) -> Result<Expr> {
        let params = if self.is_symbol(0, "(") {
            self.advance();
            self.entries(")", |parser| parser.ident("a parameter"))?
        } else {
            vec![self.ident("a parameter")?]
        };
        self.expect_symbol("=>")?;
        let body = Box::new(self.expr_at(OR)?);
        Ok(Expr { kind: ExprKind::Lambda { params, body }, span: self.since(start) })
    }

    fn reject_subquery(&mut self) -> Result<()> {
        if self.is_word(0, "SELECT") {
            return Err(Error::unsupported("a subquery", self.span())
                .hint("Give the inner query a name of its own with CREATE STREAM or TABLE ... AS SELECT."));
        }
        Ok(())
    }

    fn no_expression(&mut self) -> Error {
        let word = self.word(0).map(str::to_ascii_uppercase);
        self.note("an expression");
        match word {
            // A reserved word that no expression begins with: a clause that came too early, or a name.
            Some(word) if matches!(self.kind(1), TokenKind::Symbol("," | "." | ")" | "->" | "[")) => {
                self.unexpected().hint(format!("To use it as a name, put it in back-quotes: `{word}`."))
            }
            _ => self.unexpected(),
        }
    }
}

fn level_of(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => OR,
        And => AND,
        Eq | NotEq | Lt | LtEq | Gt | GtEq => PREDICATE,
        Concat => CONCAT,
        Plus | Minus => SUM,
        Multiply | Divide | Modulo => PRODUCT,
    }
}

/// The type that makes a literal of the string behind it.
fn literal_type(word: &str) -> Option<SqlType> {
    [("DATE", SqlType::Date), ("TIME", SqlType::Time), ("TIMESTAMP", SqlType::Timestamp)]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, ty)| ty)
}

/// The unit a word names, singular or plural.
pub(in crate::sql) fn time_unit(word: &str) -> Option<TimeUnit> {
    Some(match word.to_ascii_uppercase().as_str() {
        "DAY" | "DAYS" => TimeUnit::Day,
        "HOUR" | "HOURS" => TimeUnit::Hour,
        "MINUTE" | "MINUTES" => TimeUnit::Minute,
        "SECOND" | "SECONDS" => TimeUnit::Second,
        "MILLISECOND" | "MILLISECONDS" => TimeUnit::Millisecond,
        _ => return None,
    })
}
