//! Rows of a push query as one line a key: its last value, the course of its last values, and for a score a bar against
//! its threshold.
//!
//! What is shown can be named (`\chart value=temp key=id threshold=3 window=40`). What is not is chosen: the key column, else a text
//! or a whole number; the last number with a fraction, else the last number; the threshold of `WHERE value > 3`.

use std::collections::VecDeque;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::record_batch::RecordBatch;
use hashbrown::HashMap;

use super::cell::{number_of, shown, text_of};
use super::spark::{bar, scale, sparkline};
use super::text::{cut, width};
use crate::catalog::nearest;
use crate::cli::style::Paint;
use crate::error::{Error, Result};
use crate::session::RowColumn;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Query, SelectItem, StatementKind};
use crate::sql::parse_statement;
use crate::types::SqlType;

/// Keys that are kept; those that are silent for longest go first.
const KEYS_MAX: usize = 1_000;

/// Values that are kept of each key: as many as the widest sparkline has cells.
const VALUES_MAX: usize = 120;

/// Cells of the bar.
const BAR: usize = 24;

/// Columns of a chart that no terminal shows.
const PLAIN_COLUMNS: usize = 80;

/// The name for all rows in one line.
const ALL: &str = "*";

/// What a chart shows, as far as it was said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChartOptions {
    /// The column of numbers.
    pub value: Option<String>,
    /// The column of keys; `*` puts all rows in one line.
    pub key: Option<String>,
    /// The threshold of the bar.
    pub threshold: Option<f64>,
    /// How many of the last values the sparkline shows at most; as many as there is room for when not said.
    pub window: Option<usize>,
}

