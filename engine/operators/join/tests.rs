//! A join against what SQL says of all its rows at once, and against itself with other batches and restarts in between.

use datafusion::arrow::array::{AsArray, Int32Array, Int64Array};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use proptest::prelude::*;

use super::*;
use crate::plan::{CompiledExpr, JoinSide};
use crate::types::{Column, FormatName, FormatSpec, Schema, SqlType};

/// A row: its side, its key, its time. Its number in the input is its value.
type Row = (usize, Option<i32>, i64);

/// A result: number of the left row, of the right row, key, time.
type Result4 = (Option<i64>, Option<i64>, Option<i32>, i64);

fn scan(relation: &str) -> SourceScan {
    let schema = Schema::new(vec![Column::key("ID", SqlType::Integer), Column::value("N", SqlType::Bigint)]);
    SourceScan {
        relation: relation.to_string(),
        topic: relation.to_string(),
        key_format: FormatSpec::new(FormatName::Kafka),
        value_format: FormatSpec::new(FormatName::Json),
        projection: vec![true, true, false, false, false],
        schema,
        timestamp: None,
        window: None,
        is_table: false,
    }
}

fn plan(kind: JoinKind, window: JoinWindow) -> JoinPlan {
    let side = || JoinSide {
        key: CompiledExpr {
            physical: Arc::new(PhysicalColumn::new("ID", 0)),
            sql: "ID".to_string(),
            ty: SqlType::Integer,
            lazy: false,
            absorbs: false,
        },
        compares: "ID".to_string(),
        keep: vec![1],
        repartition: None,
    };
    JoinPlan {
        right: scan("R"),
        kind,
        window,
        sides: [side(), side()],
        key_type: SqlType::Integer,
        key_format: FormatSpec::new(FormatName::Kafka),
        shows_key: true,
    }
}

/// A join under test, and the rows it asked to keep.
struct Tested {
    plan: JoinPlan,
    join: StreamJoin,
    kept: Vec<(usize, i64, Row)>,
}

impl Tested {
    fn new(kind: JoinKind, window: JoinWindow) -> Tested {
        let plan = plan(kind, window);
        let join = StreamJoin::new(&plan, &scan("L")).expect("a join");
        Tested { plan, join, kept: Vec::new() }
    }

    fn columns(&self, side: usize, numbers: &[i64]) -> RecordBatch {
        let numbers = Arc::new(Int64Array::from(numbers.to_vec()));
        RecordBatch::try_new(Arc::clone(self.join.kept_schema(side)), vec![numbers]).expect("a column")
    }

    fn side_rows(&self, side: usize, rows: &[(i64, Row)]) -> SideRows {
        let numbers: Vec<i64> = rows.iter().map(|(number, _)| *number).collect();
        SideRows {
            columns: self.columns(side, &numbers),
            keys: Arc::new(Int32Array::from_iter(rows.iter().map(|(_, row)| row.1))),
            times: rows.iter().map(|(_, row)| row.2).collect(),
        }
    }

    /// Feeds rows, the first of which has a number, all of them together.
    fn feed(&mut self, first: i64, rows: &[Row]) -> Vec<Result4> {
        let numbered: Vec<(i64, Row)> = (first..).zip(rows.iter().copied()).collect();
        let of =
            |side: usize| -> Vec<(i64, Row)> { numbered.iter().copied().filter(|(_, (of, ..))| *of == side).collect() };
        let sides = [of(0), of(1)];
        let mut next = [0, 0];
        let order = rows.iter().map(|(side, ..)| {
            next[*side] += 1;
            (*side, next[*side] - 1)
        });
        let order: Vec<(usize, usize)> = order.collect();
        let input = [self.side_rows(0, &sides[0]), self.side_rows(1, &sides[1])];
        let (mut kept, mut results) = ([Vec::new(), Vec::new()], Vec::new());
        self.join
            .process(&input, &order, &mut kept, &mut |joined| {
                let number = |column: usize, row: usize| {
                    let column = joined.columns.column(column).as_primitive::<Int64Type>();
                    column.is_valid(row).then(|| column.value(row))
                };
                let keys = joined.columns.column(2).as_primitive::<Int32Type>();
                for (row, time) in joined.times.iter().enumerate() {
                    let key = keys.is_valid(row).then(|| keys.value(row));
                    results.push((number(0, row), number(1, row), key, *time));
                }
                Ok(true)
            })
            .expect("it joins");
        for side in [0, 1] {
            self.kept.extend(kept[side].iter().map(|at| (side, sides[side][*at].0, sides[side][*at].1)));
        }
        results
    }

