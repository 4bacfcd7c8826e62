//! Values that are no text, as the text that a CSV file would have.

use std::io::Write;

use chrono::{Datelike, NaiveDate};

use super::schema::Stamp;

const DAY: i64 = 86_400;
/// The first and the last second of the years 0 to 9999.
const YEARS: [i64; 2] = [-62_167_219_200, 253_402_300_799];
/// Further than any number that is taken.
const FAR: f64 = 1e11;

/// A time as RFC 3339 has it, or as a clock shows it where no zone is told. What is less than a microsecond is cut. Times
/// before the year 0 and after 9999 are those at the ends.
pub(super) fn time(at: i64, stamp: Stamp, out: &mut [u8; 27]) -> &[u8] {
    let (seconds, parts) = (at.div_euclid(stamp.units), at.rem_euclid(stamp.units));
    let within = seconds.clamp(YEARS[0], YEARS[1]);
    let micros = if within == seconds { parts * 1_000_000 / stamp.units } else { 0 };
    let day = i32::try_from(within.div_euclid(DAY)).ok().and_then(NaiveDate::from_epoch_days).unwrap_or_default();
    let in_day = within.rem_euclid(DAY);
    let fields = [
        (i64::from(day.year()), 4, b'-'),
        (i64::from(day.month()), 2, b'-'),
        (i64::from(day.day()), 2, b'T'),
        (in_day / 3_600, 2, b':'),
        (in_day / 60 % 60, 2, b':'),
        (in_day % 60, 2, if micros == 0 { b'Z' } else { b'.' }),
        (micros, 6, b'Z'),
    ];
    let mut length = 0;
    for (number, digits, end) in &fields[..if micros == 0 { 6 } else { 7 }] {
        let mut rest = *number;
        for place in out[length..length + digits].iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out[length + digits] = *end;
        length += digits + 1;
    }
    &out[..if stamp.utc { length } else { length - 1 }]
}

