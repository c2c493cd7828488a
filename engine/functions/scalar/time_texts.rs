//! Dates, times and timestamps to text and back, by patterns.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType};

use super::plain::{Cell, Plain, primitives, strings};
use super::strings::texts;
use super::time_numbers::today;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;
use crate::types::text::java_date::DatePattern;
use crate::types::text::java_time::{Moment, Pattern};
use crate::types::text::zone::{GMT, Zone};

/// Pattern and zone of the last row, which nearly always are the next row's too.
#[derive(Default)]
struct Last {
    pattern: Option<(String, Pattern)>,
    zone: Option<(String, Zone)>,
}

impl Last {
    fn pattern(&mut self, text: &str) -> Result<&Pattern, Cow<'static, str>> {
        if self.pattern.as_ref().is_none_or(|(last, _)| last != text) {
            self.pattern = Some((text.to_string(), Pattern::new(text)?));
        }
        self.pattern.as_ref().map(|(_, pattern)| pattern).ok_or_else(|| "no pattern".into())
    }

    /// The zone of the argument at a position; GMT when there is no such argument.
    fn zone(&mut self, call: &Call, index: usize, row: usize) -> Result<Zone, Cow<'static, str>> {
        let Some(zones) = call.args.get(index) else { return Ok(GMT) };
        let text = texts(zones).value(row);
        if self.zone.as_ref().is_none_or(|(last, _)| last != text) {
            let zone = Zone::parse(text).ok_or("the time zone is unknown")?;
            self.zone = Some((text.to_string(), zone));
        }
        Ok(self.zone.as_ref().map_or(GMT, |(_, zone)| *zone))
    }
}

const FORMAT: &str = "A pattern of java.time.format.DateTimeFormatter.";
const ZONE: &str = "The time zone, such as Europe/Berlin or +02:00; GMT when it is not given.";

/// All of them.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let mut functions = formatters();
    functions.extend(parsers());
    functions
}

fn formatters() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    let form = |name: &'static str, ty: SqlType, what: &'static str| {
        Variation::new(S, "The text; NULL when any argument is.").param(name, ty, what).param(
            "formatPattern",
            S,
            FORMAT,
        )
    };
    let zoned = |form: Variation| form.param("timeZone", S, ZONE);
    let timestamp = || form("timestamp", SqlType::Timestamp, "The timestamp.");
    let millis = || form("epochMilli", SqlType::Bigint, "Milliseconds since 1970-01-01T00:00 UTC.");
    let declare = |name: &'static str, what: &'static str| Declaration::scalar(Category::DateTime, name, what);
    vec![
        Plain::function(
            declare("FORMAT_TIMESTAMP", "A timestamp as text.")
                .form(timestamp())
                .form(zoned(timestamp()))
                .example("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'yyyy-MM-dd HH:mm')", "1970-01-01 00:00"),
            |call| {
                let (values, mut last) = (call.args[0].as_primitive::<TimestampMillisecondType>(), Last::default());
                format(call, "FORMAT_TIMESTAMP", |row| Ok(Moment::instant(values.value(row), last.zone(call, 2, row)?)))
            },
        ),
        Plain::function(
            declare(
                "TIMESTAMPTOSTRING",
                "Milliseconds since the epoch as text; FORMAT_TIMESTAMP does so for a TIMESTAMP.",
            )
            .form(millis())
            .form(zoned(millis()))
            .example("TIMESTAMPTOSTRING(0, 'yyyy-MM-dd')", "1970-01-01"),
            |call| {
                let (values, mut last) = (call.args[0].as_primitive::<Int64Type>(), Last::default());
                format(call, "TIMESTAMPTOSTRING", |row| {
                    Ok(Moment::instant(values.value(row), last.zone(call, 2, row)?))
                })
            },
        ),
        Plain::function(
            declare("FORMAT_DATE", "A date as text.")
                .form(form("date", SqlType::Date, "The date."))
                .example("FORMAT_DATE(CAST('2020-05-26' AS DATE), 'dd MMM yyyy')", "26 May 2020"),
            |call| {
                let values = call.args[0].as_primitive::<Date32Type>();
                format(call, "FORMAT_DATE", |row| Ok(Moment::date(i64::from(values.value(row)))))
            },
        ),
        Plain::function(
            declare("DATETOSTRING", "Days since the epoch as text; FORMAT_DATE does so for a DATE.")
                .form(form("epochDays", SqlType::Integer, "Days since 1970-01-01."))
                .example("DATETOSTRING(0, 'dd.MM.yy')", "01.01.70"),
            |call| {
                let values = call.args[0].as_primitive::<Int32Type>();
                format(call, "DATETOSTRING", |row| Ok(Moment::date(i64::from(values.value(row)))))
            },
        ),
        Plain::function(
            declare("FORMAT_TIME", "A time of day as text.")
                .form(form("time", SqlType::Time, "The time."))
                .example("FORMAT_TIME(CAST('13:05' AS TIME), 'h:mm a')", "1:05 PM"),
            |call| {
                let values = call.args[0].as_primitive::<Time32MillisecondType>();
                format(call, "FORMAT_TIME", |row| Ok(Moment::time(i64::from(values.value(row)))))
            },
        ),
    ]
}

