//! Deletions: what is shown before is what is gone after, and what the audit log keeps; nobody else learns more than the end.

use crate::{
    belongings::{Objects, campaign, nobodys},
    harness::{Client, Gateway, Kind, on_both_databases},
    stories::{INVITE, Party, uuid_of},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PARTS: &str =
    "allowed userErrors { code field } goes { kind manner count names } stays { kind reason count names }";

const DELETE_ACCOUNT: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    deletedAccountId userErrors { code field message } } }";

const UPDATE_AUDIENCES: &str = "mutation($input: UpdateAudiencesInput!) { updateAudiences(input: $input) {
    audiences { name categories visibility { identityCount } } userErrors { code field message } } }";

/// What deleting one of a party's objects would do.
async fn preview(party: &Party, client: &Client, has: &Objects, ty: &str) -> Value {
    let argument = if ["Connection", "Project"].contains(&ty) { "(accountId: $a)" } else { "" };
    let used = if argument.is_empty() { "" } else { "$a: ID!, " };
    let query = format!(
        "query({used}$id: ID!) {{ node(id: $id) {{ ... on {ty} {{ deletionPreview{argument} {{ {PARTS} }} }} }} }}"
    );
    let data = client.query(&query, json!({ "a": party.account, "id": has[ty] })).await;
    data["node"]["deletionPreview"].clone()
}

/// The document that deletes an object of a type, and its input.
fn deletion(party: &Party, ty: &str, id: &str) -> (String, Value) {
    let mut field = ty.to_owned();
    field[..1].make_ascii_lowercase();
    let input = if ty == "Connection" { "ConnectionInput".to_owned() } else { format!("Delete{ty}Input") };
    let document = format!(
        "mutation($input: {input}!) {{ delete{ty}(input: $input) {{ deleted{ty}Id userErrors {{ code field message }} }} }}"
    );
    let mut input = json!({ "accountId": party.account, format!("{field}Id"): id });
    if ty == "Account" {
        input["accountName"] = json!("Luma");
    }
    (document, input)
}

/// A part of a preview or of the audit log by its kind.
fn part<'a>(deletion: &'a Value, of: &str, kind: &str) -> &'a Value {
    deletion[of].as_array().unwrap().iter().find(|part| part["kind"] == kind).unwrap_or(&Value::Null)
}

fn count(deletion: &Value, of: &str, kind: &str) -> u64 {
    part(deletion, of, kind)["count"].as_u64().unwrap_or(0)
}

/// A preview as the audit log keeps it.
fn without_names(preview: &Value) -> Value {
    let parts = |of: &str| {
        let parts = preview[of].as_array().unwrap().iter().cloned().map(|mut part| {
            part["names"] = json!([]);
            part
        });
        Value::from(parts.collect::<Vec<_>>())
    };
    json!({ "goes": parts("goes"), "stays": parts("stays") })
}

/// Reads the preview, deletes, and compares with what the audit log keeps; the preview.
async fn delete(party: &Party, has: &Objects, ty: &str) -> Value {
    let shown = preview(party, &party.client, has, ty).await;
    assert_eq!((&shown["allowed"], &shown["userErrors"]), (&json!(true), &json!([])), "{ty}");
    let (document, input) = deletion(party, ty, &has[ty]);
    let deleted = party.client.mutate(&document, input).await;
    assert_eq!(deleted[format!("deleted{ty}Id")], json!(has[ty]));
    if ty != "Account" {
        let query =
            "query($a: ID!, $s: ID!) { account(id: $a) { auditLog(first: 1, filter: { subjectId: $s }) { nodes {
            action deletion { goes { kind manner count names } stays { kind reason count names } } } } } }";
        let log = party.client.query(query, json!({ "a": party.account, "s": has[ty] })).await;
        let entry = &log["account"]["auditLog"]["nodes"][0];
        assert_eq!(entry["action"], format!("delete{ty}"));
        assert_eq!(entry["deletion"], without_names(&shown), "{ty}");
    }
    shown
}

