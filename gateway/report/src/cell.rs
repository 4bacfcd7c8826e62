//! One figure of a table: its number and how sure it is, or why there is none.

use entente_identity::measure::lift::Estimate;
use entente_identity::measure::{Figure, Interval, MICROS};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Unit {
    /// People, impressions or conversions.
    Count,
    /// Conversions that a model credits: fractions of one add up.
    Credit,
    /// People or conversions with fractions, as estimates have them.
    FractionalCount,
    /// Money, in the currency of the file that it comes from.
    Money,
    /// A quotient of two counts.
    Ratio,
}

impl Unit {
    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Credit => "CREDIT",
            Self::FractionalCount => "FRACTIONAL_COUNT",
            Self::Money => "MONEY",
            Self::Ratio => "RATIO",
        }
    }
}

/// A number, as exact as the report has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// People, impressions or conversions.
    Count(i64),
    /// Credited conversions in micros of one.
    Credit(i64),
    /// People or conversions in micros of one.
    FractionalCount(i64),
    /// Money in micros.
    Money(i64),
    /// A quotient.
    Ratio(f64),
}

impl Number {
    /// A number of people or conversions, to the nearest whole one.
    #[must_use]
    pub fn count(value: f64) -> Self {
        Self::Count(value.round() as i64)
    }

    /// A number of people or conversions, to six digits after the point.
    #[must_use]
    pub fn fractional_count(value: f64) -> Self {
        Self::FractionalCount(in_micros(value))
    }

    /// An amount in units of the currency, to six digits after the point.
    #[must_use]
    pub fn money(value: f64) -> Self {
        Self::Money(in_micros(value))
    }

    /// What it counts.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Count(_) => Unit::Count,
            Self::Credit(_) => Unit::Credit,
            Self::FractionalCount(_) => Unit::FractionalCount,
            Self::Money(_) => Unit::Money,
            Self::Ratio(_) => Unit::Ratio,
        }
    }

    /// The nearest floating-point number; what is in micros in units.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Credit(micros) | Self::FractionalCount(micros) | Self::Money(micros) => micros as f64 / MICROS as f64,
            Self::Ratio(ratio) => ratio,
        }
    }
}

/// Digits with a point, no sign for thousands, no zeros at the end.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Ratio(ratio) => write!(f, "{ratio}"),
            Self::Credit(micros) | Self::FractionalCount(micros) | Self::Money(micros) => {
                let sign = if micros < 0 { "-" } else { "" };
                let (whole, part) =
                    (micros.unsigned_abs() / MICROS.unsigned_abs(), micros.unsigned_abs() % MICROS.unsigned_abs());
                let decimal = format!("{sign}{whole}.{part:06}");
                f.write_str(decimal.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// To the nearest one.
fn in_micros(value: f64) -> i64 {
    (value * MICROS as f64).round() as i64
}

/// A number that is released.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The number.
    pub number: Number,
    /// Of its noise, in conversions for credit, in units of the currency for money; 0 where it is exact. None of an estimate,
    /// whose interval is that of chance and not of noise.
    pub standard_error: Option<f64>,
    /// The lower end of its 95 % interval.
    pub low: Number,
    /// The upper end.
    pub high: Number,
}

impl Measured {
    /// Whether it has no interval but itself.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.standard_error == Some(0.0)
    }
}

/// One figure of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// It is released.
    Value(Measured),
    /// It is about too few people, or less than three standard errors.
    BelowThreshold,
    /// The report did not ask for it, or a lift has nothing to be compared with.
    NotMeasured,
}

impl Cell {
    /// A number that is as it is.
    #[must_use]
    pub fn exact(number: Number) -> Self {
        Self::Value(Measured { number, standard_error: Some(0.0), low: number, high: number })
    }

    /// A number that chance has a part in, with its interval; not measured where there is none.
    #[must_use]
    pub fn estimated(estimate: Option<Estimate>, number: fn(f64) -> Number) -> Self {
        let is_finite = |of: &Estimate| [of.value, of.low, of.high].iter().all(|end| end.is_finite());
        estimate.filter(is_finite).map_or(Self::NotMeasured, |Estimate { value, low, high }| {
            let [number, low, high] = [value, low, high].map(number);
            Self::Value(Measured { number, standard_error: None, low, high })
        })
    }

    /// A count of people, impressions or conversions. Its interval is never below 0.
    #[must_use]
    pub fn count(figure: Figure<i64>) -> Self {
        whole(figure, 1.0, Number::Count, 0)
    }

