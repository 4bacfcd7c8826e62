//! The table of states over the API: any sequence of commands, any actor, and two at once.

use crate::harness::{Client, Gateway, Kind, on_both_databases};
use crate::stories::{Party, settings};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

const COMMANDS: [&str; 7] = [
    "acceptInvite",
    "proposeSettings",
    "acceptSettings",
    "rejectSettings",
    "withdrawConnection",
    "declineConnection",
    "deleteConnection",
];

/// Where a command leads, by the table of the product's specification.
fn expected(state: &str, owner: bool, command: &str) -> Option<&'static str> {
    let waiting = ["INVITED", "CONFIGURING", "PROPOSED", "REJECTED"].contains(&state);
    match (command, owner) {
        ("acceptInvite", false) if state == "INVITED" => Some("CONFIGURING"),
        ("proposeSettings", true) if ["CONFIGURING", "REJECTED"].contains(&state) => Some("PROPOSED"),
        ("acceptSettings", false) if state == "PROPOSED" => Some("ACTIVE"),
        ("rejectSettings", false) if state == "PROPOSED" => Some("REJECTED"),
        ("withdrawConnection", true) if waiting => Some("WITHDRAWN"),
        ("declineConnection", false) if waiting => Some("DECLINED"),
        ("deleteConnection", _) if state == "ACTIVE" => Some("DELETED"),
        _ => None,
    }
}

async fn press(party: &Party, connection: &str, command: &str, version: i64) -> Value {
    let (ty, field) = match command {
        "proposeSettings" => ("ProposeSettingsInput", "connection { state }"),
        "acceptSettings" => ("AcceptSettingsInput", "connection { state }"),
        "rejectSettings" => ("RejectSettingsInput", "connection { state }"),
        "deleteConnection" => ("ConnectionInput", "deletedConnectionId"),
        _ => ("ConnectionInput", "connection { state }"),
    };
    let document =
        format!("mutation($input: {ty}!) {{ {command}(input: $input) {{ {field} userErrors {{ code }} }} }}");
    let mut input = json!({ "accountId": party.account, "connectionId": connection });
    match command {
        "proposeSettings" => input["settings"] = settings("RECIPIENT"),
        "acceptSettings" => input["settingsVersion"] = json!(version),
        "rejectSettings" => {
            input["settingsVersion"] = json!(version);
            input["reason"] = json!("Without phones, please.");
        }
        _ => {}
    }
    party.client.press(&document, input).await
}

async fn state(party: &Party, connection: &str) -> (String, i64) {
    let query = "query($a: ID!, $c: ID!) { connection(accountId: $a, id: $c) {
        state settings { version } proposedSettings { version } } }";
    let data = party.client.query(query, json!({ "a": party.account, "c": connection })).await;
    let connection = &data["connection"];
    let version = connection["proposedSettings"]["version"].as_i64().unwrap_or(0);
    (connection["state"].as_str().unwrap().to_owned(), version)
}

on_both_databases! {
    /// Sequences are drawn by proptest with a fixed seed; each runs on a connection of its own.
    async fn any_sequence_of_commands_keeps_to_the_table(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let config = Config::default();
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let stranger = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let presses = prop::collection::vec((0usize..7, 0usize..5), 4..14);
        for _ in 0..6 {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let connection = luma.invite(&tv_tube).await;
            let mut before = "INVITED".to_owned();
            for (command, actor) in presses.new_tree(&mut runner).unwrap().current() {
                let command = COMMANDS[command];
                let (party, owner) = match actor {
                    0 => (&stranger, None),
                    1 | 2 => (&luma, Some(true)),
                    _ => (&tv_tube, Some(false)),
                };
                let (_, version) = state(&luma, &connection).await;
                let payload = press(party, &connection, command, version).await;
                let (after, _) = state(&luma, &connection).await;
                match owner.and_then(|owner| expected(&before, owner, command)) {
                    Some(to) => {
                        assert_eq!(payload["userErrors"], json!([]), "{command} in {before}");
                        assert_eq!(after, to, "{command} in {before}");
                    }
                    None => {
                        let code = payload["userErrors"][0]["code"].as_str().unwrap();
                        assert_eq!(code == "NOT_FOUND", owner.is_none(), "{command} in {before}: {code}");
                        assert_eq!(after, before, "{command} was refused and changed the state");
                    }
                }
                before = after;
            }
        }
    }
}

on_both_databases! {
    /// Two presses at once: one wins, the other gets a typed refusal.
    async fn of_two_presses_one_wins(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        for round in 0..8 {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let connection = luma.invite(&tv_tube).await;
            let (one, other) = match round % 2 {
                0 => tokio::join!(
                    press(&tv_tube, &connection, "acceptInvite", 0),
                    press(&tv_tube, &connection, "acceptInvite", 0)
                ),
                _ => tokio::join!(
                    press(&luma, &connection, "withdrawConnection", 0),
                    press(&tv_tube, &connection, "declineConnection", 0)
                ),
            };
            let refusals: Vec<_> = [&one, &other].iter().filter_map(|p| p["userErrors"][0]["code"].as_str()).collect();
            assert_eq!(refusals.len(), 1, "{one} {other}");
            assert!(["WRONG_STATE", "CONFLICT"].contains(&refusals[0]), "{refusals:?}");
        }
    }
}

on_both_databases! {
    /// Invites that cross: one live connection a pair.
    async fn of_crossing_invites_one_wins(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        for _ in 0..5 {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
            let (luma_code, fit_code) = (luma.connect_code().await, fit.connect_code().await);
            let invite = |client: Client, account: String, code: String| async move {
                let input = json!({ "accountId": account, "invitee": { "connectCode": code } });
                client.press(crate::stories::INVITE, input).await
            };
            let (one, other) = tokio::join!(
                invite(luma.client.clone(), luma.account.clone(), fit_code.clone()),
                invite(fit.client.clone(), fit.account.clone(), luma_code)
            );
            let codes: Vec<_> = [&one, &other].iter().filter_map(|p| p["userErrors"][0]["code"].as_str()).collect();
            assert_eq!(codes, ["CONNECTION_EXISTS"], "{one} {other}");
            let again = luma.client.refused(
                crate::stories::INVITE,
                json!({ "accountId": luma.account, "invitee": { "connectCode": fit_code } }),
            ).await;
            assert_eq!(again, "CONNECTION_EXISTS");
        }
    }
}
