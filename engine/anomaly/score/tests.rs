//! Scores agree with the seed's, whatever the batch.

use std::path::Path;

use super::*;
use crate::anomaly::{Separators, car_autoencoder, parse_row};

/// The demo's own line, row 1 of the model's training set, and the score its Java original prints.
pub(crate) const DEMO_LINE: &str = include_str!("../../../models/demo_line.txt");
const DEMO_SCORE: f64 = 1.2104138026620321;

fn score_lines(model: &Model, lines: &[&str]) -> Scores {
    score(model, lines.len(), &mut |row, features| match parse_row(lines[row].as_bytes(), Separators::Hash, features) {
        Ok(()) => Features::Ready,
        Err(fault) => Features::Fault(fault),
    })
    .expect("a checked model runs")
}

fn relative_error(score: f64, expected: f64) -> f64 {
    ((score - expected) / expected).abs()
}

#[test]
fn the_demo_line_scores_as_in_java_and_f64_stays_f64() {
    let model = car_autoencoder(Precision::F64).expect("the embedded model loads");
    let scores = score_lines(&model, &[DEMO_LINE]);
    assert!(relative_error(scores.values[0], DEMO_SCORE) <= 1e-14, "{}", scores.values[0]);
    // A million times nearer than f32 can come.
    let model = car_autoencoder(Precision::F32).expect("the embedded model loads");
    let scores = score_lines(&model, &[DEMO_LINE]);
    assert!(relative_error(scores.values[0], DEMO_SCORE) <= 2e-6, "{}", scores.values[0]);
}

/// Lines with the scores of the Java original: `id,text,score,score in scaled units`. Kept outside the project.
#[test]
fn lines_with_known_scores_agree() {
    let directory = std::env::var("ALCEDO_SEED_MODEL_DIR").unwrap_or_else(|_| "../shared/seed_model".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join("seed_lines.csv");
    let Ok(file) = std::fs::read_to_string(&path) else {
        eprintln!("skipped 1: no {}", path.display());
        return;
    };
    let lines: Vec<(&str, f64)> = file
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[1], fields[2].parse().expect("a score"))
        })
        .collect();
    assert!(lines.len() >= 26, "{} lines", lines.len());
    let texts: Vec<&str> = lines.iter().map(|line| line.0).collect();
    for (precision, tolerance) in [(Precision::F64, 1e-14), (Precision::F32, 2e-6)] {
        let model = car_autoencoder(precision).expect("the embedded model loads");
        let scores = score_lines(&model, &texts);
        assert_eq!(scores.faults, []);
        for (score, (_, expected)) in scores.values.iter().zip(&lines) {
            assert!(relative_error(*score, *expected) <= tolerance, "{precision}: {score} for {expected}");
        }
    }
}

#[test]
fn a_score_does_not_depend_on_the_batch_it_is_in() {
    let model = car_autoencoder(Precision::F64).expect("the embedded model loads");
    let mut state = 7_u64;
    let rows: Vec<f64> = (0..1_025 * model.width())
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) % 800) as f64 / 100.0 + 1.0
        })
        .collect();
    let scores = |count: usize| {
        score(&model, count, &mut |row, features| {
            features.copy_from_slice(&rows[row * model.width()..][..model.width()]);
            Features::Ready
        })
        .expect("a checked model runs")
        .values
    };
    let all = scores(1_025);
    for count in [0, 1, 2, 3, 17, 300, 1_023, 1_024] {
        assert_eq!(scores(count), all[..count], "batch of {count}");
    }
}

#[test]
fn faulty_and_null_rows_leave_their_neighbours_alone() {
    let model = car_autoencoder(Precision::F64).expect("the embedded model loads");
    let alone = score_lines(&model, &[DEMO_LINE]).values[0];
    let rows = [Some("1#2"), Some(DEMO_LINE), None, Some("x"), Some(DEMO_LINE)];
    let scores = score(&model, rows.len(), &mut |row, features| match rows[row] {
        None => Features::Null,
        Some(text) => match parse_row(text.as_bytes(), Separators::Hash, features) {
            Ok(()) => Features::Ready,
            Err(fault) => Features::Fault(fault),
        },
    })
    .expect("a checked model runs");
    assert_eq!(scores.valid, [false, true, false, false, true]);
    assert_eq!([scores.values[1], scores.values[4]], [alone, alone]);
    let expected = [(0, RowFault::TooFew { found: 2, wanted: 210 }), (3, RowFault::NotANumber { field: 1, byte: 1 })];
    assert_eq!(scores.faults, expected);
}

#[test]
fn nan_gives_nan_and_extra_fields_change_nothing() {
    let model = car_autoencoder(Precision::F64).expect("the embedded model loads");
    let alone = score_lines(&model, &[DEMO_LINE]).values[0];
    let nan = format!("NaN{}", &DEMO_LINE[4..]);
    let longer = format!("{DEMO_LINE}# 7.00# not even a number");
    let scores = score_lines(&model, &[&nan, &longer, DEMO_LINE]);
    assert!(scores.values[0].is_nan() && scores.valid[0]);
    assert_eq!(scores.values[1..], [alone, alone]);
    assert_eq!(scores.faults, []);
}
