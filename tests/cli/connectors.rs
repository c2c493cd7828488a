//! Connectors by their statements: files, generated readings, their states, restarts and `kill -9`.

use std::time::{Duration, Instant};

use alcedo::{Engine, Outcome, Session, Storage};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use serde_json::{Value, json};

use crate::harness::{Case, DEADLINE};

const CSV: &str = "sensor,celsius,note\na,31.5,\"two\nlines\"\nb,99,\nbroken\nc,12.25,x\n";

const FILE: &str = "\
CREATE STREAM r (sensor VARCHAR KEY, celsius DOUBLE, note VARCHAR) WITH (kafka_topic='r', value_format='JSON', partitions=2);
CREATE SOURCE CONNECTOR f WITH ('connector.class'='file', 'file'='r.csv', 'topic'='r', 'key'='sensor');
SELECT * FROM r EMIT CHANGES;
";

const TO_THE_END: [&str; 6] = ["run", "a.sql", "--data", "d", "--until-end", "--output"];

fn to_the_end(case: &Case) -> crate::harness::Ran {
    case.run(&[&TO_THE_END[..], &["json"]].concat())
}

/// Rows in JSON, by sensor.
fn rows(out: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a row in JSON")).collect();
    rows.sort_by_key(|row| row["SENSOR"].to_string());
    rows
}

#[test]
fn a_file_ends_a_run_until_end_and_comes_once_however_often_it_is_run() {
    let case = Case::new().file("a.sql", FILE).file("r.csv", CSV);
    let expected = [
        json!({"SENSOR": "a", "CELSIUS": 31.5, "NOTE": "two\nlines"}),
        json!({"SENSOR": "b", "CELSIUS": 99.0, "NOTE": null}),
        json!({"SENSOR": "c", "CELSIUS": 12.25, "NOTE": "x"}),
    ];
    let ran = to_the_end(&case).expect(0).says("r.csv, line 5: it has 1 field, the file has 3 columns");
    assert!(!ran.err.contains("broken"), "a value of the data is shown\n{}", ran.err);
    let ran = ran.says("read r.csv to its end: 6 lines in ");
    assert_eq!(rows(&ran.out), expected);
    let ran = to_the_end(&case).expect(0).says("goes on in r.csv at line 7").says("r.csv holds nothing new");
    assert_eq!(rows(&ran.out), expected);
}

#[test]
fn bad_lines_are_told_by_their_number_five_of_them_and_then_counted() {
    let case = Case::new().file("r.csv", &format!("sensor,celsius\n{}a,1\n", "broken\n".repeat(8)));
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&told);
    let notices = alcedo::notice::Notices::new(move |notice| sink.lock().expect("no teller panics").push(notice.text));
    let engine = Engine::builder().notices(notices).start().expect("it starts");
    let mut session = engine.session();
    let file = case.path("r.csv").display().to_string();
    let create = format!("CREATE SOURCE CONNECTOR f WITH ('connector.class'='file', 'file'='{file}', 'topic'='r');");
    session.execute(&create).expect("it is created");
    wait_state(&mut session, "FINISHED");
    let outcomes = session.execute("DESCRIBE CONNECTOR f;").expect("it is there");
    let Some(Outcome::Listing(listing)) = outcomes.into_iter().next() else { panic!("a listing") };
    assert!(listing.rows.iter().any(|row| row == &["bad lines", "8"]), "{listing:?}");
    let told = told.lock().expect("no teller panics");
    let told: Vec<&str> =
        told.iter().filter_map(|text| text.split_once("r.csv, line ")).map(|(_, told)| told).collect();
    let numbers: Vec<&str> = told.iter().filter_map(|text| text.split_once(':')).map(|(number, _)| number).collect();
    assert_eq!(numbers, ["2", "3", "4", "5", "6"]);
    assert!(told[4].contains("others are counted: DESCRIBE CONNECTOR F;"), "{told:?}");
    engine.shutdown(Duration::from_secs(10)).expect("it ends");
}

