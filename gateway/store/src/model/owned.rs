//! Objects of accounts.

use entente_domain::{
    ActivationId, AudienceId, ConnectionId, CrosswalkId, DataConnectionId, DestinationId, EventDataSetId,
    EventWebhookId, JobId, ProjectId, ReportId, SentAudienceId, UploadId,
};
use uuid::Uuid;

/// What an object of an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnedKind {
    /// An activation.
    Activation,
    /// An audience.
    Audience,
    /// A connection, of both its sides.
    Connection,
    /// A crosswalk.
    Crosswalk,
    /// A data connection.
    DataConnection,
    /// A destination.
    Destination,
    /// Exposures or conversions.
    EventDataSet,
    /// An event webhook.
    EventWebhook,
    /// A job.
    Job,
    /// A project, of both sides of its connection.
    Project,
    /// A report.
    Report,
    /// A sent audience, of its sender and of its receiver.
    SentAudience,
    /// An upload.
    Upload,
}

/// An object of an account, or of both of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owned {
    /// What it is.
    pub kind: OwnedKind,
    /// Its id.
    pub id: Uuid,
}

macro_rules! owned {
    ($($id:ident => $kind:ident),* $(,)?) => {$(
        impl From<$id> for Owned {
            fn from(id: $id) -> Self {
                Self { kind: OwnedKind::$kind, id: id.0 }
            }
        }
    )*};
}

owned! {
    ActivationId => Activation,
    AudienceId => Audience,
    ConnectionId => Connection,
    CrosswalkId => Crosswalk,
    DataConnectionId => DataConnection,
    DestinationId => Destination,
    EventDataSetId => EventDataSet,
    EventWebhookId => EventWebhook,
    JobId => Job,
    ProjectId => Project,
    ReportId => Report,
    SentAudienceId => SentAudience,
    UploadId => Upload,
}
