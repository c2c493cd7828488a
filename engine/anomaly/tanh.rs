//! tanh of whole columns of f64, for networks that consist of little else.
//!
//! The C library's tanh branches on the size of its argument, which a processor cannot predict for the neurons of a
//! layer; at 330 of them a row they cost three times what the matrix products do. Here every element takes the same
//! path, which the compiler turns into vector instructions: with `y = 2x` reduced to `k ln 2 + r`, and
//! `t = e^y - 1 = 2^k (e^r - 1) + (2^k - 1)`, `tanh x = t / (t + 2)`. Working with `e^y - 1` keeps the digits of small
//! arguments. The largest error measured is below 3 units in the last place.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::element_wise::{ElementWiseMiniOp, ElementWiseOp};
use tract_onnx::tract_core::ops::math::Tanh;

/// Beyond this, tanh is 1 to the last bit.
const SATURATED: f64 = 20.0;
/// Adding it rounds to a whole number, which then stands in the lowest bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: the first has enough zeros at its end that its product with k is exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/2!, 1/3!, ... 1/13!: the series of e^r - 1 - r, to the last bit for |r| <= ln 2 / 2.
const SERIES: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// tanh of one number; NaN gives NaN.
#[inline(always)]
fn tanh(x: f64) -> f64 {
    let y = 2.0 * x.clamp(-SATURATED, SATURATED);
    let shifted = y * std::f64::consts::LOG2_E + ROUNDING;
    let k = shifted - ROUNDING;
    let r = (y - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = SERIES[11];
    for coefficient in SERIES[..11].iter().rev() {
        sum = sum * r + coefficient;
    }
    let expm1_r = r + r * r * sum;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let t = power * expm1_r + (power - 1.0);
    t / (t + 2.0)
}

/// tanh of each element.
pub(super) fn tanh_in_place(values: &mut [f64]) {
    for value in values {
        *value = tanh(*value);
    }
}

/// The same as an operator of tract.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnTanh;

impl ElementWiseMiniOp for ColumnTanh {
    fn name(&self) -> String {
        "ColumnTanh".into()
    }

    fn eval_in_place(&self, tensor: &mut Tensor, _: Option<DatumType>) -> TractResult<()> {
        tanh_in_place(tensor.try_as_plain_ram_mut()?.as_slice_mut::<f64>()?);
        Ok(())
    }
}

/// Gives a graph this tanh wherever it computes one in f64.
pub(super) fn replace_tanh(graph: &mut TypedModel) {
    for node in &mut graph.nodes {
        let in_f64 = node.outputs.iter().all(|output| output.fact.datum_type == DatumType::F64);
        if in_f64 && node.op_as::<ElementWiseOp>().is_some_and(|op| op.0.is::<Tanh>()) {
            node.op = Box::new(ElementWiseOp(Box::new(ColumnTanh), None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn it_agrees_with_the_standard_library_over_all_magnitudes() {
        let mut worst = 0;
        for exponent in -60..6 {
            for step in 0..2_000 {
                let x = (1.0 + f64::from(step) / 2_000.0) * 2.0_f64.powi(exponent);
                worst = worst.max(ulps(tanh(x), x.tanh())).max(ulps(tanh(-x), (-x).tanh()));
            }
        }
        assert!(worst <= 3, "{worst} units in the last place");
    }

    #[test]
    fn ends_and_zero_are_exact_and_nan_stays() {
        let mut values = [0.0, 20.0, -20.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        tanh_in_place(&mut values);
        assert_eq!(values[..6], [0.0, 1.0, -1.0, 1.0, 1.0, -1.0]);
        assert!(values[6].is_nan());
    }
}
