//! Dates and timestamps as numbers, moved by units, moved between zones.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};

use super::plain::{Plain, primitives};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;
use crate::types::text::time::DAY;
use crate::types::text::zone::Zone;

/// All of them.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let mut functions = conversions();
    functions.extend(moves());
    functions
}

/// Today, days since the epoch, UTC.
pub(super) fn today() -> i64 {
    now().div_euclid(DAY)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn conversions() -> Vec<Arc<dyn ScalarFunction>> {
    let declare = |name: &'static str, what: &'static str| Declaration::scalar(Category::DateTime, name, what);
    const EPOCH_MS: &str = "Milliseconds since 1970-01-01T00:00 UTC.";
    vec![
        Plain::function(
            declare("FROM_UNIXTIME", "A timestamp from milliseconds since the epoch.")
                .form(Variation::new(SqlType::Timestamp, "The timestamp.").param(
                    "epochMilli",
                    SqlType::Bigint,
                    EPOCH_MS,
                ))
                .example("FROM_UNIXTIME(1)", "1970-01-01T00:00:00.001"),
            |call| Ok(cast(&call.args[0], &DataType::Timestamp(TimeUnit::Millisecond, None))?),
        ),
        Plain::function(
            declare("UNIX_TIMESTAMP", "Milliseconds since the epoch.")
                .form(Variation::new(SqlType::Bigint, "Those of now, when the row is computed."))
                .form(Variation::new(SqlType::Bigint, "Those of a timestamp.").param(
                    "timestamp",
                    SqlType::Timestamp,
                    "The timestamp.",
                ))
                .example("UNIX_TIMESTAMP(FROM_UNIXTIME(7))", "7")
                .volatile(),
            |call| match call.args.first() {
                Some(timestamp) => Ok(cast(timestamp, &DataType::Int64)?),
                None => {
                    let now = now();
                    primitives::<Int64Type>(call, "UNIX_TIMESTAMP", |_| Ok(Some(now)))
                }
            },
        ),
        Plain::function(
            declare("FROM_DAYS", "A date from days since the epoch.")
                .form(Variation::new(SqlType::Date, "The date.").param(
                    "days",
                    SqlType::Integer,
                    "Days since 1970-01-01.",
                ))
                .example("FROM_DAYS(50)", "1970-02-20"),
            |call| Ok(cast(&call.args[0], &DataType::Date32)?),
        ),
        Plain::function(
            declare("UNIX_DATE", "Days since the epoch.")
                .form(Variation::new(SqlType::Integer, "Those of today, UTC, when the row is computed."))
                .form(Variation::new(SqlType::Integer, "Those of a date.").param("date", SqlType::Date, "The date."))
                .example("UNIX_DATE(CAST('1970-02-20' AS DATE))", "50")
                .volatile(),
            |call| match call.args.first() {
                Some(date) => Ok(cast(date, &DataType::Int32)?),
                None => {
                    let today = today() as i32;
                    primitives::<Int32Type>(call, "UNIX_DATE", |_| Ok(Some(today)))
                }
            },
        ),
        Plain::function(
            declare("CONVERT_TZ", "What clocks of one zone show, as clocks of another show it.")
                .form(
                    Variation::new(SqlType::Timestamp, "The local time in the other zone; NULL when any argument is.")
                        .param("timestamp", SqlType::Timestamp, "The local time.")
                        .param("fromTimeZone", SqlType::String, "Its zone, such as Europe/Berlin or +02:00.")
                        .param("toTimeZone", SqlType::String, "The other zone."),
                )
                .example("CONVERT_TZ(FROM_UNIXTIME(0), '+0200', '+0500')", "1970-01-01T03:00:00.000"),
            |call| {
                let values = call.args[0].as_primitive::<TimestampMillisecondType>();
                let (from, to) = (texts(&call.args[1]), texts(&call.args[2]));
                let (mut last_from, mut last_to) = (None, None);
                primitives::<TimestampMillisecondType>(call, "CONVERT_TZ", |row| {
                    if call.null_at(row) {
                        return Ok(None);
                    }
                    // As in ksqlDB both offsets are those of the timestamp read as UTC.
                    let value = values.value(row);
                    let offset = |zones: &StringArray, last: &mut Option<(String, Zone)>| {
                        let id = zones.value(row);
                        if last.as_ref().is_none_or(|(known, _)| known != id) {
                            let zone = Zone::parse(id).ok_or(Cow::Borrowed("the time zone is unknown"))?;
                            *last = Some((id.to_string(), zone));
                        }
                        Ok::<_, Cow<'static, str>>(last.as_ref().map_or(0, |(_, zone)| zone.offset_at(value)))
                    };
                    let moved = i64::from(offset(to, &mut last_to)?) - i64::from(offset(from, &mut last_from)?);
                    Ok(Some(value.saturating_add(moved * 1_000)))
                })
            },
        ),
    ]
}

/// `TIMESTAMPADD` and its five kin.
fn moves() -> Vec<Arc<dyn ScalarFunction>> {
    let kinds = [
        (
            "TIMESTAMP",
            SqlType::Timestamp,
            "a timestamp",
            "FROM_UNIXTIME(0)",
            "1970-01-01T02:00:00.000",
            "1969-12-31T22:00:00.000",
        ),
        ("DATE", SqlType::Date, "a date", "CAST('2020-05-26' AS DATE)", "2020-05-28", "2020-05-24"),
        ("TIME", SqlType::Time, "a time of day", "CAST('23:00' AS TIME)", "01:00", "21:00"),
    ];
    let mut functions = Vec::new();
    for (prefix, ty, what, example, added, subtracted) in kinds {
        for (suffix, sign, verb, result) in [("ADD", 1, "later", added), ("SUB", -1, "earlier", subtracted)] {
            let name = format!("{prefix}{suffix}");
            let unit = if ty == SqlType::Date { "DAYS" } else { "HOURS" };
            let declaration =
                Declaration::scalar(Category::DateTime, name.clone(), format!("Moves {what} so many units {verb}."))
                    .form(
                        Variation::new(ty.clone(), "The moved value; NULL when any argument is.")
                            .param("unit", SqlType::String, "MILLISECONDS, SECONDS, MINUTES, HOURS or DAYS.")
                            .param("interval", SqlType::Integer, "How many units.")
                            .param("value", ty.clone(), "What is moved."),
                    )
                    .example(format!("{name}({unit}, 2, {example})"), result);
            let ty = ty.clone();
            functions.push(Plain::function(declaration, move |call| moved(call, &name, sign, &ty)));
        }
    }
    functions
}

fn moved(
    call: &crate::functions::kernel::Call,
    name: &str,
    sign: i64,
    ty: &SqlType,
) -> datafusion::common::Result<ArrayRef> {
    let units = texts(&call.args[0]);
    let intervals = call.args[1].as_primitive::<Int32Type>();
    let step = |row: usize| -> Result<i64, Cow<'static, str>> {
        let unit = milliseconds(units.value(row)).ok_or("the time unit is unknown")?;
        Ok(sign * i64::from(intervals.value(row)) * unit)
    };
    let value = &call.args[2];
    match ty {
        SqlType::Timestamp => {
            let values = value.as_primitive::<TimestampMillisecondType>();
            primitives::<TimestampMillisecondType>(call, name, |row| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let moved = values.value(row).checked_add(step(row)?);
                Ok(Some(moved.ok_or("the result is out of range")?))
            })
        }
        SqlType::Date => {
            let values = value.as_primitive::<Date32Type>();
            primitives::<Date32Type>(call, name, |row| {
                if call.null_at(row) {
                    return Ok(None);
                }
                // As in ksqlDB what is left of a day is cut toward the epoch.
                let moved = (i64::from(values.value(row)) * DAY + step(row)?) / DAY;
                Ok(Some(i32::try_from(moved).map_err(|_| "the result is out of range")?))
            })
        }
        _ => {
            let values = value.as_primitive::<Time32MillisecondType>();
            primitives::<Time32MillisecondType>(call, name, |row| {
                if call.null_at(row) {
                    return Ok(None);
                }
                Ok(Some((i64::from(values.value(row)) + step(row)?).rem_euclid(DAY) as i32))
            })
        }
    }
}

