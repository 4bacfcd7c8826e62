//! Event webhooks: addresses that are told of an account's events.

use crate::{
    event_webhooks,
    graphql::{
        access::{authorise, change, creation, gateway},
        cost::{list_size, sized, slicing_by},
        event::{AccountEventKind, ConnectionEventKind, cursor, parse_cursor},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        page::{self, page},
        scalar::SafeInt,
        subject::global_id,
    },
    work::event_webhook::job,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};
use entente_domain::{
    EventWebhookId, Refusal,
    access::Act,
    api_key::{self, Life},
    event::{Happening, Subject},
    event_webhook::{
        self, DeadLetter as DeadLetterRow, EventSelection as Selection, EventWebhook as Row, EventWebhookChange,
        EventWebhookStatus as Status,
    },
};
use entente_store::Outcome;

/// Whether an address is told of events.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Status")]
pub enum EventWebhookStatus {
    /// It is.
    Active,
    /// Its account paused it; it goes on where it was once it is resumed.
    Paused,
    /// It answered 410 Gone. It goes on where it was once its account resumes it.
    Gone,
}

/// The last attempt, where nothing was taken since.
#[derive(SimpleObject)]
pub struct EventWebhookFailure {
    /// Since when nothing was taken.
    since: DateTime<Utc>,
    /// How often the event that comes next was tried.
    tries: u32,
    /// The HTTP status of the answer; null when there was none.
    status: Option<u16>,
    /// What happened.
    error: String,
}

/// Which events an address is told of.
#[derive(SimpleObject)]
pub struct EventSelection {
    /// Events of connections; null is all of them, those to come included.
    connection_events: Option<Vec<ConnectionEventKind>>,
    /// Events of everything else; null is all of them, those to come included.
    account_events: Option<Vec<AccountEventKind>>,
}

/// Which events an address is told of.
#[derive(InputObject)]
struct EventSelectionInput {
    /// Events of connections; left out is all of them, those to come included; an empty list is none.
    connection_events: Option<Vec<ConnectionEventKind>>,
    /// Events of everything else; left out is all of them, those to come included; an empty list is none.
    account_events: Option<Vec<AccountEventKind>>,
}

impl From<EventSelectionInput> for Selection {
    fn from(input: EventSelectionInput) -> Self {
        Self {
            connection: input.connection_events.map(|kinds| kinds.into_iter().map(Into::into).collect()),
            account: input.account_events.map(|kinds| kinds.into_iter().map(Into::into).collect()),
        }
    }
}

/// An address that is told of an account's events: those that `connectionEvents` and `accountEvents` bring. Each event is a
/// POST of JSON, signed as Standard Webhooks say, in the order in which they happened, each at least once.
#[derive(Clone)]
pub struct EventWebhook(pub Row);

page!(EventWebhookPage, EventWebhookEdge, EventWebhook, "event webhooks");

/// An address that is told of an account's events: those that `connectionEvents` and `accountEvents` bring. Each event is a
/// POST of JSON, signed as Standard Webhooks say, in the order in which they happened, each at least once.
#[Object]
impl EventWebhook {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// The address.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// Which events.
    async fn events(&self) -> EventSelection {
        let Selection { connection, account } = &self.0.events;
        EventSelection {
            connection_events: connection.as_ref().map(|kinds| kinds.iter().copied().map(Into::into).collect()),
            account_events: account.as_ref().map(|kinds| kinds.iter().copied().map(Into::into).collect()),
        }
    }

    /// Whether it is told.
    async fn status(&self) -> EventWebhookStatus {
        self.0.status.into()
    }

    /// The cursor of the last event that it is done with: it was told of it, or did not want it, or it was given up.
    async fn cursor(&self) -> String {
        cursor(self.0.last_number)
    }

    /// The last attempt, where it failed and nothing was taken since; null otherwise.
    async fn failure(&self) -> Option<EventWebhookFailure> {
        let failure = self.0.failure.clone()?;
        Some(EventWebhookFailure {
            since: failure.since,
            tries: failure.tries,
            status: failure.status,
            error: failure.error,
        })
    }

