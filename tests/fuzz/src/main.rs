//! Mutates statements until a property breaks or the time is over.
//!
//! What a mutation leads to counts as new when no text before led to the same error message or to statements of the
//! same shape; such a text joins the ones that are mutated further: those that can be read all of them, for few mutants of
//! what cannot be read can be, and of the others a few hundred. Everything runs on a thread with the smallest stack
//! that a program may give the engine, so that unbounded recursion ends the process, with the text in `running.sql`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use alcedo_fuzz::sql::{parse_statements, properties, split, tokens};

/// Rust's default for a thread.
const STACK: usize = 2 << 20;
/// Longer texts are cut.
const LONGEST: usize = 8 << 10;
/// Longer ones, nested deeply, are kept in a file while they run.
const SUSPECT: usize = 2 << 10;
/// So many texts that cannot be read are mutated further.
const MOST_BAD: usize = 300;
/// No text of this size takes longer on any machine.
const SLOWEST: Duration = Duration::from_secs(2);

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "PARTITION BY",
    "HAVING",
    "EMIT CHANGES",
    "EMIT FINAL",
    "LIMIT 1",
    "WINDOW",
    "TUMBLING (SIZE 1 DAY)",
    "JOIN",
    "WITHIN 1 HOUR",
    "ON",
    "AS",
    "WITH (",
    "CREATE STREAM",
    "AS SELECT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "ARRAY[",
    "ARRAY<",
    "MAP(",
    "STRUCT(",
    "STRUCT<",
    "INT",
    "->",
    "->*",
    "=>",
    ":=",
    "||",
    "NOT",
    "BETWEEN",
    "AND",
    "OR",
    "IN (",
    "LIKE",
    "ESCAPE 'x'",
    "IS NULL",
    "IS DISTINCT FROM",
    "AT TIME ZONE 'x'",
    "NULL",
    "'x'",
    "''",
    "`x`",
    "\"x\"",
    "1",
    "-1",
    "1.5",
    ".5",
    "1e3",
    "9223372036854775808",
    "${a}",
    "${env:E}",
    "$${",
    "-- c\n",
    "/* c */",
    "/*",
    "*/",
    "\\\n",
    "\r\n",
    "\n",
    ";",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ",",
    ".",
    "*",
    "-",
    "+",
    "'",
    "`",
    "\"",
    "--@test: x\n",
    "EXPLAIN",
    "INSERT INTO s VALUES (",
    "ASSERT",
    "ä",
    "\u{0}",
    "KEY",
    "HEADER('k')",
    "DAYS",
];

fn main() {
    let mut seconds = 60;
    let mut seed = 1;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number");
        match argument.as_str() {
            "--seconds" => seconds = number(),
            "--seed" => seed = number(),
            _ => files.push(argument),
        }
    }
    let run = move || match files.as_slice() {
        [] => mutate(seed, Duration::from_secs(seconds)),
        files => files.iter().for_each(|file| {
            let bytes = std::fs::read(file).expect("a readable file");
            properties::check(&String::from_utf8_lossy(&bytes));
        }),
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread");
    if thread.join().is_err() {
        std::process::exit(1);
    }
}

fn mutate(seed: u64, duration: Duration) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut pool = Pool { good: corpus(), bad: Vec::new() };
    let corpus = pool.good.len();
    let mut seen = HashSet::new();
    for text in &pool.good {
        assert!(properties::check(text), "the corpus can be read: {text}");
        seen.insert(shape(text));
    }
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut n, mut read, mut slowest) = (0u64, 0u64, Duration::ZERO);
    while start.elapsed() < duration {
        let text = random.mutant(&pool);
        if text.len() > SUSPECT {
            std::fs::write("running.sql", &text).expect("the folder can be written");
        }
        let began = Instant::now();
        let checked = std::panic::catch_unwind(|| properties::check(&text));
        let took = began.elapsed();
        let is_read = checked.unwrap_or_else(|panic| {
            let name = format!("crash-{n}.sql");
            std::fs::write(&name, &text).expect("the folder can be written");
            eprintln!("after {n} texts: a property is broken by {name}");
            std::panic::resume_unwind(panic);
        });
        if took > SLOWEST {
            std::fs::write("slow.sql", &text).expect("the folder can be written");
            panic!("{took:?} for slow.sql, {} bytes", text.len());
        }
        (n, read, slowest) = (n + 1, read + u64::from(is_read), slowest.max(took));
        if seen.insert(shape(&text)) {
            match is_read {
                true => pool.good.push(text),
                false if pool.bad.len() < MOST_BAD => pool.bad.push(text),
                false => pool.bad[random.below(MOST_BAD)] = text,
            }
        }
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("{n} texts, {read} of them read, {} of these new, slowest {slowest:?}", pool.good.len() - corpus);
        }
    }
    let _ = std::fs::remove_file("running.sql");
    println!(
        "{n} texts in {:?}, {read} of them read, {} of these new, slowest {slowest:?}",
        start.elapsed(),
        pool.good.len() - corpus
    );
}