#[test]
fn no_line_is_lost_or_repeated_when_the_process_is_killed() {
    const LINES: usize = 400_000;
    let mut text = "n,pad\n".to_string();
    (0..LINES).for_each(|n| text += &format!("{n},x\n"));
    let sql = "\
CREATE STREAM n (n INTEGER) WITH (kafka_topic='n', value_format='JSON', partitions=1);
CREATE SOURCE CONNECTOR f WITH ('connector.class'='file', 'file'='n.csv', 'kafka.topic'='n', 'batch.size'='500');
SELECT n FROM n EMIT CHANGES;
";
    let case = Case::new().file("a.sql", sql).file("n.csv", &text);
    for kill in 0..3 {
        let live = case.spawn(&["run", "a.sql", "--data", "d", "--output", "json"]);
        match kill {
            // The rows of the first commit are there.
            0 => live.wait_out("{\"N\":0}"),
            _ => live.wait_err("goes on in n.csv at line"),
        };
        live.signal("KILL");
        assert_eq!(live.finish().code, 128 + 9);
    }
    let ran = to_the_end(&case).expect(0).says("goes on in n.csv at line ").says("read n.csv to its end");
    let mut found: Vec<usize> = ran
        .out
        .lines()
        .map(|line| line.trim_start_matches("{\"N\":").trim_end_matches('}').parse().expect("a number"))
        .collect();
    found.sort_unstable();
    let missing = (0..LINES).find(|n| found.get(*n) != Some(n));
    assert_eq!((found.len(), missing), (LINES, None), "{}", ran.err);
}

#[test]
fn a_connector_that_is_the_same_stays_and_another_one_is_refused_with_the_difference() {
    let changed = FILE.replace("'key'='sensor'", "'key'='celsius', 'follow'='false'");
    let reordered = FILE.replace("'topic'='r', 'key'='sensor'", "'KEY'='sensor', 'topic'='r'");
    let replaced = changed.replace("CREATE SOURCE", "CREATE OR REPLACE SOURCE");
    let case = Case::new().file("r.csv", CSV).file("a.sql", FILE);
    to_the_end(&case).expect(0);
    let case = case.file("a.sql", &changed);
    let refused = to_the_end(&case).expect(1).says("connector F was created by another statement");
    let refused = refused.says("'follow' was not given, it is now 'false'; 'key' was 'sensor', it is now 'celsius'");
    assert!(!refused.err.contains("Created"), "something was started\n{}", refused.err);
    let case = case.file("a.sql", &reordered);
    to_the_end(&case).expect(0).says("holds nothing new");
    let case = case.file("a.sql", &replaced);
    to_the_end(&case).expect(0);
    let case = case.file("a.sql", FILE);
    to_the_end(&case).expect(1).says("'key' was 'celsius', it is now 'sensor'");
}

#[test]
fn what_cannot_run_is_refused_at_its_place_before_anything_starts() {
    let file = "CREATE SOURCE CONNECTOR f WITH ('connector.class'='file', 'file'='missing.csv', 'topic'='r');";
    let datagen = "CREATE SOURCE CONNECTOR g WITH ('connector.class'='datagen', 'kafka.topic'='r'";
    for (text, says) in [
        (file.to_string(), "detail: there is no such file"),
        (file.replace("'topic'", "'topik'"), "unknown connector property 'topik'"),
        (file.replace("SOURCE", "SINK"), "CREATE SINK CONNECTOR is not supported yet"),
        (file.replace("'file',", "'files',"), "connector class 'files' of F is not known"),
        (file.replace("missing.csv", "r.csv', 'key'='sensr"), "file r.csv has no column sensr"),
        (format!("{datagen});"), "connector G never ends"),
        (format!("{datagen}, 'quickstart'='users');"), "connector property 'quickstart'"),
    ] {
        let ran = Case::new()
            .file("r.csv", CSV)
            .file("a.sql", &text)
            .run(&["run", "a.sql", "--until-end"])
            .expect(1)
            .says(says);
        let ran = ran.says("a.sql:1:").says("^");
        assert!(!ran.err.contains("created topic"), "something was started\n{}", ran.err);
    }
}

#[test]
fn the_same_seed_gives_the_same_rows_and_a_count_ends_the_run() {
    let sql = |seed: u32| {
        format!(
            "CREATE STREAM s (sensor VARCHAR KEY, reading BIGINT, value DOUBLE, label VARCHAR) \
             WITH (kafka_topic='s', value_format='JSON', partitions=1);
             CREATE SOURCE CONNECTOR g WITH ('connector.class'='io.confluent.kafka.connect.datagen.DatagenConnector',
             'kafka.topic'='s', 'iterations'='3000', 'rate'='0', 'seed'='{seed}', 'keys'='2',
             'timestamp.start'='2024-01-01T00:00:00Z', 'timestamp.step.ms'='60000');
             SELECT sensor, ROWTIME AS t, reading, value, label FROM s EMIT CHANGES;"
        )
    };
    let run = |seed| {
        let case = Case::new().file("a.sql", &sql(seed));
        case.run(&["run", "a.sql", "--until-end", "--output", "json"])
            .expect(0)
            .says("made all of its 3000 records")
            .out
    };
    let first = run(5);
    assert_eq!(first.lines().count(), 3000);
    let row: Value = serde_json::from_str(first.lines().next().unwrap_or_default()).expect("a row in JSON");
    assert_eq!(
        (&row["SENSOR"], &row["T"], &row["READING"]),
        (&json!("sensor-0"), &json!(1_704_067_200_000_i64), &json!(0))
    );
    assert!(first.lines().any(|line| !line.contains("\"LABEL\":\"normal\"")), "no anomaly in 3000 records");
    assert_eq!(run(5), first);
    assert_ne!(run(6), first);
}