async fn exists(party: &Party, id: &str) -> bool {
    !party.client.query("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await["node"].is_null()
}

on_both_databases! {
    /// One after the other: a project, a data connection, a connection, an account.
    async fn what_is_shown_is_gone_and_kept(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let tv_tubes = tv_tube.belongings().await;
        let has = campaign((&luma, luma.belongings().await), (&tv_tube, tv_tubes.clone())).await;

        // The other side may not delete the project, and is told of its own things in it.
        let theirs = preview(&tv_tube, &tv_tube.client, &has, "Project").await;
        assert_eq!((&theirs["allowed"], &theirs["userErrors"][0]["code"]), (&json!(false), &json!("FORBIDDEN")));
        let (_, analyst) = luma.api_key(json!({ "role": "ANALYST" })).await;
        let read = preview(&luma, &analyst, &has, "DataConnection").await;
        assert_eq!((&read["allowed"], &read["userErrors"][0]["code"]), (&json!(false), &json!("FORBIDDEN")));

        let shown = delete(&luma, &has, "Project").await;
        let going = ["PROJECT", "CAMPAIGN", "EVENT_DATA_SET", "SENT_AUDIENCE", "ACTIVATION", "REPORT"];
        assert_eq!(going.map(|kind| count(&shown, "goes", kind)), [1, 2, 2, 2, 1, 0], "{shown}");
        assert_eq!(part(&shown, "goes", "PROJECT")["names"], json!(["Spring"]));
        let report = part(&shown, "stays", "FINISHED_REPORT");
        assert_eq!((&report["reason"], &report["count"]), (&json!("FROZEN"), &json!(1)), "{shown}");
        assert_eq!(part(&shown, "stays", "DELIVERY")["reason"], "DELIVERED");
        for (ty, there) in [("Project", false), ("EventDataSet", false), ("Report", true), ("SentAudience", true)] {
            assert_eq!(exists(&luma, &has[ty]).await, there, "{ty}");
        }
        assert!(!tv_tube.received().await[0]["hasAccess"].as_bool().unwrap());

        let shown = delete(&luma, &has, "DataConnection").await;
        let names = part(&shown, "goes", "AUDIENCE")["names"].clone();
        assert!(names.as_array().unwrap().contains(&json!("Running")), "{shown}");
        let first_names = part(&shown, "stays", "AUDIENCE_FIRST_NAME");
        assert_eq!((&first_names["reason"], &first_names["names"]), (&json!("COINS_BELONG_TO_IT"), &names));
        assert_eq!((luma.audiences().await.len(), exists(&luma, &has["DataConnection"]).await), (0, false));

        let project = tv_tube.create_project(&has["Connection"], "Summer").await;
        let shown = delete(&tv_tube, &has, "Connection").await;
        assert_eq!(part(&shown, "goes", "CONNECTION")["names"], json!(["Luma"]));
        assert_eq!((count(&shown, "goes", "PROJECT"), exists(&luma, &project).await), (1, false));
        let again = preview(&luma, &luma.client, &has, "Connection").await;
        assert_eq!((&again["userErrors"][0]["code"], &again["goes"]), (&json!("WRONG_STATE"), &json!([])));
        assert!(exists(&luma, &has["Connection"]).await, "its record stays");

        account_goes(&gateway, kind, &luma, &tv_tube, &has).await;
        assert!(exists(&tv_tube, &tv_tubes["DataConnection"]).await);
    }
}

/// Luma deletes its account, which TV Tube has an invite of.
async fn account_goes(gateway: &Gateway, kind: Kind, luma: &Party, tv_tube: &Party, has: &Objects) {
    let invited = luma.invite(tv_tube).await;
    let code = luma.connect_code().await;
    let (_, key) = luma.api_key(json!({ "role": "ADMIN" })).await;
    let other_name = json!({ "accountId": luma.account, "accountName": "TV Tube" });
    let refused = luma.client.press(DELETE_ACCOUNT, other_name).await;
    assert_eq!(refused["userErrors"][0]["field"], json!(["accountName"]), "{refused}");

    let shown = delete(luma, has, "Account").await;
    assert_eq!(part(&shown, "goes", "CONNECTION")["names"], json!(["TV Tube"]));
    assert_eq!(part(&shown, "goes", "FINISHED_REPORT")["manner"], "DELETED");
    assert_eq!(part(&shown, "stays", "ACCOUNT_NAME")["reason"], "OTHERS_KNOW_IT");
    let viewer = luma.client.query("{ viewer { accounts { totalCount } } }", json!({})).await;
    assert_eq!(viewer["viewer"]["accounts"]["totalCount"], 0);
    let refused = key.ask("{ viewer { actor: __typename } }", json!({})).await;
    assert_eq!(refused["status"], 401, "{refused}");
    for id in has.values() {
        let seen_by_tv_tube = has["Connection"] == *id || has["SentAudience"] == *id;
        assert!(!exists(luma, id).await && exists(tv_tube, id).await == seen_by_tv_tube, "{id}");
    }

    let query = "query($a: ID!, $id: ID!) { connection(accountId: $a, id: $id) { state
        counterparty(accountId: $a) { collaborator { name contactEmail } } } }";
    let seen = tv_tube.client.query(query, json!({ "a": tv_tube.account, "id": invited })).await;
    let left = json!({ "collaborator": { "name": "Luma", "contactEmail": "" } });
    assert_eq!(seen["connection"], json!({ "state": "WITHDRAWN", "counterparty": left }));
    for invitee in [json!({ "connectCode": code }), json!({ "collaboratorId": luma.collaborator })] {
        let input = json!({ "accountId": tv_tube.account, "invitee": invitee });
        let code = tv_tube.client.refused(INVITE, input).await;
        assert!(["CONNECT_CODE_INVALID", "NOT_FOUND"].contains(&code.as_str()), "{code}");
    }
    let mut folders = ["runs", "generations", "crosswalks", "events"].to_vec();
    let started = Instant::now();
    let account = gateway.data().join("accounts").join(uuid_of(&luma.account));
    while !folders.is_empty() {
        folders.retain(|name| std::fs::read_dir(account.join(name)).is_ok_and(|mut files| files.next().is_some()));
        assert!(started.elapsed() < Duration::from_secs(30), "{folders:?} are left on {kind:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (succeeded, said) = gateway.run(&["audit", "verify", "--account", &luma.account], &[]);
    assert!(succeeded, "{said}");
    let (_, exported) = gateway.run(&["audit", "export", "--account", &luma.account], &[]);
    assert!(exported.lines().any(|line| line.contains("deleteAccount") && line.contains("details")), "{exported}");
}

on_both_databases! {
    /// Whoever deletes what is somebody else's learns no more than of what there is not.
    async fn a_deletion_tells_nobody_what_there_is(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let has = campaign((&luma, luma.belongings().await), (&tv_tube, tv_tube.belongings().await)).await;
        for ty in ["DataConnection", "Project", "Connection", "Account"] {
            let mut answers = vec![];
            for id in [has[ty].clone(), nobodys(ty)] {
                let (document, input) = deletion(&fit, ty, &id);
                let refused = fit.client.press(&document, input).await;
                assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
                let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on {ty} {{ id }} }} }}");
                answers.push((refused, fit.client.ask(&query, json!({ "id": id })).await));
            }
            assert_eq!(answers[0], answers[1], "{ty}");
            assert!(exists(&luma, &has[ty]).await);
        }
    }
}

