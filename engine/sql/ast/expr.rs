//! Expressions.

use super::{Ident, StringLit, TimeUnit, TypeExpr};
use crate::error::Span;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// What an expression says.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `NULL`.
    Null,
    /// `TRUE | FALSE`.
    Boolean(bool),
    /// Digits: an `INTEGER` when it fits, else a `BIGINT`.
    Integer(i64),
    /// Digits with a point and no exponent: a `DECIMAL`; the text without sign.
    Decimal(String),
    /// Digits with an exponent.
    Double(f64),
    /// `'text'`.
    String(String),
    /// `name` or `source.name`.
    Column {
        /// The source before the dot.
        source: Option<Ident>,
        /// The column.
        name: Ident,
    },
    /// `base->field`.
    Field {
        /// The struct.
        base: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `base[index]`, of an array (one-based, negative from the end) or a map.
    Subscript {
        /// The array or map.
        base: Box<Expr>,
        /// The position or key.
        index: Box<Expr>,
    },
    /// `e AT TIME ZONE 'zone'`.
    AtTimeZone {
        /// The time.
        expr: Box<Expr>,
        /// The zone.
        zone: StringLit,
    },
    /// `-e`, `+e`.
    Unary {
        /// Whether it is a minus.
        minus: bool,
        /// The operand.
        expr: Box<Expr>,
    },
    /// `NOT e`.
    Not(Box<Expr>),
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `e [NOT] BETWEEN low AND high`.
    Between {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
    },
    /// `e [NOT] IN (list)`.
    InList {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
        /// The candidates.
        list: Vec<Expr>,
    },
    /// `e [NOT] LIKE pattern [ESCAPE 'c']`.
    Like {
        /// `NOT`.
        negated: bool,
        /// The text.
        expr: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character.
        escape: Option<char>,
    },
    /// `e IS [NOT] NULL`.
    IsNull {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
    },
    /// `left IS [NOT] DISTINCT FROM right`.
    IsDistinct {
        /// `NOT`.
        negated: bool,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `CASE [operand] WHEN .. THEN .. [ELSE ..] END`.
    Case {
        /// The operand of the simple form.
        operand: Option<Box<Expr>>,
        /// Conditions (or values) and results.
        arms: Vec<(Expr, Expr)>,
        /// `ELSE`.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(e AS type)`.
    Cast {
        /// The value.
        expr: Box<Expr>,
        /// The target.
        ty: TypeExpr,
    },
    /// `name(args)`; `COUNT(*)` has one argument, [`ExprKind::Star`].
    Call {
        /// The function.
        name: Ident,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `*` as the argument of `COUNT`.
    Star,
    /// A time unit as an argument (`TIMESTAMPADD(HOURS, ...)`).
    Unit(TimeUnit),
    /// `x => e`, `(x, y) => e`.
    Lambda {
        /// The parameters.
        params: Vec<Ident>,
        /// The body.
        body: Box<Expr>,
    },
    /// `ARRAY[...]`.
    Array(Vec<Expr>),
    /// `MAP(k := v, ...)`.
    Map(Vec<(Expr, Expr)>),
    /// `STRUCT(f := v, ...)`.
    Struct(Vec<(Ident, Expr)>),
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `OR`.
    Or,
    /// `AND`.
    And,
    /// `=`.
    Eq,
    /// `<>`, `!=`.
    NotEq,
    /// `<`.
    Lt,
    /// `<=`.
    LtEq,
    /// `>`.
    Gt,
    /// `>=`.
    GtEq,
    /// `+`, of numbers and texts.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
    /// `||`.
    Concat,
}

/// How tightly operators bind, from the loosest to the tightest.
pub mod level {
    /// `OR`.
    pub const OR: u8 = 1;
    /// `AND`.
    pub const AND: u8 = 2;
    /// `NOT`.
    pub const NOT: u8 = 3;
    /// Comparisons, `BETWEEN`, `IN`, `LIKE`, `IS`; these do not chain.
    pub const PREDICATE: u8 = 4;
    /// `||`, the loosest level of an operand of a predicate.
    pub const CONCAT: u8 = 5;
    /// `+ -`.
    pub const SUM: u8 = 6;
    /// `* / %`.
    pub const PRODUCT: u8 = 7;
    /// A sign.
    pub const SIGN: u8 = 8;
    /// `AT TIME ZONE`.
    pub const AT_TIME_ZONE: u8 = 9;
    /// What needs no parentheses anywhere.
    pub const PRIMARY: u8 = 10;
}

impl BinaryOp {
    /// How tightly it binds: one of [`level`].
    pub const fn level(self) -> u8 {
        use BinaryOp::*;
        match self {
            Or => level::OR,
            And => level::AND,
            Eq | NotEq | Lt | LtEq | Gt | GtEq => level::PREDICATE,
            Concat => level::CONCAT,
            Plus | Minus => level::SUM,
            Multiply | Divide | Modulo => level::PRODUCT,
        }
    }

    /// Its sign or word.
    pub const fn text(self) -> &'static str {
        use BinaryOp::*;
        match self {
            Or => "OR",
            And => "AND",
            Eq => "=",
            NotEq => "<>",
            Lt => "<",
            LtEq => "<=",
            Gt => ">",
            GtEq => ">=",
            Plus => "+",
            Minus => "-",
            Multiply => "*",
            Divide => "/",
            Modulo => "%",
            Concat => "||",
        }
    }
}

impl Expr {
    /// Calls `visit` on each expression right inside of this one, in the order in which they are written.
    pub fn for_each_child_mut(&mut self, visit: &mut impl FnMut(&mut Expr)) {
        use ExprKind::*;
        match &mut self.kind {
            Null | Boolean(_) | Integer(_) | Decimal(_) | Double(_) | String(_) | Column { .. } | Star | Unit(_) => {}
            Field { base: inner, .. }
            | Unary { expr: inner, .. }
            | AtTimeZone { expr: inner, .. }
            | Not(inner)
            | IsNull { expr: inner, .. }
            | Cast { expr: inner, .. }
            | Lambda { body: inner, .. } => visit(inner),
            Subscript { base: left, index: right }
            | Binary { left, right, .. }
            | IsDistinct { left, right, .. }
            | Like { expr: left, pattern: right, .. } => {
                visit(left);
                visit(right);
            }
            Between { expr, low, high, .. } => {
                visit(expr);
                visit(low);
                visit(high);
            }
            InList { expr, list, .. } => {
                visit(expr);
                list.iter_mut().for_each(visit);
            }
            Case { operand, arms, otherwise } => {
                operand.iter_mut().for_each(|operand| visit(operand));
                for (when, then) in arms {
                    visit(when);
                    visit(then);
                }
                otherwise.iter_mut().for_each(|otherwise| visit(otherwise));
            }
            Call { args: items, .. } | Array(items) => items.iter_mut().for_each(visit),
            Map(entries) => {
                for (key, value) in entries {
                    visit(key);
                    visit(value);
                }
            }
            Struct(fields) => fields.iter_mut().for_each(|(_, value)| visit(value)),
        }
    }
}