fn milliseconds(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_uppercase().trim_end_matches('S') {
        "MILLISECOND" => 1,
        "SECOND" => 1_000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => DAY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_error, sql_fails};

    #[test]
    fn numbers_and_moments() {
        sql(&[
            ("FROM_UNIXTIME(-1)", "1969-12-31T23:59:59.999"),
            ("FROM_UNIXTIME(CAST(NULL AS BIGINT))", "null"),
            ("FROM_UNIXTIME(1526075913000)", "2018-05-11T21:58:33.000"),
            ("UNIX_TIMESTAMP(FROM_UNIXTIME(7))", "7"),
            ("UNIX_TIMESTAMP(CAST(NULL AS TIMESTAMP))", "null"),
            ("UNIX_TIMESTAMP() > 1000000000000", "true"),
            ("FROM_DAYS(-1)", "1969-12-31"),
            ("FROM_DAYS(CAST(NULL AS INT))", "null"),
            ("FROM_DAYS(18408)", "2020-05-26"),
            ("UNIX_DATE(CAST('2020-05-26' AS DATE))", "18408"),
            ("UNIX_DATE(CAST(NULL AS DATE))", "null"),
            ("UNIX_DATE() > 20000", "true"),
        ]);
    }

    #[test]
    fn zones_are_converted() {
        sql(&[
            ("CONVERT_TZ(FROM_UNIXTIME(100), 'America/Los_Angeles', 'America/New_York')", "1970-01-01T03:00:00.100"),
            ("CONVERT_TZ(FROM_UNIXTIME(0), 'UTC', 'Z')", "1970-01-01T00:00:00.000"),
            // Clocks in Berlin change half an hour later, but half an hour before that time in UTC.
            ("CONVERT_TZ(CAST('2021-03-28T01:30' AS TIMESTAMP), 'Europe/Berlin', 'UTC')", "2021-03-27T23:30:00.000"),
            ("CONVERT_TZ(CAST(NULL AS TIMESTAMP), 'UTC', 'Z')", "null"),
        ]);
        sql_fails(&[("CONVERT_TZ(FROM_UNIXTIME(0), 'UTC', 'x')", "unknown")]);
    }

    #[test]
    fn moments_move_by_units() {
        sql(&[
            ("TIMESTAMPADD(MILLISECONDS, -5, FROM_UNIXTIME(0))", "1969-12-31T23:59:59.995"),
            ("TIMESTAMPADD(DAY, 1, CAST(NULL AS TIMESTAMP))", "null"),
            ("TIMESTAMPADD(MINUTE, CAST(NULL AS INT), FROM_UNIXTIME(0))", "null"),
            ("TIMESTAMPSUB(SECONDS, 1, FROM_UNIXTIME(1000))", "1970-01-01T00:00:00.000"),
            ("TIMESTAMPSUB(HOUR, 1, CAST(NULL AS TIMESTAMP))", "null"),
            ("DATEADD(HOURS, 23, CAST('2020-05-26' AS DATE))", "2020-05-26"),
            ("DATEADD(DAYS, -1, CAST('2020-03-01' AS DATE))", "2020-02-29"),
            ("DATEADD(DAYS, 1, CAST(NULL AS DATE))", "null"),
            ("DATESUB(HOURS, 1, CAST('2020-05-26' AS DATE))", "2020-05-25"),
            ("DATESUB(HOURS, 1, CAST('1970-01-01' AS DATE))", "1970-01-01"),
            ("DATESUB(DAYS, 1, CAST(NULL AS DATE))", "null"),
            ("TIMEADD(MILLISECONDS, 10, CAST('23:59:59.995' AS TIME))", "00:00"),
            ("TIMEADD(DAYS, 1, CAST('10:00' AS TIME))", "10:00"),
            ("TIMEADD(HOURS, 1, CAST(NULL AS TIME))", "null"),
            ("TIMESUB(HOURS, 11, CAST('10:00' AS TIME))", "23:00"),
            ("TIMESUB(HOURS, 1, CAST(NULL AS TIME))", "null"),
        ]);
        assert!(
            sql_error("DATEADD(CAST('2020-01-01' AS DATE), 5, CAST('2020-01-01' AS DATE))").contains("does not take")
        );
    }
}
