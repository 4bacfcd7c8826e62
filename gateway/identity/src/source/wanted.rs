//! What is wanted of a file: which columns, and what is read from each.

use crate::normalise::{Form, Take};

/// A column that a file must have. It can be wanted for several things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    name: String,
    /// What its values are to be.
    pub(super) read_as: ReadAs,
}

/// What the values of a column are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// Identities of a match key.
    Identity(Form, Take),
    /// Names of audiences.
    Audience,
    /// Times as they are written.
    Time,
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Decimal numbers.
    Number,
    /// Yes or no.
    YesNo,
    /// Names and codes.
    Text,
    /// Anything that a conversion can be told apart by.
    Attribute,
}

impl Wanted {
    pub(crate) fn new(name: &str, read_as: ReadAs) -> Self {
        Self { name: name.trim().to_owned(), read_as }
    }

    /// The column's name, trimmed.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl ReadAs {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity(_, Take::AsHashed) => "SHA-256 digests",
            Self::Identity(form, Take::Transform) => match form {
                Form::HashedEmail => "e-mail addresses",
                Form::HashedPhone { .. } => "phone numbers",
                Form::HashedIpv4 => "IPv4 addresses",
                Form::Idfa | Form::Gaid => "device ids",
                Form::Ecid | Form::CrmId | Form::LoyaltyId | Form::PartnerId => "ids",
            },
            Self::Audience => "names of audiences",
            Self::Time => "times",
            Self::EpochSeconds => "seconds since 1970",
            Self::Number => "decimal numbers",
            Self::YesNo => "yes or no",
            Self::Text => "text",
            Self::Attribute => "attributes",
        }
    }
}
