//! Paths into JSON: `$.field`, `$.array[0]`, `$["a field"]`.

use crate::types::text::json::Json;

/// A path, read: names of fields, which in an array are the positions of elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<String>,
}

const WRONG: &str = "the path is not one such as $.field or $.array[0]";

impl Path {
    /// Reads a path. A name without quotes has letters, digits and `_`, behind a point also `:` and `@`.
    pub fn parse(text: &str) -> Result<Path, &'static str> {
        let mut rest = text.strip_prefix('$').ok_or(WRONG)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let step;
            (step, rest) = if let Some(behind) = rest.strip_prefix('.') {
                name(behind, ":@")?
            } else if let Some(behind) = rest.strip_prefix("[\"") {
                let (step, behind) = quoted(behind)?;
                (step, behind.strip_prefix(']').ok_or(WRONG)?)
            } else {
                let (step, behind) = name(rest.strip_prefix('[').ok_or(WRONG)?, "")?;
                (step, behind.strip_prefix(']').ok_or(WRONG)?)
            };
            steps.push(step);
        }
        Ok(Path { steps })
    }

    /// What is there, if anything is.
    pub fn find<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(json, |json, step| match json {
            // Of equal names the last one counts.
            Json::Object(fields) => fields.iter().rev().find(|(name, _)| name == step).map(|(_, value)| value),
            Json::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
            _ => None,
        })
    }
}

/// A name without quotes at the start of a text, and what is behind it.
fn name<'t>(text: &'t str, also: &str) -> Result<(String, &'t str), &'static str> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || also.contains(c))).unwrap_or(text.len());
    if end == 0 { Err(WRONG) } else { Ok((text[..end].to_string(), &text[end..])) }
}

/// A name that ends with a quote, in which a backslash stands before quotes and backslashes.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut step = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((step, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => step.push(c),
                _ => return Err(WRONG),
            },
            c => step.push(c),
        }
    }
    Err(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_parts() {
        let json = Json::parse(br#"{"a": {"b c": [1, {"@d": 2}]}, "a.b": 3, "q\"": 4, "0": 5}"#).expect("JSON");
        let at = |path: &str| Path::parse(path).expect("a path").find(&json).map(ToString::to_string);
        assert_eq!(at("$.a[\"b c\"][1].@d").as_deref(), Some("2"));
        assert_eq!(at("$.a[\"b c\"].0").as_deref(), Some("1"));
        assert_eq!(at("$[\"a.b\"]").as_deref(), Some("3"));
        assert_eq!(at(r#"$["q\""]"#).as_deref(), Some("4"));
        assert_eq!(at("$[0]").as_deref(), Some("5"));
        assert_eq!(at("$.a.x"), None);
        assert_eq!(at("$.a[0]"), None);
        for wrong in ["", "a", "$a", "$.", "$[", "$[x", "$[\"a", "$[\"a\"", "$.a-b", "$[-1]", "$[@a]", "$[\"\\n\"]"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }
}
