//! Rows of the SQL API as CSV: NULL is nothing between two commas, dates and times are in ISO 8601.
//! <https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses#getting-the-data-from-the-results>

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta};
use serde::Deserialize;

const DAY_SECONDS: i64 = 86_400;
/// Digits of a number of seconds since 1970 for the next 30,000 years. One with more is of nanoseconds, which the
/// documentation has an example of too.
const MOST_DIGITS_OF_SECONDS: usize = 12;

/// A column of a result.
#[derive(Clone, Debug, Deserialize)]
pub struct Column {
    /// Its name, as the table or the query has it.
    pub name: String,
    /// Its type, such as `timestamp_ntz`, in small letters or capitals.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Writes the names of the columns.
pub fn write_header(columns: &[Column], out: &mut Vec<u8>) {
    write_fields(columns.iter().map(|column| Some(Cow::Borrowed(column.name.as_str()))), out);
}

/// Writes a row, which has as many values as there are columns.
pub fn write_row(columns: &[Column], row: &[Option<String>], out: &mut Vec<u8>) {
    let fields = columns.iter().zip(row).map(|(column, value)| {
        let value = value.as_deref()?;
        Some(readable(&column.kind, value).map_or(Cow::Borrowed(value), Cow::Owned))
    });
    write_fields(fields, out);
}

fn write_fields<'a>(fields: impl Iterator<Item = Option<Cow<'a, str>>>, out: &mut Vec<u8>) {
    for (number, field) in fields.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        if let Some(field) = field {
            write_field(&field, out);
        }
    }
    out.push(b'\n');
}

fn write_field(field: &str, out: &mut Vec<u8>) {
    // An empty text is not NULL, and blanks at the ends are part of it.
    let is_plain = !field.is_empty() && field.trim().len() == field.len() && !field.contains(['"', ',', '\n', '\r']);
    if is_plain {
        return out.extend_from_slice(field.as_bytes());
    }
    out.push(b'"');
    for (number, piece) in field.split('"').enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(piece.as_bytes());
    }
    out.push(b'"');
}

/// A date or a time as people write it, where it is one in the form that is documented.
fn readable(kind: &str, value: &str) -> Option<String> {
    let kind = kind.to_ascii_lowercase();
    match kind.as_str() {
        "date" => {
            let days = TimeDelta::try_days(value.parse().ok()?)?;
            Some(DateTime::UNIX_EPOCH.checked_add_signed(days)?.date_naive().to_string())
        }
        "time" => Some(moment(value).filter(|moment| moment.and_utc().timestamp() < DAY_SECONDS)?.time().to_string()),
        "timestamp_ntz" => Some(moment(value)?.format("%Y-%m-%dT%H:%M:%S%.f").to_string()),
        "timestamp_ltz" => Some(moment(value)?.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()),
        "timestamp_tz" => {
            let (moment_text, offset) = value.split_once(' ')?;
            let minutes = offset.parse::<i32>().ok()?.checked_sub(1440)?;
            let zone = FixedOffset::east_opt(minutes.checked_mul(60)?)?;
            let local: DateTime<FixedOffset> = moment(moment_text)?.and_utc().with_timezone(&zone);
            Some(local.format("%Y-%m-%dT%H:%M:%S%.f%:z").to_string())
        }
        _ => None,
    }
}

