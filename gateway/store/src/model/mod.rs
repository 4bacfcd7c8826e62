//! Values that the store keeps beside those of the domain, and what it loads for rules.

mod account;
mod api_key;
mod audience;
mod audit;
mod connection;
mod consent;
mod credit;
mod data_connection;
mod delivery;
mod destination;
mod email_invite;
mod event_webhook;
mod generation;
mod job;
mod member;
mod opt_out;
mod owned;
mod project;
mod report;
mod sealed;
mod sent_audience;
mod session;
mod stream;
mod upload;
mod user;

pub use account::{
    AccountSecrets, DeletedAccount, DirectoryFilter, LoadedAccount, LoadedAgency, LoadedDeletion, NewConnectCode,
    Picture, Standing,
};
pub use api_key::ApiKey;
pub use audience::{AudienceEdition, AudienceFilter};
pub use audit::{ActorKind, AuditEntry, AuditFilter, AuditHead, AuditOutcome, VerifiedChain};
pub use connection::{ConnectionFilter, LoadedConnection, LoadedPair};
pub use consent::{Consent, NewConsent};
pub use credit::{CreditActivity, CreditActivityFilter};
pub use data_connection::{
    DriftFound, LoadedDataConnection, LoadedDrift, NewRowFault, NewSourceSettings, Refresh, RefreshEnd, RefreshPlan,
    RefreshStatus, RowFault, RowsRead, SCHEDULED_REFRESH, SourceId, SourceSettings,
};
pub use delivery::{
    Acknowledgement, Delivery, DeliveryEnd, DeliveryStatus, LateRejections, LoadedActivation, LoadedDelivery,
    NewDelivery, NewRejectedRow, RejectedRow,
};
pub use destination::{DestinationSettings, LoadedDestination, NewSettings};
pub use email_invite::MailOfInvite;
pub use event_webhook::EventWebhookSecrets;
pub use generation::{
    AudienceSizes, Generation, LinksPublication, OptOutsPublication, Publication, RebuiltGeneration, RefreshedAudience,
    Run,
};
pub use job::{Job, JobPool, JobState};
pub use member::Member;
pub use opt_out::{LoadedOptOutDrift, LoadedOptOutSource, OptOutPlan, OptOutsRead, SCHEDULED_OPT_OUTS};
pub use owned::{Owned, OwnedKind};
pub use project::LoadedProject;
pub use report::{FinishedReport, LoadedReport};
pub use sealed::{RenewSettings, Sealed, Unopened, VisitSealed};
pub use sent_audience::{LoadedSend, SentAudienceFilter};
pub use session::{Identity, NewSession, Session};
pub use stream::{EventRange, Stream};
pub use upload::Upload;
pub use user::User;
