//! The gateway's key: where it comes from, that it belongs to one database, and that it can be rotated at any moment.

use crate::{
    coins::Pair,
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form},
    stories::Party,
};
use serde_json::json;
use std::{path::PathBuf, process::Stdio, time::Instant};

fn key_file(gateway: &Gateway) -> PathBuf {
    gateway.data().join("secrets").join("gateway.key")
}

fn next_file(gateway: &Gateway) -> PathBuf {
    gateway.data().join("secrets").join("gateway.key.next")
}

fn key_of(gateway: &Gateway) -> String {
    std::fs::read_to_string(key_file(gateway)).unwrap().trim().to_owned()
}

/// Runs a command that has to succeed, and never shows a key.
fn done(gateway: &Gateway, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (succeeded, said) = gateway.run(arguments, environment);
    assert!(succeeded, "{said}");
    shows_no_key(gateway, &said, environment);
    said
}

/// Runs a command that has to fail, and never shows a key.
fn refused(gateway: &Gateway, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (succeeded, said) = gateway.run(arguments, environment);
    assert!(!succeeded, "{said}");
    shows_no_key(gateway, &said, environment);
    said
}

fn shows_no_key(gateway: &Gateway, said: &str, environment: &[(&str, &str)]) {
    let in_file = std::fs::read_to_string(key_file(gateway)).unwrap_or_default();
    let keys = environment.iter().map(|(_, value)| *value).chain([in_file.trim()]);
    for key in keys.filter(|key| key.len() > 20 && !key.starts_with('/')) {
        assert!(!said.contains(&key[..20]), "it shows a key: {said}");
    }
}

const CHECK: &[&str] = &["key", "check"];
const ROTATE: &[&str] = &["key", "rotate"];

on_both_databases! {
    /// Answers, connect codes, destinations, uploads and their addresses are the same; the old key opens nothing.
    async fn after_a_rotation_all_is_as_before(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let pair = Pair::create(&gateway).await;
        let (before, code) = (pair.answers().await, pair.luma.connect_code().await);
        let destination = pair.tv_tube.create_destination().await;
        let sent = pair.luma.send(&pair.project, &pair.luma.audiences().await["Running"], &[]).await;
        let sent = sent["sentAudience"]["id"].as_str().unwrap().to_owned();
        let waiting = pair.luma.upload(people::customers(0..12_000, Form::Hashed, people::luma)).await;
        let address = |url: &str| url.split_once("/uploads/").unwrap().1.to_owned();
        let query = "query($id: ID!) { node(id: $id) { ... on Upload { url } } }";
        let upload = pair.luma.client.query(query, json!({ "id": waiting })).await;
        gateway.stop();

        let old = key_of(&gateway);
        let said = done(&gateway, ROTATE, &[]);
        assert!(said.contains("secrets anew"), "{said}");
        assert_ne!(key_of(&gateway), old);
        assert!(!next_file(&gateway).exists());
        assert!(done(&gateway, CHECK, &[]).contains("opens all"));
        let with_old = refused(&gateway, CHECK, &[("ENTENTE_GATEWAY_KEY", &old)]);
        assert!(with_old.contains("is sealed under the gateway key"), "{with_old}");
        refused(&gateway, &["serve"], &[("ENTENTE_GATEWAY_KEY", &old)]);

        gateway.start_again();
        let pair = pair.at(&gateway);
        assert_eq!(pair.answers().await, before);
        assert_eq!(pair.luma.connect_code().await, code);
        let activation = pair.tv_tube.activate(&sent, &destination).await;
        assert_eq!(activation["status"], "DELIVERED", "{activation}");
        let again = pair.luma.client.query(query, json!({ "id": waiting })).await;
        assert_eq!(address(again["node"]["url"].as_str().unwrap()), address(upload["node"]["url"].as_str().unwrap()));
        let document = "mutation($input: RefreshDataConnectionInput!) { refreshDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": pair.luma.account, "dataConnectionId": pair.luma_source, "uploadId": waiting,
        });
        let job = pair.luma.client.mutate(document, input).await["job"]["id"].as_str().unwrap().to_owned();
        assert_eq!(pair.luma.job(&job).await["state"], "DONE");
        assert_eq!(pair.answers().await, before, "what is sourced now lands on the same index keys");
    }
}

on_both_databases! {
    /// A gateway that runs while the key is rotated writes nothing under the old one, says so and ends.
    async fn a_running_gateway_stops_when_its_key_is_rotated(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let code = luma.connect_code().await;
        done(&gateway, ROTATE, &[]);
        assert!(!gateway.ended(), "a supervisor starts it again");
        assert!(gateway.log().contains("it was rotated"), "{}", gateway.log());
        gateway.start_again();
        assert_eq!(luma.at(&gateway).connect_code().await, code);
    }
}

