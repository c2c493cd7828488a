//! The functions of an engine by name, whichever way they came in.
//!
//! A [`FunctionRegistry`] is a value, as the catalog is: a statement works on a copy, and [`SharedFunctions::change`] puts
//! a copy in place only when everything has succeeded. A query that runs holds the functions it was planned with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use parking_lot::RwLock;

use super::declaration::{Category, Declaration, FunctionKind};
use super::kernel::{ScalarFunction, scalar_udf};
use super::plugin::{self, PluginFunction};
use super::{describe, foreign, resolve, scalar, table};
use crate::error::{Code, Error, Result, Span};
use crate::types::SqlType;

/// The functions of an engine. Names are looked up whatever their case. Cloning is cheap enough to take a snapshot for
/// a statement.
#[derive(Debug, Clone)]
pub struct FunctionRegistry {
    functions: BTreeMap<String, Entry>,
    /// Functions that should be there and are not, by name, each with why.
    missing: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Entry {
    declaration: Arc<Declaration>,
    implementation: Implementation,
    door: Door,
}

/// The way a function came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// Part of the engine.
    BuiltIn,
    /// Registered by the program that embeds the engine.
    Program,
    /// Loaded from a library by `CREATE FUNCTION`.
    Plugin,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Door::BuiltIn => "built in",
            Door::Program => "program",
            Door::Plugin => "plugin",
        })
    }
}

#[derive(Debug, Clone)]
enum Implementation {
    /// One of the engine's own.
    Scalar { function: Arc<dyn ScalarFunction>, udf: Arc<ScalarUDF> },
    /// One that came as DataFusion's.
    Foreign(Arc<ScalarUDF>),
    /// An aggregate that came as DataFusion's, kept for the operator that will run it.
    ForeignAggregate(Arc<AggregateUDF>),
    /// An aggregate or table function, which an operator runs, or a form that the binder resolves by itself.
    Operator,
}

/// A line of `SHOW FUNCTIONS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSummary {
    /// The function's name.
    pub name: String,
    /// How it is called.
    pub kind: FunctionKind,
    /// Its chapter.
    pub category: Category,
    /// The way it came in.
    pub door: Door,
}

/// A call of a scalar function, ready to become an expression.
#[derive(Debug, Clone)]
pub struct ResolvedScalar {
    /// What to call.
    pub udf: Arc<ScalarUDF>,
    /// What each argument must be cast to; its own type where nothing is to be done.
    pub arg_types: Vec<SqlType>,
    /// The type of the result.
    pub return_type: SqlType,
}

impl Default for FunctionRegistry {
    fn default() -> Self {
        FunctionRegistry::builtin()
    }
}

impl FunctionRegistry {
    /// The engine's own functions.
    pub fn builtin() -> Self {
        let mut registry = FunctionRegistry { functions: BTreeMap::new(), missing: BTreeMap::new() };
        for function in scalar::all() {
            let declaration = Arc::new(function.declare());
            let udf = Arc::new(scalar_udf(function.clone(), declaration.clone()));
            registry.insert(declaration, Implementation::Scalar { function, udf }, Door::BuiltIn);
        }
        for declaration in scalar::special_forms().into_iter().chain(table::declarations()) {
            registry.insert(Arc::new(declaration), Implementation::Operator, Door::BuiltIn);
        }
        registry
    }

