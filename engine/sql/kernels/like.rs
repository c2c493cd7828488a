//! `LIKE` patterns: `%` any text, `_` one character, and the escape character that was given, if one was.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::Expr;

use super::{Kernel, call};
use crate::functions::row_errors;

/// A pattern as Arrow's kernel takes it, whose escape character is always the backslash.
pub fn pattern(pattern: Expr, escape: Option<char>) -> Expr {
    call(Pattern { escape }, vec![pattern])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pattern {
    escape: Option<char>,
}

impl Pattern {
    /// The pattern with backslashes for escapes; `None` when it ends with an escape character.
    fn translate(&self, pattern: &str) -> Option<String> {
        let mut out = String::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if self.escape == Some(c) {
                out.push('\\');
                out.push(chars.next()?);
            } else {
                if c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
        }
        Some(out)
    }
}

impl Kernel for Pattern {
    fn name(&self) -> &'static str {
        "pattern"
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let patterns = args[0].as_string::<i32>();
        let escape = self.escape.unwrap_or('\\');
        if patterns.iter().flatten().all(|pattern| !pattern.contains(['\\', escape])) {
            return Ok(args[0].clone());
        }
        let translated = patterns.iter().enumerate().map(|(row, pattern)| {
            let pattern = pattern?;
            let translated = self.translate(pattern);
            if translated.is_none() {
                row_errors::report(row, rows, || "LIKE: the pattern ends with its escape character".to_string());
            }
            translated
        });
        Ok(Arc::new(translated.collect::<StringArray>()))
    }
}
