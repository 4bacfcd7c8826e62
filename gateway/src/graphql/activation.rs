//! Activations: received audiences being delivered to a destination. Only the receiver sees them.

use crate::{
    graphql::{
        access::{authorise, change, creation, gateway, loaders, now},
        cost::{list_size, sized, slicing_by},
        credit::Purse,
        delivery::{Delivery, DeliveryPage},
        destination::Destination,
        fault::{allow, fault, payload, refused},
        id::{global, local},
        job::Job,
        loaders::load,
        match_key::{MatchKey, MatchKeyInput},
        page::{self, page},
        scalar::{Date, SafeInt},
        sent_audience::SentAudience,
    },
    work::deliver,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    ActivationId, DestinationId, Refusal, SentAudienceId,
    access::Act,
    activation::{
        self, Activation as Row, ActivationStatus as DomainActivationStatus, SentAudience as Sent,
        control::{self, Command},
    },
    delivery,
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{LoadedActivation, Outcome};

/// Where an activation is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainActivationStatus")]
pub enum ActivationStatus {
    /// Waits for its day.
    Scheduled,
    /// A delivery runs.
    Delivering,
    /// Delivered; a recurring one waits for the next refresh.
    Delivered,
    /// Too few people matched; nothing was delivered.
    SkippedBelowThreshold,
    /// An audience was not refreshed for 7 days; waits for its next refresh, and needs nobody to resume it.
    Paused,
    /// The sender took access away, or it is over.
    AccessEnded,
    /// The destination refused for good.
    Failed,
    /// The destination refused its credentials: the delivery goes on when `updateDestination` gives it others.
    CredentialsRefused,
    /// Its receiver paused it: nothing is delivered until it is resumed.
    PausedByReceiver,
    /// Its receiver cancelled it: nothing more is delivered by it. The audience can be activated again.
    Cancelled,
}

/// A received audience being delivered to a destination. Only the receiver sees it.
#[derive(Clone)]
pub struct Activation(pub Row);

page!(ActivationPage, ActivationEdge, Activation, "activations");

/// A received audience being delivered to a destination. Only the receiver sees it.
#[Object]
impl Activation {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// What is delivered.
    async fn sent_audience(&self, ctx: &Context<'_>) -> Result<SentAudience> {
        let sent = load(&loaders(ctx).sent_audiences, self.0.sent).await?;
        sent.map(SentAudience).ok_or_else(|| fault("an activation without what was sent"))
    }

    /// Where it is delivered to; null when the destination was deleted.
    async fn destination(&self, ctx: &Context<'_>) -> Result<Option<Destination>> {
        Ok(load(&loaders(ctx).destinations, self.0.destination).await?.map(Destination))
    }

    /// Where it is.
    async fn status(&self, ctx: &Context<'_>) -> Result<ActivationStatus> {
        let sent = load(&loaders(ctx).sent_audiences, self.0.sent).await?;
        let sent = sent.ok_or_else(|| fault("an activation without what was sent"))?;
        let audience = load(&loaders(ctx).audiences, sent.audience).await?;
        let at = now();
        let audience = audience.map(|a| a.status(at));
        Ok(delivery::standing(&self.0, &sent, audience, at.date_naive()).into())
    }

    /// When its receiver paused it; null when it is not paused.
    async fn paused_at(&self) -> Option<DateTime<Utc>> {
        self.0.paused_at
    }

    /// Why it failed, as the destination or the gateway says it; null when it did not.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The UTC day from which it is delivered.
    async fn on(&self) -> Date {
        Date(self.0.on)
    }

    /// The match keys by which identities are matched, and delivered unless it is delivered as another.
    async fn match_keys(&self) -> Vec<MatchKey> {
        self.0.match_keys.iter().cloned().map(Into::into).collect()
    }

    /// The match key as which identities are delivered, through crosswalks; null when it is that by which they match.
    async fn deliver_as(&self) -> Option<MatchKey> {
        self.0.deliver_as.clone().map(Into::into)
    }

    /// Rows that the destination took, over all deliveries.
    async fn delivered(&self) -> SafeInt {
        SafeInt(self.0.delivered)
    }

    /// Rows that the destination did not take, over all deliveries.
    async fn rejected(&self) -> SafeInt {
        SafeInt(self.0.rejected)
    }

    /// Its deliveries, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<DeliveryPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().deliveries_of_activation(self.0.id, request).await.map_err(fault)?;
        Ok(DeliveryPage::of(page, Delivery))
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// Activates a received audience to a destination.
#[derive(InputObject)]
struct ActivateAudienceInput {
    /// The account that received it.
    account_id: ID,
    /// What was received.
    sent_audience_id: ID,
    /// A destination of the account.
    destination_id: ID,
    /// The UTC day from which it is delivered.
    on: Date,
    /// Another match key of the account, as which matched identities are delivered: as each that a crosswalk links them
    /// with; those without a link are left out. By the key that they match by unless it is said.
    deliver_as: Option<MatchKeyInput>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Deletes an activation.
#[derive(InputObject)]
struct DeleteActivationInput {
    /// The account that received the audience.
    account_id: ID,
    /// The activation.
    activation_id: ID,
}

/// Names an activation.
#[derive(InputObject)]
struct ActivationInput {
    /// The account that received the audience.
    account_id: ID,
    /// The activation.
    activation_id: ID,
}

payload! {
    /// The activation, or why it was not paused.
    PauseActivationPayload {
        /// What was paused.
        activation: Activation,
    }
}

payload! {
    /// The activation, or why it was not resumed.
    ResumeActivationPayload {
        /// What was resumed.
        activation: Activation,
        /// The work that goes on with it; follow it with `jobProgress`.
        job: Job,
    }
}

payload! {
    /// The activation, or why it was not cancelled.
    CancelActivationPayload {
        /// What was cancelled.
        activation: Activation,
    }
}

payload! {
    /// The activation, or why there is none.
    ActivateAudiencePayload {
        /// What was made.
        activation: Activation,
        /// The work that delivers it; follow it with `jobProgress`.
        job: Job,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteActivationPayload {
        /// The id of the activation that is gone.
        deleted_activation_id: ID,
    }
}

/// Mutations of activations.
#[derive(Default)]
pub struct ActivationMutation;

#[Object]
impl ActivationMutation {
    /// Activates a received audience: from a day on, the people whom both sides hold are delivered to a destination. For
    /// ADMIN and MANAGER of the receiver.
    async fn activate_audience(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ActivateAudienceInput,
    ) -> Result<ActivateAudiencePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let sent = allow!(local::<SentAudienceId>(&input.sent_audience_id, "sentAudienceId"));
        let destination = allow!(local::<DestinationId>(&input.destination_id, "destinationId"));
        let deliver_as = input.deliver_as.map(|key| key.key().map_err(|r| r.at("deliverAs"))).transpose();
        let deliver_as = allow!(deliver_as);
        let change = allow!(creation(ctx, authorised, "activateAudience", input.idempotency_key)?);
        let (id, at, by, on) = (ActivationId::new(), change.now, authorised.account, input.on.0);
        let purse = Purse::of(ctx, by, sent).await?;
        let rule = move |loaded: &LoadedActivation| {
            if loaded.sent.receiver != by {
                return Err(Refusal::not_found("received audience").at("sentAudienceId"));
            }
            let destination =
                loaded.destination.as_ref().ok_or_else(|| Refusal::not_found("destination").at("destinationId"))?;
            let so_far = (&loaded.sent, loaded.activations.as_slice());
            let delivered = (deliver_as, loaded.crosswalks.as_slice());
            let made = activation::activate(id, so_far, by, destination, delivered, on, at)?;
            let scheduled = NewEvent::of_account(by, AccountEventKind::ActivationScheduled, Subject::Activation(id));
            purse.covers_delivery(&loaded.sent)?;
            let job = deliver::job(&made, at);
            Ok(Outcome::of(made).events([scheduled]).job(job))
        };
        let store = gateway(ctx).store();
        let created = store.create_activation(change, id, sent, destination, Box::new(rule)).await.map_err(fault)?;
        let id = allow!(created).id;
        let activation = load(&loaders(ctx).activations, id).await?.map(Activation);
        let job = store.jobs_about(Subject::Activation(id)).await.map_err(fault)?.into_iter().next().map(Job);
        Ok(ActivateAudiencePayload { activation, job, user_errors: vec![] })
    }

    /// Pauses an activation: a delivery that runs stops once the destination has answered for the batch under way, and none
    /// begins until it is resumed. For ADMIN and MANAGER of the receiver.
    async fn pause_activation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ActivationInput,
    ) -> Result<PauseActivationPayload> {
        let paused = allow!(command(ctx, &input, "pauseActivation", Command::Pause).await?);
        Ok(PauseActivationPayload { activation: Some(Activation(paused)), user_errors: vec![] })
    }

    /// Resumes an activation that was paused: a delivery that was under way goes on with the next batch, and what refreshes
    /// brought meanwhile follows. For ADMIN and MANAGER of the receiver.
    async fn resume_activation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ActivationInput,
    ) -> Result<ResumeActivationPayload> {
        let resumed = allow!(command(ctx, &input, "resumeActivation", Command::Resume).await?);
        let jobs = gateway(ctx).store().jobs_about(Subject::Activation(resumed.id)).await.map_err(fault)?;
        let (activation, job) = (Some(Activation(resumed)), jobs.into_iter().next().map(Job));
        Ok(ResumeActivationPayload { activation, job, user_errors: vec![] })
    }

    /// Cancels an activation: a delivery that runs is broken off, of which the destination is told, and nothing more is
    /// delivered. What was delivered stays; the audience can be activated again while access lasts. For ADMIN and MANAGER
    /// of the receiver.
    async fn cancel_activation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ActivationInput,
    ) -> Result<CancelActivationPayload> {
        let cancelled = allow!(command(ctx, &input, "cancelActivation", Command::Cancel).await?);
        Ok(CancelActivationPayload { activation: Some(Activation(cancelled)), user_errors: vec![] })
    }

    /// Deletes an activation: nothing more is delivered by it. What was delivered stays; the audience can be activated
    /// again while access lasts. For ADMIN and MANAGER of the receiver.
    async fn delete_activation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteActivationInput,
    ) -> Result<DeleteActivationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let id = allow!(local::<ActivationId>(&input.activation_id, "activationId"));
        let change = change(ctx, authorised, "deleteActivation", Some(Subject::Activation(id)))?;
        let by = authorised.account;
        let rule = move |_: &Row| {
            let deleted = NewEvent::of_account(by, AccountEventKind::ActivationDeleted, Subject::Activation(id));
            Ok(Outcome::of(()).events([deleted]))
        };
        allow!(gateway(ctx).store().delete_activation(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteActivationPayload { deleted_activation_id: Some(global(id)), user_errors: vec![] })
    }
}

/// Does what the receiver wants of an activation.
async fn command(
    ctx: &Context<'_>,
    input: &ActivationInput,
    action: &'static str,
    wanted: Command,
) -> Result<Result<Row, Refusal>> {
    let checked = authorise(ctx, &input.account_id, Act::ManageDeliveries)?
        .and_then(|authorised| Ok((authorised, local::<ActivationId>(&input.activation_id, "activationId")?)));
    let (authorised, id) = match checked {
        Ok(checked) => checked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let change = change(ctx, authorised, action, Some(Subject::Activation(id)))?;
    let (by, at) = (authorised.account, change.now);
    let rule = move |activation: &Row, sent: &Sent| {
        let (next, kind) = control::decide(activation, sent, wanted, at)?;
        let job = match wanted {
            Command::Pause => None,
            Command::Resume => Some(deliver::job(&next, at)),
            Command::Cancel => Some(deliver::ending(&next, at)),
        };
        let outcome = Outcome::of(next).events([NewEvent::of_account(by, kind, Subject::Activation(id))]);
        Ok(job.into_iter().fold(outcome, Outcome::job))
    };
    gateway(ctx).store().control_activation(change, id, Box::new(rule)).await.map_err(fault)
}
