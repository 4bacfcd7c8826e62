//! One figure of a table: its number and how sure it is, or why there is none.

use entente_identity::measure::{Figure, MICROS};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// So many standard errors to either side hold 95 of 100 draws of Laplace noise: ln 20 / √2. Sums of several draws, as
/// totals are, need fewer, down to 1.96, so that the interval is never too narrow for its noise.
const STANDARD_ERRORS: f64 = 2.118_29;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Unit {
    /// People, impressions or conversions.
    Count,
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
    /// Money in micros.
    Money(i64),
    /// A quotient.
    Ratio(f64),
}

impl Number {
    /// The nearest floating-point number; money in units of the currency.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Money(micros) => micros as f64 / MICROS as f64,
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
            Self::Money(micros) => {
                let sign = if micros < 0 { "-" } else { "" };
                let (whole, part) =
                    (micros.unsigned_abs() / MICROS.unsigned_abs(), micros.unsigned_abs() % MICROS.unsigned_abs());
                let decimal = format!("{sign}{whole}.{part:06}");
                f.write_str(decimal.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// A number that is released.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The number.
    pub number: Number,
    /// Of its noise, in units of the number (money in units of the currency); 0 where it is exact.
    pub standard_error: f64,
    /// The lower end of the 95 % interval of its noise.
    pub low: Number,
    /// The upper end.
    pub high: Number,
}

impl Measured {
    /// Whether no noise was added.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.standard_error == 0.0
    }
}

/// One figure of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// It is released.
    Value(Measured),
    /// It is about too few people, or less than three standard errors.
    BelowThreshold,
    /// The report did not ask for it.
    NotMeasured,
}

impl Cell {
    /// A count of people, impressions or conversions. Its interval is of whole numbers and never below 0.
    #[must_use]
    pub fn count(figure: Figure<i64>) -> Self {
        whole(figure, 1.0, Number::Count, 0)
    }

    /// An amount in micros.
    #[must_use]
    pub fn money(figure: Figure<i64>) -> Self {
        whole(figure, MICROS as f64, Number::Money, i64::MIN)
    }

    /// A quotient.
    #[must_use]
    pub fn ratio(figure: Figure<f64>) -> Self {
        match figure {
            Figure::Value { value, standard_error, .. } => {
                let reach = STANDARD_ERRORS * standard_error;
                let [low, high] = [(value - reach).max(0.0), value + reach].map(Number::Ratio);
                Self::Value(Measured { number: Number::Ratio(value), standard_error, low, high })
            }
            Figure::BelowThreshold => Self::BelowThreshold,
            Figure::NotMeasured => Self::NotMeasured,
        }
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

/// A whole number of units, `one` of which make what its standard error is said in. Noise is whole as well: the ends of
/// the interval are rounded away from the number.
fn whole(figure: Figure<i64>, one: f64, number: fn(i64) -> Number, least: i64) -> Cell {
    match figure {
        Figure::Value { value, standard_error, .. } => {
            let reach = (STANDARD_ERRORS * standard_error).ceil() as i64;
            Cell::Value(Measured {
                number: number(value),
                standard_error: standard_error / one,
                low: number(value.saturating_sub(reach).max(least.min(value))),
                high: number(value.saturating_add(reach)),
            })
        }
        Figure::BelowThreshold => Cell::BelowThreshold,
        Figure::NotMeasured => Cell::NotMeasured,
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
        let refunds = *Cell::money(value(-12_340_000, 1_000_000.0)).measured().unwrap();
        assert_eq!((refunds.low, refunds.high), (Number::Money(-14_458_290), Number::Money(-10_221_710)));
        assert_eq!(refunds.standard_error, 1.0);
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
    fn money_is_written_without_rounding() {
        for (micros, text) in [
            (0, "0"),
            (-1, "-0.000001"),
            (12_340_000, "12.34"),
            (-5_000_000, "-5"),
            (100_000_000, "100"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(Number::Money(micros).to_string(), text);
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