    /// Events that it did not take within three days, in the order in which they happened. They are kept for 90 days.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<DeadLetterPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().dead_letters(self.0.id, request).await.map_err(fault)?;
        Ok(DeadLetterPage::of(page, DeadLetter))
    }

    /// When it last got another secret; null is never.
    async fn rotated_at(&self) -> Option<DateTime<Utc>> {
        self.0.rotated_at
    }

    /// Until then requests are also signed with the secret from before it was last rotated; null when that stopped at once.
    async fn old_secret_works_until(&self) -> Option<DateTime<Utc>> {
        self.0.old_secret_works_until
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was set up.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// An event that an address did not take within three days.
pub struct DeadLetter(DeadLetterRow);

page!(DeadLetterPage, DeadLetterEdge, DeadLetter, "dead letters");

/// An event that an address did not take within three days.
#[Object]
impl DeadLetter {
    /// The cursor of the event, by which it is replayed.
    async fn event_cursor(&self) -> String {
        cursor(self.0.event.number)
    }

    /// What happened to a connection; null when it happened to something else.
    async fn connection_event(&self) -> Option<ConnectionEventKind> {
        match self.0.event.happening {
            Happening::Connection(kind) => Some(kind.into()),
            Happening::Account(_) => None,
        }
    }

    /// What happened to something else than a connection; null when it happened to a connection.
    async fn account_event(&self) -> Option<AccountEventKind> {
        match self.0.event.happening {
            Happening::Account(kind) => Some(kind.into()),
            Happening::Connection(_) => None,
        }
    }

    /// The global id of what it happened to.
    async fn subject_id(&self) -> ID {
        global_id(self.0.event.subject)
    }

    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.event.at
    }

    /// How often it was tried.
    async fn tries(&self) -> u32 {
        self.0.tries
    }

    /// The HTTP status of the last answer; null when there was none.
    async fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What happened the last time.
    async fn error(&self) -> &str {
        &self.0.error
    }

    /// When it was given up.
    async fn given_up_at(&self) -> DateTime<Utc> {
        self.0.given_up_at
    }

    /// When it was asked for it to be sent once more, while it is waited for that; null otherwise.
    async fn replay_asked_at(&self) -> Option<DateTime<Utc>> {
        self.0.replay_asked_at
    }
}

/// Sets an event webhook up.
#[derive(InputObject)]
struct CreateEventWebhookInput {
    /// The account whose events it is told of.
    account_id: ID,
    /// The address. It starts with `https://`; with `http://` where its host is in a network that the operator allowed.
    url: String,
    /// Which events; left out is all of them.
    events: Option<EventSelectionInput>,
    /// Whether it is to wait until it is resumed.
    #[graphql(default)]
    paused: bool,
}

/// Changes an event webhook. What is left out stays.
#[derive(InputObject)]
struct UpdateEventWebhookInput {
    /// The account.
    account_id: ID,
    /// The event webhook.
    event_webhook_id: ID,
    /// Another address, as when it is set up.
    url: Option<String>,
    /// Which events from now on, those that it was not told of yet included.
    events: Option<EventSelectionInput>,
    /// Whether it is paused. A webhook that is resumed goes on where it was.
    paused: Option<bool>,
}

/// Gives an event webhook another secret.
#[derive(InputObject)]
struct RotateEventWebhookSecretInput {
    /// The account.
    account_id: ID,
    /// The event webhook.
    event_webhook_id: ID,
    /// Until then requests are signed with the old secret as well: 24 hours from now if left out, at most 30 days. With a
    /// time that has passed all secrets but the new one stop at once.
    old_secret_works_until: Option<DateTime<Utc>>,
}

/// Tells an event webhook once more of what it was told already.
#[derive(InputObject)]
struct ReplayEventWebhookInput {
    /// The account.
    account_id: ID,
    /// The event webhook.
    event_webhook_id: ID,
    /// The cursor of an event: it is told of all that happened after it.
    after: String,
}

/// Sends a dead letter once more.
#[derive(InputObject)]
struct ReplayDeadLetterInput {
    /// The account.
    account_id: ID,
    /// The event webhook.
    event_webhook_id: ID,
    /// The cursor of its event.
    event_cursor: String,
}

