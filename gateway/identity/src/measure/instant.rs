//! When an event happened, as microseconds since 1970 in UTC.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};

/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400 * 1_000_000;

/// Microseconds in an hour.
pub(crate) const HOUR: i64 = DAY / 24;

/// Midnight of 2000-01-01: events before it are not believed.
const EARLIEST: i64 = 10_957 * DAY;

/// Midnight of 2100-01-01: events from it on are not believed.
const LATEST: i64 = 47_482 * DAY;

/// Why a text is not a time that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotInstant {
    /// Neither RFC 3339 nor a date with a time.
    Unreadable,
    /// A date with a time but no zone, where the plan gives none.
    NoZone,
    /// Before 2000 or after 2099.
    OutOfRange,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// RFC 3339 (`2026-03-01T12:00:00Z`, a blank may stand for the T), or a date with a time (`2026-03-01 12:00[:00[.5]]`) in
    /// the zone; without a zone the latter are not taken.
    Written {
        /// Of times that name none.
        zone: Option<FixedOffset>,
    },
    /// Whole seconds since 1970 in UTC.
    EpochSeconds,
}

/// Reads a time that is written so.
pub(crate) fn instant(text: &str, form: TimeForm) -> Result<i64, NotInstant> {
    let micros = match form {
        TimeForm::Written { zone } => written(text, zone)?,
        TimeForm::EpochSeconds => seconds(text)?,
    };
    if (EARLIEST..LATEST).contains(&micros) { Ok(micros) } else { Err(NotInstant::OutOfRange) }
}

/// Digits alone; more of them than a number of 64 bits has are far out of range.
fn seconds(text: &str) -> Result<i64, NotInstant> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotInstant::Unreadable);
    }
    let seconds = text.parse::<i64>().map_err(|_| NotInstant::OutOfRange)?;
    seconds.checked_mul(1_000_000).ok_or(NotInstant::OutOfRange)
}

/// The short way for what most written times are, a whole second in UTC such as `2026-03-01T12:00:00Z`; none for any other
/// text.
pub(crate) fn utc_second(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let [.., b'-', _, _, b'-', _, _, b'T' | b' ', _, _, b':', _, _, b':', _, _, b'Z'] = text else { return None };
    let number = |places: std::ops::Range<usize>| {
        let digits = &text[places];
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    };
    let day = days_since_1970(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let (hours, minutes, seconds) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // A leap second goes the long way.
    let in_day = (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3_600 + minutes * 60 + seconds)?;
    let micros = day * DAY + i64::from(in_day) * 1_000_000;
    (EARLIEST..LATEST).contains(&micros).then_some(micros)
}

/// Days from 1970 to a date; none where there is no such date, or year 0.
fn days_since_1970(year: u32, month: u32, day: u32) -> Option<i64> {
    const BEFORE_MONTH: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    const BEFORE_1970: i64 = 719_162;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let month = month.checked_sub(1)? as usize;
    let &[before, after] = BEFORE_MONTH.get(month..month + 2)? else { return None };
    let length = after - before + u32::from(leap && month == 1);
    let years = year.checked_sub(1)?;
    let in_year = before + u32::from(leap && month > 1) + day.checked_sub(1).filter(|day| *day < length)?;
    Some(i64::from(years * 365 + years / 4 - years / 100 + years / 400 + in_year) - BEFORE_1970)
}

fn written(text: &str, zone: Option<FixedOffset>) -> Result<i64, NotInstant> {
    let time = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc(),
        Err(_) => {
            let local = date_time(text).ok_or(NotInstant::Unreadable)?;
            let zone = zone.ok_or(NotInstant::NoZone)?;
            let time = local.and_local_timezone(zone).single();
            time.ok_or(NotInstant::OutOfRange)?.to_utc()
        }
    };
    Ok(time.timestamp_micros())
}