/// A decimal number without the point: it stands before the last `scale` digits, at most 38. Zeros at the end are left out.
pub(super) fn decimal(unscaled: i128, scale: u8, out: &mut [u8; 41]) -> &[u8] {
    let mut digits = [0; 39];
    let mut room = &mut digits[..];
    let (number, width) = (unscaled.unsigned_abs(), usize::from(scale) + 1);
    // 39 digits are as many as 128 bits have, and more than the scale; most numbers have 64, which is done sooner.
    let _ = match u64::try_from(number) {
        Ok(number) => write!(room, "{number:0width$}"),
        Err(_) => write!(room, "{number:0width$}"),
    };
    let left = room.len();
    let written = digits.len() - left;
    let (whole, fraction) = digits[..written].split_at(written.saturating_sub(usize::from(scale)));
    let fraction = &fraction[..fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1)];
    let (sign, point) = (if unscaled < 0 { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
    let mut length = 0;
    for part in [sign.as_bytes(), whole, point.as_bytes(), fraction] {
        out[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    &out[..length]
}

/// A whole number of bytes, the highest first, in two's complement; none where it has more than 128 bits.
pub(super) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let is_negative = *bytes.first()? >= 0x80;
    let sign = if is_negative { 0xff } else { 0 };
    let (above, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut whole = [sign; 16];
    whole[16 - low.len()..].copy_from_slice(low);
    let number = i128::from_be_bytes(whole);
    (above.iter().all(|byte| *byte == sign) && (number < 0) == is_negative).then_some(number)
}

/// A number with six places, rounded. A narrow one is first what the fewest digits say that tell it from others: 0.1, not
/// the 0.100000001 that it is in 64 bits.
pub(super) fn rounded(number: f64, narrow: bool, out: &mut [u8; 20]) -> &[u8] {
    let number = if number.is_nan() { number } else { number.clamp(-FAR, FAR) };
    let number = if narrow { (number as f32).to_string().parse().unwrap_or(number) } else { number };
    let mut room = &mut out[..];
    // A sign, 12 digits, the point and six places.
    let _ = write!(room, "{number:.6}");
    let left = room.len();
    &out[..20 - left]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::decimal::micros;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn text(text: &[u8]) -> String {
        String::from_utf8_lossy(text).into_owned()
    }

    #[test]
    fn times_are_written_as_in_csv() {
        const NANOS: i64 = 1_000_000_000;
        for (at, units, utc, expected) in [
            (0, 1_000, true, "1970-01-01T00:00:00Z"),
            (1_772_366_400_000, 1_000, true, "2026-03-01T12:00:00Z"),
            (1_772_366_400_001, 1_000, true, "2026-03-01T12:00:00.001000Z"),
            (1_772_366_400_000_001, 1_000_000, true, "2026-03-01T12:00:00.000001Z"),
            (1_772_366_400_000_001_999, NANOS, true, "2026-03-01T12:00:00.000001Z"),
            (1_772_366_400_000_000_999, NANOS, true, "2026-03-01T12:00:00Z"),
            (1_772_366_400_250_000, 1_000_000, false, "2026-03-01T12:00:00.250000"),
            (1_772_366_400_000, 1_000, false, "2026-03-01T12:00:00"),
            (-1, NANOS, true, "1969-12-31T23:59:59.999999Z"),
            (951_782_399, 1, true, "2000-02-28T23:59:59Z"),
            (951_782_400, 1, true, "2000-02-29T00:00:00Z"),
            (i64::MAX, 1_000, true, "9999-12-31T23:59:59Z"),
            (i64::MIN, 1_000, true, "0000-01-01T00:00:00Z"),
            (i64::MAX, 1_000, false, "9999-12-31T23:59:59"),
        ] {
            assert_eq!(text(time(at, Stamp { units, utc }, &mut [0; 27])), expected);
        }
    }

    #[test]
    fn decimals_are_exact() {
        for (unscaled, scale, expected) in [
            (0, 0, "0"),
            (0, 2, "0"),
            (1_250, 2, "12.5"),
            (-1_250, 3, "-1.25"),
            (1_200, 2, "12"),
            (100, 0, "100"),
            (5, 6, "0.000005"),
            (-5, 7, "-0.0000005"),
            (12_500_000_000_000_000_000, 18, "12.5"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (i128::MAX, 0, "170141183460469231731687303715884105727"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            assert_eq!(text(decimal(unscaled, scale, &mut [0; 41])), expected);
        }
    }

    #[test]
    fn bytes_are_numbers() {
        for (bytes, expected) in [
            (&[][..], None),
            (&[0x7f], Some(127)),
            (&[0xff], Some(-1)),
            (&[0x80, 0], Some(-32_768)),
            (&[0, 0x80], Some(128)),
            (&[0; 32], Some(0)),
            (&[0xff; 32], Some(-1)),
            (&[0x7f; 17], None),
            (&[&[0][..], &[0xff; 16]].concat(), None),
            (&[&[0xff][..], &[0; 16]].concat(), None),
        ] {
            assert_eq!(big_endian(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn floating_point_is_rounded_to_six_places() {
        let narrow = |number: f32| text(rounded(f64::from(number), true, &mut [0; 20]));
        let wide = |number: f64| text(rounded(number, false, &mut [0; 20]));
        for (found, expected) in [
            (wide(12.5), "12.500000"),
            (wide(0.1 + 0.2), "0.300000"),
            (wide(-0.000_000_4), "-0.000000"),
            (wide(1e-300), "0.000000"),
            (wide(f64::NAN), "NaN"),
            (wide(f64::INFINITY), "100000000000.000000"),
            (wide(-1e300), "-100000000000.000000"),
            (narrow(0.1), "0.100000"),
            (narrow(16_777.77), "16777.770000"),
            (narrow(f32::MAX), "100000000000.000000"),
            (narrow(f32::NAN), "NaN"),
            (narrow(f32::MIN_POSITIVE), "0.000000"),
        ] {
            assert_eq!(found, expected);
        }
    }

    proptest! {
        #[test]
        fn times_are_those_of_the_calendar(
            second in YEARS[0]..=YEARS[1],
            part in 0..1_000_000_000_i64,
            units in prop::sample::select(vec![1_000, 1_000_000, 1_000_000_000]),
        ) {
            let stamp = |utc| Stamp { units, utc };
            let Some(at) = second.checked_mul(units).and_then(|at| at.checked_add(part * units / 1_000_000_000)) else {
                return Ok(());
            };
            let micros = (part * units / 1_000_000_000) * 1_000_000 / units;
            let expected = DateTime::from_timestamp_micros(second * 1_000_000 + micros);
            let found = text(time(at, stamp(true), &mut [0; 27]));
            prop_assert_eq!(DateTime::parse_from_rfc3339(&found).ok().map(|read| read.to_utc()), expected);
            let local = text(time(at, stamp(false), &mut [0; 27]));
            prop_assert_eq!(Some(local.as_str()), found.strip_suffix('Z'));
        }

        #[test]
        fn times_beyond_the_years_are_times(at in any::<i64>()) {
            let found = text(time(at, Stamp::MICROS, &mut [0; 27]));
            prop_assert!(DateTime::parse_from_rfc3339(&found).is_ok(), "{found}");
        }

        #[test]
        fn numbers_that_are_taken_are_read_back(number in -1_000_000_000_000_000..=1_000_000_000_000_000_i64) {
            let exact = decimal(i128::from(number), 6, &mut [0; 41]).to_vec();
            prop_assert_eq!(micros(&text(&exact)), Ok(number));
            let bytes = number.to_be_bytes();
            prop_assert_eq!(big_endian(&bytes), Some(i128::from(number)));
            // 53 bits are enough for a billion with six places.
            let rounded = text(rounded(number as f64 / 1e6, false, &mut [0; 20]));
            prop_assert_eq!(micros(&rounded), Ok(number));
        }
    }
}
