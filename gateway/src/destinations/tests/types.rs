//! What the registry finds.

use std::fs;

use chrono::Utc;
use entente_destination::{Operator, Reaches};

use super::fixture::{Place, compile, plugin_file, policy, reaches, workers};
use super::ledger::Ledger;
use crate::destinations::allow_list::AllowList;
use crate::destinations::contract::WorkerFault;
use crate::destinations::delivery::{DeliveryError, Stop};
use crate::destinations::registry::{Registry, RegistryError};

#[tokio::test]
async fn only_what_is_allowed_is_a_type() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libfixture.so");
    fs::copy(plugin_file().file, &file).unwrap();
    fs::write(folder.path().join("libtext.so"), "text").unwrap();
    fs::write(folder.path().join("readme.txt"), "text").unwrap();
    let list = AllowList::new(folder.path().join("allowed.toml"));
    let registry = Registry::new(vec![folder.path().to_owned()], list.clone(), workers());

    let found = registry.refresh().await.unwrap();
    assert_eq!((found.types.len(), found.not_allowed.len(), found.unusable.len()), (0, 2, 0));
    assert!(registry.describe("fixture").is_none());

    list.allow(&file, reaches(), Utc::now()).unwrap();
    list.allow(&folder.path().join("libtext.so"), reaches(), Utc::now()).unwrap();
    let found = registry.refresh().await.unwrap();
    assert_eq!((found.types.as_slice(), found.not_allowed.len()), (["fixture".to_owned()].as_slice(), 0));
    assert_eq!(found.unusable.len(), 1);
    assert_eq!(registry.describe("fixture").unwrap().name, "Fixture");
    let operator = Operator { local_root: Some(folder.path().join("made/for/it")), ..Operator::default() };
    registry.check("fixture", &mut Place::settings(""), &operator).await.unwrap();
    assert!(folder.path().join("made/for/it").is_dir());
    let refused = registry.check("fixture", &mut Place::settings("auth"), &operator).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Worker(_)), "{refused}");

    fs::remove_file(&file).unwrap();
    registry.refresh().await.unwrap();
    assert!(registry.types().is_empty());
}

#[tokio::test]
async fn a_plugin_reaches_what_it_says_and_was_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let list = AllowList::new(folder.path().join("allowed.toml"));
    let registry = Registry::new(vec![folder.path().to_owned()], list.clone(), workers());
    let operator = Operator { local_root: Some(folder.path().join("made/for/it")), ..Operator::default() };
    let nothing = Reaches::default();
    let files_only = Reaches { folder: true, hosts: vec![] };
    let hosts_only = Reaches { folder: false, hosts: vec!["*".to_owned()] };
    for (says, told) in [
        (&nothing, "a folder 0, its files 0, this machine: HOST"),
        (&files_only, "a folder 1, its files 1, this machine: HOST"),
        (&hosts_only, "a folder 0, its files 0, this machine: NETWORK"),
    ] {
        let flag = format!("-DREACHES={:?}", serde_json::to_string(says).unwrap());
        let file = compile(folder.path(), "fixture.c", "libfixture.so", &[&flag]);
        list.allow(&file, says.clone(), Utc::now()).unwrap();
        assert_eq!(registry.refresh().await.unwrap().unusable, []);
        let refused = registry.check("fixture", &mut Place::settings("reaches"), &operator).await.unwrap_err();
        assert_eq!(refused.to_string(), told);
        assert_eq!(folder.path().join("made").exists(), says.folder);
        let _ = fs::remove_dir_all(folder.path().join("made"));

        // Had it said less when it was allowed, it could not be used.
        list.allow(&file, nothing.clone(), Utc::now()).unwrap();
        assert_eq!(registry.refresh().await.unwrap().types.len(), usize::from(*says == nothing));
    }
}

#[tokio::test]
async fn a_file_that_was_swapped_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libfixture.so");
    fs::copy(plugin_file().file, &file).unwrap();
    let list = AllowList::new(folder.path().join("allowed.toml"));
    list.allow(&file, reaches(), Utc::now()).unwrap();
    let registry = Registry::new(vec![folder.path().to_owned()], list, workers());
    registry.refresh().await.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let (place, mut ledger) = (Place::new(1, 1), Ledger::default());
    let outcome = registry.deliver("fixture", &place.order(""), &mut ledger, policy(), &Stop::default()).await;
    assert!(matches!(outcome, Err(DeliveryError::Fault(WorkerFault::Unusable(_)))));
    assert!(ledger.acknowledged.is_empty());
}
