//! Whether two statements make the same connector, and what differs.
//!
//! The order of properties, the case of their names and the layout of the text make no difference.

use std::collections::BTreeMap;

use crate::config::{MASK, is_secret};
use crate::sql::ast::{ExprKind, Property, Statement, StatementKind};

/// Brings the properties of a `CREATE CONNECTOR` into one order, with names in lower case.
pub(in crate::session) fn normalize(properties: &mut [Property]) {
    for property in properties.iter_mut() {
        property.name.value.make_ascii_lowercase();
    }
    properties.sort_by(|a, b| a.name.value.cmp(&b.name.value));
}

/// The properties that a statement shows, by name in lower case, secrets masked; `None` when its text stands for values of
/// the environment in a way that cannot be read.
pub(in crate::session) fn shown_properties(statement: &str) -> Option<BTreeMap<String, String>> {
    Some(properties(statement)?.into_iter().map(|(name, value)| (name.clone(), shown(&name, value))).collect())
}

fn shown(name: &str, value: String) -> String {
    // A reference to the environment shows nothing of what is there.
    let is_reference = value.starts_with("${env:") && value.ends_with('}');
    if is_secret(name) && !is_reference { MASK.to_string() } else { value }
}

fn properties(statement: &str) -> Option<BTreeMap<String, String>> {
    let Ok(Statement { kind: StatementKind::CreateConnector { properties, .. }, .. }) =
        crate::sql::parse_statement(statement)
    else {
        return None;
    };
    let text = |property: Property| {
        let value = match property.value.kind {
            ExprKind::String(text) | ExprKind::Decimal(text) => text,
            ExprKind::Integer(number) => number.to_string(),
            ExprKind::Boolean(flag) => flag.to_string(),
            _ => return None,
        };
        Some((property.name.value.to_ascii_lowercase(), value))
    };
    properties.into_iter().map(text).collect()
}

/// What differs between two statements, property by property, without secrets.
pub(in crate::session) fn difference(before: &str, after: &str) -> String {
    let (Some(old), Some(new)) = (properties(before), properties(after)) else {
        return "its text differs".to_string();
    };
    let mut parts = Vec::new();
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let show = |value: &String| format!("'{}'", shown(name, value.clone()));
        match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) if is_secret(name) && shown(name, was.clone()) == shown(name, is.clone()) => {
                parts.push(format!("'{name}' has another value"));
            }
            (Some(was), Some(is)) => parts.push(format!("'{name}' was {}, it is now {}", show(was), show(is))),
            (Some(was), None) => parts.push(format!("'{name}' was {}, it is not given now", show(was))),
            (None, Some(is)) => parts.push(format!("'{name}' was not given, it is now {}", show(is))),
            (None, None) => {}
        }
    }
    if parts.is_empty() { "its text differs".to_string() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_names_properties_and_shows_no_secret() {
        let before = "CREATE SOURCE CONNECTOR c WITH ('A.b'='1', 'mqtt.password'='one', 'gone'='x')";
        let after = "CREATE SOURCE CONNECTOR c WITH ('mqtt.password'='two', 'a.b'=2, 'new'='y')";
        assert_eq!(
            difference(before, after),
            "'a.b' was '1', it is now '2'; 'gone' was 'x', it is not given now; 'mqtt.password' has another value; \
             'new' was not given, it is now 'y'"
        );
    }

    #[test]
    fn a_reference_to_the_environment_may_be_shown() {
        let statement = "CREATE SOURCE CONNECTOR c WITH ('p.password'='${env:PW}', 'q.password'='x', 'r'='y')";
        let shown = shown_properties(statement).expect("it can be read");
        assert_eq!(shown["p.password"], "${env:PW}");
        assert_eq!(shown["q.password"], MASK);
        assert_eq!(shown["r"], "y");
    }
}
