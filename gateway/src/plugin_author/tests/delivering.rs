//! Deliveries from files, through crashes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use entente_destination::Operator;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::destinations::{Lines, in_process};
use crate::destinations::delivery::DeliveryError;
use crate::plugin_author::run::{Ended, Trial};

/// A folder with a file of rows, the state of its delivery, and what arrived.
struct Place(TempDir);

impl Place {
    /// With so many rows, of which the second is the first one that differs.
    fn new(rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = |row: usize| format!("idfa,{}\n", hex::encode([(row % 251) as u8; 32]));
        let csv: String = std::iter::once("match_key,identity_hex\n".to_owned()).chain((0..rows).map(line)).collect();
        fs::write(folder.path().join("rows.csv"), csv).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn trial(&self, mode: &str) -> Trial {
        Trial {
            settings: json!({"mode": mode}),
            operator: Operator { local_root: Some(self.0.path().to_owned()), ..Operator::default() },
            name: "Trial".to_owned(),
            rows: self.path("rows.csv"),
            rejected: Some(self.path("rejected.csv")),
        }
    }

    async fn deliver(&self, mode: &str, cancel: &CancellationToken) -> Result<Ended, String> {
        let launcher = in_process::<Lines>();
        self.trial(mode).deliver(&launcher, &self.path("state"), cancel).await.map_err(|error| error.to_string())
    }

    async fn deliver_all(&self, mode: &str) -> Ended {
        self.deliver(mode, &CancellationToken::new()).await.unwrap()
    }
}

#[tokio::test]
async fn all_rows_arrive_and_rejected_ones_are_listed() {
    let place = Place::new(65_540);
    let ended = place.deliver_all("reject").await;
    assert!(ended.failure.is_none(), "{ended:?}");
    assert_eq!((ended.rows, ended.batches, ended.summary.accepted), (65_540, 2, 65_538));
    assert_eq!(ended.summary.rejected["NO"], 2);
    assert_eq!(place.read("taken").lines().map(str::len).sum::<usize>(), 2 * 65_540);
    let reason = "NO,\"no, \"\"never\"\"\"";
    assert_eq!(place.read("rejected.csv"), format!("row,code,reason\n2,{reason}\n65538,{reason}\n"));
    assert!(place.path("finished").exists() && !place.path("state/rows.arrow").exists());
}

#[tokio::test]
async fn what_is_answered_later_counts() {
    let place = Place::new(65_540);
    let ended = place.deliver_all("later").await;
    assert_eq!((ended.summary.accepted, ended.summary.rejected["NO"]), (65_538, 2));
    assert_eq!(place.read("rejected.csv"), "row,code,reason\n1,NO,too late\n65537,NO,too late\n");
}

#[tokio::test]
async fn a_delivery_goes_on_where_it_was() {
    let place = Place::new(65_540);
    let ended = place.deliver_all("payload at 2").await;
    assert!(matches!(ended.failure, Some(DeliveryError::Destination(_))), "{ended:?}");
    assert_eq!((ended.batches, ended.summary.accepted), (1, 65_536));
    let ended = place.deliver_all("").await;
    assert!(ended.failure.is_none(), "{ended:?}");
    assert_eq!((ended.batches, ended.summary.accepted), (2, 65_540), "both runs together");
    assert_eq!(place.read("taken").lines().count(), 2);
    let again = place.deliver("", &CancellationToken::new()).await.unwrap_err();
    assert!(again.contains("that has ended"), "{again}");
}

#[tokio::test]
async fn other_rows_and_other_files_are_not_gone_on_with() {
    let place = Place::new(65_540);
    place.deliver_all("payload at 2").await;
    let rows = place.read("rows.csv");
    fs::write(place.path("rows.csv"), rows.replace("01010", "01011")).unwrap();
    let refused = place.deliver("", &CancellationToken::new()).await.unwrap_err();
    assert!(refused.contains("of other rows"), "{refused}");
    for damaged in ["", "{", "{}", "null"] {
        fs::write(place.path("state/delivery.json"), damaged).unwrap();
        let refused = place.deliver("", &CancellationToken::new()).await.unwrap_err();
        assert!(refused.contains("is no state of a delivery"), "{refused}");
    }
}

#[tokio::test]
async fn a_folder_is_used_by_one_delivery_at_a_time() {
    let place = Place::new(1);
    fs::create_dir(place.path("state")).unwrap();
    let lock = fs::File::create(place.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let refused = place.deliver("", &CancellationToken::new()).await.unwrap_err();
    assert!(refused.contains("is under way"), "{refused}");
}

#[tokio::test]
async fn nobody_else_may_read_the_state() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(65_540);
    place.deliver_all("payload at 2").await;
    for (name, mode) in [("", 0o700), ("delivery.json", 0o600), ("rows.arrow", 0o600), ("answers/1.json", 0o600)] {
        let found = fs::metadata(place.path("state").join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
}

#[tokio::test]
async fn a_cancelled_delivery_is_over() {
    let place = Place::new(65_540);
    let cancel = CancellationToken::new();
    place.deliver_all("payload at 2").await;
    cancel.cancel();
    let ended = place.deliver("", &cancel).await.unwrap();
    assert!(matches!(ended.failure, Some(DeliveryError::Cancelled)), "{ended:?}");
    let again = place.deliver("", &CancellationToken::new()).await.unwrap_err();
    assert!(again.contains("that has ended"), "{again}");
}
