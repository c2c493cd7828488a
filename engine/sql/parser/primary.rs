//! What stands in an expression without an operator: literals, names, calls, lambdas, `CASE`, constructors.

use super::super::ast::level::{CONCAT, OR};
use super::super::ast::{Expr, ExprKind, Ident, TimeUnit, TypeExpr, TypeExprKind};
use super::super::tokens::TokenKind;
use super::Parser;
use crate::error::{Code, Error, Result, Span};
use crate::types::SqlType;

/// Functions whose first argument is a time unit. A singular unit is a name elsewhere (`day` is a fine column).
const TAKE_A_UNIT: &[&str] =
    &["DATEADD", "DATESUB", "TIMEADD", "TIMESUB", "TIMESTAMPADD", "TIMESTAMPSUB", "DATEDIFF", "TIMESTAMPDIFF"];

impl Parser<'_> {
    /// What stands without an operator.
    pub(super) fn primary(&mut self) -> Result<Expr> {
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
        } else if matches!(self.kind(0), TokenKind::QuotedName(name) if name == "DECIMAL")
            && matches!(self.kind(1), TokenKind::String(_))
        {
            return self.decimal_literal();
        } else if self.is_name(0) {
            self.name_or_call()?
        } else {
            return Err(self.no_expression());
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    /// Takes a literal without sign, if one is next.
    pub(super) fn literal_kind(&mut self) -> Result<Option<ExprKind>> {
        let span = self.span();
        let text = self.source(span);
        let kind = match self.kind(0) {
            TokenKind::Integer => ExprKind::Integer(text.parse().map_err(|_| {
                Error::refused(Code::InvalidLiteral, "the number is beyond the range of BIGINT")
                    .at(span)
                    .hint(format!("Write {text}. for a DECIMAL, or {text}e0 for a DOUBLE."))
            })?),
            TokenKind::Decimal => ExprKind::Decimal(text.to_string()),
            TokenKind::Double => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => ExprKind::Double(number),
                _ => {
                    return Err(
                        Error::refused(Code::InvalidLiteral, "the number is beyond the range of DOUBLE").at(span)
                    );
                }
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

    /// `` `DECIMAL` '1.5' ``: ksqlDB's way to write a decimal in quotes; its type's word is reserved.
    fn decimal_literal(&mut self) -> Result<Expr> {
        let start = self.advance();
        let literal = self.string("digits in single quotes")?;
        let span = self.since(start);
        let (minus, digits) = match literal.value.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, literal.value.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(Error::refused(Code::InvalidLiteral, "a DECIMAL consists of digits and at most one point")
                .at(literal.span));
        }
        let decimal = Expr { kind: ExprKind::Decimal(format!("{whole}.{fraction}")), span };
        Ok(if minus { Expr { kind: ExprKind::Unary { minus, expr: Box::new(decimal) }, span } } else { decimal })
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
            return Err(Error::refused(Code::Syntax, "a column has at most its source's name before it")
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
                return Err(Error::refused(Code::WrongArgumentTypes, "a lambda cannot be the first argument")
                    .at(start)
                    .hint("The collection comes first: TRANSFORM(values, x => x + 1)."));
            }
            *lambda_seen = true;
            return self.lambda(start);
        }
        if *lambda_seen {
            return Err(Error::refused(Code::WrongArgumentTypes, "after a lambda only lambdas can follow").at(start));
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

    pub(super) fn reject_subquery(&mut self) -> Result<()> {
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
