//! Which conversions a conversion event takes.

use super::decimal::micros;
use super::definition::{Combine, ConversionEvent};
use serde::{Deserialize, Serialize};

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Field {
    /// The conversion's type.
    Type,
    /// One of its attributes, by name. An attribute that is empty does not exist.
    Attribute(String),
}

/// What a condition asks. Texts are compared as they are, letter case included; numbers are in millionths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Test {
    /// It is this text.
    Equals(String),
    /// It is another text, or does not exist.
    NotEquals(String),
    /// This text is in it.
    Contains(String),
    /// It is a number above this one.
    Greater(i64),
    /// It is a number below this one.
    Less(i64),
    /// It exists.
    Exists,
}

/// One condition of a conversion event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it looks at.
    pub field: Field,
    /// What it asks.
    pub test: Test,
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::NotEquals(text), value) => value != Some(text),
            (_, None) => false,
            (Self::Equals(text), Some(value)) => value == text,
            (Self::Contains(text), Some(value)) => value.contains(text.as_str()),
            (Self::Greater(bound), Some(value)) => micros(value).is_ok_and(|value| value > *bound),
            (Self::Less(bound), Some(value)) => micros(value).is_ok_and(|value| value < *bound),
            (Self::Exists, Some(_)) => true,
        }
    }
}

impl ConversionEvent {
    /// Whether a conversion of this type, with these attributes, is one of this event.
    pub(crate) fn takes<'a>(&self, kind: &'a str, repeated: bool, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        if kind != self.kind || repeated && self.deduplicate {
            return false;
        }
        let mut conditions = self.conditions.iter().map(|condition| {
            condition.test.holds(match &condition.field {
                Field::Type => Some(kind),
                Field::Attribute(name) => attribute(name),
            })
        });
        match self.combine {
            Combine::All => conditions.all(|holds| holds),
            Combine::Any => self.conditions.is_empty() || conditions.any(|holds| holds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::ValueRule;
    use super::*;

    fn event(combine: Combine, conditions: &[(&str, Test)]) -> ConversionEvent {
        let field = |name: &str| match name {
            "type" => Field::Type,
            name => Field::Attribute(name.to_owned()),
        };
        ConversionEvent {
            name: "Purchases".into(),
            kind: "purchase".into(),
            value: ValueRule::SumOfValue,
            deduplicate: true,
            combine,
            conditions: conditions
                .iter()
                .map(|(name, test)| Condition { field: field(name), test: test.clone() })
                .collect(),
        }
    }

    fn takes(combine: Combine, conditions: &[(&str, Test)]) -> bool {
        let attribute = |name: &str| match name {
            "shop" => Some("Berlin Mitte"),
            "items" => Some("3"),
            "colour" => Some("red"),
            _ => None,
        };
        event(combine, conditions).takes("purchase", false, attribute)
    }

    #[test]
    fn each_test_holds_when_it_says() {
        let text = |text: &str| text.to_owned();
        for (name, test, expected) in [
            ("shop", Test::Equals(text("Berlin Mitte")), true),
            ("shop", Test::Equals(text("berlin mitte")), false),
            ("shop", Test::NotEquals(text("Paris")), true),
            ("shop", Test::NotEquals(text("Berlin Mitte")), false),
            ("absent", Test::NotEquals(text("Paris")), true),
            ("absent", Test::Equals(text("")), false),
            ("shop", Test::Contains(text("Mitte")), true),
            ("shop", Test::Contains(text("mitte")), false),
            ("absent", Test::Contains(text("")), false),
            ("items", Test::Greater(2_999_999), true),
            ("items", Test::Greater(3_000_000), false),
            ("items", Test::Less(3_000_001), true),
            ("items", Test::Less(3_000_000), false),
            ("colour", Test::Greater(0), false),
            ("colour", Test::Less(0), false),
            ("absent", Test::Less(0), false),
            ("colour", Test::Exists, true),
            ("absent", Test::Exists, false),
            ("type", Test::Equals(text("purchase")), true),
            ("type", Test::Equals(text("refund")), false),
        ] {
            assert_eq!(takes(Combine::All, &[(name, test.clone())]), expected, "{name} {test:?}");
        }
    }

    #[test]
    fn conditions_are_combined() {
        let yes = ("colour", Test::Exists);
        let no = ("absent", Test::Exists);
        assert!(takes(Combine::All, &[]));
        assert!(takes(Combine::Any, &[]));
        assert!(takes(Combine::All, &[yes.clone(), yes.clone()]));
        assert!(!takes(Combine::All, &[yes.clone(), no.clone()]));
        assert!(takes(Combine::Any, &[no.clone(), yes]));
        assert!(!takes(Combine::Any, &[no.clone(), no]));
    }

    #[test]
    fn another_type_or_a_repeat_is_not_taken() {
        let taken = |event: &ConversionEvent, kind, repeated| event.takes(kind, repeated, |_| None);
        let deduplicated = event(Combine::All, &[]);
        let every = ConversionEvent { deduplicate: false, ..deduplicated.clone() };
        assert!(taken(&deduplicated, "purchase", false));
        assert!(!taken(&deduplicated, "purchase", true));
        assert!(!taken(&deduplicated, "refund", false));
        assert!(taken(&every, "purchase", true));
    }
}
