//! API keys.

use crate::{
    graphql::{
        access::{authorise, change, creation, gateway, viewer},
        account::MemberRole,
        fault::{allow, fault, payload},
        id::{global, local},
        page::page,
    },
    secrets,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, SubsecRound, Utc};
use entente_domain::{
    ApiKeyId, Refusal,
    access::Act,
    api_key::{self, Purpose},
    event::Subject,
    refusal::text,
};
use entente_store::{ApiKey as Row, Outcome};

/// What an API key is for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Purpose")]
pub enum ApiKeyPurpose {
    /// Acts for the account like one of its users.
    Account,
    /// Runs in a pipeline: acts neither on users nor on API keys, whatever its role.
    Service,
}

/// What an API key may be limited to. It may do what both its role and its scopes allow, and reads whatever they are.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Act")]
pub enum ApiKeyScope {
    /// Read what the account may see.
    Read,
    /// Create, edit, run and delete reports.
    RunReports,
    /// Uploads, data connections, crosswalks, opt-outs, audiences, exposures and conversions.
    ManageData,
    /// Connections, the connect code, projects and campaigns.
    ManageConnections,
    /// Destinations, sent audiences and activations.
    ManageDeliveries,
    /// The account itself: its profile, its privacy level and its audit log.
    ManageAccount,
    /// Users and API keys. It can let a user in who may do everything.
    Administer,
}

/// A key that acts for one account. Its secret is shown once, when it is created or rotated; only its hash is kept.
#[derive(Clone)]
pub struct ApiKey(pub Row);

page!(ApiKeyPage, ApiKeyEdge, ApiKey, "API keys");

/// A key that acts for one account. Its secret is shown once, when it is created or rotated; only its hash is kept.
#[Object]
impl ApiKey {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it may do.
    async fn role(&self) -> MemberRole {
        self.0.role.into()
    }

    /// What it is for.
    async fn purpose(&self) -> ApiKeyPurpose {
        self.0.purpose.into()
    }

    /// What it is limited to; null when to nothing but its role.
    async fn scopes(&self) -> Option<Vec<ApiKeyScope>> {
        self.0.scopes.as_ref().map(|scopes| scopes.iter().copied().map(Into::into).collect())
    }

    /// From then on it does nothing; null is never.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// When it was revoked; null when it was not.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at
    }

    /// When it last got another secret; null is never.
    async fn rotated_at(&self) -> Option<DateTime<Utc>> {
        self.0.rotated_at
    }

    /// Until then the secret works that it had before it was last rotated; null when that stopped at once.
    async fn old_works_until(&self) -> Option<DateTime<Utc>> {
        self.0.old_works_until
    }

    /// When it was last seen, to the minute or so; null is never.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Creates an API key.
#[derive(InputObject)]
struct CreateApiKeyInput {
    /// The account that it acts for.
    account_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// What it may do.
    role: MemberRole,
    /// What it is for.
    #[graphql(default_with = "ApiKeyPurpose::Account")]
    purpose: ApiKeyPurpose,
    /// What it is limited to; left out is all that its role allows. A key gives no key more than it has itself.
    scopes: Option<Vec<ApiKeyScope>>,
    /// From then on it does nothing; left out is never.
    expires_at: Option<DateTime<Utc>>,
}

/// Gives an API key another secret.
#[derive(InputObject)]
struct RotateApiKeyInput {
    /// The account.
    account_id: ID,
    /// The key.
    api_key_id: ID,
    /// Until then the old secret works as well: 24 hours from now if left out, at most 30 days. With a time that has passed
    /// all secrets but the new one stop at once.
    old_works_until: Option<DateTime<Utc>>,
}

/// Revokes an API key.
#[derive(InputObject)]
struct RevokeApiKeyInput {
    /// The account.
    account_id: ID,
    /// The key.
    api_key_id: ID,
}

payload! {
    /// The key, or why there is none.
    CreateApiKeyPayload {
        /// What was created.
        api_key: ApiKey,
        /// The bearer token, shown this once.
        token: String,
    }
}

payload! {
    /// The key with its new secret, or why nothing was done.
    RotateApiKeyPayload {
        /// As it is now.
        api_key: ApiKey,
        /// The new bearer token, shown this once.
        token: String,
    }
}

payload! {
    /// The key, or why nothing was done.
    RevokeApiKeyPayload {
        /// As it is now.
        api_key: ApiKey,
    }
}

/// Mutations of API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Creates an API key. For ADMIN.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let change = allow!(creation(ctx, authorised, "createApiKey", None)?);
        if input.expires_at.is_some_and(|at| at <= change.now) {
            return Ok(Refusal::invalid("expiresAt", "It is in the past.").into());
        }
        let (token, purpose) = (secrets::new_token("ek"), input.purpose.into());
        let asked = input.scopes.map(|scopes| scopes.into_iter().map(Into::into).collect());
        let key = Row {
            id: ApiKeyId::new(),
            account: authorised.account,
            name: allow!(text("name", &input.name, 1, 100)),
            role: input.role.into(),
            purpose,
            scopes: allow!(api_key::scopes(asked, purpose, viewer(ctx)?)),
            expires_at: input.expires_at,
            revoked_at: None,
            rotated_at: None,
            old_works_until: None,
            last_used_at: None,
            created_at: change.now,
        };
        let hash = secrets::token_hash(&token);
        allow!(gateway(ctx).store().create_api_key(change, key.clone(), hash).await.map_err(fault)?);
        Ok(CreateApiKeyPayload { api_key: Some(ApiKey(key)), token: Some(token), user_errors: vec![] })
    }

    /// Gives an API key another secret. The old one works as well for a while, so that it can be replaced where it is used. One
    /// old secret works at a time. For ADMIN.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RotateApiKeyInput,
    ) -> Result<RotateApiKeyPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let id = allow!(local::<ApiKeyId>(&input.api_key_id, "apiKeyId"));
        let change = change(ctx, authorised, "rotateApiKey", Some(Subject::Account(authorised.account)))?;
        let (token, now) = (secrets::new_token("ek"), change.now);
        let (hash, asked) = (secrets::token_hash(&token), input.old_works_until.map(|at| at.trunc_subsecs(6)));
        let rule = move |key: &Row| api_key::rotate(key.life(), asked, now).map(Outcome::of);
        let store = gateway(ctx).store();
        let rotated =
            store.rotate_api_key(change, authorised.account, id, hash, Box::new(rule)).await.map_err(fault)?;
        Ok(RotateApiKeyPayload { api_key: Some(ApiKey(allow!(rotated))), token: Some(token), user_errors: vec![] })
    }

    /// Revokes an API key with all of its secrets; it does nothing from now on. For ADMIN.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let id = allow!(local::<ApiKeyId>(&input.api_key_id, "apiKeyId"));
        let change = change(ctx, authorised, "revokeApiKey", Some(Subject::Account(authorised.account)))?;
        let store = gateway(ctx).store();
        allow!(store.revoke_api_key(change, authorised.account, id).await.map_err(fault)?);
        let api_key = store.api_keys_by_ids(&[id]).await.map_err(fault)?.remove(&id).map(ApiKey);
        Ok(RevokeApiKeyPayload { api_key, user_errors: vec![] })
    }
}