#[test]
fn a_paused_connector_stays_paused_over_a_restart_until_it_is_resumed() {
    let case = Case::new();
    let repl = |text: &str| case.pipe(&["repl", "--data", "d", "--output", "csv"], text).expect(0);
    let create = "CREATE SOURCE CONNECTOR g WITH ('connector.class'='datagen', 'kafka.topic'='t', 'rate'='100');\n";
    let ran =
        repl(&format!("{create}SHOW CONNECTORS; PAUSE CONNECTOR g; LIST SOURCE CONNECTORS; SHOW SINK CONNECTORS;"));
    assert!(ran.out.contains("G,SOURCE,datagen,RUNNING,"), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("G,SOURCE,datagen,PAUSED,"), "{}\n{}", ran.out, ran.err);
    let ran = repl("SHOW CONNECTORS; DESCRIBE CONNECTOR g; RESUME CONNECTOR g; SHOW CONNECTORS;");
    let (paused, resumed) = ran.out.split_once("RUNNING").unwrap_or((&ran.out, ""));
    assert!(paused.contains("G,SOURCE,datagen,PAUSED,0,") && !resumed.contains("PAUSED"), "{}\n{}", ran.out, ran.err);
    for line in ["class,datagen", "state,PAUSED", "topic,t", "delivered,0", "delivered per second,0", "'rate',100"] {
        assert!(ran.out.contains(line), "no {line}\n{}\n{}", ran.out, ran.err);
    }
    let ran = repl("SHOW CONNECTORS; DROP CONNECTOR g; SHOW CONNECTORS; DROP CONNECTOR IF EXISTS g;");
    assert!(ran.out.contains("G,SOURCE,datagen,RUNNING,"), "{}\n{}", ran.out, ran.err);
    let ran = repl("SHOW CONNECTORS;");
    assert!(!ran.out.contains("datagen"), "{}\n{}", ran.out, ran.err);
}

#[test]
fn a_run_until_end_does_not_wait_for_a_connector_that_is_paused() {
    let create = "CREATE SOURCE CONNECTOR g WITH ('connector.class'='datagen', 'kafka.topic'='t', 'rate'='1', 'count'='99999');\n";
    let case = Case::new().file("a.sql", create);
    case.pipe(&["repl", "--data", "d"], &format!("{create}PAUSE CONNECTOR g;")).expect(0);
    let ran = case.run(&["run", "a.sql", "--data", "d", "--until-end"]).expect(3);
    ran.says("it is paused, as it was before").says("connector G is paused and never ends");
}

#[test]
fn without_transactions_a_file_comes_whole_too() {
    let text = format!("SET 'processing.guarantee'='at_least_once';\n{FILE}");
    let case = Case::new().file("a.sql", &text).file("r.csv", CSV);
    assert_eq!(rows(&to_the_end(&case).expect(0).out).len(), 3);
    let ran = to_the_end(&case).expect(0).says("holds nothing new");
    assert_eq!(rows(&ran.out).len(), 3);
}

#[test]
fn a_second_process_takes_a_connector_over_and_nothing_comes_twice() {
    let create = "CREATE SOURCE CONNECTOR g WITH ('connector.class'='datagen', 'kafka.topic'='t', 'rate'='2000', \
                  'count'='3000', 'value.format'='delimited', 'keys'='1');";
    let first = Engine::builder().start().expect("it starts");
    let mut one = first.session();
    one.execute(create).expect("it is created");
    let second = Engine::builder().storage(Storage::Cluster(first.address().to_string())).start().expect("it starts");
    let mut other = second.session();
    other.execute(create).expect("it is created");
    let error = wait_state(&mut one, "FAILED");
    assert!(error.contains("another process of this service runs the connector now"), "{error}");
    wait_state(&mut other, "FINISHED");
    one.execute("CREATE STREAM t (reading BIGINT, value DOUBLE, label VARCHAR) WITH (kafka_topic='t', value_format='DELIMITED');")
        .expect("it is right");
    let outcomes = one.execute("SELECT reading FROM t EMIT CHANGES LIMIT 3000;").expect("it is right");
    let mut found = Vec::new();
    for outcome in outcomes {
        let Outcome::Rows(stream) = outcome else { continue };
        while let Some(alcedo::RowEvent::Batch(batch)) = stream.next(DEADLINE) {
            found.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
        }
    }
    assert!(found.iter().copied().eq(0..3000), "{} readings", found.len());
    second.shutdown(Duration::from_secs(10)).expect("it ends");
    first.shutdown(Duration::from_secs(10)).expect("it ends");
}

