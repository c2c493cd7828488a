//! Regular expressions of `java.util.regex`, on the `regex` crate.
//!
//! The crate never backtracks, so a pattern out of the data takes time linear in its text. What differs in spelling or in
//! meaning is translated: `\d`, `\w` and `\s` are ASCII, a point stops at every line terminator of Java's, `\Q...\E` quotes,
//! `\h`, `\R`, `\Z` and POSIX classes as `\p{Alpha}` are known. What the crate cannot do is refused: look-around, back
//! references, possessive quantifiers and atomic groups. Two things stay different: `$` matches at the very end only, not
//! before a line break there, and `(?i)` folds the case of all letters, not of ASCII alone.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use regex::{Captures, Regex};

const WRONG: &str = "the pattern is not a regular expression";
const LINE_END: &str = r"\n\r\u{85}\u{2028}\u{2029}";

/// Reads a pattern; the error says what is not supported, or that it is none.
pub fn compile(pattern: &str) -> Result<Regex, Cow<'static, str>> {
    let mut translation = Translation {
        rest: pattern.char_indices().peekable(),
        text: pattern,
        out: String::with_capacity(pattern.len()),
    };
    translation.run()?;
    Regex::new(&translation.out).map_err(|_| Cow::Borrowed(WRONG))
}

/// The matches of a text one after another, as Java's `Matcher.find` goes on: where the last match ended, one character
/// further when it was empty. So a match may be empty right behind another.
pub fn matches<'t>(regex: &Regex, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let captures = regex.captures_at(text, next?);
        next = captures.as_ref().and_then(|captures| captures.get(0)).and_then(|found| {
            let step = text[found.end()..].chars().next().map(char::len_utf8);
            if found.is_empty() { step.map(|step| found.end() + step) } else { Some(found.end()) }
        });
        captures
    })
}

struct Translation<'p> {
    rest: Peekable<CharIndices<'p>>,
    text: &'p str,
    out: String,
}

/// Flags that change what is translated, `s` and `x`; each group gives them back at its end.
#[derive(Clone, Copy, Default)]
struct Flags {
    dot_all: bool,
    comments: bool,
}

