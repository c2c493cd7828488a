//! The functions of an engine by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::declaration::{Category, Declaration, FunctionKind};
use super::kernel::{ScalarFunction, scalar_udf};
use super::{describe, foreign, resolve, scalar, table};
use crate::error::{Error, Result, Span};
use crate::types::SqlType;

/// The functions of an engine. Names are looked up whatever their case. Cloning is cheap enough to take a snapshot for
/// a statement.
#[derive(Debug, Clone)]
pub struct FunctionRegistry {
    functions: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    declaration: Arc<Declaration>,
    implementation: Implementation,
}

#[derive(Debug, Clone)]
enum Implementation {
    /// One of the engine's own.
    Scalar { function: Arc<dyn ScalarFunction>, udf: Arc<ScalarUDF> },
    /// One that came as DataFusion's.
    Foreign(Arc<ScalarUDF>),
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
        let mut registry = FunctionRegistry { functions: BTreeMap::new() };
        for function in scalar::all() {
            let declaration = Arc::new(function.declare());
            let udf = Arc::new(scalar_udf(function.clone(), declaration.clone()));
            registry.insert(declaration, Implementation::Scalar { function, udf });
        }
        for declaration in scalar::special_forms().into_iter().chain(table::declarations()) {
            registry.insert(Arc::new(declaration), Implementation::Operator);
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
        self.insert(Arc::new(declaration), Implementation::Foreign(Arc::new(udf)));
        Ok(())
    }

    /// Adds a scalar function written against the engine's own trait.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn register(&mut self, function: Arc<dyn ScalarFunction>) -> Result<()> {
        let declaration = Arc::new(function.declare());
        self.check_free(&declaration)?;
        let udf = Arc::new(scalar_udf(function.clone(), declaration.clone()));
        self.insert(declaration, Implementation::Scalar { function, udf });
        Ok(())
    }

    /// Adds the declaration of an aggregate or table function, which an operator runs.
    ///
    /// # Errors
    /// When there is a function of this name.
    pub fn declare(&mut self, declaration: Declaration) -> Result<()> {
        self.check_free(&declaration)?;
        self.insert(Arc::new(declaration), Implementation::Operator);
        Ok(())
    }

    /// Takes a function away; whether there was one. Queries that call it keep what they have.
    pub fn remove(&mut self, name: &str) -> bool {
        self.functions.remove(&name.to_uppercase()).is_some()
    }

    /// What a function says about itself.
    pub fn get(&self, name: &str) -> Option<&Declaration> {
        self.entry(name).map(|entry| entry.declaration.as_ref())
    }

    /// All functions by name.
    pub fn list(&self) -> Vec<FunctionSummary> {
        self.declarations()
            .map(|declaration| FunctionSummary {
                name: declaration.name.to_string(),
                kind: declaration.kind,
                category: declaration.category,
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
            Implementation::Operator => {
                let (name, kind) = (&entry.declaration.name, entry.declaration.kind);
                if kind == FunctionKind::Scalar {
                    return Err(Error::sql(format!("{name} cannot be called this way")).at(span));
                }
                let kind = kind.to_string().to_lowercase();
                Err(Error::sql(format!("{name} is {} {kind} function, not a scalar one", article(&kind))).at(span))
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
        let error = Error::sql(format!("unknown function {}", name.to_uppercase())).at(span);
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
            return Err(Error::sql(format!("function {} exists already", declaration.name)));
        }
        Ok(())
    }

    fn insert(&mut self, declaration: Arc<Declaration>, implementation: Implementation) {
        self.functions.insert(declaration.name.to_string(), Entry { declaration, implementation });
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests;