/// What is mutated.
struct Pool {
    /// Texts that can be read, the corpus first.
    good: Vec<String>,
    /// Texts that cannot.
    bad: Vec<String>,
}

/// The statements to begin with: those of `corpus/`.
fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a readable file");
        texts.extend(split::split(&text).pieces.iter().map(|piece| format!("{};", piece.text)));
        texts.push(text);
    }
    texts
}

/// What a text led to: the error, or the shape of its statements, without names and values.
fn shape(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    match parse_statements(text) {
        Err(error) => error.message().split('`').step_by(2).for_each(|part| part.hash(&mut hasher)),
        Ok(_) => {
            for token in tokens::tokenize(text).into_iter().flatten().take(200) {
                match token.kind {
                    tokens::TokenKind::Symbol(symbol) => symbol.hash(&mut hasher),
                    kind => std::mem::discriminant(&kind).hash(&mut hasher),
                }
            }
        }
    }
    hasher.finish()
}

/// A generator of random numbers, the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 32) as usize) % n.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// One of the texts, changed once or a few times.
    fn mutant(&mut self, pool: &Pool) -> String {
        let texts = if self.below(4) == 0 && !pool.bad.is_empty() { &pool.bad } else { &pool.good };
        // The newest half of the time, the others now and then.
        let first = if self.below(2) == 0 { texts.len().saturating_sub(50) } else { 0 };
        let mut bytes = texts[first + self.below(texts.len() - first)].clone().into_bytes();
        let changes = self.below(6);
        for _ in 0..=self.below(changes + 1) {
            match self.below(2) {
                0 => self.exchange(&mut bytes, &pool.good),
                _ => self.change(&mut bytes, &pool.good),
            }
        }
        bytes.truncate(LONGEST);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..(start + self.below(30)).min(len)
    }

    /// Puts a token of another text, or some of them in a row, in the place of one: what comes may well be read.
    fn exchange(&mut self, bytes: &mut Vec<u8>, texts: &[String]) {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let other = &texts[self.below(texts.len())];
        let (Ok(mine), Ok(theirs)) = (tokens::tokenize(text), tokens::tokenize(other)) else { return };
        if mine.is_empty() || theirs.is_empty() {
            return;
        }
        let at = mine[self.below(mine.len())].span;
        let first = self.below(theirs.len());
        let most = self.below(8) + 1;
        let last = (first + self.below(most)).min(theirs.len() - 1);
        let part = format!(" {} ", &other[theirs[first].span.start..theirs[last].span.end]);
        bytes.splice(at.start..at.end, part.bytes());
    }

    fn change(&mut self, bytes: &mut Vec<u8>, texts: &[String]) {
        let at = self.below(bytes.len() + 1);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = (self.next() >> 56) as u8,
            2 => drop(bytes.drain(self.range(bytes.len()))),
            3 => {
                let copy = bytes[self.range(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
            4 | 5 => {
                let word = format!(" {} ", self.pick(WORDS));
                bytes.splice(at..at, word.bytes());
            }
            6 => {
                let word = self.pick(WORDS);
                let times = 1 << self.below(11);
                bytes.splice(at..at, format!("{word} ").repeat(times).bytes());
            }
            7 => {
                let other = texts[self.below(texts.len())].as_bytes();
                let part = other[self.range(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let (open, close) =
                    [("(", ")"), ("ARRAY[", "]"), ("CASE WHEN ", " THEN 1 END"), ("f(a, x => ", ")")][self.below(4)];
                let times = self.below(130);
                let range = self.range(bytes.len());
                let inner = String::from_utf8_lossy(&bytes[range.clone()]).into_owned();
                bytes.splice(range, format!("{}{inner}{}", open.repeat(times), close.repeat(times)).bytes());
            }
        }
    }
}
