//! The same delivery without a process: the second implementation behind the registry.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use arrow_array::RecordBatch;
use entente_destination::rows::Rows;
use entente_destination::testkit::plugin;
use entente_destination::{Delivery, Destination, DestinationError, Operator, Written};
use serde_json::Map;

use super::fixture::{Place, policy, workers};
use super::ledger::Ledger;
use crate::destinations::allow_list::AllowList;
use crate::destinations::delivery::Stop;
use crate::destinations::in_process::InProcess;
use crate::destinations::registry::Registry;

static SHELF: LazyLock<Mutex<BTreeMap<String, usize>>> = LazyLock::new(Mutex::default);

struct Shelf;

impl Destination for Shelf {
    const ID: &'static str = "shelf";
    const NAME: &'static str = "Shelf";
    const SUMMARY: &'static str = "Counts rows in memory.";
    const VERSION: &'static str = "1";
    const FOLDER: bool = true;
    type Settings = Map<String, serde_json::Value>;

    async fn check(settings: Self::Settings, _: Operator) -> Result<(), DestinationError> {
        match settings.get("mode").and_then(|mode| mode.as_str()) {
            Some("config") => Err(DestinationError::Config("not so".to_owned())),
            _ => Ok(()),
        }
    }

    async fn open(_: Self::Settings, _: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Ok(Self)
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let count = Rows::read(&rows)?.iter().count();
        SHELF.lock().unwrap().insert(key.to_owned(), count);
        Ok(Written { accepted: count as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_registry_delivers_in_process() {
    let registry = Registry::new(Vec::new(), AllowList::new("/does/not/exist"), workers());
    let launcher = Arc::new(InProcess(plugin::<Shelf>().unwrap()));
    assert_eq!(registry.add_in_process(launcher).await.unwrap(), "shelf");
    registry.refresh().await.unwrap();
    assert_eq!(registry.types().len(), 1, "looking for plugins does not lose it");

    let (place, mut ledger) = (Place::new(3, 7), Ledger::default());
    let operator = Operator::default();
    assert!(registry.check("shelf", &Place::settings(""), &operator).await.is_ok());
    assert!(registry.check("shelf", &Place::settings("config"), &operator).await.is_err());
    assert!(registry.check("other", &Place::settings(""), &operator).await.is_err());
    let delivered = registry.deliver("shelf", &place.order(""), &mut ledger, policy(), &Stop::default()).await.unwrap();
    assert_eq!((delivered.batches, delivered.accepted), (3, 21));
    assert_eq!(SHELF.lock().unwrap().values().sum::<usize>(), 21);
    ledger.assert_complete(3);
}