    /// Another join that is given what this one asked to keep.
    fn again(&mut self) {
        let mut join = StreamJoin::new(&self.plan, &scan("L")).expect("a join");
        for side in [0, 1] {
            // What nobody can meet any more need not be kept.
            let from = self.join.kept_from(side);
            let kept = self.kept.iter().filter(|(of, _, row)| *of == side && row.2 >= from);
            let kept: Vec<(i64, Row)> = kept.map(|(_, number, row)| (*number, *row)).collect();
            join.restore(side, &self.side_rows(side, &kept)).expect("it is restored");
        }
        join.restored();
        self.join = join;
    }
}

/// All results of rows that are cut into batches where `cuts` says so, with a restart before each batch if asked for.
fn run(kind: JoinKind, window: JoinWindow, rows: &[Row], cut: impl Fn(usize) -> bool, restart: bool) -> Vec<Result4> {
    let mut tested = Tested::new(kind, window);
    let mut results = Vec::new();
    let mut start = 0;
    for end in 1..=rows.len() {
        if end == rows.len() || cut(end) {
            if restart {
                tested.again();
            }
            results.extend(tested.feed(start as i64, &rows[start..end]));
            start = end;
        }
    }
    results
}

/// What SQL says of all rows at once: every pair that is close enough, and of an outer join the rows without one.
fn at_once(kind: JoinKind, window: JoinWindow, rows: &[Row]) -> Vec<Result4> {
    let (mut results, mut met) = (Vec::new(), vec![false; rows.len()]);
    for (l, left) in rows.iter().enumerate().filter(|(_, row)| row.0 == 0 && row.1.is_some()) {
        for (r, right) in rows.iter().enumerate().filter(|(_, row)| row.0 == 1 && row.1 == left.1) {
            if right.2 >= left.2 - window.before && right.2 <= left.2 + window.after {
                met[l] = true;
                met[r] = true;
                results.push((Some(l as i64), Some(r as i64), left.1, left.2.max(right.2)));
            }
        }
    }
    for (at, (side, key, time)) in rows.iter().enumerate().filter(|(_, row)| row.1.is_some()) {
        if kind.keeps(*side) && !met[at] {
            let (left, right) = if *side == 0 { (Some(at as i64), None) } else { (None, Some(at as i64)) };
            results.push((left, right, *key, *time));
        }
    }
    results.sort_unstable();
    results
}

fn sorted(mut results: Vec<Result4>) -> Vec<Result4> {
    results.sort_unstable();
    results
}

fn kinds() -> impl Strategy<Value = JoinKind> {
    prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left), Just(JoinKind::Right), Just(JoinKind::Full)]
}

fn rows(times: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec((0..2_usize, proptest::option::weighted(0.9, 0..3_i32), times), 0..60)
}

