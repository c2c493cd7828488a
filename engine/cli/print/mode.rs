//! How rows are written.

use std::str::FromStr;

use clap::ValueEnum;

use super::chart::ChartOptions;
use crate::error::Error;

/// How rows and listings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputMode {
    /// Aligned columns, folded to the terminal's width
    #[default]
    #[value(alias = "tabular")]
    Table,
    /// A line a column, rows below each other
    Vertical,
    /// A JSON object a row
    Json,
    /// Comma-separated values with a header
    Csv,
    /// A line a key with the course of a number, redrawn in place
    Chart,
}

impl OutputMode {
    /// Its name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            OutputMode::Table => "table",
            OutputMode::Vertical => "vertical",
            OutputMode::Json => "json",
            OutputMode::Csv => "csv",
            OutputMode::Chart => "chart",
        }
    }
}

impl FromStr for OutputMode {
    type Err = Error;

    /// Reads a name in any case, ksqlDB's `TABULAR` among them. The error lists the names.
    fn from_str(text: &str) -> Result<Self, Error> {
        <OutputMode as ValueEnum>::from_str(text.trim(), true).map_err(|_| {
            Error::usage(format!("there is no output mode '{}'", text.trim()))
                .hint("The modes are table (ksqlDB's TABULAR), vertical, json, csv and chart.")
        })
    }
}

/// A mode with its options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Display {
    /// The mode.
    pub mode: OutputMode,
    /// What a chart shows; for [`OutputMode::Chart`] only.
    pub chart: ChartOptions,
}

impl Display {
    /// What `\chart value=COLUMN key=COLUMN threshold=NUMBER window=COUNT` asks for; the argument may be empty.
    ///
    /// # Errors
    /// An option that is none, or a number that is none.
    pub fn chart(argument: &str) -> crate::error::Result<Display> {
        Ok(Display { mode: OutputMode::Chart, chart: ChartOptions::parse(argument)? })
    }
}

impl From<OutputMode> for Display {
    fn from(mode: OutputMode) -> Self {
        Display { mode, chart: ChartOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_of_a_chart_is_read() {
        let display = Display::chart(" value=temp  threshold=3 ").unwrap();
        let chart = ChartOptions { value: Some("temp".to_string()), key: None, threshold: Some(3.0), window: None };
        assert_eq!(display, Display { mode: OutputMode::Chart, chart });
        assert!(Display::chart("").is_ok() && Display::chart("temp").is_err());
    }

    #[test]
    fn modes_are_known_by_our_names_and_by_ksqldbs_in_any_case() {
        assert_eq!("TABULAR".parse::<OutputMode>().unwrap(), OutputMode::Table);
        assert_eq!("Json".parse::<OutputMode>().unwrap(), OutputMode::Json);
        for mode in OutputMode::value_variants() {
            assert_eq!(mode.name().parse::<OutputMode>().unwrap(), *mode);
        }
        assert!("xml".parse::<OutputMode>().unwrap_err().hint_text().is_some_and(|hint| hint.contains("csv")));
    }
}
