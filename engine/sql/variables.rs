//! Variables in statements: `${name}` from `DEFINE`, `${env:NAME}` from the environment.
//!
//! Values go into the text before it is tokenized, and the way back from each position is kept, so that a caret always
//! points into what was typed. As in ksqlDB names do not differ by case, `$${name}` stands for `${name}` itself, and
//! comments are left alone. Inside quotes a value is text: quotes in it are doubled. Bare, it must be a single name,
//! number or string, so that no value can smuggle in another clause or statement.
//!
//! Beside the text to run there is the text to show and to keep, in which `${env:NAME}` stays as it was typed: what
//! comes from the environment may be a password.

use std::collections::BTreeMap;

use super::diagnostic::nearest;
use super::regions::{RegionKind, regions};
use super::tokens::{TokenKind, tokenize};
use crate::error::{Code, Error, Result, Span};

/// The variables of a session.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// By name, in upper case.
    values: BTreeMap<String, String>,
}

impl Variables {
    /// Sets a variable, replacing an older value.
    ///
    /// Errors: a name that is not a letter or underscore followed by letters, digits and underscores.
    pub fn define(&mut self, name: &str, value: impl Into<String>) -> Result<()> {
        if !is_name(name) {
            return Err(Error::refused(Code::InvalidLiteral, format!("`{name}` is not a name for a variable"))
                .hint("A name is a letter or an underscore, then letters, digits and underscores."));
        }
        self.values.insert(name.to_ascii_uppercase(), value.into());
        Ok(())
    }

    /// Removes a variable; whether there was one.
    pub fn undefine(&mut self, name: &str) -> bool {
        self.values.remove(&name.to_ascii_uppercase()).is_some()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&name.to_ascii_uppercase()).map(String::as_str)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A statement with its variables filled in.
#[derive(Clone)]
pub struct Substituted {
    /// The text to run. It may hold values of the environment and is not to be shown or kept.
    pub text: String,
    /// The text to show and to keep: the same, with `${env:NAME}` as it was typed.
    pub shown: String,
    replacements: Vec<Replacement>,
}

impl std::fmt::Debug for Substituted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Substituted").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// One reference and what took its place.
#[derive(Clone)]
struct Replacement {
    /// Its bytes in the original.
    original: Span,
    /// The bytes of its value in the new text.
    new: Span,
    /// Whether the value is the environment's.
    secret: bool,
}

impl Substituted {
    /// The place in the original text of a place in [`text`](Self::text); a value's place is that of its reference.
    pub fn original(&self, span: Span) -> Span {
        let start = self.original_position(span.start, false);
        Span::new(start, self.original_position(span.end, true).max(start))
    }

    /// Moves an error about [`text`](Self::text) to the original text. One that quotes a value of the environment
    /// loses its words.
    pub fn locate(&self, error: Error) -> Error {
        let original = error.span().map(|span| self.original(span));
        let texts = [Some(error.message()), error.detail_text(), error.hint_text()];
        let quotes = |value: &str| !value.is_empty() && texts.iter().flatten().any(|text| text.contains(value));
        let leaks = self.replacements.iter().filter(|replacement| replacement.secret).any(|replacement| {
            let value = &self.text[replacement.new.start..replacement.new.end];
            quotes(value) || quotes(&value.replace("''", "'"))
        });
        let error =
            if leaks { Error::new(error.kind(), "a value of the environment does not fit here") } else { error };
        match original {
            Some(span) => error.at(span),
            None => error,
        }
    }

    fn original_position(&self, at: usize, is_end: bool) -> usize {
        let inside = |r: &Replacement| {
            if is_end { r.new.start < at && at <= r.new.end } else { r.new.start <= at && at < r.new.end }
        };
        if let Some(replacement) = self.replacements.iter().find(|r| inside(r)) {
            return if is_end { replacement.original.end } else { replacement.original.start };
        }
        match self.replacements.iter().rev().find(|r| r.new.end <= at) {
            Some(before) => before.original.end + (at - before.new.end),
            None => at,
        }
    }
}

/// Where in the lexis a reference stands.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Bare,
    Quoted(u8),
}

