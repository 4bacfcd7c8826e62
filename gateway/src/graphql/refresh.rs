//! The history of loading files.

use crate::{
    graphql::{
        access::gateway,
        cost::{list_size, sized, slicing_by},
        drift::Drift,
        fault::{fault, refused},
        id::global,
        page::{self, page},
        scalar::SafeInt,
        sourcing::{RowFault, RowFaultCount, RowFaultPage, fault_counts},
    },
    http::row_faults,
};
use async_graphql::{Context, Enum, ID, Object, Result};
use chrono::{DateTime, Utc};
use entente_store::{Refresh as Row, RefreshStatus as Status};

/// Where a refresh is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Status")]
pub enum RefreshStatus {
    /// The file is being read.
    Running,
    /// Its rows have replaced what was there.
    Succeeded,
    /// What was there stays.
    Failed,
    /// Something is not as it was; what was there stays until that is accepted.
    Drifted,
}

/// One time that a file was loaded.
#[derive(Clone)]
pub struct Refresh(pub Row);

page!(RefreshPage, RefreshEdge, Refresh, "refreshes");

/// One time that a file was loaded.
#[Object]
impl Refresh {
    /// The id of the job that loads or loaded it.
    async fn job_id(&self) -> ID {
        global(self.0.job)
    }

    /// Where it is.
    async fn status(&self) -> RefreshStatus {
        self.0.status.into()
    }

    /// Bytes of what was read, as it is stored: with its compression; null where that was not counted.
    async fn bytes(&self) -> Option<SafeInt> {
        self.0.bytes.map(SafeInt)
    }

    /// Rows in the file, without its header; 0 before it ended.
    async fn rows(&self) -> SafeInt {
        SafeInt(self.0.rows)
    }

    /// Rows of which at least one identity was taken; 0 before it ended.
    async fn accepted_rows(&self) -> SafeInt {
        SafeInt(self.0.accepted)
    }

    /// Distinct identities that were taken, of all match keys together; null where that was not counted.
    async fn identity_count(&self) -> Option<SafeInt> {
        self.0.identities.map(SafeInt)
    }

    /// What is not as it was: at most 100 columns, in the order in which they were, then the rows. Empty unless it drifted.
    async fn drifts(&self) -> Vec<Drift> {
        self.0.drifts.iter().map(Drift::from).collect()
    }

    /// The job that takes what there is, once `acceptDrift` or `acceptOptOutDrift` said so; null before.
    async fn accepted_by_job_id(&self) -> Option<ID> {
        self.0.accepted_by.map(global)
    }

    /// What was wrong with rows and values, the most frequent first.
    async fn faults_by_reason(&self) -> Vec<RowFaultCount> {
        fault_counts(&self.0.faults)
    }

    /// The first 1,000 of these faults, in the order of the file.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn row_faults(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RowFaultPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().row_faults(self.0.job, request).await.map_err(fault)?;
        Ok(RowFaultPage::of(page, RowFault::from))
    }

    /// Where these faults are downloaded as a CSV file with the columns `row`, `column` and `reason`: by GET, with the same
    /// `Authorization` as here. Values are not in it, since none are kept.
    async fn row_faults_url(&self, ctx: &Context<'_>) -> String {
        row_faults::url(gateway(ctx), self.0.job)
    }

    /// Why it failed or drifted: sentences without values; null when it did neither.
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
