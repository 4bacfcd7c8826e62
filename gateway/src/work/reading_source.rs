//! Reading the parts of a source into a run, when they are others than last time.

use super::{Fault, Task, progress, reading::Reading, refresh::Unpublished};
use crate::{
    background,
    sources::{connected, csv, fetching::Fetching, fingerprint::fingerprint, mapping},
};
use entente_domain::{account::Account, credit, data_connection::DataConnection};
use entente_identity::source::{Control, Progress, SourceFault, source_parts};
use entente_source::{Part, Source, SourceError, types::SourceType};
use entente_store::RowsRead;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The longest that a source may take to list them.
const LISTING: Duration = Duration::from_secs(600);

/// Reads what a source holds into a new run of the account.
pub async fn read(task: &Task, data_connection: &DataConnection, account: &Account) -> Result<Reading, Unpublished> {
    let (gateway, id) = (&task.gateway, data_connection.id);
    let settings = gateway.store().source_settings(&[id]).await?.remove(&id).ok_or(Unpublished::Gone)?;
    let open = connected::unsealed(gateway, id, &settings.sealed).map_err(Fault::new)?;
    let source_type = data_connection.source_type.as_deref().and_then(SourceType::find);
    let gone = || SourceError::Settings("this gateway no longer has the source's type".to_owned());
    let opened = source_type.ok_or_else(gone).and_then(|of| connected::open(gateway, account.id, of, &open));
    let source = opened.map_err(|error| unread(task, &error))?;
    let parts = listed(task, &*source).await?;
    let seen = fingerprint(data_connection, &account.region, &settings.shown, &parts);
    if was_published(task, data_connection, &seen).await? {
        return Ok(Reading::Unchanged);
    }
    reserve(task, &parts).await?;
    source_run(task, data_connection, account, (source, parts), seen).await
}

/// All parts of a source, at least one.
async fn listed(task: &Task, source: &dyn Source) -> Result<Vec<Part>, Unpublished> {
    tokio::select! {
        () = task.stop.cancelled() => Err(Unpublished::Stopped),
        listed = connected::listed(source, LISTING) => listed.map_err(|error| unread(task, &error)),
    }
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
    answer.map_err(|refusal| Unpublished::Refused(refusal, RowsRead::default()))
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
    data_connection: &DataConnection,
    account: &Account,
    (source, parts): (Arc<dyn Source>, Vec<Part>),
    seen: String,
) -> Result<Reading, Unpublished> {
    let gateway = task.gateway.clone();
    let plan = mapping::source_plan(&data_connection.mapping, &account.region);
    // Each attempt has a run of its own, so that none finds half of another.
    let run = uuid::Uuid::now_v7().to_string();
    let folder = gateway.identities().runs(account.id);
    let out = folder.join(&run);
    let (said, heard) = watch::channel(Value::Null);
    let mut tell = telling(said, task, bytes(&parts));
    let scratch = gateway.identities().scratch()?;
    let mut fetching = Fetching::begin(source, parts, gateway.settings.source_limit, &scratch, task.stop.clone());
    let reading = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        source_parts(&mut fetching, &plan, &scratch, &gateway.identities().index_secret(), &out, &mut tell)
    });
    match progress::follow(task, heard, reading).await.map_err(Fault::new)? {
        Ok(sourced) => Ok(Reading::Run { run, sourced, seen: Some(seen) }),
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        Err(SourceFault::Io(error)) if error.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => {
            Err(unread(task, &error.into()))
        }
        Err(fault) => Err(match csv::refusal(&fault) {
            Some(refusal) => Unpublished::Refused(refusal, RowsRead::default()),
            None => Fault::new(fault).into(),
        }),
    }
}

/// Says how far reading is. Bytes are those that are stored, of which compression makes more.
fn telling(said: watch::Sender<Value>, task: &Task, total_bytes: u64) -> impl FnMut(Progress) -> Control + use<> {
    let stop = task.stop.clone();
    move |Progress { rows, bytes }| {
        said.send_replace(json!({ "rows": rows, "bytes": bytes.min(total_bytes), "total_bytes": total_bytes }));
        if stop.is_cancelled() { Control::Cancel } else { Control::Continue }
    }
}

/// What comes of what a source said: what may work later is tried again.
fn unread(task: &Task, error: &SourceError) -> Unpublished {
    if error.is_retried() && !task.is_last_attempt() {
        tracing::info!(message = "a source is read again later", job = %task.job.id, kind = error.kind());
        return Fault::new(format!("the source could not be read: {}", error.kind())).into();
    }
    Unpublished::Refused(connected::refusal(error), RowsRead::default())
}
