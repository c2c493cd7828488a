//! Aligned columns for rows that keep coming: widths follow the types and the first rows and then stay. A text that is
//! wider folds within its column, a number that is wider makes the column grow, which shows the header again.

use std::io::{self, Write};

use super::cell::{NULL, shown};
use super::layout::{Layout, Wish};
use super::text::{visible, width};
use crate::cli::style::Paint;
use crate::session::{Listing, RowColumn};
use crate::types::SqlType;

/// The widest a column of a pipe gets by itself; a longer value is still written whole, its row out of line.
const WIDEST: usize = 60;

/// The width below which texts do not fold while another way is left.
const LEAST: usize = 16;

/// Columns of one stream of rows.
pub struct Table {
    names: Vec<String>,
    right: Vec<bool>,
    wishes: Vec<Wish>,
    layout: Layout,
    /// The terminal's width the layout is for.
    columns: Option<usize>,
    settled: bool,
    header_due: bool,
    has_label: bool,
}

impl Table {
    /// A table with these columns; the first is a label when `label` is not empty.
    pub fn new(label: &str, columns: &[RowColumn]) -> Self {
        let mut names: Vec<String> = columns.iter().map(|column| visible(&column.name).into_owned()).collect();
        let mut right: Vec<bool> = columns.iter().map(|column| column.ty.is_numeric()).collect();
        let mut wishes: Vec<Wish> = columns
            .iter()
            .map(|column| {
                let natural = width(&visible(&column.name)).max(usual(&column.ty));
                Wish { natural, least: least(natural, column.ty.is_numeric()) }
            })
            .collect();
        if !label.is_empty() {
            names.insert(0, label.to_string());
            right.insert(0, false);
            wishes.insert(0, Wish { natural: width(label), least: width(label) });
        }
        let layout = Layout::new(&wishes, None);
        Table {
            names,
            right,
            wishes,
            layout,
            columns: None,
            settled: false,
            header_due: true,
            has_label: !label.is_empty(),
        }
    }