impl Translation<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, c)| *c)
    }

    fn next(&mut self) -> Option<char> {
        self.rest.next().map(|(_, c)| c)
    }

    /// What follows the next character on.
    fn ahead(&mut self) -> &str {
        self.rest.peek().map_or("", |(at, _)| &self.text[*at..])
    }

    fn run(&mut self) -> Result<(), Cow<'static, str>> {
        let mut groups: Vec<Flags> = Vec::new();
        let mut flags = Flags::default();
        // Whether a quantifier may stand here, and whether one just did.
        let mut quantified = false;
        while let Some(c) = self.next() {
            let was_quantified = std::mem::take(&mut quantified);
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '.' if flags.dot_all => self.out.push_str("(?s:.)"),
                '.' => {
                    self.out.push_str("[^");
                    self.out.push_str(LINE_END);
                    self.out.push(']');
                }
                '(' => {
                    groups.push(flags);
                    self.out.push('(');
                    if self.peek() == Some('?') {
                        let is_flags = self.group(&mut flags)?;
                        if is_flags {
                            // `(?s)` holds until its group ends.
                            groups.pop();
                        }
                    }
                }
                ')' => {
                    flags = groups.pop().ok_or(WRONG)?;
                    self.out.push(')');
                }
                '*' | '+' | '?' => {
                    if was_quantified && c == '+' {
                        return Err("possessive quantifiers are not supported".into());
                    }
                    self.out.push(c);
                    // A `?` behind a quantifier makes it lazy; nothing may follow that.
                    quantified = !(was_quantified && c == '?');
                }
                '{' => {
                    self.out.push(c);
                    while let Some(c) = self.next() {
                        self.out.push(c);
                        if c == '}' {
                            quantified = true;
                            break;
                        }
                    }
                }
                '#' if flags.comments => while self.next().is_some_and(|c| c != '\n') {},
                c => self.out.push(c),
            }
        }
        Ok(())
    }

    /// Behind `(`, at `?`. Whether it was a setting of flags alone.
    fn group(&mut self, flags: &mut Flags) -> Result<bool, Cow<'static, str>> {
        let ahead = self.ahead();
        if ["?=", "?!", "?<=", "?<!"].iter().any(|start| ahead.starts_with(start)) {
            return Err("look-around is not supported".into());
        }
        if ahead.starts_with("?>") {
            return Err("atomic groups are not supported".into());
        }
        if ahead.starts_with("?<") {
            return Ok(false);
        }
        let mut on = true;
        while let Some(c) = self.next() {
            match c {
                '?' => self.out.push(c),
                '-' => {
                    on = false;
                    self.out.push(c);
                }
                // Unix lines, and Unicode in two degrees: the crate has neither flag, nor needs the latter two.
                'd' | 'u' | 'U' => {}
                ':' | ')' => {
                    // All flags may be gone, and with them the reason for a minus.
                    if self.out.ends_with('-') {
                        self.out.pop();
                    }
                    if c == ')' && self.out.ends_with("(?") {
                        self.out.truncate(self.out.len() - 2);
                        return Ok(true);
                    }
                    self.out.push(c);
                    return Ok(c == ')');
                }
                's' => {
                    flags.dot_all = on;
                    self.out.push(c);
                }
                'x' => {
                    flags.comments = on;
                    self.out.push(c);
                }
                'i' | 'm' => self.out.push(c),
                _ => return Err(WRONG.into()),
            }
        }
        Err(WRONG.into())
    }

    /// Behind a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), Cow<'static, str>> {
        let Some(c) = self.next() else { return Err(WRONG.into()) };
        let class = |inner: &str| if in_class { inner.to_string() } else { format!("[{inner}]") };
        match c {
            'd' => self.out.push_str(&class("0-9")),
            'w' => self.out.push_str(&class("a-zA-Z_0-9")),
            's' => self.out.push_str(&class(r" \t\n\x0B\f\r")),
            'h' => self.out.push_str(&class(HORIZONTAL)),
            'v' => self.out.push_str(&class(&format!(r"\x0B\f{LINE_END}"))),
            'D' => self.out.push_str("[^0-9]"),
            'W' => self.out.push_str("[^a-zA-Z_0-9]"),
            'S' => self.out.push_str(r"[^ \t\n\x0B\f\r]"),
            'H' => self.out.push_str(&format!("[^{HORIZONTAL}]")),
            'V' => self.out.push_str(&format!(r"[^\x0B\f{LINE_END}]")),
            'R' if !in_class => self.out.push_str(&format!(r"(?:\r\n|[\x0B\f{LINE_END}])")),
            'Z' if !in_class => self.out.push_str(r"\z"),
            'G' | 'X' => return Err(format!("\\{c} is not supported").into()),
            'k' | '1'..='9' => return Err("back references are not supported".into()),
            'Q' => {
                let rest = self.ahead();
                let end = rest.find("\\E").unwrap_or(rest.len());
                let quoted = rest[..end].to_string();
                let behind = (quoted.chars().count() + 2).min(rest.chars().count());
                self.out.push_str(&regex::escape(&quoted));
                for _ in 0..behind {
                    self.next();
                }
            }
            'E' => {}
            'e' => self.out.push_str(r"\x1B"),
            'c' => {
                let control = self.next().filter(char::is_ascii).ok_or(WRONG)? as u8 ^ 64;
                self.out.push_str(&format!(r"\x{control:02X}"));
            }
            '0' => {
                let digits: String = self.ahead().chars().take(3).take_while(|c| ('0'..='7').contains(c)).collect();
                let digits = &digits[..digits.len().min(if digits.starts_with(['0', '1', '2', '3']) { 3 } else { 2 })];
                let code = u32::from_str_radix(digits, 8).map_err(|_| WRONG)?;
                for _ in 0..digits.len() {
                    self.next();
                }
                self.out.push_str(&format!(r"\x{{{code:X}}}"));
            }
            'p' | 'P' => self.property(c == 'P')?,
            'x' if self.peek() == Some('{') => {
                self.out.push_str(r"\x");
                while let Some(c) = self.next() {
                    self.out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            'A' | 'b' | 'B' | 'z' | 't' | 'n' | 'r' | 'f' | 'a' | 'x' | 'u' => {
                self.out.push('\\');
                self.out.push(c);
            }
            c if c.is_ascii_alphanumeric() => return Err(WRONG.into()),
            // Java lets a backslash stand before any character that is no letter.
            c => self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
        Ok(())
    }

    /// A property behind `\p` or `\P`.
    fn property(&mut self, negated: bool) -> Result<(), Cow<'static, str>> {
        let mut name = String::new();
        match self.next() {
            Some('{') => loop {
                match self.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return Err(WRONG.into()),
                }
            },
            Some(c) => name.push(c),
            None => return Err(WRONG.into()),
        }
        let posix = match name.as_str() {
            "Lower" | "Upper" | "Alpha" | "Digit" | "Alnum" | "Punct" | "Graph" | "Print" | "Blank" | "Cntrl"
            | "Space" => Some(name.to_lowercase()),
            "XDigit" => Some("xdigit".to_string()),
            "ASCII" => Some("ascii".to_string()),
            _ => None,
        };
        let not = if negated { "^" } else { "" };
        if let Some(posix) = posix {
            self.out.push_str(&format!("[{not}[:{posix}:]]"));
            return Ok(());
        }
        let unicode = match name.as_str() {
            "javaLowerCase" => "Lowercase",
            "javaUpperCase" => "Uppercase",
            "javaWhitespace" => "White_Space",
            "javaAlphabetic" => "Alphabetic",
            "javaDigit" => "Nd",
            other => other.strip_prefix("Is").or_else(|| other.strip_prefix("In")).unwrap_or(other),
        };
        self.out.push_str(&format!(r"\{}{{{unicode}}}", if negated { 'P' } else { 'p' }));
        Ok(())
    }

    /// A class, behind its `[`.
    fn class(&mut self) -> Result<(), Cow<'static, str>> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.out.push('^');
            self.next();
        }
        let mut first = true;
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape(true)?,
                '[' => self.class()?,
                ']' if first => return Err(WRONG.into()),
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                // Only in the crate's classes do two of these mean something.
                '~' => self.out.push_str(r"\~"),
                '-' if self.peek() == Some('-') => {
                    self.next();
                    self.out.push_str(r"-\-");
                }
                c => self.out.push(c),
            }
            first = false;
        }
        Err(WRONG.into())
    }
}

