//! Users, and who asks.

use crate::{
    graphql::{
        access::{change_outside_accounts, gateway, loaders, viewer},
        account::{Account, AccountPage, MemberRole},
        cost::{list_size, sized, slicing_by},
        fault::{allow, fault, payload, refused},
        id::global,
        loaders::load,
        page,
        scalar::SafeInt,
    },
    secrets,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{Code, Refusal, UserId, access::Actor, account::email_address, refusal::text};
use entente_store::User as Row;

/// A person who signs in. Seen by itself and by ADMINs of its accounts.
#[derive(Clone)]
pub struct User(pub Row);

/// A person who signs in. Seen by itself and by ADMINs of its accounts.
#[Object]
impl User {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Unique in the gateway.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// What kind of key was sent.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ViewerKind {
    /// A user's token or session; acts for all accounts of the user.
    User,
    /// An API key; acts for one account.
    ApiKey,
    /// The operator's key; is outside all accounts.
    Operator,
}

/// Who asks.
pub struct Viewer;

/// Who asks.
#[Object]
impl Viewer {
    /// What kind of key was sent.
    async fn kind(&self, ctx: &Context<'_>) -> Result<ViewerKind> {
        Ok(match viewer(ctx)?.actor {
            Actor::User(_) => ViewerKind::User,
            Actor::ApiKey(_) => ViewerKind::ApiKey,
            Actor::Operator | Actor::Gateway => ViewerKind::Operator,
        })
    }

    /// The user; null for API keys and the operator.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match viewer(ctx)?.actor {
            Actor::User(id) => Ok(load(&loaders(ctx).users, id).await?.map(User)),
            _ => Ok(None),
        }
    }

    /// What the viewer may do in an account; null when it does not belong to it.
    async fn role_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
    ) -> Result<Option<MemberRole>> {
        let id = super::id::local(&account_id, "accountId").ok();
        Ok(id.and_then(|id| viewer(ctx).ok()?.role_in(id)).map(Into::into))
    }

    /// The accounts that the viewer may act for.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<AccountPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?;
        let ids: Vec<_> = viewer(ctx)?.memberships.iter().map(|(id, _)| *id).collect();
        let accounts = gateway(ctx).store().accounts_by_ids(&ids).await.map_err(fault)?;
        let mut accounts: Vec<_> = accounts.into_values().collect();
        accounts.sort_unstable_by_key(|a| a.id);
        Ok(AccountPage::of(page::part_of(accounts, |a| a.id.to_string(), &request), Account))
    }
}

/// Creates a user.
#[derive(InputObject)]
struct CreateUserInput {
    /// Unique in the gateway.
    email: String,
    /// 1 to 100 characters.
    name: String,
}

payload! {
    /// The user and its token, or why there is none.
    CreateUserPayload {
        /// What was created.
        user: User,
        /// Its bearer token, shown this once.
        token: String,
    }
}

/// Mutations of users.
#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Creates a user and its token. For the gateway's operator.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload> {
        if !viewer(ctx)?.is_operator() {
            return Ok(Refusal::new(Code::Forbidden, "Only the gateway's operator creates users.").into());
        }
        let change = change_outside_accounts(ctx, "createUser")?;
        let user = Row {
            id: UserId::new(),
            email: allow!(email_address("email", &input.email)).to_lowercase(),
            name: allow!(text("name", &input.name, 1, 100)),
            created_at: change.now,
        };
        let token = secrets::new_token("eu");
        let hash = secrets::token_hash(&token);
        allow!(gateway(ctx).store().create_user(change, user.clone(), hash).await.map_err(fault)?);
        Ok(CreateUserPayload { user: Some(User(user)), token: Some(token), user_errors: vec![] })
    }
}

/// What the gateway says of itself.
pub struct Gateway;

/// What the gateway says of itself.
#[Object]
impl Gateway {
    /// The program's version.
    async fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// What is under this many people reads "below threshold".
    async fn threshold(&self, ctx: &Context<'_>) -> SafeInt {
        SafeInt(gateway(ctx).settings.threshold)
    }
}

/// Queries about who asks and whom.
#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who asks.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        viewer(ctx)?;
        Ok(Viewer)
    }

    /// What the gateway says of itself, to everybody.
    async fn gateway(&self) -> Gateway {
        Gateway
    }
}
