//! From an upload to audiences.

use super::company::{Company, codes, text};
use crate::work::Ended;
use entente_domain::MatchKey;
use entente_domain::MatchKeyKind::HashedEmail;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const FIRST: &str =
    "email,segment\nada@x.example,Runners\nbob@x.example,Runners\nbob@x.example,Cyclists\nnobody,Runners\n";
const SECOND: &str = "email,segment\ncleo@x.example,Runners\ndan@x.example,Runners\neve@x.example,Runners\n";

fn runners(count: u64) -> (String, String, u64) {
    ("Runners".into(), "ACTIVE".into(), count)
}

async fn distinct(company: &Company) -> u64 {
    let (gateway, account) = (company.gateway.clone(), company.account);
    let current = gateway.store().current_generations(&[account]).await.unwrap().remove(&account).unwrap();
    let index = tokio::task::spawn_blocking(move || {
        gateway.identities().index(account, current.id, &MatchKey::of(HashedEmail)).unwrap()
    });
    index.await.unwrap().map_or(0, |index| index.rows())
}

async fn last_refresh(company: &Company, data_connection: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { status failure version lastRefresh {
        status rows acceptedRows failure faultsByReason { reason count }
        rowFaults { totalCount nodes { row column reason } } } refreshes { totalCount } } } }";
    company.ask(query, json!({ "id": data_connection })).await["node"].clone()
}

#[tokio::test]
async fn an_upload_becomes_audiences() {
    let luma = Company::luma().await;
    let payload = luma.create(&luma.upload(FIRST).await).await;
    assert_eq!((codes(&payload), text(&payload["job"]["kind"])), (vec![], "refresh".into()));
    assert_eq!(luma.audiences().await, []);
    luma.work().await;
    assert_eq!(luma.audiences().await, [("Cyclists".into(), "ACTIVE".into(), 1), runners(2)]);
    assert_eq!(distinct(&luma).await, 2);
    let seen = last_refresh(&luma, &text(&payload["dataConnection"]["id"])).await;
    assert_eq!(
        seen["lastRefresh"],
        json!({
            "status": "SUCCEEDED", "rows": 4, "acceptedRows": 3, "failure": null,
            "faultsByReason": [{ "reason": "EMAIL_INVALID", "count": 1 }, { "reason": "NO_IDENTITY", "count": 1 }],
            "rowFaults": { "totalCount": 2, "nodes": [
                { "row": 4, "column": "email", "reason": "EMAIL_INVALID" },
                { "row": 4, "column": null, "reason": "NO_IDENTITY" },
            ] },
        })
    );
    assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [0, 1, 1]);
}

#[tokio::test]
async fn sourcing_again_replaces_and_what_cannot_be_read_replaces_nothing() {
    let luma = Company::luma().await;
    let id = text(&luma.create(&luma.upload(FIRST).await).await["dataConnection"]["id"]);
    luma.work().await;
    assert_eq!(codes(&luma.refresh(&id, &luma.upload(SECOND).await).await), Vec::<String>::new());
    luma.work().await;
    assert_eq!((luma.audiences().await, distinct(&luma).await), (vec![runners(3)], 3));
    assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [0, 1, 2]);
    for (file, failure) in [
        ("email;segment\nada@x.example;Runners\n", "The delimiter is ';', not ','."),
        (
            "email,segment\nnobody,Runners\nno one,Runners\n",
            "No row was accepted, most often because of EMAIL_INVALID; check the mapping.",
        ),
    ] {
        luma.refresh(&id, &luma.upload(file).await).await;
        luma.work().await;
        let seen = last_refresh(&luma, &id).await;
        assert_eq!((text(&seen["status"]), text(&seen["failure"])), ("FAILED".into(), failure.into()));
        assert_eq!((luma.audiences().await, distinct(&luma).await), (vec![runners(3)], 3));
        assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [0, 1, 1]);
    }
    luma.refresh(&id, &luma.upload(FIRST).await).await;
    luma.work().await;
    assert_eq!(last_refresh(&luma, &id).await["failure"], Value::Null);
    assert_eq!(distinct(&luma).await, 2);
}