    /// Conversions that a model credits, in micros of one. Its interval is never below 0.
    #[must_use]
    pub fn credit(figure: Figure<i64>) -> Self {
        whole(figure, MICROS as f64, Number::Credit, 0)
    }

    /// An amount in micros.
    #[must_use]
    pub fn money(figure: Figure<i64>) -> Self {
        whole(figure, MICROS as f64, Number::Money, i64::MIN)
    }

    /// A quotient. Its interval is never below 0.
    #[must_use]
    pub fn ratio(figure: Figure<f64>) -> Self {
        released(figure, figure.interval(), |value, standard_error, Interval { low, high }| {
            let [number, low, high] = [value, low.max(0.0), high].map(Number::Ratio);
            Measured { number, standard_error: Some(standard_error), low, high }
        })
    }

    /// Cost over a count, in micros: a quotient that is money, to the nearest micro.
    #[must_use]
    pub fn price(figure: Figure<f64>) -> Self {
        released(figure, figure.interval(), |value, standard_error, Interval { high, .. }| {
            let (micros, half) = (value.round() as i64, (high - value).round() as i64);
            let low = micros.saturating_sub(half).max(0);
            let [number, low, high] = [micros, low, micros.saturating_add(half)].map(Number::Money);
            Measured { number, standard_error: Some(standard_error / MICROS as f64), low, high }
        })
    }

    /// What is released, where something is.
    #[must_use]
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Value(measured) => Some(measured),
            Self::BelowThreshold | Self::NotMeasured => None,
        }
    }

    /// As outputs have it.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Value(_) => "VALUE",
            Self::BelowThreshold => "BELOW_THRESHOLD",
            Self::NotMeasured => "NOT_MEASURED",
        }
    }
}

/// A whole number of units, `one` of which make what its standard error is said in.
fn whole(figure: Figure<i64>, one: f64, number: fn(i64) -> Number, least: i64) -> Cell {
    released(figure, figure.interval(), |value, standard_error, Interval { low, high }| Measured {
        number: number(value),
        standard_error: Some(standard_error / one),
        low: number(low.max(least.min(value))),
        high: number(high),
    })
}

