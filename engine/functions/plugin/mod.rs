//! The plugin host: SQL functions in libraries that are loaded while the engine runs.
//!
//! Two kinds of library, one door ([`Plugin::load`]): Arroyo's plugin format, one function a library, called once a row
//! inside it; and ours, of the crate `alcedo-udf` (`../sdk`), any number of functions, each called with whole columns.
//!
//! In reading order: [`Sidecar`] is what is known about a file before it is opened; `abi` is what stands in memory
//! between the two sides; `value` the types that cross; `library` opens a file and reads what it exports; `convert`
//! takes columns across, `call` makes one call, `asynchronous` one to a function that answers later; [`Failure`] is why
//! a call gave nothing; `scalar` and `aggregate` make a function DataFusion's.
//!
//! What this folder promises, each with its test: a library is opened only when its sidecar fits, and never closed; a
//! function sees exactly the types it declared, columns of one length, and memory its own allocator can free; a result
//! is checked before anyone sees it; a panic or an error of a function is an error of that call, with its text. Nothing
//! protects from a function that ends the process or writes where it should not: its code is trusted.
//!
//! Neighbours: the statements that build and create functions call [`Plugin::load`], the registry takes what it gives.
//! Besides `engine/kafka/`, this is the only folder with `unsafe`.

mod sidecar;

mod abi;
mod value;
mod library;
mod convert;
mod call;
mod asynchronous;
mod failure;

mod scalar;
mod aggregate;

#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use sidecar::{Abi, Argument, AsyncOptions, FORMAT, Sidecar, Signature, Value, host_target, sha256};

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Volatility};

use super::declaration::{Category, Declaration, FunctionKind, ParamType, Variation};
use crate::error::{Code, Error, Result};
use crate::types::SqlType;
use aggregate::PluginAggregate;
use asynchronous::AsynchronousCall;
use call::{ArroyoCall, Callee, VectorizedCall};
use library::{Arroyo, Described, Library};
use scalar::{Bridge, PluginScalar};

/// Rust source that a builder puts behind the source of a function in Arroyo's format, in a module of its own. The texts
/// of the function's panics then reach the engine, instead of standard error.
pub const ADDITION: &str = include_str!("addition.rs");

/// Libraries of functions.
#[derive(Debug)]
pub struct Plugin;

/// A function of a loaded library.
#[derive(Debug, Clone)]
pub struct PluginFunction {
    /// Its name, as the source spells it.
    pub name: String,
    /// What to call.
    pub implementation: Implementation,
    /// Its types.
    pub signature: Signature,
    /// What it says about itself, for `SHOW FUNCTIONS` and `DESCRIBE FUNCTION`.
    pub declaration: Declaration,
}

/// What to call.
#[derive(Debug, Clone)]
pub enum Implementation {
    /// One value for each row.
    Scalar(Arc<ScalarUDF>),
    /// One value for a group of rows.
    Aggregate(Arc<AggregateUDF>),
}

impl Plugin {
    /// Opens a library, which then stays in this process for good, and gives its functions by name.
    ///
    /// # Errors
    /// When the sidecar does not fit this process or the file, when the file is no library of that kind, and when its
    /// own description differs from the sidecar.
    pub fn load(library: &Path, sidecar: &Sidecar) -> Result<Vec<PluginFunction>> {
        let content = sidecar::read(library)?;
        sidecar.check_content(library, &content)?;
        match sidecar.abi {
            Abi::Arroyo => sidecar.functions.iter().map(|signature| arroyo(library, &content, signature)).collect(),
            Abi::Vectorized => {
                let described = Library::open(library, &content)?.vectorized(library)?;
                let found: Vec<&Signature> = described.iter().map(|function| &function.signature).collect();
                let mut wanted: Vec<&Signature> = sidecar.functions.iter().collect();
                wanted.sort_by(|a, b| a.name.cmp(&b.name));
                if found != wanted {
                    let names =
                        |signatures: &[&Signature]| signatures.iter().map(|s| shown(s)).collect::<Vec<_>>().join(", ");
                    return Err(Error::refused(
                        Code::InvalidLibrary,
                        format!("library {} is not what its sidecar says", library.display()),
                    )
                    .detail(format!("it has {}; the sidecar has {}", names(&found), names(&wanted)))
                    .hint("Build it again: CREATE OR REPLACE FUNCTION ... FROM its source file."));
                }
                described.iter().map(vectorized).collect()
            }
        }
    }

    /// The signatures a library of the vectorized kind describes itself with, by name, for the sidecar that is written
    /// after it was built. Opens the library.
    ///
    /// # Errors
    /// When the file is no such library.
    pub fn describe(library: &Path) -> Result<Vec<Signature>> {
        let content = sidecar::read(library)?;
        let described = Library::open(library, &content)?.vectorized(library)?;
        Ok(described.into_iter().map(|function| function.signature).collect())
    }
}

