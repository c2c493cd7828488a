//! What was expected against what came.
//!
//! Numbers of `DOUBLE` columns are compared as numbers, decimals with their scale, everything else as it is. An object has
//! the fields that are expected and no others; a field is looked up by its name, then by its name in upper case.

use crate::types::SqlType;
use crate::types::text::json::Json;

/// Where two values differ first, and how; `None` when they are the same. `ty` is the type of the column they are of,
/// where it is known.
pub fn difference(expected: &Json, actual: &Json, ty: Option<&SqlType>, path: &str) -> Option<String> {
    let differ = || Some(format!("{path}: expected {expected}, found {actual}"));
    match (expected, actual) {
        (Json::Object(wanted), Json::Object(found)) => {
            for (name, value) in wanted {
                let upper = name.to_uppercase();
                let other = actual.get(name).map(|other| (name, other)).or(actual.get(&upper).map(|o| (&upper, o)));
                let Some((name, other)) = other else {
                    // A null may as well be missing, as long as the number of fields is right.
                    if *value == Json::Null && wanted.len() == found.len() {
                        continue;
                    }
                    return Some(format!("{path}.{name}: expected, not found"));
                };
                let inner = match ty {
                    Some(SqlType::Struct(fields)) => fields.iter().find(|(field, _)| field == name).map(|(_, ty)| ty),
                    Some(SqlType::Map(_, value)) => Some(&**value),
                    _ => None,
                };
                if let Some(difference) = difference(value, other, inner, &format!("{path}.{name}")) {
                    return Some(difference);
                }
            }
            let is_wanted =
                |name: &str| wanted.iter().any(|(wanted, _)| wanted == name || wanted.to_uppercase() == name);
            let extra = found.iter().find(|(name, _)| !is_wanted(name) && wanted.len() != found.len());
            extra.map(|(name, _)| format!("{path}.{name}: found, not expected"))
        }
        (Json::Array(wanted), Json::Array(found)) => {
            let element = match ty {
                Some(SqlType::Array(element)) => Some(&**element),
                _ => None,
            };
            if wanted.len() != found.len() {
                return differ();
            }
            wanted
                .iter()
                .zip(found)
                .enumerate()
                .find_map(|(i, (wanted, found))| difference(wanted, found, element, &format!("{path}[{}]", i + 1)))
        }
        (Json::Number(wanted), Json::Number(found)) => {
            let same = match ty {
                Some(SqlType::Decimal(..)) => same_decimal(wanted, found),
                _ => same_number(wanted, found),
            };
            if same { None } else { differ() }
        }
        // A text may stand for a decimal.
        (Json::String(wanted), Json::Number(found)) if same_decimal(wanted, found) => None,
        (wanted, found) => {
            if wanted == found {
                None
            } else {
                differ()
            }
        }
    }
}

fn same_number(a: &str, b: &str) -> bool {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => false,
        },
    }
}

/// Whether two decimals have the same digits and the same scale.
fn same_decimal(a: &str, b: &str) -> bool {
    match (digits(a), digits(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Sign and significant digits, and how many of them stand behind the point.
fn digits(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse().ok()?),
        None => (text, 0),
    };
    let negative = mantissa.starts_with('-');
    let (whole, fraction) = mantissa.trim_start_matches(['-', '+']).split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches(['-', '+']);
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0').to_string();
    let is_zero = significant.is_empty();
    Some((negative && !is_zero, significant, fraction.len() as i64 - exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differ(expected: &str, actual: &str, ty: Option<SqlType>) -> Option<String> {
        let json = |text: &str| Json::parse(text.as_bytes()).expect("JSON");
        difference(&json(expected), &json(actual), ty.as_ref(), "value")
    }

    #[test]
    fn doubles_are_numbers_and_decimals_have_a_scale() {
        assert_eq!(differ("1.10", "1.1", Some(SqlType::Double)), None);
        assert_eq!(differ("1E3", "1000.0", Some(SqlType::Double)), None);
        assert!(differ("1.10", "1.1", Some(SqlType::Decimal(4, 2))).is_some());
        assert_eq!(differ("1.10", "1.10", Some(SqlType::Decimal(4, 2))), None);
        assert_eq!(differ("\"1.10\"", "1.10", None), None);
        assert!(differ("9007199254740993", "9007199254740992", None).is_some());
    }

    #[test]
    fn an_object_has_the_fields_expected_and_no_others() {
        assert_eq!(differ(r#"{"a":1,"B":[null]}"#, r#"{"B":[null],"A":1}"#, None), None);
        assert_eq!(differ(r#"{"a":1}"#, r#"{"A":1,"B":2}"#, None).as_deref(), Some("value.B: found, not expected"));
        assert_eq!(differ(r#"{"a":1,"b":2}"#, r#"{"A":1}"#, None).as_deref(), Some("value.b: expected, not found"));
        assert_eq!(
            differ(r#"{"a":[1,2]}"#, r#"{"A":[1,3]}"#, None).as_deref(),
            Some("value.A[2]: expected 2, found 3")
        );
    }
}
