//! Deliveries through the plugin's C table into temporary folders.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use entente_destination::caller::CallError;
use entente_destination::files::Manifest;
use entente_destination::rows::{Change, Row, batch};
use entente_destination::testkit::{TakenRow, Trouble, World, deliver, delivered, plugin, sample_rows};
use entente_destination::{Delivery, DestinationError, Operator};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::LandingZone;

struct Zone {
    root: TempDir,
    settings: Value,
}

impl Zone {
    fn new(format: &str, encoding: &str) -> Self {
        let settings = json!({"folder": "audiences/luma", "format": format, "identifier_encoding": encoding});
        Self { root: tempfile::tempdir().unwrap(), settings }
    }

    fn delivery_folder(&self) -> PathBuf {
        self.root.path().join("audiences/luma/0190f3c4-trial/1")
    }

    fn manifest(&self) -> Manifest {
        serde_json::from_slice(&fs::read(self.delivery_folder().join("manifest.json")).unwrap()).unwrap()
    }
}

impl World for Zone {
    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn operator(&self) -> Operator {
        Operator { local_root: Some(self.root.path().to_owned()), ..Operator::default() }
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(delivered(&contents(&self.delivery_folder()))?.1)
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    list(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

mod contract_of_parquet_with_hex {
    entente_destination::contract_tests!(crate::LandingZone, super::Zone::new("parquet", "hex"));
}

mod contract_of_parquet_with_base64 {
    entente_destination::contract_tests!(crate::LandingZone, super::Zone::new("parquet", "base64"));
}

mod contract_of_csv_with_hex {
    entente_destination::contract_tests!(crate::LandingZone, super::Zone::new("csv", "hex"));
}

mod contract_of_csv_with_base64 {
    entente_destination::contract_tests!(crate::LandingZone, super::Zone::new("csv", "base64"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_split_at_all(count in 0_usize..200, split in prop::collection::vec(0_usize..80, 0..6)) {
        for trouble in Trouble::ALL {
            deliver::<LandingZone, _>(&Zone::new("csv", "hex"), &sample_rows(count), &split, trouble).unwrap();
        }
    }
}

#[test]
fn after_crashes_the_files_are_the_very_same() {
    let left_by = |trouble| {
        let zone = Zone::new("parquet", "hex");
        deliver::<LandingZone, _>(&zone, &sample_rows(500), &[200, 100], trouble).unwrap();
        contents(&zone.delivery_folder())
    };
    let undisturbed = left_by(Trouble::None);
    assert_eq!(
        undisturbed.keys().collect::<Vec<_>>(),
        ["manifest.json", "part-00001.parquet", "part-00002.parquet", "part-00003.parquet"]
    );
    assert_eq!(left_by(Trouble::EveryBatchAgain), undisturbed);
    assert_eq!(left_by(Trouble::CrashAfterEveryBatch), undisturbed);
}

#[test]
fn the_manifest_says_what_was_delivered() {
    let mut zone = Zone::new("csv", "hex");
    zone.settings["match_key_names"] = json!({"hashed_email": "EMAIL"});
    deliver::<LandingZone, _>(&zone, &[], &[], Trouble::None).unwrap();
    let manifest = zone.manifest();
    assert_eq!((manifest.activation.as_str(), manifest.generation.as_str()), ("0190f3c4-trial", "1"));
    assert_eq!(
        (manifest.name.as_str(), manifest.match_keys),
        ("Spring shoes", vec!["EMAIL".into(), "hashed_phone".into()])
    );
    assert_eq!((manifest.added, manifest.removed, manifest.files.len()), (0, 0, 0));
}

fn delivery(activation: &str) -> Delivery {
    Delivery { activation: activation.to_owned(), generation: "1".to_owned(), ..Delivery::default() }
}

fn config_error<T>(result: Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Destination(DestinationError::Config(_))))
}

#[test]
fn check_leaves_nothing_but_the_folder() {
    let zone = Zone::new("csv", "hex");
    let plugin = plugin::<LandingZone>().unwrap();
    plugin.check(&zone.settings(), &zone.operator()).unwrap();
    assert_eq!(list(&zone.root.path().join("audiences/luma")), Vec::<String>::new());
    assert!(config_error(plugin.check(&zone.settings(), &Operator::default())), "no root, no landing zone");
    let missing = Operator { local_root: Some(zone.root.path().join("missing")), ..Operator::default() };
    assert!(config_error(plugin.check(&zone.settings(), &missing)));
}

#[test]
fn nothing_is_ever_written_outside_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let zone = Zone::new("csv", "hex");
    std::os::unix::fs::symlink(outside.path(), zone.root.path().join("link")).unwrap();
    let plugin = plugin::<LandingZone>().unwrap();
    let absolute = outside.path().to_str().unwrap();
    for folder in ["..", "../x", "a/../../x", absolute, "link", "link/x", "", "."] {
        let settings = json!({"folder": folder});
        assert!(config_error(plugin.check(&settings, &zone.operator())), "{folder}");
        assert!(config_error(plugin.open(&settings, &zone.operator(), &delivery("a")).map(drop)), "{folder}");
    }
    for activation in ["..", ".", "", "a/b", "a\0", &"x".repeat(101)] {
        assert!(plugin.open(&zone.settings(), &zone.operator(), &delivery(activation)).is_err(), "{activation}");
    }
    assert_eq!(list(outside.path()), Vec::<String>::new());
    assert_eq!(list(zone.root.path()), ["link"]);
}

#[test]
fn a_folder_swapped_for_a_link_is_noticed() {
    let outside = tempfile::tempdir().unwrap();
    let zone = Zone::new("csv", "hex");
    let plugin = plugin::<LandingZone>().unwrap();
    plugin.check(&zone.settings(), &zone.operator()).unwrap();
    let folder = zone.root.path().join("audiences/luma");
    fs::remove_dir(&folder).unwrap();
    std::os::unix::fs::symlink(outside.path(), &folder).unwrap();
    assert!(config_error(plugin.open(&zone.settings(), &zone.operator(), &delivery("a")).map(drop)));
}

#[test]
fn a_lost_part_is_not_papered_over() {
    let zone = Zone::new("csv", "hex");
    let plugin = plugin::<LandingZone>().unwrap();
    let rows = batch([Row { match_key: "idfa", identity: &[1; 32], change: Change::Added }]).unwrap();
    let mut session = plugin.open(&zone.settings(), &zone.operator(), &delivery("0190f3c4-trial")).unwrap();
    session.write(1, "k-1", &rows).unwrap();
    session.write(2, "k-2", &rows).unwrap();
    fs::remove_file(zone.delivery_folder().join("part-00001.csv")).unwrap();
    let error = session.finish().unwrap_err();
    assert_eq!(error.to_string(), "part 1 of the delivery is no longer there");
    assert!(!zone.delivery_folder().join("manifest.json").exists());
}

#[test]
fn a_complete_delivery_stays_as_it_is() {
    let zone = Zone::new("csv", "hex");
    deliver::<LandingZone, _>(&zone, &sample_rows(10), &[], Trouble::None).unwrap();
    let plugin = plugin::<LandingZone>().unwrap();
    let rows = batch([Row { match_key: "idfa", identity: &[1; 32], change: Change::Added }]).unwrap();
    let mut session = plugin.open(&zone.settings(), &zone.operator(), &delivery("0190f3c4-trial")).unwrap();
    assert!(matches!(session.write(1, "k-1", &rows), Err(CallError::Destination(DestinationError::Permanent(_)))));
    assert_eq!(zone.taken().unwrap().len(), 10);
}
