//! Which columns stand beside each other, and how wide each is.
//!
//! Where everything fits, columns are as wide as they want to be. Where it does not, the widest give way first, each down
//! to its least width, below which cells fold. Where that is not enough either, the columns that do not fit stand below
//! the first ones, in blocks of their own.

use super::text::{fold, width};
use crate::cli::style::Paint;

/// What a column asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Cells it wants.
    pub natural: usize,
    /// Cells below which it does not go as long as another way is left.
    pub least: usize,
}

/// Cells of a separator.
const SEPARATOR: usize = 3;

/// Cells before a block that is not the first.
const INDENT: usize = 2;

/// Cells behind the last column, for the mark of a fold.
const MARK: usize = 1;

/// Columns beside and below each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The first column of each block and the one behind its last; together all columns, in order.
    pub blocks: Vec<(usize, usize)>,
    /// The width of each column.
    pub widths: Vec<usize>,
    /// Whether cells wider than their column fold; else they stand out.
    folds: bool,
}

impl Layout {
    /// A layout of at most `columns` cells; of any width when that is `None`.
    pub fn new(wishes: &[Wish], columns: Option<usize>) -> Layout {
        let natural: Vec<usize> = wishes.iter().map(|wish| wish.natural).collect();
        let Some(columns) = columns else {
            return Layout { blocks: vec![(0, wishes.len())], widths: natural, folds: false };
        };
        let room = columns.saturating_sub(MARK).max(4);
        let mut layout = Layout { blocks: Vec::new(), widths: natural, folds: true };
        let mut start = 0;
        while start < wishes.len() || (start == 0 && layout.blocks.is_empty()) {
            let room = if start == 0 { room } else { room - INDENT };
            let end = start + fitting(&wishes[start..], room);
            layout.blocks.push((start, end));
            shrink(&mut layout.widths[start..end], &wishes[start..end], room);
            start = end.max(start + 1);
        }
        layout
    }

    /// Writes one row as lines. `cells` are texts without control characters; `paint_cell` paints what is padded already.
    pub fn lines(
        &self,
        cells: &[&str],
        right: &[bool],
        paint: Paint,
        paint_cell: impl Fn(usize, &str) -> String,
    ) -> Vec<String> {
        let signs = paint.signs();
        let mut lines = Vec::new();
        for (number, &(start, end)) in self.blocks.iter().enumerate() {
            let pieces: Vec<Vec<&str>> = (start..end)
                .map(|i| if self.folds { fold(cells[i], self.widths[i]) } else { vec![cells[i]] })
                .collect();
            let height = pieces.iter().map(Vec::len).max().unwrap_or(1);
            for at in 0..height {
                let mut line = String::new();
                if number > 0 {
                    let lead = if at == 0 { signs.below } else { " " };
                    line.push_str(&paint.faint(lead));
                    line.push(' ');
                }
                for (position, i) in (start..end).enumerate() {
                    if position > 0 {
                        line.push_str(&paint.faint(if at == 0 { signs.bar } else { signs.bar_folded }));
                        line.push(' ');
                    }
                    let folded = &pieces[position];
                    let piece = folded.get(at).copied().unwrap_or("");
                    let missing = " ".repeat(self.widths[i].saturating_sub(width(piece)));
                    // A number that folds is read from the left, as a text is.
                    let padded =
                        if right[i] && folded.len() == 1 { missing + piece } else { piece.to_string() + &missing };
                    line.push_str(&paint_cell(i, &padded));
                    let goes_on = at + 1 < folded.len();
                    line.push_str(&if goes_on { paint.faint(signs.fold) } else { " ".to_string() });
                }
                line.truncate(line.trim_end().len());
                lines.push(line);
            }
        }
        lines
    }

    /// A horizontal line below the names of one block of columns.
    pub fn rule(&self, paint: Paint) -> String {
        let signs = paint.signs();
        let Some(&(start, end)) = self.blocks.first() else { return String::new() };
        let rules: Vec<String> = self.widths[start..end].iter().map(|width| signs.rule.repeat(*width)).collect();
        rules.join(&format!("{0}{1}{0}", signs.rule, signs.cross))
    }
}

