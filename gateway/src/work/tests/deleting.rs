//! Editing and deleting what was sourced.

use super::company::{Company, codes, text};
use crate::work::sweep;
use serde_json::{Value, json};

const FILE: &str = "email,segment\nada@x.example,Runners\nbob@x.example,Cyclists\n";

async fn audience_ids(company: &Company) -> Vec<String> {
    let query =
        "query($a: ID!) { account(id: $a) { audiences(status: ACTIVE, category: \"sport\") { nodes { id } } } }";
    let data = company.ask(query, json!({ "a": company.id() })).await;
    data["account"]["audiences"]["nodes"].as_array().unwrap().iter().map(|n| text(&n["id"])).collect()
}

async fn update(company: &Company, ids: &[String], mut changes: Value) -> Value {
    changes["audienceIds"] = json!(ids);
    let fields = "audiences { name categories access { kind } visibility { audienceIndex } updatedBy version }";
    company.press("updateAudiences", "UpdateAudiencesInput", fields, changes).await
}

#[tokio::test]
async fn audiences_are_edited_all_or_none() {
    let luma = Company::luma().await;
    let tv_tube = luma.beside("TV Tube").await;
    for company in [&luma, &tv_tube] {
        company.create(&company.upload(FILE).await).await;
        company.work().await;
    }
    let (ids, theirs) = (audience_ids(&luma).await, audience_ids(&tv_tube).await);
    let changes = json!({ "categories": ["sport", "health"], "access": { "private": true } });
    let edited = update(&luma, &ids, changes.clone()).await;
    for audience in edited["audiences"].as_array().unwrap() {
        assert_eq!(audience["categories"], json!(["health", "sport"]));
        assert_eq!(audience["access"]["kind"], "PRIVATE");
        assert!(text(&audience["updatedBy"]).starts_with("user "));
    }
    for (ids, changes, code) in [
        ([ids.clone(), theirs.clone()].concat(), changes.clone(), "NOT_FOUND"),
        (theirs, changes.clone(), "NOT_FOUND"),
        (vec![], changes, "INVALID"),
        (ids.clone(), json!({ "name": "Everybody" }), "INVALID"),
        (ids[..1].to_vec(), json!({ "name": "Runners" }), "ALREADY_EXISTS"),
        (ids[..1].to_vec(), json!({ "visibility": { "audienceIndex": true } }), "WRONG_STATE"),
        (ids[..1].to_vec(), json!({ "access": { "connectionIds": [luma.id()] } }), "NOT_FOUND"),
    ] {
        let refused = update(&luma, &ids, changes.clone()).await;
        assert_eq!((codes(&refused), &refused["audiences"]), (vec![code.to_owned()], &Value::Null), "{changes}");
    }
}

#[tokio::test]
async fn a_deleted_data_connection_leaves_no_people() {
    let luma = Company::luma().await;
    let id = text(&luma.create(&luma.upload(FILE).await).await["dataConnection"]["id"]);
    luma.work().await;
    let waiting = luma.upload(FILE).await;
    luma.refresh(&id, &waiting).await;
    let fields = "deletedDataConnectionId";
    let input = json!({ "dataConnectionId": id });
    let delete = || luma.press("deleteDataConnection", "DeleteDataConnectionInput", fields, input.clone());
    assert_eq!(delete().await["deletedDataConnectionId"], json!(id));
    assert_eq!((codes(&delete().await), luma.audiences().await), (vec!["NOT_FOUND".to_owned()], vec![]));
    luma.work().await;
    let account = luma.account;
    let current = luma.gateway.store().current_generations(&[account]).await.unwrap().remove(&account).unwrap();
    assert!(current.identities.is_empty());
    assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [0, 0, 1]);
}

#[tokio::test]
async fn others_cannot_tell_a_data_connection_from_none() {
    let luma = Company::luma().await;
    let tv_tube = luma.beside("TV Tube").await;
    let theirs = text(&tv_tube.create(&tv_tube.upload(FILE).await).await["dataConnection"]["id"]);
    let none = crate::graphql::id::global(entente_domain::DataConnectionId::new()).0;
    let upload = luma.upload(FILE).await;
    assert_eq!(luma.refresh(&theirs, &upload).await, luma.refresh(&none, &upload).await);
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(luma.ask(node, json!({ "id": theirs })).await, json!({ "node": null }));
}

#[tokio::test]
async fn the_start_removes_what_a_crash_left() {
    let luma = Company::luma().await;
    luma.create(&luma.upload(FILE).await).await;
    luma.work().await;
    let waiting = luma.upload(FILE).await;
    let uploads = luma.gateway.settings.data.join("uploads");
    std::fs::write(uploads.join(entente_domain::UploadId::new().to_string()), "nobody's").unwrap();
    std::fs::write(uploads.join(format!("{}.half.part", entente_domain::UploadId::new())), "half").unwrap();
    std::fs::create_dir_all(luma.gateway.identities().runs(luma.account).join("half")).unwrap();
    std::fs::create_dir_all(luma.gateway.identities().generations(luma.account).join("half")).unwrap();
    sweep::at_start(&luma.gateway).await.unwrap();
    assert_eq!([luma.files("uploads"), luma.files("runs"), luma.files("generations")], [1, 1, 1]);
    assert_eq!(codes(&luma.create(&waiting).await), Vec::<String>::new());
}
