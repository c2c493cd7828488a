//! `ANOMALY`: the score of a feature vector under a model.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, GenericStringArray, OffsetSizeTrait, StringBuilder, StringViewArray,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{DataFusionError, Result as DfResult};

use crate::anomaly::{Features, Model, Precision, RowFault, Scores, Separators, car_autoencoder, parse_row, score};
use crate::error::Result;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::{SqlType, java_double};

/// The function. It has no state: the model is shared by all calls of the process.
#[derive(Debug)]
pub struct Anomaly;

impl ScalarFunction for Anomaly {
    fn declare(&self) -> Declaration {
        Declaration::scalar(
            Category::Anomaly,
            "ANOMALY",
            "How far a vector of sensor readings is from what the autoencoder car_autoencoder expects.",
        )
        .form(
            Variation::new(
                SqlType::String,
                "The mean squared error between the readings and their reconstruction, as text. NULL for a text that \
                 holds fewer than 210 numbers or something else than numbers; readings after the 210th are ignored.",
            )
            .param("sensorinput", SqlType::String, "210 numbers with # between them."),
        )
        .form(Variation::new(SqlType::Double, "The same of readings that are numbers already.").param(
            "readings",
            ParamType::array(SqlType::Double),
            "210 numbers; NULL among them counts as NaN, and NaN makes the score NaN.",
        ))
        .example("ROUND(CAST(ANOMALY(LPAD('0', 419, '0#')) AS DOUBLE), 6)", "26.976309")
    }

    fn prepare(&self) -> Result<()> {
        car_autoencoder(Precision::F64).map(|_| ())
    }

    fn takes_any_layout(&self) -> bool {
        true
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let model = car_autoencoder(Precision::F64).map_err(external)?;
        let input = call
            .args
            .first()
            .ok_or_else(|| DataFusionError::Internal("ANOMALY was called without an argument".into()))?;
        match input.data_type() {
            DataType::Utf8 => text_scores(&model, input.as_string::<i32>()),
            DataType::LargeUtf8 => text_scores(&model, input.as_string::<i64>()),
            DataType::Utf8View => text_scores(&model, input.as_string_view()),
            _ => list_scores(&model, input),
        }
    }
}

