//! The signature of a function, read from its source.
//!
//! A compiled function of Arroyo's plugin format knows neither its name nor its types, so both come from the text: from the
//! one function with the attribute `#[udf]`. What the format cannot pass is refused here, with its place, before a
//! compiler is started. A vectorized library describes itself; of its source only the kind matters.
//!
//! What can be passed, after `arroyo-udf-plugin` 0.2:
//!
//! | as an argument | as a result | Arrow |
//! | --- | --- | --- |
//! | `i8` to `i64`, `u8` to `u64`, `f32`, `f64` | the same | `Int8`, ..., `Float64` |
//! | `&str` | `String` | `Utf8` |
//! | `&[u8]` | `Vec<u8>` | `Binary` |
//! | `Option` of these: takes nulls | `Option` of these: may give null | |
//! | `Vec` of a number or of its `Option`: an aggregate | | |

use proc_macro2::Span;
use syn::{Attribute, FnArg, GenericArgument, Item, ItemFn, Meta, Pat, PathArguments, ReturnType, Type, UseTree};

use crate::error::{Code, Error, Result};
use crate::functions::plugin::{Abi, Argument, AsyncOptions, Signature, Value};

/// What a source declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// How its functions are called; `None` when the text has no function for SQL.
    pub abi: Option<Abi>,
    /// Its functions, as far as the text tells: exactly one of Arroyo's format.
    pub functions: Vec<Signature>,
    /// The doc comment of the one function of Arroyo's format.
    pub documentation: String,
}

/// The package that the vectorized attribute comes from.
const VECTORIZED: &str = "alcedo_udf";

/// Reads the source text of a function; `shown` names it in errors.
///
/// # Errors
/// Text that is no Rust, more than one function in Arroyo's format, and types that the format cannot pass: each with
/// line and column.
pub fn read(text: &str, shown: &str) -> Result<Declared> {
    let source = Source { text, shown };
    let file = syn::parse_file(text)
        .map_err(|error| source.wrong("this is not Rust source", error.span(), &error.to_string()))?;
    let mut found = Found::default();
    collect(&file.items, &mut found);
    match (found.arroyo.as_slice(), found.vectorized.first()) {
        ([], None) => Ok(Declared::default()),
        ([], Some(_)) => Ok(Declared { abi: Some(Abi::Vectorized), ..Declared::default() }),
        ([only], None) => Ok(Declared {
            abi: Some(Abi::Arroyo),
            functions: vec![source.signature(only)?],
            documentation: documentation(&only.attrs),
        }),
        ([first, second, ..], _) => Err(source
            .wrong(
                "one library holds one function of Arroyo's format",
                second.sig.ident.span(),
                &format!("#[udf] stands on `{}` and again on `{}`", first.sig.ident, second.sig.ident),
            )
            .hint("Put each into a file of its own; a library of alcedo_udf may hold several.")),
        ([only], Some(vectorized)) => Err(source.wrong(
            "one library holds functions of one kind",
            vectorized.sig.ident.span(),
            &format!("`{}` is in Arroyo's format and `{}` is vectorized", only.sig.ident, vectorized.sig.ident),
        )),
    }
}

/// The functions for SQL in a text.
#[derive(Default)]
struct Found<'a> {
    arroyo: Vec<&'a ItemFn>,
    vectorized: Vec<&'a ItemFn>,
}

fn collect<'a>(items: &'a [Item], found: &mut Found<'a>) {
    let imports = imports(items);
    for item in items {
        match item {
            Item::Fn(function) => match function.attrs.iter().find_map(|attribute| origin(attribute, &imports)) {
                Some(Abi::Arroyo) => found.arroyo.push(function),
                Some(Abi::Vectorized) => found.vectorized.push(function),
                None => {}
            },
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    collect(items, found);
                }
            }
            _ => {}
        }
    }
}