/// Deletes an event webhook.
#[derive(InputObject)]
struct DeleteEventWebhookInput {
    /// The account.
    account_id: ID,
    /// The event webhook.
    event_webhook_id: ID,
}

payload! {
    /// The event webhook, or why there is none.
    CreateEventWebhookPayload {
        /// What was set up.
        event_webhook: EventWebhook,
        /// What its requests are signed with, shown this once.
        secret: String,
    }
}

payload! {
    /// The event webhook, or why it was not changed.
    UpdateEventWebhookPayload {
        /// As it is now.
        event_webhook: EventWebhook,
    }
}

payload! {
    /// The event webhook with its new secret, or why nothing was done.
    RotateEventWebhookSecretPayload {
        /// As it is now.
        event_webhook: EventWebhook,
        /// What its requests are signed with from now on, shown this once.
        secret: String,
    }
}

payload! {
    /// The event webhook, or why nothing is replayed.
    ReplayEventWebhookPayload {
        /// As it is now.
        event_webhook: EventWebhook,
    }
}

payload! {
    /// The dead letter, or why it is not sent.
    ReplayDeadLetterPayload {
        /// As it is now. It is gone once it was taken.
        dead_letter: DeadLetter,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteEventWebhookPayload {
        /// The id of the event webhook that is gone.
        deleted_event_webhook_id: ID,
    }
}

/// Mutations of event webhooks.
#[derive(Default)]
pub struct EventWebhookMutation;

#[Object]
impl EventWebhookMutation {
    /// Sets up an address that is told of what happens from now on. For ADMIN and MANAGER.
    async fn create_event_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateEventWebhookInput,
    ) -> Result<CreateEventWebhookPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let change = allow!(creation(ctx, authorised, "createEventWebhook", None)?);
        let (gateway, account) = (gateway(ctx), authorised.account);
        let url = allow!(event_webhooks::checked(gateway, &input.url).await);
        let (id, now) = (EventWebhookId::new(), change.now);
        let (secret, sealed) = event_webhooks::new_secret(gateway.secrets(), id).map_err(fault)?;
        let wanted =
            EventWebhookChange { url: Some(url), events: input.events.map(Into::into), paused: Some(input.paused) };
        let rule = move |existing: &u64, latest: &i64| {
            let made = event_webhook::create((id, account), wanted, (*existing, *latest), now)?;
            let job = job(&made, now);
            Ok(Outcome::of(made).job(job))
        };
        let made = gateway.store().create_event_webhook(change, account, sealed, Box::new(rule));
        let event_webhook = Some(EventWebhook(allow!(made.await.map_err(fault)?)));
        Ok(CreateEventWebhookPayload { event_webhook, secret: Some(secret.reveal().clone()), user_errors: vec![] })
    }

    /// Changes an event webhook, pauses or resumes it. For ADMIN and MANAGER.
    async fn update_event_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateEventWebhookInput,
    ) -> Result<UpdateEventWebhookPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = allow!(local::<EventWebhookId>(&input.event_webhook_id, "eventWebhookId"));
        let change = change(ctx, authorised, "updateEventWebhook", Some(Subject::EventWebhook(id)))?;
        let url = match &input.url {
            Some(url) => Some(allow!(event_webhooks::checked(gateway(ctx), url).await)),
            None => None,
        };
        let (wanted, now) =
            (EventWebhookChange { url, events: input.events.map(Into::into), paused: input.paused }, change.now);
        let rule = move |webhook: &Row| event_webhook::change(webhook, wanted, now).map(Outcome::of);
        let store = gateway(ctx).store();
        let changed = store.change_event_webhook(change, authorised.account, id, Box::new(rule)).await;
        let event_webhook = Some(EventWebhook(allow!(changed.map_err(fault)?)));
        Ok(UpdateEventWebhookPayload { event_webhook, user_errors: vec![] })
    }

    /// Gives an event webhook another secret. Requests are signed with both for a while, so that the receiver can replace the
    /// old one. One old secret works at a time. For ADMIN and MANAGER.
    async fn rotate_event_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RotateEventWebhookSecretInput,
    ) -> Result<RotateEventWebhookSecretPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = allow!(local::<EventWebhookId>(&input.event_webhook_id, "eventWebhookId"));
        let change = change(ctx, authorised, "rotateEventWebhookSecret", Some(Subject::EventWebhook(id)))?;
        let (secret, sealed) = event_webhooks::new_secret(gateway(ctx).secrets(), id).map_err(fault)?;
        let (asked, now) = (input.old_secret_works_until.map(|at| at.trunc_subsecs(6)), change.now);
        let rule = move |webhook: &Row| {
            let life = Life { old_works_until: webhook.old_secret_works_until, ..Life::default() };
            let until = api_key::rotate(life, asked, now).map_err(|refusal| match refusal.field.is_empty() {
                true => refusal,
                false => refusal.at("oldSecretWorksUntil"),
            });
            until.map(Outcome::of)
        };
        let store = gateway(ctx).store();
        let rotated = store.rotate_event_webhook_secret(change, authorised.account, id, sealed, Box::new(rule)).await;
        let event_webhook = Some(EventWebhook(allow!(rotated.map_err(fault)?)));
        Ok(RotateEventWebhookSecretPayload {
            event_webhook,
            secret: Some(secret.reveal().clone()),
            user_errors: vec![],
        })
    }

    /// Tells an event webhook once more of all events after a cursor, as far as they are kept (90 days), and then of those to
    /// come. For ADMIN and MANAGER.
    async fn replay_event_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ReplayEventWebhookInput,
    ) -> Result<ReplayEventWebhookPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = allow!(local::<EventWebhookId>(&input.event_webhook_id, "eventWebhookId"));
        let change = change(ctx, authorised, "replayEventWebhook", Some(Subject::EventWebhook(id)))?;
        let store = gateway(ctx).store();
        let (after, now) = (parse_cursor(&input.after), change.now);
        let oldest = store.event_range(authorised.account).await.map_err(fault)?.oldest;
        let rule = move |webhook: &Row| {
            let invalid = |message: &str| Refusal::invalid("after", message);
            let after = after.ok_or_else(|| invalid("This is not a cursor of this account."))?;
            if after < oldest - 1 {
                return Err(invalid("This cursor is older than what is kept (90 days)."));
            }
            event_webhook::replay(webhook, after, now).map(Outcome::of)
        };
        let changed = store.change_event_webhook(change, authorised.account, id, Box::new(rule)).await;
        let event_webhook = Some(EventWebhook(allow!(changed.map_err(fault)?)));
        Ok(ReplayEventWebhookPayload { event_webhook, user_errors: vec![] })
    }

    /// Sends a dead letter once more, before what comes next. It stays one unless it is taken. For ADMIN and MANAGER.
    async fn replay_dead_letter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ReplayDeadLetterInput,
    ) -> Result<ReplayDeadLetterPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = allow!(local::<EventWebhookId>(&input.event_webhook_id, "eventWebhookId"));
        let change = change(ctx, authorised, "replayDeadLetter", Some(Subject::EventWebhook(id)))?;
        let rule = |webhook: &Row| event_webhook::replay_dead_letter(webhook).map(Outcome::of);
        // No event has the number 0.
        let number = parse_cursor(&input.event_cursor).unwrap_or(0);
        let store = gateway(ctx).store();
        let asked = store.replay_dead_letter(change, authorised.account, id, number, Box::new(rule)).await;
        let dead_letter = Some(DeadLetter(allow!(asked.map_err(fault)?)));
        Ok(ReplayDeadLetterPayload { dead_letter, user_errors: vec![] })
    }

    /// Deletes an event webhook with its dead letters; nothing is sent to it any longer. For ADMIN and MANAGER.
    async fn delete_event_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteEventWebhookInput,
    ) -> Result<DeleteEventWebhookPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = allow!(local::<EventWebhookId>(&input.event_webhook_id, "eventWebhookId"));
        let change = change(ctx, authorised, "deleteEventWebhook", Some(Subject::EventWebhook(id)))?;
        let store = gateway(ctx).store();
        allow!(store.delete_event_webhook(change, authorised.account, id).await.map_err(fault)?);
        Ok(DeleteEventWebhookPayload { deleted_event_webhook_id: Some(global(id)), user_errors: vec![] })
    }
}