fn windows() -> impl Strategy<Value = JoinWindow> {
    (0..20_i64, 0..20_i64, 0..30_i64).prop_map(|(before, after, grace)| JoinWindow {
        before,
        after,
        grace: Some(grace),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Rows that come in time, then one of another key that closes all windows: the result is that of SQL.
    #[test]
    fn what_comes_in_time_is_joined_as_sql_joins_it(kind in kinds(), mut rows in rows(0..100), window in windows()) {
        // Each row is at most as late as the grace allows.
        let mut latest = 0;
        for row in &mut rows {
            row.2 = row.2.max(latest - window.grace.unwrap_or_default());
            latest = latest.max(row.2);
        }
        let expected = at_once(kind, window, &rows);
        rows.push((0, Some(99), 1_000_000));
        let results = run(kind, window, &rows, |_| false, false);
        let results = results.into_iter().filter(|result| result.2 != Some(99)).collect();
        prop_assert_eq!(sorted(results), expected);
    }

    /// Whatever comes, how it is cut into batches and where the process was started again does not show.
    #[test]
    fn cuts_and_restarts_do_not_show(
        kind in kinds(),
        rows in rows(0..200),
        mut window in windows(),
        eager in any::<bool>(),
        cuts in proptest::collection::vec(any::<bool>(), 60),
    ) {
        if eager {
            window.grace = None;
        }
        let whole = run(kind, window, &rows, |_| false, false);
        prop_assert_eq!(&run(kind, window, &rows, |_| true, false), &whole);
        prop_assert_eq!(&run(kind, window, &rows, |at| cuts[at % cuts.len()], true), &whole);
    }
}

const WINDOW: JoinWindow = JoinWindow { before: 10, after: 10, grace: Some(5) };

#[test]
fn a_row_without_a_partner_waits_until_none_can_come() {
    let mut tested = Tested::new(JoinKind::Left, WINDOW);
    assert_eq!(tested.feed(0, &[(0, Some(1), 100)]), []);
    // A partner may come until 110, and so late until stream time is 115.
    assert_eq!(tested.feed(1, &[(1, Some(2), 115)]), []);
    assert_eq!(tested.feed(2, &[(1, Some(2), 116)]), [(Some(0), None, Some(1), 100)]);
    // It is given out once.
    assert_eq!(tested.feed(3, &[(1, Some(2), 300)]), []);
}

#[test]
fn without_grace_a_row_without_a_partner_is_given_out_at_once() {
    let mut tested = Tested::new(JoinKind::Left, JoinWindow { grace: None, ..WINDOW });
    assert_eq!(tested.feed(0, &[(0, Some(1), 100)]), [(Some(0), None, Some(1), 100)]);
    assert_eq!(tested.feed(1, &[(1, Some(1), 110)]), [(Some(0), Some(1), Some(1), 110)]);
}

#[test]
fn a_row_that_comes_too_late_to_be_kept_still_looks_for_partners() {
    let mut tested = Tested::new(JoinKind::Full, WINDOW);
    tested.feed(0, &[(1, Some(1), 60)]);
    tested.feed(1, &[(0, Some(2), 100)]);
    // 25 are kept behind the latest of the side.
    assert_eq!(tested.feed(2, &[(0, Some(1), 70)]), [(Some(2), Some(0), Some(1), 70)]);
    assert_eq!(tested.feed(3, &[(1, Some(1), 75)]), [(None, Some(3), Some(1), 75)]);
    assert_eq!(tested.kept.iter().filter(|(side, ..)| *side == 0).count(), 1, "the late left row is not kept");
}

#[test]
fn what_nobody_can_meet_any_more_is_let_go() {
    let mut tested = Tested::new(JoinKind::Full, WINDOW);
    for second in 0..20_000_i64 {
        tested.feed(2 * second, &[(0, Some((second % 7) as i32), second)]);
        tested.feed(2 * second + 1, &[(1, Some((second % 5) as i32), second)]);
    }
    // 25 milliseconds of each side may still meet somebody; chunks go as a whole.
    assert!(tested.join.len() < 1_000, "{:?}", tested.join);
    assert!(tested.join.keys.len() <= 7 && tested.join.waiting.len() < 100);
    assert!(!tested.join.is_empty());
}

#[test]
fn a_row_without_a_key_holds_nobody_up_whatever_its_time() {
    let mut tested = Tested::new(JoinKind::Full, WINDOW);
    tested.feed(0, &[(0, None, 4_000_000_000_000), (0, Some(1), 1)]);
    for second in 0..20_000 {
        tested.feed(2 + second, &[(0, Some(1), second), (0, None, 4_000_000_000_000)]);
    }
    assert_eq!(tested.join.stream_time(), 19_999);
    assert!(tested.join.sides[0].len() < 20_000, "{:?}", tested.join);
    assert!(tested.join.waiting.len() < 100);
    // Also when no row of its side has one.
    for number in 0..100 {
        tested.feed(number, &[(1, None, 5)]);
    }
    assert_eq!(tested.join.sides[1].len(), 0);
}

#[test]
fn a_row_that_meets_very_many_comes_out_in_pieces() {
    let mut tested = Tested::new(JoinKind::Inner, WINDOW);
    let many: Vec<Row> = (0..20_000).map(|_| (0, Some(1), 100)).collect();
    tested.feed(0, &many);
    let (mut pieces, mut rows) = (Vec::new(), Vec::new());
    let one = [tested.side_rows(0, &[]), tested.side_rows(1, &[(7, (1, Some(1), 105))])];
    let mut take = |joined: Joined| {
        pieces.push(joined.columns.num_rows());
        rows.extend(joined.causes);
        Ok(true)
    };
    tested.join.process(&one, &[(1, 0)], &mut Default::default(), &mut take).expect("it joins");
    assert_eq!(pieces, [PIECE, PIECE, 20_000 - 2 * PIECE]);
    let mut given = 0;
    let mut enough = |_| {
        given += 1;
        Ok(false)
    };
    let more = tested.join.process(&one, &[(1, 0)], &mut Default::default(), &mut enough).expect("it joins");
    assert_eq!((more, given), (false, 1), "nobody wants more");
    assert!(rows.iter().all(|cause| *cause == 0));
}
