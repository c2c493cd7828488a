//! An ONNX graph as a checked, shareable model.
//!
//! A model takes a batch of feature vectors `[N, D]`, f64 or f32, and returns either one score a row (`[N]` or
//! `[N, 1]`), or a reconstruction of its input (`[N, D]`), from which the score is computed here as the mean squared
//! error. Everything is checked when the model is loaded, so that scoring a batch cannot fail on the graph's account.
//!
//! tract runs it. Its plans are fastest with every dimension known, and one call costs about as much as ten rows, so
//! there is one plan for each of a few batch sizes, made when first needed (`Model::plan_for`); the rows of a last,
//! short batch are padded. Plans are immutable and shared by all threads; what a run writes lives in that run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use super::score::run_plan;
use super::tanh::replace_tanh;
use crate::error::{Code, Error, Result};

/// Batch sizes that have a plan, ascending. Four times apart, so that padding never adds more than the rows there are.
pub(super) const SIZES: [usize; 6] = [1, 4, 16, 64, 256, 1024];

/// How far an optimised graph may be from the same graph run operator by operator, relative.
///
/// tract rewrites graphs before it runs them, and a rewrite can lose precision without a word: `ReduceMean(x * x)` in
/// f64 becomes an operator that works in f32. Honest rounding stays far below these bounds, such a loss far above.
const TOLERANCE_F64: f64 = 1e-10;
const TOLERANCE_F32: f64 = 1e-3;

/// The number type a model computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 binary32: several times faster, scores good to about six digits.
    F32,
    /// IEEE 754 binary64: scores good to about fifteen digits.
    F64,
}

impl Precision {
    fn datum_type(self) -> DatumType {
        match self {
            Precision::F32 => DatumType::F32,
            Precision::F64 => DatumType::F64,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        })
    }
}

/// What a graph returns for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The score.
    Score,
    /// The row as the model would have expected it.
    Reconstruction,
}

/// A tract plan for one batch size.
pub(super) type Plan = Arc<TypedRunnableModel>;

/// A checked model.
pub struct Model {
    fingerprint: String,
    width: usize,
    precision: Precision,
    output: Output,
    graph: InferenceModel,
    plans: [OnceLock<Plan>; SIZES.len()],
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("fingerprint", &self.fingerprint)
            .field("width", &self.width)
            .field("precision", &self.precision)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads and checks an ONNX file's bytes.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, use an operator that tract does not have, have another shape than the module
    /// says, or lose precision when tract optimises them.
    pub fn from_onnx(bytes: &[u8]) -> Result<Model> {
        // tract indexes names and tensors of the file without looking; a file from outside must not end the process.
        let graph = guarded("read the model", || onnx().model_for_read(&mut &bytes[..]))?;
        Model::new(graph, fingerprint(bytes))
    }

    fn new(mut graph: InferenceModel, fingerprint: String) -> Result<Model> {
        let (inputs, outputs) = (graph.inputs.len(), graph.outputs.len());
        if (inputs, outputs) != (1, 1) {
            return Err(Error::refused(
                Code::InvalidLibrary,
                format!("the model has {inputs} inputs and {outputs} outputs"),
            )
            .hint("A model for scoring takes one tensor of feature vectors and returns one tensor."));
        }
        let fact = guarded("look at the model's input", || Ok(graph.input_fact(0)?.clone()))?;
        let precision = match fact.datum_type.concretize() {
            Some(DatumType::F32) => Precision::F32,
            Some(DatumType::F64) => Precision::F64,
            other => {
                let found = other.map_or_else(|| "of unknown type".to_string(), |ty| format!("of {ty:?}"));
                return Err(Error::refused(
                    Code::InvalidLibrary,
                    format!("the model's input is {found}, not of f32 or f64"),
                ));
            }
        };
        let rank = fact.shape.rank().concretize();
        let width = fact.shape.dim(1).and_then(|dim| dim.concretize()).and_then(|dim| dim.to_usize().ok());
        let (Some(2), Some(width @ 1..)) = (rank, width) else {
            return Err(Error::refused(Code::InvalidLibrary, format!("the model's input has shape {:?}", fact.shape))
                .hint("A model for scoring takes the shape [N, D]: any number of rows, and D features, known."));
        };
        // The names and shapes a file declares for its output bind the batch size; ours are set by each plan.
        guarded("forget the declared output", || graph.set_output_fact(0, InferenceFact::default()))?;
        let mut model = Model {
            fingerprint,
            width,
            precision,
            output: Output::Score,
            graph,
            plans: std::array::from_fn(|_| OnceLock::new()),
        };
        model.output = model.check_output()?;
        model.check_precision()?;
        Ok(model)
    }