const HORIZONTAL: &str = r" \t\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}";

#[cfg(test)]
mod tests {
    use super::*;

    fn first(pattern: &str, text: &str) -> Option<String> {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        regex.find(text).map(|found| found.as_str().to_string())
    }

    #[test]
    fn classes_are_java_s() {
        for (pattern, text, found) in [
            (r"\d+", "٣٤12", Some("12")),
            (r"\w+", "äb_1", Some("b_1")),
            (r"\W", "aä", Some("ä")),
            (r"a.b", "a\rb", None),
            (r"(?s)a.b", "a\rb", Some("a\rb")),
            (r"(?s:a.)b.", "a\nb\n", None),
            (r"\Qa.b\E+", "a.bbb", Some("a.bbb")),
            (r"\Q[x", "a[x", Some("[x")),
            (r"[\w&&[^b]]+", "abc", Some("a")),
            (r"[\s\d-]+", "a 1-", Some(" 1-")),
            (r"[+--]+", "+,-", Some("+,-")),
            (r"[~~]", "~", Some("~")),
            (r"\p{Alpha}+", "ä1b", Some("b")),
            (r"\P{Alpha}", "a1", Some("1")),
            (r"\p{IsAlphabetic}+", "1ä", Some("ä")),
            (r"\p{Lu}\pL", "aÄb", Some("Äb")),
            (r"[\p{Punct}x]+", "a.x", Some(".x")),
            (r"\h\R", "a\t\r\nb", Some("\t\r\n")),
            (r"\<a\>", "<a>", Some("<a>")),
            (r"\-\é\/", "-é/", Some("-é/")),
            (r"\x41\u0042\0103\cA", "ABC\u{1}", Some("ABC\u{1}")),
            (r"\x{42}+", "ABB", Some("BB")),
            (r"a\Z", "ba", Some("a")),
            (r"(?x) a  b # not this", "ab", Some("ab")),
            (r"(?iu)ab", "AB", Some("AB")),
            (r"(?d)a", "a", Some("a")),
            (r"(?<n>a+)b{2,}?", "aabbb", Some("aabb")),
            (r"x*?y", "xxy", Some("xxy")),
        ] {
            assert_eq!(first(pattern, text).as_deref(), found, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (pattern, reason) in [
            ("a(?=b)", "look-around"),
            ("(?<!a)b", "look-around"),
            ("(?>a)", "atomic"),
            (r"(a)\1", "back references"),
            (r"(?<n>a)\k<n>", "back references"),
            ("a++", "possessive"),
            ("a{1,2}+", "possessive"),
            (r"\G", "supported"),
            ("(", "not a regular"),
            (")", "not a regular"),
            ("[a", "not a regular"),
            (r"\q", "not a regular"),
            ("\\", "not a regular"),
            ("*", "not a regular"),
        ] {
            let error = compile(pattern).expect_err(pattern);
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }

    #[test]
    fn matches_go_on_as_find_does() {
        let regex = compile("b*").expect("a pattern");
        let found: Vec<(usize, usize)> =
            matches(&regex, "abcä").filter_map(|captures| captures.get(0)).map(|m| (m.start(), m.end())).collect();
        assert_eq!(found, [(0, 0), (1, 2), (2, 2), (3, 3), (5, 5)]);
    }
}
