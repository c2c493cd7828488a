//! Completion without a terminal: a line with a bar for the cursor, and what is offered.

use std::time::{Duration, Instant};

use super::names::fixed::{FixedNames, none};
use super::*;
use crate::types::Column;

fn names() -> FixedNames {
    let place = SqlType::Struct(vec![
        ("LAT".into(), SqlType::Double),
        ("GPS".into(), SqlType::Struct(vec![("SECOND".into(), SqlType::Integer)])),
    ]);
    let mut names = none()
        .stream("READINGS", vec![Column::value("SENSOR", SqlType::String), Column::value("CELSIUS", SqlType::Double)])
        .stream("ROOMS", vec![Column::value("ROOM", SqlType::Integer), Column::value("PLACE", place)])
        .stream("odd name", vec![Column::value("select", SqlType::Integer)]);
    names.topics = vec!["readings".into(), "plant.temp".into()];
    names.variables = vec!["FORMAT".into()];
    names
}

fn offered(line: &str) -> Vec<Suggestion> {
    let pos = line.find('|').expect("the line shows the cursor");
    SqlCompleter::new(Box::new(names())).suggestions(&line.replacen('|', "", 1), pos)
}

fn values(line: &str) -> Vec<String> {
    offered(line).into_iter().map(|suggestion| suggestion.value).collect()
}

/// The line after the only offer was taken.
#[track_caller]
fn taken(line: &str) -> String {
    let offers = offered(line);
    let [offer] = offers.as_slice() else { panic!("{line}: {:?}", values(line)) };
    let mut line = line.replacen('|', "", 1);
    line.replace_range(offer.span.start..offer.span.end, &offer.value);
    line
}

#[track_caller]
fn offers(line: &str, expected: &[&str]) {
    let found = values(line);
    for value in expected {
        assert!(found.iter().any(|found| found == value), "{line}: {value} is missing in {found:?}");
    }
}

#[track_caller]
fn offers_not(line: &str, unwanted: &[&str]) {
    let found = values(line);
    for value in unwanted {
        assert!(!found.iter().any(|found| found == value), "{line}: {value} is in {found:?}");
    }
}

#[test]
fn keywords_fit_the_place_and_the_case_of_what_was_typed() {
    assert_eq!(taken("SEL|"), "SELECT");
    assert_eq!(taken("sel|"), "select");
    assert_eq!(taken("select * from readings em|"), "select * from readings emit");
    assert_eq!(taken("SELECT * FROM readings EMIT C|"), "SELECT * FROM readings EMIT CHANGES");
    assert_eq!(taken("SHOW TOPICS; drop str|"), "SHOW TOPICS; drop stream");
    assert_eq!(taken("CREATE STREAM IF|"), "CREATE STREAM IF NOT EXISTS");
    offers("|", &["SELECT", "CREATE", "help"]);
    offers_not("SELECT * FROM readings |", &["CREATE", "help", "READINGS"]);
    offers("SELECT * FROM readings |", &["WHERE", "GROUP BY", "EMIT", "JOIN"]);
}

#[test]
fn streams_stand_where_sources_do() {
    offers("SELECT * FROM |", &["READINGS", "ROOMS", "`odd name`"]);
    assert_eq!(taken("select * from rea|"), "select * from readings");
    assert_eq!(taken("SELECT * FROM `od|"), "SELECT * FROM `odd name`");
    assert_eq!(taken("SELECT * FROM \"od|\""), "SELECT * FROM \"odd name\"");
    assert_eq!(taken("DESCRIBE roo|"), "DESCRIBE rooms");
    offers("INSERT INTO |", &["READINGS"]);
}