    /// Identifies the file's content: `crc32c:` and eight hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Number of features of a row, D.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number type it computes in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    pub(super) fn output(&self) -> Output {
        self.output
    }

    /// The plan that runs the next of `rows` rows, and how many rows it takes: at least half of them are there.
    pub(super) fn plan_for(&self, rows: usize) -> Result<(usize, &Plan)> {
        let largest = SIZES.len() - 1;
        let fits = SIZES.iter().position(|&size| size >= rows).unwrap_or(largest);
        let index = if SIZES[fits] > 2 * rows && fits > 0 { fits - 1 } else { fits };
        let slot = &self.plans[index];
        if let Some(plan) = slot.get() {
            return Ok((SIZES[index], plan));
        }
        let plan = self.optimised(SIZES[index])?;
        Ok((SIZES[index], slot.get_or_init(|| plan)))
    }

    fn with_rows(&self, rows: usize) -> TractResult<InferenceModel> {
        self.graph.clone().with_input_fact(0, self.precision.datum_type().fact([rows, self.width]).into())
    }

    fn optimised(&self, rows: usize) -> Result<Plan> {
        guarded("prepare the model", || {
            let mut graph = self.with_rows(rows)?.into_typed()?;
            replace_tanh(&mut graph);
            graph.into_optimized()?.into_runnable()
        })
    }

    fn check_output(&self) -> Result<Output> {
        // Two rows, so that a batch size and a number of features cannot be taken for each other.
        let plan = guarded("analyse the model", || self.with_rows(2)?.into_typed()?.into_runnable())?;
        let fact = guarded("look at the model's output", || Ok(plan.model().output_fact(0)?.clone()))?;
        let shape = fact.shape.as_concrete().unwrap_or_default();
        let same_type = fact.datum_type == self.precision.datum_type();
        match shape {
            [2] | [2, 1] if same_type => Ok(Output::Score),
            [2, width] if same_type && *width == self.width => Ok(Output::Reconstruction),
            _ => Err(Error::refused(
                Code::InvalidLibrary,
                format!("the model returns {fact:?} for 2 rows of {} features", self.width),
            )
            .hint(
                "A model for scoring returns one number a row or a vector as long as its input, in the input's type.",
            )),
        }
    }

    /// Compares the optimised graph with the plain one on rows that exercise it.
    fn check_precision(&self) -> Result<()> {
        const ROWS: usize = 4;
        let plain = guarded("prepare the model", || self.with_rows(ROWS)?.into_typed()?.into_runnable())?;
        let (_, optimised) = self.plan_for(ROWS)?;
        let probe: Vec<f64> = (0..ROWS * self.width).map(|i| ((i * 37 + 11) % 101) as f64 * 0.08 - 0.5).collect();
        let results = [&plain, optimised].map(|plan| {
            guarded("run the model", || {
                let input = self.tensor(ROWS, &probe)?;
                self.to_f64(&run_plan(plan, input)?[0])
            })
        });
        let [plain, optimised] = results;
        let tolerance = match self.precision {
            Precision::F32 => TOLERANCE_F32,
            Precision::F64 => TOLERANCE_F64,
        };
        for (a, b) in plain?.into_iter().zip(optimised?) {
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(1e-3);
            if !same {
                return Err(Error::refused(Code::InvalidLibrary, "the model loses precision when it is optimised")
                    .hint(
                        "Write the mean of squares as ReduceSum(x * x) times a constant, \
                     or let the graph return the reconstruction.",
                    ));
            }
        }
        Ok(())
    }

    /// Rows as a tensor of the model's type; `values` holds `rows` rows or fewer, the others become zeros.
    pub(super) fn tensor(&self, rows: usize, values: &[f64]) -> TractResult<Tensor> {
        let mut tensor = Tensor::zero_dt(self.precision.datum_type(), &[rows, self.width])?;
        let mut view = tensor.try_as_plain_ram_mut()?;
        match self.precision {
            Precision::F64 => view.as_slice_mut::<f64>()?[..values.len()].copy_from_slice(values),
            Precision::F32 => {
                view.as_slice_mut::<f32>()?.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value as f32)
            }
        }
        Ok(tensor)
    }

    fn to_f64(&self, tensor: &Tensor) -> TractResult<Vec<f64>> {
        let view = tensor.try_as_plain_ram()?;
        Ok(match self.precision {
            Precision::F64 => view.as_slice::<f64>()?.to_vec(),
            Precision::F32 => view.as_slice::<f32>()?.iter().map(|&value| f64::from(value)).collect(),
        })
    }
}

/// Runs something of tract's and makes its error, or its panic, ours.
fn guarded<T>(what: &str, run: impl FnOnce() -> TractResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let text = format!("{error:#}");
            let first = text.lines().next().unwrap_or("no reason given");
            Err(Error::refused(Code::InvalidLibrary, format!("cannot {what}")).detail(first))
        }
        Err(_) => Err(Error::refused(Code::InvalidLibrary, format!("cannot {what}"))
            .detail("the file is damaged or not an ONNX model")),
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    format!("crc32c:{:08x}", crc32c::crc32c(bytes))
}

#[cfg(test)]
mod tests;
