//! Opt-outs: what they leave out of audiences and deliveries, when, and what is proven of it.

use super::{
    company::{Company, codes, text},
    delivering::{Pair, ask_again, deliver_all, deliver_all_at, file, shelf, today},
};
use crate::work::{Ended, Task, load_opt_outs};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::ops::Range;
use tokio_util::sync::CancellationToken;

fn addresses(people: Range<u32>) -> String {
    people.fold("mail\n".to_owned(), |file, n| file + &format!("Person{n}@X.example\n"))
}

impl Company {
    async fn opt_out(&self, file: &str, mode: &str) -> Value {
        let field = json!({
            "column": "mail", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH",
        });
        let input = json!({ "uploadId": self.upload(file).await, "mode": mode, "fields": [field] });
        let payload = self.press("loadOptOuts", "LoadOptOutsInput", "optOuts { version } job { id kind }", input).await;
        assert_eq!((codes(&payload), text(&payload["job"]["kind"])), (vec![], "load_opt_outs".to_owned()));
        payload
    }

    async fn next_load(&self, stop: CancellationToken) -> Task {
        let task = self.next_job(stop).await.unwrap();
        assert_eq!(task.job.kind, load_opt_outs::KIND);
        task
    }

    /// Changes the list, and lets the generation that follows wait.
    async fn opt_out_before_the_rebuild(&self, file: &str, mode: &str) {
        self.opt_out(file, mode).await;
        let task = self.next_load(CancellationToken::new()).await;
        crate::work::one(task.gateway, task.job, task.owner).await;
    }

    async fn opt_outs(&self) -> Value {
        let query = "query($a: ID!) { account(id: $a) { optOuts { version
            identityCountByMatchKey { matchKey { kind } identities }
            lastLoad { status failure rows acceptedRows } loads { totalCount } } } }";
        self.ask(query, json!({ "a": self.id() })).await["account"]["optOuts"].clone()
    }

    /// The proofs in its audit log, newest first.
    async fn proofs(&self) -> Vec<Value> {
        let query = "query($a: ID!) { account(id: $a) { auditLog(first: 100) { nodes { action
            optOuts { version added removed leftOut destinationId } } } } }";
        let data = self.ask(query, json!({ "a": self.id() })).await;
        let entries = data["account"]["auditLog"]["nodes"].as_array().unwrap().clone();
        entries.into_iter().filter(|entry| entry["optOuts"] != Value::Null).map(|mut e| e["optOuts"].take()).collect()
    }
}

fn counted(version: u64, identities: u64) -> Value {
    let by_email = json!({ "matchKey": { "kind": "HASHED_EMAIL" }, "identities": identities });
    json!({ "version": version, "identityCountByMatchKey": [by_email] })
}

fn of_list(opt_outs: &Value) -> Value {
    json!({ "version": opt_outs["version"], "identityCountByMatchKey": opt_outs["identityCountByMatchKey"] })
}

fn runners(luma: &[(String, String, u64)]) -> u64 {
    luma.iter().find(|(name, ..)| name == "Runners").unwrap().2
}

