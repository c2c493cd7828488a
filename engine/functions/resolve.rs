//! Which form of a function a call means, and what its arguments become.
//!
//! ksqlDB's order of precedence: a form that fits the arguments as they are comes before one that needs them widened; a
//! form with a fixed number of parameters before one that repeats its last; more parameters before fewer; fewer generic
//! parameters before more. A NULL literal fits any parameter. Two forms left equal make the call ambiguous, however far
//! each of them would have to widen its arguments: `GREATEST(integer, bigint)` could be one of BIGINT, DECIMAL or DOUBLE.
//!
//! Wider than ksqlDB in one thing: where a form says the same letter twice, the two types may meet in a wider one.

use std::fmt::Write;

use super::declaration::{Declaration, ParamType, Returns, Variation};
use crate::error::{Code, Error, Result};
use crate::types::SqlType;
use crate::types::cast::{fits_implicitly, widen};

/// A call whose types are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTypes {
    /// What each argument must be cast to; its own type where nothing is to be done.
    pub arg_types: Vec<SqlType>,
    /// The type of the result.
    pub return_type: SqlType,
}

/// Chooses the form for a call; `None` is the type of a NULL literal.
///
/// # Errors
/// When no form takes the arguments, or more than one takes them equally well; both list the forms.
pub fn resolve(declaration: &Declaration, args: &[Option<SqlType>]) -> Result<ResolvedTypes> {
    for widening in [false, true] {
        let mut best: Vec<(Rank, &Variation, Bindings)> = Vec::new();
        for variation in &declaration.variations {
            let Some(bindings) = fit(variation, args, widening) else { continue };
            let rank = Rank {
                variadic: variation.variadic,
                missing: usize::MAX - variation.params.len(),
                generics: variation.params.iter().filter(|param| param.ty.is_generic()).count(),
            };
            match best.first().map(|(leader, ..)| rank.cmp(leader)) {
                None | Some(std::cmp::Ordering::Equal) => best.push((rank, variation, bindings)),
                Some(std::cmp::Ordering::Less) => best = vec![(rank, variation, bindings)],
                Some(std::cmp::Ordering::Greater) => {}
            }
        }
        match best.as_slice() {
            [] => {}
            [(_, variation, bindings)] => return settle(declaration, variation, bindings, args),
            _ => {
                return Err(Error::refused(
                    Code::AmbiguousFunction,
                    format!("{} of {} could mean more than one form of the function", declaration.name, shown(args)),
                )
                .detail(forms(declaration))
                .hint("CAST the arguments to the types of the form that is meant."));
            }
        }
    }
    Err(Error::refused(Code::WrongArgumentTypes, format!("{} does not take {}", declaration.name, shown(args)))
        .detail(forms(declaration))
        .hint(format!("DESCRIBE FUNCTION {}; says what each form does.", declaration.name)))
}

/// How well a form fits, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    variadic: bool,
    missing: usize,
    generics: usize,
}

