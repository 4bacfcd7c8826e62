//! Events: durable, in order, once.

use crate::{
    harness::{Gateway, Kind, Socket, on_both_databases},
    stories::{Party, settings},
};
use futures::StreamExt;
use serde_json::{Value, json};

const EVENTS: &str = "subscription($a: ID!, $after: String) { connectionEvents(accountId: $a, after: $after) {
    cursor kind connection { id state standing(accountId: $a) } } }";

fn event(payload: &Value) -> (String, String) {
    let event = &payload["data"]["connectionEvents"];
    let text = |field: &str| event[field].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned();
    (text("kind"), text("cursor"))
}

on_both_databases! {
    /// A subscriber drops its socket in the middle and goes on from its last cursor.
    async fn a_reconnect_misses_nothing_and_repeats_nothing(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let variables = json!({ "a": tv_tube.account });
        let mut socket = Socket::subscribe(&gateway.url, &tv_tube.client.token, EVENTS, variables).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let connection = luma.invite(&tv_tube).await;
        let (first, cursor) = event(&socket.next().await.unwrap());
        assert_eq!(first, "INVITED");
        drop(socket);

        tv_tube.accept_invite(&connection).await;
        let version = luma.propose(&connection, settings("RECIPIENT")).await;
        let variables = json!({ "a": tv_tube.account, "after": cursor });
        let mut socket = Socket::subscribe(&gateway.url, &tv_tube.client.token, EVENTS, variables).await;
        assert_eq!(event(&socket.next().await.unwrap()).0, "INVITE_ACCEPTED");
        assert_eq!(event(&socket.next().await.unwrap()).0, "SETTINGS_PROPOSED");
        tv_tube.accept_settings(&connection, version).await;
        let last = socket.next().await.unwrap();
        assert_eq!(event(&last).0, "SETTINGS_ACCEPTED");
        assert_eq!(last["data"]["connectionEvents"]["connection"]["state"], "ACTIVE");
    }
}

on_both_databases! {
    /// The other side reads the same events, as they look from there; a restart of the gateway loses none.
    async fn events_survive_a_restart_and_reach_both_sides(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.connect(&tv_tube, "RECIPIENT").await;
        gateway.kill();
        gateway.start_again();
        for party in [&luma, &tv_tube] {
            let start = json!({ "a": party.account, "after": "ZTA" });
            let mut socket = Socket::subscribe(&gateway.url, &party.client.token, EVENTS, start).await;
            for kind in ["INVITED", "INVITE_ACCEPTED", "SETTINGS_PROPOSED", "SETTINGS_ACCEPTED"] {
                assert_eq!(event(&socket.next().await.unwrap()).0, kind);
            }
        }
    }
}

on_both_databases! {
    /// The same over server-sent events.
    async fn server_sent_events_carry_the_same(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.invite(&tv_tube).await;
        let body = json!({ "query": EVENTS, "variables": { "a": luma.account, "after": "ZTA" } });
        let request = luma.client.http().post(format!("{}/graphql", gateway.url)).bearer_auth(&luma.client.token);
        let response = request.header("accept", "text/event-stream").json(&body).send().await.unwrap();
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        let mut stream = response.bytes_stream();
        let mut text = String::new();
        while !text.contains("INVITED") {
            text += std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap();
        }
        assert!(text.contains("event: next") && text.contains("INVITE_SENT"), "{text}");
    }
}

on_both_databases! {
    /// A cursor that is none, one from the future, somebody else's account: refused, and nothing is told.
    async fn bad_cursors_and_accounts_of_others_are_refused(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        for after in ["", "x", "ZTk5OTk5", "ZS01"] {
            let variables = json!({ "a": luma.account, "after": after });
            let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, EVENTS, variables).await;
            let answer = socket.next().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID", "{after}: {answer}");
        }
        for account in [&tv_tube.account, "QWNjb3VudDowMDAwMDAwMDAwMDA3MDAwODAwMDAwMDAwMDAwMDAwMA"] {
            let variables = json!({ "a": account });
            let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, EVENTS, variables).await;
            let answer = socket.next().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
        }
    }
}

