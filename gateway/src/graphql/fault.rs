//! The one place that turns what the floors below answer into GraphQL: refusals become `userErrors`, faults become
//! errors that say nothing internal.

use async_graphql::{Enum, Error, ErrorExtensions, SimpleObject};
use entente_domain::{Code, Refusal};

/// Why a mutation was refused. Branch on it; messages may change.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Code")]
pub enum UserErrorCode {
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
    /// The match key is in use and can neither be changed nor removed.
    MatchKeyInUse,
    /// No crosswalk with links leads to the match key.
    CrosswalkMissing,
    /// The use case is not agreed on.
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

/// A refusal: nothing was changed, and this is why.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// What to branch on.
    code: UserErrorCode,
    /// Path of the input field that it is about; empty when it is about the whole, and with NOT_FOUND unless it is about one of
    /// a list, which it names by its place from 0 on.
    field: Vec<String>,
    /// A sentence that says what to do.
    message: String,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        // Rules name the field of what is not theirs, the store that of what is not there: the two must read alike. What names
        // one of a list asks for all of it at once.
        let is_one_of_a_list = refusal.field.last().is_some_and(|last| last.parse::<usize>().is_ok());
        let field = if refusal.code == Code::NotFound && !is_one_of_a_list { vec![] } else { refusal.field };
        Self { code: refusal.code.into(), field, message: refusal.message }
    }
}

/// A refusal where there is no payload to carry it: a GraphQL error with the code as an extension.
pub fn refused(refusal: Refusal) -> Error {
    let code = async_graphql::to_value(refusal.code).unwrap_or_default();
    Error::new(refusal.message).extend_with(|_, e| e.set("code", code))
}

/// A fault: logged whole, told in one sentence.
pub fn fault(error: impl std::fmt::Display) -> Error {
    tracing::error!(message = "a request failed", %error);
    Error::new("Something went wrong in the gateway. Name the request id to its operator.")
        .extend_with(|_, e| e.set("code", "INTERNAL"))
}

/// What is said when there is no key, or none that counts.
pub fn unauthenticated() -> Error {
    Error::new("Send an API key or a user's token as `Authorization: Bearer …`.")
        .extend_with(|_, e| e.set("code", "UNAUTHENTICATED"))
}

/// What ends a subscription when its key does not count any more.
pub fn key_ended() -> Error {
    Error::new("This key was revoked or replaced, or has expired. Subscribe with another one, from your last cursor.")
        .extend_with(|_, e| e.set("code", "UNAUTHENTICATED"))
}

/// What ends a subscription when its session does not count any more, and what is said of one that does not.
pub fn session_ended() -> Error {
    Error::new("This session has ended. Sign in again, and subscribe from your last cursor.")
        .extend_with(|_, e| e.set("code", "UNAUTHENTICATED"))
}

/// What ends a subscription when its key may do something else than at its begin.
pub fn access_changed() -> Error {
    Error::new("What this key may do has changed. Subscribe again, from your last cursor.")
        .extend_with(|_, e| e.set("code", "ACCESS_CHANGED"))
}

/// Declares a mutation's payload: what it made, when it was made, and the refusals.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $($(#[$field_doc])* $field: Option<$ty>,)*
            /// Why nothing was done; empty when it was.
            user_errors: Vec<$crate::graphql::fault::UserError>,
        }

        impl From<entente_domain::Refusal> for $name {
            fn from(refusal: entente_domain::Refusal) -> Self {
                Self { $($field: None,)* user_errors: vec![refusal.into()] }
            }
        }
    };
}
pub(crate) use payload;

/// Leaves a mutation with its payload when something is refused.
macro_rules! or_refuse {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(refusal) => return Ok(entente_domain::Refusal::from(refusal).into()),
        }
    };
}
pub(crate) use or_refuse as allow;
