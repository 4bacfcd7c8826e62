//! What a deletion takes with it and what it leaves: shown before, and kept in the audit log.

use crate::graphql::{access::gateway, fault::UserError, fault::fault, scalar::SafeInt};
use async_graphql::{Context, Enum, Result, SimpleObject};
use entente_domain::{
    AccountId, Refusal,
    deletion::{self, Going, Kind, Manner, Reason, Staying, Target},
};

/// What a preview costs beside the fields below it: it counts each kind.
pub const PREVIEW: usize = 100;

/// Kinds of what hangs on something that is deleted, as one account sees it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum DeletionKind {
    /// The account.
    Account,
    /// Connections that are not over.
    Connection,
    /// What a connection's owner works on.
    SettingsDraft,
    /// Projects.
    Project,
    /// Campaigns, of both sides.
    Campaign,
    /// Exposures and conversions of the account.
    EventDataSet,
    /// Reports of the account that have not run.
    Report,
    /// Reports of the account that are frozen.
    FinishedReport,
    /// Data connections.
    DataConnection,
    /// Audiences.
    Audience,
    /// The first names of audiences, which their coins belong to.
    AudienceFirstName,
    /// Crosswalks.
    Crosswalk,
    /// Lists of opt-outs.
    OptOuts,
    /// Times that a file was loaded, with the rows that were not taken.
    Refresh,
    /// Files that were streamed in.
    Upload,
    /// Destinations.
    Destination,
    /// Addresses that are told of the account's events.
    EventWebhook,
    /// Events that they were not told of.
    DeadLetter,
    /// Sent and received audiences to which access holds.
    SentAudience,
    /// Activations by the account that have access.
    Activation,
    /// Records of deliveries by the account.
    Delivery,
    /// Users of the account.
    Member,
    /// Invitations to the account.
    Invitation,
    /// Invites by e-mail of the account.
    EmailInvite,
    /// Keys that act for the account.
    ApiKey,
    /// Clients for which the account acts as their agency.
    Client,
    /// The account's name, role and region.
    AccountName,
    /// Quarters of which the two accounts have spent some of their privacy budget.
    PrivacyBudget,
    /// Entries of the account's audit log.
    AuditEntry,
}

/// How something goes.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Manner")]
pub enum DeletionManner {
    /// Nothing of it is left.
    Deleted,
    /// Access to it ends; that it was sent stays on record.
    Revoked,
    /// Nothing more comes of it; its record stays.
    Ended,
}

/// Why something stays.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Reason")]
pub enum RetentionReason {
    /// A report that ran is frozen; its account may delete it.
    Frozen,
    /// What was delivered is where it was delivered to, and its record says what that was.
    Delivered,
    /// Coins belong to a first name for ever: drawn anew, they would tell more of the same people.
    CoinsBelongToIt,
    /// What was spent has been learnt.
    Spent,
    /// The other sides of connections that are over have it in their records.
    OthersKnowIt,
    /// A client is an account of its own. While an agency has some it cannot be deleted: hand them over or delete them
    /// first.
    AccountOfItsOwn,
    /// The audit log cannot be changed. Of a deleted account the gateway's operator keeps it.
    CannotBeChanged,
}

/// What goes, of one kind.
#[derive(Clone, SimpleObject)]
pub struct GoingPart {
    /// Which kind.
    kind: DeletionKind,
    /// How.
    manner: DeletionManner,
    /// How many.
    count: SafeInt,
    /// The names of some, at most 10, in their order; none of people, and none in the audit log.
    names: Vec<String>,
}

impl From<Going> for GoingPart {
    fn from(Going { kind, manner, count, names }: Going) -> Self {
        Self { kind: kind.into(), manner: manner.into(), count: SafeInt(count), names }
    }
}

/// What stays, of one kind.
#[derive(Clone, SimpleObject)]
pub struct StayingPart {
    /// Which kind.
    kind: DeletionKind,
    /// Why.
    reason: RetentionReason,
    /// How many.
    count: SafeInt,
    /// The names of some, at most 10, in their order; none in the audit log.
    names: Vec<String>,
}

impl From<Staying> for StayingPart {
    fn from(Staying { kind, reason, count, names }: Staying) -> Self {
        Self { kind: kind.into(), reason: reason.into(), count: SafeInt(count), names }
    }
}

/// What a deletion took with it and what it left, as the account saw it that deleted.
#[derive(Clone, SimpleObject)]
pub struct Deletion {
    /// What went; kinds of which there was nothing are left out.
    goes: Vec<GoingPart>,
    /// What stayed; kinds of which there was nothing are left out.
    stays: Vec<StayingPart>,
}

impl From<deletion::Deletion> for Deletion {
    fn from(deletion::Deletion { goes, stays }: deletion::Deletion) -> Self {
        let (goes, stays) = (goes.into_iter().map(Into::into), stays.into_iter().map(Into::into));
        Self { goes: goes.collect(), stays: stays.collect() }
    }
}

/// What a deletion would do now, as the viewing account sees it. What the other side of a connection has there by itself goes as
/// well, and is not counted.
#[derive(Clone, SimpleObject)]
pub struct DeletionPreview {
    /// Whether the viewer may delete it now.
    allowed: bool,
    /// Why not; empty when it may.
    user_errors: Vec<UserError>,
    /// What would go; kinds of which there is nothing are left out.
    goes: Vec<GoingPart>,
    /// What would stay; kinds of which there is nothing are left out.
    stays: Vec<StayingPart>,
}

/// What a deletion would do now, and why it would be refused.
pub async fn preview(
    ctx: &Context<'_>,
    target: Target,
    viewing: AccountId,
    refusals: impl IntoIterator<Item = Refusal>,
) -> Result<DeletionPreview> {
    let deletion = gateway(ctx).store().deletion(target, viewing).await.map_err(fault)?;
    let Deletion { goes, stays } = deletion.into();
    let user_errors: Vec<UserError> = refusals.into_iter().map(Into::into).collect();
    Ok(DeletionPreview { allowed: user_errors.is_empty(), user_errors, goes, stays })
}
