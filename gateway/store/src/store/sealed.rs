//! What is sealed under the gateway's key.

use super::{Database, Store, read, write};
use crate::{StoreError, VisitSealed};
use async_recursion::async_recursion as boxed;
use std::collections::HashMap;

impl Store {
    /// The id of the key that everything is sealed under; `None` before the first start.
    #[boxed]
    pub async fn gateway_key(&self) -> Result<Option<String>, StoreError> {
        read!(self, |conn| queries::sealed::key(conn))
    }

    /// The gateway's own secrets by name, sealed under the key with this id; at the first start `first` become them. From
    /// then on this store writes nothing once the key is another.
    ///
    /// # Errors
    /// [`StoreError::AnotherKey`] when everything is sealed under another key; nothing is changed then.
    #[boxed]
    pub async fn gateway_secrets(
        &self,
        key: &str,
        first: Vec<(String, Vec<u8>)>,
    ) -> Result<HashMap<String, Vec<u8>>, StoreError> {
        let held = key.to_owned();
        let secrets = write!(self, |conn| queries::sealed::gateway_secrets(conn, held, first))?;
        match &self.database {
            Database::Sqlite(database) => database.seal_under(key.to_owned()),
            Database::Postgres(database) => database.seal_under(key.to_owned()),
        }
        Ok(secrets)
    }

    /// Looks at every sealed value and replaces none; answers how many there are.
    ///
    /// # Errors
    /// [`StoreError::Unopened`] names the first that `visit` cannot open.
    #[boxed]
    pub async fn visit_sealed(&self, mut visit: VisitSealed) -> Result<u64, StoreError> {
        let visit: VisitSealed = Box::new(move |sealed, value| visit(sealed, value).map(|_| None));
        read!(self, |conn| queries::sealed::visit(conn, visit))
    }

    /// Replaces every sealed value, and the key that they are sealed under, in one transaction that waits for those that
    /// write and keeps others from beginning; answers how many values there are.
    ///
    /// # Errors
    /// [`StoreError::AnotherKey`] when they are not sealed under `from`, [`StoreError::Unopened`] when one cannot be
    /// opened; nothing is changed then.
    #[boxed]
    pub async fn reseal(&self, from: &str, to: &str, visit: VisitSealed) -> Result<u64, StoreError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        write!(self, |conn| queries::sealed::reseal(conn, from, to, visit))
    }
}
