//! Arbitrary statements, without places, for the property that printing can be undone.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::super::super::ast::*;
use super::super::super::keywords::needs_quotes;
use super::super::super::parser::plain_type;
use crate::error::Span;
use crate::types::SqlType;

const S: Span = Span::new(0, 0);

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Z_][A-Z0-9_]{0,5}",
        2 => "[a-z0-9 `\"'.;$ä-]{1,4}",
        1 => proptest::sample::select(vec![
            "SELECT", "FROM", "EMIT", "PARTITION", "DAY", "DAYS", "MAP", "ARRAY", "STRUCT", "COLUMN", "IF", "DATE",
            "TIME",
            "KEY", "ESCAPE", "CASE", "SET", "SHOW", "TABLES", "FUNCTION", "INT", "TIMESTAMP", "NOT", "VALUES", "TYPE",
            "SOURCE", "REPLACE", "HEADERS", "GRACE", "SESSION", "PAUSE", "MODEL", "AT", "SYSTEM", "VIEW", "STRING",
        ]).prop_map(str::to_string),
    ]
}

fn ident() -> impl Strategy<Value = Ident> {
    name().prop_map(|name| Ident { name, quoted: false, span: S })
}

fn text() -> impl Strategy<Value = String> {
    "[a-z' \"`;\\\\\n$ä-]{0,6}"
}

fn string() -> impl Strategy<Value = StringLit> {
    text().prop_map(|value| StringLit { value, span: S })
}

fn unit() -> impl Strategy<Value = TimeUnit> {
    proptest::sample::select(vec![
        TimeUnit::Day,
        TimeUnit::Hour,
        TimeUnit::Minute,
        TimeUnit::Second,
        TimeUnit::Millisecond,
    ])
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..1_000_000i64, unit()).prop_map(|(n, unit)| Duration { n, unit, span: S })
}

fn type_expr() -> impl Strategy<Value = TypeExpr> {
    let ty = |kind| TypeExpr { kind, span: S };
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            SqlType::Boolean,
            SqlType::Integer,
            SqlType::Bigint,
            SqlType::Double,
            SqlType::String,
            SqlType::Bytes,
            SqlType::Time,
            SqlType::Date,
            SqlType::Timestamp,
            SqlType::Decimal(10, 2),
        ])
        .prop_map(TypeExprKind::Plain),
        // The words of types mean the same in quotes.
        ident().prop_filter("no word of a type", |name| plain_type(&name.name).is_none()).prop_map(TypeExprKind::Named),
    ];
    leaf.prop_map(ty).prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| TypeExprKind::Array(Box::new(t))),
            (inner.clone(), inner.clone()).prop_map(|(k, v)| TypeExprKind::Map(Box::new(k), Box::new(v))),
            vec((ident(), inner), 0..3).prop_map(TypeExprKind::Struct),
        ]
        .prop_map(ty)
    })
}

fn literal() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Boolean),
        prop_oneof![0..=i64::MAX, Just(i64::MIN)].prop_map(ExprKind::Integer),
        "[0-9]{0,3}\\.[0-9]{1,3}|[0-9]{1,3}\\.".prop_map(ExprKind::Decimal),
        any::<f64>().prop_filter("finite", |d| d.is_finite()).prop_map(|d| ExprKind::Double(d.abs())),
        text().prop_map(ExprKind::String),
    ]
}

fn binary_op() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    proptest::sample::select(vec![
        Or, And, Eq, NotEq, Lt, LtEq, Gt, GtEq, Plus, Minus, Multiply, Divide, Modulo, Concat,
    ])
}

