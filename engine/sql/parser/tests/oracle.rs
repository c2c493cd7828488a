//! ksqlDB's own test cases, read by path when they are there: each statement of theirs must be read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::parse_statements;

/// Where the cases are, if they are.
fn directory() -> Option<PathBuf> {
    let directory = std::env::var_os("ALCEDO_QTT_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/qtt"));
    directory.is_dir().then_some(directory)
}

/// A case: where it is from, its statements, and whether ksqlDB refuses them.
pub struct Case {
    pub name: String,
    pub statements: Vec<String>,
    pub refused: bool,
}

/// All cases; none, with a line that says so, when they are not here.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let Some(directory) = directory() else {
        println!("no query tests of ksqlDB here (ALCEDO_QTT_DIR): skipped");
        return cases;
    };
    for folder in ["query-validation-tests", "rest-query-validation-tests"] {
        let Ok(files) = std::fs::read_dir(directory.join(folder)) else { continue };
        for file in files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "json"))
        {
            let text = std::fs::read_to_string(&file).expect("a test file is readable");
            let content: Value = serde_json::from_str(&text).expect("a test file is JSON");
            for case in content["tests"].as_array().into_iter().flatten() {
                let statements = case["statements"].as_array().into_iter().flatten();
                cases.push(Case {
                    name: format!("{}: {}", file.display(), case["name"].as_str().unwrap_or_default()),
                    statements: statements.filter_map(Value::as_str).map(|s| s.replace("{FORMAT}", "JSON")).collect(),
                    refused: !case["expectedException"].is_null() || !case["expectedError"].is_null(),
                });
            }
        }
    }
    let mut folders = vec![directory.join("sql-tests")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "sql") {
                let text = std::fs::read_to_string(&path).expect("a test file is readable");
                cases.push(Case { name: path.display().to_string(), statements: vec![text], refused: false });
            }
        }
    }
    cases
}

#[test]
fn every_statement_ksqldb_takes_is_read() {
    let mut n_statements = 0;
    let mut failures = Vec::new();
    for case in cases() {
        for text in &case.statements {
            match parse_statements(text) {
                Ok(statements) => n_statements += statements.len(),
                // What ksqlDB refuses may be refused here already.
                Err(_) if case.refused => {}
                Err(error) => failures.push(format!("{}\n   {text}\n   {error} {:?}", case.name, error.span())),
            }
        }
    }
    println!("{n_statements} statements read");
    assert!(failures.is_empty(), "{} not read:\n{}", failures.len(), failures.join("\n"));
}
