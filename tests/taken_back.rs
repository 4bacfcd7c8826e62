//! Exposures and conversions that are taken back: what has finished stays, what has not run says why it cannot, and no file is
//! left.

use crate::{
    deliveries,
    harness::{Gateway, Kind, on_both_databases},
    measuring::{LOAD_EXPOSURES, RUN_REPORT_AGAIN, SCHEDULE_REPORT},
    people::{self, Form},
    stories::{Party, uuid_of},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const START: &str = "2026-03-02";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const TAKE_BACK: &str = "mutation($input: DeleteEventDataSetInput!) { deleteEventDataSet(input: $input) {
    deletedEventDataSetId userErrors { code field message } } }";

const WHY: &str = "query($id: ID!) { node(id: $id) { ... on Report { status failure failureReason } } }";

impl Party {
    async fn take_back(&self, data_set: &str) {
        let input = json!({ "accountId": self.account, "eventDataSetId": data_set });
        let payload = self.client.mutate(TAKE_BACK, input).await;
        assert_eq!(payload["deletedEventDataSetId"], data_set);
    }

    /// How a report ended, and why.
    async fn why(&self, report: &str) -> (String, Value) {
        let ended = |data: &Value| ["FINISHED", "FAILED"].contains(&data["node"]["status"].as_str().unwrap());
        let data = self.client.until(WHY, json!({ "id": report }), ended).await;
        (data["node"]["status"].as_str().unwrap().to_owned(), data["node"]["failureReason"].clone())
    }

    async fn run_again(&self, report: &str) -> String {
        let payload =
            self.client.mutate(RUN_REPORT_AGAIN, json!({ "accountId": self.account, "reportId": report })).await;
        payload["report"]["id"].as_str().unwrap().to_owned()
    }

    /// Loads exposures without waiting for them; the data set's id.
    async fn begin_exposures(&self, project: &str, csv: String) -> String {
        let mut input = self.exposures(project, Form::Hashed);
        input["uploadId"] = json!(self.upload(csv).await);
        let payload = self.client.mutate(LOAD_EXPOSURES, input).await;
        payload["eventDataSet"]["id"].as_str().unwrap().to_owned()
    }
}

fn exposures(people: std::ops::Range<u32>) -> String {
    people::exposures(people, "spring", START.parse().unwrap(), Form::Hashed)
}

/// Files of events of a party, and of uploads.
fn files(data: &Path, party: &Party) -> Vec<std::path::PathBuf> {
    let events = data.join("accounts").join(uuid_of(&party.account)).join("events");
    [deliveries::files(&events), deliveries::files(&data.join("uploads"))].concat()
}

on_both_databases! {
    async fn what_was_loaded_can_be_taken_back(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let campaign = tv_tube.add_campaign(&project, "spring").await;
        let seen = tv_tube.begin_exposures(&project, exposures(0..4_000)).await;
        tv_tube.loaded(&seen).await;
        let bought = luma.load_conversions(&project, people::conversions(0..3_000, START.parse().unwrap())).await;
        let attribution = json!({ "attribution": { "conversionsId": bought, "events": ["Purchase"], "lookbackDays": 7 } });
        let summary = json!({ "campaignSummary": true });
        let (from, until) = (START, "2026-03-08");
        let finished = luma.report(&project, attribution.clone(), &[&campaign], from, until).await;
        assert_eq!(finished["status"], "FINISHED");
        let tomorrow = (chrono::Utc::now() + DAY).date_naive().to_string();
        let mut waiting = vec![];
        for report in [attribution, summary] {
            let input = json!({
                "accountId": luma.account, "projectId": project, "name": "Tomorrow", "report": report,
                "campaignIds": [campaign], "from": from, "until": until, "runOn": tomorrow,
            });
            let payload = luma.client.mutate(SCHEDULE_REPORT, input).await;
            waiting.push(payload["report"]["id"].as_str().unwrap().to_owned());
        }

        // What the other side loaded is as good as not there.
        let theirs = |id: &str| json!({ "accountId": tv_tube.account, "eventDataSetId": id });
        assert_eq!(tv_tube.client.refused(TAKE_BACK, theirs(&bought)).await, "NOT_FOUND");
        luma.take_back(&bought).await;
        assert_eq!(files(gateway.data(), &luma), Vec::<std::path::PathBuf>::new());
        assert_eq!(luma.finished(finished["id"].as_str().unwrap()).await, finished, "what has finished stays");
        gateway.pass(DAY);
        assert_eq!(luma.why(&waiting[0]).await, ("FAILED".to_owned(), json!("CONVERSIONS_MISSING")));
        assert_eq!(luma.why(&waiting[1]).await, ("FINISHED".to_owned(), Value::Null), "it does without them");

        // Without exposures nothing is left to count, until others are loaded. A report waits for those that are being loaded.
        tv_tube.take_back(&seen).await;
        assert_eq!(files(gateway.data(), &tv_tube), Vec::<std::path::PathBuf>::new());
        let again = luma.run_again(&waiting[1]).await;
        assert_eq!(luma.why(&again).await, ("FAILED".to_owned(), json!("EXPOSURES_MISSING")));
        tv_tube.begin_exposures(&project, exposures(0..20_000)).await;
        let again = luma.run_again(&again).await;
        assert_eq!(luma.why(&again).await, ("FINISHED".to_owned(), Value::Null));
        let input = json!({ "accountId": luma.account, "reportId": waiting[0] });
        assert_eq!(luma.client.refused(RUN_REPORT_AGAIN, input).await, "NOT_FOUND", "its conversions are gone");
    }
}

on_both_databases! {
    /// At moments from before the load has begun to after it has ended.
    async fn what_is_being_loaded_can_be_taken_back(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        tv_tube.add_campaign(&project, "spring").await;
        let csv = exposures(0..30_000);
        // More than are read at once, so that the last have not begun.
        let mut sets = vec![];
        for _ in 0..6 {
            sets.push(tv_tube.begin_exposures(&project, csv.clone()).await);
        }
        for set in sets.iter().rev() {
            tv_tube.take_back(set).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let started = Instant::now();
        while !files(gateway.data(), &tv_tube).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "left: {:?}", files(gateway.data(), &tv_tube));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let query = "query($id: ID!) { node(id: $id) { ... on EventDataSet { status } } }";
        for set in &sets {
            assert_eq!(tv_tube.client.query(query, json!({ "id": set })).await["node"], Value::Null);
        }
    }
}