/// What is made of the number, its standard error and its interval, or why there is none.
fn released<T>(
    figure: Figure<T>,
    interval: Option<Interval<T>>,
    measured: impl Fn(T, f64, Interval<T>) -> Measured,
) -> Cell {
    match (figure, interval) {
        (Figure::Value { value, standard_error }, Some(interval)) => {
            Cell::Value(measured(value, standard_error, interval))
        }
        (Figure::NotMeasured, _) => Cell::NotMeasured,
        (Figure::BelowThreshold | Figure::Value { .. }, _) => Cell::BelowThreshold,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_identity::measure::{DiscreteLaplace, Noise};

    fn value(value: i64, standard_error: f64) -> Figure<i64> {
        Figure::Value { value, standard_error }
    }

    #[test]
    fn what_is_exact_has_no_width() {
        let exact = *Cell::count(value(1_500, 0.0)).measured().unwrap();
        assert!(exact.is_exact());
        assert_eq!((exact.low, exact.high), (Number::Count(1_500), Number::Count(1_500)));
    }

    #[test]
    fn counts_stay_whole_and_above_nothing() {
        let few = *Cell::count(value(10, 7.3)).measured().unwrap();
        assert_eq!((few.low, few.high), (Number::Count(0), Number::Count(26)));
        let part = *Cell::credit(value(1_500_000, 1_000_000.0)).measured().unwrap();
        assert_eq!((part.number.to_string(), part.low), ("1.5".to_owned(), Number::Credit(0)));
        let refunds = *Cell::money(value(-12_340_000, 1_000_000.0)).measured().unwrap();
        assert!(matches!(refunds.low, Number::Money(-14_460_000..-14_458_000)), "{refunds:?}");
        assert_eq!(refunds.standard_error, Some(1.0));
    }

    /// What the API shows and what files hold is the same interval.
    #[test]
    fn intervals_are_those_of_the_figures() {
        for standard_error in [0.0, 0.3, 7.3, 400.0, 1e7] {
            let figure = value(5_000_000_000, standard_error);
            let interval = figure.interval().unwrap();
            for (cell, number) in [
                (Cell::count(figure), Number::Count as fn(i64) -> Number),
                (Cell::credit(figure), Number::Credit),
                (Cell::money(figure), Number::Money),
            ] {
                let measured = cell.measured().unwrap();
                assert_eq!((measured.low, measured.high), (number(interval.low), number(interval.high)));
            }
            let quotient = Figure::Value { value: 3.0, standard_error: standard_error / 1e8 };
            let (interval, cell) = (quotient.interval().unwrap(), Cell::ratio(quotient));
            let measured = cell.measured().unwrap();
            assert_eq!((measured.low, measured.high), (Number::Ratio(interval.low), Number::Ratio(interval.high)));
        }
    }

    #[test]
    fn prices_are_in_whole_micros() {
        let exact = *Cell::price(Figure::Value { value: 24_093.6, standard_error: 0.0 }).measured().unwrap();
        assert_eq!([exact.number, exact.low, exact.high], [Number::Money(24_094); 3]);
        let noisy = *Cell::price(Figure::Value { value: 24_093.6, standard_error: 1_000.0 }).measured().unwrap();
        assert_eq!([noisy.low, noisy.high], [24_094 - 2_118, 24_094 + 2_118].map(Number::Money));
        assert_eq!(noisy.standard_error, Some(0.001));
        let wide = *Cell::price(Figure::Value { value: 10.0, standard_error: 1_000.0 }).measured().unwrap();
        assert_eq!(wide.low, Number::Money(0));
        assert_eq!(Cell::price(Figure::NotMeasured).state(), "NOT_MEASURED");
    }

    #[test]
    fn estimates_have_an_interval_and_no_noise() {
        let estimate = Estimate { value: 1.25, low: -0.5, high: 3.000_000_4 };
        let brought = *Cell::estimated(Some(estimate), Number::fractional_count).measured().unwrap();
        assert_eq!((brought.standard_error, brought.is_exact()), (None, false));
        let ends = [brought.low, brought.number, brought.high];
        assert_eq!(ends, [-500_000, 1_250_000, 3_000_000].map(Number::FractionalCount));
        assert_eq!((brought.number.to_string(), brought.number.unit().name()), ("1.25".to_owned(), "FRACTIONAL_COUNT"));
        assert_eq!(Cell::estimated(None, Number::Ratio), Cell::NotMeasured);
        let endless = Estimate { high: f64::INFINITY, ..estimate };
        assert_eq!(Cell::estimated(Some(endless), Number::Ratio), Cell::NotMeasured);
        assert!(Cell::exact(Number::count(59.9)).measured().unwrap().is_exact());
    }

    #[test]
    fn a_figure_without_a_number_says_why() {
        for (figure, state) in [(Figure::BelowThreshold, "BELOW_THRESHOLD"), (Figure::NotMeasured, "NOT_MEASURED")] {
            assert_eq!(Cell::count(figure).state(), state);
            assert_eq!(Cell::money(figure).state(), state);
            assert!(Cell::count(figure).measured().is_none());
        }
        assert_eq!(Cell::ratio(Figure::Value { value: 2.5, standard_error: 0.0 }).state(), "VALUE");
    }

    #[test]
    fn micros_are_written_without_rounding() {
        for (micros, text) in [
            (0, "0"),
            (-1, "-0.000001"),
            (12_340_000, "12.34"),
            (-5_000_000, "-5"),
            (100_000_000, "100"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(
                (Number::Money(micros).to_string(), Number::Credit(micros).to_string()),
                (text.into(), text.into())
            );
        }
    }

    /// Of one draw, of the sum of four and of the sum of thirty, for little noise and for much.
    #[test]
    fn intervals_hold_what_they_say() {
        const TRIES: usize = 20_000;
        for draws in [1, 4, 30] {
            for epsilon in [3.0, 0.8, 0.05] {
                let (noise, variance) = DiscreteLaplace.add(&vec![0; TRIES * draws], 1, epsilon).unwrap();
                let error = (variance * draws as f64).sqrt();
                let holds = |noise: &&[i64]| {
                    let truth = 1_000_000;
                    let cell = Cell::count(value(truth + noise.iter().sum::<i64>(), error));
                    let measured = cell.measured().unwrap();
                    (measured.low.as_f64()..=measured.high.as_f64()).contains(&(truth as f64))
                };
                let share = noise.chunks(draws).filter(holds).count() as f64 / TRIES as f64;
                // Four standard deviations of the share below 95 %.
                assert!(share > 0.9438, "{draws} draws at ε {epsilon}: {share}");
            }
        }
    }
}
