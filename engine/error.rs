//! The one error type: what was found, where, and what to do about it.
//!
//! An error has a primary line, and may have a detail, a hint and a place in the SQL text. It never
//! carries a value from the data. `Kind` says whose fault it was, and so decides the exit code.
//! Texts are lower case, without a full stop; a hint is a full sentence. `Code` says which kind of mistake it is, for
//! programs.

mod code;

use std::fmt;

pub use code::Code;

/// `Result` with the engine's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A half-open range of byte offsets in a statement's source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The part of `text` in this range, which must lie on its characters.
    pub fn text(self, text: &str) -> &str {
        &text[self.start..self.end]
    }

    /// The smallest range that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The SQL text is wrong, or asks for what cannot be. Exit code 1.
    Sql,
    /// The command line, a configuration file or an environment variable is wrong. Exit code 2.
    Usage,
    /// A record cannot be read or written. Reported and skipped; alone it never stops a query.
    Data,
    /// Something outside failed: a broker, a disk, a port. Exit code 3.
    External,
    /// Our bug: never reachable from SQL text or data. Exit code 3.
    Internal,
}

/// What went wrong.
///
/// One pointer wide, so that `Result` stays cheap on hot paths.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    code: Code,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    span: Option<Span>,
    retryable: bool,
    hopeless: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the given kind; `message` is the primary line.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let code = match kind {
            Kind::Sql => Code::InvalidStatement,
            Kind::Usage => Code::Usage,
            Kind::Data => Code::BadRecord,
            Kind::External => Code::External,
            Kind::Internal => Code::Internal,
        };
        Error(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            span: None,
            retryable: false,
            hopeless: false,
            source: None,
        }))
    }

    /// An error in SQL text that has no code of its own.
    pub fn sql(message: impl Into<String>) -> Self {
        Error::new(Kind::Sql, message)
    }

    /// An error in SQL text, of the kind that the code says.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Error::sql(message).with_code(code)
    }

    /// An error in the command line, the environment or a configuration file.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// A record that cannot be read or written.
    pub fn data(message: impl Into<String>) -> Self {
        Error::new(Kind::Data, message)
    }

    /// A failure of something outside this process.
    pub fn external(message: impl Into<String>) -> Self {
        Error::new(Kind::External, message)
    }

    /// A broken invariant of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Kind::Internal, message)
    }

    /// A statement or clause that is understood but not built yet, named.
    pub fn unsupported(what: impl fmt::Display, span: Span) -> Self {
        Error::refused(Code::Unsupported, format!("{what} is not supported yet")).at(span)
    }

    /// Whether this is something that is understood but not built yet.
    pub fn is_unsupported(&self) -> bool {
        self.0.code == Code::Unsupported
    }

    /// Says which kind of mistake it is.
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// Says where in the SQL text.
    pub fn at(mut self, span: Span) -> Self {
        self.0.span = Some(span);
        self
    }

    /// Says where, unless that is known already.
    pub fn or_at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Adds what was found, or why it matters.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Marks a failure that may pass when tried again.
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Marks a failure that stays until a person changes something, such as a missing permission.
    pub fn hopeless(mut self) -> Self {
        self.0.hopeless = true;
        self
    }

    /// Keeps the error behind this one.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Whose fault it was.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Which kind of mistake it is; stable, unlike the texts.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The primary line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What was found, if there is more to say.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What to do, if we know.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in the SQL text.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether it stays until a person changes something.
    pub fn is_hopeless(&self) -> bool {
        self.0.hopeless
    }

    /// The process exit code this error ends in.
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            Kind::Sql => 1,
            Kind::Usage => 2,
            Kind::Data | Kind::External | Kind::Internal => 3,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    /// DataFusion's planning and evaluation errors become ours; the first line of its text is kept.
    fn from(error: datafusion::error::DataFusionError) -> Self {
        let text = error.strip_backtrace();
        Error::internal(text.lines().next().unwrap_or("datafusion failed").to_string())
    }
}

impl From<datafusion::arrow::error::ArrowError> for Error {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Error::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn kinds_decide_the_exit_code() {
        assert_eq!(Error::sql("x").exit_code(), 1);
        assert_eq!(Error::usage("x").exit_code(), 2);
        assert_eq!(Error::external("x").exit_code(), 3);
    }

    #[test]
    fn every_error_has_a_code() {
        assert_eq!(Error::sql("x").code(), Code::InvalidStatement);
        assert_eq!(Error::external("x").code(), Code::External);
        assert_eq!(Error::refused(Code::InUse, "x").hint("Y.").code(), Code::InUse);
        let unsupported = Error::unsupported("HAVING", Span::new(0, 1));
        assert!(unsupported.is_unsupported() && !Error::sql("it is not supported yet").is_unsupported());
    }

    #[test]
    fn display_is_primary_and_detail() {
        let error = Error::sql("unknown column `x`").detail("stream S has `Y`").at(Span::new(3, 4));
        assert_eq!(error.to_string(), "unknown column `x`: stream S has `Y`");
        assert_eq!(error.span(), Some(Span::new(3, 4)));
    }
}