/// How many of the first columns stand beside each other at their least widths; at least one.
fn fitting(wishes: &[Wish], room: usize) -> usize {
    let mut used = 0;
    let fits = wishes.iter().take_while(|wish| {
        used += wish.least + if used == 0 { 0 } else { SEPARATOR };
        used <= room
    });
    fits.count().max(1).min(wishes.len())
}

/// Takes from the widest columns until the rest fits, and not below the least width unless one column alone is too wide.
fn shrink(widths: &mut [usize], wishes: &[Wish], room: usize) {
    if let [only] = widths {
        *only = (*only).min(room);
        return;
    }
    let room = room.saturating_sub(SEPARATOR * widths.len().saturating_sub(1));
    let capped = |wish: &Wish, cap: usize| wish.natural.min(cap.max(wish.least));
    let total = |cap: usize| wishes.iter().map(|wish| capped(wish, cap)).sum::<usize>();
    let mut cap = wishes.iter().map(|wish| wish.natural).max().unwrap_or(0);
    while cap > 0 && total(cap) > room {
        cap -= 1;
    }
    let mut left = room.saturating_sub(total(cap));
    for (width, wish) in widths.iter_mut().zip(wishes) {
        *width = capped(wish, cap);
        if left > 0 && *width < wish.natural {
            *width += 1;
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(natural: usize, least: usize) -> Wish {
        Wish { natural, least }
    }

    #[test]
    fn what_fits_is_as_wide_as_it_wants_to_be() {
        let layout = Layout::new(&[wish(4, 4), wish(10, 8)], Some(18));
        assert_eq!((layout.widths, layout.blocks), (vec![4, 10], vec![(0, 2)]));
    }

    #[test]
    fn the_widest_give_way_first_and_then_columns_stand_below() {
        let layout = Layout::new(&[wish(4, 4), wish(40, 12), wish(20, 12)], Some(41));
        assert_eq!((layout.widths, layout.blocks), (vec![4, 15, 15], vec![(0, 3)]));
        let layout = Layout::new(&[wish(20, 20), wish(20, 12), wish(20, 12)], Some(40));
        assert_eq!((layout.widths, layout.blocks), (vec![20, 16, 20], vec![(0, 2), (2, 3)]));
    }

    #[test]
    fn folded_cells_and_columns_below_are_marked() {
        let layout = Layout::new(&[wish(3, 3), wish(20, 8), wish(9, 9)], Some(16));
        let lines =
            layout.lines(&["1", "one two three", "abc"], &[true, false, false], Paint::plain(), |_, c| c.into());
        assert_eq!(lines, ["  1 │ one two  …", "    ┊ three", "↳ abc"]);
        let lines =
            layout.lines(&["1", "one two three", "abc"], &[true, false, false], Paint::ascii(), |_, c| c.into());
        assert_eq!(lines, ["  1 | one two  ~", "    : three", "> abc"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal_and_nothing_is_lost(
            texts in prop::collection::vec(("[a-z0-9温 ,]{0,30}", 0usize..30), 1..8),
            columns in 12usize..60,
        ) {
            let wishes: Vec<Wish> =
                texts.iter().map(|(_, natural)| wish((*natural).max(2), (*natural).clamp(2, 12))).collect();
            let cells: Vec<&str> = texts.iter().map(|(text, _)| text.as_str()).collect();
            let layout = Layout::new(&wishes, Some(columns));
            let right = vec![false; cells.len()];
            let lines = layout.lines(&cells, &right, Paint::plain(), |_, cell| cell.to_string());
            for line in &lines {
                prop_assert!(width(line) <= columns, "{} > {columns}: {line}", width(line));
            }
            let count = |text: &str, c: char| text.matches(c).count();
            for c in ['a', '0', '温', ','] {
                let shown: usize = lines.iter().map(|line| count(line, c)).sum();
                prop_assert_eq!(shown, cells.iter().map(|cell| count(cell, c)).sum::<usize>());
            }
        }
    }
}
