//! Aligned columns for rows that keep coming: widths follow the first rows, and a wider row stands out alone.

use std::io::{self, Write};

use super::cell::{is_numeric, one_line, width};
use crate::cli::style::Paint;
use crate::session::{Listing, RowColumn};

/// The widest a column gets by itself; a longer value is still written whole, its row out of line.
const WIDEST: usize = 60;

/// Columns of one stream of rows.
pub struct Table {
    names: Vec<String>,
    right: Vec<bool>,
    widths: Vec<usize>,
    settled: bool,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[RowColumn]) -> Self {
        Table {
            names: columns.iter().map(|column| one_line(&column.name)).collect(),
            right: columns.iter().map(|column| is_numeric(&column.ty)).collect(),
            widths: columns.iter().map(|column| width(&column.name).max(4)).collect(),
            settled: false,
        }
    }

    /// Lets the first rows decide how wide the columns are.
    pub fn fit(&mut self, rows: &[Vec<Option<String>>]) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        for row in rows {
            for (current, cell) in self.widths.iter_mut().zip(row) {
                let needed = cell.as_deref().map_or(4, |text| width(&one_line(text)));
                *current = (*current).max(needed.min(WIDEST));
            }
        }
    }

    /// Writes the names of the columns.
    pub fn header(&self, out: &mut impl Write, label: &str, paint: Paint) -> io::Result<()> {
        let cells: Vec<String> = self.names.iter().enumerate().map(|(i, name)| self.pad(i, name)).collect();
        writeln!(out, "{}", paint.faint(join(label, &cells).trim_end()))
    }

    /// Writes one row. `NULL` is painted, so that it differs from the text.
    pub fn row(&self, out: &mut impl Write, label: &str, row: &[Option<String>], paint: Paint) -> io::Result<()> {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(i, cell)| match cell {
                Some(text) => self.pad(i, &one_line(text)),
                None => paint.faint(&self.pad(i, "NULL")),
            })
            .collect();
        writeln!(out, "{}", join(&paint.faint(label), &cells).trim_end())
    }

    fn pad(&self, column: usize, text: &str) -> String {
        let missing = " ".repeat(self.widths[column].saturating_sub(width(text)));
        if self.right[column] { missing + text } else { text.to_string() + &missing }
    }
}

fn join(label: &str, cells: &[String]) -> String {
    let body = cells.join(" │ ");
    if label.is_empty() { body } else { format!("{label} │ {body}") }
}

/// Writes a listing with its header underlined.
pub fn listing(out: &mut impl Write, listing: &Listing, paint: Paint) -> io::Result<()> {
    let mut widths: Vec<usize> = listing.columns.iter().map(|name| width(name)).collect();
    for row in &listing.rows {
        for (current, cell) in widths.iter_mut().zip(row) {
            *current = (*current).max(cell.lines().map(width).max().unwrap_or(0));
        }
    }
    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, column)| format!("{cell}{}", " ".repeat(column.saturating_sub(width(cell)))))
            .collect();
        padded.join(" │ ").trim_end().to_string()
    };
    let names: Vec<&str> = listing.columns.iter().map(String::as_str).collect();
    writeln!(out, "{}", paint.faint(&line(&names)))?;
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    writeln!(out, "{}", paint.faint(&rule.join("─┼─")))?;
    for row in &listing.rows {
        // A cell of several lines goes on below itself.
        let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(1).max(1);
        for i in 0..height {
            let cells: Vec<&str> = row.iter().map(|cell| cell.lines().nth(i).unwrap_or("")).collect();
            writeln!(out, "{}", line(&cells))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SqlType;

    #[test]
    fn columns_align_and_numbers_stand_right() {
        let columns = [
            RowColumn { name: "ID".into(), ty: SqlType::Integer },
            RowColumn { name: "PLACE".into(), ty: SqlType::String },
        ];
        let mut table = Table::new(&columns);
        let rows = [vec![Some("7".to_string()), Some("Zürich".to_string())], vec![None, Some("a\nb".to_string())]];
        table.fit(&rows);
        let mut out = Vec::new();
        table.header(&mut out, "", Paint::plain()).unwrap();
        for row in &rows {
            table.row(&mut out, "", row, Paint::plain()).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "  ID │ PLACE\n   7 │ Zürich\nNULL │ a\\nb\n");
    }

    #[test]
    fn a_listing_is_as_wide_as_its_cells() {
        let given = Listing {
            title: String::new(),
            columns: vec!["Name".into(), "Type".into()],
            rows: vec![vec!["ANOMALY".into(), "SCALAR".into()]],
        };
        let mut out = Vec::new();
        listing(&mut out, &given, Paint::plain()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "Name    │ Type\n────────┼───────\nANOMALY │ SCALAR\n");
    }
}
