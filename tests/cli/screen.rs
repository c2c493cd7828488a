//! Results on a terminal of 80 columns: the last row while a query runs, folded tables, charts.

use crate::harness::Case;
use crate::harness::screen::{Screen, Terminal};

const SENSORS: &str = "\
CREATE STREAM s (sensor VARCHAR KEY, n INTEGER, temp DOUBLE, note VARCHAR) WITH (kafka_topic='s', value_format='JSON');
";

fn inserts(count: usize) -> String {
    let row = |i: usize| format!("INSERT INTO s VALUES ('engine-{}', {i}, {}.5, 'note {i}');\n", i % 3, i % 7);
    (0..count).map(row).collect()
}

fn shows(text: &str) -> impl Fn(&Screen) -> bool {
    move |screen| screen.text().contains(text)
}

#[test]
fn the_last_row_tells_how_far_a_query_is_while_rows_scroll_above_it() {
    let text = format!("{SENSORS}{}SELECT n, note FROM s EMIT CHANGES;\n", inserts(40));
    let case = Case::new().file("a.sql", &text);
    let mut terminal = Terminal::start(&case, &["run", "a.sql", "--from", "earliest"], false);
    terminal.wait("the footer of 40 rows", |screen| {
        let last = screen.line(-1);
        last.starts_with("40 rows · ") && last.contains(" rows/s · 0 behind · Ctrl-C stops")
    });
    let rows: Vec<String> =
        terminal.screen.text().lines().filter(|l| l.contains("│ note ")).map(String::from).collect();
    assert_eq!(rows.len(), 40, "{}", terminal.screen.text());
    assert_eq!(terminal.screen.line(-2), "");
    assert_eq!(terminal.screen.line(-3), "  39 │ note 39");
    terminal.send("\x03");
    terminal.wait_end();
    assert!(!terminal.screen.has_region() && !terminal.screen.text().contains("Ctrl-C stops ·"));
    assert!(!terminal.screen.text().contains("rows/s"), "{}", terminal.screen.text());
    assert!(!terminal.screen.coloured);
}

#[test]
fn a_terminal_that_changes_its_size_gets_the_last_row_and_the_columns_anew() {
    let text = format!("{SENSORS}{}SELECT sensor, n, temp, note FROM s EMIT CHANGES;\n", inserts(3));
    let case = Case::new().file("a.sql", &text);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut terminal = Terminal::start(&case, &["run", "a.sql", "--from", "earliest", "--listen", &address], true);
    terminal.wait("three rows", |screen| screen.line(-1).starts_with("3 rows"));
    assert!(terminal.screen.text().contains("SENSOR   │    N │ TEMP │ NOTE"), "{}", terminal.screen.text());
    assert!(terminal.screen.coloured);
    terminal.resize(24, 12);
    terminal.wait("the footer on its new row", |screen| screen.line(-1).starts_with("3 rows"));
    let more = format!("{SENSORS}INSERT INTO s VALUES ('engine-9', 9, 9.5, 'a note');\n");
    let case = case.file("more.sql", &more);
    case.run(&["run", "more.sql", "-b", &address, "--service-id", "more"]).expect(0);
    terminal.wait("the row in the new width", shows("↳"));
    terminal.wait("four rows", |screen| screen.line(-1).starts_with("4 rows"));
    for line in terminal.screen.text().lines().skip_while(|line| !line.starts_with('↳')) {
        assert!(line.chars().count() <= 24, "{line}");
    }
    terminal.send("\x03");
    terminal.wait_end();
}

#[test]
fn a_stopped_process_leaves_the_terminal_whole_and_takes_its_last_row_again_when_it_goes_on() {
    let text = format!("{SENSORS}{}SELECT n FROM s EMIT CHANGES;\n", inserts(3));
    let binary = env!("CARGO_BIN_EXE_alcedo");
    // A shell with job control; it goes on behind the job when that is stopped, and continues it after a line is typed.
    let script = format!("set -m\n{binary} run a.sql --from earliest\necho stopped\nread line\nfg\necho ended $?\n");
    let case = Case::new().file("a.sql", &text).file("jobs.sh", &script);
    let mut terminal = Terminal::start_program("sh", &case, &["jobs.sh"], false);
    let is_live = |screen: &Screen| screen.has_region() && screen.line(-1).starts_with("3 rows");
    terminal.wait("three rows", is_live);
    terminal.send("\x1a");
    terminal.wait("the shell behind the job", shows("stopped"));
    assert!(!terminal.screen.has_region());
    assert!(!terminal.screen.text().contains("rows/s"), "{}", terminal.screen.text());
    // Another size while it sleeps, too.
    terminal.resize(70, 20);
    terminal.send("\n");
    terminal.wait("the last row again", is_live);
    terminal.send("\x03");
    terminal.wait("the end", shows("ended 0"));
    assert!(!terminal.screen.has_region());
    terminal.wait_end();
}

