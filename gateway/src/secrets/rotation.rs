//! Rotating the gateway's key: everything in the database is sealed under another one, in one transaction.
//!
//! The next key is kept beside the present one before anything is sealed under it, and takes its place afterwards, so that
//! one of the two files opens the database at any moment. Whoever comes after a rotation that was killed, a gateway or
//! another rotation, finishes it.

use super::{
    key::GatewayKey,
    key_file::KeyFile,
    key_place::{KeyError, KeyPlace},
    purpose,
};
use entente_store::{Sealed, Store, Unopened};

/// What a rotation did.
#[derive(Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Everything is sealed under another key.
    Resealed {
        /// Id of the key before.
        from: String,
        /// Id of the key now.
        to: String,
        /// How many secrets were sealed anew.
        secrets: u64,
    },
    /// Everything was sealed under it already, by a rotation that was interrupted.
    Finished {
        /// Id of the key now.
        key: String,
    },
}

/// Rotates the key, to `new` where one is given. A file gets the new key; the environment is for the operator to change.
///
/// # Errors
/// Nothing is changed then, or the rotation is finished the next time.
pub async fn rotate(place: &KeyPlace, store: &Store, new: Option<GatewayKey>) -> Result<Rotation, KeyError> {
    let held = store.gateway_key().await?.ok_or(KeyError::NoSecrets)?;
    match place {
        KeyPlace::File(file) => in_file(file, store, new).await,
        KeyPlace::Environment(_) => {
            let new = new.ok_or(KeyError::NewKeyMissing)?;
            if new.id() == held {
                return Ok(Rotation::Finished { key: held });
            }
            reseal(store, place.key(Some(&held))?, new).await
        }
    }
}

async fn in_file(file: &KeyFile, store: &Store, new: Option<GatewayKey>) -> Result<Rotation, KeyError> {
    let _lock = file.try_lock()?;
    let held = store.gateway_key().await?.ok_or(KeyError::NoSecrets)?;
    let was_begun = file.finish(&held)?;
    let present = file.present(&held)?;
    if new.as_ref().map_or(was_begun, |new| new.id() == held) {
        return Ok(Rotation::Finished { key: held });
    }
    let next = match new {
        Some(new) => new,
        None => file.next()?.unwrap_or_else(GatewayKey::random),
    };
    file.put_next(&next)?;
    let rotation = reseal(store, present, next).await?;
    file.take_next()?;
    Ok(rotation)
}

async fn reseal(store: &Store, present: GatewayKey, next: GatewayKey) -> Result<Rotation, KeyError> {
    let (from, to) = (present.id(), next.id());
    let visit = move |sealed: &Sealed, value: &[u8]| {
        let purpose = purpose::of(sealed);
        let plain = present.open_sealed(&purpose, value).map_err(|_| Unopened)?;
        next.seal(&purpose, &plain).map(Some).map_err(|_| Unopened)
    };
    let secrets = store.reseal(&from, &to, Box::new(visit)).await?;
    Ok(Rotation::Resealed { from, to, secrets })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::secrets::{Secrets, check};
    use std::{os::unix::fs::PermissionsExt, path::Path};

    async fn store(folder: &Path) -> Store {
        Store::open(folder.join("entente.db").to_str().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_new_key_opens_what_the_old_one_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys").join("gateway.key");
        let (place, store) = (KeyPlace::File(KeyFile::new(path.clone())), store(folder.path()).await);
        assert!(matches!(rotate(&place, &store, None).await, Err(KeyError::NoSecrets)));
        let secrets = Secrets::open(&place, &store).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let old = place.key(None).unwrap();
        let index_key = |s: &Secrets| s.index_secret().key(&entente_identity::Digest([7; 32]));

        let rotated = rotate(&place, &store, None).await.unwrap();
        let new = place.key(None).unwrap();
        assert_eq!(rotated, Rotation::Resealed { from: old.id(), to: new.id(), secrets: 2 });
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(check(&new, &store).await.unwrap(), 2);
        // The store that the old key was opened with writes nothing any longer.
        let store = self::store(folder.path()).await;
        for (name, sealed) in store.gateway_secrets(&new.id(), Vec::new()).await.unwrap() {
            assert!(old.open_sealed(&purpose::of_gateway_secret(&name), &sealed).is_err(), "{name}");
        }
        let again = Secrets::open(&place, &store).await.unwrap();
        assert_eq!(index_key(&again), index_key(&secrets), "what lasts stays");
        let upload = entente_domain::UploadId::new();
        assert_eq!(again.upload_token(upload), secrets.upload_token(upload));
    }

    #[tokio::test]
    async fn two_rotations_at_once_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("gateway.key"));
        let store = store(folder.path()).await;
        let place = KeyPlace::File(KeyFile::new(file.path().to_owned()));
        Secrets::open(&place, &store).await.unwrap();
        let lock = file.try_lock().unwrap();
        assert!(matches!(rotate(&place, &store, None).await, Err(KeyError::Busy)));
        drop(lock);
        rotate(&place, &store, None).await.unwrap();
    }

    #[test]
    fn those_who_make_a_key_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets").join("gateway.key");
        let make = || KeyFile::new(path.clone()).read_or_make().unwrap().id();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left aside");
    }
}
