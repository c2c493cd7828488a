//! What was wrong with a record.

/// A record that could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its row in the batch.
    pub row: usize,
    /// What was wrong and where: the column path and, when reading, the byte. Never a value.
    pub message: String,
    /// The path of the column, as in `$.READINGS[2].UNIT`; `$` is the record itself, `*` stands for a key of a map.
    pub path: String,
}

/// A record that cannot be read, while its reader unwinds: every level adds its part of the path.
///
/// Boxed so that the results of the small parsing steps stay in registers.
pub(super) type Problem = Box<ProblemInner>;

/// The result of a step of a reader.
pub(super) type Parsed<T> = Result<T, Problem>;

#[derive(Debug)]
pub(super) struct ProblemInner {
    what: String,
    at: usize,
    /// Innermost part first.
    path: Vec<String>,
}

/// A problem at a byte of the record.
#[cold]
#[inline(never)]
pub(super) fn problem(what: impl Into<String>, at: usize) -> Problem {
    Box::new(ProblemInner { what: what.into(), at, path: Vec::new() })
}

/// Adds the part of the path that this level is responsible for.
#[cold]
#[inline(never)]
pub(super) fn within(mut problem: Problem, part: impl Into<String>) -> Problem {
    problem.path.push(part.into());
    problem
}

impl ProblemInner {
    /// The report, once the row is known.
    pub(super) fn into_failure(self, row: usize) -> Failure {
        let mut path = "$".to_string();
        path.extend(self.path.iter().rev().map(String::as_str));
        Failure { row, message: format!("{} at {path}, byte {}", self.what, self.at), path }
    }
}
