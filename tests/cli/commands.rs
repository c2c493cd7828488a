//! Commands of the shell where nobody types: `-e`, `-f`, scripts, spooling.

use crate::harness::Case;

/// The streams that are there from the start, as CSV.
const STREAMS: &str =
    "Stream,Topic,Key format,Value format\nKSQL_PROCESSING_LOG,default_ksql_processing_log,KAFKA,JSON\n";

const STREAM: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');\n";

#[test]
fn statements_and_files_of_the_command_line_run_in_their_order() {
    let case = Case::new().file("create.sql", STREAM).file("insert.sql", "INSERT INTO s VALUES (2);");
    let ran = case
        .run(&[
            "-f",
            "create.sql",
            "-e",
            "INSERT INTO s VALUES (1)",
            "--file",
            "insert.sql",
            "--execute",
            "SELECT * FROM s EMIT CHANGES LIMIT 2;",
            "--output",
            "JSON",
        ])
        .expect(0);
    assert_eq!(ran.out, "{\"ID\":1}\n{\"ID\":2}\n");
    let expected = "alcedo VERSION  topics in memory, gone at the end (--data DIR keeps them); broker on 127.0.0.1:PORT
Created stream S.
Inserted 1 row into S.
Inserted 1 row into S.
";
    let said: Vec<&str> =
        ran.err.lines().filter(|line| !line.contains("created topic") && !line.contains(": starts at ")).collect();
    assert_eq!(said.join("\n") + "\n", expected.replace("VERSION", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_first_error_ends_it_and_names_its_file() {
    let case = Case::new().file("a.sql", "SHOW STREAMS;\n\nSHOW STREMS;\nSHOW TOPICS;\n");
    let ran = case.run(&["-f", "a.sql", "-e", "SHOW TOPICS;", "--output", "csv"]).expect(1);
    assert_eq!(ran.out, STREAMS);
    ran.says(" --> a.sql:3:6").says("Did you mean STREAMS?");
    case.run(&["-f", "none.sql"]).expect(2).says("file none.sql cannot be read");
    case.run(&["-e", "hlep"]).expect(1).says("Did you mean help?");
    case.run(&["-e", "\\wach"]).expect(1).says("unknown command \\wach").says("Did you mean \\watch?");
}

#[test]
fn a_script_runs_scripts_relative_to_itself_and_never_itself() {
    let case = Case::new();
    std::fs::create_dir_all(case.path("sub/deeper")).expect("a folder");
    let case = case
        .file("main.sql", "RUN SCRIPT 'sub/streams.sql';\nINSERT INTO s VALUES (7);\nSELECT * FROM s EMIT CHANGES;\n")
        .file("sub/streams.sql", "DEFINE folder = 'deeper';\nRUN SCRIPT '${folder}/s.sql';\n")
        .file("sub/deeper/s.sql", STREAM)
        .file("loop.sql", "SHOW TOPICS;\nRUN SCRIPT './sub/again.sql';\n")
        .file("sub/again.sql", "-- back\nRUN SCRIPT '../loop.sql';\n")
        .file("wrong.sql", "RUN SCRIPT 'sub/wrong.sql';")
        .file("sub/wrong.sql", "SHOW TOPICS;\n  SHOW NONSENSE;\n");
    // As a deployment, in the shell, and by psql's name.
    let ran = case.run(&["run", "main.sql", "--until-end", "--output", "csv"]).expect(0);
    assert_eq!(ran.out, "ID\n7\n");
    let select = "SELECT * FROM s EMIT CHANGES LIMIT 1;";
    let ran =
        case.pipe(&["--output", "csv"], &format!("run script sub/streams.sql\nINSERT INTO s VALUES (8);\n{select}"));
    assert_eq!(ran.expect(0).out, "ID\n8\n");
    let ran = case.pipe(&["--output", "csv"], &format!("\\i sub/streams.sql\nINSERT INTO s VALUES (9); {select}"));
    assert_eq!(ran.expect(0).out, "ID\n9\n");
    for arguments in [["run", "loop.sql"], ["-f", "loop.sql"]] {
        let ran = case.run(&arguments).expect(1).says("would run itself without end");
        ran.says("sub/again.sql:2:12").says("it is being run already: ");
    }
    for arguments in [["run", "wrong.sql"], ["-f", "wrong.sql"]] {
        case.run(&arguments).expect(1).says(" --> sub/wrong.sql:2:8");
    }
    case.run(&["-e", "RUN SCRIPT 'none.sql';"])
        .expect(1)
        .says("file none.sql cannot be read")
        .says("line 1, column 12");
}

#[test]
fn words_of_ksqldb_and_reflexes_of_psql_work_in_a_pipe() {
    let case = Case::new();
    let text = format!(
        "output csv\n{STREAM}\\d\n\\d s\n\\ds\n\\dt;\n\\df abs\nVERSION;\nset 'batch.rows'='3';\nexit\nSHOW NONSENSE;"
    );
    let ran = case.pipe(&[], &text).expect(0).says("Output is csv.");
    let version = env!("CARGO_PKG_VERSION");
    let (lists, rest) = ran.out.split_once("Name        : ABS").expect("\\df describes");
    let streams = format!("{STREAMS}S,s,KAFKA,JSON\n");
    let tables = "Table,Topic,Key format,Value format\n";
    let columns = "Field,Type,\"\"\nID,INTEGER,\"\"\nROWTIME,BIGINT,pseudo column\nROWPARTITION,INTEGER,pseudo column\nROWOFFSET,BIGINT,pseudo column\n";
    assert_eq!(lists, format!("{streams}{tables}{columns}{streams}{tables}"));
    assert!(rest.ends_with(&format!("\nalcedo {version}\n")), "{rest}");
    assert!(!ran.err.contains("NONSENSE"));
}

#[test]
fn help_is_short_and_has_topics() {
    let ran = Case::new().pipe(&[], "help\nhelp insert\nhelp settings;").expect(0);
    for text in ["Commands of the shell need none", "INSERT INTO stream [(column, ...)]", "auto.offset.reset"] {
        assert!(ran.out.contains(text), "missing {text}\n{}", ran.out);
    }
}

#[test]
fn a_spool_file_holds_statements_and_results() {
    let case = Case::new();
    let text = format!(
        "spool out.txt\n{STREAM}INSERT INTO s VALUES (1);\nSELECT * FROM s EMIT CHANGES LIMIT 1;\nspool off\nSHOW TOPICS;"
    );
    case.pipe(&["--output", "csv"], &text).expect(0).says("Spooled into out.txt.");
    let kept = std::fs::read_to_string(case.path("out.txt")).expect("it was written");
    assert_eq!(
        kept,
        "Spooling into out.txt; `spool off` ends it.
alcedo> CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
Created stream S.
alcedo> INSERT INTO s VALUES (1);
Inserted 1 row into S.
alcedo> SELECT * FROM s EMIT CHANGES LIMIT 1;
ID
1
"
    );
}

#[test]
fn timing_and_settings_of_rows_hold_for_what_follows() {
    let ran = Case::new().pipe(&[], "\\timing on\nSHOW TYPES;\n\\timing\n\\x\n\\x off\noutput nonsense\n").expect(1);
    ran.says("Time: ").says("Timing is off.").says("Output is vertical.").says("Output is table").says("It is tabular");
}
