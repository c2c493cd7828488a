//! Functions from source, end to end: built, called, replaced, brought back, dropped.
//!
//! Vectorized ones need no crates but those inside the binary, so their tests always run. The one in Arroyo's format is
//! skipped, with a line that says so, when its crates cannot be had.

use std::path::Path;

use crate::harness::{Case, Ran, udfs};

/// Twice a number, and its half.
const TWICE: &str = "\
use alcedo_udf::{Float64Array, udf};

/// Twice a number.
#[udf(nulls = \"propagate\")]
fn twice(x: &Float64Array) -> Float64Array {
    x.map(|x| x * 2.0)
}
";

/// A stream of numbers and what a function makes of them.
const STREAMS: &str = "\
CREATE STREAM s (x DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM t AS SELECT TWICE(x) AS y FROM s EMIT CHANGES;
";

/// A folder whose functions are built where all these tests build theirs: the kit is compiled once.
fn case() -> Case {
    Case::new().variable("ALCEDO_EXTENSION_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/functions"))
}

/// The text with a comment that no other run of any test has, so that it has never been built.
fn never_built(text: &str) -> String {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    format!("// {} {}\n{text}", std::process::id(), time.as_nanos())
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.out.lines().collect()
}

#[test]
fn a_file_creates_a_function_beside_it_and_calls_it() {
    let case = case();
    std::fs::create_dir(case.path("sql")).expect("a folder");
    let sql = "\
CREATE FUNCTION twice FROM 'twice.rs';
CREATE STREAM s (x DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s VALUES (21);
INSERT INTO s VALUES (NULL);
INSERT INTO s VALUES (TWICE(4));
SELECT TWICE(x) AS y, twice(x + 1) AS z FROM s EMIT CHANGES;
";
    let case = case.file("sql/twice.rs", TWICE).file("sql/a.sql", sql);
    let ran = case.run(&["run", "sql/a.sql", "--until-end", "--output", "json"]).expect(0);
    let rows = ["{\"Y\":42.0,\"Z\":44.0}", "{\"Y\":null,\"Z\":null}", "{\"Y\":16.0,\"Z\":18.0}"];
    assert_eq!(lines(&ran), rows, "{}", ran.err);
    ran.says("Created function TWICE(x DOUBLE) -> DOUBLE.");
}

/// A path is relative to the file that says it, however that file is run; what is typed is relative to the working folder.
#[test]
fn a_relative_path_starts_from_the_folder_of_the_file_that_says_it() {
    let case = case();
    std::fs::create_dir(case.path("sql")).expect("a folder");
    let case = case.file("sql/twice.rs", TWICE).file("sql/f.sql", "CREATE FUNCTION twice FROM 'twice.rs';\n");
    let case = case.file("outer.sql", "RUN SCRIPT 'sql/f.sql';\n");
    let made = "Created function TWICE(x DOUBLE) -> DOUBLE.";
    case.run(&["-f", "sql/f.sql"]).expect(0).says(made);
    case.run(&["-f", "outer.sql"]).expect(0).says(made);
    case.run(&["run", "outer.sql", "--until-end"]).expect(0).says(made);
    for typed in ["\\i sql/f.sql\n", "run script sql/f.sql\n", "RUN SCRIPT 'sql/f.sql';\n", "\\i outer.sql\n"] {
        case.pipe(&["repl"], typed).expect(0).says(made);
    }
    let after = "\\i sql/f.sql\nCREATE OR REPLACE FUNCTION twice FROM 'twice.rs';\n";
    case.pipe(&["repl"], after).expect(1).says(made).says("twice.rs does not exist");
}

#[test]
fn a_source_that_does_not_compile_starts_nothing_and_says_why_where() {
    let broken = never_built(&TWICE.replace("x * 2.0", "x * two"));
    let case =
        case().file("broken.rs", &broken).file("a.sql", &format!("{STREAMS}CREATE FUNCTION f FROM 'broken.rs';"));
    let ran = case.run(&["run", "a.sql", "--data", "d"]).expect(1);
    assert!(ran.err.contains("unknown function TWICE"), "statements are planned in order: {}", ran.err);
    let case = case.file("a.sql", &format!("CREATE FUNCTION twice FROM 'broken.rs';\n{STREAMS}"));
    let ran = case.run(&["run", "a.sql", "--data", "d"]).expect(1);
    let ran = ran.says("error: broken does not compile").says(" --> a.sql:1:28").says("cannot find value `two`");
    let ran = ran.says("--> broken.rs:7:19");
    assert!(!ran.err.contains("Created"), "{}", ran.err);
    let after = case.pipe(&["repl", "--data", "d", "--output", "csv"], "SHOW TOPICS; SHOW ALL TOPICS;").expect(0);
    let topics: Vec<&str> = lines(&after).into_iter().filter(|line| !line.contains("processing_log")).collect();
    assert_eq!(topics, ["Topic,Partitions,Replicas"; 2], "it left a trace");
}

#[test]
fn what_cannot_be_a_function_is_refused_before_anything_is_built() {
    let rows = "use arroyo_udf_plugin::udf;\n#[udf]\nfn gate(open: bool) -> i64 { open as i64 }\n";
    let case = case().file("gate.rs", rows).file("none.rs", "fn f() {}\n").file("a.txt", "").file("lib.so", "");
    let refuse = |sql: &str| case.pipe(&["repl"], sql).expect(1);
    refuse("CREATE FUNCTION gate FROM 'gate.rs';")
        .says("argument `open` is `bool`, and the plugin format has no booleans")
        .says("--> gate.rs:3:15")
        .says("hint: Use `i64` with 0 and 1");
    refuse("CREATE FUNCTION f FROM 'none.rs';").says("none.rs has no function for SQL");
    refuse("CREATE FUNCTION f FROM 'nowhere.rs';").says("nowhere.rs does not exist").says("line 1, column 24");
    refuse("CREATE FUNCTION f FROM 'a.txt';").says("a.txt is neither Rust source nor a library");
    refuse("CREATE FUNCTION f FROM '.';").says("folder . is no crate");
    refuse("CREATE FUNCTION f FROM 'lib.so';").says("has no usable sidecar");
    refuse("CREATE OR REPLACE FUNCTION abs FROM 'gate.rs';")
        .says("ABS is a function of the engine and cannot be replaced");
    refuse("DROP FUNCTION abs;").says("ABS is a function of the engine and cannot be dropped");
    refuse("DROP FUNCTION abss;").says("Did you mean ABS?");
    refuse("CREATE FUNCTION f AS 'x';").says("hint: A function comes from Rust source");
}

#[test]
fn without_cargo_the_error_says_what_to_do() {
    let case = case().file("twice.rs", &never_built(TWICE)).variable("PATH", "").variable("HOME", "/nonexistent");
    let case = case.variable("CARGO_HOME", "/nonexistent");
    let ran = case.pipe(&["repl"], "CREATE FUNCTION twice FROM 'twice.rs';").expect(3);
    ran.says("cargo is not installed").says("hint: Install Rust from https://rustup.rs");
}

#[test]
fn without_cargo_what_was_built_from_the_same_text_is_taken() {
    let case = case().file("twice.rs", TWICE).file("a.sql", "CREATE FUNCTION twice FROM 'twice.rs';\n");
    case.run(&["run", "a.sql", "--data", "d"]).expect(0);
    let case = case.variable("PATH", "").variable("HOME", "/nonexistent").variable("CARGO_HOME", "/nonexistent");
    case.run(&["run", "a.sql", "--data", "d"]).expect(0).says("Created function TWICE");
    case.run(&["run", "a.sql"]).expect(3).says("cargo is not installed");
}

#[test]
fn a_query_that_runs_keeps_the_function_that_is_replaced() {
    let thrice = TWICE.replace("2.0", "3.0");
    let case = case().file("twice.rs", TWICE).file("thrice.rs", &thrice);
    let input = format!(
        "CREATE FUNCTION twice FROM 'twice.rs';
{STREAMS}
INSERT INTO s VALUES (10);
SELECT * FROM t EMIT CHANGES LIMIT 1;
CREATE FUNCTION twice FROM 'thrice.rs';"
    );
    case.pipe(&["repl"], &input).expect(1).says("function TWICE exists already").says("CREATE OR REPLACE");
    let input = input.replace("CREATE FUNCTION twice FROM 'thrice", "CREATE OR REPLACE FUNCTION twice FROM 'thrice")
        + "
CREATE FUNCTION IF NOT EXISTS twice FROM 'nowhere.rs';
INSERT INTO s VALUES (100);
SELECT * FROM t EMIT CHANGES LIMIT 2;
SELECT TWICE(x) AS new FROM s EMIT CHANGES LIMIT 2;";
    let ran = case.pipe(&["repl", "--output", "json"], &input).expect(0);
    let expected = ["{\"Y\":20.0}", "{\"Y\":20.0}", "{\"Y\":200.0}", "{\"NEW\":30.0}", "{\"NEW\":300.0}"];
    assert_eq!(lines(&ran), expected, "{}", ran.err);
    ran.says("Replaced function TWICE(x DOUBLE) -> DOUBLE. CSAS_T goes on with the former one until started again.")
        .says("There is a function TWICE already; nothing was created.");
}

#[test]
fn functions_come_back_with_the_queries_that_call_them() {
    let case = case().file("twice.rs", TWICE);
    let repl = |input: &str| case.pipe(&["repl", "--data", "d", "--output", "json"], input);
    repl(&format!("CREATE FUNCTION twice FROM 'twice.rs';\n{STREAMS}INSERT INTO s VALUES (1);")).expect(0);
    // Neither the source nor the cache is needed: the library stands in the data folder.
    std::fs::remove_file(case.path("twice.rs")).expect("removed");
    let elsewhere = case.variable("ALCEDO_EXTENSION_DIR", "elsewhere");
    let repl = |input: &str| elsewhere.pipe(&["repl", "--data", "d", "--output", "json"], input);
    let ran =
        repl("INSERT INTO s VALUES (2); SELECT * FROM t EMIT CHANGES LIMIT 2; DESCRIBE FUNCTION twice;").expect(0);
    assert_eq!(lines(&ran)[..2], ["{\"Y\":2.0}", "{\"Y\":4.0}"], "{}", ran.err);
    assert!(ran.out.contains("Source      : ") && ran.out.contains("twice.rs"), "{}", ran.out);
    let ran = ran.says("3 statements of earlier sessions are back");
    assert!(!ran.err.contains("builds"), "{}", ran.err);
    // When the library is gone too, the function is named, and the query that calls it; the rest lives.
    std::fs::remove_dir_all(elsewhere.path("d/functions")).expect("removed");
    let ran = repl("SELECT x FROM s EMIT CHANGES LIMIT 1; SELECT TWICE(x) FROM s EMIT CHANGES;").expect(1);
    assert_eq!(lines(&ran), ["{\"X\":1.0}"]);
    let ran = ran.says("function TWICE did not come back: its library udf-twice-").says("twice.rs does not exist");
    let ran = ran.says("query CSAS_T did not come back: function TWICE is missing");
    ran.says(r#""hint":"CREATE OR REPLACE FUNCTION TWICE FROM '...'; makes it again.""#);
    // With a source that has changed it stays missing; with the one of then it is built again.
    let elsewhere = elsewhere.file("twice.rs", &TWICE.replace("2.0", "3.0"));
    let repl = |input: &str| elsewhere.pipe(&["repl", "--data", "d", "--output", "json"], input);
    repl("SHOW STREAMS;").expect(0).says("twice.rs has changed since");
    let elsewhere = elsewhere.file("twice.rs", TWICE);
    let repl = |input: &str| elsewhere.pipe(&["repl", "--data", "d", "--output", "json"], input);
    let ran = repl("INSERT INTO s VALUES (3); SELECT * FROM t EMIT CHANGES LIMIT 3;").expect(0);
    assert_eq!(lines(&ran), ["{\"Y\":2.0}", "{\"Y\":4.0}", "{\"Y\":6.0}"], "{}", ran.err);
    assert!(elsewhere.path("d/functions").is_dir(), "the data folder is whole again");
}

#[test]
fn a_missing_function_can_be_dropped_or_made_again() {
    let case = Case::new().variable("ALCEDO_EXTENSION_DIR", "ext").file("twice.rs", TWICE);
    let repl = |input: &str| case.pipe(&["repl", "--data", "d", "--output", "csv"], input);
    repl("CREATE FUNCTION twice FROM 'twice.rs';").expect(0);
    let lose = || {
        std::fs::remove_dir_all(case.path("d/functions")).expect("removed");
        std::fs::remove_dir_all(case.path("ext/libraries")).expect("removed");
        std::fs::rename(case.path("twice.rs"), case.path("away.rs")).expect("renamed");
    };
    lose();
    repl("DESCRIBE FUNCTION twice;").expect(1).says("function TWICE is missing").says("twice.rs does not exist");
    std::fs::rename(case.path("away.rs"), case.path("other.rs")).expect("renamed");
    repl("CREATE FUNCTION twice FROM 'other.rs'; DESCRIBE FUNCTION twice;").expect(0).says("Created function TWICE");
    std::fs::rename(case.path("other.rs"), case.path("twice.rs")).expect("renamed");
    lose();
    repl("DROP FUNCTION twice;").expect(0).says("Dropped function TWICE.");
    let ran = repl("DROP FUNCTION twice;").expect(1).says("unknown function TWICE");
    assert!(!ran.err.contains("did not come back"), "{}", ran.err);
}

#[test]
fn functions_come_back_on_a_cluster_and_a_path_from_the_environment_is_not_kept() {
    let case = case().file("twice.rs", TWICE).variable("WHERE_IT_IS", "hidden_folder");
    std::fs::create_dir(case.path("hidden_folder")).expect("a folder");
    std::fs::copy(case.path("twice.rs"), case.path("hidden_folder/half.rs")).expect("copied");
    let half = TWICE.replace("twice", "half").replace("* 2.0", "/ 2.0");
    let case = case.file("hidden_folder/half.rs", &half);
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0", "--data", "d"]);
    let address = broker.address("listens on ");
    let repl = |input: &str| case.pipe(&["repl", "-b", &address, "--output", "json"], input);
    let create = "CREATE FUNCTION twice FROM 'twice.rs'; CREATE FUNCTION half FROM '${env:WHERE_IT_IS}/half.rs';";
    repl(create).expect(0).says("Created function HALF");
    let input = "CREATE STREAM s (x DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s VALUES (5); SET 'auto.offset.reset'='earliest';
SELECT HALF(x) AS h, TWICE(x) AS t FROM s EMIT CHANGES LIMIT 1;";
    let ran = repl(input).expect(0).says("2 statements of earlier sessions are back");
    assert_eq!(lines(&ran), ["{\"H\":2.5,\"T\":10.0}"], "{}", ran.err);
    broker.signal("INT");
    broker.finish().expect(0);
    let mut kept = Vec::new();
    super::errors::files_of(&case.path("d"), &mut kept);
    let holds = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"hidden_folder");
    assert!(kept.iter().all(|path| !holds(&std::fs::read(path).expect("readable"))), "the log holds the path");
}

#[test]
fn a_function_in_use_keeps_its_types_and_a_shared_library_stays() {
    let words = TWICE
        .replace("-> Float64Array", "-> StringArray")
        .replace("Float64Array, udf", "Float64Array, StringArray, udf");
    let words = words.replace("x.map(|x| x * 2.0)", "x.iter().map(|x| x.map(|_| \"some\")).collect()");
    let half =
        "\n/// Half of a number.\n#[udf]\nfn half(x: &Float64Array) -> Float64Array {\n    x.map(|x| x / 2.0)\n}\n";
    let case = case().file("both.rs", &format!("{TWICE}{half}")).file("words.rs", &words);
    let repl = |input: &str| case.pipe(&["repl", "--data", "d", "--output", "json"], input);
    let create = "CREATE FUNCTION twice FROM 'both.rs'; CREATE FUNCTION half FROM 'both.rs';";
    let ran = repl(&format!("{create}{STREAMS}CREATE OR REPLACE FUNCTION twice FROM 'words.rs';")).expect(1);
    ran.says("cannot change the types of function TWICE, it is in use")
        .says("it was TWICE(DOUBLE) -> DOUBLE, it is now TWICE(DOUBLE) -> VARCHAR; called by CSAS_T");
    repl("TERMINATE CSAS_T; CREATE OR REPLACE FUNCTION twice FROM 'words.rs'; DROP FUNCTION twice;").expect(0);
    let elsewhere = case.variable("ALCEDO_EXTENSION_DIR", "elsewhere");
    let input = "INSERT INTO s VALUES (3); SELECT HALF(x) AS h FROM s EMIT CHANGES LIMIT 1;";
    let ran = elsewhere.pipe(&["repl", "--data", "d", "--output", "json"], input).expect(0);
    assert_eq!(ran.out, "{\"H\":1.5}\n", "{}", ran.err);
}

#[test]
fn a_file_may_drop_what_it_makes_again_and_make_nothing_twice() {
    let case = case().file("twice.rs", TWICE).file("thrice.rs", &TWICE.replace("2.0", "3.0"));
    let twice = "CREATE FUNCTION twice FROM 'twice.rs';\nCREATE FUNCTION twice FROM 'twice.rs';\n";
    let again =
        "CREATE FUNCTION twice FROM 'twice.rs';\nDROP FUNCTION twice;\nCREATE FUNCTION twice FROM 'thrice.rs';\n";
    let case = case.file("twice.sql", twice).file("again.sql", again);
    let ran = case.run(&["run", "twice.sql"]).expect(1).says("function TWICE exists already").says("twice.sql:2:17");
    assert!(!ran.err.contains("Created"), "{}", ran.err);
    case.run(&["run", "again.sql", "--data", "d"]).expect(0).says("Dropped function TWICE.");
}

#[test]
fn a_file_that_is_run_again_replaces_only_what_says_so() {
    let text = format!("CREATE FUNCTION twice FROM 'twice.rs';\n{STREAMS}");
    let case = case().file("twice.rs", &never_built(TWICE)).file("a.sql", &text);
    let run = |case: &Case, file: &str| case.run(&["run", file, "--data", "d", "--until-end"]);
    run(&case, "a.sql").expect(0).says("twice: builds with rustc");
    let again = run(&case, "a.sql").expect(0).says("CSAS_T: goes on");
    assert!(!again.err.contains("builds"), "an unchanged source is not built: {}", again.err);
    let case = case.file("twice.rs", &never_built(&TWICE.replace("2.0", "2.5")));
    let refused =
        run(&case, "a.sql").expect(1).says("function TWICE was created from another source").says("a.sql:1:17");
    assert!(!refused.err.contains("builds") && !refused.err.contains("Created"), "{}", refused.err);
    let case = case.file("b.sql", &text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"));
    run(&case, "b.sql").expect(0).says("Created function TWICE");
    run(&case, "a.sql").expect(0);
}

#[test]
fn a_function_in_use_is_not_dropped() {
    let case = case().file("twice.rs", TWICE);
    let create = format!("CREATE FUNCTION twice FROM 'twice.rs';\n{STREAMS}");
    let ran = case.pipe(&["repl", "--data", "d"], &format!("{create}DROP FUNCTION twice;")).expect(1);
    ran.says("cannot drop function TWICE, it is in use")
        .says("called by CSAS_T")
        .says("hint: TERMINATE CSAS_T; first.");
    let input =
        "TERMINATE CSAS_T; DROP FUNCTION twice; DROP FUNCTION IF EXISTS twice; SELECT TWICE(x) FROM s EMIT CHANGES;";
    let ran = case.pipe(&["repl", "--data", "d"], input).expect(1);
    let ran = ran.says("Dropped function TWICE.").says("There is no function TWICE.");
    ran.says("unknown function TWICE");
    assert_eq!(std::fs::read_dir(case.path("d/functions")).expect("a folder").count(), 0, "its library goes with it");
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], "SHOW FUNCTIONS;").expect(0);
    assert!(!ran.out.contains("TWICE") && ran.out.contains("ABS,SCALAR,MATHEMATICAL,built in"), "{}", ran.out);
}

