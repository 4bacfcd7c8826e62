//! Numbers and days as people read them.

use crate::cell::{Cell, Measured, Number, Unit};
use crate::table::Metric;
use chrono::NaiveDate;
use entente_identity::measure::MICROS;

/// How figures of a metric are written in a table.
pub(super) fn of(metric: Metric) -> fn(Number) -> String {
    match metric {
        Metric::ViewableRate | Metric::Lift | Metric::SmallestDetectableLift => percent,
        Metric::CostPerPerson => price,
        _ => full,
    }
}

/// The same where a figure stands alone: money of 100,000 and more is without what is after the point.
pub(super) fn at_a_glance(metric: Metric) -> fn(Number) -> String {
    match metric.unit() {
        Unit::Money if metric != Metric::CostPerPerson => rounded,
        _ => of(metric),
    }
}

/// With a comma between thousands; credit, money and quotients with two digits after the point, estimated counts with one.
pub(super) fn full(number: Number) -> String {
    match number {
        Number::Count(count) => signed(count < 0, &thousands(&count.unsigned_abs().to_string())),
        Number::Credit(micros) | Number::Money(micros) => decimal(micros, 2),
        Number::FractionalCount(micros) => decimal(micros, 1),
        Number::Ratio(ratio) => signed(ratio < 0.0, &format!("{:.2}", ratio.abs())),
    }
}

fn rounded(number: Number) -> String {
    match number {
        Number::Money(_) if number.as_f64().abs() >= 1e5 => full(Number::Count(number.as_f64().round() as i64)),
        _ => full(number),
    }
}

/// What is mostly less than one: money with four digits after the point.
fn price(number: Number) -> String {
    match number {
        Number::Money(micros) => decimal(micros, 4),
        _ => full(number),
    }
}

/// A quotient in hundredths.
pub(super) fn percent(number: Number) -> String {
    let hundredths = number.as_f64() * 100.0;
    signed(hundredths < 0.0, &format!("{:.1} %", hundredths.abs()))
}

/// Millionths as a number with so many digits after the point.
fn decimal(micros: i64, digits: usize) -> String {
    let one = 10_i128.pow(digits as u32);
    let parts = (i128::from(micros.unsigned_abs()) * one + i128::from(MICROS) / 2) / i128::from(MICROS);
    let text = format!("{}.{:0digits$}", thousands(&(parts / one).to_string()), parts % one);
    signed(micros < 0 && parts > 0, &text)
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
        (Number::Credit(low), Number::Credit(value), Number::Credit(high)) => {
            (high - value == value - low).then_some(Number::Credit(high - value))
        }
        (Number::Money(low), Number::Money(value), Number::Money(high)) => {
            are_alike(value - low, high - value).then_some(Number::Money(high - value))
        }
        (Number::FractionalCount(low), Number::FractionalCount(value), Number::FractionalCount(high)) => {
            are_alike(value - low, high - value).then_some(Number::FractionalCount(high - value))
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

/// But for what rounding to micros makes of it.
fn are_alike(below: i64, above: i64) -> bool {
    below.abs_diff(above) <= 1
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

/// A part in hundredths, for the axis of a chart: `12.5 %`.
pub(super) fn compact_percent(part: f64) -> String {
    let hundredths = (part * 1e4).round() / 1e2;
    match hundredths.abs() {
        size if size >= 1e4 => format!("{} %", compact(hundredths)),
        size => format!("{} %", signed(hundredths < 0.0, &size.to_string())),
    }
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
            (Number::Credit(333_333), "0.33"),
            (Number::Credit(1_234_500_000), "1,234.50"),
            (Number::Ratio(2.345), "2.35"),
        ] {
            assert_eq!(full(number), text);
        }
    }

    #[test]
    fn rates_have_the_digits_that_they_need() {
        for (metric, number, text) in [
            (Metric::ViewableRate, Number::Ratio(0.6995), "70.0 %"),
            (Metric::ViewableRate, Number::Ratio(0.0012), "0.1 %"),
            (Metric::CostPerPerson, Number::Money(24_093), "0.0241"),
            (Metric::CostPerPerson, Number::Money(1_234_000_050), "1,234.0001"),
            (Metric::CostPerThousand, Number::Money(7_604_000), "7.60"),
            (Metric::AverageFrequency, Number::Ratio(3.168), "3.17"),
        ] {
            assert_eq!((of(metric)(number), at_a_glance(metric)(number)), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn large_amounts_that_stand_alone_have_no_cents() {
        for (micros, text) in
            [(99_999_990_000, "99,999.99"), (100_000_500_000, "100,001"), (-4e12 as i64, "−4,000,000")]
        {
            assert_eq!(at_a_glance(Metric::Revenue)(Number::Money(micros)), text);
        }
        assert_eq!(at_a_glance(Metric::Impressions)(Number::Count(1_000_000)), "1,000,000");
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
    fn parts_are_in_hundredths() {
        for (part, axis, table) in [
            (0.0, "0 %", "0.0 %"),
            (-0.000_000_01, "0 %", "−0.0 %"),
            (0.30000000000000004, "30 %", "30.0 %"),
            (-0.125, "−12.5 %", "−12.5 %"),
            (200.0, "20 k %", "20000.0 %"),
        ] {
            assert_eq!((compact_percent(part), percent(Number::Ratio(part))), (axis.to_owned(), table.to_owned()));
        }
        assert_eq!(full(Number::fractional_count(1_234.56)), "1,234.6");
    }

    #[test]
    fn estimates_are_said_as_figures_are() {
        use entente_identity::measure::lift::Estimate;
        let of = |[low, value, high]: [f64; 3], number| {
            interval(Cell::estimated(Some(Estimate { value, low, high }), number).measured().unwrap(), full)
        };
        assert_eq!(of([-23.7, 10.0, 43.7], Number::fractional_count).unwrap(), "± 33.7");
        assert_eq!(of([0.000_000_4, 1.000_000_4, 2.000_000_6], Number::money).unwrap(), "± 1.00");
        assert_eq!(of([-0.38, 0.2, 1.31], Number::Ratio).unwrap(), "−0.38 to 1.31");
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
