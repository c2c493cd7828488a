//! What a function says about itself: its forms, their types and texts.
//!
//! A declaration stands beside the function's code. `SHOW FUNCTIONS`, `DESCRIBE FUNCTION`, completion, the reference
//! page and the resolution of overloads all read it, so they cannot disagree with one another.

use std::borrow::Cow;
use std::fmt;

use crate::types::SqlType;

/// A text that is nearly always a literal.
pub type Text = Cow<'static, str>;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// One value for each row.
    Scalar,
    /// One value for a group of rows.
    Aggregate,
    /// Any number of rows for each row.
    Table,
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FunctionKind::Scalar => "SCALAR",
            FunctionKind::Aggregate => "AGGREGATE",
            FunctionKind::Table => "TABLE",
        })
    }
}

/// The chapter of the reference a function stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Models and detectors.
    Anomaly,
    /// `ABS`, `ROUND`, ...
    Mathematical,
    /// `CONCAT`, `SUBSTRING`, ...
    String,
    /// `REGEXP_EXTRACT`, ...
    Regex,
    /// `FORMAT_TIMESTAMP`, ...
    DateTime,
    /// `ARRAY_LENGTH`, ...
    Array,
    /// `MAP_KEYS`, ...
    Map,
    /// `EXTRACTJSONFIELD`, ...
    Json,
    /// `URL_EXTRACT_HOST`, ...
    Url,
    /// `COALESCE`, ...
    Conditional,
    /// Functions that take functions.
    Lambda,
    /// `INT_FROM_BYTES`, ...
    Conversion,
    /// `COUNT`, `SUM`, ...
    Aggregate,
    /// `EXPLODE`, ...
    Table,
    /// Everything else.
    Other,
    /// Registered by the user.
    User,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Anomaly => "ANOMALY DETECTION",
            Category::Mathematical => "MATHEMATICAL",
            Category::String => "STRING",
            Category::Regex => "REGULAR EXPRESSION",
            Category::DateTime => "DATE / TIME",
            Category::Array => "ARRAY",
            Category::Map => "MAP",
            Category::Json => "JSON",
            Category::Url => "URL",
            Category::Conditional => "CONDITIONAL",
            Category::Lambda => "LAMBDA",
            Category::Conversion => "CONVERSION",
            Category::Aggregate => "AGGREGATE",
            Category::Table => "TABLE",
            Category::Other => "OTHER",
            Category::User => "USER",
        })
    }
}

/// The type of a parameter, or of a result in terms of the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamType {
    /// This type.
    Exact(SqlType),
    /// `DECIMAL` of any precision and scale.
    Decimal,
    /// Any type; the same letter stands for the same type throughout a form.
    Generic(&'static str),
    /// `ARRAY` of a type.
    Array(Box<ParamType>),
    /// `MAP` from a type to a type.
    Map(Box<ParamType>, Box<ParamType>),
    /// A lambda: the types of its parameters, and of its result.
    Lambda(Vec<ParamType>, Box<ParamType>),
}

impl ParamType {
    /// `ARRAY<element>`.
    pub fn array(element: impl Into<ParamType>) -> ParamType {
        ParamType::Array(Box::new(element.into()))
    }

    /// `MAP<key, value>`.
    pub fn map(key: impl Into<ParamType>, value: impl Into<ParamType>) -> ParamType {
        ParamType::Map(Box::new(key.into()), Box::new(value.into()))
    }

    /// Whether it leaves a type open.
    pub fn is_generic(&self) -> bool {
        match self {
            ParamType::Exact(_) | ParamType::Decimal => false,
            ParamType::Generic(_) => true,
            ParamType::Array(element) => element.is_generic(),
            ParamType::Map(key, value) => key.is_generic() || value.is_generic(),
            ParamType::Lambda(params, returns) => params.iter().any(ParamType::is_generic) || returns.is_generic(),
        }
    }
}

impl From<SqlType> for ParamType {
    fn from(ty: SqlType) -> Self {
        match ty {
            SqlType::Array(element) => ParamType::array(*element),
            SqlType::Map(key, value) => ParamType::map(*key, *value),
            ty => ParamType::Exact(ty),
        }
    }
}

impl fmt::Display for ParamType {
    /// As ksqlDB's `DESCRIBE FUNCTION` names types: `INT` and `VARCHAR`, and `DECIMAL` without digits where any do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamType::Exact(SqlType::Integer) => f.write_str("INT"),
            ParamType::Exact(SqlType::String) => f.write_str("VARCHAR"),
            ParamType::Exact(ty) => ty.fmt(f),
            ParamType::Decimal => f.write_str("DECIMAL"),
            ParamType::Generic(letter) => f.write_str(letter),
            ParamType::Array(element) => write!(f, "ARRAY<{element}>"),
            ParamType::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            ParamType::Lambda(params, returns) => {
                let params: Vec<String> = params.iter().map(ToString::to_string).collect();
                write!(f, "LAMBDA ({}) => {returns}", params.join(", "))
            }
        }
    }
}

