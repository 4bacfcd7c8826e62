//! Conversion events: which conversions count, under a name.

use crate::{Refusal, refusal::text};
use serde::{Deserialize, Serialize};

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operator {
    /// The same text.
    Equals,
    /// Another text.
    NotEquals,
    /// Holds the text.
    Contains,
    /// A greater number.
    GreaterThan,
    /// A lesser number.
    LessThan,
    /// Is there and not empty.
    Exists,
}

/// A condition on an attribute of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// One of the data set's attribute columns.
    pub attribute: String,
    /// How it compares.
    pub operator: Operator,
    /// What with; empty for EXISTS.
    pub value: String,
}

/// Whether all or any of the conditions must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Match {
    /// All must hold.
    All,
    /// One is enough.
    Any,
}

/// A conversion event: which conversions count, under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionEvent {
    /// 1 to 60 characters; unique in its data set.
    pub name: String,
    /// The value in the kind column.
    pub conversion_kind: String,
    /// At most five.
    pub conditions: Vec<Condition>,
    /// All or any.
    pub matching: Match,
}

/// Checks the conversion events of a data set with these attributes.
pub(crate) fn checked_events(
    events: Vec<ConversionEvent>,
    attributes: &[String],
) -> Result<Vec<ConversionEvent>, Refusal> {
    if events.is_empty() || events.len() > 3 {
        return Err(Refusal::invalid("events", "Between one and three conversion events."));
    }
    let mut checked: Vec<ConversionEvent> = Vec::with_capacity(events.len());
    for event in events {
        let name = text("events.name", &event.name, 1, 60)?;
        if checked.iter().any(|e| e.name == name) {
            return Err(Refusal::invalid("events", format!("{name} is named twice.")));
        }
        if event.conditions.len() > 5 {
            return Err(Refusal::invalid("events.conditions", "At most five conditions."));
        }
        let conditions = event.conditions.into_iter().map(|c| checked_condition(c, attributes));
        checked.push(ConversionEvent {
            name,
            conversion_kind: text("events.conversionKind", &event.conversion_kind, 1, 100)?,
            conditions: conditions.collect::<Result<_, _>>()?,
            matching: event.matching,
        });
    }
    Ok(checked)
}

fn checked_condition(condition: Condition, attributes: &[String]) -> Result<Condition, Refusal> {
    let attribute = condition.attribute.trim().to_owned();
    if !attributes.contains(&attribute) {
        let message = format!("{attribute} is not one of the attribute columns.");
        return Err(Refusal::invalid("events.conditions.attribute", message));
    }
    let value = text("events.conditions.value", &condition.value, 0, 200)?;
    let compares_numbers = matches!(condition.operator, Operator::GreaterThan | Operator::LessThan);
    if compares_numbers && micros(&value).is_none() {
        return Err(Refusal::invalid("events.conditions.value", "This is not a number."));
    }
    Ok(Condition { attribute, value, ..condition })
}

/// A decimal number of a condition in millionths; at most a billion in either direction.
pub fn micros(value: &str) -> Option<i64> {
    let number: f64 = value.parse().ok()?;
    // A billion in millionths is below 2^53: nothing is lost.
    (number.abs() <= 1e9).then(|| (number * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_conditions_are_read() {
        for (value, expected) in [
            ("4.5", Some(4_500_000)),
            ("-0.000001", Some(-1)),
            ("1000000000", Some(1_000_000_000_000_000)),
            ("1000000001", None),
            ("nan", None),
            ("inf", None),
            ("", None),
            ("many", None),
        ] {
            assert_eq!(micros(value), expected, "{value}");
        }
    }
}
