//! One multiplication of two columns of doubles through each door for functions, in nanoseconds a row.
//!
//! `cargo bench --bench udf`. In process: a DataFusion function. Arroyo: `udfs/multiply`, called row by row inside its
//! library. Vectorized: `udfs/zscore`, whose `calibrate` gets whole columns. All are called the way an expression calls
//! them. The cases run in turn for a millisecond each, and the fastest run of each counts. The libraries are built on the
//! first run.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use alcedo::functions::plugin::{
    Abi, Argument, FORMAT, Implementation, Plugin, Sidecar, Signature, Value, host_target, sha256,
};
use datafusion::arrow::array::types::Float64Type;
use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::binary;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, Volatility, create_udf};

#[path = "../../tests/harness/udfs.rs"]
mod udfs;

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn in_process() -> Arc<ScalarUDF> {
    let multiply = |args: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(args)?;
        let (a, b) = (columns[0].as_primitive::<Float64Type>(), columns[1].as_primitive::<Float64Type>());
        let product: Float64Array = binary(a, b, |a, b| a * b)?;
        Ok(ColumnarValue::Array(Arc::new(product)))
    };
    let double = DataType::Float64;
    let udf = create_udf("multiply", vec![double.clone(); 2], double, Volatility::Immutable, Arc::new(multiply));
    Arc::new(udf)
}

/// The function `name` of a library, with the sidecar that its builder would write.
fn loaded(library: &Path, abi: Abi, name: &str) -> Arc<ScalarUDF> {
    let double = |nullable| Value { data_type: "Float64".into(), nullable };
    let argument = |name: &str| Argument { name: name.into(), value: double(false), is_vec: false };
    let functions = match abi {
        Abi::Vectorized => Plugin::describe(library).expect("a library that describes itself"),
        Abi::Arroyo => vec![Signature {
            name: name.into(),
            arguments: vec![argument("x"), argument("y")],
            result: double(false),
            is_async: false,
            async_options: None,
        }],
    };
    let sidecar = Sidecar {
        format: FORMAT,
        abi,
        source_sha256: String::new(),
        library_sha256: sha256(&std::fs::read(library).expect("a built library")),
        rustc: String::new(),
        crate_version: String::new(),
        target: host_target(),
        panic: "unwind".into(),
        functions,
    };
    let functions = Plugin::load(library, &sidecar).expect("a library that loads");
    match functions.into_iter().find(|function| function.name == name).map(|function| function.implementation) {
        Some(Implementation::Scalar(udf)) => udf,
        _ => panic!("{name} is a scalar function"),
    }
}

/// The batch that the bound of a vectorized function is for, and the bound: nanoseconds a row above the function in process.
const BOUND: (usize, f64) = (8_192, 1.0);

/// Calls of one function with one batch.
struct Case {
    door: &'static str,
    udf: Arc<ScalarUDF>,
    columns: [ArrayRef; 2],
    fields: Vec<FieldRef>,
    options: Arc<ConfigOptions>,
    best: f64,
}

impl Case {
    fn new(door: &'static str, udf: &Arc<ScalarUDF>, rows: usize) -> Case {
        let column = |from: f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values((0..rows).map(|row| from + row as f64)))
        };
        let field: FieldRef = Arc::new(Field::new("x", DataType::Float64, true));
        let fields = vec![field; 2];
        let options = Arc::new(ConfigOptions::default());
        Case { door, udf: udf.clone(), columns: [column(0.5), column(-7.0)], fields, options, best: f64::MAX }
    }

    fn call(&self) -> ArrayRef {
        let rows = self.columns[0].len();
        let args = ScalarFunctionArgs {
            args: self.columns.iter().cloned().map(ColumnarValue::Array).collect(),
            arg_fields: self.fields.clone(),
            number_rows: rows,
            return_field: self.fields[0].clone(),
            config_options: self.options.clone(),
        };
        self.udf.invoke_with_args(args).and_then(|result| result.into_array(rows)).expect("products")
    }
}

fn main() {
    let (Some(multiply), Some(zscore)) = (udfs::library("multiply"), udfs::library("zscore")) else { return };
    let doors = [
        ("in process", in_process()),
        ("Arroyo", loaded(&multiply, Abi::Arroyo, "multiply")),
        ("vectorized", loaded(&zscore, Abi::Vectorized, "calibrate")),
    ];
    // Under `cargo test` and for a quick look one round is enough.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 400 } else { 1 };
    println!("f64 * f64 in nanoseconds a row, the fastest of {rounds} runs");
    println!("{:>10}  {:<12}{:>8}{:>18}{:>20}", "batch", "door", "ns/row", "above in process", "times in process");
    let mut verdict = String::new();
    for rows in [128, BOUND.0] {
        let mut cases: Vec<Case> = doors.iter().map(|(door, udf)| Case::new(door, udf, rows)).collect();
        for case in &cases[1..] {
            assert_eq!(&case.call(), &cases[0].call(), "{} computes the same", case.door);
        }
        for _ in 0..rounds {
            for case in &mut cases {
                let (start, mut batches) = (Instant::now(), 0);
                while start.elapsed().as_micros() < 1_000 {
                    black_box(case.call());
                    batches += 1;
                }
                case.best = case.best.min(start.elapsed().as_nanos() as f64 / (batches * rows) as f64);
            }
        }
        let base = cases[0].best;
        for Case { door, best, .. } in &cases {
            println!("{rows:>10}  {door:<12}{best:>8.2}{:>18.2}{:>20.2}", best - base, best / base);
        }
        let above = cases[2].best - base;
        let kept = if above <= BOUND.1 { "keeps" } else { "MISSES" };
        let (door, bound) = (cases[2].door, BOUND.1);
        verdict = format!("{door} {kept} its bound: {above:.2} ns a row above in process at {rows}, at most {bound}");
    }
    println!("{verdict}");
}
