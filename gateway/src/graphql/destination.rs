//! Destinations: configured places that audiences are delivered to.

use crate::{
    endpoint,
    graphql::{
        access::{authorise, change, creation, gateway, loaders, viewer},
        fault::{allow, fault, payload},
        id::{global, local},
        loaders::load,
        match_key::{MatchKey, MatchKeyInput, keys},
        page::page,
        scalar::SafeInt,
    },
};
use async_graphql::{Context, ID, InputObject, Json, Object, Result};
use chrono::{DateTime, Utc};
use entente_destination::Description;
use entente_domain::{
    AccountId, DestinationId, Refusal,
    access::Act,
    account::Account,
    activation::{self, Destination as Row},
    destination_settings,
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{DestinationSettings, Outcome};
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
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
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
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Manage)?);
        let match_keys = allow!(keys(&input.match_keys, "matchKeys"));
        let change = allow!(creation(ctx, authorised, "createDestination", input.idempotency_key)?);
        let (gateway, account, settings) = (gateway(ctx), authorised.account, input.settings.0);
        let checked = checked(ctx, account, &input.destination_type, &settings).await?;
        let id = DestinationId::new();
        let shown = checked.as_ref().map(|of_type| destination_settings::shown(&of_type.settings, &settings));
        let stored = DestinationSettings {
            sealed: endpoint::seal(gateway, id, &settings).map_err(fault)?,
            shown: shown.unwrap_or_default(),
        };
        let (name, at) = (input.name, change.now);
        let rule = move |account: &Account| {
            let of_type = checked?;
            let has: Vec<_> = account.match_keys.iter().map(|k| k.key.clone()).collect();
            let made = activation::destination(id, account.id, &name, &of_type.id, match_keys, &has, at)?;
            let created =
                NewEvent::of_account(account.id, AccountEventKind::DestinationCreated, Subject::Destination(id));
            Ok(Outcome::of(made).events([created]))
        };
        let created =
            gateway.store().create_destination(change, id, account, stored, Box::new(rule)).await.map_err(fault)?;
        let created = allow!(created);
        let destination = load(&loaders(ctx).destinations, created.id).await?.map(Destination);
        Ok(CreateDestinationPayload { destination, user_errors: vec![] })
    }

    /// Tries a destination against its real endpoint; changes nothing. For ADMIN and MANAGER.
    async fn check_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CheckDestinationInput,
    ) -> Result<CheckDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Manage)?);
        let id = allow!(local::<DestinationId>(&input.destination_id, "destinationId"));
        let found = load(&loaders(ctx).destinations, id).await?.filter(|d| d.account == authorised.account);
        let destination = allow!(found.ok_or_else(missing));
        let stored = load(&loaders(ctx).destination_settings, id).await?;
        let sealed = stored.ok_or_else(|| fault("a destination without settings"))?.sealed;
        let gateway = gateway(ctx);
        let settings = endpoint::unseal(gateway, id, &sealed).map_err(fault)?;
        let checked = endpoint::check(gateway, destination.account, &destination.destination_type, &settings).await;
        allow!(checked.map_err(fault)?);
        Ok(CheckDestinationPayload { destination: Some(Destination(destination)), user_errors: vec![] })
    }

    /// Deletes a destination: nothing is delivered to it any longer; what was delivered stays there. For ADMIN and
    /// MANAGER.
    async fn delete_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteDestinationInput,
    ) -> Result<DeleteDestinationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Manage)?);
        let id = allow!(local::<DestinationId>(&input.destination_id, "destinationId"));
        let change = change(ctx, authorised, "deleteDestination", Some(Subject::Destination(id)))?;
        let by = authorised.account;
        let rule = move |destination: &Row| {
            if destination.account != by {
                return Err(missing());
            }
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

/// The type, when its endpoint answers well to the settings.
async fn checked(
    ctx: &Context<'_>,
    account: AccountId,
    destination_type: &ID,
    settings: &Value,
) -> Result<Result<Description, Refusal>> {
    let gateway = gateway(ctx);
    let Some(of_type) = gateway.destinations().describe(destination_type) else {
        return Ok(Err(endpoint::unknown_type()));
    };
    if let Err(refusal) = endpoint::checked(settings) {
        return Ok(Err(refusal));
    }
    let answered = endpoint::check(gateway, account, &of_type.id, settings).await.map_err(fault)?;
    Ok(answered.map(|()| of_type))
}

/// Queries of destinations.
#[derive(Default)]
pub struct DestinationQuery;

#[Object]
impl DestinationQuery {
    /// The destination types of this gateway, by id.
    #[graphql(complexity = "10 * child_complexity")]
    async fn destination_types(&self, ctx: &Context<'_>) -> Result<Vec<DestinationType>> {
        viewer(ctx)?;
        Ok(gateway(ctx).destinations().types().into_iter().map(DestinationType).collect())
    }
}
