//! Changes of settings that are in force.

use crate::graphql::{
    access::{change, gateway, side},
    collaborator::{Collaborator, collaborator},
    connection::{
        AcceptSettingsInput, ConnectionInput, RejectSettingsInput, acting, apply, connection_payloads, keys_of_both,
    },
    fault::{allow, fault, payload},
    match_key::MatchKey,
    scalar::SafeInt,
    settings::{ActivationPayer, Activators, AdvertiserName, ConnectionSettings, Counts, Side, UseCase},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OutputType, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId,
    connection::{Command, ProposedChange},
    event::{NewEvent, Subject},
    settings::{AdvertiserName as DomainAdvertiserName, Settings},
    settings_change::{self, Difference},
    settings_draft::{self, SettingsDraft},
};
use entente_store::{LoadedConnection, Outcome};

/// Where a change of the settings is. An accepted one is in force and no change any longer.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SettingsChangeStatus {
    /// It waits for the recipient's answer.
    Proposed,
    /// The recipient rejected it.
    Rejected,
}

/// A change of the settings that the owner proposed. Until it is accepted, what was agreed on before holds.
pub struct SettingsChange {
    owner: AccountId,
    change: ProposedChange,
}

impl SettingsChange {
    /// A change that this account proposed.
    pub fn new(owner: AccountId, change: ProposedChange) -> Self {
        Self { owner, change }
    }
}

/// A change of the settings that the owner proposed. Until it is accepted, what was agreed on before holds.
#[Object]
impl SettingsChange {
    /// Where it is.
    async fn status(&self) -> SettingsChangeStatus {
        match self.change.rejection {
            Some(_) => SettingsChangeStatus::Rejected,
            None => SettingsChangeStatus::Proposed,
        }
    }

    /// The settings as they would be. Accepting and rejecting name their version.
    async fn settings(&self) -> ConnectionSettings {
        ConnectionSettings::of(self.change.version, self.change.after.clone())
    }

    /// What it changes about the settings in force, setting by setting.
    async fn differences(&self) -> SettingsDifferences {
        SettingsDifferences::between(&self.change.before, &self.change.after)
    }

    /// Who proposed it: the connection's owner.
    async fn proposed_by(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.owner).await
    }

    /// When it was proposed.
    async fn proposed_at(&self) -> DateTime<Utc> {
        self.change.proposed_at
    }

    /// Why the recipient rejected it; null while it waits.
    async fn rejection_reason(&self) -> Option<&str> {
        self.change.rejection.as_deref()
    }
}

/// A setting before and after a change.
#[derive(Clone, SimpleObject)]
#[graphql(concrete(name = "ActivatorsDifference", params(Activators)))]
#[graphql(concrete(name = "ActivationPayerDifference", params(ActivationPayer)))]
#[graphql(concrete(name = "MeasurementPayerDifference", params(Side)))]
#[graphql(concrete(name = "CountsDifference", params(Counts)))]
pub struct SettingDifference<T: OutputType> {
    /// As it is in force.
    before: T,
    /// As it would be.
    after: T,
}

impl<T: OutputType> SettingDifference<T> {
    fn of<D: Into<T>>(difference: Difference<D>) -> Self {
        Self { before: difference.before.into(), after: difference.after.into() }
    }
}

/// A list that can be added to, before and after a change.
#[derive(Clone, SimpleObject)]
#[graphql(concrete(name = "UseCasesDifference", params(UseCase)))]
#[graphql(concrete(name = "MatchKeysDifference", params(MatchKey)))]
pub struct ListDifference<T: OutputType> {
    /// As it is in force.
    before: Vec<T>,
    /// As it would be.
    after: Vec<T>,
    /// What would be added.
    added: Vec<T>,
}

impl<T: OutputType> ListDifference<T> {
    fn of<D: Clone + PartialEq + Into<T>>(difference: Difference<Vec<D>>) -> Self {
        let added = listed(difference.added());
        Self { before: listed(difference.before), after: listed(difference.after), added }
    }
}

/// Advertiser names before and after a change.
#[derive(Clone, SimpleObject)]
pub struct AdvertiserNamesDifference {
    /// As they are in force.
    before: Vec<AdvertiserName>,
    /// As they would be.
    after: Vec<AdvertiserName>,
    /// What would be added.
    added: Vec<AdvertiserName>,
    /// What would no longer be there. Projects that have such a name keep it.
    removed: Vec<AdvertiserName>,
}

impl From<Difference<Vec<DomainAdvertiserName>>> for AdvertiserNamesDifference {
    fn from(difference: Difference<Vec<DomainAdvertiserName>>) -> Self {
        let (added, removed) = (listed(difference.added()), listed(difference.removed()));
        Self { before: listed(difference.before), after: listed(difference.after), added, removed }
    }
}

fn listed<D: Into<T>, T>(values: Vec<D>) -> Vec<T> {
    values.into_iter().map(Into::into).collect()
}

