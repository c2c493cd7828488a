//! Comma-separated values (RFC 4180), a header first; null is an empty field, an empty text is `""`.
//!
//! A pipe gets texts as they are. On a terminal control characters are made visible, as they would speak to it.

use std::io::{self, Write};

use datafusion::arrow::record_batch::RecordBatch;

use super::cell::text_of;
use super::text::visible;
use crate::session::{Listing, RowColumn};

/// Writes the rows of a batch; a label is the first field of every line.
pub fn rows(
    out: &mut impl Write,
    label: &str,
    columns: &[RowColumn],
    batch: &RecordBatch,
    with_header: bool,
    on_terminal: bool,
) -> io::Result<()> {
    let field = |text: &str| if on_terminal { field(&visible(text)) } else { field(text) };
    let label_field = (!label.is_empty()).then(|| field(label));
    if with_header {
        let names =
            label_field.iter().map(|_| "query".to_string()).chain(columns.iter().map(|column| field(&column.name)));
        writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
    }
    for row in 0..batch.num_rows() {
        let cells =
            batch.columns().iter().map(|column| text_of(column, row).map_or_else(String::new, |text| field(&text)));
        writeln!(out, "{}", label_field.clone().into_iter().chain(cells).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

/// Writes a listing.
pub fn listing(out: &mut impl Write, listing: &Listing, on_terminal: bool) -> io::Result<()> {
    let field = |text: &str| if on_terminal { field(&visible(text)) } else { field(text) };
    for line in std::iter::once(&listing.columns).chain(&listing.rows) {
        writeln!(out, "{}", line.iter().map(|cell| field(cell)).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

fn field(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_only_when_they_must_be() {
        assert_eq!(field("a b"), "a b");
        assert_eq!(field(""), "\"\"");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