/// The errors of loading and running a model, for DataFusion.
fn external(error: crate::error::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A column of texts, whatever its layout.
trait Texts {
    fn rows(&self) -> usize;
    fn text(&self, row: usize) -> Option<&[u8]>;
}

impl<O: OffsetSizeTrait> Texts for &GenericStringArray<O> {
    fn rows(&self) -> usize {
        self.len()
    }
    fn text(&self, row: usize) -> Option<&[u8]> {
        self.is_valid(row).then(|| self.value(row).as_bytes())
    }
}

impl Texts for &StringViewArray {
    fn rows(&self) -> usize {
        self.len()
    }
    fn text(&self, row: usize) -> Option<&[u8]> {
        self.is_valid(row).then(|| self.value(row).as_bytes())
    }
}

fn text_scores(model: &Model, texts: impl Texts) -> DfResult<ArrayRef> {
    let rows = texts.rows();
    let scores = score(model, rows, &mut |row, features| match texts.text(row) {
        None => Features::Null,
        Some(text) => match parse_row(text, Separators::Hash, features) {
            Ok(()) => Features::Ready,
            Err(fault) => Features::Fault(fault),
        },
    })
    .map_err(external)?;
    report(&scores);
    // A score has 17 digits or fewer, a point, and rarely an exponent.
    let mut column = StringBuilder::with_capacity(rows, rows * 20);
    let mut buffer = java_double::Buffer::new();
    for (&value, &valid) in scores.values.iter().zip(&scores.valid) {
        column.append_option(valid.then(|| buffer.format(value)));
    }
    Ok(Arc::new(column.finish()))
}

fn list_scores(model: &Model, input: &ArrayRef) -> DfResult<ArrayRef> {
    // What the elements of each row are: a range of one flat column of f64.
    let (elements, ranges): (ArrayRef, Box<dyn Fn(usize) -> std::ops::Range<usize>>) = match input.data_type() {
        DataType::List(_) => {
            let list = input.as_list::<i32>().clone();
            (
                list.values().clone(),
                Box::new(move |row| {
                    let offsets = list.value_offsets();
                    offsets[row] as usize..offsets[row + 1] as usize
                }),
            )
        }
        DataType::LargeList(_) => {
            let list = input.as_list::<i64>().clone();
            (
                list.values().clone(),
                Box::new(move |row| {
                    let offsets = list.value_offsets();
                    offsets[row] as usize..offsets[row + 1] as usize
                }),
            )
        }
        DataType::FixedSizeList(_, _) => {
            let list = input.as_fixed_size_list().clone();
            let length = list.value_length() as usize;
            (list.values().clone(), Box::new(move |row| row * length..(row + 1) * length))
        }
        other => return Err(DataFusionError::Internal(format!("ANOMALY was called with {other}"))),
    };
    let elements = match elements.data_type() {
        DataType::Float64 | DataType::Float32 => elements,
        _ => cast(&elements, &DataType::Float64)?,
    };
    let width = model.width();
    let rows = input.len();
    let fill = |row: usize, features: &mut [f64], copy: &dyn Fn(usize, &mut [f64])| {
        if input.is_null(row) {
            return Features::Null;
        }
        let range = ranges(row);
        if range.len() < width {
            return Features::Fault(RowFault::TooFew { found: range.len(), wanted: width });
        }
        copy(range.start, features);
        if elements.null_count() > 0 {
            for (index, feature) in features.iter_mut().enumerate() {
                if elements.is_null(range.start + index) {
                    *feature = f64::NAN;
                }
            }
        }
        Features::Ready
    };
    let scores = if let Some(values) = elements.as_primitive_opt::<Float64Type>() {
        let values = values.values();
        let copy = |start: usize, features: &mut [f64]| features.copy_from_slice(&values[start..start + width]);
        score(model, rows, &mut |row, features| fill(row, features, &copy))
    } else {
        let values = elements.as_primitive::<Float32Type>().values();
        let copy = |start: usize, features: &mut [f64]| {
            features.iter_mut().zip(&values[start..]).for_each(|(feature, value)| *feature = f64::from(*value));
        };
        score(model, rows, &mut |row, features| fill(row, features, &copy))
    }
    .map_err(external)?;
    report(&scores);
    let validity = NullBuffer::new(BooleanBuffer::from(scores.valid));
    Ok(Arc::new(Float64Array::new(scores.values.into(), Some(validity))))
}

fn report(scores: &Scores) {
    let rows = scores.values.len();
    for (row, fault) in &scores.faults {
        row_errors::report(*row, rows, || format!("ANOMALY: {fault}"));
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        DictionaryArray, FixedSizeListBuilder, Float32Builder, Int32Array, ListBuilder, StringArray,
    };
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;
    use crate::functions::row_errors::{RowError, with_sink};
    use crate::functions::scalar::testing::{call, call_constant, resolve};

    const LINE: &str = include_str!("../../../models/demo_line.txt");
    const SCORE: f64 = 1.2104138026620321;

    fn close(score: f64, tolerance: f64) -> bool {
        ((score - SCORE) / SCORE).abs() <= tolerance
    }

    fn readings() -> Vec<f64> {
        let mut readings = vec![0.0; 210];
        parse_row(LINE.as_bytes(), Separators::Hash, &mut readings).expect("the demo's line");
        readings
    }

    #[test]
    fn text_in_gives_text_out_and_a_list_gives_a_double() {
        let numbers = |ty: SqlType| Some(SqlType::Array(Box::new(ty)));
        assert_eq!(resolve("anomaly", &[Some(SqlType::String)]).return_type, SqlType::String);
        for ty in [SqlType::Integer, SqlType::Bigint, SqlType::Decimal(6, 2), SqlType::Double] {
            let resolved = resolve("Anomaly", &[numbers(ty)]);
            assert_eq!(resolved.arg_types, [SqlType::Array(Box::new(SqlType::Double))]);
            assert_eq!(resolved.return_type, SqlType::Double);
        }
    }

    #[test]
    fn the_demo_line_scores_in_every_layout_of_text() {
        let plain = StringArray::from(vec![LINE, LINE]);
        let layouts: Vec<ArrayRef> = vec![
            Arc::new(plain.clone()),
            cast(&plain, &DataType::LargeUtf8).expect("a cast"),
            cast(&plain, &DataType::Utf8View).expect("a cast"),
            Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0, 0]), Arc::new(plain))),
        ];
        for layout in layouts {
            let result = call("ANOMALY", vec![layout]);
            for text in result.as_string::<i32>().iter().flatten() {
                let score: f64 = text.parse().expect("a number");
                assert!(close(score, 1e-14), "{text}");
            }
            assert_eq!(result.null_count(), 0);
        }
        let constant = call_constant("ANOMALY", LINE.into());
        assert!(constant.to_string().starts_with("1.21041380266203"), "{constant}");
    }

    #[test]
    fn null_is_silent_and_a_malformed_row_is_null_and_reported() {
        let short = &LINE[..LINE.len() - 6];
        let input = StringArray::from(vec![Some(LINE), None, Some(short), Some("1#zzz"), Some("NaN"), Some(LINE)]);
        let nan = format!("NaN{}", &LINE[4..]);
        let (result, errors) = with_sink(6, || call("ANOMALY", vec![Arc::new(input)]));
        let result = result.as_string::<i32>();
        assert_eq!(
            result.iter().map(|text| text.is_some()).collect::<Vec<_>>(),
            [true, false, false, false, false, true]
        );
        assert_eq!(result.value(0), result.value(5));
        let expected = [
            (2, "ANOMALY: found 209 of 210 numbers"),
            (3, "ANOMALY: field 2 at byte 3 is not a number"),
            (4, "ANOMALY: found 1 of 210 numbers"),
        ];
        let expected: Vec<RowError> =
            expected.map(|(row, message)| RowError { row: Some(row), message: message.into() }).into();
        assert_eq!(errors, expected);
        let result = call("ANOMALY", vec![Arc::new(StringArray::from(vec![nan]))]);
        assert_eq!(result.as_string::<i32>().value(0), "NaN");
    }

    #[test]
    fn lists_of_any_layout_are_scored_and_longer_ones_accepted() {
        let readings = readings();
        let mut list = ListBuilder::new(datafusion::arrow::array::Float64Builder::new());
        list.values().append_slice(&readings);
        list.append(true);
        list.append(false);
        list.values().append_slice(&readings);
        list.values().append_value(7.0);
        list.append(true);
        list.values().append_slice(&readings[..3]);
        list.append(true);
        list.values().append_null();
        list.values().append_slice(&readings[1..]);
        list.append(true);
        let list: ArrayRef = Arc::new(list.finish());
        let large =
            DataType::LargeList(Arc::new(datafusion::arrow::datatypes::Field::new_list_field(DataType::Float64, true)));
        for list in [list.clone(), cast(&list, &large).expect("a cast"), list.slice(0, 5)] {
            let (result, errors) = with_sink(5, || call("ANOMALY", vec![list]));
            let result = result.as_primitive::<Float64Type>();
            assert!(close(result.value(0), 1e-14) && close(result.value(2), 1e-14));
            assert!(result.is_null(1) && result.is_null(3) && result.value(4).is_nan());
            let expected = RowError { row: Some(3), message: "ANOMALY: found 3 of 210 numbers".into() };
            assert_eq!(errors, [expected]);
        }
        let sliced = call("ANOMALY", vec![list.slice(2, 1)]);
        assert!(close(sliced.as_primitive::<Float64Type>().value(0), 1e-14));
        let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 210);
        fixed.values().append_slice(&readings.iter().map(|&value| value as f32).collect::<Vec<_>>());
        fixed.append(true);
        let result = call("ANOMALY", vec![Arc::new(fixed.finish())]);
        // The readings went through f32, which costs digits of the score.
        assert!(close(result.as_primitive::<Float64Type>().value(0), 1e-5));
    }
}
