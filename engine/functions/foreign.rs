//! Functions that come as ready-made DataFusion [`ScalarUDF`]s and [`AggregateUDF`]s, from whoever embeds the engine.
//!
//! The rules of such a function are its own:
//! - **Types**: its signature decides what it takes, by DataFusion's coercion. It may use Arrow types in which no column
//!   of the engine lives (32-bit floats, string views, ...): a call is then wrapped, arguments are cast from the engine's
//!   type to the function's, the result to the engine's.
//! - **Nulls** reach the function as they are; it decides what they give. A result may be null whatever it declares.
//! - **Volatility**: an immutable one is computed once where its arguments are constants, and a volatile one for every row.
//! - An `Err` fails the rows it was called with, which are then evaluated one by one: those that fail are null and
//!   reported, the others go on.

use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};

use super::declaration::{Category, Declaration, FunctionKind, ParamType, Variation};
use crate::error::{Code, Error, Result};
use crate::types::SqlType;

/// What such a function says about itself: its documentation, where it has one, and its forms as far as its signature
/// names types. Forms are for descriptions; calls are resolved by DataFusion's rules.
pub fn declare(udf: &ScalarUDF) -> Declaration {
    let returns = |types: &[DataType]| udf.return_type(types).ok();
    declaration(FunctionKind::Scalar, udf.name(), udf.signature(), udf.documentation(), &returns)
}

/// The same of an aggregate.
pub fn declare_aggregate(udaf: &AggregateUDF) -> Declaration {
    let returns = |types: &[DataType]| udaf.return_type(types).ok();
    declaration(FunctionKind::Aggregate, udaf.name(), udaf.signature(), udaf.documentation(), &returns)
}

fn declaration(
    kind: FunctionKind,
    name: &str,
    signature: &Signature,
    documentation: Option<&Documentation>,
    returns: &dyn Fn(&[DataType]) -> Option<DataType>,
) -> Declaration {
    let description = documentation.map(|documentation| documentation.description.trim().to_string());
    let mut declaration = Declaration::new(
        kind,
        Category::User,
        name.to_uppercase(),
        description.unwrap_or_else(|| "A function of the program that embeds the engine.".into()),
    );
    declaration.author = "user".into();
    declaration.volatile = signature.volatility == Volatility::Volatile;
    declaration.facts.push(("Origin".into(), "registered by the program".into()));
    declaration.facts.push(("Nulls".into(), "reach the function, which decides".into()));
    let names = documentation.and_then(|documentation| documentation.arguments.as_deref()).unwrap_or_default();
    for types in forms(&signature.type_signature) {
        let returns = returns(&types).and_then(|data_type| SqlType::from_arrow(&data_type));
        let returns = returns.map_or(ParamType::Generic("ANY"), ParamType::from);
        let mut form = Variation::new(returns, "");
        for (index, data_type) in types.iter().enumerate() {
            let ty = SqlType::from_arrow(data_type).map_or(ParamType::Generic("ANY"), ParamType::from);
            let (name, description) = names.get(index).cloned().unwrap_or_default();
            let name = if name.is_empty() { format!("arg{}", index + 1) } else { name };
            form = form.param(name, ty, description);
        }
        declaration.variations.push(form);
    }
    declaration
}

/// The lists of argument types a signature names.
fn forms(signature: &TypeSignature) -> Vec<Vec<DataType>> {
    match signature {
        TypeSignature::Exact(types) => vec![types.clone()],
        TypeSignature::Uniform(count, types) => types.iter().map(|ty| vec![ty.clone(); *count]).collect(),
        TypeSignature::Nullary => vec![vec![]],
        TypeSignature::OneOf(signatures) => signatures.iter().flat_map(forms).collect(),
        TypeSignature::Any(count) => vec![vec![DataType::Null; *count]],
        _ => vec![],
    }
}

/// A call of such a function.
pub struct ForeignCall {
    /// The function, wrapped where types have to be converted.
    pub udf: Arc<ScalarUDF>,
    /// What the arguments must be cast to.
    pub arg_types: Vec<SqlType>,
    /// The type of the result.
    pub return_type: SqlType,
}

/// Resolves a call by DataFusion's rules; `None` is the type of a NULL literal.
///
/// # Errors
/// When the function does not take the arguments, or works on types that SQL has no name for.
pub fn resolve(udf: &Arc<ScalarUDF>, args: &[Option<SqlType>]) -> Result<ForeignCall> {
    let name = udf.name().to_uppercase();
    let refused = |error: datafusion::error::DataFusionError| {
        let text = error.strip_backtrace();
        Error::refused(Code::WrongArgumentTypes, format!("{name} does not take these arguments"))
            .detail(text.lines().next().unwrap_or_default().to_string())
    };
    let given: Vec<FieldRef> = args
        .iter()
        .map(|arg| Arc::new(Field::new("arg", arg.as_ref().map_or(DataType::Null, SqlType::to_arrow), true)))
        .collect();
    let wanted = fields_with_udf(&given, udf.as_ref()).map_err(refused)?;
    let scalars = vec![None; wanted.len()];
    let returned = udf
        .return_field_from_args(ReturnFieldArgs { arg_fields: &wanted, scalar_arguments: &scalars })
        .map_err(refused)?;
    let sql_type = |data_type: &DataType| match data_type {
        DataType::Null => Ok(SqlType::String),
        data_type => SqlType::from_arrow(data_type).ok_or_else(|| {
            Error::refused(Code::WrongArgumentTypes, format!("{name} works on {data_type}, for which SQL has no type"))
        }),
    };
    let arg_types = wanted.iter().map(|field| sql_type(field.data_type())).collect::<Result<Vec<_>>>()?;
    let return_type = sql_type(returned.data_type())?;
    let wanted: Vec<DataType> = wanted.iter().map(|field| field.data_type().clone()).collect();
    let converts = arg_types.iter().zip(&wanted).any(|(ty, wanted)| ty.to_arrow() != *wanted)
        || return_type.to_arrow() != *returned.data_type();
    let udf = if converts {
        let signature = Signature::exact(arg_types.iter().map(SqlType::to_arrow).collect(), udf.signature().volatility);
        let converted = Converted { inner: udf.clone(), signature, wanted, returned, returns: return_type.to_arrow() };
        Arc::new(ScalarUDF::from(converted))
    } else {
        udf.clone()
    };
    Ok(ForeignCall { udf, arg_types, return_type })
}

/// A function between casts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Converted {
    inner: Arc<ScalarUDF>,
    signature: Signature,
    wanted: Vec<DataType>,
    returned: FieldRef,
    returns: DataType,
}

impl ScalarUDFImpl for Converted {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        for (arg, wanted) in args.args.iter_mut().zip(&self.wanted) {
            if arg.data_type() != *wanted {
                *arg = arg.cast_to(wanted, None)?;
            }
        }
        args.arg_fields = args
            .arg_fields
            .iter()
            .zip(&self.wanted)
            .map(|(field, wanted)| Arc::new(field.as_ref().clone().with_data_type(wanted.clone())))
            .collect();
        args.return_field = self.returned.clone();
        Ok(match self.inner.invoke_with_args(args)? {
            ColumnarValue::Array(array) => ColumnarValue::Array(cast(&array, &self.returns)?),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.cast_to(&self.returns)?),
        })
    }
}