on_both_databases! {
    /// Whatever moment a rotation dies at, the next start, check or rotation finds a key that opens the database.
    async fn a_rotation_that_is_killed_leaves_a_working_installation(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let code = luma.connect_code().await;
        gateway.stop();
        let started = Instant::now();
        done(&gateway, ROTATE, &[]);
        let whole = started.elapsed();

        let (moments, mut killed, mut rotated) = (24, 0, 0);
        for moment in 0..moments {
            let before = key_of(&gateway);
            let mut process = gateway.command().args(ROTATE).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole * moment / moments);
            let _too_late = process.kill();
            killed += u32::from(!process.wait().unwrap().success());
            done(&gateway, CHECK, &[]);
            rotated += u32::from(key_of(&gateway) != before);
        }
        assert!(killed > moments / 4, "only {killed} were killed, {rotated} rotated");
        gateway.start_again();
        assert_eq!(luma.at(&gateway).connect_code().await, code);
        gateway.stop();

        // Killed after the database was sealed anew, before the files followed: the start finishes it.
        done(&gateway, CHECK, &[]);
        let _ = std::fs::remove_file(next_file(&gateway));
        let old = key_of(&gateway);
        done(&gateway, ROTATE, &[]);
        let new = key_of(&gateway);
        std::fs::write(next_file(&gateway), &new).unwrap();
        std::fs::write(key_file(&gateway), &old).unwrap();
        gateway.start_again();
        assert_eq!(luma.at(&gateway).connect_code().await, code);
        assert_eq!((key_of(&gateway), next_file(&gateway).exists()), (new.clone(), false));
        gateway.stop();
        std::fs::write(next_file(&gateway), &new).unwrap();
        std::fs::write(key_file(&gateway), &old).unwrap();
        assert!(done(&gateway, ROTATE, &[]).contains("finished"));
        assert_eq!(key_of(&gateway), new);

        // Killed before it was sealed anew: the start takes the present key, and the next rotation leads where this one was to.
        let next = "5e".repeat(32);
        std::fs::write(next_file(&gateway), &next).unwrap();
        gateway.start_again();
        assert_eq!(luma.at(&gateway).connect_code().await, code);
        assert_eq!(key_of(&gateway), new);
        gateway.stop();
        done(&gateway, ROTATE, &[]);
        assert_eq!((key_of(&gateway), next_file(&gateway).exists()), (next, false));
    }
}

on_both_databases! {
    /// Another key, none, or what is no key: refused, and nothing is changed.
    async fn a_wrong_key_is_refused(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        gateway.stop();
        let right = key_of(&gateway);
        for (key, reason) in [
            ("ab".repeat(32), "is sealed under the gateway key"),
            ("ab".repeat(31), "does not hold a gateway key"),
            (String::new(), "does not hold a gateway key"),
        ] {
            for command in [&["serve"][..], CHECK, ROTATE] {
                std::fs::write(key_file(&gateway), &key).unwrap();
                let said = refused(&gateway, command, &[]);
                assert!(said.contains(reason) && said.contains("gateway.key"), "{said}");
                assert_eq!(key_of(&gateway), key);
                std::fs::write(key_file(&gateway), &right).unwrap();
                let said = refused(&gateway, command, &[("ENTENTE_GATEWAY_KEY", &key), ("ENTENTE_NEW_GATEWAY_KEY", &key)]);
                assert!(said.contains(reason) && said.contains("ENTENTE_GATEWAY_KEY"), "{said}");
                assert_eq!(key_of(&gateway), right);
            }
        }
        let not_there = gateway.data().join("elsewhere.key");
        let elsewhere = ("ENTENTE_GATEWAY_KEY_FILE", not_there.to_str().unwrap());
        for command in [&["serve"][..], CHECK, ROTATE] {
            let said = refused(&gateway, command, &[elsewhere]);
            assert!(said.contains("there is no") && said.contains("elsewhere.key"), "{said}");
        }
        assert!(!not_there.exists(), "no other key is made");
        done(&gateway, CHECK, &[]);
        let wrong = [("ENTENTE_GATEWAY_KEY", &*"cd".repeat(32)), ("ENTENTE_NEW_GATEWAY_KEY", &*"ab".repeat(32))];
        refused(&gateway, ROTATE, &wrong);
        gateway.start_again();
    }
}

on_both_databases! {
    /// A key in the environment takes precedence and makes no file; rotated, it is the operator's to change.
    async fn a_key_may_come_from_the_environment(kind: Kind) {
        let (old, new) = ("0f".repeat(32), "Hx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8=");
        let options = Options { settings: vec![("ENTENTE_GATEWAY_KEY", old.clone())] };
        let mut gateway = Gateway::start_with(kind, options).await;
        Party::create(&gateway, "Luma", "ADVERTISER").await;
        gateway.stop();
        assert!(!gateway.data().join("secrets").exists());
        assert!(done(&gateway, CHECK, &[]).contains("opens all 4 secrets"));
        assert!(refused(&gateway, ROTATE, &[]).contains("ENTENTE_NEW_GATEWAY_KEY"));
        let to_new = ("ENTENTE_NEW_GATEWAY_KEY", new);
        assert!(done(&gateway, ROTATE, &[to_new]).contains("Sealed 4 secrets anew"));
        assert!(done(&gateway, ROTATE, &[to_new]).contains("finished"), "it may be repeated");
        refused(&gateway, CHECK, &[]);
        done(&gateway, CHECK, &[("ENTENTE_GATEWAY_KEY", new)]);

        let file = gateway.data().join("third.key");
        std::fs::write(&file, [0xa7; 32]).unwrap();
        let arguments = ["key", "rotate", "--new-key", file.to_str().unwrap()];
        done(&gateway, &arguments, &[("ENTENTE_GATEWAY_KEY", new)]);
        done(&gateway, CHECK, &[("ENTENTE_GATEWAY_KEY", &"a7".repeat(32))]);
        assert!(!gateway.data().join("secrets").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_about_the_key_make_no_database() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let elsewhere = gateway.data().join("none.db");
    for command in [CHECK, ROTATE] {
        let said = refused(&gateway, command, &[("DATABASE_URL", elsewhere.to_str().unwrap())]);
        assert!(said.contains("there is no"), "{said}");
    }
    assert!(!elsewhere.exists());
}
