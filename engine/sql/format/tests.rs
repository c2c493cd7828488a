//! What is laid out how, and that nothing gets lost.

use proptest::prelude::*;

use super::super::lexemes::{LexemeKind, lexemes};
use super::super::print::generate;
use super::super::{parse_statements, strip_spans};
use super::*;

/// Asserts that a text is laid out as this, and that this stays as it is.
#[track_caller]
fn check(text: &str, laid_out: &str) {
    let found = format(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(found, laid_out, "\n-- found\n{found}-- expected\n{laid_out}");
    assert_eq!(format(laid_out).expect("it was laid out"), laid_out);
}

#[test]
fn a_statement_that_fits_stays_on_its_line() {
    check(
        "create   stream s(a int key,b array<map<string,decimal( 4,2 )>>)with(kafka_topic='s',partitions= -1) ;",
        "CREATE STREAM s (a INT KEY, b ARRAY<MAP<STRING, DECIMAL(4, 2)>>)\n  \
           WITH (kafka_topic = 's', partitions = -1);\n",
    );
    check("select a,b from s where a>1 emit changes;", "SELECT a, b FROM s WHERE a > 1 EMIT CHANGES;\n");
    check("insert into S(a,b)values(1,-2.50);", "INSERT INTO S (a, b) VALUES (1, -2.50);\n");
    check("print my_Topic from beginning limit 3", "PRINT my_Topic FROM BEGINNING LIMIT 3\n");
    check("set 'a'='b';unset 'a';", "SET 'a' = 'b';\nUNSET 'a';\n");
}

#[test]
fn clauses_on_lines_of_their_own_stay_there() {
    check(
        "create stream hot with (kafka_topic='hot') as select sensor, count(*) n\nfrom readings r left join t on r.a=t.a \
         join u within (1 hour,2 days) grace period 1 minute on r.a=u.a window tumbling(size 1 minute,grace period 5 \
         seconds) where a>30 group by sensor having count(*)>1 emit changes limit 5;",
        "CREATE STREAM hot WITH (kafka_topic = 'hot') AS\n  \
           SELECT sensor, count(*) n\n  \
           FROM readings r\n    \
             LEFT JOIN t ON r.a = t.a\n    \
             JOIN u WITHIN (1 HOUR, 2 DAYS) GRACE PERIOD 1 MINUTE ON r.a = u.a\n  \
           WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 5 SECONDS)\n  \
           WHERE a > 30\n  \
           GROUP BY sensor\n  \
           HAVING count(*) > 1\n  \
           EMIT CHANGES\n  \
           LIMIT 5;\n",
    );
    check("explain select a\nfrom s;", "EXPLAIN SELECT a\nFROM s;\n");
}

#[test]
fn a_list_that_does_not_fit_gets_a_line_for_each_item() {
    let columns = ["first_column_of_many", "second_column_of_many", "third_column_of_many", "fourth_column_of_many"];
    let list = columns.join(", ");
    check(
        &format!("select {list}, case when first_column_of_many > 1 then 'a' else 'b' end as x from s;"),
        "SELECT\n  first_column_of_many,\n  second_column_of_many,\n  third_column_of_many,\n  \
         fourth_column_of_many,\n  CASE WHEN first_column_of_many > 1 THEN 'a' ELSE 'b' END AS x\nFROM s;\n",
    );
    let types = columns.join(" STRING, ");
    check(
        &format!("create stream s ({types} STRING) with (kafka_topic='s');"),
        "CREATE STREAM s (\n  first_column_of_many STRING,\n  second_column_of_many STRING,\n  \
         third_column_of_many STRING,\n  fourth_column_of_many STRING\n) WITH (kafka_topic = 's');\n",
    );
    let condition = columns.join(" = 1 and ");
    check(
        &format!("select a from s where {condition} = 1;"),
        "SELECT a\nFROM s\nWHERE first_column_of_many = 1\n  AND second_column_of_many = 1\n  \
         AND third_column_of_many = 1\n  AND fourth_column_of_many = 1;\n",
    );
    let numbers = ["100000000"; 12].join(", ");
    check(
        &format!("select a from s where a in ({numbers});"),
        "SELECT a\nFROM s\nWHERE a IN (\n  100000000, 100000000, 100000000, 100000000, 100000000, 100000000, 100000000, \
         100000000, 100000000,\n  100000000, 100000000, 100000000\n);\n",
    );
}

#[test]
fn a_list_whose_first_item_begins_a_line_keeps_its_lines() {
    check("select\na, b from s;", "SELECT\n  a,\n  b\nFROM s;\n");
    check(
        "create stream s (\na int, b int) with (\n x=1);",
        "CREATE STREAM s (\n  a INT,\n  b INT\n) WITH (\n  x = 1\n);\n",
    );
}

#[test]
fn comments_stay_where_they_stood() {
    check(
        "-- head\n\n\n/* about\n   s */ create stream s ( -- the key\na int key /* k */, -- a\n-- before b\nb int\n\
         -- last\n); -- behind\n\n\n-- end",
        "-- head\n\n/* about\n   s */ CREATE STREAM s ( -- the key\n  a INT KEY /* k */, -- a\n  -- before b\n  \
         b INT\n  -- last\n); -- behind\n\n-- end\n",
    );
    check(
        "select a -- first\n, b -- second\nfrom s -- source\nwhere a /* x */ = 1 -- one\n;",
        "SELECT\n  a, -- first\n  b -- second\nFROM s -- source\nWHERE a /* x */ = 1; -- one\n",
    );
    for nothing in ["", " \n\n", ";", ";;\n;"] {
        check(nothing, "");
    }
    check("-- only a comment", "-- only a comment\n");
    check("show streams; /* of t */ show tables;", "SHOW STREAMS;\n/* of t */ SHOW TABLES;\n");
}

#[test]
fn directives_of_tests_and_blank_lines_stay() {
    check(
        "--@test: one  \ncreate stream s (a int)\n  with (kafka_topic='s');\n\n\n\ninsert into s values (1);\n\
         --@expected.message: x\nselect a from s;\n",
        "--@test: one  \nCREATE STREAM s (a INT)\n  WITH (kafka_topic = 's');\n\nINSERT INTO s VALUES (1);\n\
         --@expected.message: x\nSELECT a FROM s;\n",
    );
}

#[test]
fn variables_stay_as_they_were_typed() {
    check(
        "create stream ${name}_x (a ${type}) with (kafka_topic='${t}',partitions=${n}, value_format=${Fmt});\n\
         select ${col},-${n} from ${env:SOURCE} window tumbling(size ${n} ${unit}) limit ${n};print ${topic};",
        "CREATE STREAM ${name}_x (a ${type})\n  WITH (kafka_topic = '${t}', partitions = ${n}, value_format = ${Fmt});\n\
         SELECT ${col}, -${n} FROM ${env:SOURCE} WINDOW TUMBLING (SIZE ${n} ${unit}) LIMIT ${n};\nPRINT ${topic};\n",
    );
    check(
        "select a from s window My tumbling(size 1 day) group by a;",
        "SELECT a FROM s WINDOW My TUMBLING (SIZE 1 DAY) GROUP BY a;\n",
    );
    // The grammar has a word of its own there.
    check("select   a from s emit ${how};", "select   a from s emit ${how};\n");
}

#[test]
fn names_keep_their_case_and_keywords_do_not() {
    check(
        "select date, Time, `x`, \"Y\", DAY from Tables as t where Date is not null;",
        "SELECT date, Time, `x`, \"Y\", DAY FROM Tables AS t WHERE Date IS NOT NULL;\n",
    );
    check(
        "select timestampadd(days, day, x), map('a':=1)['a'], struct(f:=- -1), f(a, (X,y)=>X) from s;",
        "SELECT timestampadd(DAYS, day, x), MAP('a' := 1)['a'], STRUCT(f := - -1), f(a, (X, y) => X) FROM s;\n",
    );
}

#[test]
fn line_breaks_are_those_of_the_text() {
    check("show streams;\r\n\r\nshow\r\ntables; -- x\r\n", "SHOW STREAMS;\r\n\r\nSHOW TABLES; -- x\r\n");
    // With both it has the one that comes out of itself again, also where a statement stays as it was typed.
    check("show streams;\r\nshow\ntables;\r\n", "SHOW STREAMS;\nSHOW TABLES;\n");
    check("\r\n${a}\n;", "${a}\n;\n");
}

#[test]
fn an_error_has_its_place_in_the_whole_text() {
    for (text, place) in [("show streams;\nselect a form s;", "form"), ("a 'b", "'"), ("select ${a b};", "${a b}")] {
        let error = format(text).expect_err(text);
        assert_eq!(error.span().expect("a place").text(text), place);
    }
}

#[test]
fn a_statement_for_display_has_no_semicolon() {
    assert_eq!(statement_text("select a from s;"), "SELECT a FROM s");
    assert_eq!(statement_text("select from"), "select from");
}

/// Texts between tokens.
fn gap() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        " ",
        " ",
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\n\n",
        " -- c\n",
        "\n-- own line\n",
        " /* b */ ",
        "\n/* own */ ",
        " /* e */\n",
        " /* two\n lines */ ",
        " \\\n",
        "/* d */-- e\n",
    ])
}

