//! Printing and reading back.

pub(in crate::sql) mod generate;

use proptest::prelude::*;

use super::super::diagnostic::render;
use super::super::{parse_statement, parse_statements};
use super::*;

/// The statement of a text, ready to be compared.
fn parsed(text: &str) -> Statement {
    let mut statement = parse_statement(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    strip_spans(&mut statement);
    statement
}

/// Asserts that a text prints as this, and that this reads back as the same.
fn check(text: &str, printed: &str) {
    let statement = parsed(text);
    assert_eq!(statement.to_string(), printed);
    assert_eq!(parsed(printed), statement);
}

#[test]
fn clauses_stand_on_lines_of_their_own() {
    check(
        "create table if not exists t with(kafka_topic='x', 'a.b'=1, partitions = -2) as select a, count(*) n from s x \
         left outer join r on x.a=r.a join u within (1 hour, 2 days) grace period 1 minute on x.a=u.a \
         window tumbling (size 1 minute, grace period 5 seconds) where a>1 group by (a,b) having count(*)>1 emit changes",
        "CREATE TABLE IF NOT EXISTS T\n\
         WITH (KAFKA_TOPIC = 'x', 'a.b' = 1, PARTITIONS = -2)\n\
         AS SELECT A, COUNT(*) AS N\n\
         FROM S AS X\n\
         LEFT JOIN R ON X.A = R.A\n\
         INNER JOIN U WITHIN (1 HOURS, 2 DAYS) GRACE PERIOD 1 MINUTES ON X.A = U.A\n\
         WINDOW TUMBLING (SIZE 1 MINUTES, GRACE PERIOD 5 SECONDS)\n\
         WHERE A > 1\n\
         GROUP BY A, B\n\
         HAVING COUNT(*) > 1\n\
         EMIT CHANGES",
    );
}

#[test]
fn parentheses_stand_only_where_they_change_the_meaning() {
    for (text, printed) in [
        ("((a)+(b))+c", "A + B + C"),
        ("a+(b+c)", "A + (B + C)"),
        ("(a+b)*c", "(A + B) * C"),
        ("a||(b+c)", "A || B + C"),
        ("not (a=b) and (c or d)", "NOT A = B AND (C OR D)"),
        ("(a=b)=c", "(A = B) = C"),
        ("-(-1)", "-(-1)"),
        ("- -9223372036854775808", "-(-9223372036854775808)"),
        ("(a between 1 and 2) is null", "(A BETWEEN 1 AND 2) IS NULL"),
        ("(a+b)[1]->c", "(A + B)[1]->C"),
        ("transform(m, (k,v)=>k, (k,v)=>v+1)", "TRANSFORM(M, (K, V) => K, (K, V) => V + 1)"),
        ("map('a':=1)['a']", "MAP('a' := 1)['a']"),
        ("struct(`a b`:=array[], c:=1.50)", "STRUCT(`a b` := ARRAY[], C := 1.50)"),
        ("1500e0", "1.5E3"),
        ("date '2020-01-01'", "CAST('2020-01-01' AS DATE)"),
    ] {
        check(&format!("select {text} from s"), &format!("SELECT {printed}\nFROM S"));
    }
}

#[test]
fn names_are_quoted_only_when_they_must_be() {
    check(
        "select `A`, `a`, `SELECT`, \"b\"\"`\" as `VIEW`, `1x` from `EMIT`",
        "SELECT A, `a`, `SELECT`, `b\"``` AS `VIEW`, `1x`\nFROM `EMIT`",
    );
    check("select timestampadd(days, `DAY`, `MAP`) from s", "SELECT TIMESTAMPADD(DAYS, `DAY`, `MAP`)\nFROM S");
    check("create stream s (a `INT`, b `int`)", "CREATE STREAM S (A INTEGER, B `int`)");
    check("print raw_Topic limit 3", "PRINT 'raw_Topic' LIMIT 3");
}

#[test]
fn a_second_printing_changes_nothing() {
    for text in [
        "list all topics extended",
        "describe tables extended",
        "describe function anomaly",
        "print 'it''s' from beginning sample 3 limit 1",
        "explain select * from s emit changes limit 3",
        "explain csas_x_1",
        "terminate all",
        "pause q",
        "set 'a'='b'",
        "unset 'a'",
        "alter system 'a'='b'",
        "define x='${y}'",
        "undefine x",
        "run script 'a.sql'",
        "drop table if exists t delete topic",
        "alter stream s add column a int, add b string",
        "create source connector if not exists c with ('a.b'='c')",
        "create or replace source connector c with ('a.b'='c')",
        "drop connector if exists c",
        "pause connector c",
        "resume connector c",
        "create type t as struct<a int, `b c` array<map<string, decimal(4,2)>>>",
        "drop type if exists t",
        "insert into s (a, b) values (1, -2.5)",
        "insert into s with (query_id='x') select s.*, a->* from s partition by ()",
        "assert not exists topic 't' with (partitions=1) timeout 3 seconds",
        "assert schema subject 'x' id 3 timeout 1 minute",
        "assert values s (a) values (1)",
        "assert null values s (a) key (1)",
        "assert stream s (a int key, h array<struct<key string, value bytes>> headers, k bytes header('k')) with (x=true)",
        "create or replace source table t (a int primary key) with (x=null)",
    ] {
        let printed = parsed(text).to_string();
        assert_eq!(parsed(&printed), parsed(text), "{text}");
        assert_eq!(parsed(&printed).to_string(), printed);
    }
}

#[test]
fn ksqldbs_own_statements_survive_printing() {
    let mut n_statements = 0;
    for case in super::super::parser::oracle_cases() {
        for text in &case.statements {
            let Ok(statements) = parse_statements(text) else { continue };
            for mut statement in statements {
                strip_spans(&mut statement);
                let printed = statement.to_string();
                assert_eq!(parsed(&printed), statement, "{}\n{text}\n{printed}", case.name);
                n_statements += 1;
            }
        }
    }
    println!("{n_statements} statements printed and read back");
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(statement in generate::statement()) {
        let printed = statement.0.to_string();
        match parse_statement(&printed) {
            Err(error) => prop_assert!(false, "{}", render(&error, &printed, "printed", false)),
            Ok(mut read) => {
                strip_spans(&mut read);
                prop_assert!(read == statement.0, "reads back as {read}");
            }
        }
    }
}
