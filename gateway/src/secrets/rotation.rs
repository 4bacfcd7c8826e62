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
