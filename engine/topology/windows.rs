//! Windows in keys, as Kafka Streams writes them: behind the key the start of the window, eight bytes, milliseconds since
//! the epoch; for a session its end before that.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array};

use crate::record::BytesColumn;
use crate::types::SourceWindow;

/// Keys without their windows, and the windows.
pub(super) struct Windowed {
    /// The keys; null where a record has none, or one too short to hold a window.
    pub keys: BytesColumn,
    /// First and last bound of each window; null where the key is.
    pub bounds: Vec<Option<(i64, i64)>>,
}

/// How many bytes of a key are its window.
pub(super) const fn length(window: SourceWindow) -> usize {
    match window {
        SourceWindow::Session => 16,
        SourceWindow::Time(_) => 8,
    }
}

/// Takes the windows out of keys. `report` is told the records whose key is too short.
pub(super) fn split(keys: &BytesColumn, window: SourceWindow, report: &mut dyn FnMut(usize)) -> Windowed {
    let mut result = Windowed { keys: BytesColumn::new(), bounds: Vec::with_capacity(keys.len()) };
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes).unwrap_or_default();
    for (row, key) in keys.iter().enumerate() {
        let parts = key.and_then(|key| Some(key.split_at(key.len().checked_sub(length(window))?)));
        if key.is_some() && parts.is_none() {
            report(row);
        }
        result.keys.push(parts.map(|(key, _)| key));
        result.bounds.push(parts.map(|(_, bytes)| match window {
            SourceWindow::Session => (number(&bytes[8..]), number(&bytes[..8])),
            SourceWindow::Time(size) => {
                let start = number(bytes);
                (start, start.saturating_add(size))
            }
        }));
    }
    result
}

impl Windowed {
    /// `WINDOWSTART`.
    pub(super) fn starts(&self) -> ArrayRef {
        Arc::new(self.bounds.iter().map(|bounds| bounds.map(|(start, _)| start)).collect::<Int64Array>())
    }

    /// `WINDOWEND`.
    pub(super) fn ends(&self) -> ArrayRef {
        Arc::new(self.bounds.iter().map(|bounds| bounds.map(|(_, end)| end)).collect::<Int64Array>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_windows_are_told_apart() {
        let mut keys = BytesColumn::new();
        let mut key = b"k".to_vec();
        key.extend_from_slice(&7_i64.to_be_bytes());
        key.extend_from_slice(&5_i64.to_be_bytes());
        keys.push(Some(&key));
        keys.push(None);
        keys.push(Some(b"short"));
        let mut short = Vec::new();
        let session = split(&keys, SourceWindow::Session, &mut |row| short.push(row));
        assert_eq!(session.bounds, [Some((5, 7)), None, None]);
        assert_eq!((session.keys.get(0), session.keys.get(2)), (Some(&b"k"[..]), None));
        let time = split(&keys, SourceWindow::Time(10), &mut |_| ());
        assert_eq!(time.bounds[0], Some((5, 15)));
        assert_eq!(short, [2]);
    }
}