fn expr() -> BoxedStrategy<Expr> {
    let at = |kind| Expr { kind, span: S };
    let leaf = prop_oneof![
        2 => literal(),
        2 => (of(ident()), ident()).prop_map(|(source, name)| ExprKind::Column { source, name }),
        1 => ident().prop_map(move |name| ExprKind::Call { name, args: vec![at(ExprKind::Star)] }),
    ];
    leaf.prop_map(at)
        .prop_recursive(5, 40, 4, move |e| {
            let b = || e.clone().prop_map(Box::new);
            let lambda =
                (vec(ident(), 1..3), b()).prop_map(move |(params, body)| at(ExprKind::Lambda { params, body }));
            let named_unit = unit().prop_map(move |unit| at(ExprKind::Unit(unit)));
            prop_oneof![
                4 => (binary_op(), b(), b()).prop_map(|(op, left, right)| ExprKind::Binary { op, left, right }),
                2 => (any::<bool>(), b()).prop_map(|(minus, expr)| match (minus, &expr.kind) {
                    // These digits with this sign are one literal.
                    (true, ExprKind::Integer(i64::MIN)) => ExprKind::Null,
                    _ => ExprKind::Unary { minus, expr },
                }),
                1 => b().prop_map(ExprKind::Not),
                1 => (b(), string()).prop_map(|(expr, zone)| ExprKind::AtTimeZone { expr, zone }),
                1 => (b(), ident()).prop_map(|(base, field)| ExprKind::Field { base, field }),
                1 => (b(), b()).prop_map(|(base, index)| ExprKind::Subscript { base, index }),
                1 => (any::<bool>(), b(), b(), b())
                    .prop_map(|(negated, expr, low, high)| ExprKind::Between { negated, expr, low, high }),
                1 => (any::<bool>(), b(), vec(e.clone(), 1..3))
                    .prop_map(|(negated, expr, list)| ExprKind::InList { negated, expr, list }),
                1 => (any::<bool>(), b(), b(), of(any::<char>()))
                    .prop_map(|(negated, expr, pattern, escape)| ExprKind::Like { negated, expr, pattern, escape }),
                1 => (any::<bool>(), b()).prop_map(|(negated, expr)| ExprKind::IsNull { negated, expr }),
                1 => (any::<bool>(), b(), b())
                    .prop_map(|(negated, left, right)| ExprKind::IsDistinct { negated, left, right }),
                1 => (of(b()), vec((e.clone(), e.clone()), 1..3), of(b()))
                    .prop_map(|(operand, arms, otherwise)| ExprKind::Case { operand, arms, otherwise }),
                1 => (b(), type_expr()).prop_map(|(expr, ty)| ExprKind::Cast { expr, ty }),
                1 => (ident(), vec(e.clone(), 0..3)).prop_map(|(name, args)| ExprKind::Call { name, args }),
                1 => (ident(), e.clone(), lambda)
                    .prop_map(|(name, first, lambda)| ExprKind::Call { name, args: vec![first, lambda] }),
                1 => (named_unit, e.clone()).prop_map(|(unit, rest)| ExprKind::Call {
                    name: Ident { name: "TIMESTAMPADD".into(), quoted: false, span: S },
                    args: vec![unit, rest],
                }),
                1 => vec(e.clone(), 0..3).prop_map(ExprKind::Array),
                1 => vec((e.clone(), e.clone()), 0..3).prop_map(ExprKind::Map),
                1 => vec((ident(), e.clone()), 0..3).prop_map(ExprKind::Struct),
            ]
            .prop_map(at)
        })
        .boxed()
}

fn properties() -> impl Strategy<Value = Vec<Property>> {
    let value = prop_oneof![
        4 => literal().prop_map(|kind| Expr { kind, span: S }),
        1 => (0..100i64).prop_map(|n| Expr {
            kind: ExprKind::Unary { minus: true, expr: Box::new(Expr { kind: ExprKind::Integer(n), span: S }) },
            span: S,
        }),
    ];
    vec((prop_oneof![text(), name()], value), 0..3).prop_map(|properties| {
        properties
            .into_iter()
            .map(|(name, value)| Property { name: StringLit { value: name, span: S }, value, span: S })
            .collect()
    })
}

fn relation() -> impl Strategy<Value = Relation> {
    let source = || (ident(), of(ident())).prop_map(|(name, alias)| Relation::Source { name, alias, span: S });
    let within = (duration(), duration(), of(duration())).prop_map(|(before, after, grace)| Within {
        before,
        after,
        grace,
        span: S,
    });
    let kind = proptest::sample::select(vec![JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full]);
    (source(), vec((source(), kind, of(within), expr()), 0..3)).prop_map(|(first, joins)| {
        joins.into_iter().fold(first, |left, (right, kind, within, on)| {
            Relation::Join(Box::new(Join { left, right, kind, within, on, span: S }))
        })
    })
}

fn window() -> impl Strategy<Value = Window> {
    let kind = prop_oneof![
        duration().prop_map(WindowKind::Tumbling),
        (duration(), duration()).prop_map(|(size, advance)| WindowKind::Hopping(size, advance)),
        duration().prop_map(WindowKind::Session),
    ];
    (kind, of(duration()), of(duration())).prop_map(|(kind, retention, grace)| Window {
        kind,
        retention,
        grace,
        span: S,
    })
}

