//! Custom scalars.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::NaiveDate;

/// A whole number below 2^53, which every JSON reader keeps exactly. Counts of people need more than 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeInt(pub u64);

const LIMIT: u64 = 1 << 53;

/// A whole number below 2^53, which every JSON reader keeps exactly.
#[Scalar(name = "SafeInt")]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(n) => match n.as_u64() {
                Some(n) if n < LIMIT => Ok(Self(n)),
                _ => Err(InputValueError::custom("a SafeInt is between 0 and 2^53 - 1")),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.min(LIMIT - 1))
    }
}

impl From<u64> for SafeInt {
    fn from(n: u64) -> Self {
        Self(n)
    }
}

/// A UTC day, written `YYYY-MM-DD` (RFC 3339, full-date).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A UTC day, written `YYYY-MM-DD` (RFC 3339, full-date).
#[Scalar(name = "Date", specified_by_url = "https://scalars.graphql.org/andimarek/local-date.html")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) if text.len() == 10 => {
                text.parse().map(Self).map_err(|_| InputValueError::custom("a Date is written YYYY-MM-DD"))
            }
            _ => Err(InputValueError::custom("a Date is written YYYY-MM-DD")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}
