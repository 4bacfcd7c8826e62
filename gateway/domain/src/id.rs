//! Typed ids. All are UUIDv7, so that rows made later sort later.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, greater than those made before it.
            #[expect(clippy::new_without_default, reason = "a default id would be a different one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person who signs in; may belong to several accounts.
    UserId,
    /// One collaborator: a brand in one role.
    AccountId,
    /// A key that acts for one account.
    ApiKeyId,
    /// An invitation of a person to an account.
    InvitationId,
    /// An invite to connect, by e-mail.
    EmailInviteId,
    /// A configured source of audiences.
    DataConnectionId,
    /// A table that links one match key to another.
    CrosswalkId,
    /// A streamed file, waiting to be sourced.
    UploadId,
    /// A named set of identities.
    AudienceId,
    /// The agreement between two accounts.
    ConnectionId,
    /// The workspace of one campaign.
    ProjectId,
    /// One campaign of a project.
    CampaignId,
    /// A configured place audiences are delivered to.
    DestinationId,
    /// A consent by OAuth on its way to a destination.
    ConsentId,
    /// An audience sent to the other side of a connection.
    SentAudienceId,
    /// A received audience being delivered to a destination.
    ActivationId,
    /// One run of an activation.
    DeliveryId,
    /// Exposures or conversions, loaded from a file.
    EventDataSetId,
    /// An address that is told of an account's events.
    EventWebhookId,
    /// A campaign summary or an attribution report.
    ReportId,
    /// Work that runs later.
    JobId,
    /// An immutable version of an account's identity index.
    GenerationId,
    /// A line of the audit log.
    AuditEntryId,
    /// What credits are reserved for: the id of the job, the sent audience, the delivery or the report.
    WorkId,
    /// A line of a wallet's ledger.
    CreditEntryId,
    /// A line of an account's daily table of credits.
    CreditActivityId,
}
