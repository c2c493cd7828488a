//! The engine inside a program: topics in memory, one stream, a push query.

use std::time::Duration;

use alcedo::{Engine, Outcome};

fn main() -> alcedo::Result<()> {
    let engine = Engine::builder().start()?;
    let mut session = engine.session();
    session.execute(
        "CREATE STREAM readings (id INT, celsius DOUBLE) WITH (kafka_topic='readings', value_format='JSON');
         INSERT INTO readings VALUES (1, 31.5);
         INSERT INTO readings VALUES (2, 19.0);
         INSERT INTO readings VALUES (3, 40.0);",
    )?;
    let sql = "SELECT id, celsius * 1.8 + 32 AS fahrenheit FROM readings WHERE celsius > 30 EMIT CHANGES LIMIT 2;";
    for outcome in session.execute(sql)? {
        let Outcome::Rows(rows) = outcome else { continue };
        // Each is an Arrow record batch with the columns `ID` and `FAHRENHEIT`; the second row ends the query.
        for batch in rows.batches() {
            println!("{:?}", batch?);
        }
    }
    engine.shutdown(Duration::from_secs(5))
}