/// Fills in the variables of one statement (or of a whole text); `env` looks up the environment.
///
/// Errors, with their place in `text`: a variable or environment variable that is not there, a malformed reference, a
/// value that cannot stand where its reference does.
pub fn substitute(text: &str, variables: &Variables, env: impl Fn(&str) -> Option<String>) -> Result<Substituted> {
    let mut out = Substituted { text: String::new(), shown: String::new(), replacements: Vec::new() };
    // First byte not yet copied.
    let mut copied = 0;
    scan(text, |found| {
        let span = found.span();
        out.copy(&text[copied..span.start]);
        copied = span.end;
        match found {
            Found::Escape(span) => out.replacement(span, "${", "${", false),
            Found::Reference(reference, context) => {
                let value = reference.value(variables, &env)?;
                let value = reference.fit(&value, context)?;
                let shown = if reference.is_env { reference.source(text) } else { value.as_str() };
                out.replacement(reference.span, &value, shown, reference.is_env);
            }
        }
        Ok(())
    })?;
    out.copy(&text[copied..]);
    Ok(out)
}

/// The text with a name of the same length in place of each reference outside of quotes, and where these are: what a
/// formatter reads, which does not know any value.
///
/// Errors, with their place in `text`: a malformed reference.
pub(super) fn placeholders(text: &str) -> Result<(String, Vec<Span>)> {
    let mut out = String::with_capacity(text.len());
    let mut places = Vec::new();
    scan(text, |found| {
        if let Found::Reference(reference, Context::Bare) = found {
            let span = reference.span;
            out.push_str(&text[out.len()..span.start]);
            out.push('V');
            out.extend(std::iter::repeat_n('_', span.end - span.start - 1));
            places.push(span);
        }
        Ok(())
    })?;
    out.push_str(&text[out.len()..]);
    Ok((out, places))
}

/// Whether one of the places that [`placeholders`] gives lies in a place.
pub(super) fn holds_reference(references: &[Span], place: Span) -> bool {
    let next = references.partition_point(|reference| reference.end <= place.start);
    references.get(next).is_some_and(|reference| reference.start < place.end)
}

/// What [`scan`] finds.
enum Found<'a> {
    /// `$${`, which stands for `${`.
    Escape(Span),
    /// A reference, and where in the lexis it stands.
    Reference(Reference<'a>, Context),
}

impl Found<'_> {
    fn span(&self) -> Span {
        match self {
            Found::Escape(span) => *span,
            Found::Reference(reference, _) => reference.span,
        }
    }
}

/// Calls `found` for each reference and each escaped one, in order; comments are left alone.
fn scan<'a>(text: &'a str, mut found: impl FnMut(Found<'a>) -> Result<()>) -> Result<()> {
    for region in regions(text) {
        let context = match region.kind {
            RegionKind::Comment => continue,
            RegionKind::Quoted(quote) => Context::Quoted(quote),
            RegionKind::Code => Context::Bare,
        };
        let Span { start: mut at, end } = region.span;
        while let Some(n) = memchr::memchr(b'$', &text.as_bytes()[at..end]) {
            at += n;
            if text[at..end].starts_with("$${") {
                found(Found::Escape(Span::new(at, at + 3)))?;
                at += 3;
            } else if !text[at..end].starts_with("${") {
                at += 1;
            } else if let Some(reference) = Reference::read(text, at, context)? {
                at = reference.span.end;
                found(Found::Reference(reference, context))?;
            } else {
                at += 2;
            }
        }
    }
    Ok(())
}

impl Substituted {
    fn copy(&mut self, text: &str) {
        self.text.push_str(text);
        self.shown.push_str(text);
    }

    fn replacement(&mut self, original: Span, value: &str, shown: &str, secret: bool) {
        let start = self.text.len();
        self.text.push_str(value);
        self.shown.push_str(shown);
        self.replacements.push(Replacement { original, new: Span::new(start, self.text.len()), secret });
    }
}

/// `${name}` or `${env:NAME}`.
struct Reference<'a> {
    name: &'a str,
    is_env: bool,
    span: Span,
}

