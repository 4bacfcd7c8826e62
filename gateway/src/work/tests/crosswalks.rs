//! Loading crosswalks: once, again, stopped in between, and gone.

use super::company::{Company, codes, text};
use crate::work::{Ended, load_crosswalk};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const PEOPLE: &str = "email,segment\nada@x.example,Runners\nbob@x.example,Runners\nbob@x.example,Cyclists\n";
const LINKS: &str = "mail,home,mobile\n\
    ada@x.example,+12025550123,+12025550124\n\
    bob@x.example,+12025550124,\n\
    eve@x.example,+12025550125,\n\
    nobody,+12025550126,\n";

impl Company {
    async fn link(&self, file: &str) -> Value {
        let columns = |names: &[&str]| -> Vec<Value> {
            names.iter().map(|n| json!({ "column": n, "transformation": "NORMALISE_AND_HASH" })).collect()
        };
        let input = json!({
            "name": "Phones", "uploadId": self.upload(file).await, "consentAcknowledged": true,
            "join": { "matchKey": { "kind": "HASHED_EMAIL" }, "columns": columns(&["mail"]) },
            "linked": { "matchKey": { "kind": "HASHED_PHONE" }, "columns": columns(&["home", "mobile"]) },
        });
        self.press("createCrosswalk", "CreateCrosswalkInput", "crosswalk { id status } job { id }", input).await
    }

    async fn link_again(&self, crosswalk: &Value, file: &str) {
        let input = json!({ "crosswalkId": crosswalk["id"], "uploadId": self.upload(file).await });
        self.press("loadCrosswalk", "LoadCrosswalkInput", "job { id }", input).await;
        self.work().await;
    }

    async fn linked(&self, crosswalk: &Value) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Crosswalk { status failure version
            counts { links oneToMany manyToOne } loads { totalCount } } } }";
        self.ask(query, json!({ "id": crosswalk["id"] })).await["node"].clone()
    }

    fn has(&self) -> [usize; 3] {
        [self.files("uploads"), self.files("crosswalks"), self.files("generations")]
    }
}

/// By e-mail alone, or with those that phones add to them.
fn sizes(cyclists: u64, runners: u64) -> Vec<(String, String, u64)> {
    let active = |name: &str, count| (name.to_owned(), "ACTIVE".to_owned(), count);
    vec![active("Cyclists", cyclists), active("Runners", runners)]
}

#[tokio::test]
async fn links_count_from_their_load_to_their_end() {
    let luma = Company::luma().await;
    let made = luma.link(LINKS).await;
    let crosswalk = &made["crosswalk"];
    assert_eq!(crosswalk["status"], "PENDING");
    luma.work().await;
    assert_eq!((luma.has(), luma.audiences().await), ([0, 1, 1], vec![]), "links without people are a generation too");
    luma.create(&luma.upload(PEOPLE).await).await;
    luma.work().await;
    // Ada has two phones, one of which is Bob's as well: two identities by phone, of both runners.
    assert_eq!(luma.audiences().await, sizes(2, 4));
    let counts = json!({ "links": 4, "oneToMany": 1, "manyToOne": 1 });
    assert_eq!(luma.linked(crosswalk).await["counts"], counts);

    luma.link_again(crosswalk, "mail,home,mobile\nnobody,+12025550126,\n").await;
    let seen = luma.linked(crosswalk).await;
    assert_eq!((text(&seen["status"]), &seen["counts"]), ("FAILED".into(), &counts));
    assert_eq!(seen["failure"], "No row was accepted, most often because of EMAIL_INVALID; check the columns.");
    assert_eq!((luma.has(), luma.audiences().await), ([0, 1, 1], sizes(2, 4)));
    luma.link_again(crosswalk, "mail,home,mobile\nada@x.example,+12025550123,\n").await;
    let seen = luma.linked(crosswalk).await;
    assert_eq!((text(&seen["status"]), &seen["failure"]), ("ACTIVE".into(), &Value::Null));
    assert_eq!(luma.audiences().await, sizes(1, 3));

    let input = json!({ "crosswalkId": crosswalk["id"] });
    luma.press("deleteCrosswalk", "DeleteCrosswalkInput", "deletedCrosswalkId", input).await;
    assert_eq!(luma.audiences().await, sizes(1, 3), "until the rebuild that it starts");
    luma.work().await;
    assert_eq!((luma.has(), luma.audiences().await), ([0, 0, 1], sizes(1, 2)));
}

#[tokio::test]
async fn a_load_that_is_cut_off_is_done_once() {
    let luma = Company::luma().await;
    luma.create(&luma.upload(PEOPLE).await).await;
    luma.work().await;
    let made = luma.link(LINKS).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let task = luma.next_job(stop).await.unwrap();
    let ended = load_crosswalk::run(task.clone()).await.unwrap();
    assert!(matches!(ended, Ended::HandedBack), "{ended:?}");
    assert_eq!((luma.has(), luma.audiences().await), ([1, 0, 1], sizes(1, 2)));
    assert!(luma.gateway.store().hand_back_job(task.job.id, &task.owner).await.unwrap());
    std::fs::create_dir_all(luma.gateway.identities().crosswalks(luma.account).join(".aside-half")).unwrap();

    let task = luma.next_job(CancellationToken::new()).await.unwrap();
    for _ in 0..2 {
        let ended = load_crosswalk::run(task.clone()).await.unwrap();
        assert!(matches!(ended, Ended::Done), "{ended:?}");
    }
    let seen = luma.linked(&made["crosswalk"]).await;
    assert_eq!((&seen["version"], &seen["loads"]["totalCount"]), (&json!(2), &json!(1)));
    assert_eq!((luma.files("crosswalks"), luma.audiences().await), (1, sizes(2, 4)));
}

#[tokio::test]
async fn others_cannot_tell_a_crosswalk_from_none() {
    let luma = Company::luma().await;
    let tv_tube = luma.beside("TV Tube").await;
    let theirs = tv_tube.link(LINKS).await["crosswalk"]["id"].clone();
    let none = json!(crate::graphql::id::global(entente_domain::CrosswalkId::new()).0);
    let upload = luma.upload(LINKS).await;
    for (mutation, input_type, fields, input) in [
        ("loadCrosswalk", "LoadCrosswalkInput", "job { id }", json!({ "uploadId": upload })),
        ("renameCrosswalk", "RenameCrosswalkInput", "crosswalk { id }", json!({ "name": "Mine" })),
        ("deleteCrosswalk", "DeleteCrosswalkInput", "deletedCrosswalkId", json!({})),
    ] {
        let press = async |id: &Value| {
            let mut input = input.clone();
            input["crosswalkId"] = id.clone();
            luma.press(mutation, input_type, fields, input).await
        };
        let refused = press(&theirs).await;
        assert_eq!(codes(&refused), ["NOT_FOUND"], "{mutation}");
        assert_eq!(refused, press(&none).await, "{mutation}");
    }
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(luma.ask(node, json!({ "id": theirs })).await, json!({ "node": null }));
}