fn format(
    call: &Call,
    name: &str,
    mut moment: impl FnMut(usize) -> Result<Moment, Cow<'static, str>>,
) -> datafusion::common::Result<datafusion::arrow::array::ArrayRef> {
    let (patterns, mut last) = (texts(&call.args[1]), Last::default());
    strings(call, name, |row, out| {
        if call.null_at(row) {
            return Ok(None);
        }
        let moment = moment(row)?;
        last.pattern(patterns.value(row))?.format(&moment, out)?;
        Ok(Some(()))
    })
}

fn parsers() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    let form = |returns: SqlType, what: &'static str| {
        Variation::new(returns, what).param("text", S, "The text.").param("formatPattern", S, FORMAT)
    };
    let zoned = |form: Variation| form.param("timeZone", S, ZONE);
    let declare = |name: &'static str, what: &'static str| Declaration::scalar(Category::DateTime, name, what);
    const REST: &str = "What the text does not say is the start of 1970-01-01; NULL when any argument is.";
    vec![
        Plain::function(
            declare("PARSE_TIMESTAMP", "A text as a timestamp.")
                .form(form(SqlType::Timestamp, REST))
                .form(zoned(form(SqlType::Timestamp, REST)))
                .example("PARSE_TIMESTAMP('26.5.2020 07', 'd.M.yyyy HH')", "2020-05-26T07:00:00.000"),
            |call| {
                let (mut patterns, mut zones) = (Last::default(), Last::default());
                primitives::<TimestampMillisecondType>(call, "PARSE_TIMESTAMP", |row| {
                    instant(call, row, &mut patterns, &mut zones)
                })
            },
        ),
        Plain::function(
            declare("STRINGTOTIMESTAMP", "A text as milliseconds since the epoch; PARSE_TIMESTAMP gives a TIMESTAMP.")
                .form(form(SqlType::Bigint, REST))
                .form(zoned(form(SqlType::Bigint, REST)))
                .example("STRINGTOTIMESTAMP('1970-01-02', 'yyyy-MM-dd')", "86400000"),
            |call| {
                let (mut patterns, mut zones) = (Last::default(), Last::default());
                primitives::<Int64Type>(call, "STRINGTOTIMESTAMP", |row| instant(call, row, &mut patterns, &mut zones))
            },
        ),
        Plain::function(
            declare("PARSE_DATE", "A text as a date.")
                .form(
                    Variation::new(
                        SqlType::Date,
                        "The date, whatever stands behind it; a time of day other than midnight is refused.",
                    )
                    .param("text", S, "The text.")
                    .param("formatPattern", S, "A pattern of java.text.SimpleDateFormat."),
                )
                .example("PARSE_DATE('01-JAN-2022', 'dd-MMM-yyyy')", "2022-01-01"),
            |call| {
                let (inputs, patterns) = (texts(&call.args[0]), texts(&call.args[1]));
                let (today, mut last) = (today(), None::<(String, DatePattern)>);
                primitives::<Date32Type>(call, "PARSE_DATE", |row| {
                    if call.null_at(row) {
                        return Ok(None);
                    }
                    let text = patterns.value(row);
                    if last.as_ref().is_none_or(|(known, _)| known != text) {
                        last = Some((text.to_string(), DatePattern::new(text)?));
                    }
                    let Some((_, pattern)) = &last else { return Ok(None) };
                    let days = pattern.parse(inputs.value(row), today)?;
                    Ok(Some(i32::try_from(days).map_err(|_| "the year is out of range")?))
                })
            },
        ),
        Plain::function(
            declare("STRINGTODATE", "A text as days since the epoch; PARSE_DATE gives a DATE.")
                .form(form(SqlType::Integer, "The days since 1970-01-01; the text must say a whole date."))
                .example("STRINGTODATE('1970-01-03', 'yyyy-MM-dd')", "2"),
            |call| primitives::<Int32Type>(call, "STRINGTODATE", days(call)),
        ),
        Plain::function(
            declare("PARSE_TIME", "A text as a time of day.")
                .form(form(SqlType::Time, "The time; the text must say its hour, and no date."))
                .example("PARSE_TIME('1:05 PM', 'h:mm a')", "13:05"),
            |call| {
                let (inputs, patterns) = (texts(&call.args[0]), texts(&call.args[1]));
                let mut last = Last::default();
                primitives::<Time32MillisecondType>(call, "PARSE_TIME", |row| {
                    if call.null_at(row) {
                        return Ok(None);
                    }
                    let parsed = last.pattern(patterns.value(row))?.parse(inputs.value(row))?;
                    if parsed.has_date() {
                        return Err("the pattern of a time has a date".into());
                    }
                    if !parsed.is_whole_time() {
                        return Err("the text does not say a whole time of day".into());
                    }
                    Ok(Some(parsed.of_day() as i32))
                })
            },
        ),
    ]
}

