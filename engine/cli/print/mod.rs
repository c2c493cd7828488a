//! Rows and listings as text: aligned columns, JSON lines or CSV.
//!
//! Everything is written to one `Write`; a reader that went away (`| head`) shows as an error of kind `BrokenPipe`,
//! which the commands take as a quiet end.

mod cell;
mod csv;
mod json;
mod table;

use std::io::{self, Write};

use datafusion::arrow::record_batch::RecordBatch;

pub use cell::{is_numeric, text_of};

use super::args::OutputFormat;
use super::style::Paint;
use crate::session::{Listing, RowColumn};
use table::Table;

/// Writes the rows of one or several running queries.
pub struct RowPrinter<W: Write> {
    out: W,
    format: OutputFormat,
    paint: Paint,
    streams: Vec<Stream>,
}

struct Stream {
    /// The query's label; empty when it is the only one and need not be told apart.
    label: String,
    columns: Vec<RowColumn>,
    table: Table,
    header_written: bool,
}

impl<W: Write> RowPrinter<W> {
    /// A printer for streams with these labels and columns. A single stream is not labelled.
    pub fn new(out: W, format: OutputFormat, paint: Paint, streams: &[(String, Vec<RowColumn>)]) -> Self {
        let single = streams.len() == 1;
        let width = streams.iter().map(|(label, _)| cell::width(label)).max().unwrap_or(0);
        let streams = streams
            .iter()
            .map(|(label, columns)| Stream {
                label: if single { String::new() } else { format!("{label:<width$}") },
                columns: columns.clone(),
                table: Table::new(columns),
                header_written: false,
            })
            .collect();
        RowPrinter { out, format, paint, streams }
    }

    /// Writes the rows of a batch of one stream and flushes.
    pub fn batch(&mut self, stream: usize, batch: &RecordBatch) -> io::Result<()> {
        let stream = &mut self.streams[stream];
        match self.format {
            OutputFormat::Table | OutputFormat::Vertical => {
                let rows: Vec<Vec<Option<String>>> = (0..batch.num_rows())
                    .map(|row| batch.columns().iter().map(|column| text_of(column, row)).collect())
                    .collect();
                stream.table.fit(&rows);
                if !std::mem::replace(&mut stream.header_written, true) {
                    stream.table.header(&mut self.out, &stream.label, self.paint)?;
                }
                for row in &rows {
                    stream.table.row(&mut self.out, &stream.label, row, self.paint)?;
                }
            }
            OutputFormat::Json => json::rows(&mut self.out, stream.label.trim_end(), &stream.columns, batch)?,
            OutputFormat::Csv => {
                let with_header = !std::mem::replace(&mut stream.header_written, true);
                csv::rows(&mut self.out, stream.label.trim_end(), &stream.columns, batch, with_header)?;
            }
        }
        self.out.flush()
    }

    /// Writes lines of a `PRINT`.
    pub fn lines(&mut self, stream: usize, lines: &[String]) -> io::Result<()> {
        let label = self.streams[stream].label.trim_end();
        for line in lines {
            match (self.format, label.is_empty()) {
                (OutputFormat::Json, true) => writeln!(self.out, "{}", serde_json::json!({ "line": line }))?,
                (OutputFormat::Json, false) => {
                    writeln!(self.out, "{}", serde_json::json!({ "query": label, "line": line }))?;
                }
                (_, true) => writeln!(self.out, "{line}")?,
                (_, false) => writeln!(
                    self.out,
                    "{} {} {line}",
                    self.paint.faint(&self.streams[stream].label),
                    self.paint.faint("│")
                )?,
            }
        }
        self.out.flush()
    }
}

/// Writes a listing.
pub fn listing(out: &mut impl Write, listing: &Listing, format: OutputFormat, paint: Paint) -> io::Result<()> {
    match format {
        OutputFormat::Table | OutputFormat::Vertical => {
            if !listing.title.is_empty() {
                writeln!(out, "{}", paint.strong(&listing.title))?;
            }
            table::listing(out, listing, paint)?;
        }
        OutputFormat::Json => json::listing(out, listing)?,
        OutputFormat::Csv => csv::listing(out, listing)?,
    }
    out.flush()
}
