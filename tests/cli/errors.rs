//! Mistakes in files and flags, found before anything starts.

use super::CHAIN;
use crate::harness::Case;

#[test]
fn a_mistake_on_the_last_line_starts_nothing() {
    let text = format!("{CHAIN}SELECT idd FROM bigger EMIT CHANGES;\n");
    let case = Case::new().file("a.sql", &text).file("show.sql", "SHOW TOPICS;");
    let ran = case.run(&["run", "a.sql", "--data", "d"]).expect(1);
    assert_eq!(ran.out, "");
    let expected = "topics in d; broker on 127.0.0.1:PORT
error: unknown column IDD
 --> a.sql:7:8
  |
7 | SELECT idd FROM bigger EMIT CHANGES;
  |        ^^^
hint: Did you mean ID?
";
    assert_eq!(ran.err, expected);
    let topics = case.run(&["run", "show.sql", "--data", "d", "--output", "csv"]).expect(0);
    assert_eq!(topics.out, "Topic,Partitions,Replicas\ndefault_ksql_processing_log,1,1\n");
}

#[test]
fn the_place_of_a_mistake_is_in_the_file_it_is_in() {
    let case = Case::new().file("a.sql", CHAIN).file("b.sql", "-- a comment\nSELECT * FROM bigg EMIT CHANGES;");
    case.run(&["run", "a.sql", "b.sql"]).expect(1).says(" --> b.sql:2:15").says("Did you mean");
}

#[test]
fn usage_errors_end_with_2_and_say_what_to_do() {
    let case = Case::new()
        .file("a.sql", CHAIN)
        .file("unknown.conf", "foo.bar=1\n")
        .file("misspelt.conf", "comit.interval.ms=1\n")
        .file("broken.conf", "\nnonsense\n");
    case.run(&["run", "none.sql"]).expect(2).says("file none.sql cannot be read");
    case.run(&["run", "a.sql", "--config", "unknown.conf"]).expect(2).says("no property `foo.bar`");
    case.run(&["run", "a.sql", "--config", "misspelt.conf"]).expect(2).says("Did you mean 'commit.interval.ms'?");
    case.run(&["run", "a.sql", "--config", "broken.conf"]).expect(2).says("broken.conf, line 2");
    case.run(&["run", "a.sql", "--from", "soon"]).expect(2).says("--from: a start is `earliest`, `latest` or a time");
}

#[test]
fn a_taken_port_and_an_unusable_folder_end_with_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let case = Case::new().file("a.sql", CHAIN).file("plain", "");
    case.run(&["run", "a.sql", "--listen", &address]).expect(3).says("error: ");
    case.run(&["run", "a.sql", "--data", "plain"]).expect(3).says("plain");
}

#[test]
fn a_broker_that_does_not_answer_ends_with_3_after_10_s() {
    // The port was free a moment ago, and nobody listens on it now.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let case = Case::new().file("a.sql", CHAIN);
    case.run(&["run", "a.sql", "-b", &address]).expect(3).says("no broker answers at").says("(waited 10 s)");
}

#[test]
fn a_value_from_the_environment_is_never_shown() {
    let text = "CREATE STREAM s (id INTEGER, v VARCHAR) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM t AS SELECT id FROM s WHERE v = '${env:SECRET_WORD}';
SHOW QUERIES;
PRINT '_alcedo-default-statements' FROM BEGINNING;
SELECT v FROM s WHERE '${env:SECRET_WORD}' = nothing EMIT CHANGES;
";
    let case = Case::new().variable("SECRET_WORD", "hunter2").file("bad.sql", text);
    let bad = case.run(&["run", "bad.sql"]).expect(1);
    assert!(!bad.err.contains("hunter2"), "{}", bad.err);
    let good = text.lines().take(3).collect::<Vec<_>>().join("\n");
    let case = case.file("good.sql", &good);
    let ran = case.run(&["run", "good.sql", "--until-end", "--data", "d", "--output", "csv"]).expect(0);
    assert!(ran.out.contains("${env:SECRET_WORD}"), "{}", ran.out);
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"));
    let mut kept = Vec::new();
    files_of(&case.path("d"), &mut kept);
    let holds = |bytes: &[u8]| bytes.windows(7).any(|window| window == b"hunter2");
    assert!(kept.iter().all(|path| !holds(&std::fs::read(path).unwrap())), "a file of the broker holds the secret");
}

/// All files below a folder.
pub fn files_of(folder: &std::path::Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_of(&path, into) } else { into.push(path) }
    }
}