/// What the letters of a form stand for.
type Bindings = Vec<(&'static str, SqlType)>;

/// The types that the letters of a form stand for when it takes the arguments; `None` when it does not.
fn fit(variation: &Variation, args: &[Option<SqlType>], widening: bool) -> Option<Bindings> {
    let fixed = variation.params.len() - usize::from(variation.variadic && !variation.params.is_empty());
    if args.len() < fixed || (!variation.variadic && args.len() != fixed) {
        return None;
    }
    let mut bindings = Bindings::new();
    for (index, arg) in args.iter().enumerate() {
        let param = variation.param_for(index)?;
        if let Some(arg) = arg
            && !accepts(&param.ty, arg, &mut bindings, widening)
        {
            return None;
        }
    }
    Some(bindings)
}

/// Whether a parameter takes an argument.
fn accepts(param: &ParamType, arg: &SqlType, bindings: &mut Bindings, widening: bool) -> bool {
    match (param, arg) {
        (ParamType::Exact(ty), arg) => ty == arg || (widening && converts(arg, ty)),
        (ParamType::Decimal, SqlType::Decimal(..)) => true,
        (ParamType::Decimal, SqlType::Integer | SqlType::Bigint) => widening,
        (ParamType::Array(element), SqlType::Array(arg)) => accepts(element, arg, bindings, widening),
        (ParamType::Map(key, value), SqlType::Map(arg_key, arg_value)) => {
            accepts(key, arg_key, bindings, widening) && accepts(value, arg_value, bindings, widening)
        }
        (ParamType::Generic(letter), arg) => match bindings.iter_mut().find(|(bound, _)| bound == letter) {
            None => {
                bindings.push((letter, arg.clone()));
                true
            }
            Some((_, bound)) if bound == arg => true,
            Some((_, bound)) if widening => match widen(bound, arg) {
                Some(wider) => {
                    *bound = wider;
                    true
                }
                None => false,
            },
            Some(_) => false,
        },
        _ => false,
    }
}

/// The types of a call to the chosen form.
fn settle(
    declaration: &Declaration,
    variation: &Variation,
    bindings: &Bindings,
    args: &[Option<SqlType>],
) -> Result<ResolvedTypes> {
    let unknown = || {
        Error::refused(
            Code::AmbiguousFunction,
            format!("the type of {} of {} cannot be told", declaration.name, shown(args)),
        )
        .hint("CAST the NULL to the type that is meant.")
    };
    let arg_types = args
        .iter()
        .enumerate()
        .map(|(index, arg)| {
            let param = variation.param_for(index).map(|param| &param.ty);
            // A NULL among decimals has the digits of another.
            let is_decimal = |arg: &&SqlType| matches!(arg, SqlType::Decimal(..));
            let known = arg.as_ref().or_else(|| args.iter().flatten().find(is_decimal));
            // A NULL whose letter nothing binds can be of any type.
            let any = arg.is_none().then_some(SqlType::String);
            param.and_then(|param| instance(param, bindings, known)).or(any).ok_or_else(unknown)
        })
        .collect::<Result<Vec<_>>>()?;
    let return_type = match &variation.returns {
        Returns::Type(ty) => instance(ty, bindings, None).ok_or_else(unknown)?,
        Returns::Computed { of, .. } => of(&arg_types),
    };
    Ok(ResolvedTypes { arg_types, return_type })
}

/// A parameter's type with its letters replaced; `arg` gives a decimal its digits.
fn instance(param: &ParamType, bindings: &Bindings, arg: Option<&SqlType>) -> Option<SqlType> {
    Some(match param {
        ParamType::Exact(ty) => ty.clone(),
        ParamType::Decimal => match arg {
            Some(SqlType::Decimal(precision, scale)) => SqlType::Decimal(*precision, *scale),
            Some(SqlType::Integer) => SqlType::Decimal(10, 0),
            Some(SqlType::Bigint) => SqlType::Decimal(19, 0),
            // A NULL, whose digits do not matter.
            _ => SqlType::Decimal(38, 10),
        },
        ParamType::Generic(letter) => bindings.iter().find(|(bound, _)| bound == letter)?.1.clone(),
        ParamType::Array(element) => {
            let arg = arg.and_then(|arg| if let SqlType::Array(element) = arg { Some(&**element) } else { None });
            SqlType::Array(Box::new(instance(element, bindings, arg)?))
        }
        ParamType::Map(key, value) => {
            let (arg_key, arg_value) = match arg {
                Some(SqlType::Map(key, value)) => (Some(&**key), Some(&**value)),
                _ => (None, None),
            };
            SqlType::Map(Box::new(instance(key, bindings, arg_key)?), Box::new(instance(value, bindings, arg_value)?))
        }
        // The binder resolves calls with lambdas itself; a value is never one.
        ParamType::Lambda(..) => return None,
    })
}

/// Whether a value of one type is handed to a parameter of another without a CAST: as elsewhere, and a text where bytes
/// are asked for, which it writes in Base64.
fn converts(from: &SqlType, to: &SqlType) -> bool {
    matches!((from, to), (SqlType::String, SqlType::Bytes)) || fits_implicitly(from, to)
}

fn shown(args: &[Option<SqlType>]) -> String {
    let mut text = String::from("(");
    for (index, arg) in args.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = match arg {
            None => write!(text, "{comma}NULL"),
            Some(ty) => write!(text, "{comma}{}", ParamType::from(ty.clone())),
        };
    }
    text.push(')');
    text
}

fn forms(declaration: &Declaration) -> String {
    let forms: Vec<String> = declaration.variations.iter().map(|form| declaration.call_text(form)).collect();
    format!("it takes {}", forms.join(" or "))
}

#[cfg(test)]
mod tests {
    use SqlType::{Bigint, Decimal, Double, Integer, String as Varchar};

    use super::*;
    use crate::functions::declaration::Category;

    fn declare(variations: Vec<Variation>) -> Declaration {
        variations.into_iter().fold(Declaration::scalar(Category::Other, "F", "A test."), Declaration::form)
    }

    fn numeric() -> Declaration {
        declare(vec![
            Variation::new(Bigint, "").param("a", Integer, ""),
            Variation::new(Bigint, "").param("a", Double, ""),
            Variation::new(Varchar, "").param("a", Double, "").param("b", Integer, ""),
            Variation::new(Returns::Computed { shown: "DECIMAL", of: |args| args[0].clone() }, "").param(
                "a",
                ParamType::Decimal,
                "",
            ),
        ])
    }

