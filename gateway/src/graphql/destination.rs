//! Destinations: configured places that audiences are delivered to.

use crate::{
    endpoint,
    graphql::{
        access::{authorise, change, creation, gateway, load_own, loaders, now, viewer},
        cost::list_size,
        destination_consent::DestinationConsent,
        fault::{allow, fault, payload},
        id::{global, local},
        loaders::load,
        match_key::{MatchKey, MatchKeyInput, keys},
        page::page,
        scalar::SafeInt,
    },
    trial,
    work::deliver,
};
use async_graphql::{Context, ID, InputObject, Json, Object, Result};
use chrono::{DateTime, Utc};
use entente_destination::Description;
use entente_domain::{
    AccountId, DestinationId, Refusal,
    access::Act,
    account::Account,
    activation::{self, Destination as Row, DestinationChange},
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{DestinationSettings, LoadedDestination, Outcome};
use serde_json::Value;

/// A kind of place that audiences can be delivered to, provided by a plugin.
#[derive(Clone)]
pub struct DestinationType(Description);

/// A kind of place that audiences can be delivered to, provided by a plugin.
#[Object]
impl DestinationType {
    /// Stable; name it when a destination is set up.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// As people read it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it delivers to, in a sentence.
    async fn summary(&self) -> &str {
        &self.0.summary
    }

    /// The plugin's version.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// How an account consents, where the platform signs in by OAuth; null where no consent is asked for. See
    /// `beginDestinationConsent`.
    async fn consent(&self) -> Option<DestinationConsent> {
        self.0.consent.clone().map(DestinationConsent)
    }

    /// The JSON Schema of a destination's settings. What it marks `writeOnly` is a secret and never shown again.
    async fn settings_schema(&self) -> Json<Value> {
        Json(self.0.settings.clone())
    }
}

/// A configured place that audiences are delivered to. Only its own account sees it.
#[derive(Clone)]
pub struct Destination(pub Row);

page!(DestinationPage, DestinationEdge, Destination, "destinations");

/// A configured place that audiences are delivered to. Only its own account sees it.
#[Object]
impl Destination {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What kind of place it is; null when this gateway no longer has the type.
    async fn destination_type(&self, ctx: &Context<'_>) -> Option<DestinationType> {
        gateway(ctx).destinations().describe(&self.0.destination_type).map(DestinationType)
    }

    /// Match keys that it takes.
    async fn match_keys(&self) -> Vec<MatchKey> {
        self.0.match_keys.iter().cloned().map(Into::into).collect()
    }

    /// Its settings without secrets.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Json<Value>> {
        let settings = load(&loaders(ctx).destination_settings, self.0.id).await?;
        Ok(Json(settings.map(|s| s.shown).ok_or_else(|| fault("a destination without settings"))?))
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

/// Sets up a destination. Its settings are tried against the real endpoint first.
#[derive(InputObject)]
struct CreateDestinationInput {
    /// The account that it is for.
    account_id: ID,
    /// 1 to 100 characters; unique in the account.
    name: String,
    /// The id of a destination type.
    destination_type: ID,
    /// As the type's `settingsSchema` says.
    settings: Json<Value>,
    /// Match keys that it takes; at least one, out of the account's.
    match_keys: Vec<MatchKeyInput>,
    /// The code that a consent ended with: the settings get the refresh token that came of it. See
    /// `beginDestinationConsent`.
    consent_code: Option<String>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Changes a destination. What is left out stays.
#[derive(InputObject)]
struct UpdateDestinationInput {
    /// The account that it belongs to.
    account_id: ID,
    /// The destination.
    destination_id: ID,
    /// 1 to 100 characters; unique in the account.
    name: Option<String>,
    /// All settings as they should be, as the type's `settingsSchema` says. Sent as they are shown, they stay as they are,
    /// secrets included; where anything else is sent, all secrets have to be sent with it.
    settings: Option<Json<Value>>,
    /// Match keys that it takes; at least one, out of the account's. Activations that there are keep theirs.
    match_keys: Option<Vec<MatchKeyInput>>,
    /// The code that a consent ended with: the settings get the refresh token that came of it, and stay as they are unless
    /// others are sent. See `beginDestinationConsent`.
    consent_code: Option<String>,
}

/// Tries a destination against its real endpoint.
#[derive(InputObject)]
struct CheckDestinationInput {
    /// The account that it belongs to.
    account_id: ID,
    /// The destination.
    destination_id: ID,
}

/// Deletes a destination.
#[derive(InputObject)]
struct DeleteDestinationInput {
    /// The account that it belongs to.
    account_id: ID,
    /// The destination.
    destination_id: ID,
}

payload! {
    /// The destination, or why it was not set up.
    CreateDestinationPayload {
        /// What was set up.
        destination: Destination,
    }
}

payload! {
    /// The destination, or why it was not changed.
    UpdateDestinationPayload {
        /// The destination as it is now.
        destination: Destination,
    }
}

payload! {
    /// The destination that answered well, or what it answered.
    CheckDestinationPayload {
        /// The destination, when it can be delivered to.
        destination: Destination,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteDestinationPayload {
        /// The id of the destination that is gone.
        deleted_destination_id: ID,
    }
}

/// Mutations of destinations.
#[derive(Default)]
pub struct DestinationMutation;

#[Object]
impl DestinationMutation {
    /// Sets up a destination, when its endpoint answers well. For ADMIN and MANAGER.
    async fn create_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateDestinationInput,
    ) -> Result<CreateDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let match_keys = allow!(keys(&input.match_keys, "matchKeys"));
        let change = allow!(creation(ctx, authorised, "createDestination", input.idempotency_key)?);
        let (gateway, account) = (gateway(ctx), authorised.account);
        let sent = (input.settings.0, input.consent_code.as_deref());
        let tried = trial::of_new(gateway, account, &input.destination_type, sent, change.now).await.map_err(fault)?;
        let id = DestinationId::new();
        let (stored, consent) = match &tried {
            Ok(tried) => (tried.stored(gateway, id).map_err(fault)?, tried.consent),
            Err(_) => (DestinationSettings { sealed: vec![], shown: Value::Null }, None),
        };
        let (name, at) = (input.name, change.now);
        let rule = move |account: &Account| {
            let of_type = tried?.of_type;
            let made = activation::destination(id, account.id, &name, &of_type.id, match_keys, &account.keys(), at)?;
            let created =
                NewEvent::of_account(account.id, AccountEventKind::DestinationCreated, Subject::Destination(id));
            Ok(Outcome::of(made).events([created]))
        };
        let created = gateway
            .store()
            .create_destination(change, id, account, stored, consent, Box::new(rule))
            .await
            .map_err(fault)?;
        let created = allow!(created);
        let destination = load(&loaders(ctx).destinations, created.id).await?.map(Destination);
        Ok(CreateDestinationPayload { destination, user_errors: vec![] })
    }

    /// Changes a destination; new settings when its endpoint answers well to them. Deliveries that run go on with the
    /// settings that they began with; those that wait because the destination refused its credentials go on with the new
    /// ones. For ADMIN and MANAGER.
    async fn update_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateDestinationInput,
    ) -> Result<UpdateDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let destination = allow!(owned(ctx, authorised.account, &input.destination_id).await?);
        let match_keys = allow!(input.match_keys.map(|sent| keys(&sent, "matchKeys")).transpose());
        let (id, by) = (destination.id, authorised.account);
        let change = change(ctx, authorised, "updateDestination", Some(Subject::Destination(id)))?;
        let at = change.now;
        let sent = (input.settings.as_ref().map(|settings| &settings.0), input.consent_code.as_deref());
        let tried = match sent {
            (None, None) => Ok(None),
            sent => {
                let read = present(ctx, id).await?;
                trial::of_present(gateway(ctx), &destination, read, sent, at).await.map_err(fault)?.map(Some)
            }
        };
        let (settings, refused) = tried.map_or_else(|refusal| (None, Some(refusal)), |settings| (settings, None));
        let (wanted, has_settings) = (DestinationChange { name: input.name, match_keys }, settings.is_some());
        let rule = move |loaded: &LoadedDestination| {
            refused.map_or(Ok(()), Err)?;
            let next = activation::change_destination(&loaded.destination, wanted, &loaded.account.keys(), at)?;
            let updated = NewEvent::of_account(by, AccountEventKind::DestinationUpdated, Subject::Destination(id));
            let go_on = loaded.refused.iter().filter(|_| has_settings).map(|refused| deliver::job(refused, at));
            Ok(go_on.fold(Outcome::of(next).events([updated]), Outcome::job))
        };
        let changed = gateway(ctx).store().change_destination(change, id, settings, Box::new(rule));
        let changed = allow!(changed.await.map_err(fault)?);
        Ok(UpdateDestinationPayload { destination: Some(Destination(changed)), user_errors: vec![] })
    }

    /// Tries a destination against its real endpoint; changes nothing but a refresh token in whose place the platform gives
    /// another. For ADMIN and MANAGER.
    async fn check_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CheckDestinationInput,
    ) -> Result<CheckDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let destination = allow!(owned(ctx, authorised.account, &input.destination_id).await?);
        let read = present(ctx, destination.id).await?;
        allow!(trial::of_unchanged(gateway(ctx), &destination, read, now()).await.map_err(fault)?);
        Ok(CheckDestinationPayload { destination: Some(Destination(destination)), user_errors: vec![] })
    }

    /// Deletes a destination: nothing is delivered to it any longer; what was delivered stays there. For ADMIN and
    /// MANAGER.
    async fn delete_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteDestinationInput,
    ) -> Result<DeleteDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let id = allow!(local::<DestinationId>(&input.destination_id, "destinationId"));
        let change = change(ctx, authorised, "deleteDestination", Some(Subject::Destination(id)))?;
        let by = authorised.account;
        let rule = move |_: &Row| {
            let deleted = NewEvent::of_account(by, AccountEventKind::DestinationDeleted, Subject::Destination(id));
            Ok(Outcome::of(()).events([deleted]))
        };
        allow!(gateway(ctx).store().delete_destination(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteDestinationPayload { deleted_destination_id: Some(global(id)), user_errors: vec![] })
    }
}

