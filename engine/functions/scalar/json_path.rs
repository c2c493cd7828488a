//! Paths into JSON: `$.field`, `$.array[0]`, `$["a field"]`.

use crate::types::text::json::Json;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Element(usize),
}

/// A path, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

const WRONG: &str = "the path is not one such as $.field or $.array[0]";

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Path, &'static str> {
        let mut rest = text.strip_prefix('$').ok_or(WRONG)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                if end == 0 {
                    return Err(WRONG);
                }
                steps.push(Step::Field(behind[..end].to_string()));
                rest = &behind[end..];
            } else if let Some(behind) = rest.strip_prefix("[\"") {
                let end = behind.find("\"]").ok_or(WRONG)?;
                steps.push(Step::Field(behind[..end].to_string()));
                rest = &behind[end + 2..];
            } else if let Some(behind) = rest.strip_prefix('[') {
                let end = behind.find(']').ok_or(WRONG)?;
                steps.push(Step::Element(behind[..end].trim().parse().map_err(|_| WRONG)?));
                rest = &behind[end + 1..];
            } else {
                return Err(WRONG);
            }
        }
        Ok(Path { steps })
    }

    /// What is there, if anything is.
    pub fn find<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(json, |json, step| match (json, step) {
            // Of equal names the last one counts.
            (Json::Object(fields), Step::Field(name)) => {
                fields.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value)
            }
            (Json::Array(items), Step::Element(at)) => items.get(*at),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_parts() {
        let json = Json::parse(br#"{"a": {"b c": [1, {"@d": 2}]}, "a.b": 3}"#).expect("JSON");
        let at = |path: &str| Path::parse(path).expect("a path").find(&json).map(ToString::to_string);
        assert_eq!(at("$.a[\"b c\"][1].@d").as_deref(), Some("2"));
        assert_eq!(at("$[\"a.b\"]").as_deref(), Some("3"));
        assert_eq!(at("$.a.x"), None);
        assert_eq!(at("$.a[0]"), None);
        for wrong in ["", "a", "$a", "$.", "$[", "$[x]", "$[\"a"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }
}