#[test]
fn a_wide_table_folds_and_nothing_of_a_record_speaks_to_the_terminal() {
    let long = "word ".repeat(40);
    let text = format!(
        "{SENSORS}INSERT INTO s VALUES ('NULL', NULL, 1.5, '\x1b[2J{long}');
SELECT sensor, n, temp, note, note AS again FROM s EMIT CHANGES;
"
    );
    let case = Case::new().file("a.sql", &text);
    let mut terminal = Terminal::start(&case, &["run", "a.sql", "--until-end"], false);
    terminal.wait_end();
    let text = terminal.screen.text();
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("SENSOR")).collect();
    insta::assert_snapshot!(table.join("\n"));
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn nothing_in_a_name_speaks_to_the_terminal_and_long_lines_of_texts_fold() {
    let columns: Vec<String> = (0..12).map(|n| format!("`column \x1b[2J{n}` INTEGER")).collect();
    let text = format!(
        "CREATE STREAM `a\x1b]0;b\x07` ({}) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM c AS SELECT * FROM `a\x1b]0;b\x07`;
EXPLAIN CSAS_C; DESCRIBE `a\x1b]0;b\x07`; SHOW QUERIES; DESCRIBE FUNCTION SUBSTRING;
SELECT `\x1b[2J` FROM c EMIT CHANGES;\n",
        columns.join(", ")
    );
    let case = Case::new().file("a.sql", &text);
    // The screen fails the test when it gets anything but what the front end sends.
    let mut terminal = Terminal::start(&case, &["-f", "a.sql"], false);
    terminal.wait_end();
    let text = terminal.screen.text();
    for shown in
        ["Created stream `a\\u{1b}]0;b\\u{7}`.", "`column \\u{1b}[2J11` INTEGER", "unknown column `\\u{1b}[2J`"]
    {
        assert!(text.contains(shown), "no {shown}\n{text}");
    }
    let columns: Vec<&str> = text.lines().skip_while(|line| !line.contains("columns: ")).take(4).collect();
    assert!(columns[1].starts_with("    ") && columns[1].contains("column"), "{columns:?}");
}

#[test]
fn a_chart_is_redrawn_in_place_and_left_as_a_table() {
    let text = format!("{SENSORS}{}SELECT sensor, temp FROM s WHERE temp > 3 EMIT CHANGES;\n", inserts(40));
    let case = Case::new().file("a.sql", &text);
    let arguments = ["run", "a.sql", "--from", "earliest", "--output", "chart"];
    let mut terminal = Terminal::start(&case, &arguments, false);
    // Four of seven readings are above the threshold.
    terminal.wait("all rows", |screen| screen.line(-1).starts_with("22 rows"));
    assert!(terminal.screen.line(-5).starts_with("SENSOR"), "{}", terminal.screen.text());
    terminal.send("\x03");
    terminal.wait_end();
    assert!(!terminal.screen.has_region());
    let text = terminal.screen.text();
    let chart: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("SENSOR")).take(4).collect();
    insta::assert_snapshot!(chart.join("\n"));
    assert_eq!(text.matches("SENSOR").count(), 1, "{text}");
}

#[test]
fn a_chart_in_a_pipe_is_a_table_at_the_end_in_signs_the_locale_has() {
    let text = format!("{SENSORS}{}SELECT sensor, temp FROM s WHERE temp > 3 EMIT CHANGES;\n", inserts(40));
    let case = Case::new().file("a.sql", &text).variable("LC_ALL", "C");
    let ran = case.run(&["run", "a.sql", "--until-end", "--output", "chart"]).expect(0);
    assert!(ran.out.is_ascii());
    insta::assert_snapshot!(ran.out);
}

#[test]
fn the_progress_of_the_demo_stands_on_the_last_row() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case, &["demo", "--messages", "50"], false);
    terminal.wait("progress on the last row", |screen| screen.line(-1).contains(" of 51 scored"));
    terminal.wait_end();
    assert!(!terminal.screen.has_region());
    assert!(!terminal.screen.text().contains("of 51 scored"), "{}", terminal.screen.text());
}

#[test]
fn a_dumb_terminal_and_a_pipe_have_no_last_row() {
    let text = format!("{SENSORS}{}SELECT n FROM s EMIT CHANGES LIMIT 3;\n", inserts(3));
    let case = Case::new().file("a.sql", &text);
    let ran = case.run(&["run", "a.sql", "--from", "earliest"]).expect(0);
    assert!(!ran.out.contains("rows/s") && !ran.out.contains('\x1b') && !ran.err.contains('\x1b'));
    let case = case.variable("TERM", "dumb");
    let mut terminal = Terminal::start(&case, &["run", "a.sql", "--from", "earliest"], true);
    terminal.wait_end();
    assert!(!terminal.screen.text().contains("rows/s") && !terminal.screen.coloured, "{}", terminal.screen.text());
}