    fn coalesce() -> Declaration {
        let t = || ParamType::Generic("T");
        declare(vec![Variation::new(t(), "").param("first", t(), "").param("others", t(), "").repeated()])
    }

    fn types(declaration: &Declaration, args: &[Option<SqlType>]) -> (Vec<SqlType>, SqlType) {
        let resolved = resolve(declaration, args).expect("a form");
        (resolved.arg_types, resolved.return_type)
    }

    #[test]
    fn an_exact_form_wins_over_a_widened_one() {
        assert_eq!(types(&numeric(), &[Some(Integer)]), (vec![Integer], Bigint));
        assert_eq!(types(&numeric(), &[Some(Decimal(5, 2))]), (vec![Decimal(5, 2)], Decimal(5, 2)));
        assert_eq!(types(&numeric(), &[Some(Integer), Some(Integer)]), (vec![Double, Integer], Varchar));
    }

    #[test]
    fn several_widenings_are_ambiguous_however_far_they_go() {
        let error = resolve(&numeric(), &[Some(Bigint)]).expect_err("a DECIMAL or a DOUBLE");
        assert_eq!(error.message(), "F of (BIGINT) could mean more than one form of the function");
        assert_eq!(types(&numeric(), &[Some(Bigint), Some(Integer)]).0, [Double, Integer]);
    }

    #[test]
    fn a_text_stands_for_bytes_and_times() {
        for ty in [SqlType::Bytes, SqlType::Date, SqlType::Time, SqlType::Timestamp] {
            let declaration = declare(vec![Variation::new(Integer, "").param("a", ty.clone(), "")]);
            assert_eq!(types(&declaration, &[Some(Varchar)]).0, [ty]);
        }
        let declaration = declare(vec![Variation::new(Integer, "").param("a", SqlType::Boolean, "")]);
        assert!(resolve(&declaration, &[Some(Varchar)]).is_err());
    }

    #[test]
    fn generic_parameters_agree_on_a_common_type() {
        assert_eq!(types(&coalesce(), &[None, Some(Varchar)]), (vec![Varchar; 2], Varchar));
        assert_eq!(types(&coalesce(), &[Some(Integer), None, Some(Double)]), (vec![Double; 3], Double));
        let decimals = [Some(Decimal(4, 2)), Some(Bigint)];
        assert_eq!(types(&coalesce(), &decimals), (vec![Decimal(21, 2); 2], Decimal(21, 2)));
        let arrays = [Some(SqlType::Array(Box::new(Integer))), Some(SqlType::Array(Box::new(Bigint)))];
        assert_eq!(types(&coalesce(), &arrays).1, SqlType::Array(Box::new(Bigint)));
        assert!(resolve(&coalesce(), &[Some(Integer), Some(Varchar)]).is_err());
    }

    #[test]
    fn a_fixed_form_wins_over_a_repeating_one() {
        let declaration = declare(vec![
            Variation::new(Integer, "").param("a", Varchar, "").repeated(),
            Variation::new(Bigint, "").param("a", Varchar, "").param("b", Varchar, ""),
        ]);
        assert_eq!(types(&declaration, &[Some(Varchar), Some(Varchar)]).1, Bigint);
        assert_eq!(types(&declaration, &[Some(Varchar)]).1, Integer);
        assert_eq!(types(&declaration, &[]).1, Integer);
        assert_eq!(types(&declaration, &[Some(Varchar), None]).1, Bigint);
    }

    #[test]
    fn a_call_that_fits_no_form_lists_the_forms() {
        let error = resolve(&numeric(), &[Some(Varchar), None]).expect_err("no such form");
        assert_eq!(error.message(), "F does not take (VARCHAR, NULL)");
        let detail = error.detail_text().unwrap_or_default();
        assert_eq!(detail, "it takes F(a INT) or F(a DOUBLE) or F(a DOUBLE, b INT) or F(a DECIMAL)");
        assert!(resolve(&numeric(), &[]).is_err());
    }

    #[test]
    fn null_alone_is_ambiguous_or_of_no_type() {
        let error = resolve(&numeric(), &[None]).expect_err("ambiguous");
        assert_eq!(error.message(), "F of (NULL) could mean more than one form of the function");
        let error = resolve(&coalesce(), &[None, None]).expect_err("no type");
        assert_eq!(error.message(), "the type of F of (NULL, NULL) cannot be told");
    }

    #[test]
    fn arrays_widen_element_by_element() {
        let array = |element: SqlType| SqlType::Array(Box::new(element));
        let declaration = declare(vec![Variation::new(Double, "").param("a", ParamType::array(Double), "")]);
        for element in [Integer, Bigint, Decimal(10, 2), Double] {
            assert_eq!(types(&declaration, &[Some(array(element))]).0, [array(Double)]);
        }
        assert!(resolve(&declaration, &[Some(array(Varchar))]).is_err());
    }
}
