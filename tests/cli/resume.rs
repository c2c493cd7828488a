//! A file run again on the same topics: queries go on, changes are refused unless they are meant.

use super::CHAIN;
use crate::harness::Case;

/// The data folder, run to the end, JSON rows.
const AGAIN: [&str; 5] = ["--data", "d", "--until-end", "--output", "json"];

#[test]
fn unchanged_queries_go_on_where_they_were() {
    let text = format!("{CHAIN}SELECT * FROM bigger EMIT CHANGES;\n");
    let case = Case::new().file("a.sql", &text);
    let run = || case.run(&[&["run", "a.sql"], &AGAIN[..]].concat()).expect(0);
    // INSERT VALUES runs again with the file: one more output a run, not one more for every earlier input.
    for runs in 1..=3 {
        let ran = run();
        assert_eq!(ran.out, "{\"ID\":2,\"W\":7.0}\n".repeat(runs), "run {runs}\n{}", ran.err);
        if runs > 1 {
            ran.says("CSAS_BIG: goes on in topic s where it was committed (2 partitions, 0 offsets ahead)");
        }
    }
}

#[test]
fn a_changed_query_is_refused_with_the_difference_unless_it_says_or_replace() {
    let changed = CHAIN.replace("v > 1", "v > 2");
    let replaced = changed.replace("STREAM big AS", "OR REPLACE STREAM big AS");
    let case = Case::new().file("a.sql", CHAIN).file("b.sql", &changed).file("c.sql", &replaced);
    let run = |file: &str| case.run(&[&["run", file], &AGAIN[..]].concat());
    run("a.sql").expect(0);
    let refused = run("b.sql")
        .expect(1)
        .says("it was `WHERE V > 1`, it is now `WHERE V > 2`")
        .says(r#""file":"b.sql","line":2,"column":15"#);
    assert!(!refused.err.contains("Created"), "something was started\n{}", refused.err);
    run("c.sql").expect(0);
    // Without OR REPLACE the same query is what is kept now, and the first one is the changed one.
    run("b.sql").expect(0).says("CSAS_BIG: goes on");
    run("a.sql").expect(1).says("it was `WHERE V > 2`, it is now `WHERE V > 1`");
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_holds_it() {
    let case = Case::new().file("a.sql", CHAIN);
    let holder = case.spawn(&["run", "a.sql", "--data", "d"]);
    holder.wait_err("running: ");
    let refused = case.run(&["run", "a.sql", "--data", "d"]).expect(3).says(&holder.id().to_string());
    assert!(!refused.err.contains("Created"), "{}", refused.err);
    holder.signal("INT");
    holder.finish().expect(0);
}

#[test]
fn a_folder_of_an_unknown_format_is_refused_untouched() {
    let case = Case::new().file("a.sql", CHAIN);
    case.run(&["run", "a.sql", "--data", "d", "--until-end"]).expect(0);
    let format = case.path("d/format");
    let known = std::fs::read_to_string(&format).unwrap();
    let unknown = known.replace(|c: char| c.is_ascii_digit(), "9");
    std::fs::write(&format, &unknown).unwrap();
    let journal = std::fs::read(case.path("d/journal")).unwrap();
    case.run(&["run", "a.sql", "--data", "d", "--until-end"]).expect(3).says("format");
    assert_eq!(std::fs::read_to_string(&format).unwrap(), unknown);
    assert_eq!(std::fs::read(case.path("d/journal")).unwrap(), journal);
}