    /// Adds a scalar function of the program that embeds the engine.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn register_udf(&mut self, udf: ScalarUDF) -> Result<()> {
        let declaration = foreign::declare(&udf);
        self.check_free(&declaration)?;
        self.insert(Arc::new(declaration), Implementation::Foreign(Arc::new(udf)), Door::Program);
        Ok(())
    }

    /// Adds an aggregate function of the program that embeds the engine. It is listed and described; a statement that
    /// calls it is refused by name until queries can group.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn register_udaf(&mut self, udaf: AggregateUDF) -> Result<()> {
        let declaration = foreign::declare_aggregate(&udaf);
        self.check_free(&declaration)?;
        self.insert(Arc::new(declaration), Implementation::ForeignAggregate(Arc::new(udaf)), Door::Program);
        Ok(())
    }

    /// Adds a function of a library, in place of one of its name that came the same way if `replace`. Queries that call
    /// the former one keep it.
    ///
    /// # Errors
    /// When there is a function of this name that must stay.
    pub fn register_plugin(&mut self, function: PluginFunction, replace: bool) -> Result<()> {
        if !(replace && self.door(&function.declaration.name) == Some(Door::Plugin)) {
            self.check_free(&function.declaration)?;
        }
        let implementation = match function.implementation {
            plugin::Implementation::Scalar(udf) => Implementation::Foreign(udf),
            plugin::Implementation::Aggregate(udaf) => Implementation::ForeignAggregate(udaf),
        };
        self.insert(Arc::new(function.declaration), implementation, Door::Plugin);
        Ok(())
    }

    /// Makes a name mean what it means in another registry, or nothing when it means nothing there.
    pub fn copy_from(&mut self, other: &FunctionRegistry, name: &str) {
        let name = name.to_uppercase();
        match other.functions.get(&name) {
            Some(entry) => drop(self.functions.insert(name, entry.clone())),
            None => drop(self.functions.remove(&name)),
        }
    }

    /// Adds a scalar function written against the engine's own trait.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn register(&mut self, function: Arc<dyn ScalarFunction>) -> Result<()> {
        let declaration = Arc::new(function.declare());
        self.check_free(&declaration)?;
        let udf = Arc::new(scalar_udf(function.clone(), declaration.clone()));
        self.insert(declaration, Implementation::Scalar { function, udf }, Door::Program);
        Ok(())
    }

    /// Adds the declaration of an aggregate or table function, which an operator runs.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn declare(&mut self, declaration: Declaration) -> Result<()> {
        self.check_free(&declaration)?;
        self.insert(Arc::new(declaration), Implementation::Operator, Door::BuiltIn);
        Ok(())
    }

    /// Takes a function away; whether there was one. Queries that call it keep what they have.
    pub fn remove(&mut self, name: &str) -> bool {
        self.missing.remove(&name.to_uppercase());
        self.functions.remove(&name.to_uppercase()).is_some()
    }

    /// Says that a function should be there and is not: a call of it, and its description, then say why.
    pub fn set_missing(&mut self, name: &str, why: String) {
        self.missing.insert(name.to_uppercase(), why);
    }

    /// The aggregate of this name, for whoever can run it: one of the program or of a library.
    pub fn aggregate(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        match &self.entry(name)?.implementation {
            Implementation::ForeignAggregate(udaf) => Some(udaf),
            _ => None,
        }
    }

    /// Whether a function should be there and is not.
    pub fn is_missing(&self, name: &str) -> bool {
        self.missing.contains_key(&name.to_uppercase())
    }

    /// The way a function came in.
    pub fn door(&self, name: &str) -> Option<Door> {
        self.entry(name).map(|entry| entry.door)
    }

    /// What a function says about itself.
    pub fn get(&self, name: &str) -> Option<&Declaration> {
        self.entry(name).map(|entry| entry.declaration.as_ref())
    }

    /// All functions by name.
    pub fn list(&self) -> Vec<FunctionSummary> {
        self.functions
            .values()
            .map(|Entry { declaration, door, .. }| FunctionSummary {
                name: declaration.name.to_string(),
                kind: declaration.kind,
                category: declaration.category,
                door: *door,
            })
            .collect()
    }

    /// All declarations by name.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.functions.values().map(|entry| entry.declaration.as_ref())
    }

    /// The text of `DESCRIBE FUNCTION`.
    ///
    /// # Errors
    /// When there is no such function; the nearest name is the hint.
    pub fn describe(&self, name: &str, span: Span) -> Result<String> {
        Ok(describe::describe(self.get(name).ok_or_else(|| self.unknown(name, span))?))
    }

    /// Settles a call of a scalar function; `None` is the type of a NULL literal.
    ///
    /// What the function needs to run is loaded here, once, and shared by all its calls.
    ///
    /// # Errors
    /// When there is no such function, when it is no scalar one, when it does not take these arguments, and when it
    /// cannot be made ready.
    pub fn resolve(&self, name: &str, args: &[Option<SqlType>], span: Span) -> Result<ResolvedScalar> {
        let entry = self.entry(name).ok_or_else(|| self.unknown(name, span))?;
        match &entry.implementation {
            Implementation::Scalar { function, udf } => {
                let types = resolve::resolve(&entry.declaration, args).map_err(|error| error.or_at(span))?;
                function.prepare().map_err(|error| error.or_at(span))?;
                Ok(ResolvedScalar { udf: udf.clone(), arg_types: types.arg_types, return_type: types.return_type })
            }
            Implementation::Foreign(udf) => {
                let call = foreign::resolve(udf, args).map_err(|error| error.or_at(span))?;
                Ok(ResolvedScalar { udf: call.udf, arg_types: call.arg_types, return_type: call.return_type })
            }
            Implementation::ForeignAggregate(_) => Err(not_yet(&entry.declaration, span)),
            Implementation::Operator => {
                let (name, kind) = (&entry.declaration.name, entry.declaration.kind);
                if kind == FunctionKind::Scalar {
                    return Err(
                        Error::refused(Code::WrongArgumentTypes, format!("{name} cannot be called this way")).at(span)
                    );
                }
                let kind = kind.to_string().to_lowercase();
                Err(Error::refused(
                    Code::Misplaced,
                    format!("{name} is {} {kind} function, not a scalar one", article(&kind)),
                )
                .at(span))
            }
        }
    }

    /// The known name most like `name`, when one is like it.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let name = name.to_uppercase();
        let allowed = (name.chars().count() / 3).clamp(1, 3);
        self.functions
            .keys()
            .map(|known| (strsim::osa_distance(&name, known), known))
            .filter(|(distance, _)| *distance <= allowed)
            .min()
            .map(|(_, known)| known.as_str())
    }

    fn unknown(&self, name: &str, span: Span) -> Error {
        if let Some(why) = self.missing.get(&name.to_uppercase()) {
            return Error::refused(Code::InvalidLibrary, format!("function {} is missing", name.to_uppercase()))
                .detail(why.clone())
                .hint(format!("CREATE OR REPLACE FUNCTION {} FROM '...'; makes it again.", name.to_uppercase()))
                .at(span);
        }
        let error = Error::refused(Code::UnknownFunction, format!("unknown function {}", name.to_uppercase())).at(span);
        match self.nearest(name) {
            Some(nearest) => error.hint(format!("Did you mean {nearest}?")),
            None => error.hint("SHOW FUNCTIONS; lists all of them."),
        }
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        match self.functions.get(name) {
            None => self.functions.get(&name.to_uppercase()),
            found => found,
        }
    }

    fn check_free(&self, declaration: &Declaration) -> Result<()> {
        if self.functions.contains_key(declaration.name.as_ref()) {
            return Err(Error::refused(Code::AlreadyExists, format!("function {} exists already", declaration.name)));
        }
        Ok(())
    }

    fn insert(&mut self, declaration: Arc<Declaration>, implementation: Implementation, door: Door) {
        self.missing.remove(declaration.name.as_ref());
        self.functions.insert(declaration.name.to_string(), Entry { declaration, implementation, door });
    }
}

