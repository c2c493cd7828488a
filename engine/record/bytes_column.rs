//! A nullable column of byte strings in one buffer.

/// A nullable column of byte strings: one data buffer, and an end position and a validity flag per row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BytesColumn {
    data: Vec<u8>,
    ends: Vec<usize>,
    valid: Vec<bool>,
}

impl BytesColumn {
    /// An empty column.
    pub fn new() -> Self {
        BytesColumn::default()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all rows together.
    pub fn byte_size(&self) -> usize {
        self.data.len()
    }

    /// The bytes of all rows, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Where a row begins in [`bytes`](Self::bytes). Panics when `row` is out of range.
    #[inline]
    pub fn start(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.ends[row - 1] }
    }

    /// Whether a row is UTF-8, given the bytes of all rows as text, if they are one: what is UTF-8 as a whole is so in each
    /// row that begins and ends with a character. Panics when `row` is out of range.
    #[inline]
    pub fn is_utf8(&self, row: usize, all: Option<&str>) -> bool {
        let (start, end) = (self.start(row), self.ends[row]);
        match all {
            Some(text) if text.is_char_boundary(start) && text.is_char_boundary(end) => true,
            _ => std::str::from_utf8(&self.data[start..end]).is_ok(),
        }
    }

    /// Adds a row; `None` is null, which differs from an empty string.
    pub fn push(&mut self, value: Option<&[u8]>) {
        if let Some(bytes) = value {
            self.data.extend_from_slice(bytes);
        }
        self.ends.push(self.data.len());
        self.valid.push(value.is_some());
    }

    /// The buffer to append the bytes of the next row to; [`end_row`](Self::end_row) closes that row.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// Closes the row whose bytes were appended to [`buffer`](Self::buffer).
    pub fn end_row(&mut self) {
        self.ends.push(self.data.len());
        self.valid.push(true);
    }

    /// Takes back the bytes appended since the last row, for a row that turned out not to be writable.
    pub fn abandon_row(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.data.truncate(start);
    }

    /// The bytes of a row, or `None` for null. Panics when `row` is out of range.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        if !self.valid[row] {
            return None;
        }
        Some(&self.data[self.start(row)..self.ends[row]])
    }

    /// Whether a row is null. Panics when `row` is out of range.
    pub fn is_null(&self, row: usize) -> bool {
        !self.valid[row]
    }

    /// Whether any row is null.
    pub fn has_nulls(&self) -> bool {
        self.valid.contains(&false)
    }

    /// Takes back all rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.valid.truncate(rows);
        self.abandon_row();
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Removes all rows and keeps the buffers.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
        self.valid.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_differ_and_an_abandoned_row_leaves_nothing() {
        let mut column = BytesColumn::new();
        column.push(Some(b"ab"));
        column.push(None);
        column.buffer().extend_from_slice(b"half a row");
        column.abandon_row();
        column.push(Some(b""));
        column.buffer().extend_from_slice(b"cd");
        column.end_row();
        let rows: Vec<_> = column.iter().collect();
        assert_eq!(rows, [Some(&b"ab"[..]), None, Some(&b""[..]), Some(&b"cd"[..])]);
        assert!(column.has_nulls());
        column.truncate(1);
        assert!(!column.has_nulls());
        assert_eq!((column.len(), column.bytes()), (1, &b"ab"[..]));
        column.clear();
        assert!(column.is_empty());
    }
}