/// A signature as people read it.
fn shown(signature: &Signature) -> String {
    let value = |value: &Value, is_vec: bool| {
        let text = if value.nullable { format!("{}?", value.data_type) } else { value.data_type.clone() };
        if is_vec { format!("Vec<{text}>") } else { text }
    };
    let arguments: Vec<String> = signature.arguments.iter().map(|a| value(&a.value, a.is_vec)).collect();
    format!("{}({}) -> {}", signature.name, arguments.join(", "), value(&signature.result, false))
}

/// The function of a library of Arroyo's format.
fn arroyo(library: &Path, content: &[u8], signature: &Signature) -> Result<PluginFunction> {
    let name = signature.name.to_uppercase();
    let vectors = signature.arguments.iter().filter(|argument| argument.is_vec).count();
    if signature.arguments.is_empty() {
        return Err(Error::refused(Code::WrongArgumentTypes, format!("function {name} takes no arguments"))
            .detail("Arroyo's format tells the number of rows by the first argument"));
    }
    if vectors > 0 && (vectors < signature.arguments.len() || signature.is_async) {
        return Err(Error::refused(Code::WrongArgumentTypes, format!("function {name} cannot be called"))
            .detail("an aggregate takes vectors only, and answers at once"));
    }
    let (arguments, result) = types(signature)?;
    let symbols = Library::open(library, content)?.arroyo(library, signature.is_async)?;
    let callee: Arc<dyn Callee> = match symbols {
        Arroyo::Run(run, panics) => Arc::new(ArroyoCall { run, panics, result: result.clone() }),
        Arroyo::Asynchronous(symbols) => {
            let nullable = signature.arguments.iter().map(|argument| argument.value.nullable).collect();
            let options = signature.async_options.unwrap_or_default();
            Arc::new(AsynchronousCall::new(&name, symbols, result.clone(), nullable, options))
        }
    };
    let bridge = Bridge { name: name.clone(), arguments, result, callee };
    let (kind, implementation) = if vectors > 0 {
        let udf = AggregateUDF::from(PluginAggregate::new(bridge));
        (FunctionKind::Aggregate, Implementation::Aggregate(Arc::new(udf)))
    } else {
        // Nothing in the format says that equal arguments give equal results, so Arroyo assumes that they may not.
        let udf = ScalarUDF::from(PluginScalar::new(bridge, Volatility::Volatile, true));
        (FunctionKind::Scalar, Implementation::Scalar(Arc::new(udf)))
    };
    let declaration = declare(kind, signature, "", "", true)?;
    Ok(PluginFunction { name: signature.name.clone(), implementation, signature: signature.clone(), declaration })
}

/// A function of a library of the vectorized kind.
fn vectorized(described: &Described) -> Result<PluginFunction> {
    let signature = &described.signature;
    let (arguments, result) = types(signature)?;
    let propagates = signature.arguments.iter().all(|argument| !argument.value.nullable);
    let callee = Arc::new(VectorizedCall { function: described.function, result: result.clone(), propagates });
    let bridge = Bridge { name: signature.name.to_uppercase(), arguments, result, callee };
    let volatility = if described.volatile { Volatility::Volatile } else { Volatility::Immutable };
    let udf = ScalarUDF::from(PluginScalar::new(bridge, volatility, !described.volatile));
    let (description, version) = (&described.description, &described.version);
    let declaration = declare(FunctionKind::Scalar, signature, description, version, described.volatile)?;
    Ok(PluginFunction {
        name: signature.name.clone(),
        implementation: Implementation::Scalar(Arc::new(udf)),
        signature: signature.clone(),
        declaration,
    })
}

/// Arrow's types of the arguments and the result.
fn types(signature: &Signature) -> Result<(Vec<DataType>, DataType)> {
    let arguments =
        signature.arguments.iter().map(|argument| argument.value.arrow_type()).collect::<Result<Vec<_>>>()?;
    Ok((arguments, signature.result.arrow_type()?))
}

fn declare(
    kind: FunctionKind,
    signature: &Signature,
    description: &str,
    version: &str,
    volatile: bool,
) -> Result<Declaration> {
    let sql_type = |value: &Value| {
        let data_type = value.arrow_type()?;
        SqlType::from_arrow(&data_type)
            .map(ParamType::from)
            .ok_or_else(|| Error::refused(Code::InvalidLibrary, format!("{} has no type in SQL", value.data_type)))
    };
    let description = if description.is_empty() { "A function of a library." } else { description };
    let mut form = Variation::new(sql_type(&signature.result)?, description.to_string());
    for argument in &signature.arguments {
        let text = match (argument.is_vec, argument.value.nullable) {
            (true, false) => "The values of the group that are not NULL.",
            (true, true) => "The values of the group.",
            (false, false) => "NULL makes the result NULL.",
            (false, true) => "",
        };
        form = form.param(argument.name.clone(), sql_type(&argument.value)?, text);
    }
    let name = signature.name.to_uppercase();
    let mut declaration = Declaration::new(kind, Category::User, name, description.to_string()).form(form);
    declaration.author = "user".into();
    declaration.version = version.to_string().into();
    declaration.volatile = volatile;
    Ok(declaration)
}