/// The error of a call that only a query with groups could answer.
fn not_yet(declaration: &Declaration, span: Span) -> Error {
    Error::refused(
        Code::Unsupported,
        format!("{} is an aggregate function, and aggregates are not supported yet", declaration.name),
    )
    .at(span)
}

/// The functions of an engine, shared by everybody who reads them.
#[derive(Debug, Default)]
pub struct SharedFunctions {
    current: RwLock<Arc<FunctionRegistry>>,
}

impl SharedFunctions {
    /// Shares these functions.
    pub fn new(functions: FunctionRegistry) -> Self {
        SharedFunctions { current: RwLock::new(Arc::new(functions)) }
    }

    /// The functions as they are now; later changes do not show in it.
    pub fn snapshot(&self) -> Arc<FunctionRegistry> {
        self.current.read().clone()
    }

    /// Runs `change` on a copy and puts the copy in place if it succeeds. Changes exclude each other.
    ///
    /// # Errors
    /// Those of `change`; the functions are then as they were.
    pub fn change<T>(&self, change: impl FnOnce(&mut FunctionRegistry) -> Result<T>) -> Result<T> {
        let mut current = self.current.write();
        let mut next = FunctionRegistry::clone(&current);
        let value = change(&mut next)?;
        *current = Arc::new(next);
        Ok(value)
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests;
