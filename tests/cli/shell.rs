//! The shell, statements from a pipe: no prompt, and the first error ends it.

use crate::harness::Case;

#[test]
fn the_first_error_of_a_pipe_ends_it_with_1() {
    let ran = Case::new().pipe(&["repl", "--output", "csv"], "SHOW STREAMS;\nSHOW NONSENSE;\nSHOW TOPICS;\n").expect(1);
    assert_eq!(
        ran.out,
        "Stream,Topic,Key format,Value format\nKSQL_PROCESSING_LOG,default_ksql_processing_log,KAFKA,JSON\n"
    );
}

#[test]
fn streams_and_queries_of_a_folder_come_back() {
    let case = Case::new();
    let first = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM t AS SELECT id FROM s;
INSERT INTO s (id) VALUES (1);\n";
    case.pipe(&["repl", "--data", "d"], first).expect(0).says("stopping CSAS_T").says("--data d");
    let second = "INSERT INTO s (id) VALUES (2);\nSELECT id FROM t EMIT CHANGES LIMIT 2;\nDROP STREAM t;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "json"], second).expect(1);
    assert_eq!(ran.out, "{\"ID\":1}\n{\"ID\":2}\n");
    // In use by its query: DROP says so.
    ran.says("CSAS_T");
    let third = "TERMINATE CSAS_T;\nDROP STREAM t;\nSHOW STREAMS;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], third).expect(0);
    assert_eq!(
        ran.out,
        "Stream,Topic,Key format,Value format\nKSQL_PROCESSING_LOG,default_ksql_processing_log,KAFKA,JSON\nS,s,KAFKA,JSON\n"
    );
}