fn date_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// The first microsecond of a UTC day.
pub(crate) fn midnight(day: NaiveDate) -> i64 {
    let since_epoch = day.signed_duration_since(NaiveDate::default());
    since_epoch.num_days().saturating_mul(DAY)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_way_does(
            numbers in (1_990..2_110, 0..15, 0..34, 0..26, 0..62, 0..62), cut in 0_usize..21, separator in "[Tt ]",
        ) {
            let form = TimeForm::Written { zone: None };
            let (year, month, day, hours, minutes, seconds) = numbers;
            let text = format!("{year:04}-{month:02}-{day:02}{separator}{hours:02}:{minutes:02}:{seconds:02}Z");
            if let Some(micros) = utc_second(text.as_bytes()) {
                prop_assert_eq!(instant(&text, form), Ok(micros));
            } else if separator != "t" && seconds < 60 {
                prop_assert!(instant(&text, form).is_err(), "{}", text);
            }
            prop_assert!(utc_second(&text.as_bytes()[..cut.min(text.len() - 1)]).is_none());
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for year in 1..=2_400 {
            for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
                let date = NaiveDate::from_ymd_opt(year, month, day).map(|date| i64::from(date.to_epoch_days()));
                assert_eq!(days_since_1970(year.cast_unsigned(), month, day), date, "{year}-{month}-{day}");
            }
        }
    }

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn reads_what_people_write() {
        let berlin = FixedOffset::east_opt(3600);
        for (text, zone, expected) in [
            ("2026-03-01T12:00:00Z", None, Ok(micros("2026-03-01T12:00:00Z"))),
            ("2026-03-01 12:00:00+01:00", None, Ok(micros("2026-03-01T11:00:00Z"))),
            ("2026-03-01T12:00:00.25Z", None, Ok(micros("2026-03-01T12:00:00.250Z"))),
            ("2026-03-01T12:00:00Z", berlin, Ok(micros("2026-03-01T12:00:00Z"))),
            ("2026-03-01 12:00:00", berlin, Ok(micros("2026-03-01T11:00:00Z"))),
            ("2026-03-01 12:00", berlin, Ok(micros("2026-03-01T11:00:00Z"))),
            ("2026-03-01T12:00:00.5", berlin, Ok(micros("2026-03-01T11:00:00.5Z"))),
            ("2026-03-01 12:00:00", None, Err(NotInstant::NoZone)),
            ("2026-02-30 12:00:00", berlin, Err(NotInstant::Unreadable)),
            ("01/03/2026 12:00", berlin, Err(NotInstant::Unreadable)),
            ("1772366400", None, Err(NotInstant::Unreadable)),
            ("", None, Err(NotInstant::Unreadable)),
            ("1999-12-31T23:59:59Z", None, Err(NotInstant::OutOfRange)),
            ("2000-01-01T00:00:00Z", None, Ok(EARLIEST)),
            ("2099-12-31T23:59:59.999999Z", None, Ok(LATEST - 1)),
            ("2100-01-01T00:00:00Z", None, Err(NotInstant::OutOfRange)),
            ("+262142-01-01 00:00:00", berlin, Err(NotInstant::OutOfRange)),
            ("0000-01-01T00:00:00Z", None, Err(NotInstant::OutOfRange)),
            ("9999-12-31T23:59:60Z", None, Err(NotInstant::OutOfRange)),
            ("9999-12-31T23:59:60", None, Err(NotInstant::NoZone)),
            ("2026-03-01T24:00:00Z", None, Err(NotInstant::Unreadable)),
            ("1e300", None, Err(NotInstant::Unreadable)),
            ("03/01/2026 12:00:00 PM", None, Err(NotInstant::Unreadable)),
        ] {
            assert_eq!(instant(text, TimeForm::Written { zone }), expected, "{text}");
        }
    }

    #[test]
    fn reads_seconds_since_1970() {
        for (text, expected) in [
            ("1714933914", Ok(micros("2024-05-05T18:31:54Z"))),
            ("946684800", Ok(EARLIEST)),
            ("946684799", Err(NotInstant::OutOfRange)),
            ("1714933914000", Err(NotInstant::OutOfRange)),
            ("99999999999999999999999999", Err(NotInstant::OutOfRange)),
            ("0", Err(NotInstant::OutOfRange)),
            ("-1", Err(NotInstant::Unreadable)),
            ("1714933914.5", Err(NotInstant::Unreadable)),
            ("1e300", Err(NotInstant::Unreadable)),
            ("2026-03-01T12:00:00Z", Err(NotInstant::Unreadable)),
            ("", Err(NotInstant::Unreadable)),
        ] {
            assert_eq!(instant(text, TimeForm::EpochSeconds), expected, "{text}");
        }
    }

    #[test]
    fn midnight_is_the_start_of_the_day() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        assert_eq!(midnight(day), micros("2026-03-01T00:00:00Z"));
    }
}
