//! Calls find their form, declared examples hold, user functions join in.

use datafusion::arrow::array::{AsArray, Float32Array};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{ScalarValue, config::ConfigOptions};
use datafusion::logical_expr::{Accumulator, ColumnarValue, ScalarFunctionArgs, Volatility, create_udaf, create_udf};

use super::*;
use crate::functions::declaration::Variation;

/// Doubles an f32, a type in which no column of the engine lives.
fn twice() -> ScalarUDF {
    create_udf(
        "twice",
        vec![DataType::Float32],
        DataType::Float32,
        Volatility::Immutable,
        Arc::new(|args| {
            let array = args[0].to_array(1)?;
            let values = array.as_primitive::<datafusion::arrow::datatypes::Float32Type>();
            let doubled: Float32Array = values.unary(|value| value * 2.0);
            Ok(ColumnarValue::Array(Arc::new(doubled)))
        }),
    )
}

/// Counts how often it was called, in a state that nobody looks at.
#[derive(Debug)]
struct Nothing;

impl Accumulator for Nothing {
    fn update_batch(&mut self, _: &[datafusion::arrow::array::ArrayRef]) -> datafusion::common::Result<()> {
        Ok(())
    }
    fn evaluate(&mut self) -> datafusion::common::Result<ScalarValue> {
        Ok(ScalarValue::Float64(None))
    }
    fn size(&self) -> usize {
        size_of_val(self)
    }
    fn state(&mut self) -> datafusion::common::Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Float64(None)])
    }
    fn merge_batch(&mut self, _: &[datafusion::arrow::array::ArrayRef]) -> datafusion::common::Result<()> {
        Ok(())
    }
}

/// An aggregate of a program.
fn geomean() -> AggregateUDF {
    let double = DataType::Float64;
    create_udaf(
        "geomean",
        vec![double.clone()],
        Arc::new(double.clone()),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(Nothing))),
        Arc::new(vec![double]),
    )
}

#[test]
fn an_aggregate_of_the_program_is_known_by_name_and_refused_where_it_is_called() {
    let mut registry = FunctionRegistry::builtin();
    registry.register_udaf(geomean()).expect("a free name");
    assert_eq!(registry.door("GeoMean"), Some(Door::Program));
    assert!(registry.aggregate("geomean").is_some_and(|udaf| udaf.name() == "geomean"));
    let text = registry.describe("geomean", Span::default()).expect("it is there");
    assert!(text.contains("Type        : AGGREGATE\nOrigin      : registered by the program"), "{text}");
    assert!(text.contains("GEOMEAN(arg1 DOUBLE)"), "{text}");
    let error = registry.resolve("geomean", &[Some(SqlType::Double)], Span::new(7, 14)).expect_err("not yet");
    assert_eq!(error.message(), "GEOMEAN is an aggregate function, and aggregates are not supported yet");
    assert_eq!(error.span(), Some(Span::new(7, 14)));
    assert_eq!(registry.register_udaf(geomean()).expect_err("taken").message(), "function GEOMEAN exists already");
    assert!(registry.aggregate("ABS").is_none());
}

#[test]
fn a_change_that_fails_leaves_the_functions_as_they_were() {
    let shared = SharedFunctions::new(FunctionRegistry::builtin());
    let before = shared.snapshot();
    let failed = shared.change(|functions| {
        functions.register_udf(twice())?;
        functions.register_udf(twice())
    });
    assert_eq!(failed.expect_err("the name is taken").message(), "function TWICE exists already");
    assert_eq!(shared.snapshot().door("TWICE"), None);
    shared.change(|functions| functions.register_udf(twice())).expect("free");
    assert_eq!((before.door("TWICE"), shared.snapshot().door("TWICE")), (None, Some(Door::Program)));
    shared
        .change(|functions| {
            functions.copy_from(&before, "twice");
            Ok(())
        })
        .expect("it cannot fail");
    assert_eq!(shared.snapshot().door("TWICE"), None);
}

#[test]
fn a_missing_function_says_why_until_it_is_there_again() {
    let mut registry = FunctionRegistry::builtin();
    registry.set_missing("twice", "its library is gone".into());
    let error = registry.resolve("TWICE", &[], Span::new(0, 5)).expect_err("missing");
    assert_eq!((error.message(), error.detail_text()), ("function TWICE is missing", Some("its library is gone")));
    assert!(registry.is_missing("Twice"));
    registry.register_udf(twice()).expect("free");
    assert!(!registry.is_missing("TWICE") && registry.get("TWICE").is_some());
}

