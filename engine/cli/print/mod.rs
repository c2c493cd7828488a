//! Rows and listings as text.
//!
//! - `mode`: which text: table, vertical, JSON, CSV, chart
//! - `cell`, `text`: one value as text, and text in cells of a terminal
//! - `layout`: columns beside and below each other
//! - `table`, `vertical`, `json`, `csv`: rows and listings, one file a mode
//! - `chart`, `spark`: a line a key
//!
//! Everything is written to one `Write`; a reader that went away (`| head`) shows as an error of kind `BrokenPipe`,
//! which the commands take as a quiet end. On a terminal no line is longer than the terminal is wide, but those of JSON
//! and CSV, and nothing that a record holds reaches the terminal as a control character.

mod cell;
mod chart;
mod csv;
pub mod json;
mod layout;
mod mode;
mod spark;
mod table;
mod text;
mod vertical;

use std::io::{self, Write};

use datafusion::arrow::record_batch::RecordBatch;

pub use cell::text_of;
pub use chart::ChartOptions;
pub use mode::{Display, OutputMode};
pub use spark::bar;
pub use text::{cut, folded, visible, visible_lines, width};

use super::bottom::stdout_columns;
use super::style::Paint;
use crate::error::Result;
use crate::session::{Listing, RowColumn, RowStream};
use crate::types::text::json::Json;
use chart::Chart;
use table::Table;
use text::fold;
use vertical::Vertical;

/// Writes the rows of one or several running queries.
pub struct RowPrinter<W: Write> {
    out: W,
    mode: OutputMode,
    paint: Paint,
    streams: Vec<Stream>,
}

/// What a printer knows of a stream.
struct Stream {
    /// The query's label; empty when it is the only one and need not be told apart.
    label: String,
    columns: Vec<RowColumn>,
    shape: Shape,
}

/// What a mode keeps between batches.
enum Shape {
    Table(Table),
    Vertical(Vertical),
    Chart(Box<Chart>),
    /// Whether the header is written.
    Csv(bool),
    Plain,
}

impl<W: Write> RowPrinter<W> {
    /// A printer for these streams. A single stream is not labelled.
    ///
    /// # Errors
    /// A chart of columns that the rows do not have, or that are no numbers.
    pub fn new(out: W, display: &Display, paint: Paint, streams: &[RowStream]) -> Result<Self> {
        let single = streams.len() == 1;
        let widest = streams.iter().map(|stream| width(&visible(&stream.label))).max().unwrap_or(0);
        let kept = streams.iter().map(|stream| {
            let label = if single { String::new() } else { visible(&stream.label).into_owned() };
            let label = if single { label } else { format!("{label}{}", " ".repeat(widest - width(&label))) };
            let columns = stream.columns.clone();
            let shape = match display.mode {
                // Lines of a PRINT have no columns.
                _ if columns.is_empty() => Shape::Plain,
                OutputMode::Table => Shape::Table(Table::new(&label, &columns)),
                OutputMode::Vertical => {
                    Shape::Vertical(Vertical::new(&label, columns.iter().map(|column| column.name.as_str())))
                }
                OutputMode::Json => Shape::Plain,
                OutputMode::Csv => Shape::Csv(false),
                OutputMode::Chart => {
                    Shape::Chart(Box::new(Chart::new(&label, &columns, &stream.statement, &display.chart)?))
                }
            };
            Ok(Stream { label, columns, shape })
        });
        Ok(RowPrinter { out, mode: display.mode, paint, streams: kept.collect::<Result<_>>()? })
    }

    /// Writes the rows of a batch of one stream and flushes. A chart only takes them; see [`chart`](Self::chart).
    pub fn batch(&mut self, stream: usize, batch: &RecordBatch) -> io::Result<()> {
        let Stream { label, columns, shape } = &mut self.streams[stream];
        let on_terminal = stdout_columns();
        let texts = |row: usize| batch.columns().iter().map(move |column| text_of(column, row));
        match shape {
            Shape::Table(table) => {
                let lead = (!label.is_empty()).then(|| label.clone());
                let row = |row| lead.iter().cloned().map(Some).chain(texts(row)).collect();
                let rows: Vec<Vec<Option<String>>> = (0..batch.num_rows()).map(row).collect();
                table.rows(&mut self.out, &rows, on_terminal, self.paint)?;
            }
            Shape::Vertical(vertical) => {
                for row in 0..batch.num_rows() {
                    let row: Vec<Option<String>> = texts(row).collect();
                    vertical.row(&mut self.out, &row, on_terminal, self.paint)?;
                }
            }
            Shape::Chart(chart) => {
                chart.take(batch);
                return Ok(());
            }
            Shape::Csv(has_header) => {
                let with_header = !std::mem::replace(has_header, true);
                csv::rows(&mut self.out, label.trim_end(), columns, batch, with_header, on_terminal.is_some())?;
            }
            Shape::Plain => json::rows(&mut self.out, label.trim_end(), columns, batch)?,
        }
        self.out.flush()
    }

