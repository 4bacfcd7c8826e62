//! API keys.

use crate::{
    graphql::{
        access::{authorise, change, creation, gateway},
        account::MemberRole,
        fault::{allow, fault, payload},
        id::{global, local},
        page::page,
    },
    secrets,
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{ApiKeyId, Refusal, access::Act, event::Subject, refusal::text};
use entente_store::ApiKey as Row;

/// A key that acts for one account. The key itself is shown once, when it is created; only its hash is kept.
#[derive(Clone)]
pub struct ApiKey(pub Row);

page!(ApiKeyPage, ApiKeyEdge, ApiKey, "API keys");

/// A key that acts for one account. The key itself is shown once, when it is created; only its hash is kept.
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

    /// From then on it does nothing; null is never.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// When it was revoked; null when it was not.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at
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
    /// From then on it does nothing; left out is never.
    expires_at: Option<DateTime<Utc>>,
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
        let token = secrets::new_token("ek");
        let key = Row {
            id: ApiKeyId::new(),
            account: authorised.account,
            name: allow!(text("name", &input.name, 1, 100)),
            role: input.role.into(),
            expires_at: input.expires_at,
            revoked_at: None,
            last_used_at: None,
            created_at: change.now,
        };
        let hash = secrets::token_hash(&token);
        allow!(gateway(ctx).store().create_api_key(change, key.clone(), hash).await.map_err(fault)?);
        Ok(CreateApiKeyPayload { api_key: Some(ApiKey(key)), token: Some(token), user_errors: vec![] })
    }

    /// Revokes an API key; it does nothing from now on. For ADMIN.
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