#[tokio::test]
async fn a_refresh_that_was_published_is_not_done_twice() {
    let luma = Company::luma().await;
    let payload = luma.create(&luma.upload(FIRST).await).await;
    let task = luma.next_job(CancellationToken::new()).await.unwrap();
    for _ in 0..2 {
        let ended = crate::work::refresh::run(task.clone()).await.unwrap();
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_eq!((luma.audiences().await.len(), distinct(&luma).await), (2, 2));
    }
    let seen = last_refresh(&luma, &text(&payload["dataConnection"]["id"])).await;
    assert_eq!((&seen["version"], &seen["refreshes"]["totalCount"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn a_refresh_that_drifted_is_not_done_twice_and_keeps_its_upload() {
    let luma = Company::luma().await;
    let id = text(&luma.create(&luma.upload(FIRST).await).await["dataConnection"]["id"]);
    luma.work().await;
    luma.refresh(&id, &luma.upload("email,segment\nada@x.example,Runners\n").await).await;
    let task = luma.next_job(CancellationToken::new()).await.unwrap();
    for _ in 0..2 {
        let ended = crate::work::refresh::run(task.clone()).await.unwrap();
        assert!(matches!(&ended, Ended::Failed(why) if why == "Of 4 rows 1 are left."), "{ended:?}");
        assert_eq!((luma.audiences().await.len(), distinct(&luma).await), (2, 2));
        assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [1, 1, 1]);
    }
    let seen = last_refresh(&luma, &id).await;
    assert_eq!((&seen["version"], &seen["refreshes"]["totalCount"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn a_refresh_that_is_stopped_changes_nothing_and_goes_on_later() {
    let luma = Company::luma().await;
    luma.create(&luma.upload(FIRST).await).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let task = luma.next_job(stop).await.unwrap();
    let ended = crate::work::refresh::run(task.clone()).await.unwrap();
    assert!(matches!(ended, Ended::HandedBack), "{ended:?}");
    assert_eq!((luma.audiences().await.len(), luma.files("uploads"), luma.files("runs")), (0, 1, 0));
    assert!(luma.gateway.store().hand_back_job(task.job.id, &task.owner).await.unwrap());
    // What a crash would have left.
    for folder in [luma.gateway.identities().runs(luma.account), luma.gateway.identities().generations(luma.account)] {
        std::fs::create_dir_all(folder.join(".aside-half")).unwrap();
    }
    luma.work().await;
    assert_eq!(distinct(&luma).await, 2);
    assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [0, 1, 1]);
}

#[tokio::test]
async fn an_upload_is_used_once_and_only_by_its_account() {
    let luma = Company::luma().await;
    let tv_tube = luma.beside("TV Tube").await;
    let upload = luma.upload(FIRST).await;
    assert_eq!(codes(&tv_tube.create(&upload).await), ["UPLOAD_UNAVAILABLE"]);
    assert_eq!(codes(&luma.create(&upload).await), Vec::<String>::new());
    assert_eq!(codes(&luma.create(&upload).await), ["UPLOAD_UNAVAILABLE"]);
    let preview = "query($a: ID!, $u: ID!) { uploadPreview(accountId: $a, uploadId: $u) { estimatedRows } }";
    let seen = luma.try_ask(preview, json!({ "a": luma.id(), "u": upload })).await;
    assert_eq!(seen.1, ["UPLOAD_UNAVAILABLE"]);
    let seen = tv_tube.try_ask(preview, json!({ "a": tv_tube.id(), "u": upload })).await;
    assert_eq!(seen.1, ["NOT_FOUND"]);
}

#[tokio::test]
async fn a_preview_hides_identifiers_and_stores_nothing() {
    let luma = Company::luma().await;
    let query = "query($a: ID!, $u: ID!, $d: String) { uploadPreview(accountId: $a, uploadId: $u, delimiter: $d) {
        delimiter estimatedRows columns { name columnType } rows } }";
    let ask = async |file: &str, delimiter: Value| {
        let upload = luma.upload(file).await;
        luma.try_ask(query, json!({ "a": luma.id(), "u": upload, "d": delimiter })).await
    };
    let (data, errors) = ask("email;segment\nada@x.example;Runners\n", Value::Null).await;
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(
        data["uploadPreview"],
        json!({
            "delimiter": ";", "estimatedRows": 1,
            "columns": [{ "name": "email", "columnType": "EMAIL" }, { "name": "segment", "columnType": "TEXT" }],
            "rows": [["***", "Runners"]],
        })
    );
    assert_eq!(ask("PK\u{3}\u{4}", Value::Null).await.1, ["FILE_REFUSED"]);
    assert_eq!(ask("", Value::Null).await.1, ["FILE_REFUSED"]);
    assert_eq!(ask(FIRST, json!("ab")).await.1, ["INVALID"]);
    assert_eq!([luma.files("runs"), luma.files("generations")], [0, 0]);
}