#[test]
fn a_library_with_several_functions_gives_the_one_that_is_named() {
    let half =
        "\n/// Half of a number.\n#[udf]\nfn half(x: &Float64Array) -> Float64Array {\n    x.map(|x| x / 2.0)\n}\n";
    let case = case().file("both.rs", &format!("{TWICE}{half}"));
    let input = "CREATE FUNCTION half FROM 'both.rs'; SHOW FUNCTIONS; CREATE FUNCTION third FROM 'both.rs';";
    let ran = case.pipe(&["repl", "--output", "csv"], input).expect(1);
    assert!(ran.out.contains("HALF,SCALAR,USER,plugin\n") && !ran.out.contains("TWICE"), "{}", ran.out);
    ran.says("Created function HALF(x DOUBLE) -> DOUBLE. Its library has TWICE too.")
        .says("both.rs has no function THIRD")
        .says("detail: it has HALF, TWICE")
        .says("hint: CREATE FUNCTION HALF FROM 'both.rs';");
}

#[test]
fn a_library_that_was_built_elsewhere_comes_with_its_sidecar() {
    let case = Case::new().variable("ALCEDO_EXTENSION_DIR", "ext").file("twice.rs", TWICE);
    case.pipe(&["repl"], "CREATE FUNCTION twice FROM 'twice.rs';").expect(0);
    let built = |extension: &str| {
        let mut found = std::fs::read_dir(case.path("ext/libraries")).expect("a folder").flatten().map(|e| e.path());
        found.find(|path| path.extension().is_some_and(|found| found == extension)).expect("one was built")
    };
    let away = Case::new().variable("PATH", "").variable("HOME", "/nonexistent");
    let away = away.variable("CARGO_HOME", "/nonexistent").variable("ALCEDO_EXTENSION_DIR", "ext");
    let library = format!("libtwice{}", std::env::consts::DLL_SUFFIX);
    let extension = Path::new(&library).extension().and_then(|extension| extension.to_str()).expect("it has one");
    std::fs::copy(built(extension), away.path(&library)).expect("copied");
    std::fs::copy(built("json"), away.path("libtwice.json")).expect("copied");
    let sql = format!(
        "CREATE FUNCTION twice FROM '{library}';
CREATE STREAM s (x DOUBLE) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s VALUES (21); SELECT TWICE(x) AS y FROM s EMIT CHANGES LIMIT 1;"
    );
    let ran = away.pipe(&["repl", "--data", "d", "--output", "json"], &sql).expect(0);
    assert_eq!(ran.out, "{\"Y\":42.0}\n");
    std::fs::remove_file(away.path(&library)).expect("removed");
    let ran = away.pipe(&["repl", "--data", "d", "--output", "csv"], "SHOW FUNCTIONS;").expect(0);
    assert!(ran.out.contains("TWICE,SCALAR,USER,plugin"), "{}", ran.out);
    let text = std::fs::read_to_string(away.path("libtwice.json")).expect("a sidecar");
    std::fs::write(away.path(&library), "no library").expect("written");
    std::fs::write(away.path("libtwice.json"), text).expect("written");
    away.pipe(&["repl"], &format!("CREATE FUNCTION twice FROM '{library}';")).expect(1).says("its SHA-256 is");
}

