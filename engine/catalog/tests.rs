//! Names are unique, things in use stay, a change that fails leaves no trace.

use super::*;
use crate::types::{Column, FormatName, FormatSpec, Schema, TopicSpec};

const HERE: Span = Span::new(3, 9);

fn stream(name: &str) -> Relation {
    Relation {
        name: name.into(),
        kind: RelationKind::Stream,
        schema: Schema::new(vec![Column::value("A", SqlType::Integer)]),
        topic: TopicSpec::named(name.to_lowercase()),
        key_format: FormatSpec::new(FormatName::Kafka),
        value_format: FormatSpec::new(FormatName::Json),
        timestamp: None,
        window: None,
        read_only: false,
        sink_of: None,
        statement: String::new(),
    }
}

fn query(id: &str, source: &str, sink: &str) -> CatalogQuery {
    CatalogQuery {
        id: id.into(),
        sources: vec![source.into()],
        sink: sink.into(),
        statement: String::new(),
        columns: Default::default(),
        functions: vec!["F".into()],
        fingerprint: String::new(),
        joins: None,
    }
}

#[test]
fn a_relation_in_use_is_not_dropped_and_the_error_names_the_queries() {
    let mut catalog = Catalog::new();
    for name in ["CARS", "FAST", "SLOW"] {
        catalog.add_relation(stream(name), false, HERE).unwrap();
    }
    catalog.add_query(query("CSAS_FAST", "CARS", "FAST"), false, HERE).unwrap();
    catalog.add_query(query("CSAS_SLOW", "CARS", "SLOW"), false, HERE).unwrap();
    let error = catalog.drop_relation("CARS", HERE).unwrap_err();
    assert_eq!(error.to_string(), "cannot drop stream CARS, it is in use: read by CSAS_FAST, CSAS_SLOW");
    assert_eq!(error.span(), Some(HERE));
    let error = catalog.drop_relation("FAST", HERE).unwrap_err();
    assert_eq!(error.detail_text(), Some("written by CSAS_FAST"));
    catalog.drop_query("csas_fast", HERE).unwrap();
    catalog.drop_relation("FAST", HERE).unwrap();
    assert!(catalog.find_relation("FAST").is_none());
}

#[test]
fn an_unknown_name_suggests_the_nearest() {
    let mut catalog = Catalog::new();
    catalog.add_relation(stream("CARSENSOR"), false, HERE).unwrap();
    let error = catalog.relation("CARSENSRO", HERE).unwrap_err();
    assert_eq!(error.message(), "unknown stream or table CARSENSRO");
    assert_eq!(error.hint_text(), Some("Did you mean CARSENSOR?"));
    let error = catalog.relation("carsensor", HERE).unwrap_err();
    assert_eq!(error.hint_text(), Some("Did you mean CARSENSOR?"));
    assert_eq!(catalog.relation("TRUCKS", HERE).unwrap_err().hint_text(), None);
}

#[test]
fn a_change_that_fails_leaves_no_trace_and_a_snapshot_does_not_move() {
    let shared = SharedCatalog::default();
    let before = shared.snapshot();
    let failed: Result<()> = shared.change(|catalog| {
        catalog.add_relation(stream("A"), false, HERE)?;
        catalog.add_relation(stream("A"), false, HERE)
    });
    assert_eq!(failed.unwrap_err().message(), "stream A exists already");
    assert_eq!(shared.snapshot().relations().count(), 0);
    shared.change(|catalog| catalog.add_relation(stream("A"), false, HERE)).unwrap();
    assert_eq!(shared.snapshot().relations().count(), 1);
    assert_eq!(before.relations().count(), 0);
}

#[test]
fn a_type_that_exists_is_kept_only_with_if_not_exists() {
    let mut catalog = Catalog::new();
    assert!(catalog.add_type("T", SqlType::Integer, false, HERE).unwrap());
    assert!(!catalog.add_type("T", SqlType::Bigint, true, HERE).unwrap());
    assert_eq!(catalog.user_type("T", HERE).unwrap(), &SqlType::Integer);
    assert!(catalog.add_type("T", SqlType::Bigint, false, HERE).is_err());
}

#[test]
fn what_comes_back_to_the_query_that_wrote_it_is_found_through_others() {
    let mut catalog = Catalog::new();
    for name in ["A", "B", "C"] {
        catalog.add_relation(stream(name), false, HERE).unwrap();
    }
    catalog.add_query(query("A_B", "A", "B"), false, HERE).unwrap();
    catalog.add_query(query("B_C", "B", "C"), false, HERE).unwrap();
    assert_eq!(catalog.circle_of("B_C"), None);
    catalog.add_query(query("C_B", "C", "B"), false, HERE).unwrap();
    assert_eq!(catalog.circle_of("C_B"), Some(vec!["C_B", "B_C"]));
    assert_eq!(catalog.circle_of("A_B"), None, "it feeds a circle and is in none");
    catalog.add_query(query("A_A", "A", "A"), false, HERE).unwrap();
    assert_eq!(catalog.circle_of("A_A"), Some(vec!["A_A"]));
}
