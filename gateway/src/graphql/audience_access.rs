//! Who may see an audience by name, and which figures about it.

use crate::graphql::{
    access::{connection_of, gateway},
    connection::Connection,
    cost::list_size,
    fault::fault,
    id::{global, locals},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use entente_domain::{
    AccountId, ConnectionId, Refusal,
    audience::{ConnectionAccess as Access, MetadataVisibility, VisibilityChange, checked_access},
};

/// The most connections that are named at once.
const MOST: usize = 100;

/// Who may see an audience by name, besides its own account.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ConnectionAccessKind {
    /// Nobody.
    Private,
    /// Every active connection, and the directory.
    Public,
    /// The named connections.
    Custom,
}

/// Who may see an audience by name, besides its own account.
#[derive(Clone)]
pub struct ConnectionAccess {
    account: AccountId,
    access: Access,
}

impl ConnectionAccess {
    /// The access that an account gives.
    pub fn of(account: AccountId, access: &Access) -> Self {
        Self { account, access: access.clone() }
    }

    fn named(&self) -> &[ConnectionId] {
        match &self.access {
            Access::Custom(connections) => connections,
            Access::Private | Access::Public => &[],
        }
    }
}

/// Who may see an audience by name, besides its own account.
#[Object]
impl ConnectionAccess {
    /// To whom it is given.
    async fn kind(&self) -> ConnectionAccessKind {
        match self.access {
            Access::Private => ConnectionAccessKind::Private,
            Access::Public => ConnectionAccessKind::Public,
            Access::Custom(_) => ConnectionAccessKind::Custom,
        }
    }

    /// Ids of the named connections; empty unless the kind is CUSTOM.
    async fn connection_ids(&self) -> Vec<ID> {
        self.named().iter().copied().map(global).collect()
    }

    /// The named connections; empty unless the kind is CUSTOM. At most 100.
    #[graphql(complexity = "20 * child_complexity", directive = list_size::apply(20, None, None, false))]
    async fn connections(&self, ctx: &Context<'_>) -> Result<Vec<Connection>> {
        let named = self.named().iter().map(|id| connection_of(ctx, self.account, *id));
        let found = futures::future::try_join_all(named).await?;
        Ok(found.into_iter().flatten().map(Connection).collect())
    }
}

/// Says who may see audiences by name.
#[derive(Clone, Debug, OneofObject)]
pub enum ConnectionAccessInput {
    /// Nobody besides the account; say `true`.
    Private(bool),
    /// Every active connection, and the directory; say `true`.
    Public(bool),
    /// Only these connections: between 1 and 100 live ones of the account.
    ConnectionIds(Vec<ID>),
}

impl ConnectionAccessInput {
    /// The access, checked against the account's connections.
    pub async fn checked(self, ctx: &Context<'_>, account: AccountId) -> Result<Result<Access, Refusal>> {
        let named: Vec<ConnectionId> = match self {
            Self::Private(true) => return Ok(Ok(Access::Private)),
            Self::Public(true) => return Ok(Ok(Access::Public)),
            Self::Private(false) | Self::Public(false) => {
                return Ok(Err(Refusal::invalid("access", "Say `true` of the access that should hold.")));
            }
            Self::ConnectionIds(ids) if ids.len() > MOST => {
                let message = format!("At most {MOST} connections.");
                return Ok(Err(Refusal::invalid("access.connectionIds", message)));
            }
            Self::ConnectionIds(ids) => match locals(&ids, "access.connectionIds") {
                Ok(named) => named,
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        let known = gateway(ctx).store().connections_by_ids(&named).await.map_err(fault)?;
        let known: Vec<_> = known.into_values().collect();
        Ok(checked_access(Access::Custom(named), account, &known))
    }
}

/// Which figures about an audience others may see.
#[derive(Clone, Copy, SimpleObject)]
pub struct AudienceVisibility {
    /// Its identity count, to three significant digits.
    identity_count: bool,
    /// The overlap with it, and the overlap as a percentage.
    overlap_percentage: bool,
    /// Its audience index; shown only while its account has at least three active audiences.
    audience_index: bool,
}

impl From<MetadataVisibility> for AudienceVisibility {
    fn from(visibility: MetadataVisibility) -> Self {
        Self {
            identity_count: visibility.identity_count,
            overlap_percentage: visibility.overlap_percentage,
            audience_index: visibility.audience_index,
        }
    }
}

/// Says which figures about audiences others may see. What is left out stays, and is shown of new audiences.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct AudienceVisibilityInput {
    /// The identity count, to three significant digits.
    identity_count: Option<bool>,
    /// The overlap, and the overlap as a percentage.
    overlap_percentage: Option<bool>,
    /// The audience index; needs at least three active audiences of the account.
    audience_index: Option<bool>,
}

impl From<AudienceVisibilityInput> for VisibilityChange {
    fn from(input: AudienceVisibilityInput) -> Self {
        Self {
            identity_count: input.identity_count,
            overlap_percentage: input.overlap_percentage,
            audience_index: input.audience_index,
        }
    }
}