/// Which names are imported from which package: the name here, and the package. `*` stands for all of a package.
fn imports(items: &[Item]) -> Vec<(String, String)> {
    fn walk(tree: &UseTree, package: Option<&str>, into: &mut Vec<(String, String)>) {
        match tree {
            UseTree::Path(path) => {
                let own = path.ident.to_string();
                walk(&path.tree, Some(package.unwrap_or(&own)), into);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                into.push((name.clone(), package.map_or(name, str::to_string)));
            }
            UseTree::Rename(rename) => {
                let package = package.map_or_else(|| rename.ident.to_string(), str::to_string);
                into.push((rename.rename.to_string(), package));
            }
            UseTree::Glob(_) => into.push(("*".to_string(), package.unwrap_or_default().to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, package, into)),
        }
    }
    let mut imports = Vec::new();
    for item in items {
        if let Item::Use(item) = item {
            walk(&item.tree, None, &mut imports);
        }
    }
    imports
}

/// Which format an attribute stands for. Arroyo takes any attribute whose last word is `udf`, and so do we, unless it
/// comes from our own package.
fn origin(attribute: &Attribute, imports: &[(String, String)]) -> Option<Abi> {
    let segments: Vec<String> = attribute.path().segments.iter().map(|segment| segment.ident.to_string()).collect();
    let (first, last) = (segments.first()?, segments.last()?);
    let imported = |name: &str| imports.iter().find(|(here, _)| here == name).map(|(_, package)| package.as_str());
    let all_of_ours = || imports.iter().any(|(here, package)| here == "*" && package == VECTORIZED);
    let ours = first == VECTORIZED
        || imported(first) == Some(VECTORIZED)
        || (segments.len() == 1 && last == "udf" && imported(first).is_none() && all_of_ours());
    match (ours, last == "udf") {
        (true, _) => Some(Abi::Vectorized),
        (false, true) => Some(Abi::Arroyo),
        (false, false) => None,
    }
}

/// A text and its name in errors.
struct Source<'a> {
    text: &'a str,
    shown: &'a str,
}

