//! `alcedo fmt`: to standard output, in place, and only compared.

use std::os::unix::fs::PermissionsExt;

use crate::harness::Case;

const UGLY: &str = "\
-- What is hot.
create stream r (k varchar key, c double)   -- as it comes
  with (kafka_topic='r',value_format='${format}');


select k,c*1.8+32 as f,case when c>90 then 'alarm' else 'warm' end as state,upper(k)||' of '||'the plant' as long from r emit changes;
";

const NEAT: &str = "\
-- What is hot.
CREATE STREAM r (k VARCHAR KEY, c DOUBLE) -- as it comes
  WITH (kafka_topic = 'r', value_format = '${format}');

SELECT
  k,
  c * 1.8 + 32 AS f,
  CASE WHEN c > 90 THEN 'alarm' ELSE 'warm' END AS state,
  upper(k) || ' of ' || 'the plant' AS long
FROM r
EMIT CHANGES;
";

#[test]
fn a_file_is_printed_and_left_alone() {
    let case = Case::new().file("a.sql", UGLY);
    let ran = case.run(&["fmt", "a.sql"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), (NEAT, ""));
    assert_eq!(std::fs::read_to_string(case.path("a.sql")).unwrap(), UGLY);
}

#[test]
fn standard_input_is_read_without_a_file_and_for_a_dash() {
    for arguments in [&["fmt"][..], &["fmt", "-"]] {
        let ran = Case::new().pipe(arguments, UGLY).expect(0);
        assert_eq!(ran.out, NEAT);
    }
    Case::new().pipe(&["fmt", "--write"], UGLY).expect(2).says("standard input cannot be written back");
    let ran = Case::new().pipe(&["fmt", "--check"], UGLY).expect(1);
    assert_eq!(ran.out, "<stdin>\n");
}

#[test]
fn a_file_is_rewritten_in_place_with_its_permissions() {
    let case = Case::new().file("a.sql", UGLY).file("neat.sql", NEAT);
    let set = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(case.path("a.sql"), set(0o640)).unwrap();
    std::os::unix::fs::symlink("a.sql", case.path("link.sql")).unwrap();
    let before = std::fs::metadata(case.path("neat.sql")).unwrap().modified().unwrap();
    let ran = case.run(&["fmt", "-w", "link.sql", "neat.sql"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    assert_eq!(std::fs::read_to_string(case.path("a.sql")).unwrap(), NEAT);
    assert_eq!(std::fs::metadata(case.path("a.sql")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::symlink_metadata(case.path("link.sql")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(case.path("neat.sql")).unwrap().modified().unwrap(), before);
    let left = std::fs::read_dir(case.path(".")).unwrap().count();
    assert_eq!(left, 3, "nothing is left beside the files");
    case.run(&["fmt", "--check", "a.sql", "neat.sql"]).expect(0);
}

#[test]
fn a_check_names_the_files_that_differ() {
    let case = Case::new().file("a.sql", UGLY).file("neat.sql", NEAT).file("b.sql", "show   streams;");
    let ran = case.run(&["fmt", "--check", "a.sql", "neat.sql", "b.sql"]).expect(1);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("a.sql\nb.sql\n", ""));
    assert_eq!(std::fs::read_to_string(case.path("a.sql")).unwrap(), UGLY);
    case.run(&["fmt", "--check", "-w", "a.sql"]).expect(2);
    case.run(&["fmt", "missing.sql"]).expect(2).says("missing.sql");
}

#[test]
fn a_mistake_is_shown_with_its_caret_and_its_file_left_alone() {
    let case = Case::new().file("bad.sql", "show streams;\n\nselect a form s;\n").file("a.sql", UGLY);
    let ran =
        case.run(&["fmt", "-w", "bad.sql", "a.sql"]).expect(1).says("--> bad.sql:3:10").says("Did you mean FROM?");
    assert!(ran.err.contains("^^^^"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(case.path("bad.sql")).unwrap(), "show streams;\n\nselect a form s;\n");
    // The other file has no mistake.
    assert_eq!(std::fs::read_to_string(case.path("a.sql")).unwrap(), NEAT);
}

#[test]
fn the_queries_of_the_demo_mean_the_same_afterwards() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/queries/car_anomaly.sql");
    let case = Case::new();
    let once = case.run(&["fmt", file]).expect(0).out;
    assert!(!once.contains('\\') && once.contains("-- Only what breaches the threshold."));
    assert_eq!(case.pipe(&["fmt"], &once).expect(0).out, once);
}
