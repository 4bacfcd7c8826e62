//! Versions of a destination type: which is used, and how deliveries under way end.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::Utc;
use tempfile::TempDir;

use super::fixture::{Place, compile, policy, reaches, workers};
use super::ledger::Ledger;
use crate::destinations::allow_list::AllowList;
use crate::destinations::delivery::{AckSink, Acknowledgement, Delivered, Renewal, Settlement, SinkError, Stop};
use crate::destinations::plugin::FileHash;
use crate::destinations::registry::Registry;

/// Two versions of one type in a folder, the older one allowed.
struct Shop {
    _folder: TempDir,
    old: PathBuf,
    new: PathBuf,
    list: AllowList,
    registry: Registry,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let old = compile(folder.path(), "fixture.c", "libfixture_old.so", &[]);
        let new = compile(folder.path(), "fixture.c", "libfixture_new.so", &[r#"-DVERSION="1.10""#]);
        let list = AllowList::new(folder.path().join("allowed.toml"));
        let registry = Registry::new(vec![folder.path().to_owned()], list.clone(), workers());
        let shop = Self { _folder: folder, old, new, list, registry };
        shop.allow(&shop.old).await;
        shop
    }

    async fn allow(&self, file: &Path) {
        self.list.allow(file, reaches(), Utc::now()).unwrap();
        assert!(self.registry.refresh_if_changed().await.unwrap().is_some(), "the change is noticed");
    }

    async fn disallow(&self, file: &Path) {
        self.list.disallow(FileHash::of(file).unwrap()).unwrap().unwrap();
        assert!(self.registry.refresh_if_changed().await.unwrap().is_some(), "the change is noticed");
    }

    fn version(&self) -> String {
        self.registry.describe("fixture").unwrap().version
    }

    async fn deliver(&self, place: &Place, mode: &str, sink: &mut dyn AckSink) -> Delivered {
        let stop = Stop::default();
        self.registry.deliver("fixture", &place.order(mode), sink, policy(), &stop).await.unwrap()
    }

    /// The versions that a new delivery is made by.
    async fn used(&self) -> (bool, bool) {
        let (place, mut ledger) = (Place::new(1, 3), Ledger::default());
        self.deliver(&place, "", &mut ledger).await;
        place.assert_all_taken();
        versions(&place)
    }
}

/// Whether the older and the newer version opened a delivery.
fn versions(place: &Place) -> (bool, bool) {
    (place.has(".opened-1.0-0"), place.has(".opened-1.10-0"))
}

/// What happens while a delivery runs.
enum Meanwhile {
    Allowed,
    Replaced,
    Disallowed,
}

/// A sink in whose second acknowledgement something happens.
struct Changing<'a> {
    ledger: Ledger,
    shop: &'a Shop,
    meanwhile: Meanwhile,
}

#[async_trait]
impl AckSink for Changing<'_> {
    async fn acknowledged(&mut self, acknowledgement: Acknowledgement) -> Result<(), SinkError> {
        if acknowledgement.sequence == 2 {
            self.shop.allow(&self.shop.new).await;
            match self.meanwhile {
                Meanwhile::Allowed => {}
                Meanwhile::Replaced => fs::rename(&self.shop.new, &self.shop.old).unwrap(),
                Meanwhile::Disallowed => self.shop.disallow(&self.shop.old).await,
            }
            self.shop.registry.refresh().await.unwrap();
        }
        self.ledger.acknowledged(acknowledgement).await
    }

    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError> {
        self.ledger.settled(settlement).await
    }

    async fn renewed(&mut self, renewal: Renewal) -> Result<(), SinkError> {
        self.ledger.renewed(renewal).await
    }
}

#[tokio::test]
async fn a_new_version_is_used_and_going_back_is_disallowing_it() {
    let shop = Shop::open().await;
    assert!(shop.registry.refresh_if_changed().await.unwrap().is_none(), "nothing changed");
    assert_eq!((shop.version().as_str(), shop.used().await), ("1.0", (true, false)));
    shop.allow(&shop.new).await;
    assert_eq!((shop.version().as_str(), shop.used().await), ("1.10", (false, true)));
    shop.disallow(&shop.new).await;
    assert_eq!((shop.version().as_str(), shop.used().await), ("1.0", (true, false)));
}

#[tokio::test]
async fn of_one_version_the_file_that_was_allowed_last_is_used() {
    let shop = Shop::open().await;
    let rebuilt = compile(shop.old.parent().unwrap(), "fixture.c", "liba_rebuilt.so", &["-DREBUILT", "-O1"]);
    assert_ne!(FileHash::of(&rebuilt).unwrap(), FileHash::of(&shop.old).unwrap());
    shop.allow(&rebuilt).await;
    fs::remove_file(&shop.old).unwrap();
    assert_eq!(shop.used().await, (true, false), "the file that is there, before anything was looked at again");
    shop.disallow(&rebuilt).await;
    assert!(shop.registry.describe("fixture").is_none());
}

#[tokio::test]
async fn a_delivery_ends_with_the_version_that_it_began_with() {
    for (meanwhile, by) in [
        (Meanwhile::Allowed, (true, false)),
        (Meanwhile::Replaced, (true, true)),
        (Meanwhile::Disallowed, (true, true)),
    ] {
        let (shop, place) = (Shop::open().await, Place::new(5, 20));
        let mut sink = Changing { ledger: Ledger::default(), shop: &shop, meanwhile };
        // Every batch takes its worker down, and is written again by the next.
        let delivered = shop.deliver(&place, "crash after writing", &mut sink).await;
        assert_eq!((delivered.batches, delivered.accepted), (5, place.rows()));
        sink.ledger.assert_complete(5);
        place.assert_all_taken();
        assert_eq!(versions(&place), by, "another version only where its own is gone");
        assert_eq!(
            (shop.version().as_str(), shop.used().await),
            ("1.10", (false, true)),
            "new deliveries have the new one"
        );
    }
}