impl Source<'_> {
    /// An error with its place, the source line below it.
    fn wrong(&self, message: &str, place: Span, what: &str) -> Error {
        let start = place.start();
        let line = self.text.lines().nth(start.line.saturating_sub(1)).unwrap_or_default().trim_end();
        let (number, caret) = (start.line.to_string(), " ".repeat(line.chars().take(start.column).count()));
        let gutter = " ".repeat(number.len());
        Error::refused(Code::InvalidLibrary, message).detail(format!(
            "{what}\n{gutter}--> {}:{}:{}\n{gutter} |\n{number} | {line}\n{gutter} | {caret}^",
            self.shown,
            start.line,
            start.column + 1,
        ))
    }

    /// The options in `#[udf(...)]` of an async function.
    fn async_options(&self, function: &ItemFn) -> Result<AsyncOptions> {
        // As in Arroyo, where answers come in any order unless the attribute says otherwise.
        let mut options = AsyncOptions { ordered: false, ..AsyncOptions::default() };
        let is_udf =
            |attribute: &&Attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "udf");
        let Some(attribute) = function.attrs.iter().find(is_udf).filter(|found| matches!(found.meta, Meta::List(_)))
        else {
            return Ok(options);
        };
        let read = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("ordered") {
                options.ordered = true;
            } else if meta.path.is_ident("unordered") {
                options.ordered = false;
            } else if meta.path.is_ident("allowed_in_flight") {
                options.allowed_in_flight = meta.value()?.parse::<syn::LitInt>()?.base10_parse()?;
            } else if meta.path.is_ident("timeout") {
                let text: syn::LitStr = meta.value()?.parse()?;
                options.timeout_ms = milliseconds(&text.value()).ok_or_else(|| {
                    syn::Error::new(text.span(), "a timeout is a number and a unit, \"5s\" for instance")
                })?;
            } else {
                return Err(meta.error("the options are `ordered`, `unordered`, `timeout` and `allowed_in_flight`"));
            }
            Ok(())
        });
        read.map(|()| options)
            .map_err(|error| self.wrong("the options of #[udf] cannot be read", error.span(), &error.to_string()))
    }

    fn signature(&self, function: &ItemFn) -> Result<Signature> {
        let name = function.sig.ident.to_string();
        let refused = |place, what: &str| self.wrong(&format!("`{name}` cannot be called from SQL"), place, what);
        let is_async = function.sig.asyncness.is_some();
        let mut arguments = Vec::new();
        for (index, input) in function.sig.inputs.iter().enumerate() {
            let typed = match input {
                FnArg::Typed(typed) => typed,
                FnArg::Receiver(receiver) => {
                    return Err(refused(receiver.self_token.span, "it takes `self`, and SQL has none")
                        .hint("Make it a free function."));
                }
            };
            let argument = match typed.pat.as_ref() {
                Pat::Ident(pattern) => pattern.ident.to_string(),
                _ => format!("arg{}", index + 1),
            };
            let place = typed.colon_token.spans[0];
            let (value, is_vec) = argument_type(&typed.ty).map_err(|refusal| {
                let what = format!("argument `{argument}` is `{}`, {}", text_of(&typed.ty), refusal.why);
                refused(place_of(&typed.ty).unwrap_or(place), &what).hint(refusal.hint)
            })?;
            arguments.push((Argument { name: argument, value, is_vec }, place));
        }
        if arguments.is_empty() {
            return Err(refused(
                function.sig.ident.span(),
                "it takes no argument, so it would not know how many rows there are",
            )
            .hint("Give it an argument, even one that it ignores."));
        }
        if arguments.iter().any(|(argument, _)| argument.is_vec) {
            if let Some((argument, place)) = arguments.iter().find(|(argument, _)| !argument.is_vec) {
                let what = format!("`{}` is one value and another argument is a Vec", argument.name);
                return Err(refused(*place, &what)
                    .hint("An aggregate takes a Vec for every argument; a function of rows takes none."));
            }
            if is_async {
                return Err(refused(function.sig.ident.span(), "an aggregate cannot be async")
                    .hint("Take values instead of Vecs, or leave `async` out."));
            }
        }
        let result = match &function.sig.output {
            ReturnType::Default => {
                return Err(refused(function.sig.ident.span(), "it gives nothing").hint("Say what it gives: `-> f64`."));
            }
            ReturnType::Type(arrow, ty) => result_type(ty).map_err(|refusal| {
                let what = format!("its result is `{}`, {}", text_of(ty), refusal.why);
                refused(place_of(ty).unwrap_or(arrow.spans[0]), &what).hint(refusal.hint)
            })?,
        };
        let arguments = arguments.into_iter().map(|(argument, _)| argument).collect();
        let async_options = if is_async { Some(self.async_options(function)?) } else { None };
        Ok(Signature { name, arguments, result, is_async, async_options })
    }
}

/// A number and a unit as Arroyo reads them, in milliseconds: `500ms`, `5 seconds`. At least 1.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let (factor, divisor) = match text[digits..].trim_start() {
        "ns" | "nanos" => (1, 1_000_000),
        "µs" | "micros" => (1, 1_000),
        "ms" | "millis" => (1, 1),
        "s" | "secs" | "seconds" => (1_000, 1),
        "m" | "mins" | "minutes" => (60_000, 1),
        "h" | "hrs" | "hours" => (3_600_000, 1),
        _ => return None,
    };
    Some(number.checked_mul(factor)?.div_ceil(divisor).max(1))
}

/// Why a type is refused, and what to write instead.
struct Refusal {
    why: &'static str,
    hint: &'static str,
}

const NUMBERS: [(&str, &str); 10] = [
    ("i8", "Int8"),
    ("i16", "Int16"),
    ("i32", "Int32"),
    ("i64", "Int64"),
    ("u8", "UInt8"),
    ("u16", "UInt16"),
    ("u32", "UInt32"),
    ("u64", "UInt64"),
    ("f32", "Float32"),
    ("f64", "Float64"),
];

