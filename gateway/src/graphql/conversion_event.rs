//! Conversion events: which conversions count, under a name.

use async_graphql::{Enum, InputObject, SimpleObject};
use entente_domain::conversion_event::{
    Condition as DomainCondition, ConversionEvent as DomainEvent, Match as DomainMatch, Operator as DomainOperator,
};

/// How a condition compares. Texts are compared as they are, letter case included.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainOperator")]
pub enum ConditionOperator {
    /// The same text.
    Equals,
    /// Another text, or none.
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

/// Whether all or any of the conditions must hold.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainMatch")]
pub enum ConditionMatching {
    /// All must hold.
    All,
    /// One is enough.
    Any,
}

/// A condition on an attribute of a conversion.
#[derive(Clone, SimpleObject)]
pub struct Condition {
    /// One of the data set's attribute columns.
    attribute: String,
    /// How it compares.
    operator: ConditionOperator,
    /// What with; empty for EXISTS.
    value: String,
}

/// Which conversions count, under a name.
#[derive(Clone, SimpleObject)]
pub struct ConversionEvent {
    /// Unique in its data set; reports name it.
    name: String,
    /// The value in the kind column.
    conversion_kind: String,
    /// Further conditions; with none every conversion of the kind counts.
    conditions: Vec<Condition>,
    /// Whether all or any of them must hold.
    matching: ConditionMatching,
}

impl From<DomainEvent> for ConversionEvent {
    fn from(event: DomainEvent) -> Self {
        let condition =
            |c: DomainCondition| Condition { attribute: c.attribute, operator: c.operator.into(), value: c.value };
        Self {
            name: event.name,
            conversion_kind: event.conversion_kind,
            conditions: event.conditions.into_iter().map(condition).collect(),
            matching: event.matching.into(),
        }
    }
}

/// Asks something of an attribute of a conversion.
#[derive(Clone, Debug, InputObject)]
pub struct ConditionInput {
    /// One of the data set's attribute columns.
    attribute: String,
    /// How it compares.
    operator: ConditionOperator,
    /// What with, up to 200 characters; a decimal number for GREATER_THAN and LESS_THAN, left out for EXISTS.
    #[graphql(default)]
    value: String,
}

/// Says which conversions count, under a name.
#[derive(Clone, Debug, InputObject)]
pub struct ConversionEventInput {
    /// 1 to 60 characters, unique in the data set; reports name it.
    name: String,
    /// The value in the kind column.
    conversion_kind: String,
    /// At most five further conditions; with none every conversion of the kind counts.
    #[graphql(default)]
    conditions: Vec<ConditionInput>,
    /// Whether all or any of them must hold; ALL unless it is said.
    matching: Option<ConditionMatching>,
}

impl From<ConversionEventInput> for DomainEvent {
    fn from(input: ConversionEventInput) -> Self {
        let condition =
            |c: ConditionInput| DomainCondition { attribute: c.attribute, operator: c.operator.into(), value: c.value };
        Self {
            name: input.name,
            conversion_kind: input.conversion_kind,
            conditions: input.conditions.into_iter().map(condition).collect(),
            matching: input.matching.map_or(DomainMatch::All, Into::into),
        }
    }
}