/// A parameter of one form of a function.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its name, for descriptions only; calls are by position.
    pub name: Text,
    /// What it takes.
    pub ty: ParamType,
    /// What it means.
    pub description: Text,
}

/// The type of a form's result.
#[derive(Debug, Clone)]
pub enum Returns {
    /// In terms of the parameters.
    Type(ParamType),
    /// Computed from the types of the arguments, for results whose precision or fields depend on them. `shown` is how
    /// descriptions name it; `of` gets the types the arguments have after coercion.
    Computed {
        /// For descriptions.
        shown: &'static str,
        /// The type of the result.
        of: fn(&[SqlType]) -> SqlType,
    },
}

impl<T: Into<ParamType>> From<T> for Returns {
    fn from(ty: T) -> Self {
        Returns::Type(ty.into())
    }
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Returns::Type(ty) => ty.fmt(f),
            Returns::Computed { shown, .. } => f.write_str(shown),
        }
    }
}

/// One form (overload) of a function.
#[derive(Debug, Clone)]
pub struct Variation {
    /// Its parameters in order.
    pub params: Vec<Param>,
    /// Whether the last parameter may be given any number of times, or not at all.
    pub variadic: bool,
    /// The type of its result.
    pub returns: Returns,
    /// What this form does.
    pub description: Text,
}

impl Variation {
    /// A form without parameters.
    pub fn new(returns: impl Into<Returns>, description: impl Into<Text>) -> Self {
        Variation { params: Vec::new(), variadic: false, returns: returns.into(), description: description.into() }
    }

    /// Adds a parameter.
    pub fn param(mut self, name: impl Into<Text>, ty: impl Into<ParamType>, description: impl Into<Text>) -> Self {
        self.params.push(Param { name: name.into(), ty: ty.into(), description: description.into() });
        self
    }

    /// Lets the last parameter repeat.
    pub fn repeated(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// The parameter that takes argument `index`.
    pub fn param_for(&self, index: usize) -> Option<&Param> {
        let last = self.params.len().checked_sub(1)?;
        self.params.get(if self.variadic { index.min(last) } else { index })
    }
}

/// An example of a call.
#[derive(Debug, Clone)]
pub struct Example {
    /// The expression.
    pub sql: Text,
    /// Its value, as output shows it.
    pub result: Text,
}

/// A function as its users see it.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Its name, in upper case.
    pub name: Text,
    /// How it is called.
    pub kind: FunctionKind,
    /// Its chapter.
    pub category: Category,
    /// What it does, in a sentence.
    pub description: Text,
    /// Who wrote it.
    pub author: Text,
    /// Its version; empty for what is part of the engine.
    pub version: Text,
    /// Its forms.
    pub variations: Vec<Variation>,
    /// Examples, each checked by a test.
    pub examples: Vec<Example>,
    /// Whether two calls with the same arguments may differ, which forbids computing it ahead.
    pub volatile: bool,
    /// What else its description says, by name: where it came from, how it treats nulls.
    pub facts: Vec<(Text, Text)>,
}

impl Declaration {
    /// A function of the engine, without forms yet.
    pub fn new(kind: FunctionKind, category: Category, name: impl Into<Text>, description: impl Into<Text>) -> Self {
        Declaration {
            name: name.into(),
            kind,
            category,
            description: description.into(),
            author: "Alcedo".into(),
            version: "".into(),
            variations: Vec::new(),
            examples: Vec::new(),
            volatile: false,
            facts: Vec::new(),
        }
    }

    /// A scalar function of the engine, without forms yet.
    pub fn scalar(category: Category, name: impl Into<Text>, description: impl Into<Text>) -> Self {
        Declaration::new(FunctionKind::Scalar, category, name, description)
    }

    /// Adds a form.
    pub fn form(mut self, variation: Variation) -> Self {
        self.variations.push(variation);
        self
    }

    /// Adds an example.
    pub fn example(mut self, sql: impl Into<Text>, result: impl Into<Text>) -> Self {
        self.examples.push(Example { sql: sql.into(), result: result.into() });
        self
    }

    /// Says that two calls with the same arguments may differ.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// A form as it is called: `NAME(param TYPE, ...)`.
    pub fn call_text(&self, variation: &Variation) -> String {
        let params: Vec<String> = variation
            .params
            .iter()
            .enumerate()
            .map(|(index, param)| {
                let repeated = if variation.variadic && index + 1 == variation.params.len() { "[]" } else { "" };
                format!("{} {}{repeated}", param.name, param.ty)
            })
            .collect();
        format!("{}({})", self.name, params.join(", "))
    }
}