fn argument_type(ty: &Type) -> Result<(Value, bool), Refusal> {
    if let Some(element) = inner(ty, "Vec") {
        let (inside, nullable) = match inner(element, "Option") {
            Some(inside) => (inside, true),
            None => (element, false),
        };
        let data_type = number(inside).ok_or(Refusal {
            why: "and the plugin format passes only vectors of numbers",
            hint: "Use `Vec<f64>` or another number; `&[u8]` is one value of bytes.",
        })?;
        return Ok((Value { data_type, nullable }, true));
    }
    let (inside, nullable) = match inner(ty, "Option") {
        Some(inside) => (inside, true),
        None => (ty, false),
    };
    let data_type = match inside {
        Type::Reference(reference) if reference.mutability.is_none() => match reference.elem.as_ref() {
            Type::Slice(slice) if word(&slice.elem).as_deref() == Some("u8") => Some("Binary".to_string()),
            referred => match word(referred).as_deref() {
                Some("str") => Some("Utf8".to_string()),
                Some("String") => return Err(Refusal { why: "a reference to an owned text", hint: "Use `&str`." }),
                Some(_) if number(referred).is_some() => {
                    return Err(Refusal {
                        why: "a reference to a number",
                        hint: "Take numbers by value: leave `&` out.",
                    });
                }
                _ => None,
            },
        },
        _ => match word(inside).as_deref() {
            Some("String") => {
                return Err(Refusal { why: "an owned text", hint: "Arguments are borrowed: use `&str`." });
            }
            _ => number(inside),
        },
    };
    data_type.map(|data_type| (Value { data_type, nullable }, false)).ok_or_else(|| unknown(inside))
}

fn result_type(ty: &Type) -> Result<Value, Refusal> {
    let (inside, nullable) = match inner(ty, "Option") {
        Some(inside) => (inside, true),
        None => (ty, false),
    };
    let data_type = match (word(inside).as_deref(), inner(inside, "Vec")) {
        (Some("String"), _) => Some("Utf8".to_string()),
        (_, Some(element)) if word(element).as_deref() == Some("u8") => Some("Binary".to_string()),
        (_, Some(_)) => {
            return Err(Refusal {
                why: "and the plugin format has no arrays as results",
                hint: "Give one number or one text; `Vec<u8>` is a value of bytes.",
            });
        }
        _ => number(inside),
    };
    match (data_type, inside) {
        (Some(data_type), _) => Ok(Value { data_type, nullable }),
        (None, Type::Reference(reference)) if word(&reference.elem).as_deref() == Some("str") => {
            Err(Refusal { why: "a borrowed text", hint: "Results are owned: use `String`." })
        }
        (None, Type::Reference(_)) => Err(Refusal { why: "a reference", hint: "Results are owned: leave `&` out." }),
        (None, _) => Err(unknown(inside)),
    }
}

/// Why a type is none of the table.
fn unknown(ty: &Type) -> Refusal {
    let last = match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    match last.as_deref() {
        Some("bool") => Refusal {
            why: "and the plugin format has no booleans",
            hint: "Use `i64` with 0 and 1, and compare it in SQL: f(x) = 1.",
        },
        Some("SystemTime" | "Instant" | "Duration" | "DateTime" | "NaiveDateTime" | "NaiveDate") => {
            Refusal { why: "and the plugin format has no times", hint: "Use `i64`: milliseconds, as ROWTIME is." }
        }
        Some("Result") => Refusal {
            why: "and the plugin format has no errors",
            hint: "Use `Option`: `None` gives NULL. A panic fails the rows it was called with.",
        },
        Some("HashMap" | "BTreeMap" | "HashSet") => {
            Refusal { why: "and the plugin format has no maps", hint: "Take the parts as arguments of their own." }
        }
        _ => Refusal {
            why: "which the plugin format cannot pass",
            hint: "Arguments are numbers (`i64`, `f64`, ...), `&str` and `&[u8]`, results numbers, `String` and \
                   `Vec<u8>`; `Option` of these where there may be NULL.",
        },
    }
}

/// Arrow's name of a number.
fn number(ty: &Type) -> Option<String> {
    let word = word(ty)?;
    NUMBERS.iter().find(|(rust, _)| *rust == word).map(|(_, arrow)| (*arrow).to_string())
}

