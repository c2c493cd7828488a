//! Scoring of whole batches.
//!
//! The rows that have features are packed one after another and run in steps of at most [`STEP`] rows, and their
//! scores scattered back; rows without features, or with faulty ones, cost nothing and touch nothing. A row's score
//! does not depend on the rows beside it, nor on how many there are.

use tract_onnx::prelude::*;

use super::model::{Model, Output, Precision};
use super::text::RowFault;
use crate::error::{Error, Result};

/// Rows of the largest step.
pub const STEP: usize = 1024;

/// What a row brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// All of them.
    Ready,
    /// Null: there is nothing to score, and nothing wrong.
    Null,
    /// Something that cannot be scored.
    Fault(RowFault),
}

/// Scores of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// One score a row; meaningless where `valid` is false.
    pub values: Vec<f64>,
    /// Whether the row has a score.
    pub valid: Vec<bool>,
    /// Rows, ascending, that have none for a reason worth reporting.
    pub faults: Vec<(usize, RowFault)>,
}

/// Scores `rows` rows.
///
/// `fill(row, features)` is called once for every row in order; it writes the row's features into the slice, which is
/// [`Model::width`] long, or says why there are none (the slice may then hold anything). NaN among the features gives
/// a NaN score.
///
/// # Errors
/// When tract fails to run the graph, which a checked model does not let happen.
pub fn score(model: &Model, rows: usize, fill: &mut dyn FnMut(usize, &mut [f64]) -> Features) -> Result<Scores> {
    let mut scores = Scores { values: vec![0.0; rows], valid: vec![false; rows], faults: Vec::new() };
    let width = model.width();
    let mut features = vec![0.0; rows.min(STEP) * width];
    let mut targets = Vec::with_capacity(rows.min(STEP));
    for row in 0..rows {
        let start = targets.len() * width;
        match fill(row, &mut features[start..start + width]) {
            Features::Ready => targets.push(row),
            Features::Null => {}
            Features::Fault(fault) => scores.faults.push((row, fault)),
        }
        if targets.len() == STEP {
            run(model, &features, &targets, &mut scores)?;
            targets.clear();
        }
    }
    run(model, &features[..targets.len() * width], &targets, &mut scores)?;
    Ok(scores)
}

/// Scores packed rows; `targets` says which row of the batch each of them is.
fn run(model: &Model, features: &[f64], targets: &[usize], scores: &mut Scores) -> Result<()> {
    let width = model.width();
    let mut done = 0;
    while done < targets.len() {
        let (size, plan) = model.plan_for(targets.len() - done)?;
        let taken = size.min(targets.len() - done);
        let piece = &features[done * width..(done + taken) * width];
        let input = model.tensor(size, piece).map_err(broken)?;
        let outputs = plan.run(tvec!(input.into())).map_err(broken)?;
        let output = outputs.first().ok_or_else(|| Error::internal("a checked model returned nothing"))?;
        let targets = &targets[done..done + taken];
        match model.precision() {
            Precision::F64 => scatter::<f64>(model, output, piece, targets, scores),
            Precision::F32 => scatter::<f32>(model, output, piece, targets, scores),
        }
        .map_err(broken)?;
        done += taken;
    }
    Ok(())
}

/// Puts one step's results where they belong.
fn scatter<T: Datum + Copy + Into<f64>>(
    model: &Model,
    output: &Tensor,
    features: &[f64],
    targets: &[usize],
    scores: &mut Scores,
) -> TractResult<()> {
    let view = output.try_as_plain_ram()?;
    let output = view.as_slice::<T>()?;
    let width = model.width();
    for (index, &row) in targets.iter().enumerate() {
        scores.values[row] = match model.output() {
            Output::Score => output[index].into(),
            Output::Reconstruction => {
                let vector = index * width..(index + 1) * width;
                mean_squared_error(&features[vector.clone()], &output[vector])
            }
        };
        scores.valid[row] = true;
    }
    Ok(())
}

/// The mean of squared differences, in f64.
///
/// Summed in eight lanes that are joined pairwise: the rounding errors of eight short sums add up to less than those of
/// a long one, and a vector unit does the lanes at once.
fn mean_squared_error<T: Copy + Into<f64>>(row: &[f64], reconstruction: &[T]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (head, tail) = row.as_chunks::<8>();
    let (expected_head, expected_tail) = reconstruction.as_chunks::<8>();
    for (values, expected) in head.iter().zip(expected_head) {
        for lane in 0..8 {
            let difference = values[lane] - expected[lane].into();
            lanes[lane] += difference * difference;
        }
    }
    for ((lane, value), &expected) in lanes.iter_mut().zip(tail).zip(expected_tail) {
        let difference = value - expected.into();
        *lane += difference * difference;
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    (((a + b) + (c + d)) + ((e + f) + (g + h))) / row.len() as f64
}

/// tract's errors at run time: the model was checked, so each is a bug of ours.
fn broken(error: TractError) -> Error {
    Error::internal("a checked model failed to run").detail(format!("{error:#}"))
}

#[cfg(test)]
mod tests;
