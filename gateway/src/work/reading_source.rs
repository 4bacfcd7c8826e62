//! Reading the parts of a source, when they are others than last time.

use super::{
    Fault, Task,
    attempt::Unpublished,
    progress::{self, OfFiles},
};
use crate::{
    background,
    sources::{
        connected, csv,
        fetching::{Fetching, OnBytes},
        fingerprint::fingerprint,
    },
};
use entente_domain::{account::Account, credit};
use entente_identity::{
    random_access::RandomAccess,
    source::{Control, Parts, Progress, SourceFault},
};
use entente_source::{Part, Source, SourceError, types::SourceType};
use entente_store::{RowsRead, SourceId};
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;

/// The longest that a source may take to list them.
const LISTING: Duration = Duration::from_secs(600);

/// A source with the parts that there are, at least one.
pub struct Listed {
    source: Arc<dyn Source>,
    parts: Vec<Part>,
    /// Stands for the parts in their versions, where they are, and how they are read.
    pub seen: String,
}

impl Listed {
    /// Bytes of all parts, as they are stored.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |bytes, part| bytes.saturating_add(part.size))
    }
}

/// Lists the parts of a source of an account; `None` where there are none. `read_as` says how they are read.
pub async fn list(
    task: &Task,
    (id, account): (SourceId, &Account),
    source_type: Option<&str>,
    read_as: &str,
) -> Result<Option<Listed>, Unpublished> {
    let gateway = &task.gateway;
    let settings = gateway.store().source_settings(&[id]).await?.remove(&id).ok_or(Unpublished::Gone)?;
    let open = connected::unsealed(gateway, id, &settings.sealed).map_err(Fault::new)?;
    let gone = || SourceError::Settings("this gateway no longer has the source's type".to_owned());
    let found = source_type.and_then(SourceType::find).ok_or_else(gone);
    let opened = found.and_then(|of| connected::open(gateway, account.id, of, &open));
    let source = opened.map_err(|error| unread(task, &error))?;
    let listed = tokio::select! {
        () = task.stop.cancelled() => return Err(Unpublished::Stopped),
        listed = connected::listed(&*source, LISTING) => listed,
    };
    let parts = match listed {
        Ok(parts) => parts,
        Err(SourceError::NoParts) => return Ok(None),
        Err(error) => return Err(unread(task, &error)),
    };
    let seen = fingerprint([&format!("{source_type:?}"), read_as, &account.region], &settings.shown, &parts);
    Ok(Some(Listed { source, parts, seen }))
}

/// Reserves the credits of reading so much, unless an attempt before has done so.
pub async fn reserve(task: &Task, listed: &Listed) -> Result<(), Unpublished> {
    let gateway = &task.gateway;
    let reserved = credit::of_refresh(&gateway.settings.prices, task.job.account, task.job.id, listed.bytes());
    let answer = gateway.store().reserve_credits(reserved, crate::clock::now()).await?;
    answer.map_err(|refusal| Unpublished::refused(refusal, RowsRead::default()))
}

/// Reads all parts by work on a thread that may block, which is given them one after the other, a folder for what does not
/// fit in memory, and what it tells how far it is.
pub async fn read_all<T, E, F>(task: &Task, listed: Listed, work: F) -> Result<Result<T, E>, Unpublished>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(&mut Parts<'_>, &Path, &mut dyn FnMut(Progress) -> Control) -> Result<T, E> + Send + 'static,
{
    let gateway = &task.gateway;
    let (said, heard) = watch::channel(Value::Null);
    let (total_bytes, sizes) = (listed.bytes(), listed.parts.iter().map(|part| part.size).collect::<Vec<_>>());
    let so_far = Arc::new(OfFiles::new(said, task.stop.clone(), total_bytes));
    let scratch = gateway.identities().scratch()?;
    let came = so_far.clone();
    let fetched: OnBytes = Arc::new(move |bytes| came.fetched(bytes));
    let limit = gateway.settings.source_limit;
    let fetching = Fetching::begin(listed.source, listed.parts, limit, &scratch, (task.stop.clone(), fetched));
    let reading = background::run(move || {
        let mut parts = fetching.zip(sizes).map(|(file, stored)| -> Result<Arc<dyn RandomAccess>, SourceFault> {
            let file = file?;
            so_far.next(stored, file.size()?);
            Ok(file)
        });
        work(&mut parts, &scratch, &mut |progress| so_far.read(progress))
    });
    match progress::follow(task, heard, reading).await.map_err(Fault::new)? {
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        read => Ok(read),
    }
}

/// What comes of a fault while so many bytes of a source were read.
pub fn faulty(task: &Task, fault: SourceFault, bytes: u64) -> Unpublished {
    match csv::refusal(&fault) {
        Some(refusal) => Unpublished::refused(refusal, RowsRead { bytes: Some(bytes), ..RowsRead::default() }),
        None => match fault {
            SourceFault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => {
                unread(task, &error.into())
            }
            fault => Fault::new(fault).into(),
        },
    }
}

/// What comes of what a source said: what may work later is tried again.
pub fn unread(task: &Task, error: &SourceError) -> Unpublished {
    if error.is_retried() && !task.is_last_attempt() {
        tracing::info!(message = "a source is read again later", job = %task.job.id, kind = error.kind());
        return Fault::new(format!("the source could not be read: {}", error.kind())).into();
    }
    Unpublished::refused(connected::refusal(error), RowsRead::default())
}