#[tokio::test]
async fn who_opts_out_is_taken_back_at_once_and_left_out_from_then_on() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "recurring": { "from": today(0), "until": today(9) } })).await;
    let activation = pair.activate(&sent, &destination).await;
    assert_eq!(shelf(&activation), 2_000);
    assert_eq!((pair.luma.proofs().await, pair.fit.proofs().await), (vec![], vec![]));

    // The sender's: the generation is still the old one, and what is delivered of it is without them.
    pair.luma.opt_out_before_the_rebuild(&addresses(1_000..1_100), "ADD").await;
    deliver_all(&pair.fit).await;
    let delivered = |added, removed| json!({ "status": "DELIVERED", "added": added, "removed": removed });
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"][0], delivered(0, 100));
    assert_eq!((shelf(&activation), runners(&pair.luma.audiences().await)), (1_900, 3_000));
    pair.luma.work().await;
    assert_eq!(runners(&pair.luma.audiences().await), 2_900, "the rebuild that it starts");
    assert_eq!(of_list(&pair.luma.opt_outs().await), counted(1, 100));
    let nothing = json!({ "version": 1, "added": null, "removed": null, "leftOut": null, "destinationId": null });
    let loaded = json!({ "version": 1, "added": 100, "removed": 0, "leftOut": null, "destinationId": null });
    assert_eq!(pair.luma.proofs().await, [nothing, loaded], "how many of them the receiver knows is not said");
    assert_eq!(pair.fit.proofs().await, [] as [Value; 0], "of the sender's list its receiver hears nothing");

    // The receiver's, of which 20 are the sender's as well.
    pair.fit.opt_out_before_the_rebuild(&addresses(1_080..1_150), "ADD").await;
    deliver_all(&pair.fit).await;
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"][0], delivered(0, 50));
    pair.fit.work().await;
    let proof = pair.fit.proofs().await.swap_remove(0);
    assert_eq!(
        proof,
        json!({
            "version": 1, "added": null, "removed": 50, "leftOut": 50, "destinationId": destination["destination"]["id"],
        })
    );

    // Who is taken off the list is back with the next refresh.
    pair.luma.opt_out(&addresses(1_000..1_050), "REMOVE").await;
    pair.luma.work().await;
    assert_eq!(runners(&pair.luma.audiences().await), 2_950);
    let again = pair.luma.upload(&file(&[(0..3_000, "Runners")])).await;
    pair.luma.refresh(&pair.luma_source, &again).await;
    pair.luma.work().await;
    assert_eq!((shelf(&activation), runners(&pair.luma.audiences().await)), (1_900, 2_950));
    assert_eq!(std::fs::read_dir(pair.luma.gateway.identities().opt_outs(pair.luma.account)).unwrap().count(), 1);
}

#[tokio::test]
async fn rows_that_wait_for_their_destination_are_without_who_opted_out_meanwhile() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "opted out", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    ask_again("opted out", 1);
    let activation = pair.activate(&sent, &destination).await;
    assert_eq!((pair.activation(&activation).await["status"].clone(), shelf(&activation)), (json!("DELIVERING"), 0));
    pair.luma.opt_out(&addresses(1_000..1_100), "ADD").await;
    pair.fit.opt_out(&addresses(1_050..1_150), "ADD").await;
    pair.luma.work().await;
    deliver_all_at(&pair.fit, crate::clock::now() + TimeDelta::hours(2)).await;
    let seen = pair.activation(&activation).await;
    assert_eq!((&seen["status"], &seen["delivered"], shelf(&activation)), (&json!("DELIVERED"), &json!(1_850), 1_850));
    let proof = pair.fit.proofs().await.swap_remove(0);
    assert_eq!((&proof["version"], &proof["leftOut"], &proof["removed"]), (&json!(1), &json!(50), &json!(0)));
}

#[tokio::test]
async fn what_is_too_few_without_them_is_skipped_and_tells_nothing() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    pair.fit.opt_out_before_the_rebuild(&addresses(1_000..2_500), "ADD").await;
    let activation = pair.activate(&sent, &destination).await;
    assert_eq!(pair.activation(&activation).await["status"], "SKIPPED_BELOW_THRESHOLD");
    let proofs = pair.fit.proofs().await;
    assert!(proofs.len() == 1 && proofs[0]["added"] == 1_500, "nothing but the load: {proofs:?}");
}