fn comments(text: &str) -> Vec<String> {
    let comments = lexemes(text).into_iter().filter(|lexeme| lexeme.kind == LexemeKind::Comment);
    comments.map(|comment| comment.span.text(text).trim_end().to_string()).collect()
}

/// The text laid out, after checking what must hold of it.
fn laid_out(text: &str) -> std::result::Result<String, TestCaseError> {
    let out = match format(text) {
        Ok(out) => out,
        Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
    };
    let tree = |text: &str| {
        let mut statements = parse_statements(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        statements.iter_mut().for_each(strip_spans);
        statements
    };
    prop_assert!(tree(text) == tree(&out), "another tree\n{text}\n----\n{out}");
    let (mut before, mut after) = (comments(text), comments(&out));
    // Those before a comma may change places with nothing else.
    before.sort();
    after.sort();
    prop_assert_eq!(before, after, "comments\n{}\n----\n{}", text, &out);
    let again = format(&out).map_err(|error| TestCaseError::fail(format!("{error}\n{out}")))?;
    prop_assert!(again == out, "not stable\n{text}\n---- once\n{out}\n---- twice\n{again}");
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_statement_with_any_comments_keeps_its_meaning_and_is_stable(
        statements in proptest::collection::vec(generate::statement(), 1..3),
        gaps in proptest::collection::vec(gap(), 1..40),
    ) {
        let canonical: Vec<String> = statements.iter().map(|statement| format!("{};", statement.0)).collect();
        let canonical = canonical.join("\n");
        let mut text = String::new();
        for (i, token) in tokenize(&canonical).expect("it was printed").iter().enumerate() {
            text += token.span.text(&canonical);
            text += gaps[i % gaps.len()];
        }
        let out = laid_out(&text)?;
        // Only what a variable hides is left as it was typed.
        let untouched = tokenize(&canonical).expect("it was printed").len() > 6 && out == text;
        prop_assert!(!untouched || gaps.iter().all(|gap| *gap == " "), "left as typed: {out}");
    }
}