fn instant(call: &Call, row: usize, patterns: &mut Last, zones: &mut Last) -> Cell<i64> {
    if call.null_at(row) {
        return Ok(None);
    }
    let zone = zones.zone(call, 2, row)?;
    let parsed = patterns.pattern(texts(&call.args[1]).value(row))?.parse(texts(&call.args[0]).value(row))?;
    Ok(Some(parsed.instant(zone)?))
}

fn days(call: &Call) -> impl FnMut(usize) -> Cell<i32> {
    let (inputs, patterns) = (texts(&call.args[0]), texts(&call.args[1]));
    let mut last = Last::default();
    move |row| {
        if inputs.is_null(row) || patterns.is_null(row) {
            return Ok(None);
        }
        let pattern = last.pattern(patterns.value(row))?;
        let parsed = pattern.parse(inputs.value(row))?;
        if !parsed.is_whole_date() {
            return Err("the text does not say a whole date".into());
        }
        let days = i32::try_from(parsed.days()?).map_err(|_| "the year is out of range")?;
        Ok(Some(days))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn moments_become_texts() {
        sql(&[
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(1526075913000), 'yyyy-MM-dd HH:mm:ss', '-0700')", "2018-05-11 14:58:33"),
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'VV', 'Europe/Berlin')", "Europe/Berlin"),
            ("FORMAT_TIMESTAMP(CAST(NULL AS TIMESTAMP), 'yyyy')", "null"),
            ("TIMESTAMPTOSTRING(1526075913000, 'HH:mm X', 'America/New_York')", "17:58 -04"),
            ("TIMESTAMPTOSTRING(CAST(NULL AS BIGINT), 'yyyy')", "null"),
            ("FORMAT_DATE(CAST('1999-12-31' AS DATE), 'EEEE D')", "Friday 365"),
            ("FORMAT_DATE(CAST(NULL AS DATE), 'yyyy')", "null"),
            ("DATETOSTRING(-1, 'yyyy-MM-dd')", "1969-12-31"),
            ("DATETOSTRING(CAST(NULL AS INT), 'yyyy')", "null"),
            ("FORMAT_TIME(CAST('00:00:01' AS TIME), 'HHmmss')", "000001"),
            ("FORMAT_TIME(CAST(NULL AS TIME), 'HH')", "null"),
        ]);
        sql_fails(&[
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'yyyy', 'Nowhere')", "unknown"),
            ("FORMAT_DATE(CAST('1999-12-31' AS DATE), 'HH')", "asks for a time"),
            ("FORMAT_TIME(CAST('00:00' AS TIME), 'yyyy')", "asks for a date"),
            ("TIMESTAMPTOSTRING(0, 'bb')", "letters"),
            ("DATETOSTRING(0, '''')", "quotes"),
        ]);
    }

    #[test]
    fn texts_become_moments() {
        sql(&[
            ("PARSE_TIMESTAMP('2018-05-11T21:58:33 PST', 'yyyy-MM-dd''T''HH:mm:ss zzz')", "2018-05-12T04:58:33.000"),
            ("PARSE_TIMESTAMP('2018', 'yyyy', '+01:00')", "2017-12-31T23:00:00.000"),
            ("PARSE_TIMESTAMP(CAST(NULL AS STRING), 'yyyy')", "null"),
            ("STRINGTOTIMESTAMP('2018-05-11T21:58:33z', 'yyyy-MM-dd''T''HH:mm:ssX')", "1526075913000"),
            ("STRINGTOTIMESTAMP('x', CAST(NULL AS STRING))", "null"),
            ("PARSE_DATE('2018-05-11Lit', 'yyyy-MM-dd''Lit''')", "2018-05-11"),
            ("PARSE_DATE(CAST(NULL AS STRING), 'yyyy')", "null"),
            ("PARSE_DATE('2018-05-11-01', 'yyyy-MM-dd')", "2018-05-11"),
            ("PARSE_DATE('2018-2-30', 'yyyy-MM-dd')", "2018-03-02"),
            ("PARSE_DATE('2018-05-11 00:00', 'yyyy-MM-dd HH:mm')", "2018-05-11"),
            ("STRINGTODATE('11/05/2019', 'dd/MM/yyyy')", "18027"),
            ("STRINGTODATE('11/05/2019 10', 'dd/MM/yyyy HH')", "18027"),
            ("STRINGTODATE(CAST(NULL AS STRING), 'yyyy')", "null"),
            ("PARSE_TIME('00:01:05Lit', 'HH:mm:ss''Lit''')", "00:01:05"),
            ("PARSE_TIME(CAST(NULL AS STRING), 'HH')", "null"),
        ]);
        sql_fails(&[
            ("PARSE_TIMESTAMP('x', 'yyyy')", "does not fit"),
            ("STRINGTOTIMESTAMP('2018', 'yyyy', 'Nowhere')", "unknown"),
            ("PARSE_DATE('2018 10', 'yyyy HH')", "has a time"),
            ("PARSE_DATE('2018', 'ww')", "weeks"),
            ("STRINGTODATE('2018-13', 'yyyy-MM')", "range"),
            ("STRINGTODATE('2018-12', 'yyyy-MM')", "whole date"),
            ("PARSE_TIME('10:30', 'mm:ss')", "whole time"),
            ("PARSE_TIME('10:30', 'hh:mm')", "whole time"),
            ("PARSE_TIME('2018 10', 'yyyy HH')", "has a date"),
        ]);
    }
}
