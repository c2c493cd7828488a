//! A function of the engine as a DataFusion [`ScalarUDF`].
//!
//! A function implements [`ScalarFunction`]: what it declares, and how it computes a column. This module gives it the
//! rest of what DataFusion asks for: types from the declaration, and constants computed once.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::declaration::Declaration;
use super::resolve::{ResolvedTypes, resolve};
use crate::error::Result;
use crate::types::SqlType;

/// A scalar function of the engine.
///
/// Row errors go to [`row_errors::report`](super::row_errors::report) and null the row; an `Err` fails the batch, which
/// whoever evaluates it then bisects.
pub trait ScalarFunction: fmt::Debug + Send + Sync + 'static {
    /// Its name, forms and texts.
    fn declare(&self) -> Declaration;

    /// Called once for every call in a query when the query is planned, so that what can fail fails there.
    ///
    /// # Errors
    /// Whatever keeps the function from working, a model that cannot be loaded say.
    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Whether it reads arguments in any layout Arrow has for their SQL types, such as string views and lists of fixed
    /// size. By default they are brought into the engine's own layout ([`SqlType::to_arrow`]) first.
    fn takes_any_layout(&self) -> bool {
        false
    }

    /// Computes a column.
    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef>;
}

/// A call of a function with a batch.
#[derive(Debug)]
pub struct Call {
    /// The arguments, all of the same length, of the resolved types.
    pub args: Vec<ArrayRef>,
    /// Number of rows; the result must have as many.
    pub rows: usize,
    /// The type the result must have.
    pub returns: DataType,
}

impl Call {
    /// Argument `index` with its concrete array type.
    ///
    /// # Errors
    /// When it has another one, which the resolution of types does not let happen.
    pub fn arg<T: 'static>(&self, index: usize) -> DfResult<&T> {
        let array = self.args.get(index).ok_or_else(|| mistyped(index, "missing"))?;
        array.as_any().downcast_ref().ok_or_else(|| mistyped(index, &array.data_type().to_string()))
    }
}

fn mistyped(index: usize, found: &str) -> DataFusionError {
    DataFusionError::Internal(format!("argument {index} of a function is {found}, not what was resolved"))
}

/// The DataFusion side of a function.
pub fn scalar_udf(function: Arc<dyn ScalarFunction>, declaration: Arc<Declaration>) -> ScalarUDF {
    let volatility = if declaration.volatile { Volatility::Volatile } else { Volatility::Immutable };
    ScalarUDF::from(Kernel { function, declaration, signature: Signature::user_defined(volatility) })
}

struct Kernel {
    function: Arc<dyn ScalarFunction>,
    declaration: Arc<Declaration>,
    signature: Signature,
}

impl Kernel {
    fn types(&self, arg_types: &[DataType]) -> DfResult<ResolvedTypes> {
        let args = arg_types
            .iter()
            .map(|data_type| match data_type {
                DataType::Null => Ok(None),
                data_type => SqlType::from_arrow(unpacked(data_type)).map(Some).ok_or_else(|| {
                    DataFusionError::Plan(format!("{} does not take {data_type}", self.declaration.name))
                }),
            })
            .collect::<DfResult<Vec<_>>>()?;
        resolve(&self.declaration, &args).map_err(|error| DataFusionError::Plan(error.to_string()))
    }

    fn in_layout(&self, array: ArrayRef) -> DfResult<ArrayRef> {
        let wanted = match array.data_type() {
            DataType::Dictionary(_, values) if self.function.takes_any_layout() => values.as_ref().clone(),
            _ if self.function.takes_any_layout() => return Ok(array),
            data_type => match SqlType::from_arrow(unpacked(data_type)) {
                Some(ty) => ty.to_arrow(),
                None => return Ok(array),
            },
        };
        if *array.data_type() == wanted { Ok(array) } else { Ok(cast(&array, &wanted)?) }
    }
}

/// The type of a dictionary's values.
fn unpacked(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        &self.declaration.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(self.types(arg_types)?.arg_types.iter().map(SqlType::to_arrow).collect())
    }

    fn return_type(&self, arg_types: &[DataType]) -> DfResult<DataType> {
        Ok(self.types(arg_types)?.return_type.to_arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let returns = args.return_type().clone();
        let constant = !self.declaration.volatile
            && !args.args.is_empty()
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns =
            args.args.into_iter().map(|arg| self.in_layout(arg.into_array(rows)?)).collect::<DfResult<Vec<_>>>()?;
        let array = self.function.evaluate(&Call { args: columns, rows, returns })?;
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
        } else {
            Ok(ColumnarValue::Array(array))
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("function", &self.function).finish_non_exhaustive()
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.function, &other.function) && self.declaration.name == other.declaration.name
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.declaration.name.hash(state);
    }
}
