//! A model is checked when it is loaded: shapes, precision, what tract would change.

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

use super::*;
use crate::anomaly::{Features, car_autoencoder, score};

const F32: i32 = 1;
const F64: i32 = 11;
const I64: i32 = 7;

/// A tensor of `elem_type`; a dimension of 0 is a symbol.
fn value(name: &str, elem_type: i32, shape: &[i64]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&size| Dimension {
            value: Some(match size {
                0 => dimension::Value::DimParam("N".into()),
                size => dimension::Value::DimValue(size),
            }),
            ..Default::default()
        })
        .collect();
    let tensor = type_proto::Tensor { elem_type, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() }),
        ..Default::default()
    }
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        input: inputs.iter().map(|name| name.to_string()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// `ReduceMean` over the features, one number a row.
fn mean(input: &str, output: &str) -> NodeProto {
    let attribute = |name: &str, ints: Vec<i64>, i: i64, ty: AttributeType| AttributeProto {
        name: name.into(),
        ints,
        i,
        r#type: ty.into(),
        ..Default::default()
    };
    NodeProto {
        attribute: vec![
            attribute("axes", vec![1], 0, AttributeType::Ints),
            attribute("keepdims", vec![], 0, AttributeType::Int),
        ],
        ..node("ReduceMean", &[input], output)
    }
}

fn load(input: ValueInfoProto, nodes: Vec<NodeProto>, output: ValueInfoProto) -> Result<Model> {
    let proto = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(GraphProto {
            name: "g".into(),
            node: nodes,
            input: vec![input],
            output: vec![output],
            ..Default::default()
        }),
        ..Default::default()
    };
    let graph = onnx().model_for_proto_model(&proto).expect("a graph tract can read");
    Model::new(graph, String::new())
}

#[test]
fn the_embedded_models_are_what_their_card_says() {
    let card = include_str!("../../../models/car_autoencoder.md");
    for (precision, file) in [(Precision::F64, "car_autoencoder.onnx"), (Precision::F32, "car_autoencoder_f32.onnx")] {
        let model = car_autoencoder(precision).expect("the embedded model loads");
        assert_eq!((model.width(), model.precision(), model.output()), (210, precision, Output::Reconstruction));
        let line = card.lines().find(|line| line.contains(&format!("`{file}`"))).expect("a line for each file");
        assert!(line.contains(model.fingerprint()), "{file} is {}", model.fingerprint());
    }
}

#[test]
fn an_f64_graph_that_tract_would_run_in_f32_is_refused() {
    let nodes = vec![node("Mul", &["x", "x"], "sq"), mean("sq", "y")];
    let error = load(value("x", F64, &[0, 5]), nodes.clone(), value("y", F64, &[0])).expect_err("loses precision");
    assert_eq!(error.message(), "the model loses precision when it is optimised");
    load(value("x", F32, &[0, 5]), nodes, value("y", F32, &[0])).expect("f32 has nothing to lose");
}

#[test]
fn a_reconstruction_is_scored_by_its_mean_squared_error() {
    let model = load(value("x", F64, &[0, 2]), vec![node("Neg", &["x"], "y")], value("y", F64, &[0, 2]))
        .expect("a reconstruction");
    assert_eq!(model.output(), Output::Reconstruction);
    let scores = score(&model, 3, &mut |row, features| {
        features.copy_from_slice(&[row as f64, 1.0]);
        Features::Ready
    })
    .expect("a checked model runs");
    // The difference to its own negative is twice the value.
    assert_eq!(scores.values, [2.0, 4.0, 10.0]);
}

#[test]
fn a_score_may_be_a_column_and_the_batch_size_may_be_fixed_in_the_file() {
    let mut column = mean("x", "y");
    column.attribute[1].i = 1;
    let model = load(value("x", F32, &[1, 4]), vec![column], value("y", F32, &[1, 1])).expect("[N, 1]");
    let scores = score(&model, 2, &mut |row, features| {
        features.fill(row as f64);
        Features::Ready
    });
    assert_eq!(scores.expect("a checked model runs").values, [0.0, 1.0]);
}

#[test]
fn graphs_of_another_shape_are_refused_and_say_what_they_have() {
    let refused = [
        (value("x", F64, &[0, 0]), node("Neg", &["x"], "y"), "the model's input has shape"),
        (value("x", F64, &[5]), node("Neg", &["x"], "y"), "the model's input has shape"),
        (value("x", I64, &[0, 5]), node("Neg", &["x"], "y"), "the model's input is of I64"),
        (value("x", F64, &[0, 5]), node("Transpose", &["x"], "y"), "the model returns"),
    ];
    for (input, node, start) in refused {
        let error = load(input, vec![node], value("y", F64, &[0])).expect_err(start);
        assert!(error.message().starts_with(start), "{error}");
    }
}

#[test]
fn bytes_that_are_no_model_are_an_error() {
    for bytes in [&b""[..], b"not a model", &[0xff; 100]] {
        assert!(Model::from_onnx(bytes).is_err());
    }
}

#[test]
fn padding_is_never_more_than_half_of_a_plan() {
    let model = car_autoencoder(Precision::F32).expect("the embedded model loads");
    for rows in [1, 2, 3, 5, 7, 8, 31, 64] {
        let (size, _) = model.plan_for(rows).expect("a plan");
        assert!(size.min(rows) * 2 >= size, "{rows} rows in {size}");
    }
}
