//! Functions in libraries, from SQL.

use std::sync::Mutex;
use std::time::Duration;

use datafusion::arrow::array::AsArray;

use super::*;
use crate::notice::Notices;
use crate::{Engine, EngineBuilder, Outcome, RowEvent};

fn registered(builder: EngineBuilder, udf: &ScalarUDF) -> EngineBuilder {
    builder.register_udf(udf.clone()).expect("a free name")
}

#[test]
fn a_row_that_a_function_fails_on_is_reported_with_its_text_and_no_other_is_lost() {
    let test = "engine::a_row_that_a_function_fails_on_is_reported_with_its_text_and_no_other_is_lost";
    if in_child(test).is_some() {
        return;
    }
    let (Some(multiply), Some(shout)) = (multiply(), shout()) else { return };
    let Some(zscore) = vectorized("zscore", "zscore") else { return };
    let said = Arc::new(Mutex::new(Vec::new()));
    let told = said.clone();
    let notices = Notices::new(move |notice| told.lock().expect("no panic").push(notice.text));
    let builder = [&*multiply, &*shout, &*zscore].into_iter().fold(Engine::builder().notices(notices), registered);
    let engine = builder.start().expect("an engine");
    let outcomes = engine.session().execute(
        "CREATE STREAM s (name VARCHAR, n INT, x DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
         INSERT INTO s VALUES ('a', 1, 1.5);
         INSERT INTO s VALUES ('b', -1, 2.5);
         INSERT INTO s VALUES ('c', 2, -1.0);
         SELECT SHOUT(name, n) AS shouted, MULTIPLY(n, 2.5) AS product, ZSCORE(4, 2, x) AS score
           FROM s EMIT CHANGES LIMIT 3;",
    );
    let rows = outcomes.expect("statements that run").into_iter().find_map(|outcome| match outcome {
        Outcome::Rows(rows) => Some(rows),
        _ => None,
    });
    let rows = rows.expect("a query");
    let (mut shouted, mut products, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(RowEvent::Batch(batch)) = rows.next(Duration::from_secs(30)) {
        let doubles = |column: usize| batch.column(column).as_primitive::<datafusion::arrow::datatypes::Float64Type>();
        shouted.extend(batch.column(0).as_string::<i32>().iter().map(|text| text.map(str::to_string)));
        products.extend(doubles(1).iter());
        scores.extend(doubles(2).iter());
    }
    assert_eq!(shouted, [Some("A!".to_string()), None, Some("C!!".to_string())]);
    assert_eq!(products, [Some(2.5), Some(-2.5), Some(5.0)]);
    assert_eq!(scores, [Some(2.0 / 1.5), Some(0.8), None]);
    engine.shutdown(Duration::from_secs(10)).expect("a quiet end");
    let said = said.lock().expect("no panic").join("\n");
    assert!(said.contains("SHOUT: panicked; its message is on standard error"), "{said}");
    assert!(said.contains("ZSCORE: a standard deviation cannot be negative"), "{said}");
}
