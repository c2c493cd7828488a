//! The operators of the dialect that DataFusion's own do not compute as ksqlDB does.
//!
//! Each is a DataFusion scalar function over whole columns. A row that cannot be computed becomes null and is reported
//! on the side channel (`functions::row_errors`); no row can fail the batch. None of them can be called by name from SQL.
//!
//! - [`divide`]: division and remainder, which must survive a zero
//! - [`cast`]: `CAST`, and texts that stand for points in time
//! - [`like`]: `LIKE` patterns
//! - [`lambda`]: lambdas over arrays and maps
//! - [`access`]: fields, elements and entries; [`construct`]: the way back; [`nested`]: equality
//! - [`ordered`]: comparisons of doubles and bytes

pub mod access;
pub mod cast;
pub mod construct;
pub mod divide;
pub mod lambda;
pub mod like;
pub mod nested;
pub mod ordered;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::hash::Hash;

use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// One operator.
trait Kernel: Debug + Clone + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// Its name in DataFusion's texts.
    fn name(&self) -> &'static str;

    /// The type of its result.
    fn return_type(&self, args: &[DataType]) -> Result<DataType>;

    /// Its result for columns of equal length.
    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef>;

    /// A shorter way for some of the arguments being constant; `None` when there is none.
    fn invoke_mixed(&self, _args: &[ColumnarValue]) -> Option<Result<ArrayRef>> {
        None
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Function<K> {
    kernel: K,
    signature: Signature,
}

impl<K: Kernel> ScalarUDFImpl for Function<K> {
    fn name(&self) -> &str {
        self.kernel.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.kernel.return_type(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            // Constants: one row is computed and stands for all.
            let arrays = args.args.iter().map(|arg| arg.to_array(1)).collect::<Result<Vec<_>>>()?;
            let one = self.kernel.invoke(&arrays, 1)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?));
        }
        if let Some(result) = self.kernel.invoke_mixed(&args.args) {
            return Ok(ColumnarValue::Array(result?));
        }
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_null_array(args.return_field.data_type(), 0)));
        }
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(self.kernel.invoke(&arrays, rows)?))
    }
}

/// Whether the operator of a name is null by itself where it, or one of its parts, fails, as in ksqlDB.
pub fn absorbs(name: &str) -> bool {
    name == cast::NAME || construct::NAMES.contains(&name)
}

/// Whether a name is that of a function in SQL's sense, not of an operator: those are in lower case, but the functions that
/// take lambdas are operators here, and fields of structs are to their callers like functions.
pub fn is_function(name: &str) -> bool {
    name.starts_with(char::is_uppercase) || ["field", "filter", "transform", "reduce"].contains(&name)
}

/// A call of an operator.
fn call<K: Kernel>(kernel: K, args: Vec<Expr>) -> Expr {
    let signature = match args.len() {
        0 => Signature::nullary(Volatility::Immutable),
        count => Signature::any(count, Volatility::Immutable),
    };
    ScalarUDF::new_from_impl(Function { kernel, signature }).call(args)
}