on_both_databases! {
    /// A hundred at once or none; who is refused is told which one it is.
    async fn audiences_are_edited_at_once(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let mut csv = "hashed_email,hashed_phone,audience\n".to_owned();
        for n in 0..100 {
            csv.push_str(&format!("{:064x},,Audience {n:02}\n", n + 1));
        }
        for party in [&luma, &fit] {
            party.source(csv.clone(), crate::people::Form::Hashed).await;
        }
        let (ids, theirs): (Vec<_>, _) = (luma.audiences().await.into_values().collect(), fit.audiences().await);
        let edit = async |ids: &[String], mut with: Value| {
            with["accountId"] = json!(luma.account);
            with["audienceIds"] = json!(ids);
            luma.client.press(UPDATE_AUDIENCES, with).await
        };
        let shown = json!({ "identityCount": false });
        let edited = edit(&ids, json!({ "addCategories": ["news", "sport"], "visibility": shown })).await;
        let first = json!({ "name": "Audience 00", "categories": ["news", "sport"], "visibility": shown });
        assert_eq!((edited["audiences"].as_array().unwrap().len(), &edited["audiences"][0]), (100, &first), "{edited}");
        let edited = edit(&ids[..2], json!({ "names": ["First", "Second"], "removeCategories": ["sport"] })).await;
        let names: Vec<_> = edited["audiences"].as_array().unwrap().iter().map(|a| a["name"].clone()).collect();
        assert_eq!((names, &edited["audiences"][1]["categories"]), (vec![json!("First"), json!("Second")], &json!(["news"])));

        let swapped = edit(&ids[..2], json!({ "names": ["Second", "First"] })).await;
        assert_eq!(swapped["audiences"][0]["name"], "Second", "{swapped}");

        let with = |id: &str| [&ids[..3], &[id.to_owned()]].concat();
        let categories: Vec<_> = (0..19).map(|n| format!("category {n:02}")).collect();
        for (ids, changes, code, field) in [
            (with(&theirs["Audience 00"]), json!({ "description": "x" }), "NOT_FOUND", json!(["audienceIds", "3"])),
            (with(&nobodys("Audience")), json!({ "description": "x" }), "NOT_FOUND", json!(["audienceIds", "3"])),
            (with("nothing"), json!({ "description": "x" }), "NOT_FOUND", json!(["audienceIds", "3"])),
            (ids[..3].to_vec(), json!({ "names": ["A", "B", "Audience 50"] }), "ALREADY_EXISTS", json!(["audienceIds", "2"])),
            (ids[..2].to_vec(), json!({ "names": ["A", "A"] }), "ALREADY_EXISTS", json!(["audienceIds", "1"])),
            (ids[..3].to_vec(), json!({ "names": ["A", "B"] }), "INVALID", json!(["names"])),
            (ids[..2].to_vec(), json!({ "names": ["A", "B"], "name": "C" }), "INVALID", json!(["names"])),
            (ids[..3].to_vec(), json!({ "addCategories": categories }), "INVALID", json!(["audienceIds", "2"])),
        ] {
            let refused = edit(&ids, changes.clone()).await;
            let error = &refused["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!(code), &field), "{changes}: {refused}");
        }
        let names = luma.audiences().await;
        assert!(names.contains_key("First") && !names.contains_key("A"), "none was edited");
    }
}
