//! `alcedo check`, and the scripts of `alcedo completions`.

use std::process::{Command, Stdio};

use crate::harness::Case;

/// As it may come from a user of ksqlDB.
const KSQLDB: &str = "\
SET 'auto.offset.reset' = 'earliest';
SET 'ksql.streams.num.stream.threads' = '4';
CREATE STREAM readings (sensor VARCHAR KEY, temp DOUBLE)
  WITH (kafka_topic='readings', value_format='JSON', partitions=3, replicas=3);
CREATE STREAM hot AS SELECT sensor, temp FROM readings WHERE temp > ${limit} EMIT CHANGES;
CREATE TABLE counts AS
  SELECT sensor, COUNT(*) AS n FROM readings WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY sensor EMIT CHANGES;
SELECT * FROM counts EMIT CHANGES;
SELECT sensr FROM hot EMIT CHANGES;
PRINT 'other' FROM BEGINNING;
";

fn fine() -> Case {
    Case::new()
        .file("fine.sql", "CREATE STREAM s (id INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);\n")
}

#[test]
fn a_file_from_ksqldb_gets_a_finding_a_statement() {
    let case = Case::new().file("k.sql", KSQLDB);
    let ran = case.run(&["check", "k.sql", "--define", "limit=3"]).expect(1);
    assert_eq!(ran.err, "");
    insta::assert_snapshot!(ran.out);
}

#[test]
fn findings_are_objects_for_programs() {
    let case = Case::new().file("k.sql", KSQLDB);
    let ran = case.run(&["check", "k.sql", "-d", "limit=3", "--output", "json"]).expect(1);
    let objects: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let verdicts: Vec<&str> = objects.iter().map(|object| object["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["ok", "ok", "ok", "ok", "unsupported", "not_checked", "error", "ok"]);
    assert_eq!(objects[5]["depends_on"][0], "COUNTS");
    assert_eq!((&objects[6]["at"]["line"], &objects[6]["at"]["column"]), (&9.into(), &8.into()));
    assert_eq!(objects[6]["hint"], "Did you mean SENSOR?");
    assert_eq!((&objects[4]["code"], &objects[6]["code"]), (&"unsupported".into(), &"unknown_column".into()));
    assert!(ran.err.starts_with("8 statements: 5 ok, 1 error"), "{}", ran.err);
}

#[test]
fn what_runs_ends_with_0_and_leaves_nothing_behind() {
    let case = fine();
    let ran = case.run(&["check", "fine.sql"]).expect(0);
    assert_eq!(ran.out.lines().last(), Some("fine.sql: 1 statement: 1 ok"));
    let files: Vec<_> = std::fs::read_dir(case.path(".")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(files, ["fine.sql"]);
}

#[test]
fn each_file_is_a_session_of_its_own() {
    let case = fine().file("b.sql", "SELECT id FROM s EMIT CHANGES;");
    let ran = case.run(&["check", "fine.sql", "b.sql"]).expect(1);
    assert!(ran.out.contains("unknown stream or table S"), "{}", ran.out);
    assert_eq!(ran.out.lines().last(), Some("2 files: 2 statements: 1 ok, 1 error"));
}

#[test]
fn a_file_that_is_run_by_another_is_checked_in_its_place() {
    let case = fine().file("a.sql", "RUN SCRIPT 'fine.sql';\nSELECT idd FROM s EMIT CHANGES;\nRUN SCRIPT 'a.sql';\n");
    let ran = case.run(&["check", "a.sql"]).expect(1);
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains(".sql:") && !line.contains("-->")).collect();
    let begins =
        ["a.sql:1    ok", "fine.sql:1 ok", "a.sql:2    error", "a.sql:3    error", "a.sql: 4 statements: 2 ok"];
    assert!(lines.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{}", ran.out);
    assert!(ran.out.contains("would run itself without end"), "{}", ran.out);
}

#[test]
fn what_cannot_be_checked_at_all_is_usage() {
    let case = fine()
        .file("jks.properties", "security.protocol=SSL\nssl.truststore.location=/etc/trust.jks\n")
        .file("misspelt.properties", "sasl.usernme=hunter2\n")
        .file("k.properties", "ksql.streams.state.dir=/var\nssl.endpoint.identification.algorithm=\n");
    case.run(&["check", "none.sql"]).expect(2).says("file none.sql cannot be read");
    case.run(&["check"]).expect(2);
    case.run(&["check", "fine.sql", "--config", "jks.properties"])
        .expect(2)
        .says("jks.properties, line 2: property `ssl.truststore.location` names a trust store of Java")
        .says("openssl pkcs12 -in trust.p12 -nokeys -out ca.pem");
    let ran = case.run(&["check", "fine.sql", "--config", "misspelt.properties"]).expect(2).says("sasl.username");
    assert!(!ran.err.contains("hunter2"));
    case.run(&["check", "fine.sql", "--config", "k.properties"])
        .expect(0)
        .says("warning: k.properties, line 1: `ksql.streams.state.dir` has no meaning here, because");
}

#[test]
fn a_login_of_java_is_translated_and_never_shown() {
    let login =
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"ann\" password=\"hunter2\";";
    let case = Case::new()
        .file("k.properties", &format!("sasl.mechanism=PLAIN\nsasl.jaas.config={login}\n"))
        .file("a.sql", "SHOW PROPERTIES;");
    let ran = case.run(&["run", "a.sql", "--config", "k.properties", "--output", "csv"]).expect(0);
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{}{}", ran.out, ran.err);
    for line in
        ["sasl.mechanisms,PLAIN,config file", "sasl.username,ann,config file", "sasl.password,********,config file"]
    {
        assert!(ran.out.lines().any(|found| found == line), "missing {line}\n{}", ran.out);
    }
}

#[test]
fn every_shell_gets_its_script() {
    let case = Case::new();
    for (shell, expected) in [("bash", "complete -F"), ("zsh", "#compdef alcedo"), ("fish", "complete -c alcedo")] {
        let ran = case.run(&["completions", shell]).expect(0);
        assert!(ran.out.contains(expected) && ran.out.contains("until-end"), "{shell}\n{}", ran.out);
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("there is a bash");
            let mut input = bash.stdin.take().expect("it is piped");
            std::io::Write::write_all(&mut input, ran.out.as_bytes()).expect("bash reads it");
            drop(input);
            assert!(bash.wait().expect("it ends").success());
        }
    }
    case.run(&["completions", "tcsh"]).expect(2);
}
