//! Functions of a DECIMAL column, whatever the width of its integers.

use std::sync::Arc;

use datafusion::arrow::array::types::{Decimal128Type, Decimal256Type, DecimalType};
use datafusion::arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DfResult};

use crate::functions::kernel::Call;
use crate::functions::row_errors;

/// A function of the unscaled integer of a decimal.
pub trait DecimalFunction {
    /// The unscaled integer of the result, or `None` for a null without a report.
    fn apply<N: ArrowNativeTypeOp>(&self, row: usize, unscaled: N) -> Option<N>;
}

/// 10 to the power of `digits`, which must be one that a decimal of this width can have.
pub fn power_of_ten<N: ArrowNativeTypeOp>(digits: u32) -> N {
    N::usize_as(10).pow_wrapping(digits)
}

/// The largest multiple of `unit` that is not above `value`.
pub fn floor_to<N: ArrowNativeTypeOp>(value: N, unit: N) -> N {
    let rest = value.mod_wrapping(unit);
    let toward_zero = value.sub_wrapping(rest);
    if rest.is_lt(N::ZERO) { toward_zero.sub_wrapping(unit) } else { toward_zero }
}

/// Applies a function to the first argument, a DECIMAL; the result is the DECIMAL the call returns. A result with more
/// digits than that has becomes null and a report.
pub fn map(call: &Call, name: &str, function: &impl DecimalFunction) -> DfResult<ArrayRef> {
    let scale_and_precision = match &call.returns {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => (*precision, *scale),
        other => return Err(DataFusionError::Internal(format!("{name} of a decimal cannot return {other}"))),
    };
    let input = &call.args[0];
    match input.data_type() {
        DataType::Decimal128(..) => mapped::<Decimal128Type>(input, name, scale_and_precision, function),
        DataType::Decimal256(..) => {
            let wide = mapped::<Decimal256Type>(input, name, scale_and_precision, function)?;
            Ok(if *wide.data_type() == call.returns {
                wide
            } else {
                // Fewer digits than the argument has: the values fit, that was checked.
                datafusion::arrow::compute::cast(&wide, &call.returns)?
            })
        }
        other => Err(DataFusionError::Internal(format!("{name} of a decimal was called with {other}"))),
    }
}

fn mapped<T: DecimalType>(
    input: &ArrayRef,
    name: &str,
    (precision, scale): (u8, i8),
    function: &impl DecimalFunction,
) -> DfResult<ArrayRef>
where
    T::Native: ArrowNativeTypeOp,
{
    let limit: T::Native = power_of_ten(u32::from(precision));
    let values = input.as_primitive::<T>();
    let mut column =
        PrimitiveBuilder::<T>::with_capacity(values.len()).with_data_type(T::TYPE_CONSTRUCTOR(precision, scale));
    for row in 0..values.len() {
        let result = values.is_valid(row).then(|| function.apply(row, values.value(row))).flatten();
        let fits = result.filter(|result| result.is_lt(limit) && result.is_gt(limit.neg_wrapping()));
        if result.is_some() && fits.is_none() {
            row_errors::report(row, values.len(), || {
                format!("{name}: the result does not fit in DECIMAL({precision}, {scale})")
            });
        }
        column.append_option(fits);
    }
    Ok(Arc::new(column.finish()))
}
