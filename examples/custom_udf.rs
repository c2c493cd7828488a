//! A function of the program's own, used from SQL. It works on whole columns.

use std::sync::Arc;
use std::time::Duration;

use alcedo::{Engine, Outcome};
use datafusion::arrow::array::{AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, Volatility, create_udf};

fn main() -> alcedo::Result<()> {
    let fahrenheit = |args: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(args)?;
        let celsius = columns[0].as_primitive::<Float64Type>();
        let fahrenheit: Float64Array = celsius.unary(|degrees| degrees * 1.8 + 32.0);
        Ok(ColumnarValue::Array(Arc::new(fahrenheit)))
    };
    let (takes, gives) = (vec![DataType::Float64], DataType::Float64);
    let udf = create_udf("fahrenheit", takes, gives, Volatility::Immutable, Arc::new(fahrenheit));

    // An aggregate joins the same way; here one that comes with DataFusion, the slope of a line through readings.
    let slope = AggregateUDF::clone(&datafusion::functions_aggregate::regr::regr_slope_udaf());

    let engine = Engine::builder().register_udf(udf)?.register_udaf(slope)?.start()?;
    let outcomes = engine.session().execute(
        "CREATE STREAM readings (celsius DOUBLE) WITH (kafka_topic='readings', value_format='JSON');
         INSERT INTO readings VALUES (100.0);
         SELECT FAHRENHEIT(celsius) AS f FROM readings EMIT CHANGES LIMIT 1;",
    )?;
    for outcome in outcomes {
        let Outcome::Rows(rows) = outcome else { continue };
        for batch in rows.batches() {
            println!("{:?}", batch?.column(0));
        }
    }
    engine.shutdown(Duration::from_secs(5))
}
