//! What was wrong with a record.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A record that could not be read or written.
///
/// Its text is made only when somebody asks: of a flood of bad records most are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its row in the batch.
    pub row: usize,
    problem: Problem,
}

impl Failure {
    /// What was wrong and where: the column path and, when reading text, the byte. Never a value.
    pub fn message(&self) -> String {
        self.problem.to_string()
    }

    /// The path of the column, as in `$.READINGS[2].UNIT`; `$` is the record itself, `*` stands for a key of a map.
    pub fn path(&self) -> String {
        Path(&self.problem.path).to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

/// A record that cannot be read, while its reader unwinds: every level adds its part of the path.
///
/// Boxed so that the results of the small parsing steps stay in registers.
pub(super) type Problem = Box<ProblemInner>;

/// The result of a step of a reader.
pub(super) type Parsed<T> = Result<T, Problem>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProblemInner {
    what: Cow<'static, str>,
    /// The byte of the record, where that says something.
    at: Option<usize>,
    /// Innermost part first.
    path: Vec<Part>,
}

/// A step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A column, or a field of a STRUCT.
    Field(Arc<str>),
    /// An element of an ARRAY, from 0.
    Element(usize),
    /// A value of a MAP; its key is data.
    Entry,
}

/// A problem at a byte of the record.
#[cold]
#[inline(never)]
pub(super) fn problem(what: impl Into<Cow<'static, str>>, at: usize) -> Problem {
    Box::new(ProblemInner { what: what.into(), at: Some(at), path: Vec::new() })
}

/// A problem with a value as a whole.
#[cold]
#[inline(never)]
pub(super) fn problem_of_value(what: impl Into<Cow<'static, str>>) -> Problem {
    Box::new(ProblemInner { what: what.into(), at: None, path: Vec::new() })
}

/// Adds the part of the path that this level is responsible for.
#[cold]
#[inline(never)]
pub(super) fn within(mut problem: Problem, part: Part) -> Problem {
    problem.path.push(part);
    problem
}

impl ProblemInner {
    /// The report, once the row is known.
    pub(super) fn into_failure(self: Box<Self>, row: usize) -> Failure {
        Failure { row, problem: self }
    }
}

impl fmt::Display for ProblemInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.what, Path(&self.path))?;
        match self.at {
            Some(at) => write!(f, ", byte {at}"),
            None => Ok(()),
        }
    }
}

/// A path, printed from the record inwards.
struct Path<'a>(&'a [Part]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.0.iter().rev().try_for_each(|part| match part {
            Part::Field(name) => write!(f, ".{name}"),
            Part::Element(index) => write!(f, "[{index}]"),
            Part::Entry => f.write_str(".*"),
        })
    }
}