fn missing() -> Refusal {
    Refusal::not_found("destination").at("destinationId")
}

/// A destination of this account.
async fn owned(ctx: &Context<'_>, account: AccountId, id: &ID) -> Result<Result<Row, Refusal>> {
    let id = match local::<DestinationId>(id, "destinationId") {
        Ok(id) => id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(load_own(ctx, account, &loaders(ctx).destinations, id).await?.ok_or_else(missing))
}

/// The settings of a destination: as they are sealed, and what is in them.
async fn present(ctx: &Context<'_>, id: DestinationId) -> Result<(Vec<u8>, Value)> {
    let stored = load(&loaders(ctx).destination_settings, id).await?;
    let sealed = stored.ok_or_else(|| fault("a destination without settings"))?.sealed;
    let settings = endpoint::unseal(gateway(ctx), id, &sealed).map_err(fault)?;
    Ok((sealed, settings))
}

/// Queries of destinations.
#[derive(Default)]
pub struct DestinationQuery;

#[Object]
impl DestinationQuery {
    /// The destination types of this gateway, by id.
    #[graphql(complexity = "10 * child_complexity", directive = list_size::apply(10, None, None, false))]
    async fn destination_types(&self, ctx: &Context<'_>) -> Result<Vec<DestinationType>> {
        viewer(ctx)?;
        Ok(gateway(ctx).destinations().types().into_iter().map(DestinationType).collect())
    }
}
