//! What can be wrong with a file of events, and with its rows. Neither ever holds a value of the file.

use crate::measure::decimal::NotDecimal;
use crate::measure::instant::NotInstant;
use crate::normalise;
use crate::source::{OfRow, PlanFault, SourceFault};
use parquet::errors::ParquetError;
use std::io;
use thiserror::Error;

/// Why a file of events was refused. Nothing of it is stored then.
#[derive(Debug, Error)]
pub enum LoadFault {
    /// The file is not what it should be, or the caller said stop.
    #[error(transparent)]
    Source(#[from] SourceFault),
    /// The plan itself cannot be followed.
    #[error("{reason}")]
    Plan {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Writing the events failed.
    #[error("writing failed: {0}")]
    Parquet(#[from] ParquetError),
}

impl From<io::Error> for LoadFault {
    fn from(fault: io::Error) -> Self {
        Self::Source(fault.into())
    }
}

impl From<PlanFault> for LoadFault {
    fn from(fault: PlanFault) -> Self {
        Self::Source(fault.into())
    }
}

impl LoadFault {
    /// A stable name, for APIs and files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Source(fault) => fault.name(),
            Self::Plan { .. } => "PLAN_INVALID",
            Self::Parquet(_) => "IO",
        }
    }
}

/// Why a row of a file of events, or one value of it, was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum EventFault {
    /// A value that is not what its match key needs. The row counts if another of its identities is usable.
    #[error("{0}")]
    Identity(#[from] normalise::Fault),
    /// No match key has a usable value.
    #[error("no usable identity")]
    NoIdentity,
    /// Another number of fields than the header.
    #[error("another number of fields than the header")]
    FieldCount,
    /// The time is empty.
    #[error("no time")]
    TimeMissing,
    /// Neither RFC 3339 nor a date with a time.
    #[error("not a time")]
    TimeUnreadable,
    /// A date with a time but no zone, where the plan gives none.
    #[error("a time without a zone")]
    TimeWithoutZone,
    /// Before 2000 or after 2099.
    #[error("a time before 2000 or after 2099")]
    TimeOutOfRange,
    /// The campaign is empty.
    #[error("no campaign")]
    CampaignMissing,
    /// The campaign is none of those that are known.
    #[error("an unknown campaign")]
    CampaignUnknown,
    /// The key type is none of a match key that is mapped.
    #[error("not the type of a match key that is mapped")]
    KeyTypeUnknown,
    /// The type is empty.
    #[error("no type")]
    TypeMissing,
    /// Not a decimal number with at most six places.
    #[error("not a decimal number with at most six places")]
    NumberUnreadable,
    /// A number beyond a billion.
    #[error("a number beyond a billion")]
    NumberOutOfRange,
    /// A currency beside the number.
    #[error("a currency beside the number")]
    NumberWithCurrency,
    /// Not a code of three letters.
    #[error("not the code of a currency")]
    CurrencyUnreadable,
    /// Another currency than in the first row that was taken and has one.
    #[error("another currency than the rows before it")]
    CurrencyOther,
    /// A cost below zero.
    #[error("a negative cost")]
    CostNegative,
    /// None of true, false, 1, 0, yes, no.
    #[error("not yes or no")]
    ViewableUnreadable,
    /// None of view, click, engaged view.
    #[error("not a kind of exposure")]
    KindUnreadable,
    /// A text that is not UTF-8.
    #[error("not UTF-8")]
    TextNotUtf8,
    /// A text of more than 256 bytes.
    #[error("longer than 256 bytes")]
    TextTooLong,
    /// A text with control characters.
    #[error("holds control characters")]
    TextControlCharacter,
}

impl OfRow for EventFault {
    fn name(self) -> &'static str {
        match self {
            Self::Identity(fault) => fault.name(),
            Self::NoIdentity => "NO_IDENTITY",
            Self::FieldCount => "FIELD_COUNT",
            Self::TimeMissing => "TIME_MISSING",
            Self::TimeUnreadable => "TIME_UNREADABLE",
            Self::TimeWithoutZone => "TIME_WITHOUT_ZONE",
            Self::TimeOutOfRange => "TIME_OUT_OF_RANGE",
            Self::CampaignMissing => "CAMPAIGN_MISSING",
            Self::CampaignUnknown => "CAMPAIGN_UNKNOWN",
            Self::KeyTypeUnknown => "KEY_TYPE_UNKNOWN",
            Self::TypeMissing => "TYPE_MISSING",
            Self::NumberUnreadable => "NUMBER_UNREADABLE",
            Self::NumberOutOfRange => "NUMBER_OUT_OF_RANGE",
            Self::NumberWithCurrency => "NUMBER_WITH_CURRENCY",
            Self::CurrencyUnreadable => "CURRENCY_UNREADABLE",
            Self::CurrencyOther => "CURRENCY_OTHER",
            Self::CostNegative => "COST_NEGATIVE",
            Self::ViewableUnreadable => "VIEWABLE_UNREADABLE",
            Self::KindUnreadable => "KIND_UNREADABLE",
            Self::TextNotUtf8 => "TEXT_NOT_UTF8",
            Self::TextTooLong => "TEXT_TOO_LONG",
            Self::TextControlCharacter => "TEXT_CONTROL_CHARACTER",
        }
    }
}

impl From<NotDecimal> for EventFault {
    fn from(fault: NotDecimal) -> Self {
        match fault {
            NotDecimal::Unreadable => Self::NumberUnreadable,
            NotDecimal::OutOfRange => Self::NumberOutOfRange,
            NotDecimal::Currency => Self::NumberWithCurrency,
        }
    }
}

impl From<NotInstant> for EventFault {
    fn from(fault: NotInstant) -> Self {
        match fault {
            NotInstant::Unreadable => Self::TimeUnreadable,
            NotInstant::NoZone => Self::TimeWithoutZone,
            NotInstant::OutOfRange => Self::TimeOutOfRange,
        }
    }
}