#[test]
fn nulls_reach_a_function_of_the_program_and_a_volatile_one_is_told() {
    let is_null = create_udf(
        "is_missing",
        vec![DataType::Float64],
        DataType::Int32,
        Volatility::Volatile,
        Arc::new(|args| {
            let array = args[0].to_array(1)?;
            let flags: datafusion::arrow::array::Int32Array =
                (0..array.len()).map(|row| i32::from(array.is_null(row))).collect();
            Ok(ColumnarValue::Array(Arc::new(flags)))
        }),
    );
    let mut registry = FunctionRegistry::builtin();
    registry.register_udf(is_null).expect("a free name");
    let text = registry.describe("is_missing", Span::default()).expect("it is there");
    assert!(text.contains("Nulls       : reach the function, which decides\nVolatile    : yes"), "{text}");
    let call = registry.resolve("IS_MISSING", &[Some(SqlType::Integer)], Span::default()).expect("an INTEGER widens");
    assert_eq!((call.arg_types, call.return_type), (vec![SqlType::Double], SqlType::Integer));
    let values = datafusion::arrow::array::Float64Array::from(vec![Some(1.0), None]);
    let field = |data_type| Arc::new(Field::new("x", data_type, true));
    let given = ScalarFunctionArgs {
        args: vec![ColumnarValue::Array(Arc::new(values))],
        arg_fields: vec![field(DataType::Float64)],
        number_rows: 2,
        return_field: field(DataType::Int32),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let ColumnarValue::Array(flags) = call.udf.invoke_with_args(given).expect("it runs") else { panic!("a column") };
    assert_eq!(flags.as_primitive::<datafusion::arrow::datatypes::Int32Type>().values(), &[0, 1]);
    assert_eq!(call.udf.signature().volatility, Volatility::Volatile);
}

#[test]
fn names_are_found_whatever_their_case() {
    let registry = FunctionRegistry::builtin();
    for name in ["ANOMALY", "anomaly", "Anomaly"] {
        assert!(registry.get(name).is_some(), "{name}");
        assert!(registry.describe(name, Span::default()).is_ok_and(|text| text.starts_with("Name        : ANOMALY")));
    }
}

#[test]
fn an_unknown_name_gets_the_nearest_one_as_a_hint() {
    let registry = FunctionRegistry::builtin();
    let error = registry.resolve("anomly", &[], Span::new(7, 13)).expect_err("no such function");
    assert_eq!(error.message(), "unknown function ANOMLY");
    assert_eq!(error.hint_text(), Some("Did you mean ANOMALY?"));
    assert_eq!(error.span(), Some(Span::new(7, 13)));
    let error = registry.describe("totally_else", Span::default()).expect_err("no such function");
    assert_eq!(error.hint_text(), Some("SHOW FUNCTIONS; lists all of them."));
}

#[test]
fn every_declaration_is_complete() {
    let registry = FunctionRegistry::builtin();
    for declaration in registry.declarations() {
        let name = &declaration.name;
        assert_eq!(name.to_uppercase(), *name);
        assert!(declaration.description.ends_with('.'), "{name}");
        assert!(!declaration.variations.is_empty(), "{name}");
        for variation in &declaration.variations {
            assert!(variation.description.ends_with('.'), "{name}: {}", variation.description);
            assert!(!variation.variadic || !variation.params.is_empty(), "{name}");
            let names: std::collections::BTreeSet<&str> = variation.params.iter().map(|param| &*param.name).collect();
            assert!(names.len() == variation.params.len() && !names.contains(""), "{name}: {names:?}");
            for param in &variation.params {
                assert!(param.description.ends_with('.'), "{name}: {}", param.name);
            }
        }
    }
}

#[test]
fn examples_have_the_results_they_claim() {
    let registry = FunctionRegistry::builtin();
    let mut wrong = Vec::new();
    for declaration in registry.declarations() {
        assert!(!declaration.examples.is_empty(), "{} has no example", declaration.name);
        for example in &declaration.examples {
            assert!(example.sql.contains(declaration.name.as_ref()), "{}", example.sql);
            let result = crate::functions::tests::example_text(&declaration.name, &example.sql);
            if result != example.result {
                wrong.push(format!("{} is {result}", example.sql));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_foreign_function_is_called_in_its_own_types_and_answers_in_ours() {
    let mut registry = FunctionRegistry::builtin();
    registry.register_udf(twice()).expect("a free name");
    let resolved = registry.resolve("TWICE", &[Some(SqlType::Integer)], Span::default()).expect("INT widens");
    assert_eq!((&resolved.arg_types[..], &resolved.return_type), (&[SqlType::Double][..], &SqlType::Double));
    let array = datafusion::arrow::array::Float64Array::from(vec![Some(1.5), None]);
    let field = |name: &str| Arc::new(Field::new(name, DataType::Float64, true));
    let result = resolved
        .udf
        .invoke_with_args(ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::new(array))],
            arg_fields: vec![field("arg")],
            number_rows: 2,
            return_field: field("result"),
            config_options: Arc::new(ConfigOptions::default()),
        })
        .expect("a result");
    let result = result.into_array(2).expect("an array");
    assert_eq!(result.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(3.0), None]);
    let line = registry.list().into_iter().find(|line| line.name == "TWICE").expect("it is listed");
    assert_eq!((line.kind, line.category), (FunctionKind::Scalar, Category::User));
    let text = registry.describe("twice", Span::default()).expect("it is described");
    assert!(text.contains("\tVariation   : TWICE(arg1 DOUBLE)"), "{text}");
}

#[test]
fn a_foreign_function_refuses_what_it_cannot_take_at_the_call() {
    let mut registry = FunctionRegistry::builtin();
    registry.register_udf(twice()).expect("a free name");
    let error = registry.resolve("twice", &[], Span::new(1, 2)).expect_err("one argument is needed");
    assert_eq!(error.message(), "TWICE does not take these arguments");
    assert_eq!(error.span(), Some(Span::new(1, 2)));
}

#[test]
fn a_name_is_taken_once() {
    let mut registry = FunctionRegistry::builtin();
    registry.register_udf(twice()).expect("a free name");
    let error = registry.register_udf(twice()).expect_err("taken");
    assert_eq!(error.message(), "function TWICE exists already");
    assert!(registry.remove("twice") && !registry.remove("twice"));
    registry.register_udf(twice()).expect("free again");
}

#[test]
fn an_aggregate_is_listed_but_no_scalar() {
    let mut registry = FunctionRegistry::builtin();
    let count = Declaration::new(FunctionKind::Aggregate, Category::Aggregate, "COUNT", "Counts rows.")
        .form(Variation::new(SqlType::Bigint, "All rows."));
    registry.declare(count).expect("a free name");
    let error = registry.resolve("count", &[], Span::default()).expect_err("no scalar");
    assert_eq!(error.message(), "COUNT is an aggregate function, not a scalar one");
    assert!(registry.list().iter().any(|line| line.name == "COUNT" && line.kind == FunctionKind::Aggregate));
}

#[test]
fn row_errors_name_rows_of_the_batch_or_none_when_a_branch_saw_only_some() {
    use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
    use datafusion::arrow::datatypes::Schema;
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
    use datafusion::logical_expr::{col, execution_props::ExecutionProps, lit, when};
    use datafusion::physical_expr::create_physical_expr;

    use crate::functions::row_errors::with_sink;

    let registry = FunctionRegistry::builtin();
    let types = [Some(SqlType::Double), Some(SqlType::Integer)];
    let round = registry.resolve("ROUND", &types, Span::default()).expect("a form").udf;
    let schema =
        Schema::new(vec![Field::new("chosen", DataType::Boolean, true), Field::new("x", DataType::Float64, true)]);
    let call = when(col("chosen"), round.call(vec![col("x"), lit(1_i32)])).end().expect("a CASE");
    let df_schema = DFSchema::try_from(schema.clone()).expect("unique names");
    let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    let physical = create_physical_expr(&call, &df_schema, &props, &context).expect("a plan");
    let rows_reported = |chosen: [bool; 3]| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(chosen.to_vec())),
            Arc::new(Float64Array::from(vec![1.26, f64::NAN, f64::NAN])),
        ];
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).expect("columns as declared");
        let (result, errors) = with_sink(3, || physical.evaluate(&batch).and_then(|value| value.into_array(3)));
        assert_eq!(result.expect("no failed batch").as_primitive::<Float64Type>().value(0), 1.3);
        errors.into_iter().map(|error| error.row).collect::<Vec<_>>()
    };
    assert_eq!(rows_reported([true, true, true]), [Some(1), Some(2)]);
    assert_eq!(rows_reported([true, false, true]), [None]);
}
