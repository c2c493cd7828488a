//! The attribute macro of `alcedo-udf`. It depends on nothing, so that a function builds in a second and offline.
//!
//! [`udf`] leaves the function as it is and adds what calls it from outside: an entry point, a description, and a line in
//! the list of the library's functions. In reading order: the macro, `Options`, `Signature`, `fill`.

use proc_macro::{Delimiter, Group, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

/// Makes a function callable from SQL.
///
/// The function takes at least one array by reference and returns an array, or a `Result` of one and anything that can
/// be displayed. Options, separated by commas: `nulls = "propagate"`, `volatile`, `name = "..."`; `alcedo-udf` explains
/// them.
#[proc_macro_attribute]
pub fn udf(options: TokenStream, item: TokenStream) -> TokenStream {
    match expand(options, item.clone()) {
        Ok(generated) => item.into_iter().chain(generated).collect(),
        Err(Refused { text, span }) => {
            let error: TokenStream = format!("::core::compile_error!({});", Literal::string(&text))
                .parse()
                .expect("an invocation of a macro");
            // The function stays, so that its callers do not fail, too.
            item.into_iter().chain(error.into_iter().map(|tree| spanned(tree, span))).collect()
        }
    }
}

/// What the macro does not take, and where that stands.
struct Refused {
    text: String,
    span: Span,
}

fn refused<T>(text: impl Into<String>, span: Span) -> Result<T, Refused> {
    Err(Refused { text: text.into(), span })
}

fn spanned(tree: TokenTree, span: Span) -> TokenTree {
    let mut tree = match tree {
        TokenTree::Group(group) => {
            let inner = group.stream().into_iter().map(|tree| spanned(tree, span)).collect();
            TokenTree::Group(Group::new(group.delimiter(), inner))
        }
        other => other,
    };
    tree.set_span(span);
    tree
}

fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream, Refused> {
    let options = Options::of(options)?;
    let signature = Signature::of(item)?;
    let name = options.name.unwrap_or_else(|| signature.name.to_string().trim_start_matches("r#").to_string());
    let mut holes: Vec<(String, TokenStream)> = vec![
        ("NAME".into(), literal(&name)),
        ("DESCRIPTION".into(), literal(&signature.description)),
        ("NULLS".into(), literal_number(u32::from(options.propagate))),
        ("VOLATILE".into(), literal_number(u32::from(options.volatile))),
        ("FUNCTION".into(), TokenTree::Ident(signature.name).into()),
        ("RETURNS".into(), signature.returns),
    ];
    let (mut parameters, mut arguments, mut passed) = (String::new(), String::new(), String::new());
    for (index, (name, ty)) in signature.parameters.iter().enumerate() {
        holes.push((format!("TYPE{index}"), ty.clone()));
        parameters += &format!("::alcedo_udf::glue::parameter::<TYPE{index}>({}),", Literal::string(name));
        arguments += &format!("let argument{index} = arguments.take::<TYPE{index}>()?;");
        passed += &format!("&argument{index},");
    }
    let count = signature.parameters.len();
    let template = format!(
        "const _: () = {{
            static PARAMETERS: Shared = Shared([{parameters}]);
            struct Shared([::alcedo_udf::abi::Parameter; {count}]);
            // SAFETY: texts of the library, which never change.
            unsafe impl ::core::marker::Sync for Shared {{}}
            unsafe extern \"C\" fn call(
                columns: *mut ::alcedo_udf::abi::Column,
                count: usize,
                outcome: *mut ::alcedo_udf::abi::Outcome,
            ) {{
                // SAFETY: the engine calls this as the interface says.
                unsafe {{
                    ::alcedo_udf::glue::call::<RETURNS>(columns, count, outcome, |arguments| {{
                        {arguments}
                        ::core::result::Result::Ok(FUNCTION({passed}))
                    }})
                }}
            }}
            static DESCRIBED: ::alcedo_udf::abi::Function = ::alcedo_udf::abi::Function {{
                name: ::alcedo_udf::abi::Text::new(NAME),
                description: ::alcedo_udf::abi::Text::new(DESCRIPTION),
                version: ::alcedo_udf::abi::Text::new(::core::env!(\"CARGO_PKG_VERSION\")),
                parameters: PARAMETERS.0.as_ptr(),
                parameter_count: {count},
                result: ::alcedo_udf::glue::result::<RETURNS>(),
                nulls: NULLS,
                volatile: VOLATILE,
                call,
                next: ::core::sync::atomic::AtomicPtr::new(::core::ptr::null_mut()),
            }};
            extern \"C\" fn register() {{
                ::alcedo_udf::glue::register(&DESCRIBED);
            }}
            // The loader of the library calls what stands in this section.
            #[used]
            #[cfg_attr(target_vendor = \"apple\", unsafe(link_section = \"__DATA,__mod_init_func\"))]
            #[cfg_attr(not(target_vendor = \"apple\"), unsafe(link_section = \".init_array\"))]
            static REGISTER: extern \"C\" fn() = register;
        }};"
    );
    Ok(fill(template.parse().expect("the template is Rust"), &holes))
}

