//! Refusals: what the rules answer when something may not be done. A refusal is an answer, not a fault.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Stable codes; clients branch on them. New ones may be added, none is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The object does not exist, or not for this account.
    NotFound,
    /// The role of the actor in this account does not allow it.
    Forbidden,
    /// A value is malformed, too long, or out of range.
    Invalid,
    /// The object's present state does not allow it.
    WrongState,
    /// Somebody else changed the object in between; read it again.
    Conflict,
    /// The settings are not those that were read.
    SettingsChanged,
    /// Use cases and match keys that both sides agreed on can be added to, not removed.
    AlreadyAgreed,
    /// Something with this name or key exists already.
    AlreadyExists,
    /// A live connection between the two accounts exists already.
    ConnectionExists,
    /// These two roles do not meet in any collaboration pattern.
    PatternNotAllowed,
    /// The connect code is wrong or was refreshed.
    ConnectCodeInvalid,
    /// A match key is not one that both accounts have.
    MatchKeyUnavailable,
    /// The match key is used by a data connection, a crosswalk or a connection and cannot be changed or removed.
    MatchKeyInUse,
    /// No crosswalk with links leads to the match key.
    CrosswalkMissing,
    /// The use case is not agreed on in the connection's settings.
    UseCaseUnavailable,
    /// Too few people; nothing was done.
    BelowThreshold,
    /// The audience was not refreshed for 7 days.
    AudienceExpired,
    /// The audience has no identities yet.
    AudienceUnavailable,
    /// There is no destination to deliver to.
    DestinationMissing,
    /// The destination answered that the settings are wrong.
    DestinationRefused,
    /// The consent was not acknowledged.
    ConsentMissing,
    /// The consent code is wrong, was used or has run out.
    ConsentCodeInvalid,
    /// The upload is missing, unfinished, expired or already used.
    UploadUnavailable,
    /// The file cannot be read as what it should be.
    FileRefused,
    /// A column that the mapping names is not there: change the mapping.
    MappedColumnMissing,
    /// The source cannot be read as it is set up.
    SourceRefused,
    /// The report may not run yet.
    TooEarly,
    /// The privacy budget of this pair of accounts and quarter is used up.
    BudgetExhausted,
    /// Too many questions in too little time.
    RateLimited,
    /// The privacy level of an account can be raised, not lowered.
    PrivacyLevelLowered,
    /// The last ADMIN of an account cannot go.
    LastAdmin,
    /// The invitation is unknown, was used or withdrawn, has run out, or is for another address.
    InvitationInvalid,
    /// The invite by e-mail is unknown, was answered, withdrawn or replaced, has run out, or is for another address.
    EmailInviteInvalid,
    /// Whoever is invited does not want to be, by this account.
    RecipientRefuses,
    /// The terms are not those that were read.
    TermsChanged,
    /// The gateway sends no mails.
    MailUnavailable,
    /// A limit of this gateway is reached.
    LimitReached,
    /// The account's credits do not suffice.
    InsufficientCredits,
    /// By the settings the other side pays, and its credits do not suffice.
    OtherSideCannotPay,
}

/// Why something was not done: a stable code, the input field that it is about (a path; empty when it is about the
/// whole), and a sentence that says what to do. It never holds an identifier of a person or another account's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Refusal {
    /// What clients branch on.
    pub code: Code,
    /// Path of the input field, outermost first.
    pub field: Vec<String>,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// A refusal about the whole input.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, field: Vec::new(), message: message.into() }
    }

    /// The same refusal, about one field of the input.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = field.split('.').map(str::to_owned).collect();
        self
    }

    /// `Invalid`, about one field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message).at(field)
    }

    /// What is said of objects that do not exist and of those of others alike.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

/// Whether a character turns the direction of a text or cannot be seen: a name with it may read like another's. Joiners
/// stay, as Persian, Hindi and emoji are written with them.
const fn hides(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Checks a text's length in characters after trimming, and that it has no control characters.
pub fn text(field: &str, value: &str, at_least: usize, at_most: usize) -> Result<String, Refusal> {
    let value = value.trim();
    let length = value.chars().count();
    if length < at_least || length > at_most {
        return Err(Refusal::invalid(field, format!("Between {at_least} and {at_most} characters, not {length}.")));
    }
    if value.chars().any(|c| (c.is_control() && c != '\n') || hides(c)) {
        return Err(Refusal::invalid(field, "Control characters and invisible ones are not allowed."));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_can_be_read() {
        for (value, allowed) in [
            (" Luma ", true),
            ("Fit\u{200d}App", true),
            ("two\nlines", true),
            ("", false),
            ("Lu\u{0}ma", false),
            ("\u{202e}amuL", false),
            ("\u{200b}", false),
            ("\u{feff}Luma", false),
            ("12345678901", false),
        ] {
            assert_eq!(text("name", value, 1, 10).is_ok(), allowed, "{value:?}");
        }
    }
}
