//! Division and remainder.
//!
//! Integers divide toward zero and the remainder has the sign of the dividend; the smallest integer divided by -1 is
//! itself, as in Java. A zero divisor nulls the row and reports it. A decimal quotient is rounded half up at its scale.

use std::sync::Arc;

use datafusion::arrow::array::types::{Decimal128Type, Decimal256Type};
use datafusion::arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, DecimalType, Int32Type, Int64Type, i256};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};

use super::{Kernel, call};
use crate::functions::row_errors;

const BY_ZERO: &str = "division by zero";

/// `left / right` of two `INTEGER` or two `BIGINT`.
pub fn quotient(left: Expr, right: Expr) -> Expr {
    call(Integer { remainder: false }, vec![left, right])
}

/// `left % right` of two `INTEGER` or two `BIGINT`.
pub fn remainder(left: Expr, right: Expr) -> Expr {
    call(Integer { remainder: true }, vec![left, right])
}

/// `left / right` of two decimals of one width, as the decimal type `result`.
pub fn decimal_quotient(left: Expr, right: Expr, result: DataType) -> Expr {
    call(Decimal { result }, vec![left, right])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Integer {
    remainder: bool,
}

impl Integer {
    fn by_column<T: ArrowPrimitiveType>(&self, left: &ArrayRef, right: &ArrayRef) -> ArrayRef
    where
        T::Native: ArrowNativeTypeOp,
    {
        let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
        let mut nulls = NullBuffer::union(left.nulls(), right.nulls());
        let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let mut any_zero = false;
        let values: Vec<T::Native> = left
            .values()
            .iter()
            .zip(right.values())
            .map(|(l, r)| {
                any_zero |= r.is_zero();
                self.one(*l, *r)
            })
            .collect();
        if any_zero {
            // Slots of nulls may hold a zero too; they are no failure.
            let zero = |row: &usize| right.value(*row).is_zero() && is_valid(*row);
            (0..left.len()).filter(zero).for_each(|row| row_errors::report(row, left.len(), || BY_ZERO.to_string()));
            let valid: Vec<bool> = (0..left.len()).map(|row| is_valid(row) && !right.value(row).is_zero()).collect();
            nulls = Some(NullBuffer::from(valid));
        }
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
    }

    fn by_constant<T: ArrowPrimitiveType>(&self, left: &ArrayRef, divisor: T::Native) -> ArrayRef
    where
        T::Native: ArrowNativeTypeOp,
    {
        Arc::new(left.as_primitive::<T>().unary::<_, T>(|value| self.one(value, divisor)))
    }

    /// One row; anything for a zero divisor.
    fn one<N: ArrowNativeTypeOp>(&self, left: N, right: N) -> N {
        if right.is_zero() {
            N::ZERO
        } else if self.remainder {
            left.mod_wrapping(right)
        } else {
            left.div_wrapping(right)
        }
    }
}

impl Kernel for Integer {
    fn name(&self) -> &'static str {
        if self.remainder { "remainder" } else { "quotient" }
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args[0].clone())
    }

    fn invoke(&self, args: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        match args[0].data_type() {
            DataType::Int32 => Ok(self.by_column::<Int32Type>(&args[0], &args[1])),
            DataType::Int64 => Ok(self.by_column::<Int64Type>(&args[0], &args[1])),
            other => internal_err!("integer division of {other}"),
        }
    }

    fn invoke_mixed(&self, args: &[ColumnarValue]) -> Option<Result<ArrayRef>> {
        match args {
            [ColumnarValue::Array(left), ColumnarValue::Scalar(ScalarValue::Int32(Some(divisor)))] if *divisor != 0 => {
                Some(Ok(self.by_constant::<Int32Type>(left, *divisor)))
            }
            [ColumnarValue::Array(left), ColumnarValue::Scalar(ScalarValue::Int64(Some(divisor)))] if *divisor != 0 => {
                Some(Ok(self.by_constant::<Int64Type>(left, *divisor)))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Decimal {
    result: DataType,
}

impl Kernel for Decimal {
    fn name(&self) -> &'static str {
        "quotient"
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (Some(s1), Some(s2), Some(scale)) =
            (scale_of(args[0].data_type()), scale_of(args[1].data_type()), scale_of(&self.result))
        else {
            return internal_err!("decimal division of {} and {}", args[0].data_type(), args[1].data_type());
        };
        // left / 10^s1 / (right / 10^s2) * 10^scale
        let shift = u32::from((scale + s2).saturating_sub(s1));
        let digits = |array: &ArrayRef, row: usize| -> Option<i256> {
            match array.data_type() {
                _ if array.is_null(row) => None,
                DataType::Decimal128(..) => Some(i256::from_i128(array.as_primitive::<Decimal128Type>().value(row))),
                _ => Some(array.as_primitive::<Decimal256Type>().value(row)),
            }
        };
        let mut quotients = Vec::with_capacity(rows);
        for row in 0..rows {
            let quotient = match (digits(&args[0], row), digits(&args[1], row)) {
                (Some(_), Some(right)) if right == i256::ZERO => Err(BY_ZERO),
                (Some(left), Some(right)) => half_up(left, shift, right).ok_or(OVERFLOW).map(Some),
                _ => Ok(None),
            };
            quotients.push(match quotient {
                Ok(quotient) => quotient,
                Err(message) => {
                    row_errors::report(row, rows, || message.to_string());
                    None
                }
            });
        }
        match &self.result {
            DataType::Decimal128(precision, scale) => {
                let narrow = quotients.iter().enumerate().map(|(row, quotient)| {
                    let fits = quotient
                        .and_then(|q| q.to_i128())
                        .filter(|q| Decimal128Type::validate_decimal_precision(*q, *precision, *scale).is_ok());
                    if quotient.is_some() && fits.is_none() {
                        row_errors::report(row, rows, || OVERFLOW.to_string());
                    }
                    fits
                });
                let array: PrimitiveArray<Decimal128Type> = narrow.collect();
                Ok(Arc::new(array.with_data_type(self.result.clone())))
            }
            _ => {
                let array: PrimitiveArray<Decimal256Type> = quotients.into_iter().collect();
                Ok(Arc::new(array.with_data_type(self.result.clone())))
            }
        }
    }
}

const OVERFLOW: &str = "the result does not fit its DECIMAL type";

fn scale_of(ty: &DataType) -> Option<u8> {
    match ty {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => u8::try_from(*scale).ok(),
        _ => None,
    }
}

/// `left * 10^shift / right`, rounded half away from zero; `None` when it overflows. `right` is not zero.
fn half_up(left: i256, shift: u32, right: i256) -> Option<i256> {
    let left = left.checked_mul(i256::from_i128(10).checked_pow(shift)?)?;
    let (quotient, rest) = (left.checked_div(right)?, left.checked_rem(right)?);
    let twice = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
    if twice < right.checked_abs()? {
        return Some(quotient);
    }
    let away = if left.is_negative() == right.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(away)
}
