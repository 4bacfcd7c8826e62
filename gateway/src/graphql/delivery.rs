//! Deliveries: runs of an activation, as its receiver sees them.

use crate::{
    graphql::{
        access::gateway,
        cost::{list_size, sized, slicing_by},
        fault::{fault, refused},
        id::global,
        page::{self, page},
        scalar::SafeInt,
    },
    http::rejected_rows,
};
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_store::{Delivery as Row, DeliveryStatus as DomainDeliveryStatus, RejectedRow as RejectedRowRow};

/// Where a delivery is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainDeliveryStatus")]
pub enum DeliveryStatus {
    /// Batches are being written, wait to be written again, or are held back because the activation is paused.
    Running,
    /// All of it was taken.
    Delivered,
    /// Too few people matched; nothing was delivered.
    SkippedBelowThreshold,
    /// The destination refused for good, or access ended.
    Failed,
    /// Its receiver cancelled the activation before all of it was taken. What was delivered stays.
    Cancelled,
}

/// A row that a destination did not take. Its value is not kept.
#[derive(Clone, SimpleObject)]
pub struct RejectedRow {
    /// Its number in the delivery.
    row: SafeInt,
    /// The destination's code.
    code: String,
    /// The destination's reason.
    reason: String,
}

page!(RejectedRowPage, RejectedRowEdge, RejectedRow, "rejected rows");

impl From<RejectedRowRow> for RejectedRow {
    fn from(row: RejectedRowRow) -> Self {
        Self { row: SafeInt(row.row), code: row.code, reason: row.reason }
    }
}

/// One run of an activation.
#[derive(Clone)]
pub struct Delivery(pub Row);

page!(DeliveryPage, DeliveryEdge, Delivery, "deliveries");

/// One run of an activation.
#[Object]
impl Delivery {
    /// Opaque.
    async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Where it is.
    async fn status(&self) -> DeliveryStatus {
        self.0.status.into()
    }

    /// Identities that were added at the destination.
    async fn added(&self) -> SafeInt {
        SafeInt(self.0.added)
    }

    /// Identities that were removed at the destination.
    async fn removed(&self) -> SafeInt {
        SafeInt(self.0.removed)
    }

    /// Identities that the destination did not take.
    async fn rejected(&self) -> SafeInt {
        SafeInt(self.0.rejected)
    }

    /// Matched identities that were not delivered because no crosswalk links them with the key that is delivered; null when
    /// they are delivered by the key that they match by, and before they were looked up.
    async fn without_link(&self) -> Option<SafeInt> {
        self.0.without_link.map(SafeInt)
    }

    /// Which rows the destination did not take, with its reasons; those that are kept.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn rejected_rows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RejectedRowPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().rejected_rows(self.0.id, request).await.map_err(fault)?;
        Ok(RejectedRowPage::of(page, RejectedRow::from))
    }

    /// Where the rows that the destination did not take are downloaded as a CSV file with the columns `row`, `code` and
    /// `reason`: by GET, with the same `Authorization` as here. Identifiers are not in it, since none are kept.
    async fn rejected_rows_url(&self, ctx: &Context<'_>) -> String {
        rejected_rows::url(gateway(ctx), self.0.id)
    }

    /// Why it failed, as the destination or the gateway says it; null when it did not.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// When it began.
    async fn started_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    /// When it ended; null before.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }
}
