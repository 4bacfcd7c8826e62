//! Prices: credits for a million inputs.

use super::Activity;
use serde::{Deserialize, Serialize};
use std::ops::{Add, Neg, Sub};

/// The most of anything that is counted in micro-credits, and of inputs: every JSON reader keeps it exactly.
pub const MOST: i64 = (1 << 53) - 1;

/// Micro-credits in a credit, and inputs that a price is for.
const MILLION: i64 = 1_000_000;
/// The highest price: a credit for each input.
const HIGHEST: i64 = MILLION * MILLION;

/// Millionths of a credit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroCredits(pub i64);

impl Add for MicroCredits {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MicroCredits {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for MicroCredits {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// What a million inputs cost, in micro-credits; between 0 and a credit for each input. Written as credits, with at
/// most six digits after the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(i64);

impl Price {
    /// A price in micro-credits for a million inputs, unless it is out of range.
    pub fn new(micro_credits: i64) -> Option<Self> {
        (0..=HIGHEST).contains(&micro_credits).then_some(Self(micro_credits))
    }

    /// In micro-credits for a million inputs.
    pub const fn micro_credits(self) -> i64 {
        self.0
    }

    /// What so many inputs cost. It is rounded once, for all inputs of a work together, and always up: a part of a
    /// micro-credit costs a whole one.
    pub fn of(self, inputs: u64) -> MicroCredits {
        let exact = u128::from(inputs) * u128::from(self.0.unsigned_abs());
        let rounded = exact.div_ceil(u128::from(MILLION.unsigned_abs()));
        MicroCredits(i64::try_from(rounded).map_or(MOST, |cost| cost.min(MOST)))
    }
}

impl TryFrom<String> for Price {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let not_one =
            || format!("`{text}` is not a price: credits for a million inputs, between 0 and 1000000, as 2.5");
        let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
        let is_digits = |digits: &str| digits.chars().all(|c| c.is_ascii_digit());
        if !(1..=7).contains(&whole.len()) || !(1..=6).contains(&part.len()) || !is_digits(whole) || !is_digits(part) {
            return Err(not_one());
        }
        let micro_credits = format!("{whole}{part:0<6}").parse().map_err(|_| not_one())?;
        Self::new(micro_credits).ok_or_else(not_one)
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        format!("{}.{:06}", price.0 / MILLION, price.0 % MILLION)
    }
}

/// The operator's table; nothing is charged for what costs 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Of sourcing.
    pub audience_management: Price,
    /// Of sending once.
    pub audience_access_once: Price,
    /// Of sending between two days.
    pub audience_access_recurring: Price,
    /// Of delivering what was sent once.
    pub audience_egress_once: Price,
    /// Of delivering what was sent between two days.
    pub audience_egress_recurring: Price,
    /// Of reports.
    pub measurement: Price,
}

impl Prices {
    /// The price of an activity.
    pub const fn of(&self, activity: Activity) -> Price {
        match activity {
            Activity::AudienceManagement => self.audience_management,
            Activity::AudienceAccessOnce => self.audience_access_once,
            Activity::AudienceAccessRecurring => self.audience_access_recurring,
            Activity::AudienceEgressOnce => self.audience_egress_once,
            Activity::AudienceEgressRecurring => self.audience_egress_recurring,
            Activity::Measurement => self.measurement,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn prices_are_written_as_credits() {
        for (text, micro_credits) in [
            ("0", Some(0)),
            ("2", Some(2_000_000)),
            ("2.5", Some(2_500_000)),
            ("0.000001", Some(1)),
            ("1000000", Some(HIGHEST)),
            ("1000000.000001", None),
            ("0.0000001", None),
            ("", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1,5", None),
            ("٣", None),
            ("99999999999999999999", None),
        ] {
            let price = Price::try_from(text.to_owned()).ok();
            assert_eq!(price.map(Price::micro_credits), micro_credits, "{text}");
            if let Some(price) = price {
                assert_eq!(Price::try_from(String::from(price)), Ok(price));
            }
        }
    }

    #[test]
    fn a_part_of_a_micro_credit_costs_a_whole_one() {
        for (micro_credits, inputs, cost) in [
            (0, u64::MAX, 0),
            (1, 0, 0),
            (1, 1, 1),
            (1, 1_000_000, 1),
            (1, 1_000_001, 2),
            (2_500_000, 3, 8),
            (2_500_000, 1_000_000, 2_500_000),
            (HIGHEST, 7, 7_000_000),
            (HIGHEST, u64::MAX, MOST),
        ] {
            assert_eq!(Price::new(micro_credits).unwrap().of(inputs), MicroCredits(cost), "{micro_credits} × {inputs}");
        }
    }
}