    /// Writes lines of a `PRINT`.
    pub fn lines(&mut self, stream: usize, lines: &[String]) -> io::Result<()> {
        let label = self.streams[stream].label.trim_end();
        let on_terminal = stdout_columns();
        for line in lines {
            if self.mode == OutputMode::Json {
                let query = (!label.is_empty()).then_some(("query", label.into()));
                let object = Json::object(query.into_iter().chain([("line", line.as_str().into())]));
                write_json(&mut self.out, &object)?;
                continue;
            }
            let lead = if label.is_empty() { String::new() } else { format!("{} ", self.streams[stream].label) };
            let bar = |bar: &str| if label.is_empty() { String::new() } else { self.paint.faint(&format!("{bar} ")) };
            let signs = self.paint.signs();
            let line = if on_terminal.is_some() { visible(line) } else { line.into() };
            let room = on_terminal.map_or(usize::MAX, |columns| {
                columns.saturating_sub(width(&lead) + if label.is_empty() { 1 } else { 3 }).max(8)
            });
            let pieces = fold(&line, room);
            for (i, piece) in pieces.iter().enumerate() {
                let mark = if i + 1 < pieces.len() { self.paint.faint(signs.fold) } else { String::new() };
                let bar = bar(if i == 0 { signs.bar } else { signs.bar_folded });
                writeln!(self.out, "{}{bar}{piece}{mark}", self.paint.faint(&lead))?;
            }
        }
        self.out.flush()
    }

    /// The charts as lines of at most `columns` cells, at most `room` of them; empty in other modes.
    pub fn chart(&self, columns: Option<usize>, room: Option<usize>) -> Vec<String> {
        let charts: Vec<&Chart> = self
            .streams
            .iter()
            .filter_map(|stream| match &stream.shape {
                Shape::Chart(chart) if !chart.is_empty() => Some(&**chart),
                _ => None,
            })
            .collect();
        let each = room.map(|room| room / charts.len().max(1));
        charts.iter().flat_map(|chart| chart.lines(columns, each, self.paint)).collect()
    }

    /// Writes the charts as they are at the end, every key of them.
    pub fn finish(&mut self) -> io::Result<()> {
        let columns = stdout_columns();
        for line in self.chart(columns, None) {
            write_line(&mut self.out, &line, columns)?;
        }
        self.out.flush()
    }
}

/// Writes a text of several lines, such as a plan. On a terminal of so many `columns` long lines go on below, further in.
pub fn text(out: &mut impl Write, text: &str, columns: Option<usize>) -> io::Result<()> {
    for line in text.trim_end().lines() {
        let Some(columns) = columns else {
            writeln!(out, "{line}")?;
            continue;
        };
        let line = visible(line);
        let first = fold(&line, columns)[0];
        writeln!(out, "{first}")?;
        let rest = &line[first.len()..];
        if !rest.is_empty() {
            let lead: String = line.chars().take_while(|c| matches!(c, ' ' | '└' | '─')).collect();
            let lead = " ".repeat((width(&lead) + 4).min(columns / 2));
            for piece in fold(rest, columns - lead.len()) {
                writeln!(out, "{lead}{piece}")?;
            }
        }
    }
    Ok(())
}

/// Writes a listing.
pub fn listing(out: &mut impl Write, listing: &Listing, mode: OutputMode, paint: Paint) -> io::Result<()> {
    let columns = stdout_columns();
    let title = |out: &mut _, listing: &Listing| match listing.title.as_str() {
        "" => Ok(()),
        title => write_line(out, &paint.strong(&visible(title)), columns),
    };
    match mode {
        OutputMode::Table | OutputMode::Chart => {
            title(&mut *out, listing)?;
            table::listing(out, listing, columns, paint)?;
        }
        OutputMode::Vertical => {
            title(&mut *out, listing)?;
            let mut vertical = Vertical::new("", listing.columns.iter().map(String::as_str));
            for row in &listing.rows {
                let row: Vec<Option<String>> = row.iter().cloned().map(Some).collect();
                vertical.row(out, &row, columns, paint)?;
            }
        }
        OutputMode::Json => json::listing(out, listing)?,
        OutputMode::Csv => csv::listing(out, listing, columns.is_some())?,
    }
    out.flush()
}

/// Writes a document in one line, in which nothing can speak to a terminal.
pub fn write_json(out: &mut impl Write, document: &Json) -> io::Result<()> {
    let mut line = String::new();
    json::document(document, &mut line);
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn write_line(out: &mut impl Write, line: &str, columns: Option<usize>) -> io::Result<()> {
    match columns {
        Some(columns) => writeln!(out, "{}", cut(line, columns)),
        None => writeln!(out, "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_folds_with_its_tree_and_says_nothing_to_the_terminal() {
        let plan = "Send\n   └─ Filter\n      where: (TEMPERATURE > 30 AND note = '\u{1b}[2J')\n";
        let shown = |columns| {
            let mut out = Vec::new();
            text(&mut out, plan, columns).expect("a vector takes everything");
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(shown(None), plan);
        let narrow = shown(Some(30));
        assert!(narrow.lines().all(|line| width(line) <= 30), "{narrow}");
        assert_eq!(narrow.lines().nth(3), Some("          30 AND note = "));
        assert!(narrow.contains("'\\u{1b}[2J'"), "{narrow}");
    }
}
