//! A function in a library as a DataFusion [`ScalarUDF`](datafusion::logical_expr::ScalarUDF).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, new_empty_array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::call::Callee;
use super::convert::laid_out;
use super::failure::Failure;

/// What every function in a library has: a name, types, and a way to be called.
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Its arguments' types.
    pub arguments: Vec<DataType>,
    /// Its result's type.
    pub result: DataType,
    /// How it is called.
    pub callee: Arc<dyn Callee>,
}

impl Bridge {
    /// The columns in the layouts that were declared.
    ///
    /// # Errors
    /// When their number, a type, or a length is another one.
    pub fn prepared(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>, Failure> {
        if columns.len() != self.arguments.len() {
            let (wanted, found) = (self.arguments.len(), columns.len());
            return Err(self.failure(format!("takes {wanted} arguments, was called with {found}")));
        }
        let prepare = |(index, (column, declared)): (usize, (ArrayRef, &DataType))| {
            if column.len() != rows {
                let found = column.len();
                return Err(self.failure(format!("argument {} has {found} rows, not {rows}", index + 1)));
            }
            laid_out(&column, declared).map_err(|text| self.failure(format!("argument {} {text}", index + 1)))
        };
        columns.into_iter().zip(&self.arguments).enumerate().map(prepare).collect()
    }

    /// Calls it with prepared columns.
    ///
    /// # Errors
    /// Why there is no result of that many rows.
    pub fn call(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, Failure> {
        self.callee.call(columns, rows).map_err(|text| self.failure(text))
    }

    fn failure(&self, text: String) -> Failure {
        Failure::new(&self.name, text)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("name", &self.name).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// A scalar function in a library.
pub struct PluginScalar {
    bridge: Bridge,
    signature: Signature,
    /// Whether a call with nothing but constants is one call.
    folds: bool,
}

impl PluginScalar {
    /// A function of this volatility. With `folds`, constants alone are computed once for a batch even when it is
    /// volatile.
    pub fn new(bridge: Bridge, volatility: Volatility, folds: bool) -> PluginScalar {
        let signature = Signature::exact(bridge.arguments.clone(), volatility);
        PluginScalar { bridge, signature, folds }
    }
}

impl ScalarUDFImpl for PluginScalar {
    fn name(&self) -> &str {
        &self.bridge.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.bridge.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let constant = self.folds && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(&self.bridge.result)));
        }
        let expand = |arg| match arg {
            ColumnarValue::Array(array) => Ok(array),
            ColumnarValue::Scalar(value) => value.to_array_of_size(rows),
        };
        let columns = args.args.into_iter().map(expand).collect::<DfResult<Vec<_>>>()?;
        let columns = self.bridge.prepared(columns, rows)?;
        let result = self.bridge.call(&columns, rows)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
            false => ColumnarValue::Array(result),
        })
    }
}

impl fmt::Debug for PluginScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginScalar").field("name", &self.bridge.name).finish_non_exhaustive()
    }
}

// Two functions are the same one only when they were loaded by the same statement: a replaced one is another.
impl PartialEq for PluginScalar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bridge.callee, &other.bridge.callee)
    }
}

impl Eq for PluginScalar {}

impl Hash for PluginScalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bridge.name.hash(state);
    }
}
