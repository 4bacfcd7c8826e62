//! Clean-up: at the start what a crash left behind, each hour what is too old to be kept.

use super::{Fault, deliver, leftovers, load_events};
use crate::{gateway::Gateway, sources::opening};
use entente_domain::{AccountId, UploadId};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

const EVERY: Duration = Duration::from_secs(60 * 60);
/// Uploads that are looked up at once.
const AT_ONCE: usize = 500;

/// Removes what a crash left behind. To be called before the first job is leased.
pub async fn at_start(gateway: &Arc<Gateway>) -> Result<(), Fault> {
    let emptied = gateway.clone();
    tokio::task::spawn_blocking(move || emptied.identities().empty_scratch()).await.map_err(Fault::new)??;
    for account in accounts(&gateway.settings.data.join("accounts"))? {
        leftovers::remove(gateway, account, None).await?;
        load_events::remove_left_behind(gateway, account).await?;
    }
    uploads_left_behind(gateway).await?;
    too_old(gateway).await
}

/// Removes what is too old to be kept, each hour until the gateway stops.
pub async fn hourly(gateway: Arc<Gateway>) {
    loop {
        tokio::select! {
            () = gateway.stopping().cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = too_old(&gateway).await {
            tracing::error!(message = "the hourly clean-up failed", %error);
        }
        gateway.rates().forget_idle();
    }
}

async fn too_old(gateway: &Gateway) -> Result<(), Fault> {
    let (store, now) = (gateway.store(), crate::clock::now());
    store.delete_old_events(now).await?;
    store.delete_old_dead_letters(now).await?;
    store.delete_old_idempotency_keys(now).await?;
    store.delete_expired_consents(now).await?;
    store.delete_expired_sessions(now - gateway.settings.session_lifetimes().idle, now).await?;
    store.delete_expired_invitations(now).await?;
    store.delete_old_email_invites(now).await?;
    deliver::clean_up(gateway).await?;
    store.release_abandoned_credits(now).await?;
    expired_uploads(gateway).await
}

/// Removes uploads whose time is over, with their files.
pub async fn expired_uploads(gateway: &Gateway) -> Result<(), Fault> {
    let (store, now) = (gateway.store(), crate::clock::now());
    loop {
        let expired = store.expired_uploads(now).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for upload in expired {
            opening::remove(gateway, upload.id).await?;
            store.delete_upload(upload.id).await?;
        }
    }
}

/// Accounts that have files.
fn accounts(folder: &Path) -> io::Result<Vec<AccountId>> {
    Ok(entries(folder)?.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect())
}

/// Removes files that are of no upload that is known. What came of those that were cut off stays: they are gone on with.
async fn uploads_left_behind(gateway: &Gateway) -> Result<(), Fault> {
    let mut ids: Vec<UploadId> = vec![];
    for path in entries(&gateway.settings.data.join("uploads"))? {
        match path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            Some(id) => ids.push(id),
            // Earlier versions received a file in one of another name.
            None => std::fs::remove_file(path)?,
        }
    }
    for ids in ids.chunks(AT_ONCE) {
        let known = gateway.store().uploads_by_ids(ids).await?;
        for id in ids.iter().filter(|id| !known.contains_key(id)) {
            opening::remove(gateway, *id).await?;
        }
    }
    Ok(())
}

/// What a folder holds; nothing when there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn accounts_are_found_by_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(accounts(&folder.path().join("accounts")).unwrap(), []);
        let id = AccountId::new();
        std::fs::create_dir(folder.path().join(id.to_string())).unwrap();
        std::fs::create_dir(folder.path().join("lost+found")).unwrap();
        assert_eq!(accounts(folder.path()).unwrap(), [id]);
    }
}
