//! Reading the parts of a source into a run, when they are others than last time.

use super::{
    Fault, Task,
    comparing::{Comparison, Unfit},
    progress::{self, OfFiles},
    reading::{Reading, reading},
    refresh::Unpublished,
};
use crate::{
    background,
    sources::{
        connected,
        fetching::{Fetching, OnBytes},
        fingerprint::fingerprint,
        mapping,
    },
};
use entente_domain::{account::Account, credit, data_connection::DataConnection, drift::Shape};
use entente_identity::{
    random_access::RandomAccess,
    source::{SourceFault, columns, source_parts},
};
use entente_source::{Part, Source, SourceError, types::SourceType};
use entente_store::RowsRead;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The longest that a source may take to list them.
const LISTING: Duration = Duration::from_secs(600);

/// Reads what a source holds into a new run of the account.
pub async fn read(
    task: &Task,
    (data_connection, account): (&DataConnection, &Account),
    comparison: Comparison,
) -> Result<Reading, Unpublished> {
    let (gateway, id) = (&task.gateway, data_connection.id);
    let settings = gateway.store().source_settings(&[id]).await?.remove(&id).ok_or(Unpublished::Gone)?;
    let open = connected::unsealed(gateway, id, &settings.sealed).map_err(Fault::new)?;
    let source_type = data_connection.source_type.as_deref().and_then(SourceType::find);
    let gone = || SourceError::Settings("this gateway no longer has the source's type".to_owned());
    let opened = source_type.ok_or_else(gone).and_then(|of| connected::open(gateway, account.id, of, &open));
    let source = opened.map_err(|error| unread(task, &error))?;
    let parts = match listed(task, &*source).await? {
        Ok(parts) => parts,
        Err(error) => return nothing(task, &comparison, &error),
    };
    let seen = fingerprint(data_connection, &account.region, &settings.shown, &parts);
    if was_published(task, data_connection, &seen).await? {
        return Ok(Reading::Unchanged);
    }
    reserve(task, &parts).await?;
    source_run(task, (data_connection, account), (source, parts), seen, comparison).await
}

/// All parts of a source, at least one.
async fn listed(task: &Task, source: &dyn Source) -> Result<Result<Vec<Part>, SourceError>, Unpublished> {
    tokio::select! {
        () = task.stop.cancelled() => Err(Unpublished::Stopped),
        listed = connected::listed(source, LISTING) => Ok(listed),
    }
}

/// There are no parts: where there were some, that is not as it was.
fn nothing(task: &Task, comparison: &Comparison, error: &SourceError) -> Result<Reading, Unpublished> {
    if matches!(error, SourceError::NoParts)
        && let Unfit::Drifted(drifted) = comparison.empty(Shape::nothing(), SourceFault::Empty)
    {
        return Ok(Reading::Drifted(drifted));
    }
    Err(unread(task, error))
}

/// Bytes of parts, as they are stored.
fn bytes(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |bytes, part| bytes.saturating_add(part.size))
}

/// Reserves the credits of reading so much, unless an attempt before has done so.
async fn reserve(task: &Task, parts: &[Part]) -> Result<(), Unpublished> {
    let gateway = &task.gateway;
    let reserved = credit::of_refresh(&gateway.settings.prices, task.job.account, task.job.id, bytes(parts));
    let answer = gateway.store().reserve_credits(reserved, crate::clock::now()).await?;
    answer.map_err(|refusal| Unpublished::refused(refusal, RowsRead::default()))
}

/// Whether the last good refresh read the same.
async fn was_published(task: &Task, data_connection: &DataConnection, seen: &str) -> Result<bool, Fault> {
    let store = task.gateway.store();
    if store.source_seen(data_connection.id).await?.as_deref() != Some(seen) {
        return Ok(false);
    }
    let runs = store.runs(data_connection.account).await?;
    Ok(runs.iter().any(|run| run.data_connection == data_connection.id))
}

async fn source_run(
    task: &Task,
    (data_connection, account): (&DataConnection, &Account),
    (source, parts): (Arc<dyn Source>, Vec<Part>),
    seen: String,
    comparison: Comparison,
) -> Result<Reading, Unpublished> {
    let gateway = task.gateway.clone();
    let plan = mapping::source_plan(&data_connection.mapping, &account.region);
    // Each attempt has a run of its own, so that none finds half of another.
    let run = uuid::Uuid::now_v7().to_string();
    let folder = gateway.identities().runs(account.id);
    let out = folder.join(&run);
    let (said, heard) = watch::channel(Value::Null);
    let (total_bytes, sizes) = (bytes(&parts), parts.iter().map(|part| part.size).collect::<Vec<_>>());
    let so_far = Arc::new(OfFiles::new(said, task.stop.clone(), total_bytes));
    let scratch = gateway.identities().scratch()?;
    let came = so_far.clone();
    let fetched: OnBytes = Arc::new(move |bytes| came.fetched(bytes));
    let limit = gateway.settings.source_limit;
    let mut fetching = Fetching::begin(source, parts, limit, &scratch, (task.stop.clone(), fetched));
    let filling = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        let first = fetching.next().ok_or(SourceFault::Empty)??;
        let found = columns(&first, &plan);
        let files = std::iter::once(Ok(first)).chain(fetching).zip(sizes);
        let mut parts = files.map(|(file, stored)| -> Result<Arc<dyn RandomAccess>, SourceFault> {
            let file = file?;
            so_far.next(stored, file.size()?);
            Ok(file)
        });
        let secret = gateway.identities().index_secret();
        let mut tell = |progress| so_far.read(progress);
        comparison.read(found, || source_parts(&mut parts, &plan, &scratch, &secret, &out, &mut tell))
    });
    match progress::follow(task, heard, filling).await.map_err(Fault::new)? {
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        read => reading((run, total_bytes, Some(seen)), read, |fault| match fault {
            SourceFault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => {
                unread(task, &error.into())
            }
            fault => Fault::new(fault).into(),
        }),
    }
}

/// What comes of what a source said: what may work later is tried again.
fn unread(task: &Task, error: &SourceError) -> Unpublished {
    if error.is_retried() && !task.is_last_attempt() {
        tracing::info!(message = "a source is read again later", job = %task.job.id, kind = error.kind());
        return Fault::new(format!("the source could not be read: {}", error.kind())).into();
    }
    Unpublished::refused(connected::refusal(error), RowsRead::default())
}
