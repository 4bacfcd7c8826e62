//! Numbers and days as people read them.

use crate::cell::{Cell, Measured, Number};
use chrono::NaiveDate;
use entente_identity::measure::MICROS;

/// With a comma between thousands; money and quotients with two digits after the point.
pub(super) fn full(number: Number) -> String {
    match number {
        Number::Count(count) => signed(count < 0, &thousands(&count.unsigned_abs().to_string())),
        Number::Money(micros) => {
            let cents = (i128::from(micros.unsigned_abs()) * 100 + i128::from(MICROS) / 2) / i128::from(MICROS);
            let text = format!("{}.{:02}", thousands(&(cents / 100).to_string()), cents % 100);
            signed(micros < 0 && cents > 0, &text)
        }
        Number::Ratio(ratio) => signed(ratio < 0.0, &format!("{:.2}", ratio.abs())),
    }
}

/// The same, but money of 100,000 and more without what is after the point: for a figure that stands alone.
pub(super) fn at_a_glance(number: Number) -> String {
    match number {
        Number::Money(_) if number.as_f64().abs() >= 1e5 => full(Number::Count(number.as_f64().round() as i64)),
        _ => full(number),
    }
}

/// Half the width of its interval where both halves are alike, such as `± 120`, otherwise both ends; none where it is
/// exact. `write` writes each number.
pub(super) fn interval(measured: &Measured, write: fn(Number) -> String) -> Option<String> {
    if measured.is_exact() {
        return None;
    }
    let halves = match (measured.low, measured.number, measured.high) {
        (Number::Count(low), Number::Count(value), Number::Count(high)) => {
            (high - value == value - low).then_some(Number::Count(high - value))
        }
        (Number::Money(low), Number::Money(value), Number::Money(high)) => {
            (high - value == value - low).then_some(Number::Money(high - value))
        }
        (low, value, high) => {
            let (below, above) = (value.as_f64() - low.as_f64(), high.as_f64() - value.as_f64());
            ((above - below).abs() < 1e-9).then_some(Number::Ratio(above))
        }
    };
    Some(match halves {
        Some(half) => format!("± {}", write(half)),
        None => format!("{} to {}", write(measured.low), write(measured.high)),
    })
}

/// What a cell says; why it says nothing, in a word that a note of the page explains.
pub(super) fn cell(cell: &Cell, write: fn(Number) -> String) -> String {
    match cell {
        Cell::Value(measured) => write(measured.number),
        Cell::BelowThreshold => "Withheld".to_owned(),
        Cell::NotMeasured => "Not measured".to_owned(),
    }
}

/// To three digits, for the axis of a chart: `1.2 M`.
pub(super) fn compact(value: f64) -> String {
    let size = value.abs();
    let (one, unit) = match size {
        _ if size >= 1e9 => (1e9, " B"),
        _ if size >= 1e6 => (1e6, " M"),
        _ if size >= 1e4 => (1e3, " k"),
        _ => return signed(value < 0.0, &thousands(&size.round().to_string())),
    };
    signed(value < 0.0, &format!("{}{unit}", (size / one * 100.0).round() / 100.0))
}

/// `1 March 2026`.
pub(super) fn day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// `1 Mar 2026`, for the rows of a table.
pub(super) fn day_of_row(day: NaiveDate) -> String {
    day.format("%-d %b %Y").to_string()
}

/// `1 Mar`, for the axis of a chart.
pub(super) fn short_day(day: NaiveDate) -> String {
    day.format("%-d %b").to_string()
}

fn signed(negative: bool, digits: &str) -> String {
    format!("{}{digits}", if negative { "−" } else { "" })
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_identity::measure::Figure;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (number, text) in [
            (Number::Count(0), "0"),
            (Number::Count(999), "999"),
            (Number::Count(1_234_567), "1,234,567"),
            (Number::Count(-1_000), "−1,000"),
            (Number::Money(1_234_565_000), "1,234.57"),
            (Number::Money(-1), "0.00"),
            (Number::Money(-12_340_000), "−12.34"),
            (Number::Money(i64::MIN), "−9,223,372,036,854.78"),
            (Number::Ratio(2.345), "2.35"),
        ] {
            assert_eq!(full(number), text);
        }
    }

    #[test]
    fn large_amounts_that_stand_alone_have_no_cents() {
        for (micros, text) in
            [(99_999_990_000, "99,999.99"), (100_000_500_000, "100,001"), (-4e12 as i64, "−4,000,000")]
        {
            assert_eq!(at_a_glance(Number::Money(micros)), text);
        }
        assert_eq!(at_a_glance(Number::Count(1_000_000)), "1,000,000");
    }

    #[test]
    fn axes_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (9_500.0, "9,500"),
            (12_500.0, "12.5 k"),
            (1_234_567.0, "1.23 M"),
            (2e9, "2 B"),
            (-20_000.0, "−20 k"),
        ] {
            assert_eq!(compact(value), text);
        }
    }

    #[test]
    fn intervals_are_said_by_their_half_or_by_their_ends() {
        let of = |value, standard_error| {
            interval(Cell::count(Figure::Value { value, standard_error }).measured().unwrap(), full)
        };
        assert_eq!(of(5_000, 0.0), None);
        assert_eq!(of(5_000, 500.0).unwrap(), "± 1,060");
        assert_eq!(of(10, 10.0).unwrap(), "0 to 32");
    }
}