on_both_databases! {
    /// A cursor older than what is kept says so; the oldest that is not goes on from there.
    async fn a_cursor_that_is_too_old_is_expired(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.connect(&tv_tube, "RECIPIENT").await;
        gateway.database().execute(gateway.data(), "DELETE FROM events WHERE number <= 2");
        for (after, expired) in [("ZTA", true), ("ZTE", true), ("ZTI", false), ("ZTM", false)] {
            let variables = json!({ "a": luma.account, "after": after });
            let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, EVENTS, variables).await;
            let answer = socket.next().await.unwrap();
            if !expired {
                assert!(answer.get("errors").is_none(), "{after}: {answer}");
                continue;
            }
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "CURSOR_EXPIRED", "{after}: {answer}");
            assert!(error["message"].as_str().unwrap().ends_with("subscribe without `after`."), "{error}");
            assert_eq!(socket.next().await, None);
        }
    }
}

async fn answers(gateway: &Gateway) -> u64 {
    let metrics = gateway.anonymous().get("/metrics").await.text().await.unwrap();
    let line = metrics.lines().find(|l| l.starts_with("entente_subscription_answers_total"));
    line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

on_both_databases! {
    /// Who may see the same and asks the same is answered together, whatever its cursor and its key; who may not, or asks
    /// something else, is not.
    async fn an_event_is_answered_once_for_all_who_ask_the_same(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.invite(&tv_tube).await;
        let admin = luma.api_key(json!({ "role": "ADMIN" })).await.1;
        let analyst = luma.api_key(json!({ "role": "ANALYST" })).await.1;
        let other_document = EVENTS.replace("cursor", "at cursor");
        let asking = [(&luma.client, EVENTS, 20), (&admin, EVENTS, 20), (&analyst, EVENTS, 5), (&admin, &other_document, 5)];
        let mut groups = vec![];
        for (client, document, count) in asking {
            let mut sockets = vec![];
            for n in 0..count {
                let after = (n % 2 == 0).then_some("ZTA");
                let variables = json!({ "a": luma.account, "after": after });
                let mut socket = Socket::subscribe(&gateway.url, &client.token, document, variables).await;
                if after.is_some() {
                    assert_eq!(event(&socket.next().await.unwrap()).0, "INVITED");
                }
                sockets.push(socket);
            }
            groups.push(sockets);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let before = answers(&gateway).await;
        tv_tube.accept_invite(&connection).await;
        for sockets in &mut groups {
            let mut payloads = vec![];
            for socket in sockets {
                payloads.push(socket.next().await.unwrap());
                assert_eq!(event(payloads.last().unwrap()).0, "INVITE_ACCEPTED");
            }
            assert!(payloads.windows(2).all(|pair| pair[0] == pair[1]), "{payloads:?}");
        }
        assert_eq!(answers(&gateway).await - before, 3, "documents and roles, not subscribers");
    }
}

on_both_databases! {
    /// What a key is limited to holds for what it follows: by the same document it shares no answer with who may see more.
    async fn a_service_key_shares_nothing_with_an_admin(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.invite(&tv_tube).await;
        let service = json!({ "role": "ADMIN", "purpose": "SERVICE" });
        let services = [luma.api_key(service.clone()).await.1, luma.api_key(service).await.1];
        // No event leads to what only an ADMIN may read; over the same socket it is asked for by a query.
        let members = "query($a: ID!) { account(id: $a) { members { totalCount } } }";
        let mut followers = vec![];
        for (client, forbidden) in [(&luma.client, false), (&services[0], true), (&services[1], true)] {
            let mut socket = Socket::sign_in(&gateway.url, &client.token).await;
            socket.ask(members, json!({ "a": luma.account })).await;
            let answer = socket.next().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", forbidden, "{answer}");
            assert_eq!(answer["data"]["account"]["members"]["totalCount"] == 1, !forbidden, "{answer}");
            assert_eq!(socket.next().await, None);
            socket.ask(EVENTS, json!({ "a": luma.account, "after": "ZTA" })).await;
            assert_eq!(event(&socket.next().await.unwrap()).0, "INVITED");
            followers.push(socket);
        }
        let before = answers(&gateway).await;
        tv_tube.accept_invite(&connection).await;
        for socket in &mut followers {
            assert_eq!(event(&socket.next().await.unwrap()).0, "INVITE_ACCEPTED");
        }
        assert_eq!(answers(&gateway).await - before, 2, "one for the ADMIN, one for both keys");
    }
}