impl<'a> Reference<'a> {
    /// Reads the reference at `at`. Inside quotes what is no reference is text, as in ksqlDB.
    fn read(text: &'a str, at: usize, context: Context) -> Result<Option<Self>> {
        let inner = &text[at + 2..];
        let malformed = |end: usize| {
            Error::refused(Code::Syntax, "a reference to a variable is malformed")
                .at(Span::new(at, end))
                .hint("A variable is written ${name}, the environment's ${env:NAME}.")
        };
        let length = inner.find(['}', '\n']).filter(|n| inner.as_bytes()[*n] == b'}');
        let Some(length) = length else {
            return if context == Context::Bare || inner.starts_with("env:") {
                Err(malformed(at + 2))
            } else {
                Ok(None)
            };
        };
        let span = Span::new(at, at + 2 + length + 1);
        let inner = &inner[..length];
        let (name, is_env) = match inner.strip_prefix("env:") {
            Some(name) => (name, true),
            None => (inner, false),
        };
        if is_name(name) {
            return Ok(Some(Reference { name, is_env, span }));
        }
        if context == Context::Bare || is_env { Err(malformed(span.end)) } else { Ok(None) }
    }

    fn source<'t>(&self, text: &'t str) -> &'t str {
        &text[self.span.start..self.span.end]
    }

    fn value(&self, variables: &Variables, env: &impl Fn(&str) -> Option<String>) -> Result<String> {
        let name = self.name;
        if self.is_env {
            return env(name).ok_or_else(|| {
                Error::refused(Code::UnknownVariable, format!("the environment variable `{name}` is not set"))
                    .at(self.span)
            });
        }
        if let Some(value) = variables.get(name) {
            return Ok(value.to_string());
        }
        let error =
            Error::refused(Code::UnknownVariable, format!("the variable `{name}` is not defined")).at(self.span);
        Err(match nearest(&name.to_ascii_uppercase(), variables.iter().map(|(name, _)| name)) {
            Some(near) => error.hint(format!("Did you mean ${{{near}}}?")),
            None => error.hint(format!("Define it with DEFINE {name} = '...'; before this statement.")),
        })
    }

    /// The value as it must be written in its context.
    fn fit(&self, value: &str, context: Context) -> Result<String> {
        if let Context::Quoted(quote) = context {
            let quote = char::from(quote);
            return Ok(value.replace(quote, &format!("{quote}{quote}")));
        }
        let fits = tokenize(value).is_ok_and(|tokens| {
            let kinds: Vec<_> = tokens.iter().map(|token| &token.kind).collect();
            match kinds.as_slice() {
                [TokenKind::Symbol(_), TokenKind::End] => false,
                [_, TokenKind::End] => true,
                [
                    TokenKind::Symbol("-"),
                    TokenKind::Integer | TokenKind::Decimal | TokenKind::Double,
                    TokenKind::End,
                ] => true,
                _ => false,
            }
        });
        // A comment at the value's end would swallow what follows the reference.
        if fits && !value.contains("--") && !value.contains("/*") && !value.contains('\\') {
            return Ok(value.to_string());
        }
        let name = self.name;
        Err(Error::refused(
            Code::InvalidLiteral,
            format!("the value of `{name}` is not a single name, number or string"),
        )
        .at(self.span)
        .hint("Only such a value can stand outside of quotes; to use it as text, put quotes around the reference."))
    }
}