fn query() -> impl Strategy<Value = Query> {
    let item = prop_oneof![
        1 => of(ident()).prop_map(|source| SelectItem::Wildcard { source, span: S }),
        1 => expr().prop_map(|base| SelectItem::StructAll { base, span: S }),
        3 => (expr(), of(ident())).prop_map(|(expr, alias)| SelectItem::Expr { expr, alias }),
    ];
    let list = || of(vec(expr(), 0..3).prop_map(|exprs| ExprList { exprs, span: S }));
    let emit = of(any::<bool>().prop_map(|is_final| Emit { is_final, span: S }));
    let limit = of((0..=i64::MAX).prop_map(|rows| Limit { rows, span: S }));
    let position = || {
        prop_oneof![
            Just(Position::Earliest),
            Just(Position::Latest),
            text().prop_map(Position::Time),
            vec(0..=i64::MAX, 1..4).prop_map(Position::Offsets),
        ]
    };
    let bound = |at: BoxedStrategy<Position>| of(at.prop_map(|at| TopicBound { at, span: S }));
    let start = prop_oneof![4 => position(), 1 => text().prop_map(Position::Group)].boxed();
    let read = (relation(), bound(start), bound(position().boxed()));
    (vec(item, 1..4), read, of(window()), of(expr()), list(), list(), of(expr()), emit, limit).prop_map(
        |(items, (from, start, until), window, filter, group_by, partition_by, having, emit, limit)| Query {
            items,
            from,
            start,
            until,
            window,
            filter,
            group_by,
            partition_by,
            having,
            emit,
            limit,
            span: S,
        },
    )
}

fn source_kind() -> impl Strategy<Value = SourceKind> {
    proptest::sample::select(vec![SourceKind::Stream, SourceKind::Table])
}

fn columns() -> impl Strategy<Value = Vec<ColumnDef>> {
    let constraint = of(prop_oneof![
        Just(ColumnConstraint::Key),
        Just(ColumnConstraint::PrimaryKey),
        Just(ColumnConstraint::Headers),
        text().prop_map(ColumnConstraint::Header),
    ]);
    vec((ident(), type_expr(), constraint), 0..3).prop_map(|columns| {
        columns.into_iter().map(|(name, ty, constraint)| ColumnDef { name, ty, constraint, span: S }).collect()
    })
}

fn show() -> impl Strategy<Value = Show> {
    prop_oneof![
        proptest::sample::select(vec![
            Show::Properties,
            Show::Functions,
            Show::ConnectorPlugins,
            Show::Types,
            Show::Variables,
            Show::Connectors(None),
            Show::Connectors(Some(true)),
            Show::Connectors(Some(false)),
        ]),
        any::<[bool; 2]>().prop_map(|[all, extended]| Show::Topics { all, extended }),
        any::<bool>().prop_map(|extended| Show::Streams { extended }),
        any::<bool>().prop_map(|extended| Show::Tables { extended }),
        any::<bool>().prop_map(|extended| Show::Queries { extended }),
    ]
}