impl ChartOptions {
    /// Reads `value=COLUMN key=COLUMN threshold=NUMBER window=COUNT`, all of them optional, with blanks or commas between
    /// them.
    ///
    /// # Errors
    /// Another word, a threshold that is no number, or a window that no terminal could show.
    pub fn parse(text: &str) -> Result<ChartOptions> {
        let mut options = ChartOptions::default();
        for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some(("value", name)) if !name.is_empty() => options.value = Some(name.to_string()),
                Some(("key", name)) if !name.is_empty() => options.key = Some(name.to_string()),
                Some(("threshold", number)) => {
                    let finite = number.parse().ok().filter(|number: &f64| number.is_finite());
                    let wrong = || Error::usage(format!("threshold needs a number, found `{number}`"));
                    options.threshold = Some(finite.ok_or_else(wrong)?);
                }
                Some(("window", count)) => {
                    let fits = count.parse().ok().filter(|count| (2..=VALUES_MAX).contains(count));
                    let wrong =
                        || Error::usage(format!("window needs a number from 2 to {VALUES_MAX}, found `{count}`"));
                    options.window = Some(fits.ok_or_else(wrong)?);
                }
                _ => {
                    return Err(Error::usage(format!("`{word}` is no option of a chart")).hint(
                        "Write value=COLUMN key=COLUMN threshold=NUMBER window=COUNT, or leave out what may be chosen.",
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// The rows of one stream so far.
pub struct Chart {
    /// The stream's label; empty when it is the only one.
    label: String,
    columns: Vec<RowColumn>,
    value: Option<usize>,
    /// `None` puts all rows in one line; the outer `None` is not chosen yet.
    key: Option<Option<usize>>,
    threshold: Option<f64>,
    /// The most values a sparkline shows.
    window: usize,
    /// The query, for its threshold.
    query: Option<Box<Query>>,
    series: Vec<Series>,
    by_key: HashMap<Option<String>, usize>,
    /// Keys that were let go.
    dropped: u64,
    rows: u64,
}

/// One key.
struct Series {
    key: Option<String>,
    /// The last value as text; `None` for null.
    last: Option<String>,
    values: VecDeque<Option<f64>>,
    /// The number of the last row of this key.
    at: u64,
}

impl Chart {
    /// A chart of a stream with these columns; `statement` is its `SELECT`.
    ///
    /// # Errors
    /// A named column that the stream does not have, or that holds no numbers.
    pub fn new(label: &str, columns: &[RowColumn], statement: &str, options: &ChartOptions) -> Result<Chart> {
        let find = |name: &String| {
            let folded = |column: &RowColumn| column.name == *name || column.name.eq_ignore_ascii_case(name);
            columns.iter().position(folded).ok_or_else(|| {
                let error = Error::sql(format!("the rows have no column {name} for a chart"));
                match nearest(name, columns.iter().map(|column| column.name.as_str())) {
                    Some(near) => error.hint(format!("Did you mean {near}?")),
                    None => error.hint("Name columns of the SELECT, by their aliases where they have some."),
                }
            })
        };
        let value = options.value.as_ref().map(find).transpose()?;
        if let Some(value) = value
            && !may_be_number(&columns[value].ty)
        {
            let RowColumn { name, ty, .. } = &columns[value];
            return Err(Error::sql(format!("a chart needs numbers, column {name} is {ty}")));
        }
        if !columns.iter().any(|column| may_be_number(&column.ty)) {
            return Err(Error::sql("the rows have no column of numbers for a chart")
                .hint("Output mode `table` shows them as rows."));
        }
        let key = match &options.key {
            Some(name) if name == ALL => Some(None),
            Some(name) => Some(Some(find(name)?)),
            None => None,
        };
        let query = match parse_statement(statement).map(|statement| statement.kind) {
            Ok(StatementKind::Query(query)) => Some(Box::new(query)),
            _ => None,
        };
        Ok(Chart {
            label: label.trim_end().to_string(),
            columns: columns.to_vec(),
            value,
            key,
            threshold: options.threshold,
            window: options.window.unwrap_or(VALUES_MAX),
            query,
            series: Vec::new(),
            by_key: HashMap::new(),
            dropped: 0,
            rows: 0,
        })
    }

    /// Takes the rows of a batch.
    pub fn take(&mut self, batch: &RecordBatch) {
        if batch.num_rows() == 0 {
            return;
        }
        let value = self.choose(batch);
        let key = self.key.flatten();
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let name = key.and_then(|key| text_of(batch.column(key), row));
            let at = match self.by_key.get(&name) {
                Some(at) => *at,
                None => self.add(name),
            };
            let series = &mut self.series[at];
            series.at = self.rows;
            series.last = text_of(batch.column(value), row);
            if series.values.len() == VALUES_MAX {
                series.values.pop_front();
            }
            series.values.push_back(number_of(batch.column(value), row));
        }
    }

    fn add(&mut self, key: Option<String>) -> usize {
        if self.series.len() == KEYS_MAX {
            // A quarter at once, so that a stream in which every key is new costs no search a row.
            let mut ages: Vec<u64> = self.series.iter().map(|series| series.at).collect();
            ages.sort_unstable();
            let youngest = ages[KEYS_MAX / 4 - 1];
            self.series.retain(|series| series.at > youngest);
            self.dropped += (KEYS_MAX - self.series.len()) as u64;
            self.by_key = self.series.iter().enumerate().map(|(at, series)| (series.key.clone(), at)).collect();
        }
        self.by_key.insert(key.clone(), self.series.len());
        self.series.push(Series { key, last: None, values: VecDeque::new(), at: 0 });
        self.series.len() - 1
    }

    /// Chooses what was not named, by the first rows; gives the column of numbers.
    fn choose(&mut self, batch: &RecordBatch) -> usize {
        if let (Some(value), Some(_)) = (self.value, self.key) {
            return value;
        }
        let last = |wanted: &dyn Fn(usize, &RowColumn) -> bool| {
            let mut positions = (0..self.columns.len()).rev().filter(|i| self.key != Some(Some(*i)));
            positions.find(|i| wanted(*i, &self.columns[*i]))
        };
        let value = self
            .value
            .or_else(|| last(&|i, column| has_fraction(&column.ty) || says_numbers(&column.ty, batch.column(i))))
            .or_else(|| last(&|_, column| column.ty.is_numeric() && !column.is_key))
            .or_else(|| last(&|_, column| may_be_number(&column.ty)))
            .unwrap_or(0);
        self.value = Some(value);
        let first = |wanted: &dyn Fn(&RowColumn) -> bool| {
            (0..self.columns.len()).find(|i| *i != value && wanted(&self.columns[*i]))
        };
        if self.key.is_none() {
            let key = first(&|column| column.is_key)
                .or_else(|| first(&|column| column.ty == SqlType::String))
                .or_else(|| first(&|column| matches!(column.ty, SqlType::Integer | SqlType::Bigint)));
            self.key = Some(key);
        }
        if self.threshold.is_none() {
            self.threshold =
                self.query.as_ref().and_then(|query| threshold_of(query, value, &self.columns[value].name));
        }
        value
    }

    /// Whether no row came yet.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The chart as lines of at most `columns` cells, at most `room` of them; all keys when that is `None`.
    pub fn lines(&self, columns: Option<usize>, room: Option<usize>, paint: Paint) -> Vec<String> {
        let columns = columns.unwrap_or(PLAIN_COLUMNS);
        let (Some(value), Some(key)) = (self.value, self.key) else { return Vec::new() };
        let signs = paint.signs();
        // The header, and a line that says what is left out.
        let fits = room.map_or(usize::MAX, |room| room.saturating_sub(1).max(1));
        let all = self.series.len();
        let shown_keys = if all <= fits { all } else { fits.saturating_sub(1).max(1) };
        let series = &self.series[..shown_keys];

        let name = key.map_or(String::new(), |key| shown(Some(&self.columns[key].name)).into_owned());
        let key_of = |series: &Series| match key {
            Some(_) => shown(series.key.as_deref()).into_owned(),
            None => "all rows".to_string(),
        };
        let title = shown(Some(&self.columns[value].name)).into_owned();
        let last_of = |series: &Series| shown(series.last.as_deref()).into_owned();
        let widest = |name: &str, text: &dyn Fn(&Series) -> String| {
            series.iter().map(|series| width(&text(series))).max().unwrap_or(0).max(width(name))
        };
        let key_cells = widest(&name, &key_of).clamp(3, (columns / 4).max(4));
        let last_cells = widest(&title, &last_of).clamp(4, (columns / 4).max(8));
        // key, last, sparkline, and with a threshold the bar and the word behind it, two blanks between them.
        let fixed = key_cells + 2 + last_cells + 2;
        let with_bar = self.threshold.filter(|_| columns >= fixed + 8 + 2 + BAR + 2 + ABOVE.len());
        let bar_cells = if with_bar.is_some() { 2 + BAR + 2 + ABOVE.len() } else { 0 };
        let spark_cells = columns.saturating_sub(fixed + bar_cells).min(self.window);

        let mut lines = Vec::with_capacity(shown_keys + 2);
        let mut header = format!("{} {} ", left(&name, key_cells), right(&title, last_cells + 1));
        header = format!("{header} {}", left(&range(spark_cells), spark_cells));
        if let Some(threshold) = with_bar {
            let (low, high) = scale(threshold);
            let (low, middle, high) = (short(low), short(threshold), short(high));
            let half = left(&low, BAR / 2);
            let rest = right(&high, (BAR / 2).saturating_sub(width(&middle)));
            header = format!("{header}  {half}{middle}{rest}");
        }
        if !self.label.is_empty() {
            lines.push(paint.strong(&cut(&self.label, columns)));
        }
        lines.push(paint.faint(&cut(header.trim_end(), columns)));
        for series in series {
            let last = series.values.back().copied().flatten();
            let is_above = with_bar.is_some_and(|threshold| last.is_some_and(|last| last > threshold));
            let skip = series.values.len().saturating_sub(spark_cells);
            let spark = sparkline(series.values.iter().skip(skip).copied(), signs);
            let start = format!("{} {} ", left(&key_of(series), key_cells), right(&last_of(series), last_cells + 1));
            let mut line = format!("{start} {}", left(&spark, spark_cells));
            if let Some(threshold) = with_bar {
                let bar = last.map_or(String::new(), |last| bar(last, threshold, BAR, signs));
                let bar = with_mark(&bar, signs.mark);
                let bar = if is_above { paint.error(&bar) } else { bar };
                let word = if is_above { paint.error(ABOVE) } else { String::new() };
                line = format!("{line}  {bar}  {word}");
            }
            lines.push(line.trim_end().to_string());
        }
        let missing = (all - shown_keys) as u64 + self.dropped;
        if missing > 0 {
            lines.push(paint.faint(&cut(&format!("{} {missing} more keys", signs.more), columns)));
        }
        lines
    }
}

/// What stands behind a bar that passes its threshold.
const ABOVE: &str = "above";

/// A bar of [`BAR`] cells with the threshold's mark where the bar does not reach it.
fn with_mark(bar: &str, mark: &str) -> String {
    let reached = width(bar);
    let mut line = bar.to_string();
    if reached <= BAR / 2 {
        line.push_str(&" ".repeat(BAR / 2 - reached));
        line.push_str(mark);
    }
    let missing = BAR.saturating_sub(width(&line));
    line + &" ".repeat(missing)
}

fn range(cells: usize) -> String {
    if cells >= 14 { format!("last {cells} values") } else { String::new() }
}

/// A number of a scale in at most six cells.
fn short(number: f64) -> String {
    let plain = number.to_string();
    if plain.len() <= 6 { plain } else { format!("{number:.0e}") }
}

fn left(text: &str, cells: usize) -> String {
    let text = cut(text, cells);
    let missing = " ".repeat(cells.saturating_sub(width(&text)));
    text + &missing
}

fn right(text: &str, cells: usize) -> String {
    let text = cut(text, cells);
    " ".repeat(cells.saturating_sub(width(&text))) + &text
}

fn has_fraction(ty: &SqlType) -> bool {
    matches!(ty, SqlType::Double | SqlType::Decimal(..))
}

fn may_be_number(ty: &SqlType) -> bool {
    ty.is_numeric() || *ty == SqlType::String
}

/// Whether a column of texts holds numbers, as a score that is text does.
fn says_numbers(ty: &SqlType, column: &ArrayRef) -> bool {
    let mut texts = (0..column.len()).filter_map(|row| text_of(column, row)).peekable();
    *ty == SqlType::String && texts.peek().is_some() && texts.all(|text| text.trim().parse::<f64>().is_ok())
}

/// The threshold that a query's `WHERE` has for its column at `position`: the literal of `column > literal`.
///
/// The column may be named, by its own name or by its alias, or be the expression it is computed by.
fn threshold_of(query: &Query, position: usize, name: &str) -> Option<f64> {
    // With a `*` before it the position of an item is not known; its name is.
    let item =
        query.items.iter().all(|item| matches!(item, SelectItem::Expr { .. })).then(|| query.items.get(position));
    let expr = item.flatten().and_then(|item| match item {
        SelectItem::Expr { expr, .. } => Some(expr.to_string()),
        _ => None,
    });
    let is_value = |side: &Expr| match &side.kind {
        ExprKind::Column { name: column, .. } if column.name == name => true,
        _ => expr.as_ref().is_some_and(|expr| *expr == side.to_string()),
    };
    conditions(query.filter.as_ref()?).into_iter().find_map(|condition| {
        let ExprKind::Binary { op, left, right } = &condition.kind else { return None };
        match op {
            BinaryOp::Gt | BinaryOp::GtEq if is_value(left) => literal(right),
            BinaryOp::Lt | BinaryOp::LtEq if is_value(right) => literal(left),
            _ => None,
        }
    })
}

/// The parts of a condition that must all hold.
fn conditions(filter: &Expr) -> Vec<&Expr> {
    match &filter.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => [conditions(left), conditions(right)].concat(),
        _ => vec![filter],
    }
}

fn literal(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Integer(number) => Some(*number as f64),
        ExprKind::Decimal(text) => text.parse().ok(),
        ExprKind::Double(number) => Some(*number),
        ExprKind::Unary { minus: true, expr } => literal(expr).map(|number| -number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
