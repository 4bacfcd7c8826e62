//! Deliveries through the plugin's C table to a fake of Snowflake's SQL API, written from its documentation:
//! - requests and answers: <https://docs.snowflake.com/en/developer-guide/sql-api/reference>
//! - statements that take long, and requests that are sent again:
//!   <https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses>,
//!   <https://docs.snowflake.com/en/developer-guide/sql-api/submitting-requests>
//! - what the API cannot do (`PUT`): <https://docs.snowflake.com/en/developer-guide/sql-api/intro#limitations-of-the-sql-api>
//! - tokens: <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use entente_destination::rows::Change;
use entente_destination::testkit::{
    Fake, Recorded, Reply, Shelf, TakenRow, Trouble, check, deliver, kind, prove_refused, write,
};
use entente_destination::testkit::{World, sample_rows};
use serde_json::{Value, json};

use crate::Snowflake;
use crate::token::tests::{KEY, claims};

/// What there is in the account.
#[derive(Default)]
struct Account {
    /// The rows of each delivery's own table.
    stages: BTreeMap<String, Vec<TakenRow>>,
    executed: BTreeSet<String>,
    /// How often a merge is asked about before it is done, and how often it was.
    patience: usize,
    asked: usize,
    /// How many answers to rows get lost.
    lost: usize,
}

fn snowflake(patience: usize, lost: usize) -> Fake {
    let settings = |url: &str| {
        json!({
            "account": "myorg-account1", "user": "luma", "private_key": KEY, "role": "LOADER", "warehouse": "WH",
            "database": "DB", "schema": "PUBLIC", "table": "AUDIENCES", "stand_in": url,
        })
    };
    let mut account = Account { patience, lost, ..Account::default() };
    Fake::new(settings, move |shelf, request| account.answer(shelf, request)).unwrap()
}

fn query(request: &Recorded) -> BTreeMap<String, String> {
    let pairs = request.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn failed(code: &str) -> Reply {
    Reply::status(422).json(&json!({"code": code, "sqlState": "42S02", "message": "s3cret", "statementHandle": "h"}))
}

impl Account {
    fn answer(&mut self, shelf: &mut Shelf, request: &Recorded) -> Reply {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let claims = token.and_then(claims);
        if claims.is_none_or(|claims| claims["sub"] != "MYORG-ACCOUNT1.LUMA")
            || request.header("x-snowflake-authorization-token-type") != Some("KEYPAIR_JWT")
        {
            return Reply::status(401).json(&json!({"code": "390144", "message": "JWT token is invalid."}));
        }
        if request.method == "GET" {
            assert_eq!(request.uri.path(), "/api/v2/statements/01b2-merge");
            return self.merging();
        }
        assert_eq!((request.method.as_str(), request.uri.path()), ("POST", "/api/v2/statements"));
        let id = query(request)["requestId"].clone();
        if !self.executed.insert(id) && query(request).contains_key("retry") {
            return Reply::status(200).json(&json!({"code": "090001"}));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!([&body["database"], &body["schema"], &body["role"]], ["DB", "PUBLIC", "LOADER"]);
        self.execute(shelf, body["statement"].as_str().unwrap(), &body["bindings"])
    }

    fn execute(&mut self, shelf: &mut Shelf, statement: &str, bindings: &Value) -> Reply {
        let done = Reply::status(200).json(&json!({"code": "090001", "statementHandle": "01b2"}));
        let names: Vec<&str> = statement.split('"').skip(1).step_by(2).collect();
        match statement.split(' ').next().unwrap() {
            "SELECT" if names == ["AUDIENCES"] => {}
            "CREATE" => drop(self.stages.entry(names[0].to_owned()).or_default()),
            "DROP" => drop(self.stages.remove(names[0])),
            "INSERT" => {
                if let Some(reply) = shelf.too_many() {
                    return reply;
                }
                let Some(stage) = self.stages.get_mut(names[0]) else { return failed("002003") };
                let rows = bindings["1"]["value"].as_str().unwrap();
                stage.extend(serde_json::from_str::<Vec<[String; 3]>>(rows).unwrap().into_iter().map(row));
                if self.lost > 0 {
                    self.lost -= 1;
                    return Reply::cut();
                }
            }
            "MERGE" => {
                assert_eq!((names[0], &bindings["1"]["value"]), ("AUDIENCES", &json!("0190f3c4-trial")));
                let Some(stage) = self.stages.get(names[1]) else { return failed("002003") };
                shelf.take(stage.iter().cloned());
                return self.merging();
            }
            _ => return failed("001003"),
        }
        done
    }

    fn merging(&mut self) -> Reply {
        self.asked += 1;
        match self.asked > self.patience {
            true => Reply::status(200).json(&json!({"code": "090001", "statementHandle": "01b2-merge"})),
            false => Reply::status(202).json(&json!({"code": "333334", "statementHandle": "01b2-merge"})),
        }
    }
}

fn row([match_key, identity, change]: [String; 3]) -> TakenRow {
    let identity = hex::decode(identity).unwrap().try_into().unwrap();
    TakenRow { match_key, identity, change: if change == "added" { Change::Added } else { Change::Removed } }
}

mod contract {
    entente_destination::contract_tests!(crate::Snowflake, super::snowflake(0, 0), pauses);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::Snowflake, super::snowflake(0, 3));
}

fn statements(fake: &Fake) -> Vec<String> {
    let first = |request: &Recorded| match request.method.as_str() {
        "GET" => "ask".to_owned(),
        _ => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            body["statement"].as_str().unwrap().split(' ').next().unwrap().to_lowercase()
        }
    };
    fake.server.requests().iter().map(first).collect()
}

