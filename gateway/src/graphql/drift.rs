//! What a refresh found that is not as it was, and accepting that.

use crate::{
    graphql::{
        access::{authorise, change, gateway},
        data_connection::{DataConnection, about_data_connection, reserved},
        fault::{allow, fault, payload},
        id::local,
        job::Job,
    },
    work::refresh,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use entente_domain::{
    DataConnectionId, JobId,
    access::Act,
    data_connection,
    drift::{self, Drift as Found},
    event::Subject,
};
use entente_store::{LoadedDrift, Outcome, RefreshStatus};

/// What is not as it was.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum DriftKind {
    /// There are no rows.
    Empty,
    /// A column is no longer there.
    ColumnVanished,
    /// Where a column was, there is another one that was not there.
    ColumnChanged,
    /// The values of a column are of another type.
    TypeChanged,
    /// More than half of the rows are gone.
    RowsDropped,
}

/// Something that is not as it was.
#[derive(Clone, SimpleObject)]
pub struct Drift {
    /// What.
    kind: DriftKind,
    /// The name of the column that was there; null where it is about all rows.
    column: Option<String>,
    /// What was there: the name of the column, its type or the number of rows; null where there are no rows.
    before: Option<String>,
    /// What is there; null where there is nothing.
    now: Option<String>,
    /// A sentence that says so.
    message: String,
}

impl From<&Found> for Drift {
    fn from(found: &Found) -> Self {
        let (kind, column, before, now) = match found {
            Found::Empty => (DriftKind::Empty, None, None, None),
            Found::ColumnVanished { column } => (DriftKind::ColumnVanished, Some(column), Some(column.clone()), None),
            Found::ColumnChanged { before, now } => {
                (DriftKind::ColumnChanged, Some(before), Some(before.clone()), Some(now.clone()))
            }
            Found::TypeChanged { column, before, now } => {
                (DriftKind::TypeChanged, Some(column), Some(before.clone()), Some(now.clone()))
            }
            Found::RowsDropped { before, now } => {
                (DriftKind::RowsDropped, None, Some(before.to_string()), Some(now.to_string()))
            }
        };
        Self { kind, column: column.cloned(), before, now, message: found.to_string() }
    }
}

/// Accepts what a refresh found that is not as it was.
#[derive(InputObject)]
struct AcceptDriftInput {
    /// The account that acts.
    account_id: ID,
    /// The data connection.
    data_connection_id: ID,
    /// The `jobId` of the refresh that drifted: the last one that did.
    job_id: ID,
}

payload! {
    /// The data connection and the job that takes what there is, or why it is not taken.
    AcceptDriftPayload {
        /// As it is now.
        data_connection: DataConnection,
        /// Takes it; `jobProgress` says how far it is.
        job: Job,
    }
}

/// Mutations of drifts.
#[derive(Default)]
pub struct DriftMutation;

#[Object]
impl DriftMutation {
    /// Takes what a refresh found that drifted, by a job that reads it again: from the same upload, or from the source. Where
    /// that is not as it was found either, the job drifts as well. A column that the mapping names has to be there:
    /// change the mapping first. For ADMIN and MANAGER.
    async fn accept_drift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: AcceptDriftInput,
    ) -> Result<AcceptDriftPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<DataConnectionId>(&input.data_connection_id, "dataConnectionId"));
        let drifted = allow!(local::<JobId>(&input.job_id, "jobId"));
        let change = change(ctx, authorised, "acceptDrift", Some(Subject::DataConnection(id)))?;
        let (at, account, store) = (change.now, authorised.account, gateway(ctx).store());
        let found = store.refresh(drifted).await.map_err(fault)?;
        let own = found.filter(|found| found.account == account && found.status == RefreshStatus::Drifted);
        let upload = own.and_then(|found| found.upload);
        let job = refresh::accepting(refresh::job(account, id, upload, at), drifted);
        let job_id = job.id;
        let reserved = reserved(ctx, account, upload, job_id).await?;
        let rule = move |loaded: &LoadedDrift| {
            drift::accept(&loaded.drifted, &loaded.data_connection.mapping).map_err(|refusal| refusal.at("jobId"))?;
            let next = data_connection::sourced_again(&loaded.data_connection, at);
            Ok(reserved.into_iter().fold(Outcome::of(next).job(job), Outcome::credits))
        };
        let accepted = store.accept_drift(change, id, (drifted, job_id), Box::new(rule)).await;
        let accepted = allow!(accepted.map_err(fault)?.map_err(about_data_connection));
        let job = store.job(job_id).await.map_err(fault)?.map(Job);
        Ok(AcceptDriftPayload { data_connection: Some(DataConnection(accepted)), job, user_errors: vec![] })
    }
}
