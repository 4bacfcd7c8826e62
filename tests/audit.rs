//! The audit log, by the operator's commands and by the API: verified, exported, and chained in databases from before.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    stories::Party,
};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Runs a command that has to succeed, or has to fail; what it said.
fn command(gateway: &Gateway, succeeds: bool, arguments: &[&str]) -> String {
    let (succeeded, said) = gateway.run(arguments, &[]);
    assert_eq!(succeeded, succeeds, "{arguments:?}: {said}");
    said
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Changes the database as somebody does who can go around what keeps the audit log.
fn tamper(gateway: &Gateway, kind: Kind, statements: &[&str]) {
    let guards = ["audit_is_never_updated", "audit_chain_is_never_deleted", "audit_heads_go_forward"];
    for (guard, on) in guards.iter().zip(["audit", "audit_chain", "audit_heads"]) {
        let sql = match (kind, on) {
            (Kind::Sqlite, _) => format!("DROP TRIGGER IF EXISTS {guard}"),
            (Kind::Postgres, on) => format!("ALTER TABLE {on} DISABLE TRIGGER ALL"),
        };
        gateway.database().execute(gateway.data(), &sql);
    }
    for statement in statements {
        gateway.database().execute(gateway.data(), statement);
    }
}

/// An account with three entries: it was renamed, invited somebody, and was refused the same once more.
async fn with_entries(gateway: &Gateway) -> Party {
    let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
    let rename = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) {
        userErrors { code field message } } }";
    luma.client.mutate(rename, json!({ "accountId": luma.account, "name": "Luma Sports" })).await;
    luma.invite(&tv_tube).await;
    let input = json!({ "accountId": luma.account, "invitee": { "collaboratorId": tv_tube.collaborator } });
    let refused = luma.client.press(crate::stories::INVITE, input).await;
    assert_eq!(refused["userErrors"][0]["code"], "CONNECTION_EXISTS");
    luma
}

/// The program in `docs/operating.md` that checks an export.
fn documented_check() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

fn checks(export: &Path) -> bool {
    Command::new("python3").args(["-c", &documented_check()]).arg(export).output().unwrap().status.success()
}

on_both_databases! {
    /// While the gateway runs. Ten lines of Python agree with what it exports, and with nothing else.
    async fn the_log_is_verified_and_exported(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = with_entries(&gateway).await;
        let said = command(&gateway, true, &["audit", "verify"]);
        assert!(said.contains("The audit log is as it was written, in 2 chains."), "{said}");
        let one = command(&gateway, true, &["audit", "verify", "--account", &luma.account, "--json"]);
        let [head] = &lines(&one)[..] else { panic!("{one}") };
        assert_eq!((&head["entries"], &head["chained_later"], &head["faults"]), (&json!(3), &json!(0), &json!([])));

        let file = gateway.data().join("audit.jsonl");
        command(&gateway, true, &["audit", "export", "--out", file.to_str().unwrap()]);
        command(&gateway, false, &["audit", "export", "--out", file.to_str().unwrap()]);
        let all = std::fs::read_to_string(&file).unwrap();
        assert!(checks(&file), "{all}");
        for (from, to) in [("\"DENIED\"", "\"ALLOWED\""), ("\"sequence\":2", "\"sequence\":3"), ("Z\"", "1Z\"")] {
            let other = gateway.data().join("other.jsonl");
            std::fs::write(&other, all.replacen(from, to, 1)).unwrap();
            assert!(!checks(&other), "{from} → {to}");
        }
        let exported = lines(&command(&gateway, true, &["audit", "export", "--account", &luma.account]));
        assert_eq!(exported.len(), 3);
        assert_eq!(exported[2]["hash"], head["head"]);
        let at = exported[1]["at"].as_str().unwrap();
        let (before, after) = (["audit", "export", "--until", at], ["audit", "export", "--from", at]);
        let parts = [command(&gateway, true, &before), command(&gateway, true, &after)].map(|part| lines(&part).len());
        assert_eq!(parts[0] + parts[1], lines(&all).len());
        assert!(parts[0] > 0 && parts[1] > 0, "{parts:?}");

        let query = "query($a: ID!) { account(id: $a) { auditLog(last: 3) { nodes { sequence hash action } } } }";
        let shown = luma.client.query(query, json!({ "a": luma.account })).await;
        let shown = shown["account"]["auditLog"]["nodes"].as_array().unwrap().clone();
        for (node, line) in shown.iter().rev().zip(&exported) {
            for field in ["sequence", "hash", "action"] {
                assert_eq!(node[field], line[field]);
            }
        }
        assert_eq!(shown.len(), 3);
    }
}