#[test]
fn checking_leaves_nothing_behind() {
    let fake = snowflake(0, 0);
    check::<Snowflake, _>(&fake).unwrap();
    assert_eq!(statements(&fake), ["select", "create", "drop"]);
}

#[test]
fn a_merge_that_takes_long_is_asked_for() {
    let fake = snowflake(1, 0);
    deliver::<Snowflake, _>(&fake, &sample_rows(10), &[], Trouble::None).unwrap();
    let sent = statements(&fake);
    assert_eq!(sent[3..], ["create", "insert", "merge", "ask", "drop"]);
    let merge = fake.server.requests().into_iter().nth(5).unwrap();
    assert_eq!(query(&merge)["async"], "true");
}

#[test]
fn rows_go_in_statements_of_ten_thousand() {
    let fake = snowflake(0, 0);
    assert_eq!(write::<Snowflake, _>(&fake, 25_000).unwrap().accepted, 25_000);
    assert_eq!(statements(&fake), ["create", "insert", "insert", "insert"]);
    let ids: BTreeSet<String> =
        fake.server.requests().iter().map(|request| query(request)["requestId"].clone()).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn what_is_executed_again_is_told_to_be() {
    let fake = snowflake(0, 1);
    deliver::<Snowflake, _>(&fake, &sample_rows(10), &[], Trouble::None).unwrap();
    let inserts: Vec<BTreeMap<String, String>> = fake
        .server
        .requests()
        .iter()
        .filter(|request| request.body.starts_with(b"{\"statement\":\"INSERT"))
        .map(query)
        .collect();
    assert_eq!(inserts.len(), 2);
    assert_eq!(inserts[0]["requestId"], inserts[1]["requestId"]);
    assert_eq!((inserts[0].get("retry"), inserts[1].get("retry").map(String::as_str)), (None, Some("true")));
    assert_eq!(fake.taken().unwrap().len(), 10);
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    for (reply, checking, writing) in [
        (failed("002003"), "CONFIG", "CONFIG"),
        (failed("002043"), "CONFIG", "CONFIG"),
        (failed("003001"), "CONFIG", "CONFIG"),
        (failed("000606"), "CONFIG", "CONFIG"),
        (failed("000904"), "CONFIG", "CONFIG"),
        (failed("000604"), "TRANSIENT", "TRANSIENT"),
        (failed("000630"), "TRANSIENT", "TRANSIENT"),
        (failed("100069"), "CONFIG", "PAYLOAD"),
        (failed("s3cret s3cret"), "CONFIG", "PAYLOAD"),
        (Reply::status(400).body("s3cret"), "CONFIG", "PAYLOAD"),
        (Reply::status(401).json(&json!({"code": "390144"})), "AUTH", "AUTH"),
        (Reply::status(403), "AUTH", "AUTH"),
        (Reply::status(404), "CONFIG", "CONFIG"),
        (Reply::status(408), "TRANSIENT", "TRANSIENT"),
        (Reply::status(429).header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (Reply::status(500), "TRANSIENT", "TRANSIENT"),
        (Reply::status(202).json(&json!({"statementHandle": "../x"})), "PERMANENT", "PERMANENT"),
        (Reply::status(202).body("s3cret"), "PERMANENT", "PERMANENT"),
    ] {
        let fake = snowflake(0, 0);
        let told = format!("{reply:?}");
        let failing = reply.clone();
        fake.server.otherwise(move |request| match request.body.starts_with(b"{\"statement\":\"CREATE") {
            true => Reply::status(200),
            false => failing.clone(),
        });
        let checked = check::<Snowflake, _>(&fake);
        let written = write::<Snowflake, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{told}");
            let message = outcome.unwrap_err().to_string();
            assert!(!["s3cret", "PRIVATE", "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn settings_that_snowflake_does_not_have_are_refused_before_anything_is_sent() {
    let settings = [
        ("account", json!("")),
        ("account", json!("evil.example/")),
        ("account", json!("-a")),
        ("user", json!("")),
        ("warehouse", json!("")),
        ("table", json!("T".repeat(256))),
        ("schema", json!("a\nb")),
        ("private_key", json!("s3cret")),
    ];
    prove_refused::<Snowflake>(|| snowflake(0, 0), settings).unwrap();
}

#[test]
fn another_user_is_refused() {
    let fake = snowflake(0, 0).with("user", json!("tvtube"));
    assert_eq!(kind(&check::<Snowflake, _>(&fake)), "AUTH");
}