#[test]
fn two_processes_that_build_the_same_at_once_both_have_it() {
    let case = Case::new().variable("ALCEDO_EXTENSION_DIR", "ext").file("twice.rs", TWICE);
    let case = case.file("a.sql", "CREATE FUNCTION twice FROM 'twice.rs';\nDESCRIBE FUNCTION twice;\n");
    let both = [case.spawn(&["run", "a.sql"]), case.spawn(&["run", "a.sql"])];
    let builds: usize = both
        .into_iter()
        .map(|live| {
            let ran = live.finish().expect(0);
            assert!(ran.out.contains("Name        : TWICE"), "{}", ran.out);
            ran.err.matches("twice: builds with").count()
        })
        .sum();
    assert_eq!(builds, 1, "the second one found what the first one built");
    let left = std::fs::read_dir(case.path("ext/libraries")).expect("a folder").count();
    assert_eq!(left, 2, "a library and its sidecar");
}

/// A folder whose functions find what the crates of `udfs/` depend on compiled; `None` when that cannot be had.
fn with_crates() -> Option<Case> {
    let library = udfs::library("multiply")?;
    let target = library.ancestors().nth(3).expect("target/copies/HASH/library");
    let case = Case::new().variable("ALCEDO_EXTENSION_DIR", "ext");
    std::fs::create_dir(case.path("ext")).expect("a folder");
    std::os::unix::fs::symlink(target, case.path("ext/target")).expect("a link");
    Some(case)
}