on_both_databases! {
    /// What was changed is named; an end that was cut off, head and all, shows against a head that was kept elsewhere.
    async fn what_was_tampered_with_is_named(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = with_entries(&gateway).await;
        gateway.stop();
        let kept = command(&gateway, true, &["audit", "verify", "--json"]);
        let heads = gateway.data().join("heads.jsonl");
        std::fs::write(&heads, &kept).unwrap();
        let against_heads = ["audit", "verify", "--heads", heads.to_str().unwrap()];
        command(&gateway, true, &against_heads);
        let exported = lines(&command(&gateway, true, &["audit", "export", "--account", &luma.account]));
        let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
        let (chain, last) = (text(&exported[0], "account_id"), text(&exported[2], "id"));

        let hash = text(&exported[1], "hash");
        tamper(&gateway, kind, &[
            &format!("DELETE FROM audit_chain WHERE entry_id = '{last}'"),
            &format!("UPDATE audit SET account_id = 'nobody', id = 'x' WHERE id = '{last}'"),
            &format!("UPDATE audit_heads SET sequence = 2, hash = '{hash}' WHERE chain = '{chain}'"),
        ]);
        command(&gateway, true, &["audit", "verify", "--account", &luma.account]);
        let said = command(&gateway, false, &against_heads);
        assert!(said.contains(&format!("{chain}: sequence 3: the head that was kept is not in the chain")), "{said}");
        assert!(said.contains("nobody: entry x is not chained"), "{said}");

        let second = text(&exported[1], "id");
        tamper(&gateway, kind, &[&format!("UPDATE audit SET action = 'delete' WHERE id = '{second}'")]);
        let said = command(&gateway, false, &["audit", "verify", "--account", &chain]);
        assert!(said.contains(&format!("{chain}: sequence 2: entry {second} was changed")), "{said}");
        let said = command(&gateway, false, &["audit", "verify", "--account", &chain, "--json"]);
        assert!(said.contains(r#""faults":[{"fault":"changed","sequence":2"#), "{said}");

        std::fs::write(&heads, "{}").unwrap();
        let said = command(&gateway, false, &against_heads);
        assert!(said.contains("line 1 is not what"), "{said}");
        command(&gateway, false, &["audit", "verify", "--account", "Luma"]);
    }
}

on_both_databases! {
    /// A database from before there was a chain is chained at the next start, and says so ever after.
    async fn a_database_from_before_is_chained_at_the_start(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = with_entries(&gateway).await;
        gateway.stop();
        let drop_guard = match kind {
            Kind::Sqlite => "DROP TRIGGER audit_is_chained",
            Kind::Postgres => "DROP FUNCTION refuse_unchained() CASCADE",
        };
        for statement in [
            drop_guard,
            "DROP TABLE audit_chain",
            "DROP TABLE audit_heads",
            "DELETE FROM gateway_meta WHERE key = 'audit_chained'",
            "DELETE FROM __diesel_schema_migrations WHERE version = '20261129000010'",
        ] {
            gateway.database().execute(gateway.data(), statement);
        }
        gateway.start_again();
        assert!(gateway.log().contains("the audit log from before is chained"), "{}", gateway.log());
        let luma = luma.at(&gateway);
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.invite(&tv_tube).await;
        let said = command(&gateway, true, &["audit", "verify", "--account", &luma.account]);
        assert!(said.contains(": 4 entries") && said.contains("the first 3 were written before"), "{said}");
        gateway.stop();
        gateway.start_again();
        command(&gateway, true, &["audit", "verify"]);
    }
}

on_both_databases! {
    async fn entries_are_filtered_by_actor_and_subject(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = with_entries(&gateway).await;
        let query = "query($a: ID!, $filter: AuditFilterInput) { viewer { user { id } } account(id: $a) {
            auditLog(filter: $filter) { nodes { action outcome subjectId actor { kind id } } } } }";
        let asked = async |filter: Value| {
            let variables = json!({ "a": luma.account, "filter": filter });
            luma.client.ask(query, variables).await
        };
        let nodes = |answer: &Value| answer["data"]["account"]["auditLog"]["nodes"].as_array().unwrap().len();
        let all = asked(json!({})).await;
        let user = &all["data"]["viewer"]["user"]["id"];
        assert_eq!(all["data"]["account"]["auditLog"]["nodes"][0]["actor"], json!({ "kind": "USER", "id": user }));
        for (filter, count) in [
            (json!({ "actorKind": "USER" }), 3),
            (json!({ "actorKind": "GATEWAY" }), 0),
            (json!({ "actorId": user }), 3),
            (json!({ "actorId": user, "actorKind": "OPERATOR" }), 0),
            (json!({ "subjectId": luma.account, "action": "updateAccount" }), 1),
            (json!({ "subjectId": luma.account, "action": "invite" }), 0),
        ] {
            assert_eq!(nodes(&asked(filter.clone()).await), count, "{filter}");
        }
        for filter in [json!({ "actorId": luma.account }), json!({ "subjectId": user }), json!({ "subjectId": "x" })] {
            assert_eq!(asked(filter.clone()).await["errors"][0]["extensions"]["code"], "NOT_FOUND", "{filter}");
        }
    }
}