/// The template with the tokens of the function in their places, which keep their spans.
fn fill(template: TokenStream, holes: &[(String, TokenStream)]) -> TokenStream {
    let mut filled = TokenStream::new();
    for tree in template {
        match tree {
            TokenTree::Group(group) => {
                let inner = fill(group.stream(), holes);
                filled.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            TokenTree::Ident(ident) => match holes.iter().find(|(name, _)| *name == ident.to_string()) {
                Some((_, tokens)) => filled.extend(tokens.clone()),
                None => filled.extend([TokenTree::Ident(ident)]),
            },
            other => filled.extend([other]),
        }
    }
    filled
}

fn literal(text: &str) -> TokenStream {
    TokenTree::Literal(Literal::string(text)).into()
}

fn literal_number(number: u32) -> TokenStream {
    TokenTree::Literal(Literal::u32_suffixed(number)).into()
}

/// The text of a literal such as `"a"` or `r"a"`.
fn text_of(literal: &Literal) -> Option<String> {
    let written = literal.to_string();
    if let Some(raw) = written.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_string());
    }
    let inner = written.strip_prefix('"')?.strip_suffix('"')?;
    let (mut text, mut characters) = (String::new(), inner.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Some(text)
}

/// What stands in the attribute's parentheses.
#[derive(Default)]
struct Options {
    propagate: bool,
    volatile: bool,
    name: Option<String>,
}

impl Options {
    fn of(tokens: TokenStream) -> Result<Options, Refused> {
        let mut options = Options::default();
        for option in split(tokens) {
            let mut trees = option.into_iter();
            let Some(first) = trees.next() else { continue };
            let (name, span) = (first.to_string(), first.span());
            let value = match (trees.next(), trees.next(), trees.next()) {
                (None, ..) => None,
                (Some(TokenTree::Punct(equals)), Some(TokenTree::Literal(value)), None)
                    if equals.as_char() == '=' && text_of(&value).is_some() =>
                {
                    text_of(&value)
                }
                _ => return refused(format!("`{name}` takes a text: {name} = \"...\""), span),
            };
            match (name.as_str(), value.as_deref()) {
                ("nulls", Some("propagate")) => options.propagate = true,
                ("nulls", Some("pass")) => options.propagate = false,
                ("nulls", _) => {
                    let text =
                        "`nulls` is \"propagate\" (a row with a NULL argument is NULL) or \"pass\" (the default)";
                    return refused(text, span);
                }
                ("volatile", None) => options.volatile = true,
                ("name", Some(name)) if !name.is_empty() => options.name = Some(name.to_string()),
                _ => return refused("the options are `nulls = \"propagate\"`, `volatile` and `name = \"...\"`", span),
            }
        }
        Ok(options)
    }
}

/// The parts of a function that the macro needs.
struct Signature {
    name: Ident,
    description: String,
    /// Name and type of each argument, the type without its `&`.
    parameters: Vec<(String, TokenStream)>,
    returns: TokenStream,
}

