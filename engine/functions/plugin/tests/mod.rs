//! Every rule of the host, asked of real libraries: those of `udfs/`, built by the harness.
//!
//! What could end the process when a rule is broken runs in a process of its own ([`in_child`]). All of it runs with the
//! binary's allocator, which is not the libraries'.

#[path = "../../../../tests/harness/udfs.rs"]
mod udfs;

mod aggregates;
mod asynchronous;
mod calls;
mod engine;
mod libraries;
mod results;
mod rules;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::*;

/// Runs the calling test in a process of its own: `None` in that process, whose end decides; in the other one, what
/// it wrote on standard error, after it has ended well.
fn in_child(test: &str) -> Option<String> {
    if std::env::var("ALCEDO_TEST_CHILD").is_ok_and(|child| child == test) {
        return None;
    }
    let path = format!("functions::plugin::tests::{test}");
    let this = std::env::current_exe().expect("this binary has a path");
    let mut command = Command::new(this);
    command.args(["--exact", &path, "--nocapture"]).env("ALCEDO_TEST_CHILD", test);
    let output = command.output().expect("this binary starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("running 1 test"), "there is no test {path}");
    assert!(output.status.success(), "{path} in a process of its own: {}\n{out}\n{err}", output.status);
    Some(err.into_owned())
}

/// A type, `Float64`, or with a question mark one that has nulls, `Float64?`.
fn value(text: &str) -> Value {
    Value { data_type: text.trim_end_matches('?').into(), nullable: text.ends_with('?') }
}

/// A signature from texts such as `Float64?`, or `Vec Float64`.
fn signature(name: &str, arguments: &[&str], result: &str) -> Signature {
    let argument = |(index, text): (usize, &&str)| Argument {
        name: format!("a{index}"),
        value: value(text.trim_start_matches("Vec ")),
        is_vec: text.starts_with("Vec "),
    };
    Signature {
        name: name.into(),
        arguments: arguments.iter().enumerate().map(argument).collect(),
        result: value(result),
        is_async: false,
        async_options: None,
    }
}

/// The sidecar that a builder would write for a library.
fn sidecar(library: &Path, abi: Abi, functions: Vec<Signature>) -> Sidecar {
    Sidecar {
        format: FORMAT,
        abi,
        source_sha256: sha256(b"source"),
        library_sha256: sha256(&std::fs::read(library).expect("a built library")),
        rustc: "rustc 1.95.0".into(),
        crate_version: "arroyo-udf-plugin 0.2.0".into(),
        target: host_target(),
        panic: "unwind".into(),
        functions,
    }
}

/// A function of Arroyo's format out of `udfs/`; `None` when the libraries cannot be had.
fn arroyo(member: &str, arguments: &[&str], result: &str) -> Option<PluginFunction> {
    let library = udfs::library(member)?;
    let sidecar = sidecar(&library, Abi::Arroyo, vec![signature(member, arguments, result)]);
    let mut functions = Plugin::load(&library, &sidecar).expect("a library that loads");
    assert_eq!(functions.len(), 1);
    functions.pop()
}

fn scalar(function: &PluginFunction) -> Arc<ScalarUDF> {
    match &function.implementation {
        Implementation::Scalar(udf) => udf.clone(),
        Implementation::Aggregate(udf) => panic!("{} is an aggregate", udf.name()),
    }
}

fn multiply() -> Option<Arc<ScalarUDF>> {
    Some(scalar(&arroyo("multiply", &["Float64", "Float64"], "Float64")?))
}

fn shout() -> Option<Arc<ScalarUDF>> {
    Some(scalar(&arroyo("shout", &["Utf8?", "Int32?"], "Utf8?")?))
}

/// All functions of a vectorized library, by the sidecar it describes itself.
fn load_vectorized(member: &str) -> Option<Vec<PluginFunction>> {
    let library = udfs::library(member)?;
    let described = Plugin::describe(&library).expect("a library that describes itself");
    let sidecar = sidecar(&library, Abi::Vectorized, described);
    Some(Plugin::load(&library, &sidecar).expect("a library that loads"))
}

/// One of them.
fn vectorized(member: &str, name: &str) -> Option<Arc<ScalarUDF>> {
    let functions = load_vectorized(member)?;
    Some(scalar(functions.iter().find(|function| function.name == name).expect("a function of the library")))
}

/// Calls a function the way an expression does.
fn invoke(udf: &ScalarUDF, args: Vec<ColumnarValue>, number_rows: usize) -> DfResult<ColumnarValue> {
    let field = |arg: &ColumnarValue| Arc::new(Field::new("arg", arg.data_type(), true));
    let arg_fields = args.iter().map(field).collect();
    let return_field = Arc::new(Field::new("result", udf.return_type(&[])?, true));
    let config_options = Arc::new(ConfigOptions::default());
    udf.invoke_with_args(ScalarFunctionArgs { args, arg_fields, number_rows, return_field, config_options })
}

/// Calls a function with columns.
fn call(udf: &ScalarUDF, columns: Vec<ArrayRef>) -> DfResult<ArrayRef> {
    let rows = columns[0].len();
    match invoke(udf, columns.into_iter().map(ColumnarValue::Array).collect(), rows)? {
        ColumnarValue::Array(array) => Ok(array),
        ColumnarValue::Scalar(value) => panic!("columns in, the constant {value:?} out"),
    }
}

/// What a call that must fail says.
fn failure<T: std::fmt::Debug>(result: DfResult<T>) -> String {
    match result.expect_err("a call that fails") {
        DataFusionError::External(error) if error.is::<Failure>() => error.to_string(),
        other => panic!("another error: {other:?}"),
    }
}

fn column<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

/// A copy of a library under a name of its own, in a folder that lives as long as the test.
fn copied(library: &Path, folder: &Path, name: &str) -> PathBuf {
    let copy = folder.join(name);
    // A new file, not new content of an old one, as a build makes it.
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(library, &copy).expect("room for a copy");
    copy
}

const DOUBLE: DataType = DataType::Float64;