/// What other settings change about those in force; a setting that would stay is null.
#[derive(Clone, SimpleObject)]
pub struct SettingsDifferences {
    /// What projects may do.
    use_cases: Option<ListDifference<UseCase>>,
    /// What the two sides match on.
    match_keys: Option<ListDifference<MatchKey>>,
    /// Who may deliver to its destinations. What was sent to a side that no longer may is revoked.
    activators: Option<SettingDifference<Activators>>,
    /// Who pays for the matching of activations.
    activation_payer: Option<SettingDifference<ActivationPayer>>,
    /// Who pays for measurement.
    measurement_payer: Option<SettingDifference<Side>>,
    /// By which a publisher knows the advertiser.
    advertiser_names: Option<AdvertiserNamesDifference>,
    /// Whether counts are protected or exact. Who has seen exact counts cannot be made to unsee them.
    counts: Option<SettingDifference<Counts>>,
}

impl SettingsDifferences {
    /// What the second settings change about the first.
    pub fn between(before: &Settings, after: &Settings) -> Self {
        let differences = settings_change::differences(before, after);
        Self {
            use_cases: differences.use_cases.map(ListDifference::of),
            match_keys: differences.match_keys.map(ListDifference::of),
            activators: differences.activators.map(SettingDifference::of),
            activation_payer: differences.activation_payer.map(SettingDifference::of),
            measurement_payer: differences.measurement_payer.map(SettingDifference::of),
            advertiser_names: differences.advertiser_names.map(Into::into),
            counts: differences.counts.map(SettingDifference::of),
        }
    }
}

/// Proposes the draft that was read as a change of the settings.
#[derive(InputObject)]
struct ProposeSettingsChangeInput {
    /// The account that acts; the connection's owner.
    account_id: ID,
    /// The connection.
    connection_id: ID,
    /// The version of the draft that was read. Another one is refused with SETTINGS_CHANGED.
    draft_version: SafeInt,
}

connection_payloads!(
    ProposeSettingsChangePayload,
    WithdrawSettingsChangePayload,
    AcceptSettingsChangePayload,
    RejectSettingsChangePayload
);

/// Mutations of settings in force.
#[derive(Default)]
pub struct SettingsChangeMutation;

#[Object]
impl SettingsChangeMutation {
    /// Proposes the draft as a change of an active connection's settings: the recipient sees it from now on, and what was
    /// agreed on holds until it accepts. For ADMIN and MANAGER of the owner.
    async fn propose_settings_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ProposeSettingsChangeInput,
    ) -> Result<ProposeSettingsChangePayload> {
        let (authorised, id) = allow!(acting(ctx, &input.account_id, &input.connection_id)?);
        let subject = Some(Subject::Connection(id));
        let change = change(ctx, authorised, "proposeSettingsChange", subject)?;
        let (at, version) = (change.now, input.draft_version.0.cast_signed());
        let rule = move |loaded: &LoadedConnection, draft: &Option<SettingsDraft>| {
            let connection = &loaded.connection;
            let side = side(connection, authorised.account).map_err(|r| r.at("connectionId"))?;
            let keys = keys_of_both(loaded);
            let (next, event) = settings_draft::propose(connection, side, draft.as_ref(), version, keys, at)?;
            let events = NewEvent::of_connection(&next, event);
            Ok(Outcome::of(next).events(events))
        };
        let store = gateway(ctx).store();
        let proposed = store.propose_settings_draft(change, id, Box::new(rule)).await.map_err(fault)?;
        Ok(allow!(proposed).into())
    }

    /// Takes a proposed change back. For ADMIN and MANAGER of the owner.
    async fn withdraw_settings_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ConnectionInput,
    ) -> Result<WithdrawSettingsChangePayload> {
        let command = |_: &LoadedConnection| Ok(Command::WithdrawChange);
        let done = apply(ctx, &input.account_id, &input.connection_id, "withdrawSettingsChange", command);
        Ok(allow!(done.await?).into())
    }

    /// Accepts the change that was read; it is in force from now on. What was sent to a side that may no longer activate
    /// is revoked. For ADMIN and MANAGER of the recipient.
    async fn accept_settings_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: AcceptSettingsInput,
    ) -> Result<AcceptSettingsChangePayload> {
        let version = input.settings_version.0.cast_signed();
        let advertiser_names = input.advertiser_names.into_iter().map(Into::into).collect();
        let done = apply(ctx, &input.account_id, &input.connection_id, "acceptSettingsChange", move |_| {
            Ok(Command::AcceptChange { version, advertiser_names })
        });
        Ok(allow!(done.await?).into())
    }

    /// Rejects the change that was read, with a reason; what was agreed on holds. For ADMIN and MANAGER of the recipient.
    async fn reject_settings_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RejectSettingsInput,
    ) -> Result<RejectSettingsChangePayload> {
        let (version, reason) = (input.settings_version.0.cast_signed(), input.reason);
        let done = apply(ctx, &input.account_id, &input.connection_id, "rejectSettingsChange", move |_| {
            Ok(Command::RejectChange { version, reason })
        });
        Ok(allow!(done.await?).into())
    }
}