    /// Writes rows, each as wide as the table, within `columns` cells of a terminal; of any width when that is `None`.
    pub fn rows(
        &mut self,
        out: &mut impl Write,
        rows: &[Vec<Option<String>>],
        columns: Option<usize>,
        paint: Paint,
    ) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.fit(rows, columns);
        if std::mem::take(&mut self.header_due) {
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            for line in self.layout.lines(&names, &self.right, Paint::plain_as(paint), |_, cell| cell.to_string()) {
                writeln!(out, "{}", paint.faint(&line))?;
            }
        }
        for row in rows {
            let texts: Vec<_> = row.iter().map(|cell| shown(cell.as_deref())).collect();
            let cells: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let paint_cell = |i: usize, cell: &str| {
                let faint = row[i].is_none() || (i == 0 && self.has_label);
                if faint { paint.faint(cell) } else { cell.to_string() }
            };
            for line in self.layout.lines(&cells, &self.right, paint, paint_cell) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    /// Lets the first rows, wider numbers and another width of the terminal decide how wide the columns are.
    fn fit(&mut self, rows: &[Vec<Option<String>>], columns: Option<usize>) {
        let first = !std::mem::replace(&mut self.settled, true);
        let widest = columns.unwrap_or(WIDEST);
        let mut grown = false;
        for row in rows {
            for ((wish, cell), right) in self.wishes.iter_mut().zip(row).zip(&self.right) {
                // In a pipe a wider row stands out alone; in a terminal a folded number could not be read.
                let counts = first || (*right && columns.is_some());
                if !counts {
                    continue;
                }
                let needed = width(&shown(cell.as_deref())).min(widest);
                if needed > wish.natural {
                    *wish = Wish { natural: needed, least: least(needed, *right) };
                    grown = true;
                }
            }
        }
        if first || grown || columns != self.columns {
            self.columns = columns;
            let layout = Layout::new(&self.wishes, columns);
            self.header_due |= !first && layout != self.layout;
            self.layout = layout;
        }
    }
}

/// Cells that values of a type usually take, so that later rows do not need more than the first.
fn usual(ty: &SqlType) -> usize {
    match ty {
        SqlType::Boolean => 5,
        SqlType::Date => 10,
        SqlType::Time => 12,
        SqlType::Timestamp => 23,
        _ => NULL.len(),
    }
}

fn least(natural: usize, is_number: bool) -> usize {
    if is_number { natural.min(24) } else { natural.min(LEAST) }
}

/// Writes a listing with its header underlined; columns of numbers are set to the right.
pub fn listing(out: &mut impl Write, listing: &Listing, columns: Option<usize>, paint: Paint) -> io::Result<()> {
    // A cell of several lines, such as a statement, goes on below itself.
    let cell_lines = |cell: &str| cell.lines().map(|line| visible(line).into_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<Vec<String>>> =
        listing.rows.iter().map(|row| row.iter().map(|cell| cell_lines(cell)).collect()).collect();
    let is_number = |column: usize| {
        let mut cells =
            listing.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let right: Vec<bool> = (0..listing.columns.len()).map(is_number).collect();
    let names: Vec<String> = listing.columns.iter().map(|name| visible(name).into_owned()).collect();
    let wishes: Vec<Wish> = (0..names.len())
        .map(|i| {
            let cells = rows.iter().filter_map(|row| row.get(i)).flatten().map(|line| width(line));
            let natural = cells.max().unwrap_or(0).max(width(&names[i]));
            Wish { natural, least: least(natural, right[i]) }
        })
        .collect();
    let layout = Layout::new(&wishes, columns);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for line in layout.lines(&names, &right, Paint::plain_as(paint), |_, cell| cell.to_string()) {
        writeln!(out, "{}", paint.faint(&line))?;
    }
    writeln!(out, "{}", paint.faint(&layout.rule(paint)))?;
    for row in &rows {
        let height = row.iter().map(Vec::len).max().unwrap_or(1).max(1);
        for i in 0..height {
            let cells: Vec<&str> = (0..names.len())
                .map(|column| row.get(column).and_then(|lines| lines.get(i)).map_or("", |l| l))
                .collect();
            for line in layout.lines(&cells, &right, paint, |_, cell| cell.to_string()) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(columns: &[(&str, SqlType)]) -> Vec<RowColumn> {
        columns.iter().map(|(name, ty)| RowColumn { name: name.to_string(), ty: ty.clone(), is_key: false }).collect()
    }

    fn row(cells: &[Option<&str>]) -> Vec<Option<String>> {
        cells.iter().map(|cell| cell.map(ToString::to_string)).collect()
    }

    fn written(table: &mut Table, rows: &[Vec<Option<String>>], columns: Option<usize>) -> String {
        let mut out = Vec::new();
        table.rows(&mut out, rows, columns, Paint::plain()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_align_and_numbers_stand_right() {
        let columns = columns(&[("ID", SqlType::Integer), ("PLACE", SqlType::String)]);
        let mut table = Table::new("", &columns);
        let rows = [row(&[Some("7"), Some("Zürich")]), row(&[None, Some("a\nb")]), row(&[None, Some("NULL")])];
        let text = written(&mut table, &rows, None);
        assert_eq!(text, "  ID │ PLACE\n   7 │ Zürich\nNULL │ a\\nb\nNULL │ 'NULL'\n");
    }

    #[test]
    fn nulls_are_faint_and_the_text_of_that_name_is_not() {
        let mut table = Table::new("", &columns(&[("A", SqlType::String)]));
        let mut out = Vec::new();
        table.rows(&mut out, &[row(&[None]), row(&[Some("NULL")])], None, Paint::coloured()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\x1b[2mNULL  \x1b[0m\n'NULL'\n"), "{text:?}");
    }

    #[test]
    fn a_text_that_comes_later_folds_and_a_number_makes_its_column_grow() {
        let columns = columns(&[("ID", SqlType::Integer), ("TEXT", SqlType::String)]);
        let mut table = Table::new("", &columns);
        assert_eq!(
            written(&mut table, &[row(&[Some("1"), Some("abcdefgh")])], Some(40)),
            "  ID │ TEXT\n   1 │ abcdefgh\n"
        );
        assert_eq!(
            written(&mut table, &[row(&[Some("2"), Some("abcdefghij")])], Some(40)),
            "   2 │ abcdefgh…\n     ┊ ij\n"
        );
        let text = written(&mut table, &[row(&[Some("1000000"), Some("a")])], Some(40));
        assert_eq!(text, "     ID │ TEXT\n1000000 │ a\n");
        assert_eq!(written(&mut table, &[row(&[Some("3"), Some("a")])], Some(40)), "      3 │ a\n");
    }

    #[test]
    fn another_width_of_the_terminal_folds_anew_under_a_new_header() {
        let columns = columns(&[("A", SqlType::String), ("B", SqlType::String)]);
        let mut table = Table::new("", &columns);
        let rows = [row(&[Some("abcdefghijklmnopqrstuvwxyz"), Some("0123456789")])];
        assert_eq!(written(&mut table, &rows, Some(80)).lines().count(), 2);
        let narrow = written(&mut table, &rows, Some(24));
        assert_eq!(narrow, "A\n↳ B\nabcdefghijklmnopqrstuvw…\nxyz\n↳ 0123456789\n");
        assert!(narrow.lines().all(|line| width(line) <= 24));
    }

    #[test]
    fn a_listing_is_as_wide_as_its_cells() {
        let given = Listing {
            title: String::new(),
            columns: vec!["Name".into(), "Type".into(), "In".into()],
            rows: vec![
                vec!["ANOMALY".into(), "SCALAR".into(), "7".into()],
                vec!["B".into(), "a\nb".into(), "1000".into()],
            ],
        };
        let mut out = Vec::new();
        listing(&mut out, &given, None, Paint::plain()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "Name    │ Type   │   In\n────────┼────────┼─────\nANOMALY │ SCALAR │    7\nB       │ a      │ 1000\n        │ b      │\n";
        assert_eq!(text, expected);
    }
}