#[test]
fn columns_are_those_of_the_streams_that_are_named() {
    offers("SELECT | FROM readings", &["SENSOR", "CELSIUS", "ROWTIME", "ABS(", "CASE", "CAST("]);
    offers_not("SELECT | FROM readings", &["ROOM", "READINGS", "FROM"]);
    assert_eq!(taken("SELECT * FROM readings WHERE cel|"), "SELECT * FROM readings WHERE celsius");
    // By alias, also of one that comes later.
    offers("SELECT r.| FROM readings AS r JOIN rooms o", &["sensor", "celsius"]);
    offers_not("SELECT r.| FROM readings AS r JOIN rooms o", &["room", "ABS("]);
    offers("SELECT * FROM readings WHERE |", &["sensor", "ABS(", "CASE"]);
    assert_eq!(taken("SELECT o.roo| FROM readings r JOIN rooms o"), "SELECT o.room FROM readings r JOIN rooms o");
    offers("SELECT | FROM readings r JOIN rooms o", &["R.", "O.", "CELSIUS", "ROOM"]);
    // Before FROM is typed any column may be meant.
    assert_eq!(taken("SELECT cels|"), "SELECT celsius");
    assert_eq!(taken("SELECT `sel| FROM `odd name`"), "SELECT `select` FROM `odd name`");
    offers("SELECT | FROM `odd name`", &["`select`"]);
}

#[test]
fn an_insert_takes_the_columns_of_its_target() {
    offers("INSERT INTO readings (|", &["sensor", "celsius"]);
    offers_not("INSERT INTO readings (|", &["rowtime", "room"]);
    assert_eq!(taken("INSERT INTO readings (sensor, c|"), "INSERT INTO readings (sensor, celsius");
    assert_eq!(values("SELECT sensor AS | FROM readings"), [""; 0]);
}

#[test]
fn fields_of_structs_follow_the_arrow() {
    offers("SELECT place->| FROM rooms", &["lat", "gps"]);
    assert_eq!(taken("SELECT o.place->gps->s| FROM rooms o"), "SELECT o.place->gps->second FROM rooms o");
    assert_eq!(values("SELECT room->| FROM rooms"), [""; 0]);
}

#[test]
fn functions_show_their_signatures() {
    let found = offered("SELECT SUBSTR|");
    let substring = found.iter().find(|offer| offer.value == "SUBSTRING(").expect("there is one");
    let description = substring.description.as_deref().unwrap_or_default();
    assert!(description.contains("SUBSTRING(") && description.contains("-> VARCHAR"), "{description}");
    assert_eq!(taken("DESCRIBE FUNCTION substr|"), "DESCRIBE FUNCTION substring");
}

#[test]
fn properties_settings_and_topics_have_their_quotes() {
    assert_eq!(taken("create stream s with (kafka_t|"), "create stream s with (kafka_topic=");
    assert_eq!(taken("CREATE STREAM s WITH (kafka_topic='plant|"), "CREATE STREAM s WITH (kafka_topic='plant.temp'");
    assert_eq!(taken("CREATE STREAM s WITH (kafka_topic='plant|')"), "CREATE STREAM s WITH (kafka_topic='plant.temp')");
    offers("CREATE STREAM s WITH (value_format=|", &["'JSON'", "'DELIMITED'"]);
    offers_not("CREATE STREAM s WITH (FORMAT='JSON', |", &["FORMAT="]);
    offers("CREATE SOURCE CONNECTOR c WITH (|", &["'connector.class'="]);
    offers_not("CREATE SOURCE CONNECTOR c WITH (|", &["KAFKA_TOPIC="]);
    offers("CREATE SOURCE CONNECTOR c WITH ('connector.class'='|", &["'mqtt-listener'"]);
    offers("CREATE SOURCE CONNECTOR c WITH ('connector.class'='mqtt-listener', '|", &["'listeners'="]);
    offers_not(
        "CREATE SOURCE CONNECTOR c WITH ('connector.class'='mqtt-listener', '|",
        &["'file'=", "'connector.class'="],
    );
    assert_eq!(taken("PRINT re|"), "PRINT readings");
    assert_eq!(taken("PRINT 'pl|"), "PRINT 'plant.temp'");
    offers("PRINT |", &["readings", "'plant.temp'"]);
    assert_eq!(taken("SET 'auto|"), "SET 'auto.offset.reset'=");
    assert_eq!(taken("UNSET 'auto|"), "UNSET 'auto.offset.reset'");
    offers("SET 'auto.offset.reset' = '|", &["'earliest'", "'latest'"]);
    offers("SET 'ksql.streams.processing.guarantee' = |", &["'at_least_once'"]);
    assert_eq!(taken("undefine |"), "undefine format");
}