/// `SHOW CONNECTORS` as name and state, and the last error.
fn connectors(session: &mut Session) -> Vec<[String; 3]> {
    let outcomes = session.execute("SHOW CONNECTORS;").expect("it can be asked");
    let Some(Outcome::Listing(listing)) = outcomes.into_iter().next() else { panic!("a listing") };
    let at = |name: &str| listing.columns.iter().position(|column| column == name).expect("the column is there");
    let picked = [at("Connector Name"), at("Status"), at("Last error")];
    listing.rows.iter().map(|row| picked.map(|at| row[at].clone())).collect()
}

/// Waits until the only connector is in this state; gives its last error.
#[track_caller]
fn wait_state(session: &mut Session, state: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let all = connectors(session);
        if let [[_, found, error]] = &all[..]
            && found == state
        {
            return error.clone();
        }
        assert!(Instant::now() < deadline, "never {state}: {all:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_file_that_is_away_after_a_restart_is_waited_for() {
    let case = Case::new().file("l.txt", "one\ntwo\n");
    let start = || Engine::builder().storage(Storage::Folder(case.path("d"))).start().expect("it starts");
    let file = case.path("l.txt").display().to_string();
    let create = format!(
        "CREATE SOURCE CONNECTOR l WITH ('connector.class'='FileStreamSource', 'file'='{file}', 'topic'='l', 'tasks.max'=1);"
    );
    let engine = start();
    let mut session = engine.session();
    session.execute(&create).expect("it is created");
    // The same again does nothing; another one is refused.
    session.execute(&create).expect("it is there already");
    let other = create.replace("'tasks.max'=1", "'follow'='false'");
    let refused = session.execute(&other).expect_err("it is another one");
    assert!(refused.to_string().contains("'follow' was not given, it is now 'false'"), "{refused}");
    engine.shutdown(Duration::from_secs(10)).expect("it ends");

    std::fs::remove_file(&file).expect("it is there");
    let engine = start();
    let mut session = engine.session();
    assert_eq!(session.restore(), 1);
    assert!(wait_state(&mut session, "RETRYING").contains("there is no such file"));
    std::fs::write(&file, "one\ntwo\nthree\n").expect("it can be written");
    wait_state(&mut session, "RUNNING");
    session
        .execute("CREATE STREAM l (line VARCHAR) WITH (kafka_topic='l', value_format='KAFKA');")
        .expect("it is right");
    let outcomes = session.execute("SELECT line FROM l EMIT CHANGES LIMIT 3;").expect("it is right");
    let mut rows = String::new();
    for outcome in outcomes {
        let Outcome::Rows(stream) = outcome else { continue };
        while let Some(alcedo::RowEvent::Batch(batch)) = stream.next(DEADLINE) {
            rows += &format!("{:?}", batch.column(0));
        }
    }
    for (line, times) in [("\"one\"", 1), ("\"two\"", 1), ("\"three\"", 1)] {
        assert_eq!(rows.matches(line).count(), times, "{rows}");
    }
    engine.shutdown(Duration::from_secs(10)).expect("it ends");
}

#[test]
fn a_replacement_that_cannot_start_leaves_the_one_before_running() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let engine = Engine::builder().start().expect("it starts");
    let mut session = engine.session();
    session
        .execute("CREATE SOURCE CONNECTOR g WITH ('connector.class'='datagen', 'kafka.topic'='t', 'rate'='1000');")
        .expect("it is created");
    let replace = format!(
        "CREATE OR REPLACE SOURCE CONNECTOR g WITH ('connector.class'='mqtt-listener', 'listeners'='{address}', \
         'topic.regex.list'='t:.*');"
    );
    let refused = session.execute(&replace).expect_err("the port is taken");
    assert!(refused.to_string().contains("is taken"), "{refused}");
    wait_state(&mut session, "RUNNING");
    let outcomes = session.execute("DESCRIBE CONNECTOR g;").expect("it is there");
    let Some(Outcome::Listing(listing)) = outcomes.into_iter().next() else { panic!("a listing") };
    assert!(listing.rows.iter().any(|row| row == &["class", "datagen"]), "{listing:?}");
    drop(taken);
    session.execute(&replace).expect("the port is free");
    assert_eq!(engine.listening().len(), 1);
    session.execute("PAUSE CONNECTOR g;").expect("it can be paused");
    assert!(std::net::TcpStream::connect(address).is_err(), "a paused listener is closed");
    session.execute("RESUME CONNECTOR g;").expect("it can be resumed");
    assert_eq!(engine.listening()[0].1, address);
    engine.shutdown(Duration::from_secs(10)).expect("it ends");
}
