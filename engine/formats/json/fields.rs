//! Which field of an object belongs to which column.
//!
//! A field belongs to the column of exactly its name and, when its upper-cased name is that of a column, to that one as
//! well; where several fields claim one column the one of the exact name wins, else the last. That is ksqlDB's rule.
//!
//! Records of a topic nearly always have the same fields in the same order with the same spacing. So the bytes between
//! one value and the next are remembered from the last record and compared as a whole; only where they differ is a name
//! looked up.

use hashbrown::HashMap;

/// Fields of one object that are predicted. Objects with more are read all the same, only slower.
const MAX_PREDICTED: usize = 512;
/// Longest run of bytes from one value to the next that is predicted.
const MAX_GAP: usize = 256;

/// Where the value of a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Route {
    /// The column of exactly this name.
    pub(super) exact: Option<usize>,
    /// The column whose name is the field's in upper case, if that is another one.
    pub(super) folded: Option<usize>,
}

/// The bytes from the end of one value to the start of the next, and where the next goes.
#[derive(Debug, Default)]
struct Gap {
    bytes: Vec<u8>,
    /// The first sixteen bytes, zeros after the end.
    head: [u64; 2],
    /// Ones where `head` has bytes of the gap.
    mask: [u64; 2],
    route: Route,
}

impl Gap {
    /// Whether `rest` starts with this. Most gaps have at most sixteen bytes, which two words decide.
    #[inline]
    fn starts(&self, rest: &[u8]) -> bool {
        match rest.first_chunk::<16>() {
            Some(chunk) => {
                let [low, high] = words(chunk);
                let differs = (low ^ self.head[0]) & self.mask[0] | (high ^ self.head[1]) & self.mask[1];
                differs == 0 && (self.bytes.len() <= 16 || rest.starts_with(&self.bytes))
            }
            None => rest.starts_with(&self.bytes),
        }
    }

    fn set(&mut self, bytes: &[u8], route: Route) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        let (mut head, mut mask) = ([0; 16], [0; 16]);
        let length = bytes.len().min(16);
        head[..length].copy_from_slice(&bytes[..length]);
        mask[..length].fill(0xff);
        self.head = words(&head);
        self.mask = words(&mask);
        self.route = route;
    }
}

#[inline]
fn words(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

/// The names of the columns of an object, and what its fields looked like in the last record.
#[derive(Debug)]
pub(super) struct Fields {
    positions: HashMap<Box<[u8]>, usize, ahash::RandomState>,
    gaps: Vec<Gap>,
    folded: String,
}

impl Fields {
    /// The wanted columns by position; names are unique.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let positions = names.enumerate().map(|(position, name)| (name.as_bytes().into(), position)).collect();
        Fields { positions, gaps: Vec::new(), folded: String::new() }
    }

    /// The route of field number `ordinal`, when `rest` goes on as it did in the last record; with the bytes to skip.
    #[inline]
    pub(super) fn predict(&self, ordinal: usize, rest: &[u8]) -> Option<(Route, usize)> {
        let gap = self.gaps.get(ordinal)?;
        gap.starts(rest).then_some((gap.route, gap.bytes.len()))
    }

    /// Remembers what led to field number `ordinal`.
    pub(super) fn learn(&mut self, ordinal: usize, gap: &[u8], route: Route) {
        if ordinal > self.gaps.len() || ordinal >= MAX_PREDICTED || gap.len() > MAX_GAP {
            return;
        }
        if ordinal == self.gaps.len() {
            self.gaps.push(Gap::default());
        }
        self.gaps[ordinal].set(gap, route);
    }

    /// Looks a name up. `name` has no escapes any more and is UTF-8.
    pub(super) fn resolve(&mut self, name: &[u8]) -> Route {
        let exact = self.positions.get(name).copied();
        self.folded.clear();
        match std::str::from_utf8(name) {
            Ok(name) => self.folded.extend(name.chars().flat_map(char::to_uppercase)),
            Err(_) => return Route { exact, folded: None },
        }
        let folded = self.positions.get(self.folded.as_bytes()).copied();
        Route { exact, folded: folded.filter(|_| folded != exact) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_goes_to_its_own_name_and_to_its_upper_case() {
        let mut fields = Fields::new(["TEMP", "temp", "É"].into_iter());
        assert_eq!(fields.resolve(b"TEMP"), Route { exact: Some(0), folded: None });
        assert_eq!(fields.resolve(b"temp"), Route { exact: Some(1), folded: Some(0) });
        assert_eq!(fields.resolve(b"Temp"), Route { exact: None, folded: Some(0) });
        assert_eq!(fields.resolve("é".as_bytes()), Route { exact: None, folded: Some(2) });
        assert_eq!(fields.resolve(b"other"), Route::default());
    }

    #[test]
    fn what_was_learnt_is_predicted_at_its_place_only() {
        let mut fields = Fields::new(["A"].into_iter());
        let route = Route { exact: Some(0), folded: None };
        fields.learn(1, b"lost", route);
        fields.learn(0, br#""A":"#, route);
        assert_eq!(fields.predict(0, br#""A":1}"#), Some((route, 4)));
        assert_eq!(fields.predict(0, br#""B":1}"#), None);
        assert_eq!(fields.predict(1, br#""A":1}"#), None);
    }

    #[test]
    fn gaps_of_any_length_are_compared_to_their_last_byte() {
        let long: Vec<u8> = (b'a'..=b'z').collect();
        for length in 1..26 {
            let mut fields = Fields::new(std::iter::empty());
            fields.learn(0, &long[..length], Route::default());
            assert_eq!(fields.predict(0, &long), Some((Route::default(), length)));
            assert_eq!(fields.predict(0, &long[..length]), Some((Route::default(), length)));
            assert_eq!(fields.predict(0, &long[..length - 1]), None);
            let mut other = long.clone();
            other[length - 1] = b'-';
            assert_eq!(fields.predict(0, &other), None);
        }
    }
}