/// A type that is one bare word.
fn word(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) if path.qself.is_none() => {
            let segment = path.path.segments.first().filter(|_| path.path.segments.len() == 1)?;
            segment.arguments.is_none().then(|| segment.ident.to_string())
        }
        Type::Paren(paren) => word(&paren.elem),
        _ => None,
    }
}

/// `T` of `Wrapper<T>`, however the wrapper's path is written.
fn inner<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// Where a type begins, for the kinds of types people write.
fn place_of(ty: &Type) -> Option<Span> {
    match ty {
        Type::Path(path) => path.path.segments.first().map(|segment| segment.ident.span()),
        Type::Reference(reference) => Some(reference.and_token.spans[0]),
        _ => None,
    }
}

/// A type as it is written, roughly: enough to be recognized.
fn text_of(ty: &Type) -> String {
    match ty {
        Type::Path(path) => {
            let segments = path.path.segments.iter().map(|segment| {
                let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
                    return segment.ident.to_string();
                };
                let inside = arguments.args.iter().map(|argument| match argument {
                    GenericArgument::Type(ty) => text_of(ty),
                    _ => "_".to_string(),
                });
                format!("{}<{}>", segment.ident, inside.collect::<Vec<_>>().join(", "))
            });
            segments.collect::<Vec<_>>().join("::")
        }
        Type::Reference(reference) => {
            format!("&{}{}", if reference.mutability.is_some() { "mut " } else { "" }, text_of(&reference.elem))
        }
        Type::Slice(slice) => format!("[{}]", text_of(&slice.elem)),
        Type::Array(array) => format!("[{}; _]", text_of(&array.elem)),
        Type::Tuple(tuple) => format!("({})", tuple.elems.iter().map(text_of).collect::<Vec<_>>().join(", ")),
        Type::Paren(paren) => text_of(&paren.elem),
        _ => "_".to_string(),
    }
}