/// A generated statement that shows itself as its text, so that a failing one can be read.
pub struct Shown(pub Statement);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Any statement.
pub fn statement() -> impl Strategy<Value = Shown> {
    let create = (source_kind(), any::<[bool; 3]>(), ident(), columns(), properties()).prop_map(
        |(kind, [or_replace, source, if_not_exists], name, columns, properties)| {
            StatementKind::CreateSource(CreateSource {
                kind,
                or_replace,
                source,
                if_not_exists,
                name,
                columns,
                properties,
            })
        },
    );
    let create_as = (source_kind(), any::<[bool; 2]>(), ident(), properties(), query()).prop_map(
        |(kind, [or_replace, if_not_exists], name, properties, query)| {
            StatementKind::CreateAsSelect(CreateAsSelect { kind, or_replace, if_not_exists, name, properties, query })
        },
    );
    let at = |kind| Statement { kind, span: S };
    let topic = || text().prop_map(|name| Ident { name, quoted: false, span: S });
    let bare = || "[A-Z_][A-Z0-9_]{0,5}".prop_filter("a bare name", |name| !needs_quotes(name));
    let variable = move || bare().prop_map(|name| Ident { name, quoted: false, span: S });
    let id_or_all = || of(ident());
    let explained = prop_oneof![
        query().prop_map(StatementKind::Query),
        id_or_all().prop_map(StatementKind::Pause),
        ident().prop_map(StatementKind::ExplainQuery),
    ];
    let short = prop_oneof![
        show().prop_map(StatementKind::Show),
        (source_kind(), any::<bool>())
            .prop_map(|(kind, extended)| StatementKind::Describe(Describe::All { kind, extended })),
        ident().prop_map(|name| StatementKind::Describe(Describe::Connector(name))),
        id_or_all().prop_map(StatementKind::Terminate),
        id_or_all().prop_map(StatementKind::Pause),
        id_or_all().prop_map(StatementKind::Resume),
        ident().prop_map(StatementKind::ResumeConnector),
        string().prop_map(StatementKind::Unset),
        (string(), string()).prop_map(|(name, value)| StatementKind::AlterSystem { name, value }),
        (variable(), string()).prop_map(|(name, value)| StatementKind::Define { name, value }),
        variable().prop_map(StatementKind::Undefine),
        string().prop_map(StatementKind::RunScript),
        (any::<bool>(), ident()).prop_map(|(if_exists, name)| StatementKind::DropConnector { if_exists, name }),
        (any::<bool>(), ident()).prop_map(|(if_exists, name)| StatementKind::DropType { if_exists, name }),
    ];
    prop_oneof![
        4 => short,
        1 => explained.prop_map(move |kind| StatementKind::Explain(Box::new(at(kind)))),
        1 => (source_kind(), ident(), vec((ident(), type_expr()), 1..3)).prop_map(|(kind, name, columns)| {
            let column = |(name, ty)| ColumnDef { name, ty, constraint: None, span: S };
            StatementKind::AlterSource { kind, name, columns: columns.into_iter().map(column).collect() }
        }),
        1 => (any::<bool>(), of(topic()), of(0..9i64), of(duration())).prop_map(|(exists, subject, id, timeout)| {
            StatementKind::Assert(Assert::Schema { exists, subject, id, timeout })
        }),
        1 => (ident(), vec(ident(), 0..2), vec(expr(), 0..3)).prop_map(|(source, columns, values)| {
            StatementKind::Assert(Assert::NullValues { source, columns, values })
        }),
        3 => query().prop_map(StatementKind::Query),
        2 => create,
        2 => create_as,
        1 => (ident(), properties(), query())
            .prop_map(|(target, properties, query)| StatementKind::InsertSelect { target, properties, query }),
        1 => (ident(), vec((ident(), expr()), 1..3)).prop_map(|(target, pairs)| {
            let (columns, values) = pairs.into_iter().unzip();
            StatementKind::InsertValues { target, columns, values }
        }),
        1 => (any::<[bool; 3]>(), ident(), properties()).prop_filter_map(
            "a connector has properties",
            |([or_replace, source, if_not_exists], name, properties)| (!properties.is_empty()).then_some(
                StatementKind::CreateConnector { or_replace, source, if_not_exists, name, properties }
            )
        ),
        1 => (any::<[bool; 2]>(), ident(), string()).prop_map(|([or_replace, if_not_exists], name, path)| {
            StatementKind::CreateFunction(CreateFunction { or_replace, if_not_exists, name, path })
        }),
        1 => (any::<bool>(), ident()).prop_map(|(if_exists, name)| StatementKind::DropFunction { if_exists, name }),
        1 => ident().prop_map(StatementKind::PauseConnector),
        1 => (any::<bool>(), ident(), type_expr())
            .prop_map(|(if_not_exists, name, ty)| StatementKind::CreateType { if_not_exists, name, ty }),
        1 => (source_kind(), any::<[bool; 2]>(), ident()).prop_map(|(kind, [if_exists, delete_topic], name)| {
            StatementKind::DropSource { kind, if_exists, name, delete_topic }
        }),
        1 => (ident(), any::<bool>())
            .prop_map(|(name, extended)| StatementKind::Describe(Describe::Source { name, extended })),
        1 => ident().prop_map(|name| StatementKind::Describe(Describe::Function(name))),
        1 => ident().prop_map(StatementKind::ExplainQuery),
        1 => (topic(), any::<bool>(), of(0..9i64), of(0..9i64)).prop_map(|(topic, from_beginning, interval, limit)| {
            StatementKind::Print { topic, from_beginning, interval, limit }
        }),
        1 => (string(), string()).prop_map(|(name, value)| StatementKind::Set { name, value }),
        1 => (ident(), vec(ident(), 0..2), vec(expr(), 0..3))
            .prop_map(|(source, columns, values)| StatementKind::Assert(Assert::Values { source, columns, values })),
        1 => (any::<bool>(), topic(), properties(), of(duration())).prop_map(|(exists, topic, properties, timeout)| {
            StatementKind::Assert(Assert::Topic { exists, topic, properties, timeout })
        }),
        1 => (source_kind(), ident(), columns(), properties()).prop_map(|(kind, name, columns, properties)| {
            StatementKind::Assert(Assert::Source { kind, name, columns, properties })
        }),
    ]
    .prop_map(move |kind| Shown(at(kind)))
}