impl Signature {
    fn of(item: TokenStream) -> Result<Signature, Refused> {
        let trees: Vec<TokenTree> = item.into_iter().collect();
        let Some(keyword) = trees.iter().position(|tree| is_ident(tree, "fn")) else {
            return refused("#[udf] stands on a function", Span::call_site());
        };
        for tree in &trees[..keyword] {
            if let TokenTree::Ident(ident) = tree
                && ["async", "unsafe", "extern"].contains(&ident.to_string().as_str())
            {
                return refused("#[udf] stands on a plain `fn`", ident.span());
            }
        }
        let Some(TokenTree::Ident(name)) = trees.get(keyword + 1) else {
            return refused("#[udf] stands on a function with a name", trees[keyword].span());
        };
        let Some(TokenTree::Group(inside)) = trees.get(keyword + 2) else {
            return refused("a function for SQL has no type parameters", name.span());
        };
        let parameters = split(inside.stream())
            .into_iter()
            .map(|tokens| parameter(tokens, inside.span()))
            .collect::<Result<Vec<_>, _>>()?;
        if parameters.is_empty() {
            return refused(
                "a function for SQL takes at least one array, which says how many rows there are",
                name.span(),
            );
        }
        let mut rest = trees[keyword + 3..].iter();
        let arrow =
            rest.next().is_some_and(|tree| is_punct(tree, '-')) && rest.next().is_some_and(|tree| is_punct(tree, '>'));
        if !arrow {
            return refused("a function for SQL returns an array", name.span());
        }
        let returns: TokenStream = rest
            .take_while(|tree| {
                !is_ident(tree, "where")
                    && !matches!(tree, TokenTree::Group(body) if body.delimiter() == Delimiter::Brace)
            })
            .cloned()
            .collect();
        Ok(Signature { name: name.clone(), description: description(&trees[..keyword]), parameters, returns })
    }
}

/// Name and type of `name: &Type`.
fn parameter(tokens: TokenStream, span: Span) -> Result<(String, TokenStream), Refused> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let Some(colon) = trees.iter().position(|tree| is_punct(tree, ':')) else {
        return refused("an argument is a name and a type: `readings: &Float64Array`", span);
    };
    let name = match trees[..colon].last() {
        Some(TokenTree::Ident(name)) => name.to_string().trim_start_matches("r#").trim_start_matches('_').to_string(),
        _ => return refused("an argument has a plain name", span),
    };
    let ty = &trees[colon + 1..];
    if !ty.first().is_some_and(|tree| is_punct(tree, '&')) {
        let span = ty.first().map_or(span, TokenTree::span);
        return refused("an argument is an array by reference: `readings: &Float64Array`", span);
    }
    Ok((name, ty[1..].iter().cloned().collect()))
}

/// The doc comment above a function, as one text.
fn description(before: &[TokenTree]) -> String {
    let mut lines = Vec::new();
    for tree in before {
        let TokenTree::Group(attribute) = tree else { continue };
        let trees: Vec<TokenTree> = attribute.stream().into_iter().collect();
        if let [name, _, TokenTree::Literal(line)] = trees.as_slice()
            && is_ident(name, "doc")
            && let Some(line) = text_of(line)
        {
            lines.push(line.trim().to_string());
        }
    }
    lines.join(" ").trim().to_string()
}

/// Tokens between commas, those inside `<...>` not counted; what follows the last comma may be empty and is left out.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let (mut parts, mut part, mut depth, mut after_dash) = (Vec::new(), Vec::new(), 0_usize, false);
    for tree in tokens {
        let mut dash = false;
        if let TokenTree::Punct(punct) = &tree {
            match punct.as_char() {
                '<' => depth += 1,
                // The `>` of `->` closes nothing.
                '>' if !after_dash => depth = depth.saturating_sub(1),
                '-' => dash = punct.spacing() == Spacing::Joint,
                ',' if depth == 0 => {
                    parts.push(part.drain(..).collect());
                    after_dash = false;
                    continue;
                }
                _ => {}
            }
        }
        after_dash = dash;
        part.push(tree);
    }
    if !part.is_empty() {
        parts.push(part.into_iter().collect());
    }
    parts
}

fn is_ident(tree: &TokenTree, name: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident.to_string() == name)
}

fn is_punct(tree: &TokenTree, character: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == character)
}