#[test]
fn files_are_offered_where_they_are_run() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("streams.sql"), "").expect("it can be written");
    let base = folder.path().display();
    assert_eq!(taken(&format!("RUN SCRIPT '{base}/st|")), format!("RUN SCRIPT '{base}/streams.sql'"));
    assert_eq!(taken(&format!("\\i {base}/st|")), format!("\\i {base}/streams.sql"));
    assert_eq!(taken(&format!("SHOW TOPICS;\nspool {base}/st|")), format!("SHOW TOPICS;\nspool {base}/streams.sql"));
}

#[test]
fn commands_and_their_arguments_are_completed() {
    offers("\\|", &["\\d", "\\watch", "\\e"]);
    assert_eq!(taken("\\ti|"), "\\timing");
    assert_eq!(taken("\\d roo|"), "\\d rooms");
    assert_eq!(taken("\\df substr|"), "\\df substring");
    assert_eq!(taken("output v|"), "output vertical");
    assert_eq!(taken("help stat|"), "help statements");
    assert_eq!(taken("vers|"), "version");
}

#[test]
fn nothing_is_offered_in_comments_strings_and_numbers() {
    for line in ["SELECT -- se|", "SELECT /* se|", "SELECT 'se|", "SELECT * FROM readings LIMIT 1|"] {
        assert_eq!(values(line), [""; 0], "{line}");
    }
}

#[test]
fn behind_a_mistake_there_is_still_something() {
    offers("SELECT FROM readings WHERE c|", &["celsius"]);
    offers("SELECT FROM readings WHERE C|", &["CHANGES"]);
}

#[test]
fn a_thousand_streams_are_completed_while_one_types() {
    let column = |n: usize| Column::value(format!("COLUMN_{n}"), SqlType::Double);
    let mut names = none();
    for n in 0..1_000 {
        names = names.stream(&format!("STREAM_{n}"), (0..20).map(column).collect());
    }
    names.topics = (0..1_000).map(|n| format!("topic_{n}")).collect();
    let catalog = std::sync::Arc::new(names.catalog.clone());
    struct Shared(std::sync::Arc<crate::catalog::Catalog>, FixedNames);
    impl Names for Shared {
        fn catalog(&self) -> std::sync::Arc<crate::catalog::Catalog> {
            self.0.clone()
        }
        fn functions(&self) -> std::sync::Arc<crate::functions::FunctionRegistry> {
            self.1.functions()
        }
        fn topics(&self) -> Vec<String> {
            self.1.topics.clone()
        }
        fn variables(&self) -> Vec<String> {
            Vec::new()
        }
    }
    let completer = SqlCompleter::new(Box::new(Shared(catalog, names)));
    for (line, least) in [
        ("SELECT * FROM ", 1_000),
        ("SELECT column_1", 10),
        ("SELECT  FROM stream_7", 20),
        ("PRINT ", 1_000),
        ("SELECT a.column_1 FROM stream_1 a JOIN stream_2 b ON a.", 20),
    ] {
        let best = (0..10).map(|_| {
            let begun = Instant::now();
            let pos = if line.starts_with("SELECT  ") { 7 } else { line.len() };
            assert!(completer.suggestions(line, pos).len() >= least, "{line}");
            begun.elapsed()
        });
        let best = best.min().unwrap_or_default();
        // Not optimised and beside other tests it takes some 15 ms; what is slow for a hand begins at about 100.
        assert!(best < Duration::from_millis(50), "{line}: {best:?}");
    }
}