#[test]
fn a_file_of_arroyos_users_is_built_as_it_is() {
    let Some(case) = with_crates() else { return };
    // Dependencies stand in the comment, as Arroyo has them; this one is in the lock file of `udfs/`.
    let text = "/*\n[dependencies]\nmemchr = \"2\"\n*/\n".to_string() + include_str!("../../udfs/multiply/src/lib.rs");
    let found = r#"memchr::memchr(b'l', b"alcedo").map_or(0.0, |at| at as f64)"#;
    let text = text.replace("    x * y\n", &format!("    x * y * {found}\n"));
    let sql = "\
CREATE FUNCTION multiply FROM 'multiply.rs';
CREATE STREAM s (a DOUBLE, b INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s VALUES (1.5, 4);
INSERT INTO s VALUES (1.5, NULL);
SELECT MULTIPLY(a, b) AS product FROM s EMIT CHANGES LIMIT 2;
DESCRIBE FUNCTION multiply;
";
    let case = case.file("multiply.rs", &text);
    let ran = case.pipe(&["repl", "--output", "json"], sql).expect(0);
    assert_eq!(lines(&ran)[..2], ["{\"PRODUCT\":6.0}", "{\"PRODUCT\":null}"], "{}", ran.err);
    let facts = [
        "Overview    : `MULTIPLY(x, y)`: the product",
        "Origin      : a library in Arroyo's format",
        "Nulls       : a NULL argument makes the result NULL",
        ", arroyo-udf-plugin 0.2.",
        "Source      : /",
        "MULTIPLY(x DOUBLE, y DOUBLE)",
    ];
    for fact in facts {
        assert!(ran.out.contains(fact), "{fact}\n{}", ran.out);
    }
    assert!(!ran.err.contains("takes a minute"), "what it depends on is compiled: {}", ran.err);
    ran.says("Created function MULTIPLY(x DOUBLE, y DOUBLE) -> DOUBLE.");
}

#[test]
fn a_crate_is_built_where_it_is_with_its_own_manifest() {
    let Some(case) = with_crates() else { return };
    let zscore = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs/zscore");
    let sql = format!(
        "CREATE FUNCTION zscore FROM '{0}';
CREATE FUNCTION zscore_band FROM '{0}/src/lib.rs';
CREATE STREAM s (x DOUBLE, d DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s VALUES (13, 1);
INSERT INTO s VALUES (13, -1);
INSERT INTO s VALUES (12, 1);
SELECT ZSCORE_BAND(ZSCORE(x, 10, d)) AS band FROM s EMIT CHANGES LIMIT 3;",
        zscore.display()
    );
    let ran = case.pipe(&["repl", "--output", "json"], &sql).expect(0);
    assert_eq!(lines(&ran)[0], "{\"BAND\":\"extreme\"}", "{}", ran.err);
    assert_eq!(lines(&ran)[2], "{\"BAND\":\"unusual\"}", "{}", ran.err);
    assert_eq!(ran.err.matches("builds with").count(), 1, "both are in one library: {}", ran.err);
    ran.says("Its library has CALIBRATE, ZSCORE_BAND too.");
}
