//! Credits: an account's wallet, its daily table, and what the operator gives.

use crate::graphql::{
    access::{connection_of, creation_by_operator, gateway, loaders, viewer},
    connection::Connection,
    fault::{allow, fault, payload, refused},
    id::local,
    loaders::load,
    page::page,
    scalar::{Date, SafeInt},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result};
use entente_domain::{
    AccountId, Code, ConnectionId, DeliveryId, Refusal, SentAudienceId, WorkId,
    activation::SentAudience,
    credit::{self, Activity, MicroCredits, NewProvision, Wallet as Row},
};
use entente_store::CreditActivity as ActivityRow;
use std::collections::BTreeMap;

/// What credits are spent on.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Activity")]
pub enum CreditActivityKind {
    /// Sourcing data connections. Inputs are rows that were accepted.
    AudienceManagement,
    /// Sending audiences once. Inputs are the people whom they reach, as Discover shows them.
    AudienceAccessOnce,
    /// Sending audiences between two days. Inputs are the people whom they reach when they are sent, as Discover shows
    /// them.
    AudienceAccessRecurring,
    /// Delivering what was sent once. Inputs are rows that a destination took or rejected.
    AudienceEgressOnce,
    /// Delivering what was sent between two days. Inputs are rows that a destination took or rejected.
    AudienceEgressRecurring,
    /// Making reports. Inputs are the impressions that they show, to three significant digits and at least the
    /// threshold; the threshold for those that show an account its own campaign exactly.
    Measurement,
}

/// What an account has, in micro-credits: millionths of a credit.
pub struct Wallet(pub Row);

/// What an account has, in micro-credits: millionths of a credit.
#[Object]
impl Wallet {
    /// What the operator gave, less what it took back.
    async fn provisioned(&self) -> SafeInt {
        micro_credits(self.0.provisioned)
    }

    /// What was spent on work that has ended.
    async fn used(&self) -> SafeInt {
        micro_credits(self.0.used)
    }

    /// What is kept for work that goes on.
    async fn reserved(&self) -> SafeInt {
        micro_credits(self.0.reserved)
    }

    /// What can be spent: neither used nor reserved.
    async fn available(&self) -> SafeInt {
        micro_credits(self.0.available())
    }
}

/// The wallet of an account, for its members and for the operator who gives credits.
pub async fn wallet(ctx: &Context<'_>, account: AccountId) -> Result<Wallet> {
    let found = gateway(ctx).store().wallets(&[account]).await.map_err(fault)?;
    Ok(Wallet(found.get(&account).copied().unwrap_or_default()))
}

/// A connection that an account's daily table is asked for; others' read like none.
pub async fn connection(ctx: &Context<'_>, account: AccountId, id: &ID) -> Result<ConnectionId> {
    let id = local::<ConnectionId>(id, "connectionId").map_err(refused)?;
    let found = connection_of(ctx, account, id).await?;
    found.map(|_| id).ok_or_else(|| refused(Refusal::not_found("connection")))
}

fn micro_credits(amount: MicroCredits) -> SafeInt {
    SafeInt(u64::try_from(amount.0).unwrap_or(0))
}

/// What work of one kind came to on a day, in one connection or in none.
pub struct CreditActivity {
    /// Whose table it is.
    pub account: AccountId,
    /// The line.
    pub row: ActivityRow,
}

page!(CreditActivityPage, CreditActivityEdge, CreditActivity, "lines of a daily table of credits");

/// What work of one kind came to on a day, in one connection or in none.
#[Object]
impl CreditActivity {
    /// The UTC day on which it ended.
    async fn date(&self) -> Date {
        Date(self.row.day)
    }

    /// The connection that it was done in; null for what the account does by itself.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Option<Connection>> {
        match self.row.connection {
            Some(id) => Ok(connection_of(ctx, self.account, id).await?.map(Connection)),
            None => Ok(None),
        }
    }

    /// What was done.
    async fn activity(&self) -> CreditActivityKind {
        self.row.activity.into()
    }

    /// Inputs that were processed.
    async fn inputs(&self) -> SafeInt {
        SafeInt(self.row.inputs)
    }

    /// What all of it cost, in micro-credits, whoever paid.
    async fn credits(&self) -> SafeInt {
        micro_credits(self.row.credits)
    }

    /// What this account paid of that, in micro-credits.
    async fn share(&self) -> SafeInt {
        micro_credits(self.row.share)
    }
}

/// How much is given or taken back, in micro-credits.
#[derive(Clone, Copy, OneofObject)]
enum ProvisionInput {
    /// Given.
    Give(SafeInt),
    /// Taken back of what is available.
    TakeBack(SafeInt),
}

impl From<ProvisionInput> for MicroCredits {
    fn from(input: ProvisionInput) -> Self {
        let amount = |SafeInt(n): SafeInt| Self(i64::try_from(n).unwrap_or(i64::MAX));
        match input {
            ProvisionInput::Give(given) => amount(given),
            ProvisionInput::TakeBack(taken) => -amount(taken),
        }
    }
}

/// Gives credits to an account, or takes some back.
#[derive(InputObject)]
struct ProvisionCreditsInput {
    /// The account.
    account_id: ID,
    /// How much.
    amount: ProvisionInput,
    /// Why: 1 to 500 characters.
    note: String,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

payload! {
    /// The wallet, or why it was not changed.
    ProvisionCreditsPayload {
        /// As it is now.
        wallet: Wallet,
    }
}

/// Mutations of credits.
#[derive(Default)]
pub struct CreditMutation;

#[Object]
impl CreditMutation {
    /// Gives credits to an account, or takes some back. For the gateway's operator.
    async fn provision_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ProvisionCreditsInput,
    ) -> Result<ProvisionCreditsPayload> {
        if !viewer(ctx)?.is_operator() {
            return Ok(Refusal::new(Code::Forbidden, "Only the gateway's operator gives credits.").into());
        }
        let account = allow!(local::<AccountId>(&input.account_id, "accountId"));
        if load(&loaders(ctx).accounts, account).await?.is_none() {
            return Ok(Refusal::not_found("account").at("accountId").into());
        }
        let change = allow!(creation_by_operator(ctx, account, "provisionCredits", input.idempotency_key)?);
        let new = NewProvision { credits: input.amount.into(), note: input.note };
        allow!(gateway(ctx).store().provision_credits(change, account, new).await.map_err(fault)?);
        Ok(ProvisionCreditsPayload { wallet: Some(wallet(ctx, account).await?), user_errors: vec![] })
    }
}

/// What an account has to deliver what was sent to it.
pub struct Purse {
    prices: credit::Prices,
    wallets: BTreeMap<AccountId, Row>,
    reached: u64,
}

impl Purse {
    /// That of an account.
    pub async fn of(ctx: &Context<'_>, account: AccountId, sent: SentAudienceId) -> Result<Self> {
        let (store, work) = (gateway(ctx).store(), WorkId(sent.0));
        let wallets = store.wallets(&[account]).await.map_err(fault)?.into_iter().collect();
        let reservations = store.credit_reservations(&[work]).await.map_err(fault)?;
        let reached = reservations.get(&work).map_or(0, |sent| sent.inputs);
        Ok(Self { prices: gateway(ctx).settings.prices, wallets, reached })
    }

    /// Refuses what it would not suffice for, were it delivered now. Nothing is reserved before it is.
    pub fn covers_delivery(&self, sent: &SentAudience) -> Result<(), Refusal> {
        let reserved = credit::of_delivery(&self.prices, DeliveryId::new(), sent, self.reached.max(1));
        credit::decide(credit::Command::Reserve(reserved), None, &self.wallets).map(drop)
    }
}