/// The words of a function's doc comment, its lines joined; empty without one.
fn documentation(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(literal) = &pair.value
            && let syn::Lit::Str(text) = &literal.lit
        {
            lines.push(text.value().trim().to_string());
        }
    }
    lines.join(" ").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arroyo(function: &str) -> Result<Declared> {
        read(&format!("use arroyo_udf_plugin::udf;\n\n{function}\n"), "f.rs")
    }

    /// The signature in short: `name(argument type, ...) type`, `?` behind what may be null.
    fn short(declared: &Declared) -> String {
        let value = |value: &Value| format!("{}{}", value.data_type, if value.nullable { "?" } else { "" });
        let [function] = declared.functions.as_slice() else { panic!("{declared:?}") };
        let arguments: Vec<String> = function
            .arguments
            .iter()
            .map(|argument| {
                let (open, close) = if argument.is_vec { ("[", "]") } else { ("", "") };
                format!("{} {open}{}{close}", argument.name, value(&argument.value))
            })
            .collect();
        let later = if function.is_async { "async " } else { "" };
        format!("{later}{}({}) {}", function.name, arguments.join(", "), value(&function.result))
    }

    #[test]
    fn types_are_those_of_the_table() {
        for (source, expected) in [
            ("fn f(a: f64, b: Option<f32>) -> f64 {}", "f(a Float64, b Float32?) Float64"),
            ("fn f(a: i8, b: i16, c: i32, d: i64) -> Option<i64> {}", "f(a Int8, b Int16, c Int32, d Int64) Int64?"),
            ("fn f(a: u8, b: u16, c: u32, d: u64) -> u8 {}", "f(a UInt8, b UInt16, c UInt32, d UInt64) UInt8"),
            ("fn f<'a>(mut text: &'a str, _: &[u8]) -> String {}", "f(text Utf8, arg2 Binary) Utf8"),
            ("fn f(a: std::option::Option<&str>) -> Option<Vec<u8>> {}", "f(a Utf8?) Binary?"),
            ("fn f(a: Vec<f64>, b: Vec<Option<i32>>) -> Option<f64> {}", "f(a [Float64], b [Int32?]) Float64?"),
            ("async fn f(a: i64) -> i64 {}", "async f(a Int64) Int64"),
        ] {
            let declared = arroyo(&format!("#[udf]\n{source}")).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!((declared.abi, short(&declared).as_str()), (Some(Abi::Arroyo), expected));
        }
    }

    #[test]
    fn the_examples_of_the_workspace_are_read() {
        for (source, expected) in [
            (include_str!("../../../udfs/multiply/src/lib.rs"), "multiply(x Float64, y Float64) Float64"),
            (include_str!("../../../udfs/shout/src/lib.rs"), "shout(text Utf8?, marks Int32?) Utf8?"),
            (
                include_str!("../../../udfs/smooth/src/lib.rs"),
                "smooth(readings [Float64?], weights [Float64?]) Float64?",
            ),
            (include_str!("../../../udfs/lookup/src/lib.rs"), "async lookup(key Int64, delay_ms Int64?) Int64?"),
        ] {
            let declared = read(source, "lib.rs").unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(short(&declared), expected);
            assert!(!declared.documentation.is_empty());
        }
        let vectorized = read(include_str!("../../../udfs/zscore/src/lib.rs"), "lib.rs").expect("it is read");
        assert_eq!(vectorized, Declared { abi: Some(Abi::Vectorized), ..Declared::default() });
    }

    #[test]
    fn what_the_format_cannot_pass_is_refused_by_name_with_its_place() {
        for (function, what, hint) in [
            (
                "fn f(flag: bool) -> i64 {}",
                "argument `flag` is `bool`, and the plugin format has no booleans",
                "0 and 1",
            ),
            ("fn f(x: i64) -> bool {}", "its result is `bool`, and the plugin format has no booleans", "0 and 1"),
            ("fn f(at: std::time::SystemTime) -> i64 {}", "argument `at` is `std::time::SystemTime`", "milliseconds"),
            ("fn f(x: f64) -> Result<f64, String> {}", "its result is `Result<f64, String>`", "`Option`"),
            ("fn f() -> f64 {}", "it takes no argument", "Give it an argument"),
            ("fn f(x: f64) {}", "it gives nothing", "-> f64"),
            ("fn f(x: String) -> f64 {}", "argument `x` is `String`, an owned text", "`&str`"),
            ("fn f(x: &f64) -> f64 {}", "argument `x` is `&f64`, a reference to a number", "leave `&` out"),
            ("fn f(x: f64) -> &'static str {}", "its result is `&str`, a borrowed text", "`String`"),
            ("fn f(x: Vec<&str>) -> f64 {}", "argument `x` is `Vec<&str>`", "another number"),
            ("fn f(x: Vec<f64>) -> Vec<f64> {}", "its result is `Vec<f64>`", "one number"),
            ("fn f(x: Vec<f64>, y: f64) -> f64 {}", "`y` is one value and another argument is a Vec", "every argument"),
            ("async fn f(x: Vec<f64>) -> f64 {}", "an aggregate cannot be async", "leave `async` out"),
            ("fn f(x: (f64, f64)) -> f64 {}", "argument `x` is `(f64, f64)`", "Arguments are"),
            ("fn f(x: HashMap<String, f64>) -> f64 {}", "argument `x` is `HashMap<String, f64>`", "parts"),
        ] {
            let error = arroyo(&format!("#[udf]\n{function}")).expect_err(function);
            assert_eq!(error.message(), "`f` cannot be called from SQL", "{function}");
            let detail = error.detail_text().unwrap_or_default();
            assert!(detail.starts_with(what) && detail.contains("--> f.rs:4:"), "{function}\n{detail}");
            assert!(error.hint_text().is_some_and(|given| given.contains(hint)), "{function}: {:?}", error.hint_text());
        }
    }

    #[test]
    fn the_options_of_an_async_function_are_read() {
        let options = |attribute: &str| {
            let declared = arroyo(&format!("#[{attribute}]\nasync fn f(x: i64) -> i64 {{}}"))?;
            Ok::<_, Error>(declared.functions[0].async_options.expect("it is async"))
        };
        let plain = AsyncOptions { ordered: false, timeout_ms: 5_000, allowed_in_flight: 1_000 };
        assert_eq!(options("udf").expect("read"), plain);
        let given = options("udf(ordered, timeout = \"2 mins\", allowed_in_flight = 7)").expect("read");
        assert_eq!(given, AsyncOptions { ordered: true, timeout_ms: 120_000, allowed_in_flight: 7 });
        for (text, expected) in
            [("5s", Some(5_000)), ("1500µs", Some(2)), ("0ms", Some(1)), ("5", None), ("5 days", None)]
        {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
        for wrong in ["udf(timeout = \"soon\")", "udf(allowed_in_flight = \"7\")", "udf(fast)"] {
            let error = options(wrong).expect_err(wrong);
            assert_eq!(error.message(), "the options of #[udf] cannot be read");
            assert!(error.detail_text().is_some_and(|detail| detail.contains("--> f.rs:3:")), "{error}");
        }
        assert!(arroyo("#[udf]\nfn f(x: i64) -> i64 {}").expect("read").functions[0].async_options.is_none());
    }

    #[test]
    fn an_error_shows_the_line_and_the_place() {
        let error = arroyo("#[udf]\nfn gate(x: f64, flag: Option<bool>) -> f64 {}").expect_err("a bool");
        let expected = "argument `flag` is `Option<bool>`, and the plugin format has no booleans\n \
                        --> f.rs:4:23\n  |\n4 | fn gate(x: f64, flag: Option<bool>) -> f64 {}\n  \
                        |                       ^";
        assert_eq!(error.detail_text(), Some(expected));
        let error = read("fn f( {}", "g.rs").expect_err("no Rust");
        assert_eq!(error.message(), "this is not Rust source");
        assert!(error.detail_text().is_some_and(|detail| detail.contains("--> g.rs:1:")), "{error}");
    }

    #[test]
    fn a_library_holds_one_function_of_rows_or_any_number_of_arrays() {
        let error = arroyo("#[udf]\nfn a(x: f64) -> f64 {}\nmod m { #[udf] fn b(x: f64) -> f64 {} }").expect_err("two");
        assert_eq!(error.message(), "one library holds one function of Arroyo's format");
        assert!(error.detail_text().is_some_and(|detail| detail.starts_with("#[udf] stands on `a` and again on `b`")));
        let both = "#[udf]\nfn a(x: f64) -> f64 {}\n#[alcedo_udf::udf]\nfn b(x: &Float64Array) -> Float64Array {}";
        assert_eq!(arroyo(both).expect_err("mixed").message(), "one library holds functions of one kind");
        assert_eq!(read("fn helper(x: f64) -> f64 { x }", "f.rs").expect("read"), Declared::default());
    }

    #[test]
    fn the_kind_follows_from_where_the_attribute_comes() {
        let function = "fn f(x: f64) -> f64 { x }";
        for (source, abi) in [
            (format!("#[arroyo_udf_plugin::udf]\n{function}"), Abi::Arroyo),
            (format!("use arroyo_udf_plugin::*;\n#[udf(ordered)]\n{function}"), Abi::Arroyo),
            (format!("#[udf]\n{function}"), Abi::Arroyo),
            (format!("#[alcedo_udf::udf]\n{function}"), Abi::Vectorized),
            (format!("use alcedo_udf::{{Float64Array, udf}};\n#[udf]\n{function}"), Abi::Vectorized),
            (format!("use alcedo_udf::udf as vectorized;\n#[vectorized]\n{function}"), Abi::Vectorized),
            (format!("use alcedo_udf as kit;\n#[kit::udf]\n{function}"), Abi::Vectorized),
            (format!("use alcedo_udf::*;\n#[udf]\n{function}"), Abi::Vectorized),
        ] {
            assert_eq!(read(&source, "f.rs").expect("read").abi, Some(abi), "{source}");
        }
    }
}