#[tokio::test]
async fn a_list_is_changed_or_stays() {
    let luma = Company::luma().await;
    assert_eq!(
        luma.opt_outs().await,
        json!({
            "version": 0, "identityCountByMatchKey": [], "lastLoad": null, "loads": { "totalCount": 0 },
        })
    );
    luma.opt_out(&addresses(0..100), "ADD").await;
    luma.work().await;
    assert!(luma.audiences().await.is_empty(), "there may be a list before there are people");
    for (mode, people, version, identities) in
        [("ADD", 50..150, 2, 150), ("REMOVE", 100..200, 3, 100), ("REPLACE", 90..120, 4, 30)]
    {
        luma.opt_out(&addresses(people), mode).await;
        luma.work().await;
        assert_eq!(of_list(&luma.opt_outs().await), counted(version, identities), "{mode}");
    }
    for (file, failure) in [
        ("mail\n", "The file has a header but no rows."),
        ("mail\nnobody\n", "No row was accepted, most often because of EMAIL_INVALID; check the mapping."),
    ] {
        luma.opt_out(file, "REPLACE").await;
        luma.work().await;
        let seen = luma.opt_outs().await;
        assert_eq!((text(&seen["lastLoad"]["failure"]).as_str(), of_list(&seen)), (failure, counted(4, 30)));
    }
    luma.opt_out(&addresses(0..200), "REMOVE").await;
    luma.work().await;
    let seen = luma.opt_outs().await;
    assert_eq!((&seen["version"], &seen["identityCountByMatchKey"]), (&json!(5), &json!([])));
    assert_eq!((luma.files("uploads"), &seen["loads"]["totalCount"]), (0, &json!(7)));
}

#[tokio::test]
async fn a_load_that_is_cut_off_is_done_once() {
    let luma = Company::luma().await;
    luma.create(&luma.upload(&file(&[(0..30, "Runners")])).await).await;
    luma.work().await;
    luma.opt_out(&addresses(0..10), "ADD").await;
    let stop = CancellationToken::new();
    stop.cancel();
    let task = luma.next_load(stop).await;
    let ended = load_opt_outs::run(task.clone()).await.unwrap();
    assert!(matches!(ended, Ended::HandedBack), "{ended:?}");
    assert_eq!(luma.opt_outs().await["version"], 0);
    assert!(luma.gateway.store().hand_back_job(task.job.id, &task.owner).await.unwrap());
    let task = luma.next_load(CancellationToken::new()).await;
    for _ in 0..2 {
        let ended = load_opt_outs::run(task.clone()).await.unwrap();
        assert!(matches!(ended, Ended::Done), "{ended:?}");
    }
    luma.gateway.store().finish_job(task.job.id, &task.owner, crate::clock::now()).await.unwrap();
    luma.work().await;
    let seen = luma.opt_outs().await;
    assert_eq!((of_list(&seen), &seen["loads"]["totalCount"]), (counted(1, 10), &json!(1)));
    assert_eq!(runners(&luma.audiences().await), 20);
}

#[tokio::test]
async fn a_file_is_the_accounts_own_and_mapped_to_its_keys() {
    let luma = Company::luma().await;
    let tv_tube = luma.beside("TV Tube").await;
    let theirs = tv_tube.upload(&addresses(0..3)).await;
    let field =
        |kind: &str| json!({ "column": "mail", "matchKey": { "kind": kind }, "transformation": "NORMALISE_AND_HASH" });
    let mine = luma.upload(&addresses(0..3)).await;
    for (input, code) in [
        (json!({ "uploadId": theirs, "fields": [field("HASHED_EMAIL")] }), "UPLOAD_UNAVAILABLE"),
        (json!({ "uploadId": mine, "fields": [field("IDFA")] }), "MATCH_KEY_UNAVAILABLE"),
        (json!({ "uploadId": mine, "fields": [] }), "INVALID"),
        (json!({ "uploadId": mine, "fields": [field("HASHED_EMAIL")], "delimiter": "ab" }), "INVALID"),
    ] {
        let payload = luma.press("loadOptOuts", "LoadOptOutsInput", "job { id }", input).await;
        assert_eq!(codes(&payload), [code]);
    }
    assert_eq!(luma.opt_outs().await["loads"]["totalCount"], 0);
}
