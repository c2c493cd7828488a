//! The headers of a batch of records.

use super::BytesColumn;

/// Headers of each record of a batch, in their order. Most records have none, which costs one number a row.
#[derive(Debug, Clone, Default)]
pub struct HeadersColumn {
    names: BytesColumn,
    values: BytesColumn,
    ends: Vec<u32>,
}

impl HeadersColumn {
    /// Adds a header to the record that [`end_row`](Self::end_row) will close.
    pub fn push(&mut self, name: &str, value: Option<&[u8]>) {
        self.names.push(Some(name.as_bytes()));
        self.values.push(value);
    }

    /// Closes a record.
    pub fn end_row(&mut self) {
        self.ends.push(self.names.len() as u32);
    }

    /// Whether no record of the batch has a header.
    pub fn none(&self) -> bool {
        self.names.is_empty()
    }

    /// The headers of one record. Panics when `row` is out of range.
    pub fn get(&self, row: usize) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        (start..self.ends[row]).map(|header| {
            let name = self.names.get(header as usize).unwrap_or_default();
            // Names were pushed as `&str`.
            (std::str::from_utf8(name).unwrap_or_default(), self.values.get(header as usize))
        })
    }

    /// Removes all rows and keeps the buffers.
    pub fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_stay_with_their_record() {
        let mut headers = HeadersColumn::default();
        headers.end_row();
        headers.push("qos", Some(b"1"));
        headers.push("retained", None);
        headers.end_row();
        assert_eq!(headers.get(0).count(), 0);
        let second: Vec<_> = headers.get(1).collect();
        assert_eq!(second, [("qos", Some(&b"1"[..])), ("retained", None)]);
    }
}
