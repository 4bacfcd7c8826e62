//! `entente upload`.

use super::{behind_proxy, customers, rows};
use crate::{
    harness::{Gateway, Kind, on_both_databases},
    people::Form,
    stories::Party,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::task::block_in_place;

/// Runs the command for an account; whether it succeeded, and the lines that it printed.
fn upload(gateway: &Gateway, party: &Party, file: &Path, more: &[&str]) -> (bool, Vec<String>) {
    let file = file.to_str().unwrap();
    let arguments = [&["upload", file, "--url", &*gateway.url, "--account", &*party.account][..], more].concat();
    let (succeeded, said) = block_in_place(|| gateway.run(&arguments, &[("ENTENTE_TOKEN", &party.client.token)]));
    (succeeded, said.lines().map(str::to_owned).collect())
}

/// The files of uploads, by id, and how long they are.
fn stored(gateway: &Gateway) -> Vec<(String, u64)> {
    let Ok(files) = std::fs::read_dir(gateway.data().join("uploads")) else { return Vec::new() };
    let file = |file: std::io::Result<std::fs::DirEntry>| {
        let file = file.unwrap();
        (file.file_name().into_string().unwrap(), file.metadata().unwrap().len())
    };
    files.map(file).collect()
}

on_both_databases! {
    /// A file goes up through a network that breaks off, and replaces the customers of a data connection.
    async fn a_file_goes_up_from_a_shell_and_refreshes(kind: Kind) {
        let (gateway, proxy) = behind_proxy(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (file, csv) = customers(4_000);
        let data_connection = luma.source(customers(10).1, Form::Hashed).await;
        proxy.cut([400, 20_000, 3_000, 80_001, 66_000]);
        let more = ["--data-connection", data_connection.as_str()];
        let (succeeded, said) = upload(&gateway, &luma, file.path(), &more);
        assert!(succeeded && proxy.left() == 0, "{said:?}");
        let shown = luma.shown(&said[0]).await;
        assert_eq!((&shown["used"], &shown["bytesReceived"]), (&json!(true), &json!(csv.len())), "{shown}");
        assert_eq!(said[1], format!("refreshed: {0} rows, {0} of them taken", rows(&csv)));
        // The upload is used: the same file becomes another one.
        let (succeeded, again) = upload(&gateway, &luma, file.path(), &more);
        assert!(succeeded && again[0] != said[0], "{again:?}");
    }
}

/// Killed in the middle and started again, it goes on with the same upload; what is there already is not sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_killed_goes_on_when_it_is_started_again() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(192 << 20).unwrap();
    let mut command = gateway.command();
    command.arg("upload").arg(file.path()).args(["--url", &*gateway.url, "--account", &*luma.account]);
    let mut killed = command.env("ENTENTE_TOKEN", &luma.client.token).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let first = loop {
        let stored = stored(&gateway).into_iter().find(|(_, bytes)| *bytes > 8 << 20);
        if let Some((id, _)) = stored {
            break URL_SAFE_NO_PAD.encode(format!("Upload:{}", id.replace('-', "")));
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing comes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(luma.shown(&first).await["complete"], false);
    let (succeeded, said) = upload(&gateway, &luma, file.path(), &[]);
    assert!(succeeded && said == [first.clone()], "{said:?}");
    assert_eq!(luma.shown(&first).await["complete"], true);
    let (succeeded, again) = upload(&gateway, &luma, file.path(), &[]);
    assert!(succeeded && again == said, "{again:?}");
    assert_eq!(stored(&gateway).len(), 1);
}

/// What cannot be is said, and nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_uploaded_is_said() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let (file, _) = customers(10);
    let (succeeded, said) = upload(&gateway, &luma, Path::new("/nowhere/customers.csv"), &[]);
    assert!(!succeeded && said[0].contains("/nowhere/customers.csv"), "{said:?}");
    let as_tv_tube = Party { client: tv_tube.client.clone(), ..luma.clone() };
    let (succeeded, said) = upload(&gateway, &as_tv_tube, file.path(), &[]);
    assert!(!succeeded && said[0].contains("NOT_FOUND"), "{said:?}");
    let (succeeded, said) = upload(&gateway, &luma, file.path(), &["--data-connection", "nothing"]);
    assert!(!succeeded && said[1].contains("NOT_FOUND"), "{said:?}");
    let started = Instant::now();
    let stranger = Party { client: crate::harness::Client::new(&gateway.url, "ek_none"), ..luma };
    assert!(!upload(&gateway, &stranger, file.path(), &[]).0);
    assert!(started.elapsed() < Duration::from_secs(10));
}