/// The moment of a number of seconds since 1970, with up to nine decimal places.
fn moment(seconds: &str) -> Option<NaiveDateTime> {
    let (is_before, digits) = seconds.strip_prefix('-').map_or((false, seconds), |digits| (true, digits));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let nanoseconds: i128 = match digits.split_once('.') {
        Some((whole, part)) if all_digits(whole) && all_digits(part) && part.len() <= 9 => {
            format!("{whole}{part:0<9}").parse().ok()?
        }
        None if all_digits(digits) && digits.len() <= MOST_DIGITS_OF_SECONDS => {
            digits.parse::<i128>().ok()?.checked_mul(1_000_000_000)?
        }
        None if all_digits(digits) => digits.parse().ok()?,
        _ => return None,
    };
    let nanoseconds = if is_before { -nanoseconds } else { nanoseconds };
    let whole = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    // Less than a thousand million.
    let part = nanoseconds.rem_euclid(1_000_000_000) as u32;
    Some(DateTime::from_timestamp(whole, part)?.naive_utc())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn column(kind: &str) -> Column {
        Column { name: kind.to_owned(), kind: kind.to_owned() }
    }

    #[test]
    fn dates_and_times_are_readable() {
        for (kind, value, shown) in [
            ("DATE", "18262", "2020-01-01"),
            ("date", "-1", "1969-12-31"),
            ("date", "03/27/2019", "03/27/2019"),
            ("date", "99999999999999", "99999999999999"),
            ("time", "82919.000000000", "23:01:59"),
            ("time", "0.120000000", "00:00:00.120"),
            ("time", "86400.000000000", "86400.000000000"),
            ("timestamp_ntz", "1611871777.123456789", "2021-01-28T22:09:37.123456789"),
            ("timestamp_ntz", "1611871777123456789", "2021-01-28T22:09:37.123456789"),
            ("timestamp_ntz", "-0.500000000", "1969-12-31T23:59:59.500"),
            ("timestamp_ltz", "1616173619.000000000", "2021-03-19T17:06:59Z"),
            ("timestamp_tz", "1616173619.000000000 1500", "2021-03-19T18:06:59+01:00"),
            ("TIMESTAMP_TZ", "1616173619.000000000 960", "2021-03-19T09:06:59-08:00"),
            ("timestamp_tz", "1616173619.000000000", "1616173619.000000000"),
            ("timestamp_tz", "1616173619.000000000 99999", "1616173619.000000000 99999"),
            ("timestamp_ntz", "1e9", "1e9"),
            ("timestamp_ntz", "", "\"\""),
            ("text", "18262", "18262"),
            ("fixed", "1.0", "1.0"),
            ("boolean", "true", "true"),
        ] {
            let mut out = Vec::new();
            write_row(&[column(kind)], &[Some(value.to_owned())], &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{shown}\n"), "{kind} {value}");
        }
    }

    #[test]
    fn null_is_nothing_and_an_empty_text_is_one() {
        let columns = ["EMAIL", "a,b", "say \"hi\"", ""].map(column);
        let mut out = Vec::new();
        write_header(&columns, &mut out);
        let row = [None, Some(""), Some(" ada\r\n"), Some("null")].map(|value| value.map(str::to_owned));
        write_row(&columns, &row, &mut out);
        let expected = "EMAIL,\"a,b\",\"say \"\"hi\"\"\",\"\"\n,\"\",\" ada\r\n\",null\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    /// Reads a row as CSV has it, apart from the writer.
    fn fields(text: &str) -> Vec<String> {
        let (mut fields, mut in_quotes, mut letters) = (vec![String::new()], false, text.chars().peekable());
        while let Some(letter) = letters.next() {
            match letter {
                '"' if in_quotes && letters.peek() == Some(&'"') => fields.last_mut().unwrap().extend(letters.next()),
                '"' => in_quotes = !in_quotes,
                ',' if !in_quotes => fields.push(String::new()),
                '\n' if !in_quotes => assert!(letters.peek().is_none()),
                other => fields.last_mut().unwrap().push(other),
            }
        }
        fields
    }

    proptest! {
        #[test]
        fn texts_come_back(row in proptest::collection::vec("\\PC{0,9}|[,\"\r\n a]{0,6}", 1..5)) {
            let columns = vec![column("text"); row.len()];
            let values: Vec<_> = row.iter().cloned().map(Some).collect();
            let mut out = Vec::new();
            write_row(&columns, &values, &mut out);
            prop_assert_eq!(fields(std::str::from_utf8(&out).unwrap()), row);
        }

        #[test]
        fn any_value_of_any_type_is_written(
            kind in "date|time|timestamp_(ntz|ltz|tz)",
            value in "-?[0-9]{0,25}(\\.[0-9]{0,10})?( -?[0-9]{0,12})?",
        ) {
            write_row(&[column(&kind)], &[Some(value)], &mut Vec::new());
        }

        #[test]
        fn moments_are_those_of_the_seconds(
            seconds in -60_000_000_000_i64..250_000_000_000,
            nanoseconds in 0..1_000_000_000_u32,
        ) {
            let moment = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
            let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            let (sign, size) = (if total < 0 { "-" } else { "" }, total.abs());
            let text = format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000);
            prop_assert_eq!(super::moment(&text), Some(moment.naive_utc()));
        }
    }
}
