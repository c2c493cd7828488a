//! A line a column, rows below each other: for rows that are too wide for a table.

use std::io::{self, Write};

use super::cell::shown;
use super::text::{fold, visible, width};
use crate::cli::style::Paint;

/// Columns of one stream of rows, or of a listing.
pub struct Vertical {
    label: String,
    names: Vec<String>,
    /// Rows written so far.
    count: u64,
}

impl Vertical {
    /// Columns of these names; a label tells rows of several streams apart.
    pub fn new<'a>(label: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let names = names.map(|name| visible(name).into_owned()).collect();
        Vertical { label: label.trim_end().to_string(), names, count: 0 }
    }

    /// Writes one row within `columns` cells; of any width when that is `None`.
    pub fn row(
        &mut self,
        out: &mut impl Write,
        row: &[Option<String>],
        columns: Option<usize>,
        paint: Paint,
    ) -> io::Result<()> {
        self.count += 1;
        let signs = paint.signs();
        let widest = self.names.iter().map(|name| width(name)).max().unwrap_or(0);
        let names = columns.map_or(widest, |columns| widest.min((columns / 2).saturating_sub(3).max(1)));
        let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(names + 4).max(1));
        let title = match self.label.as_str() {
            "" => format!("row {}", self.count),
            label => format!("{label} row {}", self.count),
        };
        let rule = signs.rule.repeat((names + 1).saturating_sub(width(&title) + 4).max(2));
        let title = format!("{0}[ {title} ]{rule}", signs.rule);
        writeln!(
            out,
            "{}",
            paint.faint(&columns.map_or_else(|| title.clone(), |columns| super::cut(&title, columns)))
        )?;
        for (name, value) in self.names.iter().zip(row) {
            let text = shown(value.as_deref());
            let (name, values) = (fold(name, names.max(1)), fold(&text, room));
            for i in 0..name.len().max(values.len()) {
                let part = name.get(i).copied().unwrap_or("");
                let part = format!("{part}{}", " ".repeat(names.saturating_sub(width(part))));
                let bar = if i == 0 { signs.bar } else { signs.bar_folded };
                let piece = values.get(i).copied().unwrap_or("");
                let painted = if value.is_none() { paint.faint(piece) } else { piece.to_string() };
                let fold = if i + 1 < values.len() { paint.faint(signs.fold) } else { String::new() };
                let line = format!("{} {} {painted}{fold}", paint.faint(&part), paint.faint(bar));
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_block_of_lines_that_fit_the_terminal() {
        let mut vertical = Vertical::new("", ["ID", "PLACE"].into_iter());
        let row = [Some("7".to_string()), Some("a place with a long name".to_string())];
        let mut out = Vec::new();
        vertical.row(&mut out, &row, Some(20), Paint::plain()).unwrap();
        vertical.row(&mut out, &[None, Some("b".to_string())], Some(20), Paint::plain()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "─[ row 1 ]──\nID    │ 7\nPLACE │ a place …\n      ┊ with a …\n      ┊ long name\n─[ row 2 ]──\nID    │ NULL\nPLACE │ b\n";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| width(line) <= 20));
    }
}