/// Whether a variable can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(values: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in values {
            variables.define(name, *value).expect("the name is good");
        }
        variables
    }

    fn env(name: &str) -> Option<String> {
        (name == "SECRET").then(|| "it's hidden".to_string())
    }

    fn run(text: &str, values: &[(&str, &str)]) -> Result<Substituted> {
        substitute(text, &variables(values), env)
    }

    fn text(text: &str, values: &[(&str, &str)]) -> String {
        run(text, values).expect("the references are good").text
    }

    #[test]
    fn names_do_not_differ_by_case_and_bare_values_are_one_token() {
        let values = [("format", "JSON"), ("N", "-3"), ("topic", "'t'"), ("bad", "x; DROP y")];
        assert_eq!(text("WITH (f='${FORMAT}', n=${n}, t=${topic})", &values), "WITH (f='JSON', n=-3, t='t')");
        assert_eq!(text("s_${format}", &values), "s_JSON");
        for bad in ["x; DROP y", "a b", "", "'x", "(", "a -- b", "a /* */", "a,b"] {
            let error = run("SELECT ${bad}", &[("bad", bad)]).expect_err("more than one token");
            assert_eq!(error.span(), Some(Span::new(7, 13)), "{bad}");
        }
    }

    #[test]
    fn values_in_quotes_cannot_end_them() {
        let values = [("v", "a'b`c\"d")];
        assert_eq!(text("'${v}' `${v}` \"${v}\"", &values), "'a''b`c\"d' `a'b``c\"d` \"a'b`c\"\"d\"");
    }

    #[test]
    fn comments_and_escapes_are_left_alone() {
        let same = "-- ${x}\n/* ${x} */ '$.a ${}' 'a${b c}'";
        assert_eq!(text(same, &[]), same);
        assert_eq!(text("'$${x}'", &[("x", "1")]), "'${x}'");
    }

    #[test]
    fn the_environment_is_masked_where_the_statement_is_shown() {
        let out = run("SET 'p' = '${env:SECRET} ${v}'", &[("v", "w")]).expect("both are there");
        assert_eq!(out.text, "SET 'p' = 'it''s hidden w'");
        assert_eq!(out.shown, "SET 'p' = '${env:SECRET} w'");
        assert!(!format!("{out:?}").contains("hidden"));
        let at = out.text.find("it''s").expect("the value is in the text");
        let error = out.locate(Error::sql("wrong").detail("it's hidden").at(Span::new(at, at + 6)));
        assert!(!format!("{error:?}").contains("hidden"));
        assert_eq!(error.span(), Some(Span::new(11, 24)));
        assert_eq!(out.locate(Error::sql("wrong")).message(), "wrong");
    }

    #[test]
    fn what_is_not_there_is_named_with_its_place() {
        let error = run("a ${formt}", &[("format", "x")]).expect_err("not defined");
        assert_eq!(error.span(), Some(Span::new(2, 10)));
        assert_eq!(error.hint_text(), Some("Did you mean ${FORMAT}?"));
        let error = run("'${env:NOPE}'", &[]).expect_err("not set");
        assert_eq!(error.span(), Some(Span::new(1, 12)));
        for malformed in ["${", "${a b}", "${1}", "${env:a.b}", "'${env:a.b}'", "'${env:a"] {
            assert!(run(malformed, &[]).is_err(), "{malformed}");
        }
    }

    #[test]
    fn placeholders_keep_every_place_and_leave_quotes_alone() {
        let typed = "SELECT ${a}, s_${env:B}x FROM 'q ${c}' -- ${d}";
        let (text, places) = placeholders(typed).expect("the references are good");
        assert_eq!(text, "SELECT V___, s_V_______x FROM 'q ${c}' -- ${d}");
        assert_eq!(places, [Span::new(7, 11), Span::new(15, 23)]);
        assert!(placeholders("a ${b c}").is_err());
    }

    #[test]
    fn places_lead_back_to_what_was_typed() {
        let typed = "a ${x} b '${y}' c $${ d";
        let out = run(typed, &[("x", "longvalue"), ("y", "")]).expect("both are defined");
        for word in ["a", "b", "c", "d"] {
            let new = out.text.rfind(word).expect("the word is in the text");
            if word == "a" {
                continue;
            }
            let old = typed.rfind(word).expect("the word was typed");
            assert_eq!(out.original(Span::new(new, new + 1)), Span::new(old, old + 1), "{word}");
        }
        let value = out.text.find("long").expect("the value is in the text");
        assert_eq!(out.original(Span::new(value + 2, value + 5)), Span::new(2, 6));
        assert_eq!(out.original(Span::new(0, out.text.len())), Span::new(0, typed.len()));
    }
}
